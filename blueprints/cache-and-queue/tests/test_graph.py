"""What the program declares."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from control_plane.provisioning.graph import Graph, is_secret
from control_plane.provisioning.usage_map import quota_of

Evaluate = Callable[..., Graph]
BOTH: dict[str, Any] = {"services": ["cache", "queue"]}


def by_name(graph: Graph) -> dict[str, Any]:
    return {n.logical_name: n for n in graph.resources}


def test_only_what_was_ordered(evaluated: Evaluate) -> None:
    cache = evaluated("cache-and-queue", services=["cache"])
    assert "queue" not in by_name(cache)
    assert {"cache_host", "cache_password"} <= cache.outputs.keys()
    assert "queue_url" not in cache.outputs
    queue = evaluated("cache-and-queue", services=["queue"])
    assert "cache" not in by_name(queue)
    assert queue.outputs["queue_url"] == "tls://shop-queue.health.svc:4222"


def test_every_pod_passes_restricted_pod_security(evaluated: Evaluate) -> None:
    nodes = by_name(evaluated("cache-and-queue", **BOTH))
    for name in ("cache", "queue"):
        pod = nodes[name].inputs["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        box = pod["containers"][0]
        assert box["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert box["securityContext"]["readOnlyRootFilesystem"] is True
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= box.keys()


def test_only_tls_is_spoken_and_passwords_are_in_secrets_alone(evaluated: Evaluate) -> None:
    graph = evaluated("cache-and-queue", **BOTH)
    nodes = by_name(graph)
    settings = nodes["cache-scripts"].inputs["data"]["cache.conf"]
    assert "port 0\n" in settings
    assert "requirepass" not in settings
    assert "tls {" in nodes["queue-scripts"].inputs["data"]["queue.conf"]
    for name in ("cache", "queue"):
        assert is_secret(nodes[f"{name}-credentials"].inputs["stringData"])
        assert is_secret(graph.outputs[f"{name}_password"])
        pod = nodes[name].inputs["spec"]["template"]["spec"]
        assert [e["name"] for e in pod["containers"][0]["env"]] == ["HOST"]


def test_a_cache_has_a_volume_only_when_it_is_kept(evaluated: Evaluate) -> None:
    lost = by_name(evaluated("cache-and-queue", services=["cache"]))
    assert "cache-data" not in lost
    kept = by_name(
        evaluated("cache-and-queue", services=["cache"], cache_kept=True, cache_size="l")
    )
    assert kept["cache-data"].inputs["spec"]["resources"]["requests"] == {"storage": "16Gi"}
    assert "appendonly yes" in kept["cache-scripts"].inputs["data"]["cache.conf"]


def test_the_queue_leaves_room_on_its_volume(evaluated: Evaluate) -> None:
    nodes = by_name(evaluated("cache-and-queue", services=["queue"], queue_volume_gb=10))
    assert "max_file_store: 9216MB" in nodes["queue-scripts"].inputs["data"]["queue.conf"]


def test_a_change_of_one_does_not_touch_the_other(evaluated: Evaluate) -> None:
    before = by_name(evaluated("cache-and-queue", **BOTH))
    after = by_name(evaluated("cache-and-queue", **BOTH, cache_size="m"))
    changed = {n for n in after if after[n].inputs != before[n].inputs}
    assert changed == {"cache", "cache-scripts"}


def test_what_it_takes_of_quotas(evaluated: Evaluate) -> None:
    graph = evaluated("cache-and-queue", **BOTH, cache_size="m", queue_volume_gb=20)
    assert quota_of(graph, {}) == {
        "k8s_cpu": Decimal("0.35"),
        "k8s_memory_gb": Decimal("2.25"),
        "volume_gb": Decimal(20),
    }


def test_who_may_reach_them(evaluated: Evaluate) -> None:
    own = by_name(evaluated("cache-and-queue", **BOTH))
    city = by_name(evaluated("cache-and-queue", **BOTH, reach="city"))
    for name in ("reach-cache", "reach-queue"):
        assert own[name].inputs["spec"]["ingress"][0]["from"] == [{"podSelector": {}}]
        assert city[name].inputs["spec"]["ingress"][0]["from"] == [{"namespaceSelector": {}}]
