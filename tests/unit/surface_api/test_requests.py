"""What may be sent and how it is refused: every wrong field at once, nothing of our insides."""

import logging

import psycopg
import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from flask.testing import FlaskClient
from openapi_spec_validator import validate
from werkzeug.test import TestResponse

from foundation.surface import auth
from foundation.surface.api import openapi
from foundation.surface.api.problems import PROBLEM_JSON, on_page_error
from tests.unit.surface_api.conftest import ERRORS, Things

STATUS = {
    "invalid": 422,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "quota_exceeded": 409,
    "needs_approval": 409,
    "precondition_failed": 412,
    "unavailable": 503,
}


def fields(response: TestResponse) -> dict[str, str]:
    return {wrong["field"]: wrong["code"] for wrong in response.json["errors"]}


def test_every_error_of_the_kernel_becomes_a_problem(client: FlaskClient) -> None:
    assert set(STATUS) == set(ERRORS)
    for code, status in STATUS.items():
        response = client.get(f"/api/v1/errors/{code}")
        assert response.status_code == status
        assert response.content_type == PROBLEM_JSON
        body = response.get_json(force=True)
        assert (body["code"], body["status"]) == (code, status)
        assert body["type"] == f"urn:borough:problem:{code}"
        assert body["detail"] == ERRORS[code].message
        assert body["request_id"] == response.headers["X-Request-ID"]


def test_details_and_headers_of_errors(client: FlaskClient) -> None:
    wrong = client.get("/api/v1/errors/invalid").get_json(force=True)["errors"]
    assert wrong[0] == {"field": "a.b", "pointer": "/a/b", "message": "is wrong", "code": "invalid"}
    assert wrong[1]["code"] == "required"
    approval = client.get("/api/v1/errors/needs_approval").get_json(force=True)
    assert approval["details"] == {"difference": {"add": ["x"]}}
    assert client.get("/api/v1/errors/unavailable").headers["Retry-After"] == "8"
    assert "Bearer" in client.get("/api/v1/errors/unauthenticated").headers["WWW-Authenticate"]


def test_every_wrong_field_is_named_at_once(client: FlaskClient, ann: dict[str, str]) -> None:
    response = client.post(
        "/api/v1/things",
        headers=ann,
        json={
            "name": " ",
            "count": "1",
            "price": {"amount": 1, "currency": "yuan", "x": 1},
            "tags": ["ok", "Not Ok"],
            "at": "2026-01-01",
            "ratio": "1e5",
            "other": 1,
        },
    )
    assert response.status_code == 422
    assert set(fields(response)) == {
        "name",
        "count",
        "price.amount",
        "price.currency",
        "price.x",
        "tags.1",
        "at",
        "ratio",
        "other",
    }
    assert fields(response)["other"] == "unknown"
    missing = client.post("/api/v1/things", headers=ann, json={})
    assert fields(missing) == {"name": "required"}


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"name": NaN}', "application/json", 400),
        (b'{"count": 1e999, "name": "a"}', "application/json", 400),
        (b'{"name": "a", "name": "b"}', "application/json", 400),
        (b'{"name": "a\\u0000b"}', "application/json", 400),
        (b'{"name": "a\\ud800b"}', "application/json", 400),
        (b'{"name": ' + b"9" * 5000 + b"}", "application/json", 400),
        (b"[" * 4000 + b"]" * 4000, "application/json", 400),
        (b"[" * 66 + b"]" * 66, "application/json", 400),
        (b"[" * 65 + b"]" * 65, "application/json", 422),
        (b'{"name": {"a\\u0000": []}}', "application/json", 400),
        (b'{"name": "' + b"a" * 20_000 + b'"}', "application/json", 413),
        (b"[]", "application/json", 422),
        (b'"text"', "application/json", 422),
        (b"null", "application/json", 422),
        (b"name=a", "application/x-www-form-urlencoded", 415),
        (b'{"name": "a"}', "text/plain", 415),
        (b'{"name": "a"}', "", 415),
    ],
)
def test_bodies_that_are_refused(
    client: FlaskClient, ann: dict[str, str], body: bytes, content_type: str, status: int
) -> None:
    response = client.post("/api/v1/things", headers=ann, data=body, content_type=content_type)
    assert response.status_code == status
    assert response.content_type == PROBLEM_JSON


def test_a_query_is_read_strictly(client: FlaskClient, ann: dict[str, str]) -> None:
    good = client.get("/api/v1/things?limit=3&tags=a&tags=b&archived=true", headers=ann)
    assert good.status_code == 200
    assert '"tags":["a","b"],"archived":true' in good.json["items"][0]["name"]
    bad = client.get("/api/v1/things?limit=3.0&archived=1&state=a&state=b&x=1", headers=ann)
    assert bad.status_code == 422
    assert set(fields(bad)) == {"limit", "archived", "state", "x"}
    assert client.get("/api/v1/things?limit=201", headers=ann).status_code == 422
    assert client.get("/api/v1/things?state=%00", headers=ann).status_code == 400


def test_addresses_and_methods_that_are_not_there(client: FlaskClient) -> None:
    missing = client.get("/api/v1/nothing")
    assert (missing.status_code, missing.content_type) == (404, PROBLEM_JSON)
    method = client.put("/api/v1/things")
    assert (method.status_code, method.content_type) == (405, PROBLEM_JSON)
    assert "POST" in method.headers["Allow"]


