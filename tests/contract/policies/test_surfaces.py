"""Policies, packs and waivers over HTTP and as pages."""

import base64
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import render_template_string
from flask.testing import FlaskClient

from control_plane.entrypoints.app import Parts, create_app
from control_plane.provisioning import content
from control_plane.settings import Settings
from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Unauthenticated
from foundation.kernel.secretbox import SecretBox
from foundation.surface import auth
from foundation.surface.runtime import Runtime
from tests.contract.policies.conftest import pack, waive
from tests.contract.provisioning.conftest import BUNDLED, PLATFORM, World, person

PEOPLE = {
    "admin": PLATFORM,
    "member": person("member", "/city/health/"),
    "neighbour": person("member", "/city/water/"),
}
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


@pytest.fixture
def client(strict: World) -> FlaskClient:
    parts = Parts(
        Runtime(strict.database, strict.clock, SecretBox([b"k" * 32])), _Names(),
        (strict.policies, strict.service, strict.tenancies, strict.operations),
    )  # fmt: skip
    app = create_app(parts, Settings(), features=("control_plane.provisioning.policies.api",))
    return app.test_client()


@pytest.fixture
def call(client: FlaskClient) -> Call:
    def send(who: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = client.open(
            f"/api/v1{path}", method=method, json=body, headers={"Authorization": f"Bearer {who}"}
        )
        return answer.status_code, answer.get_json(force=True)

    return send


def page(client: FlaskClient, who: str, path: str, language: str = "en") -> tuple[int, str]:
    client.set_cookie("borough_session", who)
    answer = client.get(path, headers={"Accept-Language": language})
    return answer.status_code, answer.get_data(as_text=True)


def send(client: FlaskClient, path: str, **fields: str) -> tuple[int, str, str]:
    client.set_cookie("borough_session", "admin")
    answer = client.post(path, data={"csrf_token": "t", **fields})
    return answer.status_code, answer.get_data(as_text=True), answer.headers.get("Location", "")


# The API ----------------------------------------------------------------------------------------


def test_policies_and_packs(call: Call) -> None:
    status, found = call("member", "GET", "/policies/backups.declared")
    assert status == 200
    assert [(p["pack"], p["severity"]) for p in found["packs"]] == [
        ("backups-for-all", "waivable"), ("sensitive-data", "waivable"),
    ]  # fmt: skip
    assert found["settings"]["properties"]["tag"]["default"] == "borough.backup"
    assert call("member", "GET", "/policies/x.y")[0] == 404
    _, every = call("member", "GET", "/policy-packs")
    assert [p["name"] for p in every["items"]] == [
        "backups-for-all", "city", "safety", "sensitive-data",
    ]  # fmt: skip
    status, made = call("admin", "POST", "/policy-packs", {"pack": pack(2, rules=[])})
    assert (status, made["version"]) == (201, 2)
    assert call("member", "GET", "/policy-packs/backups-for-all?version=1")[1]["version"] == 1
    assert call("member", "GET", "/policy-packs/backups-for-all?version=9")[0] == 404
    _, versions = call("member", "GET", "/policy-packs/backups-for-all/versions")
    assert [v["version"] for v in versions["items"]] == [2, 1]
    assert call("admin", "POST", "/policy-packs/city/disable")[1]["enabled"] is False
    assert call("admin", "POST", "/policy-packs/city/enable")[1]["enabled"] is True
    assert call("admin", "POST", "/policy-packs/safety/disable")[0] == 409
    assert call("member", "POST", "/policy-packs/city/disable")[0] == 403
    status, wrong = call("admin", "POST", "/policy-packs", {"pack": {"name": 1, "colour": "red"}})
    assert status == 422
    assert {"pack.name", "pack.colour", "pack.title"} <= {e["field"] for e in wrong["errors"]}


def test_waivers(strict: World, call: Call) -> None:
    body = {
        "policy": "backups.declared",
        "tenancy": "health-test",
        "owner": "owner",
        "reason": "until the move",
        "ends_at": "2027-01-01T00:00:00+08:00",
    }
    body["ends_at"] = (strict.clock.now() + timedelta(days=9)).isoformat()
    status, made = call("admin", "POST", "/waivers", body)
    assert status == 201, made
    assert (made["state"], made["kind"], made["subject"]) == (
        "active", "tenancy", strict.health.id,
    )  # fmt: skip
    assert call("member", "POST", "/waivers", body)[0] == 403
    assert call("neighbour", "POST", "/waivers", body)[0] in {403, 404}
    assert call("member", "GET", f"/waivers/{made['id']}")[1] == made
    assert call("neighbour", "GET", f"/waivers/{made['id']}")[0] == 404
    assert call("member", "GET", "/waivers?state=active")[1]["items"] == [made]
    assert call("neighbour", "GET", "/waivers")[1]["items"] == []
    assert call("admin", "POST", f"/waivers/{made['id']}/revoke", {"reason": ""})[0] == 422
    _, ended = call("admin", "POST", f"/waivers/{made['id']}/revoke", {"reason": "over"})
    assert (ended["state"], ended["revoked_because"]) == ("revoked", "over")
    assert call("member", "GET", "/waivers?state=active")[1]["items"] == []
    status, wrong = call("admin", "POST", "/waivers", {**body, "reason": " ", "owner": "nobody"})
    assert status == 422
    assert {e["field"] for e in wrong["errors"]} == {"reason", "owner"}


def test_a_blueprint_is_tried(call: Call) -> None:
    files = {
        name: base64.b64encode(data).decode()
        for name, data in content.read_folder(BUNDLED[1]).items()
    }
    body = {"files": files, "data_classes": ["internal"]}
    status, found = call("member", "POST", "/policy-tests", body)
    assert status == 200, found
    assert found["blocked"] is True
    blocking = [f for t in found["tries"] for f in t["findings"] if f["severity"] == "waivable"]
    assert {f["policy"] for f in blocking} == {"backups.declared"}
    assert all(f["waiver"] is None for f in blocking)


# Pages ------------------------------------------------------------------------------------------


def test_the_page_of_policies(client: FlaskClient) -> None:
    status, text = page(client, "admin", "/policies")
    assert status == 200
    for said in ("Open ports", "22 SSH", "Backups for all", "as it came with the platform",
                 "Switch this pack off", "200000"):  # fmt: skip
        assert said in text
    _, chinese = page(client, "member", "/policies", "zh")
    for said in ("开放端口", "全面备份", "可豁免", "强制"):
        assert said in chinese
    assert "停用此策略包" not in chinese
    assert send(client, "/policies/packs/city/switch", enabled="0")[0] == 303
    assert "Switch it on" in page(client, "admin", "/policies")[1]
    client.set_cookie("borough_session", "member")
    assert client.post("/policies/packs/city/switch", data={"csrf_token": "t"}).status_code == 403


def test_a_waiver_is_granted_from_a_page_after_a_second_look(
    strict: World, client: FlaskClient
) -> None:
    address = f"/waivers/new?policy=backups.declared&kind=tenancy&subject={strict.health.id}"
    status, form = page(client, "admin", address)
    assert status == 200
    assert strict.health.id in form
    assert "network.guarded_port" not in form  # it is mandatory
    wish = {
        "policy": "backups.declared", "kind": "tenancy", "subject": strict.health.id,
        "resource": "", "owner": "owner", "reason": "until <the> move",
        "ends_on": (strict.clock.now() + timedelta(days=9)).date().isoformat(),
    }  # fmt: skip
    status, asked, _ = send(client, "/waivers/new", **wish)
    assert status == 200
    assert "Is this what may pass?" in asked
    assert "until &lt;the&gt; move" in asked
    assert page(client, "admin", "/waivers")[1].count("backups") == 0
    status, _, there = send(client, "/waivers/new", **wish, confirmed="yes")
    assert status == 303
    shown = page(client, "member", there)[1]
    assert "until &lt;the&gt; move" in shown
    assert "The waiver holds from now on." in shown
    assert "End the waiver" not in shown
    waiver = re.findall(r"wai_\w{26}", there)[0]
    listed = page(client, "member", "/waivers")[1]
    assert waiver in listed
    assert "soon" in listed
    assert waiver not in page(client, "neighbour", "/waivers")[1]
    assert page(client, "neighbour", f"/waivers/{waiver}")[0] == 404
    status, again, _ = send(client, f"/waivers/{waiver}/revoke", reason="")
    assert status == 422
    assert "Why it ends before its day" in again
    assert send(client, f"/waivers/{waiver}/revoke", reason="over")[0] == 303
    assert "已撤销" in page(client, "member", f"/waivers/{waiver}", "zh")[1]
    assert waiver in page(client, "member", "/waivers?state=revoked")[1]


def test_what_is_wrong_is_said_beside_the_field(strict: World, client: FlaskClient) -> None:
    wish = {
        "policy": "backups.declared", "kind": "tenancy", "subject": strict.health.id,
        "owner": "owner", "reason": "x", "confirmed": "yes",
        "ends_on": (strict.clock.now() + timedelta(days=9)).date().isoformat(),
    }  # fmt: skip
    for field, value, said in (
        ("ends_on", "soon", "Must be a day"),
        ("subject", "none", "Is not known"),
        ("kind", "moon", "Must be one of a deployment"),
        ("owner", "nobody", "Is nobody that the platform knows"),
        ("ends_on", "2020-01-01", "Must be in the future"),
        ("policy", "tags.deployment", "Is mandatory"),
    ):
        status, text, _ = send(client, "/waivers/new", **{**wish, field: value})
        assert status == 422
        assert said in text


def test_findings_are_shown_with_their_waiver(strict: World, client: FlaskClient) -> None:
    granted = waive(strict)
    plan = strict.plan()
    template = (
        '{% from "policies/parts.html" import finding_list with context %}'
        '{{ finding_list(findings, "/waivers/new?kind=tenancy") }}'
    )

    def drawn(who: str, findings: Any) -> str:
        headers = {"Cookie": f"borough_session={who}"}
        with client.application.test_request_context("/", headers=headers):
            client.application.preprocess_request()
            return render_template_string(template, findings=findings)

    for findings in (plan.findings, plan.document()["findings"]):
        text = drawn("member", findings)
        assert f"/waivers/{granted.id}" in text
        assert granted.reason in text
        assert "Owner answers for it:" in text
    strict.policies.revoke(PLATFORM, granted.id, "over")
    plan = strict.again(plan)
    address = "/waivers/new?kind=tenancy&amp;policy=backups.declared&amp;resource=data"
    for findings in (plan.findings, plan.document()["findings"]):
        assert address in drawn("admin", findings)
        assert address not in drawn("member", findings)
