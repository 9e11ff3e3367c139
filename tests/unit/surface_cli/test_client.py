import re

import pytest

from foundation.surface.cli.client import Client
from foundation.surface.cli.exits import ApiProblem, Failure
from tests.unit.surface_cli.conftest import FakeApi, Reply


def test_a_request_carries_the_token_and_json(api: FakeApi) -> None:
    api.reply({"id": "ord_1"}, 201, headers={"ETag": '"v1"'})
    answer = Client(api.url, "secret").request("POST", "/orders", body={"plan": "small"})
    (asked,) = api.asked
    assert (answer.status, answer.body, answer.etag) == (201, {"id": "ord_1"}, '"v1"')
    assert (asked.method, asked.path, asked.body) == ("POST", "/api/v1/orders", {"plan": "small"})
    assert asked.headers["Authorization"] == "Bearer secret"
    assert asked.headers["Content-Type"] == "application/json"


def test_parameters_that_are_none_are_left_out(api: FakeApi) -> None:
    api.reply([])
    Client(api.url).get("/orders", state=None, kind=["a", "b"], mine=True, limit=3)
    assert api.asked[0].query == {"kind": ["a", "b"], "mine": ["true"], "limit": ["3"]}


def test_a_post_that_broke_is_sent_again_under_the_same_key(api: FakeApi) -> None:
    api.replies = [Reply(hang_up=True), Reply(body={"id": "ord_1"})]
    assert Client(api.url).post("/orders", {}) == {"id": "ord_1"}
    first, second = (asked.headers["Idempotency-Key"] for asked in api.asked)
    assert first == second
    assert re.fullmatch(r"[0-9a-f-]{36}", first)


def test_two_posts_have_two_keys(api: FakeApi) -> None:
    api.replies = [Reply(body={}), Reply(body={})]
    client = Client(api.url)
    client.post("/orders")
    client.post("/orders")
    assert len({asked.headers["Idempotency-Key"] for asked in api.asked}) == 2


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_what_would_report_its_own_success_as_a_failure_is_not_sent_again(
    method: str, api: FakeApi
) -> None:
    api.replies = [Reply(hang_up=True)]
    with pytest.raises(Failure, match="does not answer"):
        Client(api.url).request(method, "/orders/1")
    assert len(api.asked) == 1


def test_a_busy_platform_is_asked_again(api: FakeApi) -> None:
    api.replies = [Reply(503, {}, headers={"Retry-After": "0"}), Reply(body={"ok": True})]
    assert Client(api.url).get("/orders") == {"ok": True}


def test_pages_are_followed_to_the_end(api: FakeApi) -> None:
    api.replies = [
        Reply(body={"items": [1, 2], "next": "c1"}),
        Reply(body={"items": [3], "next": None}),
    ]
    assert list(Client(api.url).items("/orders", state="draft")) == [1, 2, 3]
    assert api.asked[0].query == {"state": ["draft"], "limit": ["200"]}
    assert api.asked[1].query == {"state": ["draft"], "cursor": ["c1"], "limit": ["200"]}


def test_no_more_pages_are_read_than_wanted(api: FakeApi) -> None:
    api.replies = [
        Reply(body={"items": [1, 2], "next": "c1"}),
        Reply(body={"items": [3, 4], "next": "c2"}),
    ]
    assert list(Client(api.url).items("/orders", limit=3)) == [1, 2, 3]
    assert api.asked[1].query["limit"] == ["1"]


def test_a_redirect_is_not_followed(api: FakeApi) -> None:
    """The token is for this address and no other."""
    api.reply(None, 302, kind="text/html", headers={"Location": "http://127.0.0.1:9/"})
    with pytest.raises(Failure, match="is the address right"):
        Client(api.url, "secret").get("/orders")


@pytest.mark.parametrize("reply", [
    Reply(200, {"a": 1}, kind="text/html"),
    Reply(502, None, kind="text/html"),
])  # fmt: skip
def test_something_else_than_borough_is_recognised(api: FakeApi, reply: Reply) -> None:
    api.answer = lambda _asked: reply
    with pytest.raises(Failure, match="not Borough's"):
        Client(api.url).get("/orders")


def test_nobody_there() -> None:
    with pytest.raises(Failure, match=r"http://127\.0\.0\.1:1 does not answer: .*refused"):
        Client("http://127.0.0.1:1").get("/orders")


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (400, "bad_request", 2), (401, "unauthenticated", 4), (403, "forbidden", 4),
        (404, "not_found", 3), (409, "conflict", 5), (409, "quota_exceeded", 5),
        (409, "needs_approval", 7), (412, "precondition_failed", 5), (422, "invalid", 2),
        (428, "precondition_required", 1), (500, "internal", 1),
    ],
)  # fmt: skip
def test_each_problem_has_its_exit_code(
    status: int, code: str, exit_code: int, api: FakeApi
) -> None:
    api.problem(status, code, "no")
    with pytest.raises(ApiProblem) as caught:
        Client(api.url).get("/orders")
    assert caught.value.exit_code == exit_code


def test_every_wrong_field_is_named(api: FakeApi) -> None:
    errors = [
        {"field": "inputs.servers", "message": "must be at least 1", "code": "minimum"},
        {"field": "plan", "message": "is required", "code": "required"},
    ]
    api.problem(422, "invalid", "2 wrong", errors=errors, details={"limit": {"level": "/city/"}})
    with pytest.raises(ApiProblem) as caught:
        Client(api.url).get("/orders")
    assert caught.value.message == (
        "2 fields are wrong:\n"
        "  inputs.servers: must be at least 1\n"
        "  plan: is required\n"
        "  limit:\n"
        "    level: /city/"
    )


def test_a_defect_names_its_request(api: FakeApi) -> None:
    api.problem(500, "internal", "the platform failed", request_id="req-7")
    with pytest.raises(ApiProblem, match="request req-7"):
        Client(api.url).get("/orders")