def test_a_defect_tells_nothing_to_the_caller_and_all_to_the_log(
    app: APIFlask,
    client: FlaskClient,
    ann: dict[str, str],
    things: Things,
    caplog: pytest.LogCaptureFixture,
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    things.fail = ZeroDivisionError("secret inside")
    with caplog.at_level(logging.ERROR):
        response = client.post("/api/v1/things", headers=ann, json={"name": "a"})
    assert response.status_code == 500
    assert "secret inside" not in response.get_data(as_text=True)
    assert response.get_json(force=True)["code"] == "internal"
    assert any("secret inside" in str(record.exc_info) for record in caplog.records)


@pytest.mark.parametrize("sqlstate", [None, "57P01", "08006", "40P01", "53300"])
def test_a_database_that_does_not_answer_is_no_defect(
    app: APIFlask, client: FlaskClient, ann: dict[str, str], things: Things, sqlstate: str | None
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    cause = psycopg.OperationalError("secret inside")
    cause.sqlstate = sqlstate
    things.fail = sa.exc.OperationalError("SELECT", {}, cause)
    response = client.post("/api/v1/things", headers=ann, json={"name": "a"})
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    assert "secret inside" not in response.get_data(as_text=True)


def test_who_asks(client: FlaskClient, ann: dict[str, str]) -> None:
    assert client.get("/api/v1/me").status_code == 401
    assert client.get("/api/v1/me", headers=ann).json["name"] == "ann"
    for header in ("Bearer nobody", "Bearer ", "Basic YTpi", "ann"):
        assert client.get("/api/v1/me", headers={"Authorization": header}).status_code == 401
    bob = {"Authorization": "Bearer bob"}
    assert client.get("/api/v1/things", headers=bob).status_code == 200
    # The refusal comes before the input is looked at.
    assert client.post("/api/v1/things", headers=bob, data=b"{").status_code == 403


def test_a_bad_token_is_not_passed_over_for_a_cookie(client: FlaskClient) -> None:
    client.set_cookie("borough_session", "cookie")
    assert client.get("/api/v1/me").json["name"] == "ann"
    assert client.get("/api/v1/me", headers={"Authorization": "Bearer x"}).status_code == 401


def test_a_cookie_alone_changes_nothing(client: FlaskClient) -> None:
    client.set_cookie("borough_session", "cookie")
    body = {"name": "a"}
    assert client.post("/api/v1/things", json=body).status_code == 403
    wrong = {auth.CSRF_HEADER: "guess"}
    assert client.post("/api/v1/things", json=body, headers=wrong).status_code == 403
    proof = {auth.CSRF_HEADER: "proof"}
    assert client.post("/api/v1/things", json=body, headers=proof).status_code == 201
    assert client.post("/page", data={auth.CSRF_FIELD: "proof"}).status_code == 200
    assert client.post("/page", data={auth.CSRF_FIELD: "x"}).status_code == 403


def test_other_sites_are_refused_even_with_the_csrf_token(client: FlaskClient) -> None:
    client.set_cookie("borough_session", "cookie")
    proof = {auth.CSRF_HEADER: "proof"}
    for header in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert client.post("/api/v1/things", json={}, headers=proof | header).status_code == 403
    same = proof | {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/api/v1/things", json={"name": "a"}, headers=same).status_code == 201


def test_conditions(client: FlaskClient, ann: dict[str, str]) -> None:
    first = client.get("/api/v1/things/1", headers=ann)
    tag = first.headers["ETag"]
    assert client.patch("/api/v1/things/1", headers=ann).status_code == 428
    stale = client.patch("/api/v1/things/1", headers=ann | {"If-Match": '"other"'})
    assert stale.status_code == 412
    good = client.patch("/api/v1/things/1", headers=ann | {"If-Match": tag})
    assert (good.status_code, good.headers["ETag"]) == (200, tag)
    again = client.get("/api/v1/things/1", headers=ann | {"If-None-Match": tag})
    assert (again.status_code, again.get_data()) == (304, b"")


def test_limits_say_what_remains_and_when_to_return(client: FlaskClient) -> None:
    before = client.get("/api/v1/nothing")
    assert before.headers["RateLimit-Limit"] == "100"
    statuses = [client.get("/api/v1/nothing").status_code for _ in range(120)]
    assert statuses[-1] == 429
    refused = client.get("/api/v1/nothing")
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.headers["RateLimit-Remaining"] == "0"
    # Principals have buckets of their own.
    assert client.get("/api/v1/me", headers={"Authorization": "Bearer ann"}).status_code == 200


def test_security_headers_are_on_every_answer(client: FlaskClient, ann: dict[str, str]) -> None:
    for response in (client.get("/api/v1/me", headers=ann), client.get("/api/v1/nothing")):
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]


def test_errors_of_pages_are_shown_as_pages(app: APIFlask, client: FlaskClient) -> None:
    on_page_error(app, lambda body, _: (f"<p>{body['status']}", body["status"]))
    page = client.get("/nothing")
    assert (page.status_code, page.content_type) == (404, "text/html; charset=utf-8")
    assert client.get("/api/v1/nothing").content_type == PROBLEM_JSON


def test_the_description_is_valid_and_tells_what_holds(client: FlaskClient) -> None:
    spec = client.get(openapi.SPEC_PATH).json
    validate(spec)
    create = spec["paths"]["/api/v1/things"]["post"]
    assert create["operationId"] == "create_thing"
    assert create["x-borough-action"] == "thing.create"
    assert create["security"] == [{"token": []}, {"session": []}]
    assert "Idempotency-Key" in {p["name"] for p in create["parameters"]}
    assert {"201", "401", "403", "415", "422", "429", "default"} <= set(create["responses"])
    change = spec["paths"]["/api/v1/things/{number}"]["patch"]
    assert {"428", "412", "404"} <= set(change["responses"])
    schemas = spec["components"]["schemas"]
    assert schemas["ThingCreate"]["additionalProperties"] is False
    assert {"ThingOut", "ThingOutPageOut", "MoneyBody", "Problem"} <= set(schemas)
    assert not [name for name in schemas if "." in name]
