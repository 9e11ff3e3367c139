import threading

import pytest
import sqlalchemy as sa

from foundation.kernel.database import Database
from foundation.kernel.outbox import Outbox
from foundation.kernel.time import Clock


def rows(database: Database) -> int:
    with database.transaction():
        return int(database.execute(sa.text("SELECT count(*) FROM kernel_outbox")).scalar_one())


def test_inner_transactions_join_and_the_outermost_decides(
    database: Database, clock: Clock
) -> None:
    outbox = Outbox(database, clock)

    def fail_afterwards() -> None:
        with database.transaction():
            with database.transaction():
                outbox.publish("orders", {"id": 1})
            raise RuntimeError("afterwards")

    with pytest.raises(RuntimeError, match="afterwards"):
        fail_afterwards()
    assert rows(database) == 0
    with database.transaction():
        outbox.publish("orders", {"id": 1})
    assert rows(database) == 1


def test_a_store_outside_of_a_use_case_is_refused(database: Database) -> None:
    with pytest.raises(RuntimeError, match="no transaction is open"):
        database.execute(sa.text("SELECT 1"))


def test_reading_needs_no_transaction_and_joins_one(database: Database, clock: Clock) -> None:
    with database.reading():
        first = database.execute(sa.text("SELECT now()")).scalar_one()
        # Each statement has a time of its own: none of them waits for the end of another.
        assert database.execute(sa.text("SELECT now()")).scalar_one() > first
        with database.reading():
            assert database.execute(sa.text("SELECT now()")).scalar_one() > first
        with pytest.raises(RuntimeError, match="call to the outside"):
            database.assert_no_transaction()
    with database.transaction():
        Outbox(database, clock).publish("orders", {"id": 1})
        with database.reading():  # sees what the transaction has done
            assert rows(database) == 1
    with pytest.raises(RuntimeError, match="no transaction is open"):
        database.execute(sa.text("SELECT 1"))


def test_nothing_is_written_while_only_reading(database: Database, clock: Clock) -> None:
    with database.reading():
        with pytest.raises(RuntimeError, match="while reading"), database.transaction():
            Outbox(database, clock).publish("orders", {"id": 1})
        with pytest.raises(RuntimeError, match="no transaction is open"):
            database.before_commit(lambda: None)
    assert rows(database) == 0
    # The connection is given back as it was: the next one has transactions.
    with database.transaction():
        Outbox(database, clock).publish("orders", {"id": 2})
        database.connection.rollback()
    assert rows(database) == 0


def test_an_error_does_not_tell_what_was_asked_with(database: Database) -> None:
    with pytest.raises(sa.exc.DBAPIError) as error, database.transaction():
        database.execute(sa.text("SELECT :secret FROM nowhere"), {"secret": "hunter22"})
    assert "nowhere" in str(error.value)
    assert "hunter22" not in str(error.value)


def test_the_outside_is_not_called_within_a_transaction(database: Database) -> None:
    database.assert_no_transaction()
    with database.transaction(), pytest.raises(RuntimeError, match="call to the outside"):
        database.assert_no_transaction()


def test_threads_have_transactions_of_their_own(database: Database) -> None:
    seen = []
    with database.transaction():
        thread = threading.Thread(target=lambda: seen.append(database.assert_no_transaction()))
        thread.start()
        thread.join()
    assert seen == [None]


def test_messages_are_handed_on_in_order_and_once(database: Database, clock: Clock) -> None:
    outbox = Outbox(database, clock)
    with database.transaction():
        sent = [outbox.publish("orders", {"n": n}) for n in range(3)]
    with database.transaction():
        pending = outbox.pending()
        assert [m.payload["n"] for m in pending] == [0, 1, 2]
        outbox.delivered(sent[0])
        other = threading.Thread(target=_sees_nothing, args=(database, clock))
        other.start()
        other.join()
    with database.transaction():
        assert [m.id for m in outbox.pending()] == sent[1:]


def _sees_nothing(database: Database, clock: Clock) -> None:
    with database.transaction():
        assert Outbox(database, clock).pending() == []
