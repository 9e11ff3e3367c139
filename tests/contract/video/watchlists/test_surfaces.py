"""Watch lists over HTTP, as pages in both languages, and on the command line's terms."""

import base64
import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Unauthenticated
from foundation.kernel.secretbox import SecretBox
from foundation.serving.app import Parts
from foundation.surface import auth
from foundation.surface.runtime import Runtime
from tests.conftest import START
from tests.contract.video.watchlists.conftest import ANN, AUDITOR, BEN, OPERATOR, TRAFFIC, World
from workloads.video_analytics.entrypoints.app import create_app
from workloads.video_analytics.settings import Settings

PEOPLE = {"ann": ANN, "ben": BEN, "auditor": AUDITOR, "operator": OPERATOR}
UNTIL = (START + timedelta(days=30)).isoformat()
BODY = {
    "kind": "faces", "name": "Missing persons", "path": TRAFFIC,
    "legal_basis": "Order 12/2026", "ends_at": UNTIL,
}  # fmt: skip
Call = Callable[..., tuple[int, Any]]


class _Names:
    """Tokens and sessions are names."""

    def by_token(self, secret: str) -> auth.Identity:
        if secret not in PEOPLE:
            raise Unauthenticated("the token is not valid")
        return auth.Identity(PEOPLE[secret], token_id="tok")

    def by_session(self, secret: str) -> auth.Identity | None:
        who = PEOPLE.get(secret)
        return auth.Identity(who, csrf_token="t", session_id="ses") if who else None

    def may_somewhere(self, actor: Actor, action: str) -> bool:
        return policy.may_somewhere(actor, action)


def client_of(world: World) -> FlaskClient:
    """The application with the feature, asked by people of these names."""
    runtime = Runtime(world.database, world.clock, SecretBox([b"k" * 32]))
    return create_app(Parts(runtime, _Names(), (world.watchlists,)), Settings()).test_client()


@pytest.fixture
def client(world: World) -> FlaskClient:
    return client_of(world)


