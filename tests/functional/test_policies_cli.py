"""``borough policy`` against the running product: packs, trying a blueprint, waivers."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.functional.conftest import Product

WEB = str(Path(__file__).parents[2] / "blueprints" / "web-application")
#: Only for a part of the city that no other test orders in.
PACK = {
    "name": "cli-pack",
    "version": 1,
    "title": {"en": "By hand", "zh": "手工"},
    "description": {"en": "For the test.", "zh": "测试用。"},
    "scope": {"paths": ["/city/statistics/"], "data_classes": ["public"]},
    "policies": {
        "backups.declared": {"severity": "waivable", "settings": {"data_classes": ["public"]}}
    },
}


@pytest.fixture
def pack(tmp_path: Path) -> str:
    file = tmp_path / "pack.json"
    file.write_text(json.dumps(PACK))
    return str(file)


def test_policies_and_packs(product: Product, pack: str) -> None:
    listed = product.cli("health.requester", "policy", "list")
    assert listed.status == 0, listed.err
    assert "network.guarded_port" in listed.out
    shown = product.cli("health.requester", "policy", "show", "network.guarded_port")
    assert "mandatory" in shown.out
    assert "22 SSH" in shown.out
    assert product.cli("admin", "policy", "show", "x.y").status == 3
    assert product.cli("health.requester", "policy", "publish", pack).status == 4
    made = product.cli("admin", "policy", "publish", pack, "-o", "json")
    assert made.status == 0, made.err
    assert made.json["enabled"] is True
    assert product.cli("admin", "policy", "publish", pack).status == 0
    off = product.cli("admin", "policy", "disable", "cli-pack", "--yes", "-o", "json")
    assert off.json["enabled"] is False
    on = product.cli("admin", "policy", "enable", "cli-pack", "-o", "json")
    assert on.json["enabled"] is True
    assert product.cli("admin", "policy", "disable", "safety", "--yes").status == 5
    versions = product.cli("admin", "policy", "packs", "cli-pack", "-o", "json").json
    assert [v["version"] for v in versions] == [1]


def test_every_wrong_field_of_a_pack_is_said(product: Product) -> None:
    wrong = {**PACK, "name": "Wrong", "policies": {"x.y": {"severity": "hard"}}}
    ran = product.cli("admin", "policy", "publish", "-", stdin=json.dumps(wrong))
    assert ran.status == 2
    for field in ("pack.name", "pack.policies.x.y.severity"):
        assert field in ran.err


def test_a_folder_is_tried_on_the_server(product: Product, tmp_path: Path) -> None:
    fine = product.cli("health.requester", "policy", "test", WEB)
    assert fine.status == 0, fine.err
    assert "Nothing forbids it." in fine.out
    inputs = tmp_path / "inputs.yaml"
    inputs.write_text("{platform: openstack, servers: 1, size: s, exposure: internet}")
    refused = product.cli(
        "health.requester", "policy", "test", WEB, "--inputs", str(inputs), "--data-class",
        "sensitive",
    )  # fmt: skip
    assert refused.status == 1
    assert "mandatory  residency.blueprint" in refused.out
    assert "waivable   encryption.volumes  data:" in refused.out
    assert "It would be refused." in refused.out
    unknown = product.cli("health.requester", "policy", "test", WEB, "--data-class", "secret")
    assert unknown.status == 2


def test_a_waiver_is_granted_listed_and_revoked(product: Product) -> None:
    day = (datetime.now(UTC) + timedelta(days=20)).date().isoformat()  # noqa: TID251 - real time
    wish = (
        "policy", "waive", "budget.price", "--tenancy", "health-production", "--owner",
        "health.requester", "--reason", "one more season", "--until", day, "--yes", "-o", "json",
    )  # fmt: skip
    assert product.cli("operator", *wish).status == 4
    made = product.cli("admin", *wish)
    assert made.status == 0, made.err
    assert made.json["owner_name"]
    assert made.json["state"] == "active"
    seen = product.cli("health.requester", "policy", "waivers", "-o", "json").json
    assert made.json["id"] in [w["id"] for w in seen]
    ended = product.cli(
        "admin", "policy", "revoke", made.json["id"], "--reason", "over", "--yes", "-o", "json"
    )
    assert ended.json["state"] == "revoked"
    left = product.cli("admin", "policy", "waivers", "-o", "json").json
    assert made.json["id"] not in [w["id"] for w in left]
    every = product.cli("admin", "policy", "waivers", "--state", "revoked", "-o", "json").json
    assert made.json["id"] in [w["id"] for w in every]
    wrong = product.cli("admin", *[*wish[:3], "--path", "/city/health/", *wish[3:]])
    assert wrong.status == 2
    assert "must be one of a deployment, a tenancy and a path" in wrong.err
