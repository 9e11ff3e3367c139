"""A project that somebody made by hand on a real OpenStack becomes deployments, untouched."""

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openstack
import pytest
import sqlalchemy as sa

from control_plane.adapters.openstack.finder import OpenStackFinder
from control_plane.adapters.program_host.host import ProgramHost
from control_plane.adapters.pulumi.engine import PulumiEngine
from control_plane.provisioning.imports import jobs
from control_plane.provisioning.imports.model import Proposal
from control_plane.provisioning.imports.service import Imports, Needs, Wish
from control_plane.provisioning.model import Deployment, DeploymentState, EngineKind, Plan
from control_plane.provisioning.ports import RegionAccess
from control_plane.provisioning.service import Provisioning
from foundation.adapters.clock import SystemClock
from foundation.kernel import ids
from foundation.kernel.database import Database
from foundation.kernel.errors import Conflict, Invalid
from foundation.operations.model import Operation
from tests.contract.provisioning.conftest import PLATFORM, parts, text
from tests.fakes.reservations import FakeReservations
from tests.integration.conftest import ROOT, Devcloud
from tests.integration.seeds import EXTERNAL_NETWORK, IMAGE
from tests.integration.test_drift_on_devcloud import Now

PATIENCE = 120.0


@dataclass
class Handmade:
    """What somebody made: ids by what it is."""

    name: str
    cloud: Any
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def project(self) -> str:
        return self.ids["project"]

    def inside(self) -> dict[str, set[str]]:
        """The ids of all that is in the project, by kind."""
        c, p = self.cloud, self.project
        return {
            "servers": {s.id for s in c.compute.servers()},
            "volumes": {v.id for v in c.block_storage.volumes()},
            "networks": {n.id for n in c.network.networks(project_id=p)},
            "subnets": {n.id for n in c.network.subnets(project_id=p)},
            "routers": {r.id for r in c.network.routers(project_id=p)},
            "groups": {g.id for g in c.network.security_groups(project_id=p)},
            "addresses": {a.id for a in c.network.ips(project_id=p)},
            "ports": {
                f.id for f in c.network.ports(project_id=p) if f.device_owner.startswith("compute:")
            },
        }


def _wait(server: Any, cloud: Any) -> Any:
    return cloud.compute.wait_for_server(server, wait=PATIENCE, interval=1)


def _make(made: Handmade, osdev: Any) -> None:
    c = made.cloud
    external = osdev.network.find_network(EXTERNAL_NETWORK)
    network = c.network.create_network(name="lan", description="made by hand")
    made.ids["network"] = network.id
    subnet = c.network.create_subnet(
        name="lan-v4", network_id=network.id, ip_version=4, cidr="10.91.7.0/24"
    )
    made.ids["subnet"] = subnet.id
    router = c.network.create_router(
        name="way-out", external_gateway_info={"network_id": external.id}
    )
    made.ids["router"] = router.id
    c.network.add_interface_to_router(router, subnet_id=subnet.id)
    for group, port in (("web", 80), ("batch", 8080)):
        there = c.network.create_security_group(name=group, description="made by hand")
        made.ids[group] = there.id
        c.network.create_security_group_rule(
            security_group_id=there.id, direction="ingress", ethertype="IPv4", protocol="tcp",
            port_range_min=port, port_range_max=port, remote_ip_prefix="0.0.0.0/0",
        )  # fmt: skip
    flavor, image = osdev.compute.find_flavor("city.small"), osdev.image.find_image(IMAGE)
    for name in ("web", "batch"):
        server = c.compute.create_server(
            name=f"{name}-by-hand", flavor_id=flavor.id, image_id=image.id,
            networks=[{"uuid": network.id}], security_groups=[{"name": name}],
        )  # fmt: skip
        made.ids[f"{name}-server"] = server.id
        _wait(server, c)
    volume = c.block_storage.create_volume(name="papers", size=1)
    made.ids["volume"] = volume.id
    c.block_storage.wait_for_status(volume, "available", wait=PATIENCE, interval=1)
    c.compute.create_volume_attachment(made.ids["web-server"], volume_id=volume.id)
    volume = c.block_storage.get_volume(volume.id)
    c.block_storage.wait_for_status(volume, "in-use", wait=PATIENCE, interval=1)
    (port,) = c.network.ports(device_id=made.ids["web-server"])
    address = c.network.create_ip(floating_network_id=external.id, port_id=port.id)
    made.ids["address"] = address.id


def _clear(made: Handmade, osdev: Any) -> None:
    """Remove whatever is left of the project."""
    _clear_servers(made.cloud, made.project)
    _clear_networks(made.cloud, made.project)
    for group in osdev.network.security_groups(project_id=made.project):
        if group.name != "default":
            osdev.network.delete_security_group(group)


def _clear_servers(c: Any, p: str) -> None:
    for address in c.network.ips(project_id=p):
        c.network.delete_ip(address)
    servers = list(c.compute.servers())
    for server in servers:
        c.compute.delete_server(server)
    for server in servers:
        c.compute.wait_for_delete(server, wait=PATIENCE, interval=1)
    for volume in list(c.block_storage.volumes()):
        found = c.block_storage.wait_for_status(
            volume, "available", failures=["error"], wait=PATIENCE, interval=1
        )
        c.block_storage.delete_volume(found)
        c.block_storage.wait_for_delete(found, wait=PATIENCE, interval=1)


