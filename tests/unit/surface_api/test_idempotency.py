"""A POST with the same key happens once and answers the same, come what may."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from werkzeug.test import TestResponse

from foundation.kernel.database import Database
from foundation.kernel.errors import Conflict
from tests.conftest import SettableClock
from tests.unit.surface_api.conftest import Things

BOTH = ["/api/v1/things", "/api/v1/slow-things"]


def post(
    app: APIFlask,
    path: str,
    key: str,
    name: str = "a",
    token: str = "ann",  # noqa: S107
) -> TestResponse:
    with app.test_client() as client:
        return client.post(
            path,
            json={"name": name},
            headers={"Authorization": f"Bearer {token}", "Idempotency-Key": key},
        )


@pytest.mark.parametrize("path", BOTH)
def test_a_replay_does_nothing_again(app: APIFlask, things: Things, path: str) -> None:
    first = post(app, path, "k1")
    second = post(app, path, "k1")
    assert first.status_code == second.status_code == 201
    assert first.get_data() == second.get_data()
    assert first.headers.get("Location") == second.headers.get("Location")
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert things.count() == 1
    assert post(app, path, "k2").status_code == 201
    assert things.count() == 2


@pytest.mark.parametrize("path", BOTH)
def test_a_key_with_another_body_is_refused(app: APIFlask, things: Things, path: str) -> None:
    post(app, path, "k1")
    other = post(app, path, "k1", name="b")
    assert (other.status_code, other.get_json(force=True)["code"]) == (
        422,
        "idempotency_key_reused",
    )
    assert things.count() == 1


@pytest.mark.parametrize("path", BOTH)
def test_a_failure_leaves_the_key_free(app: APIFlask, things: Things, path: str) -> None:
    things.fail = Conflict("not now")
    assert post(app, path, "k1").status_code == 409
    things.fail = None
    assert post(app, path, "k1").status_code == 201


def test_keys_are_of_one_principal_and_one_address(app: APIFlask, things: Things) -> None:
    app.extensions["borough.authenticator"].actions["eve"] = {"thing.create"}
    for path, token in ((BOTH[0], "ann"), (BOTH[0], "eve"), (BOTH[1], "ann")):
        answer = post(app, path, "k1", token=token)
        assert answer.status_code == 201
        assert "Idempotent-Replayed" not in answer.headers
    assert things.count() == 3


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 256])
def test_keys_that_are_none(app: APIFlask, key: str) -> None:
    answer = post(app, BOTH[0], key)
    assert answer.status_code == 422
    assert answer.get_json(force=True)["errors"][0]["field"] == "Idempotency-Key"


def test_a_second_request_waits_for_the_first(app: APIFlask, things: Things) -> None:
    things.leave.clear()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(post, app, BOTH[0], "k1")
        assert things.entered.wait(10)
        second = pool.submit(post, app, BOTH[0], "k1")
        assert not second.done()
        things.leave.set()
        assert first.result(10).get_data() == second.result(10).get_data()
    assert things.calls == 1
    assert things.count() == 1


def test_outside_a_second_request_is_told_to_wait(app: APIFlask, things: Things) -> None:
    things.leave.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(post, app, BOTH[1], "k1")
        assert things.entered.wait(10)
        assert post(app, BOTH[1], "k1").status_code == 409
        things.leave.set()
        assert first.result(10).status_code == 201
    assert things.calls == 1
    assert post(app, BOTH[1], "k1").status_code == 201
    assert things.calls == 1


def test_many_at_once_do_it_once(app: APIFlask, things: Things) -> None:
    start = threading.Barrier(8)

    def race() -> tuple[int, bytes]:
        start.wait(10)
        answer = post(app, BOTH[0], "k1")
        return answer.status_code, answer.get_data()

    with ThreadPoolExecutor(8) as pool:
        answers = {future.result() for future in [pool.submit(race) for _ in range(8)]}
    assert len(answers) == 1
    assert things.count() == 1


class Killed(BaseException):
    """The process dies."""


def test_a_crash_within_leaves_neither_the_work_nor_the_key(app: APIFlask, things: Things) -> None:
    things.fail = Killed()  # type: ignore[assignment]
    with pytest.raises(Killed):
        post(app, BOTH[0], "k1")
    assert things.count() == 0
    things.fail = None
    assert post(app, BOTH[0], "k1").status_code == 201
    assert things.count() == 1


def test_a_request_lost_with_its_process_runs_again_after_a_minute(
    app: APIFlask, things: Things, database: Database, clock: SettableClock
) -> None:
    post(app, BOTH[1], "k1")
    with database.transaction():  # as a process leaves it that dies before it answers
        database.execute(sa.text("UPDATE surface_idempotency SET status = NULL, body = NULL"))
    assert post(app, BOTH[1], "k1").status_code == 409
    clock.advance(seconds=61)
    assert post(app, BOTH[1], "k1", name="b").status_code == 422
    assert post(app, BOTH[1], "k1").status_code == 201
    assert things.calls == 2


def test_keys_are_forgotten_after_a_day_and_rows_swept(
    app: APIFlask, database: Database, clock: SettableClock
) -> None:
    for number in range(5):
        post(app, BOTH[0], f"k{number}")
    clock.advance(hours=24)
    assert "Idempotent-Replayed" not in post(app, BOTH[0], "k1").headers
    with database.transaction():
        rows = database.execute(sa.text("SELECT count(*) FROM surface_idempotency")).scalar_one()
    assert rows == 1


def test_kept_answers_are_sealed(app: APIFlask, database: Database) -> None:
    post(app, BOTH[0], "k1", name="very-secret")
    with database.transaction():
        rows = database.execute(sa.text("SELECT row_to_json(s)::text FROM surface_idempotency s"))
        assert "very-secret" not in rows.scalar_one()