@pytest.fixture
def call(client: FlaskClient) -> Call:
    def send(who: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = client.open(
            f"/api/v1{path}", method=method, json=body, headers={"Authorization": f"Bearer {who}"}
        )
        return answer.status_code, answer.get_json(force=True) if answer.data else None

    return send


def face(number: int) -> str:
    return base64.b64encode(b"person %d" % number).decode()


def page(client: FlaskClient, who: str, path: str, language: str = "en") -> tuple[int, str]:
    client.set_cookie("borough_video_session", who)
    answer = client.get(path, headers={"Accept-Language": language})
    return answer.status_code, answer.get_data(as_text=True)


def send(client: FlaskClient, who: str, address: str, /, **fields: Any) -> tuple[int, str, str]:
    client.set_cookie("borough_video_session", who)
    answer = client.post(address, data={"csrf_token": "t", **fields})
    return answer.status_code, answer.get_data(as_text=True), answer.headers.get("Location", "")


def test_the_life_of_a_list_over_http(call: Call) -> None:
    status, made = call("ann", "POST", "/watchlists", BODY)
    assert (status, made["state"], made["pending"]) == (201, "in_approval", 0)
    here = f"/watchlists/{made['id']}"
    status, entry = call("ann", "POST", f"{here}/faces", {"label": "Case 7", "picture": face(3)})
    assert (status, entry["approved_at"], entry["pattern"]) == (201, None, "")
    assert set(entry) == {
        "id", "list_id", "label", "pattern", "added_at", "added_by", "added_by_name", "approved_at",
    }  # fmt: skip
    status, problem = call("ann", "POST", f"{here}/approve")
    assert (status, problem["code"]) == (403, "forbidden")
    status, approved = call("ben", "POST", f"{here}/approve")
    assert (status, approved["state"], approved["approved_by_name"]) == (200, "active", "ben")
    assert call("auditor", "GET", "/watchlists?kind=faces")[1]["items"] == [approved]
    assert call("auditor", "GET", f"{here}/entries")[1]["items"][0]["id"] == entry["id"]
    assert call("auditor", "GET", here) == (200, approved)
    assert call("ann", "DELETE", f"{here}/entries/{entry['id']}")[0] == 204
    status, closed = call("ann", "POST", f"{here}/close", {"reason": "found"})
    assert (status, closed["state"], closed["entries"]) == (200, "closed", 0)


def test_plates_over_http(call: Call) -> None:
    made = call("ann", "POST", "/watchlists", {**BODY, "kind": "plates"})[1]
    here = f"/watchlists/{made['id']}/plates"
    status, entry = call("ann", "POST", here, {"label": "Stolen", "pattern": "苏A·12345"})
    assert (status, entry["pattern"]) == (201, "苏A12345")
    status, problem = call("ann", "POST", here, {"label": "All", "pattern": "*"})
    assert status == 422
    assert [each["field"] for each in problem["errors"]] == ["pattern"]


@pytest.mark.parametrize(
    ("picture", "said"),
    [("%%%", "must be base64"), (base64.b64encode(b"tree").decode(), "no face")],
)
def test_pictures_that_are_none(call: Call, picture: str, said: str) -> None:
    made = call("ann", "POST", "/watchlists", BODY)[1]
    here = f"/watchlists/{made['id']}/faces"
    status, problem = call("ann", "POST", here, {"label": "x", "picture": picture})
    assert status == 422
    assert problem["errors"][0]["field"] == "picture"
    assert said in problem["errors"][0]["message"]


def test_wrong_bodies_name_every_field(call: Call) -> None:
    status, problem = call("ann", "POST", "/watchlists", {"kind": "dogs", "ends_at": "soon"})
    assert status == 422
    named = {each["field"] for each in problem["errors"]}
    assert named == {"kind", "name", "path", "legal_basis", "ends_at"}


def test_strangers_learn_nothing(call: Call) -> None:
    made = call("ann", "POST", "/watchlists", BODY)[1]
    assert call("operator", "GET", "/watchlists")[0] == 403
    assert call("operator", "GET", f"/watchlists/{made['id']}")[0] == 403
    assert call("auditor", "POST", "/watchlists", BODY)[0] == 403
    assert call("nobody", "GET", "/watchlists")[0] == 401


def test_the_life_of_a_list_on_pages(client: FlaskClient) -> None:
    assert "Cameras look for nobody" in page(client, "ann", "/watchlists")[1]
    assert page(client, "ann", "/watchlists/new")[0] == 200
    fields = {name: BODY[name] for name in ("kind", "name", "path", "legal_basis")}
    status, _, place = send(client, "ann", "/watchlists/new", ends_on="2026-12-01", **fields)
    assert status == 303
    here = place.partition("?")[0]
    picture = (io.BytesIO(b"person 3"), "case.jpg")
    status, _, _ = send(client, "ann", f"{here}/entries", label="Case 7", picture=picture)
    assert status == 303
    status, shown = page(client, "ben", here)
    assert "waits for a second person" in shown
    assert "Agree to 1 entries" in shown
    assert send(client, "ann", f"{here}/approve")[0] == 403
    assert send(client, "ben", f"{here}/approve")[0] == 303
    shown = page(client, "auditor", here)[1]
    assert "waits for a second person" not in shown
    assert "Destroy" not in shown
    entry = re.search(r"entries/(wle_\w+)/remove", page(client, "ann", here)[1])
    assert entry is not None
    assert send(client, "ann", f"{here}/entries/{entry[1]}/remove")[0] == 303
    assert send(client, "ann", f"{here}/close", reason="")[0] == 422
    assert send(client, "ann", f"{here}/close", reason="found")[0] == 303
    assert "Add an entry" not in page(client, "ann", here)[1]


def test_pages_say_what_is_wrong(client: FlaskClient) -> None:
    status, shown, _ = send(client, "ann", "/watchlists/new", kind="faces", path="/nowhere/")
    assert status == 422
    for words in ("Must be a day",):
        assert words in shown
    status, shown, _ = send(
        client, "ann", "/watchlists/new", kind="faces", path="/city/nowhere/",
        ends_on="2026-12-01",
    )  # fmt: skip
    assert status == 422
    assert "Is not a department" in shown
    fields = {name: BODY[name] for name in ("kind", "name", "path", "legal_basis")}
    _, _, place = send(client, "ann", "/watchlists/new", ends_on="2026-12-01", **fields)
    here = place.partition("?")[0]
    status, shown, _ = send(client, "ann", f"{here}/entries", label="x")
    assert status == 422
    assert "Must be a file of at most 4 MB" in shown


def test_pages_speak_chinese(client: FlaskClient) -> None:
    fields = {name: BODY[name] for name in ("kind", "name", "path", "legal_basis")}
    _, _, place = send(client, "ann", "/watchlists/new", ends_on="2026-12-01", **fields)
    for path in ("/watchlists", "/watchlists/new", place.partition("?")[0]):
        status, shown = page(client, "ann", path, "zh")
        assert status == 200
        assert "布控名单" in shown
        for english in ("Watch list", "Legal basis", "Last day", "Add an entry", "Four eyes"):
            assert english not in shown
