"""Metering over HTTP and by the command line."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from control_plane.metering.model import Aggregation, Meter, ResourceRef
from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.database import Database
from foundation.kernel.text import Text
from foundation.kernel.time import Interval
from tests.conftest import SettableClock
from tests.fakes.money import ADMIN, HEALTH, NOVEMBER, OCTOBER, PUSHER, City, event

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


def outcomes(answer: Any) -> list[str]:
    document = answer.get_json()
    return [item["outcome"] for item in document.get("details", document)["items"]]


def test_one_event_and_a_batch(api: Any) -> None:
    one = api.push("meter", event(1, 2), STRUCTURED)
    assert (one.status_code, outcomes(one)) == (200, ["accepted"])
    two = api.push("meter", [event(1, 2), event(2, 3)], f"{BATCH}; charset=utf-8")
    assert (two.status_code, outcomes(two)) == (200, ["duplicate", "accepted"])
    (used,) = api("meter", "GET", "/usage?period=2026-10").get_json()["items"]
    assert used["quantity"] == "5"
    records = api("meter", "GET", "/usage-records?period=2026-10&limit=3").get_json()
    more = api("meter", "GET", f"/usage-records?period=2026-10&cursor={records['next']}").get_json()
    hours = [(r["hour"], r["event_id"]) for r in records["items"] + more["items"]]
    assert len(hours) == 5
    assert hours == sorted(hours)
    assert more["next"] is None


def test_a_conflict_tells_of_each_event_and_takes_in_the_others(api: Any) -> None:
    api.push("meter", [event(1, 2)])
    answer = api.push("meter", [event(1, 3), event(2, 1), event(3, 1, meter="none")])
    assert answer.status_code == 409
    assert answer.content_type == "application/problem+json"
    assert outcomes(answer) == ["conflict", "accepted", "quarantined"]
    first, _, third = answer.get_json()["details"]["items"]
    assert (first["source"], first["id"]) == ("tests", "1")
    assert "another payload" in first["reasons"][0]
    assert third["reasons"] == ["data.meter: none is not a meter"]
    (used,) = api("meter", "GET", "/usage?period=2026-10").get_json()["items"]
    assert used["quantity"] == "3"


@pytest.mark.parametrize(
    ("body", "kind", "status", "detail"),
    [
        (b"[]", "application/json", 415, BATCH),
        (b"[]", "", 415, STRUCTURED),
        (b"{", STRUCTURED, 400, "not JSON"),
        (b'{"a": NaN}', STRUCTURED, 400, "NaN"),
        (b"\xff", STRUCTURED, 400, "UTF-8"),
        (b'["\\u0000"]', BATCH, 400, ""),
        (b"{}", BATCH, 422, "array"),
        (json.dumps([1] * 1001).encode(), BATCH, 422, "1000"),
    ],
)
def test_what_is_no_event_is_refused(
    api: Any, body: bytes, kind: str, status: int, detail: str
) -> None:
    answer = api("meter", "POST", "/usage-events", data=body, content_type=kind)
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    assert detail in answer.text
    assert api("admin", "GET", "/usage-quarantine").get_json()["items"] == []


def test_nobody_takes_the_place_of_a_collector(api: Any) -> None:
    squatted = {**event(1, 2), "source": "borough:collector:reg_1"}
    answer = api.push("meter", [squatted])
    assert outcomes(answer) == ["quarantined"]
    assert "platform's own" in answer.text
    (kept,) = api("admin", "GET", "/usage-quarantine").get_json()["items"]
    again = api("admin", "POST", f"/usage-quarantine/{kept['id']}/release")
    assert again.get_json()["outcome"] == "quarantined"


def pusher(name: str, path: str) -> Actor:
    return Actor(PrincipalId(f"svc_{name}"), name, ActorKind.SERVICE, (Grant("operator", path),))


def results(city: City, actor: Actor, *events: Any) -> list[str]:
    return [result.outcome.value for result in city.metering.ingest(actor, events)]


def test_nobody_takes_the_place_of_a_neighbours_event(city: City) -> None:
    """The same source and id of another tenancy is another event, and tells nothing of it."""
    health, water = pusher("health", HEALTH), pusher("water", "/city/water/")
    squatted = event(1, 1, resource="res_other")
    assert results(city, water, squatted) == ["accepted"]
    assert results(city, health, event(1, 2)) == ["accepted"]
    assert results(city, water, squatted) == ["duplicate"]
    assert results(city, health, event(1, 2)) == ["duplicate"]
    assert results(city, health, event(1, 3)) == ["conflict"]
    # Not 409: what may not be metered is unknown, whether or not there is such an event.
    assert results(city, water, event(1, 2), event(77, 2)) == ["conflict", "quarantined"]
    assert results(city, pusher("other", "/city/water/"), event(1, 2)) == ["quarantined"]
    used = city.metering.usage(PUSHER, Interval(OCTOBER, NOVEMBER))
    assert {u.tenancy_id: u.quantity for u in used} == {"ten_h": 2, "ten_w": 1}


def test_another_account_of_the_department_counts_nothing_again(city: City) -> None:
    assert results(city, pusher("old", HEALTH), event(1, 2)) == ["accepted"]
    assert results(city, pusher("new", HEALTH), event(1, 2), event(1, 3)) == [
        "duplicate", "conflict",
    ]  # fmt: skip
    assert results(city, pusher("wide", "/"), event(1, 2)) == ["duplicate"]


def test_a_senders_own_id_is_one_event_wherever_it_is_of(city: City) -> None:
    elsewhere = event(1, 2, resource="res_other")
    assert results(city, PUSHER, event(1, 2), elsewhere) == ["accepted", "conflict"]
    assert results(city, PUSHER, elsewhere) == ["conflict"]


def test_an_id_arrives_by_two_accounts_at_once_and_counts_once(database_url: str) -> None:
    database = Database(database_url, pool_size=8)
    city = City(database, SettableClock())
    gate = threading.Barrier(8)

    def push(number: int) -> list[str]:
        gate.wait()
        return results(city, pusher(str(number), HEALTH), event(1, 2), event(2, 1))

    with ThreadPoolExecutor(8) as pool:
        found = [one for many in pool.map(push, range(8)) for one in many]
    assert Counter(found) == {"accepted": 2, "duplicate": 14}
    database.close()


@pytest.mark.parametrize(
    "query",
    [
        "start=9999-12-31T00:00:00Z",
        "start=0001-01-01T00:00:00%2B14:00",
        "period=9999-12",
        "cursor=WyJ4IiwgIngiXQ",  # ["x", "x"]
        "cursor=WyJcdTAwMDAiLCJcdTAwMDAiXQ",  # ["\\u0000", "\\u0000"]
        "cursor=WyIyMDI2LTAxLTAxVDAwOjAwOjAwWiIsICI5OTk5OTk5OTk5OTk5OTk5OTk5OSJd",  # number > 2**63
    ],
)
def test_what_is_no_part_of_the_records_is_refused(api: Any, query: str) -> None:
    answer = api("meter", "GET", f"/usage-records?{query}")
    assert answer.status_code == 422, answer.text


def test_an_empty_batch_is_nothing(api: Any) -> None:
    answer = api.push("meter", [])
    assert (answer.status_code, answer.get_json()["items"]) == (200, [])


def test_every_wrong_member_is_named_and_the_event_kept(api: Any) -> None:
    bad = {"id": 7, "data": {"quantity": "much", "start": "soon"}, "extra": 2**70}
    answer = api.push("meter", [bad, "text", 7, None, event(2, 1)])
    assert answer.status_code == 200
    assert outcomes(answer) == ["quarantined"] * 4 + ["accepted"]
    named = {reason.split(":")[0] for reason in answer.get_json()["items"][0]["reasons"]}
    assert named == {
        "source", "id", "specversion", "type", "data.meter", "data.resource", "data.start",
        "data.end", "data.quantity",
    }  # fmt: skip
    kept = api("admin", "GET", "/usage-quarantine").get_json()["items"]
    assert bad in [item["payload"] for item in kept]


def test_large_numbers_in_an_event_do_no_harm(api: Any) -> None:
    strange = {**event(1, 1), "extension": 2**70, "other": 1e300}
    assert outcomes(api.push("meter", [strange])) == ["accepted"]
    assert outcomes(api.push("meter", [strange])) == ["duplicate"]
    assert outcomes(api.push("meter", [{**strange, "extension": 2**70 + 1}])) == ["conflict"]


def test_an_event_waits_and_is_released(api: Any, city: City) -> None:
    api.push("meter", [event(1, 4, resource="res_new")])
    (waiting,) = api("admin", "GET", "/usage-quarantine").get_json()["items"]
    assert waiting["reasons"] == ["data.resource: res_new is not a known resource"]
    assert waiting["pushed_by"] == "per_meter"
    assert waiting["payload"] == event(1, 4, resource="res_new")
    release = f"/usage-quarantine/{waiting['id']}/release"
    assert api("admin", "POST", release).get_json()["outcome"] == "quarantined"
    city.directory.known["res_new"] = ResourceRef("res_new", None, "ten_h", HEALTH, OCTOBER)
    assert api("health", "POST", release).status_code in {403, 404}
    assert api("admin", "POST", release).get_json()["outcome"] == "accepted"
    assert api("admin", "POST", release).status_code == 409
    assert api("admin", "POST", "/usage-quarantine/qua_none/release").status_code == 404
    assert api("admin", "GET", "/usage-quarantine").get_json()["items"] == []


def test_nothing_of_another_department_is_told(api: Any) -> None:
    api.push("meter", [event(1, 1)])
    for path in ("/usage?period=2026-10", "/usage-records?period=2026-10"):
        assert api("water", "GET", path).get_json()["items"] == []
        assert api("water", "GET", f"{path}&tenancy=ten_h").get_json()["items"] == []
        assert len(api("health", "GET", path).get_json()["items"]) == 1
    # A resource of others and one that is not there answer alike.
    stranger = api.push("meter", [event(2, 1, resource=name) for name in ("res_other", "res_no")])
    reasons = [item["reasons"] for item in stranger.get_json()["items"]]
    assert [r[0].replace("res_other", "res_no") for r in reasons] == [reasons[1][0]] * 2
    assert api("nobody", "GET", "/usage").status_code == 401


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("period=2026-13", {"period"}),
        ("period=October", {"period"}),
        ("period=2026-10&start=2026-10-01T00:00:00Z", {"period"}),
        ("end=2026-10-01T00:00:00Z", {"start"}),
        ("start=2026-01-01T00:00:00Z&end=2026-04-11T00:00:01Z", {"end"}),
        ("start=0001-01-01T00:00:00Z&end=9999-12-31T00:00:00Z", {"end"}),
        ("start=2026-10-02T00:00:00Z&end=2026-10-01T00:00:00Z", {"end"}),
        ("start=yesterday&end=tomorrow&limit=0", {"start", "end", "limit"}),
    ],
)
def test_a_wrong_window_names_its_fields(api: Any, query: str, fields: set[str]) -> None:
    answer = api(
        "meter", "GET", f"/usage?{query}" if "limit" not in query else f"/usage-records?{query}"
    )
    assert answer.status_code == 422, answer.text
    assert {error["field"] for error in answer.get_json()["errors"]} == fields


def test_sums_come_in_parts(api: Any, city: City) -> None:
    assert api("meter", "GET", "/usage?start=2026-01-01T00:00:00Z&end=2026-04-11T00:00:00Z")
    city.metering.define_meters(
        ADMIN, [Meter("calls", Text("Calls", "调用"), "1", Aggregation.SUM, ("kind",))]
    )
    sent = [event(n, 1, meter="calls", dimensions={"kind": f"k{n}"}) for n in range(7)]
    api.push("meter", [*sent, event("vm", 2), event("vm2", 3)])
    seen: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = api("meter", "GET", f"/usage?period=2026-10&limit=3{cursor}").get_json()
        assert len(page["items"]) <= 3
        seen += page["items"]
        cursor = f"&cursor={page['next']}" if page["next"] else None
    whole = api("meter", "GET", "/usage?period=2026-10").get_json()["items"]
    assert seen == whole
    assert [(u["meter"], u["quantity"]) for u in seen] == [
        *[("calls", "1")] * 7, ("server.instance_hours", "5"),
    ]  # fmt: skip
    assert api("meter", "GET", "/usage?cursor=WyJ4Il0").status_code == 422


def test_collection_is_an_operation(api: Any) -> None:
    answer = api("admin", "POST", "/usage-collections", json={"region": "reg_1"})
    assert answer.status_code == 202
    operation = answer.get_json()
    assert (operation["kind"], operation["subject"]) == ("metering.collect", "reg_1")
    assert answer.headers["Location"] == f"/api/v1/operations/{operation['id']}"
    assert api("admin", "POST", "/usage-collections", json={"region": "reg_2"}).status_code == 404
    assert api("admin", "POST", "/usage-collections", json={"regio": "x"}).status_code == 422
    assert api("health", "POST", "/usage-collections", json={"region": "reg_1"}).status_code in {
        403,
        404,
    }


def test_meters_are_told(api: Any) -> None:
    meters = api("health", "GET", "/meters").get_json()["items"]
    assert [m["name"] for m in meters] == ["disk.peak_gb", "server.instance_hours"]
    assert meters[0]["title"] == {"en": "Peak", "zh": "峰值"}


def test_the_command_line_pushes_and_lists(borough: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "usage.json"
    file.write_text(json.dumps([event(1, 2), event(2, 3, start=OCTOBER + timedelta(days=1))]))
    pushed = borough("meter", "usage", "push", str(file), "-o", "json")
    assert pushed.exit_code == 0, pushed.output
    assert [item["outcome"] for item in json.loads(pushed.stdout)] == ["accepted"] * 2
    assert borough("meter", "usage", "push", str(file)).exit_code == 0
    file.write_text(json.dumps(event(1, 7)))
    assert borough("meter", "usage", "push", str(file)).exit_code == 5
    file.write_text(json.dumps(event(3, 7, meter="none")))
    refused = borough("meter", "usage", "push", str(file))
    assert refused.exit_code == 1
    assert "none is not a meter" in refused.output
    listed = borough("health", "usage", "list", "--period", "2026-10", "-o", "json")
    assert [item["quantity"] for item in json.loads(listed.stdout)] == ["5"]
    hours = borough("health", "usage", "list", "--period", "2026-10", "--hours", "-o", "json")
    assert len(json.loads(hours.stdout)) == 5
    assert borough("nobody", "usage", "list").exit_code == 4
    assert borough("health", "usage", "list", "--period", "x").exit_code == 2
    assert borough("admin", "usage", "collect", "reg_2", "--no-wait").exit_code == 3
