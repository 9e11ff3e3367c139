"""Every bundled blueprint through its life on a real OpenStack and a real Kubernetes.

Create, change in place, change that replaces, drift that is found and repaired, destroy; after all
lives the tenancy holds what it held before. A blueprint joins by a row of ``LIVES``. All share one
tenancy, whose own life is around the others'; a few are led at once, so that the whole takes as
long as the longest. The table at the end of the run says how long each phase took.
"""

import shutil
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import kubernetes
import openstack
import pytest

from control_plane.adapters.pulumi.engine import PulumiEngine
from control_plane.provisioning.graph import ApplyState
from control_plane.provisioning.ports import Program, ProgramError, RegionAccess, Run
from foundation.kernel.scratch import Scratch
from tests.integration import lives
from tests.integration.lives import (
    Clouds,
    Deployed,
    Life,
    Living,
    eventually,
    make_run,
    succeeded,
    yes,
)
from tests.integration.seeds import OTHER_IMAGE

# --- tenancy


def _tenancy_is_what_it_says(it: Deployed) -> None:
    cloud, project = it.clouds.openstack, it.outputs["project_id"]
    assert f"borough.deployment={it.run.deployment.id}" in cloud.identity.get_project(project).tags
    limits = cloud.compute.get_quota_set(project)
    assert (limits.cores, limits.ram, limits.instances) == (16, 32 * 1024, 8)
    assert cloud.block_storage.get_quota_set(project).gigabytes == 200
    assert cloud.network.get_network(it.outputs["network_id"]).project_id == project
    assert set(it.made.secret_outputs) == {"user_password"}
    core: Any = kubernetes.client.CoreV1Api(it.clouds.kube)
    assert core.read_namespaced_resource_quota("tenancy", it.name).spec.hard["requests.cpu"] == "16"
    roles = kubernetes.client.RbacAuthorizationV1Api(it.clouds.kube)
    assert roles.read_namespaced_role_binding("deployer", it.name).role_ref.name == "deployer"


def _tenancy_has_more(it: Deployed) -> None:
    assert it.clouds.openstack.compute.get_quota_set(it.clouds.project).cores == 18
    core: Any = kubernetes.client.CoreV1Api(it.clouds.kube)
    assert core.read_namespaced_resource_quota("tenancy", it.name).spec.hard["requests.cpu"] == "18"


def _tamper_with_tenancy(it: Deployed) -> None:
    it.clouds.openstack.identity.update_project(it.clouds.project, description="tampered")
    core: Any = kubernetes.client.CoreV1Api(it.clouds.kube)
    core.patch_namespaced_resource_quota("tenancy", it.name, {"spec": {"hard": {"pods": "999"}}})


TENANCY = Life(
    "tenancy",
    create={
        "vcpus": 16, "ram_gb": 32, "instances": 8, "volume_gb": 200, "load_balancers": 2,
        "floating_ips": 4, "network_cidr": "10.77.0.0/24",
    },
    created=_tenancy_is_what_it_says,
    change={"vcpus": 18},
    changes={"compute-quota": "update", "quota": "update"},
    changed=_tenancy_has_more,
    replace={"network_cidr": "10.78.0.0/24"},
    replaces={"subnet": "replace", "router-subnet": "replace"},
    tamper=_tamper_with_tenancy,
    drifts=frozenset({"project", "quota"}),
)  # fmt: skip


# --- web-application: on servers first, then in containers


def _application_on_servers(it: Deployed) -> None:
    servers = _servers(it)
    assert set(servers) == {f"{it.name}-1", f"{it.name}-2"}
    first = servers[f"{it.name}-1"]
    assert first.metadata["borough.deployment"] == it.run.deployment.id
    assert first.flavor["original_name"] == "city.small"
    balancer = it.clouds.openstack.load_balancer.get_load_balancer(it.id("balancer"))
    assert it.outputs["address"] == balancer.vip_address


def _application_has_less(it: Deployed) -> None:
    assert set(_servers(it)) == {f"{it.name}-1"}
    assert it.clouds.openstack.block_storage.get_volume(it.id("data")).size == 12


