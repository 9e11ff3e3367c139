"""The blueprints that live on Kubernetes alone, through their lives on a real cluster.

As in ``test_blueprint_lives``, whose table they join: created, changed in place, changed so that
something is replaced, tampered with and repaired, destroyed; in a tenancy of their own, which holds
afterwards what it held before.
"""

import uuid
from collections.abc import Iterator
from typing import Any

import kubernetes
import pytest

from control_plane.adapters.pulumi.engine import PulumiEngine
from control_plane.provisioning.graph import ApplyResult
from tests.integration import lives, services
from tests.integration.conftest import Devcloud
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


class Cluster(Clouds):
    """The region as its operators see it: Kubernetes alone."""

    def inside(self) -> frozenset[str]:
        """Everything that stands in the tenancy, by kind and name."""
        return frozenset(self._in_kubernetes())


def _network(it: Deployed) -> Any:
    return kubernetes.client.NetworkingV1Api(it.clouds.kube)


def _tamper_with_database(it: Deployed) -> None:
    space = it.clouds.namespace
    _network(it).delete_namespaced_network_policy(f"{it.name}-reach-primary", space)
    batch: Any = kubernetes.client.BatchV1Api(it.clouds.kube)
    body = {"spec": {"schedule": "0 0 1 1 *"}}
    batch.patch_namespaced_cron_job(f"{it.name}-backup", space, body)


POSTGRESQL = Life(
    "postgresql",
    create={"size": "s", "volume_gb": 5, "backup_volume_gb": 5},
    change={"backup_hour": 3},
    changes={"backup": "update"},
    replace={
        "users": [{"name": "portal", "database": "app", "access": "owner", "credentials": [1]}]
    },
    replaces={"users": "replace", "users-sql": "update"},
    tamper=_tamper_with_database,
    drifts=frozenset({"reach-primary", "backup"}),
    lacks="no CloudNativePG: its form is declared in tests of the graph only; NetworkPolicies are "
    "kept and not enforced; volumes cannot grow",
)


def _own(it: Deployed) -> str:
    return str(it.made.outputs["namespace"])


def _tamper_with_namespace(it: Deployed) -> None:
    core: Any = kubernetes.client.CoreV1Api(it.clouds.kube)
    core.patch_namespaced_resource_quota("quota", _own(it), {"spec": {"hard": {"pods": "999"}}})
    _network(it).delete_namespaced_network_policy("default-deny", _own(it))


def _refuses_root(it: Deployed) -> None:
    core: Any = kubernetes.client.CoreV1Api(it.clouds.kube)
    container = {"name": "it", "image": "any", "securityContext": {"privileged": True}}
    pod = {"metadata": {"name": "root"}, "spec": {"containers": [container]}}
    with pytest.raises(kubernetes.client.ApiException, match="violates PodSecurity"):
        core.create_namespaced_pod(_own(it), pod)


NAMESPACE = Life(
    "kubernetes-namespace",
    create={
        "vcpus": 1, "ram_gb": 1, "volume_gb": 1, "groups": [{"name": "makers", "role": "view"}],
    },
    created=_refuses_root,
    change={"vcpus": 2, "openings": [{"from": "city", "ports": [8080]}]},
    changes={"quota": "update", "opening-1": "create"},
    replace={"groups": [{"name": "makers", "role": "edit"}]},
    replaces={"group-view-*": "delete", "group-edit-*": "create"},
    tamper=_tamper_with_namespace,
    drifts=frozenset({"quota", "default-deny"}),
    lacks="NetworkPolicies are kept and not enforced",
)  # fmt: skip


def _tamper_with_queue(it: Deployed) -> None:
    space = it.clouds.namespace
    _network(it).delete_namespaced_network_policy(f"{it.name}-reach-queue", space)
    policy: Any = kubernetes.client.PolicyV1Api(it.clouds.kube)
    policy.delete_namespaced_pod_disruption_budget(f"{it.name}-queue", space)


CACHE_AND_QUEUE = Life(
    "cache-and-queue",
    create={"services": ["cache"]},
    change={"cache_size": "m"},
    changes={"cache": "update", "cache-scripts": "update"},
    replace={"services": ["queue"], "queue_volume_gb": 1},
    replaces={
        "cache*": "delete", "reach-cache": "delete", "queue*": "create", "reach-queue": "create",
    },
    tamper=_tamper_with_queue,
    drifts=frozenset({"reach-queue", "queue-budget"}),
)  # fmt: skip


def _tamper_with_workbench(it: Deployed) -> None:
    core: Any = kubernetes.client.CoreV1Api(it.clouds.kube)
    core.delete_namespaced_service_account(it.name, it.clouds.namespace)
    body = {"data": {"job.sh": "echo tampered"}}
    core.patch_namespaced_config_map(f"{it.name}-scripts", it.clouds.namespace, body)


