"""The adapter on an API of the tests; ``tests/integration/video`` runs the same on a cluster."""

from collections.abc import Iterator

import kubernetes
import pytest

from foundation.kernel.errors import Unavailable
from tests.fakes.lease_api import LeaseApi, lease_api
from tests.harness.leases import LeasesContract, one
from workloads.video_analytics.workers.kubernetes import KubernetesLeases


@pytest.fixture
def cluster() -> Iterator[tuple[LeaseApi, kubernetes.client.ApiClient]]:
    with lease_api() as (api, url):
        client = kubernetes.client.ApiClient(kubernetes.client.Configuration(host=url))
        yield api, client
        client.rest_client.pool_manager.clear()


class TestKubernetesLeases(LeasesContract):
    @pytest.fixture
    def leases(
        self, cluster: tuple[LeaseApi, kubernetes.client.ApiClient]
    ) -> tuple[KubernetesLeases, KubernetesLeases]:
        return (
            KubernetesLeases(cluster[1], "city", lease_seconds=self.SECONDS),
            KubernetesLeases(cluster[1], "city", lease_seconds=self.SECONDS),
        )


def test_of_two_that_read_the_same_one_takes_it(
    cluster: tuple[LeaseApi, kubernetes.client.ApiClient],
) -> None:
    api, client = cluster
    a, b = (KubernetesLeases(client, "city") for _ in range(2))
    a.beat(one("a"))
    b.beat(one("b"))
    first = a.take("wrk_a", {1})[1]
    a.give_back("wrk_a", {1})
    stale = KubernetesLeases._read_shards  # noqa: SLF001 - where the race is

    def race(self: KubernetesLeases) -> None:
        stale(self)
        if self is b:
            a.take("wrk_a", {1})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KubernetesLeases, "_read_shards", race)
        assert b.take("wrk_b", {1}) == {}
    assert a.held("wrk_a") == {1: first + 1}
    assert api.leases["borough-video-shard-1"]["spec"]["leaseTransitions"] == first + 1


def test_a_cluster_that_does_not_answer_is_unavailable(
    cluster: tuple[LeaseApi, kubernetes.client.ApiClient],
) -> None:
    api, client = cluster
    leases = KubernetesLeases(client, "city")
    leases.beat(one("a"))
    api.broken = True
    with pytest.raises(Unavailable, match="503"):
        leases.beat(one("a"))
