"""What somebody made by hand, through the running product: found, proposed, taken in by commands,
metered and charged from then on, given up, and returned like anything else."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from control_plane.adapters.embedded.region import SimulatedRegion
from control_plane.adapters.embedded.things import Fault
from control_plane.demonstration.files import load_city
from foundation.kernel.actor import Actor
from foundation.kernel.text import Text
from tests.functional.conftest import Product
from tests.functional.test_drift import follow

TESTER = Actor.system("test")


@dataclass
class Old:
    """A project that somebody made by hand, and the tenancy that it goes into.

    Attributes:
        ids: by the keys of the demonstration's data.
    """

    product: Product
    tenancy: str
    name: str
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def project(self) -> str:
        return self.ids["project"]

    def there(self) -> set[str]:
        """What of it is still in the region, owned or not."""
        region = SimulatedRegion(self.product.platform.database, self.product.platform.clock)
        mine = set(self.ids.values())
        found = {t.physical_id for t in region.outside(self.region)}
        for each in self.deployments():
            resources = self.product.api("operator").get(f"/deployments/{each['id']}/resources")
            found |= {r["physical_id"] for r in resources["items"]}
        return mine & found

    @property
    def region(self) -> str:
        return str(self.product.api("operator").get("/regions/east")["id"])

    def deployments(self) -> list[dict[str, Any]]:
        """Those of its tenancy that are there, newest first."""
        found = self.product.api("operator").items("/deployments", tenancy=self.tenancy)
        return [d for d in found if d["state"] != "destroyed"]


def furnish(product: Product) -> Old:
    """The demonstration's project made by hand once more, and an empty tenancy for it."""
    slug = f"old-{uuid.uuid4().hex[:6]}"
    made = product.platform.tenancy.create_tenancy(
        TESTER, organisation="/city/health/", slug=slug, name=Text(slug, slug),
        data_class="internal",
    )  # fmt: skip
    old = Old(product, made.id, slug)
    for one in load_city().handmade:
        inputs = one.resolved(old.ids)
        if one.key == "project":
            inputs["name"] = slug
        place = old.ids[one.place] if one.place else ""
        old.ids[one.key] = product.platform.make_by_hand(one.region, one.type, inputs, place)
    return old


def clear(old: Old) -> None:
    """Return what was imported; what is inside a project goes before it."""
    product = old.product
    for each in sorted(old.deployments(), key=lambda d: d["blueprint"] == "tenancy"):
        if each["state"] == "pending":
            product.cli("operator", "import", "abandon", each["id"], "--reason", "end", "--yes")
        else:
            product.cli("operator", "deployment", "destroy", each["id"], "--yes")
    region = SimulatedRegion(product.platform.database, product.platform.clock)
    for thing in region.outside(old.region):
        if thing.physical_id in old.ids.values():
            region.end(thing)
    product.platform.drift.tidy()
    levels = product.api("admin").get(f"/tenancies/{old.tenancy}/quota")["levels"]
    assert {
        q["used"] for level in levels if level["kind"] == "tenancy" for q in level["quotas"]
    } <= {"0"}


@pytest.fixture(scope="module")
def old(product: Product) -> Iterator[Old]:
    made = furnish(product)
    yield made
    clear(made)


