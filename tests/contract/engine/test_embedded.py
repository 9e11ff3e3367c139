"""The simulated region with the bundled blueprints: room, quotas, addresses, history."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from blueprints.conftest import FACTS, SECRETS
from control_plane.adapters.embedded.engine import EmbeddedEngine
from control_plane.adapters.embedded.rules import refusal
from control_plane.adapters.embedded.things import Fault
from control_plane.adapters.program_host.host import ProgramHost
from control_plane.adapters.stack_locks import StackLocks
from control_plane.provisioning.graph import ApplyResult, ApplyState, Preview
from control_plane.provisioning.ports import (
    DeploymentContext,
    Program,
    ProgramError,
    RegionAccess,
    Run,
    StackRef,
)
from foundation.kernel.database import Database
from foundation.kernel.secretbox import SecretBox

ROOT = Path(__file__).resolve().parents[3]
TENANCY = {"vcpus": 4, "ram_gb": 16, "volume_gb": 100, "load_balancers": 1}
WEB = {"servers": 2, "size": "s", "volume_gb": 20}


def yes(_preview: Preview) -> None:
    """Confirm whatever it is."""


def states(result: ApplyResult) -> dict[str, str]:
    return {o.name: o.state.value for o in result.outcomes}


@pytest.fixture
def engine(host: ProgramHost, database: Database, clock: Any) -> Iterator[EmbeddedEngine]:
    locks = StackLocks(database.url)
    yield EmbeddedEngine(host, database, clock, SecretBox([b"k" * 32]), locks)
    locks.close()


Make = Callable[..., Run]


@pytest.fixture
def make() -> Make:
    def make(
        blueprint: str,
        inputs: dict[str, Any],
        *,
        place: ApplyResult | None = None,
        name: str = "health",
        capacity: dict[str, int] | None = None,
        cluster: dict[str, Any] | None = None,
    ) -> Run:
        deployment = f"dep_{name}_{blueprint}"
        return Run(
            stack=StackRef(deployment, blueprint, deployment),
            program=Program(ROOT / "blueprints" / blueprint, "sha256:test"),
            inputs=inputs,
            region=RegionAccess(
                "reg_east",
                frozenset({"openstack", "kubernetes"}),
                {
                    **FACTS,
                    "kubernetes": cluster or {},
                    "embedded": {"capacity": capacity or {}},
                },
                {
                    "openstack": {"user_name": "admin", "password": SECRETS["region"]},
                    "kubernetes": {"kubeconfig": SECRETS["kubeconfig"]},
                },
            ),
            deployment=DeploymentContext(
                deployment, name, name, {}, f"seed-of-{name}-".ljust(40, "x"),
                dict(place.outputs) if place else {},
                dict(place.secret_outputs) if place else {},
            ),
        )  # fmt: skip

    return make


@pytest.fixture
def tenancy(engine: EmbeddedEngine, make: Make) -> ApplyResult:
    result = engine.apply(make("tenancy", TENANCY), confirm=yes)
    assert result.state is ApplyState.SUCCEEDED, result.error
    return result


def test_it_says_that_it_is_simulated(engine: EmbeddedEngine) -> None:
    assert engine.simulated


def test_a_tenancy_has_what_a_deployment_needs(tenancy: ApplyResult) -> None:
    assert {"project_id", "network_id", "subnet_id", "namespace", "user_name"} <= (
        tenancy.outputs.keys()
    )
    assert len(str(tenancy.outputs["project_id"])) == 32
    assert tenancy.secret_outputs["user_password"].startswith("Bo1-")  # type: ignore[union-attr]


def test_servers_get_addresses_of_their_tenancys_subnet(
    engine: EmbeddedEngine, make: Make, tenancy: ApplyResult
) -> None:
    result = engine.apply(make("web-application", WEB, place=tenancy), confirm=yes)
    assert result.state is ApplyState.SUCCEEDED, result.error
    addresses = [*result.outputs["server_addresses"], result.outputs["address"]]  # type: ignore[misc]
    assert sorted(addresses) == ["10.20.0.11", "10.20.0.12", "10.20.0.13"]
    assert result.outputs["url"] == f"http://{addresses[-1]}/"

    # Another tenancy has the same range, and its own addresses in it.
    other = engine.apply(make("tenancy", TENANCY, name="water"), confirm=yes)
    second = engine.apply(make("web-application", WEB, place=other, name="water"), confirm=yes)
    again = [*second.outputs["server_addresses"], second.outputs["address"]]  # type: ignore[misc]
    assert sorted(again) == sorted(addresses)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"servers": 5}, "Quota exceeded for"),
        ({"size": "xl"}, "Quota exceeded for vcpus: Requested 8, but already used 0 of 4"),
        ({"volume_gb": 101}, "Quota exceeded for volume_gb: Requested 101"),
        (
            {"platform": "kubernetes", "size": "xl", "servers": 3},
            "exceeded quota in namespace health: requested k8s_cpu=6, used 0, limited 4",
        ),
    ],
)
def test_a_quota_is_enforced_and_said_as_the_cloud_says_it(
    engine: EmbeddedEngine,
    make: Make,
    tenancy: ApplyResult,
    inputs: dict[str, Any],
    words: str,
) -> None:
    result = engine.apply(make("web-application", {**WEB, **inputs}, place=tenancy), confirm=yes)
    assert result.state is ApplyState.FAILED
    assert words in result.error
    smaller = make("web-application", {**WEB, "servers": 1}, place=tenancy)
    assert engine.apply(smaller, confirm=yes).state is ApplyState.SUCCEEDED


def test_a_larger_quota_lets_more_in(
    engine: EmbeddedEngine, make: Make, tenancy: ApplyResult
) -> None:
    large = make("web-application", {**WEB, "servers": 5}, place=tenancy)
    assert engine.apply(large, confirm=yes).state is ApplyState.FAILED
    raised = make("tenancy", {**TENANCY, "vcpus": 8})
    preview = engine.preview(raised)
    assert {c.name for c in preview.effective} >= {"compute-quota", "quota"}
    assert {c.op.value for c in preview.effective} == {"update"}
    assert engine.apply(raised, confirm=yes).state is ApplyState.SUCCEEDED
    assert engine.apply(large, confirm=yes).state is ApplyState.SUCCEEDED


def test_the_regions_room_is_bounded(
    engine: EmbeddedEngine, make: Make, tenancy: ApplyResult
) -> None:
    room = {"vcpus": 3, "servers": 10}
    first = make("web-application", WEB, place=tenancy, capacity=room)
    assert engine.apply(first, confirm=yes).state is ApplyState.SUCCEEDED
    assert engine.region.free("reg_east", room) == {"vcpus": 1, "instances": 8}
    more = make("web-application", {**WEB, "servers": 4}, place=tenancy, capacity=room)
    result = engine.apply(more, confirm=yes)
    assert result.state is ApplyState.FAILED
    assert "No valid host was found" in result.error
    larger = make("web-application", {**WEB, "size": "m"}, place=tenancy, capacity=room)
    resized = engine.apply(larger, confirm=yes)
    assert resized.state is ApplyState.FAILED
    assert engine.destroy(first).state is ApplyState.SUCCEEDED
    assert engine.region.free("reg_east", room) == {"vcpus": 3, "instances": 10}


def test_what_changes_in_place_and_what_replaces(
    engine: EmbeddedEngine, make: Make, tenancy: ApplyResult
) -> None:
    engine.apply(make("web-application", WEB, place=tenancy), confirm=yes)

    def ops(**inputs: Any) -> dict[str, str]:
        run = make("web-application", {**WEB, **inputs}, place=tenancy)
        return {c.name: c.op.value for c in engine.preview(run).effective}

    assert ops(size="m") == {"server-1": "update", "server-2": "update"}
    assert ops(volume_gb=30) == {"data": "update"}
    assert ops(servers=3) == {"server-3": "create", "member-3": "create"}
    assert ops(servers=1) == {"server-2": "delete", "member-2": "delete"}
    assert ops(exposure="internet") == {"web-http": "replace", "public-address": "create"}
    moved = ops(platform="kubernetes")
    assert set(moved.values()) == {"create", "delete"}


def test_a_volume_does_not_shrink(engine: EmbeddedEngine, make: Make, tenancy: ApplyResult) -> None:
    engine.apply(make("web-application", WEB, place=tenancy), confirm=yes)
    smaller = make("web-application", {**WEB, "volume_gb": 10}, place=tenancy)
    result = engine.apply(smaller, confirm=yes)
    assert result.state is ApplyState.FAILED
    assert "must be greater than current size" in result.error


def test_metering_sees_every_start_change_and_end(
    engine: EmbeddedEngine, make: Make, tenancy: ApplyResult, clock: Any
) -> None:
    clock.advance(hours=1)
    run = make("web-application", {**WEB, "servers": 1}, place=tenancy)
    begun = clock.now()
    engine.apply(run, confirm=yes)
    urn = next(o.urn for o in engine.apply(run, confirm=yes).outcomes if o.name == "server-1")
    stopped = clock.advance(minutes=30)
    engine.region.power(run.stack.deployment, urn, on=False)
    started = clock.advance(minutes=5)
    engine.region.power(run.stack.deployment, urn, on=True)
    resized = clock.advance(minutes=10)
    larger = make("web-application", {**WEB, "servers": 1, "size": "m"}, place=tenancy)
    engine.apply(larger, confirm=yes)
    ended = clock.advance(minutes=20)
    engine.destroy(larger)
    found = [
        (a.action, a.at, a.inputs["flavorId"])
        for a in engine.region.actions("reg_east")
        if a.urn == urn
    ]
    assert found == [
        ("create", begun, "flavor-s"),
        ("start", begun, "flavor-s"),
        ("stop", stopped, "flavor-s"),
        ("start", started, "flavor-s"),
        ("resize", resized, "flavor-m"),
        ("stop", ended, "flavor-m"),
        ("delete", ended, "flavor-m"),
    ]


def test_actions_are_read_on_from_the_last_one_seen(
    engine: EmbeddedEngine, tenancy: ApplyResult
) -> None:
    assert tenancy.outcomes
    first = engine.region.actions("reg_east", limit=5)
    rest = engine.region.actions("reg_east", after=first[-1].id)
    assert len(first) == 5
    assert [a.id for a in (*first, *rest)] == [a.id for a in engine.region.actions("reg_east")]


def test_no_secret_is_stored_in_clear(
    engine: EmbeddedEngine, make: Make, tenancy: ApplyResult, database: Database
) -> None:
    engine.apply(make("web-application", WEB, place=tenancy), confirm=yes)
    with database.transaction():
        text = "".join(
            str(row)
            for table in ("resource", "stack", "action")
            for row in database.execute(sa.text(f"SELECT * FROM embedded_{table}"))  # noqa: S608
        )
    password = tenancy.secret_outputs["user_password"]
    for secret in (*SECRETS.values(), password, "seed-of-health"):
        assert str(secret) not in text


def test_faults_happen_as_often_as_they_were_told(
    engine: EmbeddedEngine, make: Make, tenancy: ApplyResult
) -> None:
    engine.region.add_fault(
        "reg_east", Fault(type="*:Instance", op="create", message="host is down", remaining=1)
    )
    run = make("web-application", WEB, place=tenancy)
    failed = engine.apply(run, confirm=yes)
    assert failed.state is ApplyState.FAILED
    assert "host is down" in failed.error
    assert engine.apply(run, confirm=yes).state is ApplyState.SUCCEEDED


def test_an_object_of_kubernetes_goes_before_the_next_of_its_name_comes(
    engine: EmbeddedEngine, make: Make, tenancy: ApplyResult
) -> None:
    inputs = {**WEB, "platform": "kubernetes"}
    engine.apply(make("web-application", inputs, place=tenancy), confirm=yes)
    fast = make("web-application", inputs, place=tenancy, cluster={"storage_class": "fast"})
    assert {c.name: c.op.value for c in engine.preview(fast).effective} == {"data": "replace"}
    result = engine.apply(fast, confirm=yes)
    assert states(result)["data"] == "replaced"
    claim = next(o for o in result.outcomes if o.name == "data")
    found = [a for a in engine.region.actions("reg_east") if a.urn == claim.urn]
    assert [a.action for a in found] == ["create", "delete", "create"]
    assert {a.physical_id for a in found} == {claim.physical_id}
    # Metering knows objects by these: they are unique, whatever the kinds.
    ids = [o.physical_id for o in result.outcomes]
    assert len(set(ids)) == len(ids)


# Virtual servers, physical servers, object storage ------------------------------------------------

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== somebody"


def test_servers_keep_their_ports_when_they_are_replaced(
    engine: EmbeddedEngine, make: Make, tenancy: ApplyResult
) -> None:
    group = {
        "servers": 2, "size": "s", "volume_gb": 10, "ports": [80], "ssh_public_key": KEY,
        "public_address": True, "load_balancer": True,
    }  # fmt: skip
    made = engine.apply(make("virtual-server", group, place=tenancy), confirm=yes)
    assert made.state is ApplyState.SUCCEEDED, made.error
    addresses: Any = made.outputs["server_addresses"]
    assert len({*addresses} & {"10.20.0.11", "10.20.0.12", "10.20.0.13"}) == 2
    assert made.outputs["public_addresses"] == [made.outputs["address"]]
    by_name = {o.name: o for o in made.outcomes}
    assert by_name["server-1"].outputs["accessIpV4"] == addresses[0]
    assert by_name["key"].outputs["fingerprint"].count(":") == 15  # type: ignore[union-attr]
    more = {**group, "user_data": "#cloud-config\n"}
    again = engine.apply(make("virtual-server", more, place=tenancy), confirm=yes)
    assert states(again)["server-1"] == "replaced"
    assert states(again)["attached-1"] == "replaced"
    assert states(again)["port-1"] == "same"
    assert again.outputs["server_addresses"] == addresses
    assert again.outputs["server_ids"] != made.outputs["server_ids"]
    assert engine.destroy(make("virtual-server", more, place=tenancy)).state is ApplyState.SUCCEEDED


def test_a_key_that_is_none_is_refused_as_nova_does(
    engine: EmbeddedEngine, make: Make, tenancy: ApplyResult
) -> None:
    wrong = {"servers": 1, "size": "s", "ssh_public_key": "ssh-ed25519 AAA"}
    result = engine.apply(make("virtual-server", wrong, place=tenancy), confirm=yes)
    assert result.state is ApplyState.FAILED
    assert "Keypair data is invalid" in result.error


def test_objects_have_a_key_that_is_nowhere_in_clear(
    engine: EmbeddedEngine, make: Make, tenancy: ApplyResult, database: Database
) -> None:
    run = make("object-storage", {"size_gb": 50, "containers": ["in", "out"]}, place=tenancy)
    made = engine.apply(run, confirm=yes)
    assert made.state is ApplyState.SUCCEEDED, made.error
    assert made.outputs["containers"] == ["health-in", "health-out"]
    secret = str(made.secret_outputs["secret_key"])
    assert len(secret) == 32
    assert secret not in repr(made.outcomes)
    with database.transaction():
        rows = database.execute(sa.text("SELECT computed, inputs FROM embedded_resource")).all()
    assert secret not in repr(rows)
    again = engine.apply(run, confirm=yes)
    assert set(states(again).values()) == {"same"}
    assert again.secret_outputs == made.secret_outputs
    # Another generation is another key, and the old one goes.
    newer = make(
        "object-storage",
        {"size_gb": 50, "containers": ["in", "out"], "key_generation": 2},
        place=tenancy,
    )
    changed = engine.apply(newer, confirm=yes)
    assert (states(changed)["s3-key-2"], states(changed)["s3-key-1"]) == ("created", "deleted")
    assert changed.secret_outputs != made.secret_outputs
    own = make("object-storage", {"size_gb": 50, "access": "openstack"}, place=tenancy)
    assert engine.apply(own, confirm=yes).outputs["credential_id"]


def test_another_model_is_another_physical_server(
    engine: EmbeddedEngine, make: Make, tenancy: ApplyResult
) -> None:
    run = make("bare-server", {"servers": 1, "model": "general"}, place=tenancy)
    made = engine.apply(run, confirm=yes)
    assert made.state is ApplyState.SUCCEEDED, made.error
    other = make("bare-server", {"servers": 1, "model": "storage"}, place=tenancy)
    changed = engine.apply(other, confirm=yes)
    assert states(changed)["server-1"] == "replaced"
    assert states(changed)["port-1"] == "same"


def test_physical_servers_take_their_own_room(
    engine: EmbeddedEngine, make: Make, tenancy: ApplyResult
) -> None:
    run = make(
        "bare-server", {"servers": 2, "model": "general"}, place=tenancy,
        capacity={"bare_servers": 1, "vcpus": 0},
    )  # fmt: skip
    result = engine.apply(run, confirm=yes)
    assert result.state is ApplyState.FAILED
    assert "the simulated region has 1 bare_servers, and 2 would be in use" in result.error


@pytest.mark.parametrize(
    ("type_", "kinds", "said"),
    [
        ("openstack:dns/zone:Zone", {"openstack"}, "does not know openstack:dns/zone:Zone"),
        ("kubernetes:helm.sh/v3:Release", {"kubernetes"}, "does not know kubernetes:helm"),
        ("kubernetes:example.org/v1:Thing", {"kubernetes"}, "does not know kubernetes:example"),
        ("kubernetes:core/v1:ConfigMap", {"openstack"}, "has no kubernetes"),
        ("aws:s3/bucket:Bucket", {"openstack", "kubernetes"}, "has no aws"),
        ("openstack:compute/keypair:Keypair", {"openstack"}, ""),
        ("kubernetes:batch/v1:CronJob", {"kubernetes"}, ""),
    ],
)
def test_what_the_region_cannot_make_is_refused(type_: str, kinds: set[str], said: str) -> None:
    found = refusal(type_, kinds)
    assert said in found
    assert bool(said) == bool(found)


def test_a_program_that_makes_something_unknown_is_told_so(
    engine: EmbeddedEngine, make: Make, tmp_path: Path
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: zone\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(
        "import pulumi_openstack as o\no.dns.Zone('zone', name='example.org.')\n"
    )
    run = replace(make("zone", {}), program=Program(tmp_path, "sha256:zone"))
    with pytest.raises(ProgramError, match="does not know openstack:dns/zone:Zone"):
        engine.preview(run)
