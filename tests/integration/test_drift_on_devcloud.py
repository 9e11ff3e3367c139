"""A tenancy on real OpenStack and Kubernetes that somebody changes by hand: found, repaired,
adopted."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import kubernetes
import pytest
import sqlalchemy as sa

from control_plane.adapters.program_host.host import ProgramHost
from control_plane.adapters.pulumi.engine import PulumiEngine
from control_plane.provisioning.drift import jobs
from control_plane.provisioning.drift.model import Finding
from control_plane.provisioning.drift.service import Drift, Needs
from control_plane.provisioning.drift.store import PostgresDrift
from control_plane.provisioning.model import Deployment, DeploymentState, EngineKind
from control_plane.provisioning.ports import RegionAccess
from control_plane.provisioning.service import Provisioning
from foundation.adapters.clock import SystemClock
from foundation.kernel import ids
from foundation.kernel.database import Database
from foundation.kernel.errors import Invalid
from foundation.operations.model import Operation
from tests.contract.provisioning.conftest import PLATFORM, parts, text
from tests.fakes.owners import FakeOwners
from tests.integration.conftest import ROOT
from tests.integration.seeds import IMAGE

TENANCY: Mapping[str, Any] = {
    "vcpus": 8,
    "ram_gb": 16,
    "volume_gb": 100,
    "load_balancers": 1,
    "floating_ips": 1,
    "network_cidr": "10.78.0.0/24",
}


class Now:
    """A context that does each step at once."""

    def __init__(self, operation: Operation) -> None:
        self.operation_id = operation.id
        self.subject = operation.subject
        self.inputs = operation.inputs

    def step(self, _name: str, work: Callable[[], Any], **_: Any) -> Any:
        return work()

    cleanup = step

    def emit(self, _type: str, _data: Mapping[str, Any] | None = None) -> None: ...

    def progress(self, _fraction: float) -> None: ...

    def cancelled(self) -> bool:
        return False


@dataclass
class City:
    """The services over the devcloud, and a tenancy that was ordered there."""

    database: Database
    provisioning: Provisioning
    drift: Drift
    owners: FakeOwners
    there: Deployment

    def do(self, operation: Operation) -> Any:
        begin = time.monotonic()
        ctx: Any = Now(operation)
        try:
            return jobs.handlers(self.drift)[operation.kind].run(ctx)
        finally:
            print(f"{operation.kind}: {time.monotonic() - begin:.1f} s")
            with self.database.transaction():
                self.database.execute(
                    sa.text("UPDATE operations_operation SET state = 'succeeded'")
                )

    def check(self, one: Deployment | None = None) -> str:
        one = one or self.there
        return str(self.do(self.drift.request_check(PLATFORM, one.id))["outcome"])

    def standing(self, one: Deployment | None = None) -> list[Finding]:
        return list(self.drift.of_deployment(PLATFORM, (one or self.there).id)[1])

    def id(self, one: Deployment, name: str) -> str:
        """The cloud's id of a deployment's resource."""
        (found,) = [
            r for r in self.provisioning.resources(PLATFORM, one.id) if r.name == name
        ]  # fmt: skip
        return found.physical_id


@pytest.fixture
def city(
    host: ProgramHost,
    engine: PulumiEngine,
    region: RegionAccess,
    database: Database,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[City]:
    cache: Path = tmp_path_factory.mktemp("blueprints")
    for folder in (cache, *cache.parents[:2]):
        folder.chmod(0o755)  # programs run as another user
    made = parts(database, SystemClock(), host, cache)
    provisioning: Provisioning = made["service"]
    engines: Any = provisioning._with.engines  # noqa: SLF001 - the world has the simulated one only
    engines[EngineKind.PULUMI] = engine
    tenancies = made["tenancies"]
    tenancies.create_organisation(PLATFORM, parent=None, slug="c", name=text("C"), kind="city")
    name = f"drift-{uuid.uuid4().hex[:6]}"
    tenancies.create_tenancy(PLATFORM, organisation="/c/", slug=name, name=text(name))
    provisioning.publish_bundled(
        [ROOT / "blueprints" / name for name in ("tenancy", "virtual-server")]
    )
    provisioning.add_region(
        PLATFORM,
        slug="devcloud",
        title=text("Devcloud"),
        kinds=sorted(region.kinds),
        engine="pulumi",
        config=dict(region.config),
        credentials=dict(region.credentials),
        data_classes=["public", "internal"],
    )
    owners = FakeOwners()
    drift = Drift(
        Needs(
            store=PostgresDrift(database), db=database, clock=SystemClock(), audit=made["audit"],
            tenancy=tenancies, operations=made["operations"], provisioning=provisioning,
            owners=owners, interval=timedelta(hours=1), key=b"k" * 32,
        )
    )  # fmt: skip
    plan = provisioning.make_plan(
        tenancy=name, action="create", region="devcloud", blueprint="tenancy", inputs=TENANCY,
        owner="instance:ins_1",
    )  # fmt: skip
    begin = time.monotonic()
    try:
        there = provisioning.apply(plan.id, operation=ids.new("op"), digest=plan.digest)
        print(f"apply: {time.monotonic() - begin:.1f} s")
        assert there.state is DeploymentState.ACTIVE, there.error
        yield City(database, provisioning, drift, owners, there)
    finally:
        begin = time.monotonic()
        gone = provisioning.destroy(plan.deployment_id, operation=ids.new("op"))
        print(f"destroy: {time.monotonic() - begin:.1f} s")
    assert gone.state is DeploymentState.DESTROYED, gone.error


@pytest.fixture
def servers(city: City) -> Iterator[Deployment]:
    """A server with a volume in the tenancy."""
    tenancy = city.provisioning.deployment(PLATFORM, city.there.id).tenancy_id
    plan = city.provisioning.make_plan(
        tenancy=tenancy, action="create", region="devcloud", blueprint="virtual-server",
        inputs={"servers": 1, "size": "s", "volume_gb": 5, "ports": [8080]},
        owner="instance:ins_2",
    )  # fmt: skip
    try:
        made = city.provisioning.apply(plan.id, operation=ids.new("op"), digest=plan.digest)
        assert made.state is DeploymentState.ACTIVE, made.error
        yield made
    finally:
        gone = city.provisioning.destroy(plan.deployment_id, operation=ids.new("op"))
    assert gone.state is DeploymentState.DESTROYED, gone.error


@pytest.fixture
def stranger(city: City, osdev: Any, servers: Deployment) -> Iterator[Any]:
    """A server in the tenancy's project that nobody declared."""
    assert servers.state is DeploymentState.ACTIVE
    project = city.there.outputs["project_id"]
    admin, role = osdev.current_user_id, osdev.identity.find_role("admin")
    osdev.identity.assign_project_role_to_user(project, admin, role)
    with osdev.connect_as(project_id=project, project_name=None) as inside:
        made = inside.compute.create_server(
            name="by-hand",
            flavor_id=inside.compute.find_flavor("city.small").id,
            image_id=inside.image.find_image(IMAGE).id,
            networks=[{"uuid": city.there.outputs["network_id"]}],
        )
        try:
            inside.compute.wait_for_server(made)
            yield made
        finally:
            inside.compute.delete_server(made, ignore_missing=True)
            inside.compute.wait_for_delete(made)


