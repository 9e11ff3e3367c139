"""The rules of metering and billing, by examples that hypothesis makes, on real PostgreSQL."""

import itertools
import multiprocessing
import os
import signal
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_plane.billing.model import Terms
from control_plane.metering.model import Outcome, ResourceRef
from foundation.kernel.actor import Actor
from foundation.kernel.database import Database
from foundation.kernel.time import Interval
from tests.conftest import SettableClock
from tests.fakes.money import FINANCE, HEALTH, OCTOBER, City, event

PERIOD = "2026-10"
SYSTEM = Actor.system("tests")
#: A short month so far, so that a run has few statements and a process is killed at each fifth.
SOON = OCTOBER + timedelta(days=2, hours=20)
EACH = 5
FLAVORS = ("m", "l")
RESOURCES = ("res_vm", "res_two", "res_other")
some = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def fresh(database: Database, clock: SettableClock) -> Any:
    """Empties the database of usage and charges, for one example after the other."""

    def make() -> City:
        with database.transaction():
            tables = database.execute(
                sa.text(
                    "SELECT string_agg(relname, ', ') FROM pg_class c WHERE relkind IN ('r', 'p')"
                    " AND NOT relispartition AND relname ~ '^(billing|metering)_'"
                )
            ).scalar_one()
            # What is only added to refuses this; a replica's triggers are asked by nobody.
            database.execute(sa.text("SET LOCAL session_replication_role = replica"))
            database.execute(sa.text(f"TRUNCATE {tables} CASCADE"))
        city = City(database, clock)
        city.directory.known["res_two"] = ResourceRef("res_two", None, "ten_h2", HEALTH, OCTOBER)
        city.billing.set_terms(
            Terms("/city/water/", "con_2", 1, "standard", Decimal(0), Interval(OCTOBER, None))
        )
        return city

    return make


