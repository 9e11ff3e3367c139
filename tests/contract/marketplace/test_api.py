"""The marketplace and tenancy through HTTP: forms of requests and answers, and what is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from apiflask import APIFlask

from control_plane.tenancy.api import api as tenancy_api
from foundation import products
from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Unauthenticated
from foundation.kernel.secretbox import SecretBox
from foundation.surface import auth, registry
from foundation.surface.api import headers, limits, openapi, problems
from foundation.surface.runtime import Runtime
from marketplace.api import apis
from tests.contract.marketplace.conftest import (
    BEGIN,
    COLLEAGUE,
    END,
    FINANCE,
    MEMBER,
    NEIGHBOUR,
    PLATFORM,
    World,
)
from tests.contract.marketplace.test_orders import MONTH

PEOPLE = {actor.name: actor for actor in (COLLEAGUE, FINANCE, MEMBER, NEIGHBOUR, PLATFORM)}
TEXT = {"en": "Text", "zh": "文本"}
Call = Callable[..., tuple[int, Any, Any]]


class _Names:
    """Tokens are names."""

    def by_token(self, secret: str) -> auth.Identity:
        if secret not in PEOPLE:
            raise Unauthenticated("the token is not valid")
        return auth.Identity(PEOPLE[secret], token_id="tok")

    def by_session(self, _secret: str) -> None:
        return None

    def may_somewhere(self, actor: Actor, action: str) -> bool:
        return policy.may_somewhere(actor, action)


@pytest.fixture
def call(world: World) -> Call:
    app = APIFlask("t", title="T", version="1", spec_path=openapi.SPEC_PATH, docs_path=None)
    registry.provide(app, Runtime(world.database, world.clock, SecretBox([b"k" * 32])))
    registry.provide(app, world.market, world.operations, world.tenancies)
    problems.install(app)
    headers.install(app)
    auth.install(app, _Names(), products.declared_by("control_plane"))
    limits.install(app, limits.Limits(limits.Rate(50, 1000), limits.Rate(1, 100)))
    openapi.configure(app)
    for blueprint in (*apis, tenancy_api):
        app.register_blueprint(blueprint)

    def request(
        who: Actor, method: str, path: str, body: Any = None, **sent: str
    ) -> tuple[int, Any, Any]:
        named = {name.replace("_", "-"): value for name, value in sent.items()}
        answer = app.test_client().open(
            f"/api/v1{path}",
            method=method,
            json=body,
            headers={"Authorization": f"Bearer {who.name}", **named},
        )
        return answer.status_code, answer.get_json(silent=True), answer.headers

    return request


def wish(world: World, **changed: Any) -> dict[str, Any]:
    return {
        "offering": "web-application", "plan": "m", "tenancy": world.health.slug,
        "region": "east", "name": "appointments", "justification": "The season begins.",
    } | changed  # fmt: skip


def test_the_whole_way(world: World, call: Call) -> None:
    status, quote, _ = call(MEMBER, "POST", "/orders/quote", wish(world))
    assert (status, quote["price"]["month"]) == (200, {"amount": str(MONTH), "currency": "CNY"})
    assert quote["quota"][0]["resource"] == "instances"

    status, order, head = call(MEMBER, "POST", "/orders", wish(world), Idempotency_Key="k1")
    assert (status, order["state"], order["digest"]) == (201, "draft", None)
    assert head["Location"] == f"/api/v1/orders/{order['id']}"
    again = call(MEMBER, "POST", "/orders", wish(world), Idempotency_Key="k1")
    assert again[1]["id"] == order["id"]
    here = f"/orders/{order['id']}"

    status, operation, head = call(MEMBER, "POST", f"{here}/submit")
    assert (status, operation["kind"]) == (202, "order.plan")
    assert head["Location"] == f"/api/v1/operations/{operation['id']}"
    world.run(world.operations.get(PLATFORM, operation["id"]))

    status, review, _ = call(FINANCE, "GET", f"/approvals/{order['id']}")
    assert (status, review["may_decide"]) == (200, True)
    assert [change["op"] for change in review["changes"]] == ["create"] * 3
    status, page, _ = call(FINANCE, "GET", "/approvals?mine=true")
    assert [one["order"]["id"] for one in page["items"]] == [order["id"]]

    body = {"digest": review["digest"]}
    status, approved, _ = call(FINANCE, "POST", f"/approvals/{order['id']}/approve", body)
    assert (status, approved["state"]) == (200, "approved")
    world.run(world.operations.get(PLATFORM, approved["operation_id"]))

    status, done, _ = call(MEMBER, "GET", here)
    assert (status, done["state"]) == (200, "active")
    status, service, _ = call(MEMBER, "GET", f"/services/{done['service']}")
    assert (status, service["state"], len(service["resources"])) == (200, "active", 3)
    assert service["outputs"] == {"url": "https://appointments.east.example"}
    status, history, _ = call(MEMBER, "GET", f"{here}/history")
    assert [one["after"] for one in history["items"]][-1] == "active"
    status, ledger, _ = call(FINANCE, "GET", "/contracts/CT-HEALTH/ledger")
    assert [entry["entry"] for entry in ledger["items"]] == ["commit", "encumber"]
    status, plan, _ = call(MEMBER, "GET", f"{here}/plan")
    assert plan["digest"] == review["digest"]


def test_a_draft_is_changed_in_the_version_that_was_seen(world: World, call: Call) -> None:
    _, order, head = call(MEMBER, "POST", "/orders", wish(world))
    here, tag = f"/orders/{order['id']}", head["ETag"]
    assert call(MEMBER, "PUT", here, wish(world, name="other"))[0] == 428
    status, changed, _ = call(MEMBER, "PUT", here, wish(world, name="other"), If_Match=tag)
    assert (status, changed["name"]) == (200, "other")
    assert call(MEMBER, "PUT", here, wish(world), If_Match=tag)[0] == 412


def test_every_wrong_field_is_named(world: World, call: Call) -> None:
    status, problem, _ = call(
        MEMBER, "POST", "/orders/quote", wish(world, name="No", inputs={"servers": "two"})
    )
    assert status == 422
    assert {error["field"] for error in problem["errors"]} == {"name", "inputs.servers"}
    status, problem, _ = call(MEMBER, "POST", "/orders", {"kind": "steal", "colour": 1})
    assert status == 422
    assert {error["field"] for error in problem["errors"]} == {"kind", "colour"}


def test_another_department_gets_404(world: World, call: Call) -> None:
    order = world.planned()
    for path in (
        f"/orders/{order.id}", f"/orders/{order.id}/plan", f"/orders/{order.id}/history",
        f"/approvals/{order.id}", "/contracts/CT-HEALTH", "/contracts/CT-HEALTH/ledger",
        f"/tenancies/{world.health.id}", f"/tenancies/{world.health.id}/quota",
    ):  # fmt: skip
        assert call(NEIGHBOUR, "GET", path)[0] == 404, path
    assert call(NEIGHBOUR, "GET", "/orders")[1] == {"items": [], "next": None}


def test_another_digest_shows_the_difference(world: World, call: Call) -> None:
    order = world.approved()
    world.price("server.instance_hours", "2", flavor="m")
    with pytest.raises(Exception, match="not what would happen"):
        world.fulfil(order)
    status, problem, _ = call(
        FINANCE, "POST", f"/approvals/{order.id}/approve", {"digest": order.digest}
    )
    assert (status, problem["code"]) == (409, "needs_approval")
    assert {d["kind"] for d in problem["details"]["difference"]} == {"price"}
    _, shown, _ = call(MEMBER, "GET", f"/orders/{order.id}")
    assert shown["difference"] == problem["details"]["difference"]


def test_the_catalogue(world: World, call: Call) -> None:
    del world
    _, found, _ = call(NEIGHBOUR, "GET", "/offerings?words=web&availability=orderable")
    assert [one["slug"] for one in found["items"]] == ["web-application"]
    assert call(NEIGHBOUR, "GET", "/offerings?words=nothing")[1] == {"items": []}
    _, one, _ = call(NEIGHBOUR, "GET", "/offerings/web-application")
    assert set(one["inputs_schema"]["properties"]) == {"servers", "size", "volume_gb"}
    assert one["plans"][0]["fixed"] == ["size", "volume_gb"]
    _, prices, _ = call(MEMBER, "GET", "/offerings/web-application/prices?path=/city/health/")
    assert prices["plans"]["m"]["month"]["amount"] == str(MONTH)


def test_administrators_enter_the_catalogue(world: World, call: Call) -> None:
    shelf = {"name": TEXT, "description": TEXT, "position": 3}
    assert call(PLATFORM, "PUT", "/categories/iot", shelf)[0] == 200
    assert call(MEMBER, "PUT", "/categories/iot", shelf)[0] == 403
    plan = {"slug": "s", "name": TEXT, "description": TEXT, "components": []}
    body = {
        "category": "iot", "name": TEXT, "description": TEXT, "icon": "x",
        "data_classes": ["public"], "service_level": TEXT, "support": "a@b.example",
        "maturity": "preview", "availability": "planned", "availability_note": TEXT,
        "plans": [plan],
    }  # fmt: skip
    status, made, _ = call(PLATFORM, "PUT", "/offerings/sensors", body)
    assert (status, made["orderable"]) == (200, False)
    status, problem, _ = call(
        PLATFORM, "PUT", "/offerings/sensors", {**body, "category": "none", "plans": [plan, plan]}
    )
    assert {error["field"] for error in problem["errors"]} == {"category", "plans"}
    assert world.market.offering(MEMBER, "sensors").category == "iot"
    step = {"slug": "f", "name": TEXT, "role": "finance", "organisation": "/city/"}
    body = {"version": 2, "name": TEXT, "steps": [step]}
    assert call(PLATFORM, "PUT", "/approval-policy", body)[1]["version"] == 2


def test_contracts_are_signed_and_amended(world: World, call: Call) -> None:
    term = {"start": BEGIN.isoformat(), "end": END.isoformat()}
    body = {
        "number": "CT-WATER", "framework": "FW-1", "organisation": "/city/water/", "name": TEXT,
        "term": term, "ceiling": {"amount": "1000", "currency": "CNY"}, "service_level": TEXT,
    }  # fmt: skip
    status, made, head = call(FINANCE, "POST", "/contracts", body)
    assert (status, made["in_force"], made["version"]) == (201, True, 1)
    terms = {name: body[name] for name in ("name", "term", "ceiling", "service_level")}
    amended = {**terms, "ceiling": {"amount": "2000", "currency": "CNY"}, "reason": "More."}
    here = f"/contracts/{made['id']}"
    assert call(FINANCE, "PUT", here, amended)[0] == 428
    status, changed, _ = call(FINANCE, "PUT", here, amended, If_Match=head["ETag"])
    assert (status, changed["version"], len(changed["versions"])) == (200, 2, 2)
    assert changed["balance"]["remaining"]["amount"] == "2000"
    assert call(MEMBER, "POST", "/contracts", {**body, "number": "X"})[0] == 403
    del world


def test_organisations_and_quotas(world: World, call: Call) -> None:
    _, page, _ = call(MEMBER, "GET", "/organisations")
    assert [one["path"] for one in page["items"]] == ["/city/health/"]
    health = page["items"][0]["id"]
    limits_ = {"limits": {"vcpus": "8", "ram_gb": None}}
    status, shown, _ = call(PLATFORM, "PATCH", f"/organisations/{health}/quota", limits_)
    rows = {row["resource"]: row for row in shown["levels"][-1]["quotas"]}
    assert (status, rows["vcpus"]["limit"], rows["vcpus"]["free"]) == (200, "8", "8")
    assert rows["ram_gb"]["limit"] is None
    assert call(MEMBER, "PATCH", f"/organisations/{health}/quota", limits_)[0] == 403
    wrong = {"limits": {"vcpus": "-1", "gold": "1"}}
    status, problem, _ = call(PLATFORM, "PATCH", f"/organisations/{health}/quota", wrong)
    assert {error["field"] for error in problem["errors"]} == {"limits.vcpus", "limits.gold"}
    office = {"parent": "/city/health/", "slug": "clinics", "name": TEXT, "kind": "office"}
    assert call(PLATFORM, "POST", "/organisations", office)[0] == 201
    room = {"organisation": "/city/health/clinics/", "slug": "room", "name": TEXT}
    status, made, _ = call(PLATFORM, "POST", "/tenancies", room)
    assert (status, made["data_class"], made["state"]) == (201, "internal", "active")
    assert call(PLATFORM, "POST", "/tenancies/room/close")[1]["state"] == "closed"
    del world
