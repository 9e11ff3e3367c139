"""What holds for every bundled blueprint."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from blueprints.conftest import FACTS, PLACE, SECRETS
from control_plane.adapters.program_host.evaluate import evaluate
from control_plane.adapters.program_host.host import ProgramHost
from control_plane.provisioning.graph import Graph, ResourceNode, is_secret
from control_plane.provisioning.inputs import checked
from control_plane.provisioning.ports import (
    DeploymentContext,
    Program,
    RegionAccess,
    Run,
    StackRef,
)
from control_plane.provisioning.region_kinds import input_problems, region_problem, with_choice
from control_plane.provisioning.usage_map import usage_of
from tests.integration import test_blueprint_lives as servers_lives
from tests.integration import test_service_lives as service_lives

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = sorted(p.parent for p in (ROOT / "blueprints").glob("*/Pulumi.yaml"))
SCHEMA = json.loads((ROOT / "control_plane/provisioning/blueprint.schema.json").read_text())


def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((folder / "blueprint.yaml").read_text())
    return found


SAMPLES = [
    pytest.param(folder, sample["inputs"], id=f"{folder.name}-{sample['name']}")
    for folder in FOLDERS
    for sample in document(folder)["samples"]
]


@pytest.fixture(scope="module")
def host() -> Iterator[ProgramHost]:
    host = ProgramHost()
    yield host
    host.close()


BOTH = frozenset({"openstack", "kubernetes"})


def run(folder: Path, inputs: dict[str, Any], kinds: frozenset[str] = BOTH) -> Run:
    return Run(
        stack=StackRef("dep_1", folder.name, "dep_1"),
        program=Program(folder, "sha256:test"),
        inputs=inputs,
        region=RegionAccess(
            "reg_1",
            kinds,
            {kind: facts for kind, facts in FACTS.items() if kind in kinds},
            {
                "openstack": {"user_name": "admin", "password": SECRETS["region"]},
                "kubernetes": {"kubeconfig": SECRETS["kubeconfig"]},
            },
        ),
        deployment=DeploymentContext(
            "dep_1", "shop", "health", {}, "seed-of-the-deployment-" * 2, PLACE,
            {"user_password": SECRETS["tenancy"]},
        ),
    )  # fmt: skip


def graph_of(
    host: ProgramHost, folder: Path, inputs: dict[str, Any], kinds: frozenset[str] = BOTH
) -> Graph:
    return evaluate(host, run(folder, inputs, kinds), b"k" * 32)


def test_there_are_blueprints() -> None:
    assert {f.name for f in FOLDERS} >= {"tenancy", "web-application"}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_its_description_is_valid(folder: Path) -> None:
    found = document(folder)
    jsonschema.Draft202012Validator(SCHEMA).validate(found)
    jsonschema.Draft202012Validator.check_schema(found["inputs"])
    jsonschema.Draft202012Validator.check_schema(found["outputs"])
    project = yaml.safe_load((folder / "Pulumi.yaml").read_text())
    assert project["name"] == found["name"] == folder.name
    assert (folder / "README.md").is_file()
    assert list((folder / "tests").glob("test_*.py"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_every_field_speaks_both_languages(folder: Path) -> None:
    found = document(folder)
    for side in ("inputs", "outputs"):
        for name, field in found[side]["properties"].items():
            assert field.get("title"), name
            assert field.get("x-zh", {}).get("title"), name
            values = field.get("enum") or (field.get("items") or {}).get("enum") or []
            texts = field.get("x-enum") or (field.get("items") or {}).get("x-enum") or {}
            assert all(texts[v]["en"] and texts[v]["zh"] for v in values), name
    for name, field in found["inputs"]["properties"].items():
        assert field.get("description"), name
        assert field["x-zh"].get("description"), name


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_its_defaults_are_valid(folder: Path) -> None:
    for name, field in document(folder)["inputs"]["properties"].items():
        if "default" in field:
            jsonschema.validate(field["default"], field), name


@pytest.mark.parametrize(("folder", "inputs"), SAMPLES)
def test_its_samples_evaluate_to_what_it_promises(
    host: ProgramHost, folder: Path, inputs: dict[str, Any]
) -> None:
    found = document(folder)
    jsonschema.validate(inputs, found["inputs"])
    graph = graph_of(host, folder, inputs)
    assert graph.resources
    promised = found["outputs"]["properties"]
    assert graph.outputs.keys() <= promised.keys()
    assert set(found["outputs"].get("required", ())) <= graph.outputs.keys()
    for name, value in graph.outputs.items():
        assert is_secret(value) == bool(promised[name].get("x-secret")), name
    assert {q.meter for q in usage_of(graph, FACTS)} <= set(found.get("meters", ()))
    assert graph == graph_of(host, folder, inputs)


@pytest.mark.parametrize(("folder", "inputs"), SAMPLES)
def test_no_secret_leaves_the_program(
    host: ProgramHost, folder: Path, inputs: dict[str, Any]
) -> None:
    text = repr(graph_of(host, folder, inputs))
    assert not [s for s in (*SECRETS.values(), "seed-of-the-deployment-") if s in text]


#: Kinds that cannot be marked; what makes them unique is in parentheses.
UNMARKED = {
    "openstack:compute/quotaSetV2:QuotaSetV2",  # one per project
    "openstack:blockstorage/quoteSetV3:QuoteSetV3",  # one per project
    "openstack:networking/quotaV2:QuotaV2",  # one per project
    "openstack:loadbalancer/quota:Quota",  # one per project
    "openstack:identity/roleAssignment:RoleAssignment",  # user, role and project
    "openstack:networking/routerInterface:RouterInterface",  # router and subnet
    "openstack:compute/volumeAttach:VolumeAttach",  # server and volume
    "openstack:loadbalancer/pool:Pool",  # listener
    "openstack:loadbalancer/member:Member",  # pool and address
    "openstack:loadbalancer/monitor:Monitor",  # pool
    "openstack:identity/ec2CredentialV3:Ec2CredentialV3",  # has no name either: see 0116
}


def marked(node: ResourceNode) -> bool:
    inputs: Any = node.inputs
    metadata = inputs.get("metadata") or {}
    labels = {**metadata, **(metadata.get("labels") or {})}
    spelled = ("borough.deployment", "Borough-Deployment", "borough.dev/deployment")
    return (
        "borough.deployment=dep_1" in (inputs.get("tags") or ())
        or "dep_1" in {labels.get(name) for name in spelled}
        or "dep_1" in (inputs.get("description") or "")
        # What has neither: keys and groups of servers.
        or str(inputs.get("name") or "").endswith("-dep_1")
    )


@pytest.mark.parametrize(("folder", "inputs"), SAMPLES)
def test_every_resource_carries_its_deployment(
    host: ProgramHost, folder: Path, inputs: dict[str, Any]
) -> None:
    graph = graph_of(host, folder, inputs)
    assert [n.type for n in graph.resources if not marked(n) and n.type not in UNMARKED] == []


def regions_of(kinds: list[str] | dict[str, list[str]]) -> list[frozenset[str]]:
    """The smallest regions that a blueprint says it can go into."""
    if isinstance(kinds, dict):
        return [frozenset({kind}) for kind in kinds["any_of"]]
    return [frozenset(kinds)]


@pytest.mark.parametrize(
    ("folder", "kinds"),
    [
        pytest.param(folder, kinds, id=f"{folder.name}-{'+'.join(sorted(kinds))}")
        for folder in FOLDERS
        for kinds in regions_of(document(folder)["kinds"])
    ],
)
def test_it_goes_into_the_smallest_region_that_it_names(
    host: ProgramHost, folder: Path, kinds: frozenset[str]
) -> None:
    """Its first sample, with what was left out chosen by the region; made of nothing else."""
    found = document(folder)
    inputs = checked(
        found["inputs"],
        with_choice(found["inputs"], found["samples"][0]["inputs"], kinds),
    )
    assert not list(region_problem(found["kinds"], "small", kinds))
    assert not list(input_problems(found["inputs"], inputs, "small", kinds))
    graph = graph_of(host, folder, inputs, kinds)
    assert {n.kind for n in graph.resources} == kinds
    assert set(found["outputs"].get("required", ())) <= graph.outputs.keys()


@pytest.mark.parametrize(
    "name",
    ["platform_context.py", "kube.py", "certificate.py", "own.py", "workload.py", "database.py"],
)
def test_what_they_share_is_the_same_in_each(name: str) -> None:
    """Each is a whole project of its own, so what several need is in each of them."""
    copies = [(f / name).read_text() for f in FOLDERS if (f / name).exists()]
    assert len(copies) > 1
    assert len(set(copies)) == 1
    assert name != "platform_context.py" or len(copies) == len(FOLDERS)


def test_it_has_a_life_on_the_devcloud() -> None:
    """Whoever adds a blueprint adds a row: it is created, changed, repaired and ended for real."""
    led = [
        life.blueprint
        for life in (*servers_lives.LIVES, servers_lives.TENANCY, *service_lives.LIVES)
    ]
    # There is no object storage on the devcloud: a test of its own shows what can be shown.
    assert servers_lives.test_object_storage_is_refused_and_its_keys_are_real
    assert sorted([*led, "object-storage"]) == sorted(folder.name for folder in FOLDERS)
