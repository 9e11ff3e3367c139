"""A rehearsal is judged and answered like the request, and leaves nothing behind."""

from typing import Any

import pytest
from apiflask import APIFlask
from werkzeug.test import TestResponse

from foundation.kernel.errors import Conflict
from tests.unit.surface_api.conftest import Things

PATH = "/api/v1/things"


def post(app: APIFlask, body: Any, who: str = "ann", **headers: str) -> TestResponse:
    sent = {"Borough-Dry-Run": "true", "Authorization": f"Bearer {who}"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    with app.test_client() as client:
        return client.post(PATH, json=body, headers=sent)


def test_it_answers_and_changes_nothing(app: APIFlask, things: Things) -> None:
    told = post(app, {"name": "a"})
    assert told.status_code == 201
    assert told.get_json(force=True)["name"] == "a"
    assert told.headers["Borough-Dry-Run"] == "true"
    assert "Location" not in told.headers
    assert things.count() == 0


def test_a_key_that_was_rehearsed_with_is_still_free(app: APIFlask, things: Things) -> None:
    post(app, {"name": "a"}, Idempotency_Key="k1")
    headers = {"Authorization": "Bearer ann", "Idempotency-Key": "k1"}
    with app.test_client() as client:
        done = client.post(PATH, json={"name": "b"}, headers=headers)
    assert done.status_code == 201
    assert "Idempotent-Replayed" not in done.headers
    assert "Borough-Dry-Run" not in done.headers
    assert things.count() == 1


def test_it_is_judged_like_the_request(app: APIFlask, things: Things) -> None:
    assert post(app, {"colour": "red"}).status_code == 422
    app.extensions["borough.authenticator"].actions["eve"] = {"thing.view"}
    assert post(app, {"name": "a"}, who="eve").status_code == 403
    things.fail = Conflict("not now")
    assert post(app, {"name": "a"}).status_code == 409


@pytest.mark.parametrize("value", ["false", "1", "", "TRUE"])
def test_nobody_rehearses_by_mistake_nor_acts_instead(
    app: APIFlask, things: Things, value: str
) -> None:
    told = post(app, {"name": "a"}, Borough_Dry_Run=value)
    assert told.status_code == 422
    assert told.get_json(force=True)["errors"][0]["field"] == "Borough-Dry-Run"
    assert things.count() == 0