def _tamper_with_containers(it: Deployed) -> None:
    # It answers, so the move to containers was a whole one.
    core: Any = kubernetes.client.CoreV1Api(it.clouds.kube)
    service = f"{it.outputs['service_name']}:http"
    page = core.connect_get_namespaced_service_proxy(service, it.clouds.namespace)
    assert "Directory listing" in page
    apps = kubernetes.client.AppsV1Api(it.clouds.kube)
    apps.patch_namespaced_deployment(it.name, it.clouds.namespace, {"spec": {"replicas": 3}})
    network = kubernetes.client.NetworkingV1Api(it.clouds.kube)
    network.delete_namespaced_network_policy(f"{it.name}-reach", it.clouds.namespace)


def _servers(it: Deployed) -> dict[str, Any]:
    """Its servers by name; other lives have theirs in the same project."""
    found = it.clouds.openstack.compute.servers(all_projects=True, project_id=it.clouds.project)
    return {s.name: s for s in found if s.name.startswith(it.name)}


WEB_APPLICATION = Life(
    "web-application",
    create={"servers": 2, "size": "s", "volume_gb": 10},
    created=_application_on_servers,
    change={"servers": 1, "volume_gb": 12},
    changes={"data": "update", "server-2": "delete", "member-2": "delete"},
    changed=_application_has_less,
    # Another platform: the same logical names, other resources.
    replace={"platform": "kubernetes"},
    replaces={
        "web": "delete", "web-http": "delete", "server-1": "delete", "data": "create+delete",
        "data-1": "delete", "balancer": "delete", "http": "delete", "servers": "delete",
        "member-1": "delete", "health": "delete", "account": "create", "application": "create",
        "service": "create", "reach": "create",
    },
    tamper=_tamper_with_containers,
    drifts=frozenset({"application", "reach"}),
)  # fmt: skip


# --- virtual-server


def _group_of_servers(it: Deployed) -> None:
    cloud = it.clouds.openstack
    server = _servers(it)[f"{it.name}-1"]
    assert server.metadata["borough.deployment"] == it.run.deployment.id
    (group,) = [
        g for g in cloud.compute.server_groups(all_projects=True) if server.id in g.member_ids
    ]
    assert group.policy == "soft-anti-affinity"
    (attached,) = cloud.compute.volume_attachments(server)
    volume = cloud.block_storage.get_volume(attached.volume_id)
    assert (volume.size, volume.name) == (10, f"{it.name}-data-1")
    public = cloud.network.get_ip(it.id("public-address"))
    assert it.outputs["address"] == public.floating_ip_address
    balancer = cloud.load_balancer.get_load_balancer(it.outputs["load_balancer_id"])
    assert public.fixed_ip_address == balancer.vip_address


def _grown_group(it: Deployed) -> None:
    cloud, servers = it.clouds.openstack, _servers(it)
    assert set(servers) == {f"{it.name}-1", f"{it.name}-2"}
    assert servers[f"{it.name}-1"].flavor["original_name"] == "city.medium"
    assert {s.image.id for s in servers.values()} == {cloud.image.find_image(OTHER_IMAGE).id}
    sizes = [cloud.block_storage.get_volume(it.id(f"data-{n}")).size for n in (1, 2)]
    assert sizes == [12, 12]


def _tamper_with_servers(it: Deployed) -> None:
    cloud = it.clouds.openstack
    cloud.network.delete_security_group_rule(it.id("servers-tcp-8080"))
    cloud.compute.update_server(it.id("server-1"), name="tampered")


VIRTUAL_SERVER = Life(
    "virtual-server",
    create={
        "servers": 1, "size": "s", "volume_gb": 10, "ports": [8080], "load_balancer": True,
        "public_address": True,
    },
    created=_group_of_servers,
    change={"servers": 2, "size": "m", "volume_gb": 12, "image": "other"},
    changes={
        "server-1": "update", "data-1": "update", "server-2": "create", "port-2": "create",
        "data-2": "create", "attached-2": "create", "member-8080-2": "create",
    },
    changed=_grown_group,
    replace={"user_data": "#cloud-config\n"},
    replaces={
        "server-1": "replace", "server-2": "replace", "attached-1": "replace",
        "attached-2": "replace",
    },
    tamper=_tamper_with_servers,
    drifts=frozenset({"servers-tcp-8080", "server-1"}),
    lacks="one hypervisor that boots nothing: whether servers end up on different hosts, and what "
    "cloud-init makes of user_data, is not shown",
)  # fmt: skip


