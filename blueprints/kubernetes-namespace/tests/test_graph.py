"""What the program declares."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from control_plane.adapters.program_host.evaluate import evaluate
from control_plane.adapters.program_host.host import ProgramHost
from control_plane.provisioning.graph import Graph
from control_plane.provisioning.usage_map import quota_of, usage_of

Evaluate = Callable[..., Graph]
SMALL: dict[str, Any] = {"vcpus": 4, "ram_gb": 8, "volume_gb": 50}


def by_name(graph: Graph) -> dict[str, Any]:
    return {n.logical_name: n for n in graph.resources}


def test_it_is_bounded_closed_and_restricted(evaluated: Evaluate) -> None:
    nodes = by_name(evaluated("kubernetes-namespace", **SMALL))
    metadata = nodes["namespace"].inputs["metadata"]
    assert metadata["name"] == "health-shop"
    assert metadata["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    hard = nodes["quota"].inputs["spec"]["hard"]
    assert (hard["requests.cpu"], hard["requests.memory"]) == ("4", "8Gi")
    assert hard["services.nodeports"] == "0"
    closed = nodes["default-deny"].inputs["spec"]
    assert closed == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert not [n for n in nodes if n.startswith("opening-")]


def test_only_what_is_opened_is_open(evaluated: Evaluate) -> None:
    openings = [
        {"from": "tenancy", "ports": [5432], "application": "database"},
        {"from": "city", "ports": [8080, 8443]},
    ]
    inputs = {**SMALL, "openings": openings, "egress": "none"}
    nodes = by_name(evaluated("kubernetes-namespace", **inputs))
    first, second = (nodes[f"opening-{n}"].inputs["spec"] for n in (1, 2))
    assert first["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "database"}}
    mine = {"namespaceSelector": {"matchLabels": {"borough.dev/tenancy": "health"}}}
    assert first["ingress"][0]["from"] == [mine]
    assert [p["port"] for p in second["ingress"][0]["ports"]] == [8080, 8443]
    assert second["podSelector"] == {}
    assert "egress" not in nodes


def test_groups_get_roles_of_this_namespace_alone(evaluated: Evaluate) -> None:
    groups = [{"name": "developers", "role": "edit"}, {"name": "auditors", "role": "view"}]
    nodes = by_name(evaluated("kubernetes-namespace", **SMALL, groups=groups))
    bound = [n for name, n in nodes.items() if name.startswith("group-")]
    assert {n.type.rpartition(":")[2] for n in bound} == {"RoleBinding"}
    assert {(n.inputs["subjects"][0]["name"], n.inputs["roleRef"]["name"]) for n in bound} == {
        ("developers", "edit"),
        ("auditors", "view"),
    }


def test_another_group_leaves_the_first_ones_binding(evaluated: Evaluate) -> None:
    one = {"name": "b", "role": "edit"}
    few = by_name(evaluated("kubernetes-namespace", **SMALL, groups=[one]))
    more = by_name(
        evaluated("kubernetes-namespace", **SMALL, groups=[{"name": "a", "role": "edit"}, one])
    )
    assert all(more[name].inputs == node.inputs for name, node in few.items())


def test_its_whole_quota_counts_and_is_charged(evaluated: Evaluate) -> None:
    graph = evaluated("kubernetes-namespace", **SMALL, load_balancers=1)
    assert quota_of(graph, {}) == {
        "k8s_cpu": Decimal(4),
        "k8s_memory_gb": Decimal(8),
        "load_balancers": Decimal(1),
        "namespaces": Decimal(1),
        "volume_gb": Decimal(50),
    }
    assert {q.meter: q.per_hour for q in usage_of(graph, {})} == {
        "kubernetes.cpu_requested_hours": Decimal(4),
        "kubernetes.ram_requested_gb_hours": Decimal(8),
        "kubernetes.pvc_gb_hours": Decimal(50),
    }


def test_the_quota_of_a_tenancys_own_namespace_counts_nothing(evaluated: Evaluate) -> None:
    graph = evaluated("tenancy", **SMALL, platforms=["kubernetes"])
    assert quota_of(graph, {}) == {"namespaces": Decimal(1)}
    assert usage_of(graph, {}) == ()


def test_a_long_name_is_cut_and_stays_its_own(
    program_host: ProgramHost, run_of: Callable[..., Any]
) -> None:
    run = run_of("kubernetes-namespace", **SMALL)
    names = set()
    for end in ("a", "b"):
        deployment = replace(run.deployment, name="n" * 62 + end)
        graph = evaluate(program_host, replace(run, deployment=deployment), b"k" * 32)
        names.add(by_name(graph)["namespace"].inputs["metadata"]["name"])
    assert len(names) == 2
    assert all(len(name) <= 63 for name in names)