def test_six_kinds_in_one_city(
    city: City, servers: Deployment, stranger: Any, osdev: Any, kube: Any
) -> None:
    core: Any = kubernetes.client.CoreV1Api(kube)
    project, space = city.there.outputs["project_id"], str(city.there.outputs["namespace"])
    assert city.check(servers) == "clean"

    # One: what nobody declared. It is found beside the declared server of another deployment.
    assert city.check() == "drifted"
    (found,) = city.standing()
    assert (found.kind.value, found.attribute, found.removable) == ("added", stranger.id, False)
    assert found.found == {"name": "by-hand", "flavor": "city.small"}
    with pytest.raises(Invalid, match="others work too"):
        city.drift.request_repair(PLATFORM, city.there.id, remove=[stranger.id])
    osdev.compute.delete_server(stranger)
    osdev.compute.wait_for_delete(stranger)
    assert city.check() == "clean"

    # Six more, in two deployments and two clouds.
    server, group = city.id(servers, "server-1"), city.id(servers, "servers")
    osdev.compute.update_server(server, name="renamed")
    volume = city.id(servers, "data-1")
    osdev.block_storage.set_volume_metadata(volume, **{"borough.resource": "other"})
    osdev.network.delete_security_group_rule(city.id(servers, "servers-tcp-8080"))
    opened = [
        osdev.network.create_security_group_rule(
            security_group_id=group, direction="ingress", ether_type="IPv4", protocol="tcp",
            port_range_min=port, port_range_max=port, remote_ip_prefix="0.0.0.0/0",
        )
        for port in (22, 9100)
    ]  # fmt: skip
    osdev.compute.update_quota_set(project, cores=99)
    core.patch_namespaced_resource_quota("tenancy", space, {"spec": {"hard": {"pods": "999"}}})
    assert (city.check(), city.check(servers)) == ("drifted", "drifted")
    seen = {
        (f.name, f.kind.value, "" if f.added else f.attribute)
        for f in (*city.standing(), *city.standing(servers))
    }
    print(*sorted(seen), sep="\n")
    assert seen == {
        ("server-1", "changed", "name"),
        ("data-1", "changed", 'metadata["borough.resource"]'),
        ("servers-tcp-8080", "missing", ""),
        ("servers", "added", ""),
        ("compute-quota", "changed", "cores"),
        ("quota", "changed", "spec.hard.pods"),
    }
    by_id = {f.attribute: f for f in city.standing(servers) if f.added}
    assert set(by_id) == {rule.id for rule in opened}
    ssh, metrics = (by_id[rule.id] for rule in opened)
    assert ssh.found == {
        "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "portRangeMin": 22,
        "portRangeMax": 22, "remoteIpPrefix": "0.0.0.0/0",
    }  # fmt: skip

    # One rule is accepted, the other removed by its id; the rest is brought back.
    adopt = city.drift.request_adopt(
        PLATFORM, servers.id, findings=[metrics.id], reason="metrics are read"
    )
    assert city.do(adopt) == {"adopted": 0, "deviations": 1, "inputs": []}
    city.do(city.drift.request_repair(PLATFORM, servers.id, remove=[ssh.attribute]))
    assert city.do(city.drift.request_repair(PLATFORM, city.there.id))["outcome"] == "clean"
    there = {r.id for r in osdev.network.security_group_rules(security_group_id=group)}
    assert ssh.attribute not in there
    assert metrics.attribute in there
    assert city.id(servers, "servers-tcp-8080") in there
    assert osdev.compute.get_server(server).name != "renamed"
    assert osdev.compute.get_quota_set(project).cores == 8

    # A second look finds nothing but what was accepted, and then nothing.
    city.check(servers)
    (left,) = city.standing(servers)
    assert (left.id, left.deviation) == (metrics.id, True)
    done = city.do(city.drift.request_repair(PLATFORM, servers.id, remove=[metrics.attribute]))
    assert done == {"repaired": 1, "outcome": "clean"}
    assert (city.check(), city.check(servers)) == ("clean", "clean")