@pytest.fixture(scope="module")
def files(old: Old, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The proposals of the project, each in its file."""
    folder = tmp_path_factory.mktemp("proposals")
    proposed = old.product.cli(
        "operator", "import", "propose", "east", old.project, "--tenancy", old.name,
        "--write", str(folder),
    )  # fmt: skip
    assert proposed.status == 0, proposed.err
    assert "backup-old" in proposed.out, "what no proposal takes is named"
    found = sorted(folder.iterdir())
    assert [f.name.split("-")[1] for f in found] == ["tenancy", "virtual", "virtual"]
    return found


def plan(old: Old, file: Path, *more: str) -> dict[str, Any]:
    planned = old.product.cli("operator", "import", "plan", str(file), *more, "-o", "json")
    assert planned.status == 0, planned.err
    found: dict[str, Any] = planned.json
    return found


def apply(old: Old, planned: dict[str, Any]) -> Any:
    return old.product.cli(
        "operator", "import", "apply", planned["id"], "--digest", planned["digest"], "--yes"
    )


def test_what_nobody_owns_is_found_and_no_department_sees_it(old: Old) -> None:
    listed = old.product.cli("operator", "import", "discover", "east", "-o", "json").json
    (project,) = [p for p in listed if p["id"] == old.project]
    assert (project["name"], project["deployment"]) == (old.name, "")
    inside = old.product.cli("operator", "import", "discover", "east", "--project", old.project)
    assert old.ids["gauges-server"] in inside.out
    refused = old.product.cli("health.administrator", "import", "discover", "east")
    assert refused.status == 4, refused.err
    unknown = old.product.cli("operator", "import", "discover", "east", "--project", "nowhere")
    assert unknown.status == 3, unknown.err


def test_what_is_wrong_with_a_file_is_named(old: Old, files: list[Path], tmp_path: Path) -> None:
    cli, file = old.product.cli, tmp_path / "wish.yaml"
    refused = cli("operator", "import", "plan", str(files[0]))
    assert refused.status == 5, refused.err
    assert "user (User) would be created" in refused.err
    early = cli("operator", "import", "plan", str(files[1]), "--create-missing")
    assert "import or order it first" in early.err
    wish = yaml.safe_load(files[0].read_text())
    file.write_text(yaml.safe_dump({**wish, "ids": {"network": "x", "router": old.ids["subnet"]}}))
    wrong = cli("operator", "import", "plan", str(file))
    assert wrong.status == 2, wrong.err
    assert "ids.network" in wrong.err
    assert "is a Subnet, not a Router" in wrong.err
    for text, said in (("- a list", "must hold one object"), ("{", "is no YAML")):
        file.write_text(text)
        assert said in cli("operator", "import", "plan", str(file)).err
    file.write_text(yaml.safe_dump({**wish, "extra": 1}))
    assert "extra" in cli("operator", "import", "plan", str(file)).err
    assert old.deployments() == []


def test_a_failed_import_is_given_up_and_nothing_is_lost(old: Old, files: list[Path]) -> None:
    before, product = old.there(), old.product
    region = SimulatedRegion(product.platform.database, product.platform.clock)
    planned = plan(old, files[0], "--create-missing")
    region.add_fault(old.region, Fault(name="inside", kind="fail", message="no room today"))
    try:
        failed = apply(old, planned)
        assert failed.status != 0
        assert "no room today" in failed.err
    finally:
        region.clear_faults(old.region)
    (there,) = old.deployments()
    assert there["state"] == "failed"
    # Neither is it retried around its quota, nor taken for somebody else's.
    around = product.cli("operator", "deployment", "apply", there["id"])
    assert "carry out its plan as an import" in around.err
    nameless = product.cli("operator", "import", "abandon", there["id"], "--reason", " ", "--yes")
    assert nameless.status == 2, nameless.err
    given_up = product.cli(
        "operator", "import", "abandon", there["id"], "--reason", "tomorrow", "--yes"
    )
    assert given_up.status == 0, given_up.err
    assert old.deployments() == []
    assert old.there() == before


def test_it_is_taken_in_untouched_and_shown_to_its_department(old: Old, files: list[Path]) -> None:
    before, product = old.there(), old.product
    for file in files:
        done = apply(old, plan(old, file, "--create-missing"))
        assert done.status == 0, done.err
    assert old.there() == before
    listed = product.cli(
        "health.requester",
        "deployment",
        "list",
        "--imported",
        "--tenancy",
        old.tenancy,
        "-o",
        "json",
    ).json
    assert {(d["name"], d["state"]) for d in listed} == {
        (old.name, "active"), ("gauges", "active"), ("siren", "active")
    }  # fmt: skip
    again = product.cli("operator", "import", "plan", str(files[1]), "--create-missing")
    assert "belongs to the deployment" in again.err
    (gauges,) = [d for d in listed if d["name"] == "gauges"]
    late = product.cli("operator", "import", "abandon", gauges["id"], "--reason", "late", "--yes")
    assert "its import is not open" in late.err


def test_it_is_metered_and_charged_from_then_on(old: Old) -> None:
    """Imported things are no gift: their department pays for their use, under its contract."""
    product, admin = old.product, old.product.api("admin")
    follow(product, "admin", admin.post("/usage-collections", {"region": old.region}))
    used = [
        u for u in admin.items("/usage", tenancy=old.tenancy)
        if u["meter"] in {"server.instance_hours", "volume.gb_hours"}
    ]  # fmt: skip
    resources = {
        r["id"]: r["physical_id"]
        for d in old.deployments()
        for r in admin.get(f"/deployments/{d['id']}/resources")["items"]
    }
    assert {resources[u["resource_id"]] for u in used} == {
        old.ids["gauges-server"], old.ids["siren-server"], old.ids["gauges-volume"]
    }  # fmt: skip
    waiting = admin.items("/usage-quarantine")
    mine = set(old.ids.values()) | set(resources)
    assert [w for w in waiting if w["payload"].get("data", {}).get("resource") in mine] == []
    period = f"{product.platform.clock.now():%Y-%m}"
    follow(product, "admin", admin.post("/rating-runs", {"period": period}))
    heads = [s for s in admin.items("/statements") if s["period"] == period]
    lines = [
        line for head in heads for line in admin.get(f"/statements/{head['id']}")["lines"]
        if line["key"]["resource_id"] in resources
    ]  # fmt: skip
    assert {line["key"]["meter"] for line in lines} >= {"server.instance_hours", "volume.gb_hours"}
    why = admin.get(f"/statement-lines/{lines[0]['id']}/explanation")
    assert why["origin"]["deployment"]["tenancy"] == old.tenancy
    assert why["origin"]["deployment"]["imported"] > 0
    assert why["origin"]["order"] == {}


def test_less_is_given_back_and_then_the_rest(old: Old) -> None:
    """What an imported deployment gives back in parts comes to all of its quota."""
    product = old.product
    (gauges,) = [d for d in old.deployments() if d["name"] == "gauges"]
    api = product.api("operator")
    body = {"inputs": {**gauges["inputs"], "servers": 2}}
    grown = api.post(f"/deployments/{gauges['id']}/plan", body)
    assert apply(old, grown).status == 0
    body = {"inputs": gauges["inputs"]}
    shrunk = api.post(f"/deployments/{gauges['id']}/plan", body)
    assert float(shrunk["quota"]["instances"]) == -1
    assert apply(old, shrunk).status == 0
    # The end of the module returns it all; ``clear`` says that no quota is left.
