"""The servers of a deployment: what outputs may say, and what is not believed."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from control_plane.provisioning.model import (
    Deployment,
    DeploymentId,
    DeploymentState,
    InventoryState,
    RegionId,
    Resource,
    ResourceId,
)
from control_plane.provisioning.playbooks.inventory import servers_of
from control_plane.provisioning.playbooks.model import Access
from foundation.kernel.errors import Conflict

AT = datetime(2026, 11, 3, tzinfo=UTC)
ACCESS = Access("ten_1", "/city/", "debian", 22, True, "inside", "ssh-ed25519 A", "per_1", AT)


def deployment(**outputs: Any) -> Deployment:
    return Deployment(
        DeploymentId("dep_1"), "ten_1", "/city/", RegionId("reg_1"), "virtual-server", "sha256:0",
        "shop", {}, DeploymentState.ACTIVE, outputs, (), None, "", "", "", "",
        {"instances": Decimal(2)}, {}, AT, AT,
    )  # fmt: skip


def resource(name: str, physical: str) -> Resource:
    return Resource(
        ResourceId(f"res_{name}"), DeploymentId("dep_1"), RegionId("reg_1"), "ten_1", "/city/",
        f"urn:{name}", "openstack:compute/instance:Instance", name, physical,
        InventoryState.CREATED, "", (), AT,
    )  # fmt: skip


def test_servers_are_named_by_their_resources_and_known_by_their_ids() -> None:
    there = deployment(server_ids=["a-1", "a-2"], server_addresses=["10.0.0.4", "fd00::5"])
    found = servers_of(there, [resource("server-2", "a-2"), resource("web", "a-1")], ACCESS)
    assert [(s.name, s.alias, s.address, s.user, s.port) for s in found] == [
        ("web", "a-1", "10.0.0.4", "debian", 22),
        ("server-2", "a-2", "fd00::5", "debian", 22),
    ]


def test_outputs_may_name_users_ports_and_names() -> None:
    there = deployment(
        server_addresses=["h1.example"], server_users=["admin"], server_ssh_ports=[2222],
        server_names=["first one"],
    )  # fmt: skip
    (only,) = servers_of(there, [], ACCESS)
    assert (only.name, only.user, only.port, only.alias) == (
        "first-one", "admin", 2222, "dep_1-0",
    )  # fmt: skip


def test_public_addresses_are_used_where_that_is_said() -> None:
    there = deployment(server_addresses=["10.0.0.4"], public_addresses=["203.0.113.9"])
    public = replace(ACCESS, reach="public")
    assert servers_of(there, [], public)[0].address == "203.0.113.9"
    with pytest.raises(Conflict, match="not every server has a public address"):
        servers_of(deployment(server_addresses=["10.0.0.4"]), [], public)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({}, "has no servers"),
        ({"server_addresses": "10.0.0.4"}, "has no servers"),
        ({"server_addresses": ["-oProxyCommand=id"]}, "no address yet"),
        ({"server_addresses": ["10.0.0.4; id"]}, "no address yet"),
        ({"server_addresses": ["{{ 7 * 7 }}"]}, "no address yet"),
        ({"server_addresses": [""]}, "no address yet"),
        ({"server_addresses": ["fe80::1%eth0"]}, "no address yet"),
        ({"server_addresses": ["10.0.0.4"], "server_users": ["-l root"]}, "no user"),
        ({"server_addresses": ["10.0.0.4"], "server_ssh_ports": [70000]}, "no port"),
        ({"server_addresses": ["10.0.0.4"], "server_ssh_ports": [True]}, "no port"),
        ({"server_addresses": ["10.0.0.4"], "server_ids": ["a", "b"]}, "same number"),
        ({"server_addresses": ["10.0.0.4", "10.0.0.5"], "server_ids": ["a", "a"]}, "twice"),
        ({"server_addresses": ["10.0.0.4"], "server_ids": ["-o"]}, "has no id"),
        ({"server_addresses": ["10.0.0.4"] * 1001}, "at most"),
    ],
)
def test_what_is_no_server_is_refused(outputs: dict[str, Any], message: str) -> None:
    with pytest.raises(Conflict, match=message):
        servers_of(deployment(**outputs), [], ACCESS)