def _clear_networks(c: Any, p: str) -> None:
    for router in c.network.routers(project_id=p):
        for port in c.network.ports(device_id=router.id):
            if port.device_owner == "network:router_interface":
                c.network.remove_interface_from_router(router, port_id=port.id)
        c.network.delete_router(router)
    for port in c.network.ports(project_id=p):
        c.network.delete_port(port)
    for network in c.network.networks(project_id=p):
        c.network.delete_network(network)


@pytest.fixture
def handmade(osdev: Any, devcloud: Devcloud) -> Iterator[Handmade]:
    name = f"hand-{uuid.uuid4().hex[:6]}"
    project = osdev.identity.create_project(name=name, description="Nobody wrote it down")
    admin = osdev.identity.find_user("admin")
    role = osdev.identity.find_role("member")
    osdev.identity.assign_project_role_to_user(project, admin, role)
    with openstack.connect(
        region_name=devcloud.region,
        auth={
            "auth_url": devcloud.auth_url, "username": "admin", "password": "admin-secret",
            "project_id": project.id, "user_domain_name": "Default",
        },
        load_yaml_config=False, load_envvars=False,
    ) as cloud:  # fmt: skip
        made = Handmade(name, cloud, {"project": project.id})
        try:
            _make(made, osdev)
            yield made
        finally:
            if project.id in {p.id for p in osdev.identity.projects()}:
                _clear(made, osdev)
                osdev.identity.delete_project(project)


@dataclass
class City:
    """The services over the devcloud."""

    database: Database
    provisioning: Provisioning
    imports: Imports
    engine: PulumiEngine
    tenancy: str
    made: list[str] = field(default_factory=list)
    done: bool = False

    def forget(self, deployment: str) -> None:
        """After a failure, let what was imported be nobody's again: the maker removes it."""
        there = self.provisioning.deployment(PLATFORM, deployment)
        with self.database.transaction():
            imported = self.provisioning.imported_in_transaction(deployment)
        run, engine = self.provisioning._present(there)  # noqa: SLF001 - there is no use case
        engine.release(run, list(imported))

    def plan(self, proposal: Proposal, **changed: Any) -> Plan:
        wish = {
            "tenancy": self.tenancy, "region": "devcloud", "blueprint": proposal.blueprint,
            "inputs": proposal.inputs, "ids": proposal.ids, "name": proposal.name,
            "creations": True, **changed,
        }  # fmt: skip
        begin = time.monotonic()
        plan = self.imports.plan(PLATFORM, Wish(**wish))
        print(f"plan of {plan.blueprint}: {time.monotonic() - begin:.1f} s {plan.counts}")
        self.made.append(plan.deployment_id)
        return plan

    def apply(self, plan: Plan) -> Deployment:
        begin = time.monotonic()
        self.do(self.imports.request_apply(PLATFORM, plan.id, plan.digest))
        print(f"import of {plan.blueprint}: {time.monotonic() - begin:.1f} s")
        return self.provisioning.deployment(PLATFORM, plan.deployment_id)

    def do(self, operation: Operation) -> Any:
        ctx: Any = Now(operation)
        try:
            return jobs.handlers(self.imports)[operation.kind].run(ctx)
        finally:
            with self.database.transaction():
                self.database.execute(
                    sa.text("UPDATE operations_operation SET state = 'succeeded'")
                )


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
    name = f"import-{uuid.uuid4().hex[:6]}"
    tenancies.create_tenancy(PLATFORM, organisation="/c/", slug=name, name=text(name))
    folders = [ROOT / "blueprints" / each for each in ("tenancy", "virtual-server")]
    provisioning.publish_bundled(folders)
    provisioning.add_region(
        PLATFORM,
        slug="devcloud",
        title=text("Devcloud"),
        kinds=["openstack"],
        engine="pulumi",
        config={"openstack": region.config["openstack"]},
        credentials={"openstack": region.credentials["openstack"]},
        data_classes=["public", "internal"],
    )
    imports = Imports(
        Needs(
            db=database, audit=made["audit"], tenancy=tenancies, operations=made["operations"],
            provisioning=provisioning, reservations=FakeReservations(),
            finders={EngineKind.PULUMI: OpenStackFinder()},
        )
    )  # fmt: skip
    there = City(database, provisioning, imports, engine, name)
    yield there
    for deployment in reversed(there.made):
        begin = time.monotonic()
        if not there.done:
            there.forget(deployment)
        gone = provisioning.destroy(deployment, operation=ids.new("op"))
        print(f"destroy: {time.monotonic() - begin:.1f} s")
        assert gone.state is DeploymentState.DESTROYED, gone.error


def show(plan: Plan) -> None:
    for change in plan.changes:
        print(change.op.value, change.name, change.type)
        for p in change.properties if change.op.value != "create" else ():
            print("   ", p.path, p.before, "→", p.after, "!" if p.forces_replacement else "")


