"""What the program declares."""

from collections.abc import Callable
from typing import Any

import pytest

from control_plane.provisioning.graph import Graph, is_secret
from control_plane.provisioning.ports import ProgramError
from control_plane.provisioning.usage_map import quota_of, usage_of

Evaluate = Callable[..., Graph]


def by_name(graph: Graph) -> dict[str, Any]:
    return {n.logical_name: n for n in graph.resources}


def pod(node: Any) -> Any:
    return node.inputs["spec"]["template"]["spec"]


def variables(node: Any) -> dict[str, Any]:
    entries = pod(node)["containers"][0]["env"]
    return {e["name"].removeprefix("BOROUGH_EXCHANGE_"): e for e in entries}


def test_every_pod_passes_restricted_pod_security(evaluated: Evaluate) -> None:
    nodes = by_name(evaluated("data-exchange", gateways_most=1))
    for name in ("api", "worker", "gateway", "database", "migration"):
        spec = pod(nodes[name])
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["automountServiceAccountToken"] is False
        box = spec["containers"][0]
        assert box["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert box["securityContext"]["readOnlyRootFilesystem"] is True
        assert box["resources"]["limits"]["memory"] == box["resources"]["requests"]["memory"]


def test_secrets_are_references_and_never_values(evaluated: Evaluate) -> None:
    graph = evaluated("data-exchange", gateways_most=1)
    nodes = by_name(graph)
    assert is_secret(nodes["credentials"].inputs["stringData"])
    assert is_secret(graph.outputs["administrator_password"])
    told = variables(nodes["worker"])
    for name in ("DATABASE_URL", "SECRET_KEYS", "ADMINISTRATOR_PASSWORD", "PLATFORM_TOKEN"):
        assert set(told[name]) == {"name", "valueFrom"}
    assert "ADMINISTRATOR_PASSWORD" not in variables(nodes["migration"])


def test_only_its_own_pods_reach_the_database(evaluated: Evaluate) -> None:
    nodes = by_name(evaluated("data-exchange", gateways_most=1))
    (rule,) = nodes["reach-database"].inputs["spec"]["ingress"]
    parts = {
        peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for peer in rule["from"]
    }
    assert parts == {"api", "worker", "gateway", "migration"}
    assert nodes["reach-worker"].inputs["spec"]["ingress"] == []


def test_more_than_one_gateway_is_scaled_and_one_is_not(evaluated: Evaluate) -> None:
    one = by_name(evaluated("data-exchange", gateways_most=1))
    assert "gateway-scaling" not in one
    assert one["gateway"].inputs["spec"]["replicas"] == 1
    many = by_name(evaluated("data-exchange", gateways_most=8))
    scaling = many["gateway-scaling"].inputs["spec"]
    assert (scaling["minReplicas"], scaling["maxReplicas"]) == (2, 8)
    assert "replicas" not in many["gateway"].inputs["spec"]


def test_no_pod_is_missed_while_it_is_renewed(evaluated: Evaluate) -> None:
    nodes = by_name(evaluated("data-exchange", gateways_most=1))
    for name in ("api", "worker", "gateway"):
        strategy = nodes[name].inputs["spec"]["strategy"]
        assert strategy["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
        assert any("migration" in urn for urn in nodes[name].depends_on)


def test_where_its_pages_answer(evaluated: Evaluate, region_facts: dict[str, Any]) -> None:
    inside = evaluated("data-exchange", gateways_most=1)
    assert inside.outputs["url"] == "http://shop.health.svc:8091/"
    region_facts["kubernetes"] = {"ingress_domain": "city.example"}
    outside = evaluated("data-exchange", gateways_most=1, facts=region_facts)
    assert outside.outputs["url"] == "https://shop-health.city.example/"
    assert outside.outputs["gateway_url"] == "https://shop-gateway-health.city.example/"
    assert {"ingress", "gateway-ingress"} <= set(by_name(outside))
    closed = evaluated("data-exchange", gateways_most=1, reach="tenancy", facts=region_facts)
    assert closed.outputs["url"] == "http://shop.health.svc:8091/"


def test_what_it_runs_on_takes_of_quotas_and_is_not_charged(evaluated: Evaluate) -> None:
    graph = evaluated("data-exchange", gateways_most=1)
    assert usage_of(graph, {}) == ()
    assert quota_of(graph, {})["k8s_cpu"] > 1


def test_the_migration_is_told_nothing_that_may_change(evaluated: Evaluate) -> None:
    few = by_name(evaluated("data-exchange", gateways_most=1))["migration"]
    many = by_name(evaluated("data-exchange", gateways_most=16, gateway_size="m"))
    assert many["migration"].inputs["spec"] == few.inputs["spec"]


def told_of_files(node: Any) -> dict[str, Any]:
    return {name: entry for name, entry in variables(node).items() if "TRANSFER" in name}


def test_gateways_and_worker_share_a_volume_on_one_node(
    evaluated: Evaluate, region_facts: dict[str, Any]
) -> None:
    nodes = by_name(evaluated("data-exchange", gateways_most=4, transfers_gb=40))
    claim = nodes["transfers"].inputs
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert claim["spec"]["resources"] == {"requests": {"storage": "40Gi"}}
    for name in ("gateway", "worker"):
        spec = pod(nodes[name])
        mounts = {one["name"]: one["mountPath"] for one in spec["containers"][0]["volumeMounts"]}
        told = told_of_files(nodes[name])
        assert told["TRANSFER_FOLDER"]["value"].startswith(mounts["transfers"] + "/")
        assert told["TRANSFER_QUOTA"]["value"] == str(40 * 1024**3)
        # What stays free is a part of it, however small it is.
        assert 0 < int(told["TRANSFER_RESERVE"]["value"]) <= 40 * 1024**3 // 20
        (volume,) = (one for one in spec["volumes"] if one["name"] == "transfers")
        assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        (near,) = spec["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert near["topologyKey"] == "kubernetes.io/hostname"
        assert near["labelSelector"]["matchExpressions"][0]["values"] == ["gateway", "worker"]
    assert "affinity" not in pod(nodes["api"])
    assert set(told_of_files(nodes["api"])) == {"TRANSFERS"}
    region_facts["kubernetes"] = {"shared_volumes": True, "storage_class": "shared"}
    shared = by_name(evaluated("data-exchange", gateways_most=4, facts=region_facts))
    assert shared["transfers"].inputs["spec"]["accessModes"] == ["ReadWriteMany"]
    assert shared["transfers"].inputs["spec"]["storageClassName"] == "shared"
    assert "affinity" not in pod(shared["gateway"])


def test_a_bucket_has_a_limit_and_a_key_that_only_who_needs_it_is_told(
    evaluated: Evaluate,
) -> None:
    graph = evaluated("data-exchange", gateways_most=16, transfers="bucket", transfers_gb=500)
    nodes = by_name(graph)
    bucket = nodes["transfers"]
    assert bucket.type == "openstack:objectstorage/container:Container"
    assert bucket.inputs["name"] == "shop-transfers"
    assert bucket.inputs["metadata"]["Quota-Bytes"] == str(500 * 1024**3)
    assert is_secret(nodes["transfers-credentials"].inputs["stringData"])
    for name in ("gateway", "worker"):
        told = told_of_files(nodes[name])
        assert told["TRANSFERS"]["value"] == "true"
        assert told["TRANSFER_S3_ENDPOINT"]["value"] == "http://objects.example"
        assert told["TRANSFER_S3_REGION"]["value"] == "RegionOne"
        for key in ("TRANSFER_S3_ACCESS_KEY", "TRANSFER_S3_SECRET_KEY"):
            assert set(told[key]) == {"name", "valueFrom"}
        assert "affinity" not in pod(nodes[name])
        assert "TRANSFER_FOLDER" not in told
    assert set(told_of_files(nodes["api"])) == {"TRANSFERS"}
    assert usage_of(graph, {}) == ()
    assert quota_of(graph, {})["object_gb"] == 500


def test_without_a_place_transfers_are_switched_off(evaluated: Evaluate) -> None:
    nodes = by_name(evaluated("data-exchange", gateways_most=4, transfers="none"))
    assert not {"transfers", "transfers-credentials"} & set(nodes)
    for name in ("api", "gateway", "worker"):
        assert told_of_files(nodes[name]) == {
            "TRANSFERS": {"name": "BOROUGH_EXCHANGE_TRANSFERS", "value": "false"}
        }


def test_a_bucket_is_refused_where_none_can_be(
    evaluated: Evaluate, region_facts: dict[str, Any]
) -> None:
    order = {"gateways_most": 1, "transfers": "bucket"}
    with pytest.raises(ProgramError, match="the region has no object storage"):
        evaluated("data-exchange", **order, kinds=frozenset({"kubernetes"}))
    region_facts["openstack"]["object_storage"] = {}
    with pytest.raises(ProgramError, match="the region has no object storage"):
        evaluated("data-exchange", **order, facts=region_facts)