BIG_DATA = Life(
    "big-data",
    create={"volume_gb": 5, "notebook_vcpus": 1},
    change={"idle_minutes": 60},
    changes={"notebook": "update"},
    replace={"notebook": False},
    replaces={"notebook": "delete", "notebook-service": "delete", "reach-notebook": "delete"},
    tamper=_tamper_with_workbench,
    drifts=frozenset({"account", "scripts"}),
    lacks="no object storage: the way to a bucket is not gone",
)


def _answers(it: Deployed) -> None:
    core: Any = kubernetes.client.CoreV1Api(it.clouds.kube)
    page = core.connect_get_namespaced_service_proxy_with_path(
        f"{it.name}:http", it.clouds.namespace, "readyz"
    )
    assert page, "ready, with its database"
    assert str(it.made.outputs["url"]).startswith(f"http://{it.name}.{it.clouds.namespace}.svc:")
    assert set(it.made.secret_outputs) == {"administrator_password"}


def _tamper_with_workload(it: Deployed) -> None:
    space = it.clouds.namespace
    _network(it).delete_namespaced_network_policy(f"{it.name}-reach-worker", space)
    policy: Any = kubernetes.client.PolicyV1Api(it.clouds.kube)
    policy.delete_namespaced_pod_disruption_budget(f"{it.name}-api", space)


VIDEO = Life(
    "video-analytics",
    create={
        "cameras": 2, "workers_most": 2, "worker_size": "xs", "evidence_gb": 1, "database_gb": 1,
        "reach": "tenancy",
    },
    created=_answers,
    change={"cameras": 3},
    changes={"api": "update", "worker": "update"},
    changed=_answers,
    # One worker is no number that an autoscaler keeps.
    replace={"workers_most": 1},
    replaces={"worker": "update", "worker-scaling": "delete"},
    tamper=_tamper_with_workload,
    drifts=frozenset({"reach-worker", "api-budget"}),
    lacks="no metrics, so the autoscaler stays at one worker; NetworkPolicies are kept and not "
    "enforced; volumes cannot grow. What it sees is shown in tests/integration/video",
)  # fmt: skip

EXCHANGE = Life(
    "data-exchange",
    create={
        "gateways_most": 2,
        "gateway_size": "xs",
        "database_gb": 1,
        "transfers_gb": 1,
        "reach": "tenancy",
    },
    created=_answers,
    change={"reach": "city"},
    changes={"reach-api": "update", "reach-gateway": "update"},
    changed=_answers,
    replace={"gateways_most": 1},
    replaces={"gateway": "update", "gateway-scaling": "delete"},
    tamper=_tamper_with_workload,
    drifts=frozenset({"reach-worker", "api-budget"}),
    lacks="no metrics, so the autoscaler stays at its least; NetworkPolicies are kept and not "
    "enforced; volumes cannot grow",
)

LIVES = (POSTGRESQL, NAMESPACE, CACHE_AND_QUEUE, BIG_DATA, VIDEO, EXCHANGE)
"""The lives that are led on Kubernetes alone; each row is one test."""


#: What a region calls the image of a bundled workload.
IMAGES = {"video-analytics": "video_image", "data-exchange": "exchange_image"}


@pytest.fixture(scope="module")
def place(
    devcloud: Devcloud, osdev: Any, kube: Any, engine: PulumiEngine
) -> Iterator[tuple[ApplyResult, Cluster]]:
    """A namespace of its own; it goes afterwards, with all that is in it."""
    services.build_images()
    name = f"lives-{uuid.uuid4().hex[:6]}"
    run = make_run("tenancy", name, services.region(devcloud.kubeconfig), services.TENANCY)
    try:
        made = succeeded(engine.apply(run, confirm=yes))
        yield made, Cluster(osdev, kube, "", "", name)
    finally:
        engine.recover(run)
        succeeded(engine.destroy(run))


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.blueprint)
def test_a_life(
    engine: PulumiEngine,
    place: tuple[ApplyResult, Cluster],
    devcloud: Devcloud,
    life: Life,
) -> None:
    tenancy, clouds = place
    if life.lacks:
        lives.LACKS[life.blueprint] = life.lacks
    before = clouds.inside()
    name = f"{clouds.namespace}-{life.blueprint[:10].rstrip('-')}"
    fact = IMAGES.get(life.blueprint)
    facts = {fact: services.build_workload_image(life.blueprint)} if fact else {}
    where = services.region(devcloud.kubeconfig, **facts)
    run = make_run(life.blueprint, name, where, life.create, tenancy, of=clouds.namespace)
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
    assert eventually(lambda: clouds.inside() == before), clouds.inside() ^ before