def test_a_project_made_by_hand(handmade: Handmade, city: City) -> None:
    before = handmade.inside()
    (project,) = [
        p for p in city.imports.discover(PLATFORM, "devcloud") if p.id == handmade.project
    ]
    assert (project.name, project.deployment) == (handmade.name, "")
    assert project.unowned["Instance"] == 2
    proposals = city.imports.propose(PLATFORM, "devcloud", handmade.project)
    for each in proposals.items:
        print(each)
    print("left:", [(f.kind, f.name or f.id) for f in proposals.left])
    tenancy, web, batch = _recognised(handmade, proposals.items)
    _refusals(city, handmade, tenancy)
    assert handmade.inside() == before

    # The project first, then what is in it.
    plan = city.plan(tenancy)
    show(plan)
    landing = city.apply(plan)
    assert landing.state is DeploymentState.ACTIVE, landing.error
    assert landing.outputs["project_id"] == handmade.project
    made = []
    for proposal in (web, batch):
        plan = city.plan(proposal)
        show(plan)
        there = city.apply(plan)
        assert there.state is DeploymentState.ACTIVE, there.error
        made.append(there)

    # The same objects, and the second preview shows no change.
    after = handmade.inside()
    assert {k: v for k, v in after.items() if k != "groups"} == {
        k: v for k, v in before.items() if k != "groups"
    }
    assert before["groups"] < after["groups"]  # the tenancy's own, which was in the plan
    for there in (landing, *made):
        assert city.provisioning.outlook(there).effective == (), there.name
        assert city.provisioning.look_at(there) == (), there.name
    assert city.imports.inside(PLATFORM, "devcloud", handmade.project) == [
        f for f in city.imports.inside(PLATFORM, "devcloud", handmade.project)
        if f.name == "default" or f.kind in {"Port", "SecGroupRule"}
    ]  # fmt: skip
    with pytest.raises(Invalid, match="belongs to the deployment"):
        city.imports.plan(PLATFORM, _wish(city, web, name="again"))

    # From now on it is changed like any other: one more open port, a larger volume.
    change = city.provisioning.plan_deployment(
        PLATFORM, made[0].id, inputs={**made[0].inputs, "ports": [80, 443], "volume_gb": 2}
    )
    assert change.counts["create"] == 1
    assert "replace" not in change.counts
    changed = city.apply(change)
    assert changed.state is DeploymentState.ACTIVE, changed.error
    assert handmade.cloud.block_storage.get_volume(handmade.ids["volume"]).size == 2
    assert handmade.inside()["servers"] == before["servers"]
    assert city.provisioning.outlook(changed).effective == ()
    city.done = True


def _recognised(handmade: Handmade, items: Sequence[Proposal]) -> tuple[Proposal, ...]:
    """The proposals of the project and of its two servers."""
    tenancy, *servers = items
    assert {tenancy.ids[n] for n in ("network", "subnet", "router", "project")} == {
        handmade.ids[n] for n in ("network", "subnet", "router", "project")
    }
    by_server = {p.ids["server-1"]: p for p in servers}
    web, batch = (by_server[handmade.ids[f"{n}-server"]] for n in ("web", "batch"))
    assert web.ids["servers"] == handmade.ids["web"]
    assert web.ids["data-1"] == handmade.ids["volume"]
    assert web.ids["public-address-1"] == handmade.ids["address"]
    assert batch.ids["servers"] == handmade.ids["batch"]
    assert (web.inputs["ports"], web.inputs["volume_gb"]) == ([80], 1)
    assert (batch.inputs["ports"], batch.inputs["public_address"]) == ([8080], False)
    return tenancy, web, batch


def _refusals(city: City, handmade: Handmade, tenancy: Proposal) -> None:
    # Nothing may be made without leave; what does not fit is named, and nothing happens.
    with pytest.raises(Conflict, match=r"user .* would be created"):
        city.imports.plan(PLATFORM, _wish(city, tenancy, creations=False))
    wrong = {**tenancy.ids, "router": tenancy.ids["subnet"], "network": uuid.uuid4().hex}
    with pytest.raises(Invalid) as refused:
        city.imports.plan(PLATFORM, _wish(city, tenancy, ids=wrong))
    assert {p.field: p.message for p in refused.value.problems} == {
        "ids.network": f"is no Network in the project {handmade.project}",
        "ids.router": "is a Subnet, not a Router",
    }
    narrow = {**tenancy.inputs, "network_cidr": "10.91.8.0/24"}
    with pytest.raises(Conflict, match=r"subnet would be replaced \(cidr: 10.91.7.0/24 → "):
        city.imports.plan(PLATFORM, _wish(city, tenancy, inputs=narrow))


def _wish(city: City, proposal: Proposal, **changed: Any) -> Wish:
    return Wish(**{
        "tenancy": city.tenancy, "region": "devcloud", "blueprint": proposal.blueprint,
        "inputs": proposal.inputs, "ids": proposal.ids, "name": proposal.name,
        "creations": True, **changed,
    })  # fmt: skip