@st.composite
def usages(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Distinct events of October, of any length, which may overlap."""
    made = []
    for number in range(draw(st.integers(1, 8))):
        start = OCTOBER + timedelta(minutes=draw(st.integers(0, 60 * 24 * 3)))
        length = timedelta(seconds=draw(st.integers(1, 3600 * 30)))
        made.append(
            event(
                number, 1, start=start, end=(start + length).isoformat(),
                resource=draw(st.sampled_from(RESOURCES)),
                quantity=str(draw(st.decimals(0, 10**6, places=9))),
                dimensions={"flavor": draw(st.sampled_from(FLAVORS))},
            )
        )  # fmt: skip
    return made


def take(city: City, events: list[dict[str, Any]]) -> list[Outcome]:
    return [result.outcome for result in city.metering.ingest(SYSTEM, events)]


def number(city: City, sql: str) -> Decimal:
    with city.database.transaction():
        return Decimal(city.database.execute(sa.text(sql)).scalar_one() or 0)


def bill(city: City) -> list[Any]:
    """All that the statements of the month say, without ids."""
    return sorted(
        (s.path, line.key.resource_id, str(line.key.dimensions), line.quantity, line.cost)
        for s in city.billing.statements(FINANCE, PERIOD)
        for line in city.billing.statement(FINANCE, s.id).lines
    )


def whole(city: City) -> None:
    """Quantities are the same at each step from the event to the line, and sums are sums."""
    assert city.billing.rate(PERIOD).charges == 0
    sent = number(city, "SELECT sum((payload->'data'->>'quantity')::numeric) FROM metering_event")
    recorded = number(city, "SELECT sum(quantity) FROM metering_record")
    charged = number(city, "SELECT sum(quantity) FROM billing_charge")
    by_day = number(city, "SELECT sum(quantity) FROM billing_charge_day")
    assert sent == recorded == charged == by_day == sum((b[3] for b in bill(city)), Decimal(0))
    statements = [
        city.billing.statement(FINANCE, s.id) for s in city.billing.statements(FINANCE, PERIOD)
    ]
    cost = number(city, "SELECT sum(billed_cost) FROM billing_charge_detail")
    assert sum((x.cost for s in statements for x in s.lines), Decimal(0)) == cost
    for statement in statements:
        assert sum((x.amount for x in statement.lines), Decimal(0)) == statement.head.total
    for doubtful in (
        # A charge of one department on the account of another.
        "SELECT count(*) FROM billing_charge_detail WHERE NOT starts_with(path, account)",
        # An event that reached two tenancies.
        """SELECT count(*) FROM (
             SELECT event_number FROM metering_record r JOIN metering_series s ON s.id = r.series_id
             GROUP BY event_number HAVING count(DISTINCT tenancy_id) > 1) x""",
    ):
        assert number(city, doubtful) == 0


@some
@given(events=usages(), data=st.data())
def test_replay_and_order_and_batches_change_nothing(
    fresh: Any, events: list[dict[str, Any]], data: st.DataObject
) -> None:
    city = fresh()
    assert set(take(city, events)) == {Outcome.ACCEPTED}
    city.billing.rate(PERIOD)
    whole(city)
    expected = bill(city)
    city = fresh()
    sent = data.draw(st.permutations(events + data.draw(st.lists(st.sampled_from(events)))))
    size = data.draw(st.integers(1, len(sent)))
    for begin in range(0, len(sent), size):
        assert set(take(city, sent[begin : begin + size])) <= {Outcome.ACCEPTED, Outcome.DUPLICATE}
    city.billing.rate(PERIOD)
    whole(city)
    assert bill(city) == expected


@some
@given(events=usages(), cut=st.integers(0, 8), price=st.decimals(0, 100, places=6))
def test_on_time_and_late_and_corrected_is_all_on_time(
    fresh: Any, events: list[dict[str, Any]], cut: int, price: Decimal
) -> None:
    change = OCTOBER + timedelta(hours=30)
    city = fresh()
    city.price(str(price), {"flavor": "m"}, change, why="first")
    take(city, events)
    city.billing.rate(PERIOD)
    expected = bill(city)
    city = fresh()
    take(city, events[:cut])
    city.billing.rate(PERIOD)
    take(city, events[cut:])
    city.billing.rate(PERIOD)
    city.price(str(price), {"flavor": "m"}, change, why="corrected")
    city.billing.rate(PERIOD)
    whole(city)
    assert bill(city) == expected


@some
@given(
    first=st.integers(0, 3600 * 5), length=st.integers(2, 3600 * 50),
    quantity=st.decimals(0, 10**9, places=9), cut=st.floats(0.01, 0.99),
)  # fmt: skip
def test_splitting_a_window_changes_no_total(
    fresh: Any, first: int, length: int, quantity: Decimal, cut: float
) -> None:
    city = fresh()
    start = OCTOBER + timedelta(seconds=first)
    end = start + timedelta(seconds=length)
    middle = start + timedelta(seconds=max(1, min(length - 1, int(length * cut))))
    part = (quantity * Decimal(str(cut))).quantize(Decimal("1e-9"))
    take(
        city,
        [
            event("a", 1, start=start, end=middle.isoformat(), quantity=str(part)),
            event("b", 1, start=middle, end=end.isoformat(), quantity=str(quantity - part)),
        ],
    )
    city.billing.rate(PERIOD)
    whole(city)
    assert number(city, "SELECT sum(quantity) FROM billing_charge") == quantity
    assert number(city, "SELECT count(*) FROM metering_record WHERE quantity < 0") == 0


@some
@given(events=usages(), late=usages())
def test_what_is_issued_stays_and_the_rest_comes_later(
    fresh: Any, events: list[dict[str, Any]], late: list[dict[str, Any]]
) -> None:
    city = fresh()
    take(city, events)
    city.billing.rate(PERIOD)
    issued = [city.billing.issue(FINANCE, s.id) for s in city.billing.statements(FINANCE, PERIOD)]
    for value in late:
        value["id"] = f"late-{value['id']}"
    take(city, late)
    city.billing.rate(PERIOD)
    after = city.billing.statements(FINANCE)
    assert [city.billing.statement(FINANCE, s.head.id) for s in issued] == issued
    lines = [line for s in after for line in city.billing.statement(FINANCE, s.id).lines]
    charged = number(city, "SELECT sum(quantity) FROM billing_charge")
    assert sum((line.quantity for line in lines), Decimal(0)) == charged
    for line in lines:
        told = city.billing.explain(FINANCE, line.id)
        if told.charge_count <= 100:
            assert sum((c.quantity for c in told.charges), Decimal(0)) == line.quantity
            assert sum((c.billed_cost for c in told.charges), Decimal(0)) == line.cost


# --- a crash at any step ------------------------------------------------------------------------


def work(url: str, at: int) -> None:
    """Take in and rate; kill this process just before its statement number ``at``."""
    database = Database(url)
    seen = itertools.count()

    def count(*_: Any) -> None:
        if next(seen) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    city = City(database, SettableClock(SOON), define=False)
    sa.event.listen(database.engine, "before_cursor_execute", count)
    sa.event.listen(database.engine, "commit", count)
    _all(city)
    database.close()


def _all(city: City) -> None:
    city.metering.ingest(
        SYSTEM, [event(n, 30, start=OCTOBER + timedelta(days=n)) for n in range(2)]
    )
    city.billing.rate(PERIOD)
    city.metering.ingest(SYSTEM, [event("late", 5)])
    city.billing.rate(PERIOD)


def test_a_crash_at_any_statement_equals_one_clean_run(
    fresh: Any, database_url: str, clock: SettableClock
) -> None:
    clock.set(SOON)
    city = fresh()
    _all(city)
    expected = bill(city)
    charged = number(city, "SELECT count(*) FROM billing_charge")
    # Forked from a server that has loaded everything: a process starts in a moment.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "tests.fakes.money"])
    killed = 0
    for at in itertools.count(0, EACH):
        city = fresh()
        process = context.Process(target=work, args=(database_url, at))
        process.start()
        process.join(60)
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        killed += 1
        _all(city)
        whole(city)
        assert bill(city) == expected
        assert number(city, "SELECT count(*) FROM billing_charge") == charged
    assert killed > 5