# --- bare-server


def _physical_server(it: Deployed) -> None:
    (server,) = _servers(it).values()
    assert server.flavor["original_name"] == "metal.general"
    assert server.metadata["borough.model"] == "general"
    assert server.has_config_drive


def _installed_anew(it: Deployed) -> None:
    (server,) = _servers(it).values()
    assert server.image.id == it.clouds.openstack.image.find_image(OTHER_IMAGE).id


def _tamper_with_port(it: Deployed) -> None:
    it.clouds.openstack.network.update_port(it.id("port-1"), description="tampered")


BARE_SERVER = Life(
    "bare-server",
    create={"servers": 1, "model": "general"},
    created=_physical_server,
    change={"image": "other"},
    changes={"server-1": "update"},
    changed=_installed_anew,
    replace={"model": "storage"},
    replaces={"server-1": "replace"},
    tamper=_tamper_with_port,
    drifts=frozenset({"port-1"}),
    lacks="no Ironic: flavors of virtual servers stand for the registered models, no physical "
    "machine is chosen, installed or wiped",
)

LIVES = (VIRTUAL_SERVER, WEB_APPLICATION, BARE_SERVER)
"""The lives that are led inside the tenancy, the longest first; each row is one test."""
AT_ONCE = 3
_PATIENCE = 900.0


@pytest.fixture(scope="module")
def tenancy(
    engine: PulumiEngine, region: RegionAccess, osdev: Any, kube: Any
) -> Iterator[tuple[Living, Clouds]]:
    """A tenancy in the middle of its life; its own last test ends it."""
    name = f"life-{uuid.uuid4().hex[:6]}"
    living = Living(engine, TENANCY, make_run("tenancy", name, region, TENANCY.create), None)
    try:
        made = living.create()
        outputs = made.outputs
        clouds = Clouds(osdev, kube, str(outputs["project_id"]), str(outputs["user_name"]), name)
        living.at(clouds)
        yield living, clouds
    finally:
        living.abandon()


Led = tuple[dict[str, "Future[None]"], frozenset[str]]
"""Each life by its blueprint, and what stood in the tenancy before them."""


def lead(
    engine: PulumiEngine, region: RegionAccess, around: Living, clouds: Clouds, life: Life
) -> None:
    """Lead one life from its creation to its end; whatever goes wrong, nothing stays."""
    name = f"{clouds.namespace}-{life.blueprint[:10].rstrip('-')}"
    run = make_run(
        life.blueprint, name, region, life.create, around.made, of=around.run.deployment.name
    )
    living = Living(engine, life, run, clouds)
    try:
        living.create()
        living.look(life.created)
        living.change()
        living.replace()
        living.drift()
        living.destroy()
    except BaseException:
        living.abandon()
        raise


@pytest.fixture(scope="module")
def led(
    engine: PulumiEngine, region: RegionAccess, tenancy: tuple[Living, Clouds]
) -> Iterator[Led]:
    """Every life, a few at once: clouds are waited for, most of the time.

    With them what stood in the tenancy before any of them.
    """
    around, clouds = tenancy
    before = clouds.inside()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield (
            {
                life.blueprint: pool.submit(lead, engine, region, around, clouds, life)
                for life in LIVES
            },
            before,
        )


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.blueprint)
def test_a_life(led: Led, life: Life) -> None:
    if life.lacks:
        lives.LACKS[life.blueprint] = life.lacks
    led[0][life.blueprint].result(timeout=_PATIENCE)


def test_nothing_is_left_of_any_life(led: Led, tenancy: tuple[Living, Clouds]) -> None:
    wait(led[0].values(), timeout=_PATIENCE)
    clouds = tenancy[1]
    assert eventually(lambda: clouds.inside() == led[1]), clouds.inside() ^ led[1]


