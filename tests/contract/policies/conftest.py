"""A city with a pack of its own, and people who answer for waivers."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from control_plane.provisioning.graph import Graph, ResourceNode
from control_plane.provisioning.model import Finding
from control_plane.provisioning.policies.model import Holder, Subject, Waiver, WaiverRequest
from control_plane.tenancy.model import Tenancy
from foundation.access.model import Principal, PrincipalState
from foundation.kernel.actor import ActorKind, PrincipalId
from tests.contract.provisioning.conftest import (
    PLATFORM,
    World,
    cache,
    empty,
    furnished,
    host,
    world,
)

__all__ = ["cache", "empty", "furnished", "host", "world"]

OWNER = PrincipalId("usr_owner")
TEXT = {"en": "Backups for all", "zh": "全面备份"}


def pack(version: int = 1, **changed: Any) -> dict[str, Any]:
    settings = {"data_classes": ["internal", "sensitive"]}
    return {
        "name": "backups-for-all",
        "version": version,
        "title": TEXT,
        "description": TEXT,
        "policies": {"backups.declared": {"severity": "waivable", "settings": settings}},
        **changed,
    }


def add_person(world: World, id_: str, login: str, state: str = "active") -> None:
    made = Principal(
        PrincipalId(id_), ActorKind.PERSON, login, login.title(), "", "/city/health/",
        PrincipalState(state), datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    with world.database.transaction():
        assert world.principals.add(made, None)


def judged(
    world: World,
    *,
    tenancy: Tenancy | None = None,
    deployment: str = "dep_1",
    name: str = "web",
    under: str = "",
) -> tuple[Finding, ...]:
    """What policies say of a server and a disk that nobody backs up, without running a program."""
    there = tenancy or world.health
    marks = {"metadata": {"borough.deployment": deployment, "borough.tenancy": there.slug}}
    nodes = (
        ResourceNode("urn::data", "data", "openstack:blockstorage/volume:Volume", marks),
        ResourceNode(
            "urn::server", "server", "openstack:compute/instance:Instance", {**marks, "name": name}
        ),
        ResourceNode("urn::address", "address", "openstack:networking/floatingIp:FloatingIp",
                     {"tags": [f"{k}={v}" for k, v in marks["metadata"].items()]}),
    )  # fmt: skip
    holder = Holder(deployment, there.id, there.path, there.data_class.value)
    everything = frozenset({"public", "internal", "sensitive"})
    subject = Subject(Graph(nodes), holder, world.region.config, everything, everything)
    return world.policies.judge(subject, under=under)


@pytest.fixture
def strict(world: World) -> World:
    """The city's own pack finds every disk that nobody backs up."""
    add_person(world, OWNER, "owner")
    world.policies.publish_pack(PLATFORM, pack())
    return world


def request(world: World, **changed: Any) -> WaiverRequest:
    wanted: Mapping[str, Any] = {
        "policy": "backups.declared",
        "tenancy": world.health.id,
        "owner": "owner",
        "reason": "the old system keeps copies until it is switched off",
        "ends_at": world.clock.now() + timedelta(days=30),
        **changed,
    }
    return WaiverRequest(**wanted)


def waive(world: World, **changed: Any) -> Waiver:
    return world.policies.waive(PLATFORM, request(world, **changed))
