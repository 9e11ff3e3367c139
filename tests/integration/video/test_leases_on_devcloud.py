"""Leases of shards on the devcloud's real Kubernetes API."""

import uuid
from collections.abc import Iterator
from typing import Any

import kubernetes
import pytest

from tests.harness.leases import LeasesContract
from workloads.video_analytics.workers.kubernetes import KubernetesLeases


@pytest.fixture
def client(devcloud: Any) -> Iterator[kubernetes.client.ApiClient]:
    found = kubernetes.config.new_client_from_config(str(devcloud.kubeconfig))
    yield found
    found.rest_client.pool_manager.clear()


@pytest.fixture
def namespace(client: kubernetes.client.ApiClient) -> Iterator[str]:
    core = kubernetes.client.CoreV1Api(client)
    name = f"video-{uuid.uuid4().hex[:8]}"
    core.create_namespace({"metadata": {"name": name}})
    yield name
    core.delete_namespace(name)


class TestLeasesOnDevcloud(LeasesContract):
    SECONDS = 3.0

    @pytest.fixture
    def leases(
        self, client: kubernetes.client.ApiClient, namespace: str
    ) -> tuple[KubernetesLeases, KubernetesLeases]:
        return (
            KubernetesLeases(client, namespace, lease_seconds=self.SECONDS),
            KubernetesLeases(client, namespace, lease_seconds=self.SECONDS),
        )