def test_object_storage_is_refused_and_its_keys_are_real(
    engine: PulumiEngine, region: RegionAccess, tenancy: tuple[Living, Clouds]
) -> None:
    """There is no Swift: the program is refused, and tried without its containers."""
    around, clouds = tenancy
    assert "object-store" not in {s.type for s in clouds.openstack.identity.services()}
    lives.LACKS["object-storage"] = (
        "the devcloud's OpenStack has no Swift: its keys are made and used there, its containers "
        "only in the embedded region (tests/contract/engine); where there is none it is refused"
    )
    name = f"{clouds.namespace}-objects"
    run = make_run("object-storage", name, region, {"size_gb": 10}, around.made)
    with pytest.raises(ProgramError, match="the region has no object storage"):
        engine.preview(run)
    cloud: Any = region.config["openstack"]
    facts: Any = {**cloud, "object_storage": {"s3_url": "http://objects.invalid"}}
    run = replace(run, region=replace(region, config={**region.config, "openstack": facts}))
    with Scratch("borough-objects-") as scratch:
        run = replace(
            run, program=Program(_without_containers(run.program.path, scratch.path), "sha256:")
        )
        try:
            _keys_are_real(engine, run, clouds, str(cloud["auth_url"]))
        finally:
            engine.recover(run)
            gone = engine.destroy(run)
    assert gone.state is ApplyState.SUCCEEDED, gone.error
    assert _s3_keys(clouds) == []


def _without_containers(program: Path, folder: Path) -> Path:
    folder.chmod(0o755)
    made = shutil.copytree(program, folder / "object-storage")
    text = (made / "__main__.py").read_text()
    containers = 'for name in ordered["containers"]:'
    assert text.count(containers) == 1
    (made / "__main__.py").write_text(text.replace(containers, "for name in []:"))
    return made


def _keys_are_real(engine: PulumiEngine, run: Run, clouds: Clouds, auth_url: str) -> None:
    made = succeeded(engine.apply(run, confirm=yes))
    (key,) = _s3_keys(clouds)
    assert made.outputs["access_key"] == key["access"]
    assert made.secret_outputs["secret_key"] == key["secret"]
    assert key["tenant_id"] == clouds.project
    # Another generation is another key; an application credential signs in.
    own = replace(run, inputs={**run.inputs, "access": "openstack", "key_generation": 2})
    changed = succeeded(engine.apply(own, confirm=yes))
    assert _s3_keys(clouds) == []
    secret = {
        "auth_url": auth_url,
        "application_credential_id": changed.outputs["credential_id"],
        "application_credential_secret": changed.secret_outputs["credential_secret"],
    }
    with openstack.connect(
        auth_type="v3applicationcredential",
        auth=secret,
        region_name=clouds.openstack.config.region_name,
        load_yaml_config=False,
        load_envvars=False,
    ) as signed_in:
        assert signed_in.current_project_id == clouds.project
    assert engine.preview(own).effective == ()


def _s3_keys(clouds: Clouds) -> list[dict[str, Any]]:
    user = clouds.openstack.identity.find_user(clouds.user)
    answer = clouds.openstack.identity.get(f"/users/{user.id}/credentials/OS-EC2")
    found: list[dict[str, Any]] = answer.json()["credentials"]
    return found


def test_the_tenancys_own_life(tenancy: tuple[Living, Clouds], osdev: Any, kube: Any) -> None:
    """The last: it changes what the others stood in."""
    living, clouds = tenancy
    living.look(TENANCY.created)
    living.change()
    living.replace()
    living.drift()
    living.destroy()
    name = clouds.namespace
    assert osdev.identity.find_project(name) is None
    assert not list(osdev.identity.users(name=f"{name}-user"))
    for things in (osdev.network.networks, osdev.network.routers, osdev.network.ports):
        assert not list(things(project_id=clouds.project))
    # Neutron's own group, which it makes for every project and keeps.
    groups = osdev.network.security_groups(project_id=clouds.project)
    assert {g.name for g in groups} <= {"default"}
    core: Any = kubernetes.client.CoreV1Api(kube)
    assert eventually(lambda: name not in {n.metadata.name for n in core.list_namespace().items})
