"""``borough region``, ``blueprint`` and ``deployment`` against the running product."""

import json
from pathlib import Path

import pytest
import yaml

from tests.functional.conftest import Product

BLUEPRINTS = Path(__file__).parents[2] / "blueprints"


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """A newer version of the bundled web application, as somebody would write it."""
    folder = tmp_path / "web"
    folder.mkdir()
    for path in (BLUEPRINTS / "web-application").iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    document = yaml.safe_load((folder / "blueprint.yaml").read_text())
    document["version"] = "7.0.0"
    (folder / "blueprint.yaml").write_text(yaml.safe_dump(document, allow_unicode=True))
    return folder


def test_regions_are_listed_shown_and_added(product: Product, tmp_path: Path) -> None:
    listed = product.cli("health.requester", "region", "list")
    assert listed.status == 0, listed.err
    assert "embedded (simulated)" in listed.out
    shown = product.cli("admin", "region", "show", "east", "-o", "json").json
    assert shown["simulated"] is True
    checked = product.cli("admin", "region", "show", "east", "--check")
    assert checked.status == 0
    file = tmp_path / "region.yaml"
    region = {
        "slug": "cli-region",
        "title": {"en": "By hand", "zh": "手工添加"},
        "kinds": ["openstack"],
        "engine": "pulumi",
        "config": {"openstack": {"auth_url": "http://127.0.0.1:9/v3"}},
        "credentials": {"openstack": {"user_name": "a", "password": "b", "project_name": "c"}},
        "capacity": {"vcpus": 8},
    }
    file.write_text(json.dumps(region))
    added = product.cli("admin", "region", "add", str(file), "-o", "json")
    assert added.status == 0, added.err
    assert added.json["has_credentials"] == ["openstack"]
    assert "password" not in added.out
    refused = product.cli("operator", "region", "add", str(file))
    assert refused.status == 4, refused.err
    unreachable = product.cli("admin", "region", "show", "cli-region", "--check")
    assert unreachable.status == 1
    assert "does not answer" in unreachable.out


def test_every_wrong_field_of_a_region_is_said(product: Product) -> None:
    wrong = {"slug": "x", "title": {"en": "X", "zh": "X"}, "kinds": ["moon"], "engine": "steam",
             "capacity": {"cheese": "1"}}  # fmt: skip
    ran = product.cli("admin", "region", "add", "-", stdin=json.dumps(wrong))
    assert ran.status == 2
    for field in ("kinds", "engine", "capacity.cheese"):
        assert field in ran.err


def test_a_blueprint_is_validated_and_published(product: Product, web: Path) -> None:
    found = product.cli("health.requester", "blueprint", "validate", str(web))
    assert found.status == 0, found.err
    assert "It can be published." in found.out
    refused = product.cli("health.requester", "blueprint", "publish", str(web))
    assert refused.status == 4
    made = product.cli("operator", "blueprint", "publish", str(web), "-o", "json")
    assert made.status == 0, made.err
    again = product.cli("operator", "blueprint", "publish", str(web), "-o", "json")
    assert again.json["digest"] == made.json["digest"]
    (web / "cloud.py").write_text((web / "cloud.py").read_text() + "\n# more\n")
    conflict = product.cli("operator", "blueprint", "publish", str(web))
    assert conflict.status == 5, conflict.err
    own = yaml.safe_load((BLUEPRINTS / "web-application" / "blueprint.yaml").read_text())
    revisions = product.cli("operator", "blueprint", "list", "web-application", "-o", "json").json
    versions = [r["version"] for r in revisions]
    assert versions[0] == "7.0.0"
    assert versions[1:] == [own["version"]]


def test_a_broken_blueprint_says_what_is_wrong(product: Product, web: Path) -> None:
    (web / "__main__.py").write_text("raise ValueError('no such thing')\n")
    (web / "README.md").unlink()
    found = product.cli("operator", "blueprint", "validate", str(web))
    assert found.status == 1
    assert "README.md: is missing" in found.out
    (web / "README.md").write_text("# Web\n")
    found = product.cli("operator", "blueprint", "validate", str(web))
    assert found.status == 1
    assert "no such thing" in found.out


def test_deployments_are_listed_and_strangers_see_none(product: Product) -> None:
    listed = product.cli("health.requester", "deployment", "list", "-o", "json")
    assert listed.status == 0, listed.err
    unknown = product.cli("health.requester", "deployment", "show", "dep_none")
    assert unknown.status == 3
