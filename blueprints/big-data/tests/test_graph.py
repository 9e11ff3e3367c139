"""What the program declares."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from control_plane.provisioning.graph import Graph, is_secret
from control_plane.provisioning.ports import ProgramError
from control_plane.provisioning.usage_map import quota_of

Evaluate = Callable[..., Graph]
SMALL: dict[str, Any] = {"volume_gb": 10, "notebook_vcpus": 1}
NIGHTLY = {"name": "nightly", "program": "jobs/nightly.sql", "vcpus": 2, "schedule": "30 1 * * *"}
BY_HAND = {"name": "by-hand", "program": "train.py", "vcpus": 1, "hours": 2, "retries": 0}


def by_name(graph: Graph) -> dict[str, Any]:
    return {n.logical_name: n for n in graph.resources}


def test_a_notebook_with_a_volume(evaluated: Evaluate) -> None:
    graph = evaluated("big-data", **SMALL)
    nodes = by_name(graph)
    assert nodes["data"].inputs["spec"]["resources"]["requests"] == {"storage": "10Gi"}
    assert nodes["notebook"].inputs["spec"]["strategy"] == {"type": "Recreate"}
    assert graph.outputs["url"] == "https://shop-notebook.health.svc:8888/"
    assert is_secret(graph.outputs["token"])
    assert is_secret(nodes["credentials"].inputs["stringData"])
    assert quota_of(graph, {}) == {
        "k8s_cpu": Decimal(1), "k8s_memory_gb": Decimal(4), "volume_gb": Decimal(10)
    }  # fmt: skip


def test_jobs_alone(evaluated: Evaluate) -> None:
    graph = evaluated("big-data", **SMALL, notebook=False, jobs=[NIGHTLY, BY_HAND])
    nodes = by_name(graph)
    assert "notebook" not in nodes
    assert "token" not in graph.outputs
    nightly, by_hand = (nodes[f"job-{n}"].inputs["spec"] for n in ("nightly", "by-hand"))
    assert (nightly["schedule"], nightly["suspend"]) == ("30 1 * * *", False)
    assert by_hand["suspend"] is True
    assert by_hand["jobTemplate"]["spec"]["activeDeadlineSeconds"] == 7200
    assert by_hand["jobTemplate"]["spec"]["backoffLimit"] == 0
    assert graph.outputs["jobs"] == ["shop-job-nightly", "shop-job-by-hand"]


def test_every_pod_passes_restricted_pod_security(evaluated: Evaluate) -> None:
    nodes = by_name(evaluated("big-data", **SMALL, jobs=[NIGHTLY]))
    job = nodes["job-nightly"].inputs["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    for pod in (nodes["notebook"].inputs["spec"]["template"]["spec"], job):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        box = pod["containers"][0]
        assert box["securityContext"]["readOnlyRootFilesystem"] is True
        assert box["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    # The notebook's token and key are not for jobs.
    assert "credentials" not in {v["name"] for v in job["volumes"]}


def environment(node: Any) -> dict[str, Any]:
    box = node.inputs["spec"]["template"]["spec"]["containers"][0]
    return {e["name"]: e.get("value") or e["valueFrom"] for e in box["env"]}


def test_the_way_to_a_bucket(evaluated: Evaluate) -> None:
    facts = {"kubernetes": {"object_storage_url": "http://objects.example"}}
    found = environment(
        by_name(evaluated("big-data", **SMALL, facts=facts, bucket="counts"))["notebook"]
    )
    assert found["AWS_ENDPOINT_URL_S3"] == "http://objects.example"
    assert found["AWS_SECRET_ACCESS_KEY"]["secretKeyRef"]["name"] == "bucket-keys"
    own = by_name(
        evaluated("big-data", **SMALL, bucket="counts", endpoint="https://elsewhere.example")
    )
    assert environment(own["notebook"])["AWS_ENDPOINT_URL_S3"] == "https://elsewhere.example"
    assert "BUCKET" not in environment(by_name(evaluated("big-data", **SMALL))["notebook"])


def test_a_bucket_that_nothing_leads_to_is_said(evaluated: Evaluate) -> None:
    with pytest.raises(ProgramError, match="names no object storage for containers"):
        evaluated("big-data", **SMALL, bucket="counts")


def test_another_job_leaves_the_rest_as_it_is(evaluated: Evaluate) -> None:
    before = by_name(evaluated("big-data", **SMALL, jobs=[NIGHTLY]))
    after = by_name(evaluated("big-data", **SMALL, jobs=[BY_HAND, NIGHTLY]))
    assert all(after[name].inputs == node.inputs for name, node in before.items())
    assert after.keys() - before.keys() == {"job-by-hand"}