def test_a_tenancy_that_somebody_changes_by_hand(city: City, osdev: Any, kube: Any) -> None:
    core: Any = kubernetes.client.CoreV1Api(kube)
    network: Any = kubernetes.client.NetworkingV1Api(kube)
    project = osdev.identity.get_project(city.there.outputs["project_id"])
    space = str(city.there.outputs["namespace"])
    assert city.check() == "clean"

    # Six changes in two clouds.
    osdev.identity.update_project(project, description="tampered")
    osdev.identity.put(f"/projects/{project.id}/tags", json={"tags": ["mine"]})
    osdev.compute.update_quota_set(project.id, cores=99)
    (group,) = [
        g for g in osdev.network.security_groups(project_id=project.id) if g.name != "default"
    ]
    for rule in osdev.network.security_group_rules(security_group_id=group.id):
        if rule.direction == "ingress":
            osdev.network.delete_security_group_rule(rule)
    core.patch_namespaced_resource_quota("tenancy", space, {"spec": {"hard": {"pods": "999"}}})
    core.patch_namespace(space, {"metadata": {"labels": {"borough.dev/tenancy": "other"}}})
    (policy, *_) = network.list_namespaced_network_policy(space).items
    network.delete_namespaced_network_policy(policy.metadata.name, space)
    assert city.check() == "drifted"
    found = city.standing()
    for each in found:
        print(each.name, each.kind.value, each.attribute, each.wanted, "→", each.found)
    types = {f.type.rpartition(":")[2]: f.kind.value for f in found}
    assert types == {
        "Project": "changed",
        "QuotaSetV2": "changed",
        "SecGroupRule": "missing",
        "ResourceQuota": "changed",
        "Namespace": "changed",
        "NetworkPolicy": "missing",
    }
    properties = {(f.type.rpartition(":")[2], f.attribute): (f.wanted, f.found) for f in found}
    assert properties["ResourceQuota", "spec.hard.pods"] == ("50", "999")
    assert properties["QuotaSetV2", "cores"] == (8, 99)
    assert properties["Project", "description"][1] == "tampered"
    assert any(attribute.startswith("tags") for _, attribute in properties)
    assert "admin-secret" not in repr(found)

    # Brought back, and nothing else.
    done = city.do(city.drift.request_repair(PLATFORM, city.there.id, reason="nobody ordered it"))
    assert done["outcome"] == "clean"
    assert osdev.identity.get_project(project.id).description != "tampered"
    assert osdev.compute.get_quota_set(project.id).cores == 8
    assert core.read_namespaced_resource_quota("tenancy", space).spec.hard["pods"] == "50"
    names = {p.metadata.name for p in network.list_namespaced_network_policy(space).items}
    assert policy.metadata.name in names
    rules = osdev.network.security_group_rules(security_group_id=group.id)
    assert "ingress" in {rule.direction for rule in rules}

    # Wanted: one more address in the one cloud, more pods in the other; both are inputs.
    osdev.network.update_quota(project.id, floating_ips=2)
    core.patch_namespaced_resource_quota("tenancy", space, {"spec": {"hard": {"pods": "60"}}})
    assert city.check() == "drifted"
    assert {f.type.rpartition(":")[2] for f in city.standing()} == {"QuotaV2", "ResourceQuota"}
    done = city.do(city.drift.request_adopt(PLATFORM, city.there.id, reason="two services"))
    assert done == {"adopted": 2, "deviations": 0, "inputs": ["floating_ips", "pods"]}
    now = city.provisioning.deployment(PLATFORM, city.there.id)
    assert (now.inputs["floating_ips"], now.inputs["pods"]) == (2, 60)
    assert city.owners.told == [("instance:ins_1", now.inputs, {})]
    assert now.footprint == city.there.footprint
    assert city.check() == "clean"
    assert osdev.network.get_quota(project.id).floating_ips == 2
