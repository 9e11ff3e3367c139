"""What the program declares."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from control_plane.provisioning import usage_map
from control_plane.provisioning.graph import Graph, is_secret
from control_plane.provisioning.ports import ProgramError

Evaluate = Callable[..., Graph]
SMALL: dict[str, Any] = {"size_gb": 100}


def by_name(graph: Graph) -> dict[str, Any]:
    return {n.logical_name: n for n in graph.resources}


def test_every_container_has_its_limit_and_counts_by_it(
    evaluated: Evaluate, region_facts: dict[str, Any]
) -> None:
    graph = evaluated("object-storage", **SMALL, containers=["in", "out"])
    nodes = by_name(graph)
    for name in ("in", "out"):
        node = nodes[f"container-{name}"]
        assert node.inputs["name"] == f"shop-{name}"
        assert node.inputs["metadata"]["Quota-Bytes"] == str(100 * 1024**3)
        assert node.inputs["metadata"]["Borough-Resource"] == f"container-{name}"
        assert not node.inputs.get("containerRead")
    assert usage_map.quota_of(graph, region_facts) == {"object_gb": Decimal(200)}
    used = usage_map.usage_of(graph, region_facts)
    assert [(q.meter, q.dimensions, q.per_hour) for q in used] == [
        ("object.gb_hours", {"class": "standard"}, 100)
    ] * 2


def test_a_kind_of_storage_is_the_regions_own_policy(
    evaluated: Evaluate, region_facts: dict[str, Any]
) -> None:
    graph = evaluated("object-storage", **SMALL, storage_class="archive")
    assert by_name(graph)["container-data"].inputs["storagePolicy"] == "erasure-coded"
    (used,) = usage_map.usage_of(graph, region_facts)
    assert used.dimensions == {"class": "archive"}
    region_facts["openstack"]["object_storage"] = {}
    plain = by_name(evaluated("object-storage", **SMALL, facts=region_facts))
    assert "storagePolicy" not in plain["container-data"].inputs
    with pytest.raises(ProgramError, match="no storage of the kind 'archive'; it has standard"):
        evaluated("object-storage", **SMALL, storage_class="archive", facts=region_facts)


def test_a_region_without_object_storage_is_refused(
    evaluated: Evaluate, region_facts: dict[str, Any]
) -> None:
    del region_facts["openstack"]["object_storage"]
    with pytest.raises(ProgramError, match="the region has no object storage"):
        evaluated("object-storage", **SMALL, facts=region_facts)
    with pytest.raises(ProgramError, match="the region has kubernetes, and not openstack"):
        evaluated("object-storage", **SMALL, kinds=frozenset({"kubernetes"}))


def test_each_interface_has_its_own_key(evaluated: Evaluate) -> None:
    s3 = evaluated("object-storage", **SMALL)
    assert "s3-key-1" in by_name(s3)
    assert is_secret(s3.outputs["secret_key"])
    assert "credential_id" not in s3.outputs
    own = evaluated("object-storage", **SMALL, access="openstack")
    assert is_secret(own.outputs["credential_secret"])
    assert by_name(own)["credential-1"].inputs["roles"] == ["member"]
    assert "access_key" not in own.outputs


def test_another_generation_is_another_key(evaluated: Evaluate) -> None:
    for access, name in (("s3", "s3-key"), ("openstack", "credential")):
        nodes = by_name(evaluated("object-storage", **SMALL, access=access, key_generation=7))
        assert [n for n in nodes if n.startswith(name)] == [f"{name}-7"]


def test_what_is_public_versioned_or_deleted_was_asked_for(evaluated: Evaluate) -> None:
    closed = by_name(evaluated("object-storage", **SMALL))["container-data"].inputs
    assert (closed["versioning"], closed["forceDestroy"]) == (False, False)
    open_ = by_name(
        evaluated("object-storage", **SMALL, public_read=True, versioning=True, delete_content=True)
    )["container-data"].inputs
    assert (open_["versioning"], open_["forceDestroy"], open_["containerRead"]) == (
        True, True, ".r:*"
    )  # fmt: skip
