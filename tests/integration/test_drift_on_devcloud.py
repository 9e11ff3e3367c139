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
from foundation.operations.model import Operation
from tests.contract.provisioning.conftest import PLATFORM, parts, text
from tests.fakes.owners import FakeOwners
from tests.integration.conftest import ROOT

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

    def check(self) -> str:
        outcome = self.do(self.drift.request_check(PLATFORM, self.there.id))["outcome"]
        return str(outcome)

    def standing(self) -> list[Finding]:
        return list(self.drift.of_deployment(PLATFORM, self.there.id)[1])


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
    provisioning.publish_bundled([ROOT / "blueprints" / "tenancy"])
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
