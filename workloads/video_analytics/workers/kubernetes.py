"""Leases of shards as Kubernetes ``Lease`` objects (coordination.k8s.io/v1).

Every worker has a Lease that it renews; it lives as long as that does. Every shard has a Lease that
names its holder, and whose ``leaseTransitions`` is the token; it is good as long as its holder
lives, so beats renew one object and not hundreds. Who takes a shard writes its Lease with the
``resourceVersion`` that was read: of two that try, the API server takes one.

Clocks of machines are not compared: a worker is dead when its Lease has not changed for the length
of a lease *as this process watched it* (as client-go's leader election does it). The token is made
known to the database before anything is written with it (``PostgresFences.announce``), so a worker
that stood still is refused there, whatever it believes.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import kubernetes
import urllib3

from foundation.kernel.errors import Unavailable
from workloads.video_analytics.workers.model import Held, Worker

_log = logging.getLogger("borough.video.leases")
_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_PART = "app.kubernetes.io/part-of"
_KIND = "borough.dev/lease"
_PREFIX = "borough.dev/worker-"
_CONFLICT = (404, 409)
_TIMEOUT = (3, 5)
_PAGE = 600
#: After so many lengths of a lease nobody comes back.
_BURIED = 100


@dataclass(slots=True)
class _Seen:
    """A worker's Lease as it was seen to change last."""

    version: str
    at: float


class KubernetesLeases:
    """Implements ``Leases`` on a cluster.

    Args:
        client: of the cluster, whose account may get, list, create, update and delete Leases in the
            namespace.
        namespace: where they are.
        name: begins the names of the Leases; one for each service.
        lease_seconds: after so long without a beat a worker is dead.
        monotonic: seconds that never go back.
    """

    def __init__(
        self, client: Any, namespace: str, *, name: str = "borough-video",  # noqa: ANN401
        lease_seconds: float = 6.0, monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._api = kubernetes.client.CoordinationV1Api(client)
        self._namespace = namespace
        self._name = name
        self._seconds = lease_seconds
        self._monotonic = monotonic
        self._seen: dict[str, _Seen] = {}
        self._shards: dict[int, Any] = {}

    @staticmethod
    def of_pod(namespace: str = "") -> "KubernetesLeases":
        """Those of the cluster that this pod runs in.

        Raises:
            Unavailable: this is no pod.
        """
        try:
            kubernetes.config.load_incluster_config()  # type: ignore[no-untyped-call]
        except kubernetes.config.ConfigException:
            raise Unavailable("leases on Kubernetes need a pod with a service account") from None
        found = namespace or _NAMESPACE_FILE.read_text().strip()
        return KubernetesLeases(kubernetes.client.ApiClient(), found)

    # The port ---------------------------------------------------------------------------------

    def beat(self, worker: Worker) -> tuple[Worker, ...]:
        with _answers():
            self._put_worker(worker)
            return self._living()

    def held(self, worker_id: str) -> Mapping[int, int]:
        with _answers():
            self._read_shards()
            if not any(one.id == worker_id for one in self._living()):
                return {}
        return {
            shard: lease.spec.lease_transitions or 0
            for shard, lease in self._shards.items()
            if lease.spec.holder_identity == worker_id
        }

    def take(self, worker_id: str, shards: Collection[int]) -> Mapping[int, int]:
        taken = {}
        with _answers():
            living = {one.id for one in self._living()}
            if worker_id not in living:
                return {}
            self._read_shards()
            for shard in sorted(shards):
                known = self._shards.get(shard)
                if known is not None and known.spec.holder_identity in living:
                    continue
                token = self._claim(worker_id, shard, known)
                if token is not None:
                    taken[shard] = token
        return taken

    def give_back(self, worker_id: str, shards: Collection[int]) -> None:
        with _answers():
            self._read_shards()
            for shard in sorted(shards):
                known = self._shards.get(shard)
                if known is not None and known.spec.holder_identity == worker_id:
                    known.spec.holder_identity = ""
                    self._replace(known)

    def leave(self, worker_id: str) -> None:
        # The worker's Lease alone: without it all that it holds is free.
        with _answers(), contextlib.suppress(kubernetes.client.ApiException):
            self._api.delete_namespaced_lease(
                self._of_worker(worker_id), self._namespace, _request_timeout=_TIMEOUT
            )
        self._seen.pop(worker_id, None)

    def workers(self) -> tuple[Worker, ...]:
        with _answers():
            return self._living()

    def shards(self) -> Sequence[Held]:
        with _answers():
            living = {one.id for one in self._living()}
            self._read_shards()
        return [
            Held(
                shard, lease.spec.lease_transitions or 0,
                lease.spec.holder_identity if lease.spec.holder_identity in living else "", None,
            )
            for shard, lease in sorted(self._shards.items())
        ]  # fmt: skip

    # Workers ----------------------------------------------------------------------------------

    def _of_worker(self, worker_id: str) -> str:
        return f"{self._name}-{worker_id.replace('_', '-').lower()}"

    def _put_worker(self, worker: Worker) -> None:
        name = self._of_worker(worker.id)
        now = datetime.now(UTC)  # noqa: TID251 - for people who look at the Lease; never compared
        facts = {
            f"{_PREFIX}{key}": str(value) for key, value in (
                ("id", worker.id), ("name", worker.name), ("capacity", worker.capacity),
                ("load", worker.load), ("cameras", worker.cameras), ("degraded", worker.degraded),
                ("lag", worker.lag), ("cost", worker.cost), ("carries", worker.carries),
            )
        }  # fmt: skip
        try:
            lease: Any = self._api.read_namespaced_lease(
                name, self._namespace, _request_timeout=_TIMEOUT
            )
        except kubernetes.client.ApiException as error:
            if error.status != 404:  # noqa: PLR2004 - not there
                raise
            body = self._body(name, "worker", worker.id, facts)
            body.spec.acquire_time = body.spec.renew_time = now
            self._api.create_namespaced_lease(self._namespace, body, _request_timeout=_TIMEOUT)
            return
        if self._silent(lease):
            # It was dead: others may have taken what it held. As a new one it must take anew.
            self._free(worker.id)
        lease.metadata.annotations = facts
        lease.spec.renew_time = now
        self._replace(lease)

    def _free(self, worker_id: str) -> None:
        self._read_shards()
        for lease in self._shards.values():
            if lease.spec.holder_identity == worker_id:
                lease.spec.holder_identity = ""
                self._replace(lease)

    def _living(self) -> tuple[Worker, ...]:
        found = []
        listed = self._list("worker")
        for lease in listed:
            notes = lease.metadata.annotations or {}
            facts = {k.removeprefix(_PREFIX): v for k, v in notes.items() if k.startswith(_PREFIX)}
            if not self._silent(lease):
                found.append(
                    Worker(
                        facts.get("id", ""), facts.get("name", ""), float(facts.get("capacity", 0)),
                        float(facts.get("load", 0)), int(facts.get("cameras", 0)),
                        int(facts.get("degraded", 0)), lease.spec.acquire_time,
                        lease.spec.renew_time, float(facts.get("lag", 0)),
                        float(facts.get("cost", 0)), int(facts.get("carries", 0)),
                    )
                )  # fmt: skip
        there = {lease.spec.holder_identity for lease in listed}
        self._seen = {name: seen for name, seen in self._seen.items() if name in there}
        self._bury(listed)
        return tuple(sorted(found, key=lambda one: (one.name, one.id)))

    def _bury(self, leases: list[Any]) -> None:
        """Delete the Leases of workers that died long ago."""
        now = self._monotonic()
        for lease in leases:
            seen = self._seen.get(lease.spec.holder_identity)
            if seen is not None and now - seen.at > _BURIED * self._seconds:
                with contextlib.suppress(kubernetes.client.ApiException):
                    self._api.delete_namespaced_lease(
                        lease.metadata.name, self._namespace, _request_timeout=_TIMEOUT
                    )

    def _silent(self, lease: Any) -> bool:  # noqa: ANN401 - V1Lease
        now, version = self._monotonic(), lease.metadata.resource_version
        seen = self._seen.get(lease.spec.holder_identity)
        if seen is None or seen.version != version:
            self._seen[lease.spec.holder_identity] = _Seen(version, now)
            return False
        return now - seen.at > self._seconds

    # Shards -----------------------------------------------------------------------------------

    def _read_shards(self) -> None:
        found = {}
        for lease in self._list("shard"):
            with contextlib.suppress(ValueError):
                found[int(lease.metadata.name.rpartition("-")[2])] = lease
        self._shards = found

    def _claim(self, worker_id: str, shard: int, known: Any) -> int | None:  # noqa: ANN401
        """Become the holder; the new token, or None when another was faster."""
        if known is None:
            body = self._body(f"{self._name}-shard-{shard}", "shard", worker_id, {})
            body.spec.lease_transitions = 1
            try:
                self._api.create_namespaced_lease(self._namespace, body, _request_timeout=_TIMEOUT)
            except kubernetes.client.ApiException as error:
                if error.status in _CONFLICT:
                    return None
                raise
            return 1
        known.spec.holder_identity = worker_id
        known.spec.lease_transitions = (known.spec.lease_transitions or 0) + 1
        return known.spec.lease_transitions if self._replace(known) else None

    # The API ----------------------------------------------------------------------------------

    def _body(self, name: str, kind: str, holder: str, facts: dict[str, str]) -> Any:  # noqa: ANN401
        client = kubernetes.client
        labels = {_PART: self._name, _KIND: kind}
        meta = client.V1ObjectMeta(name=name, labels=labels, annotations=facts)
        spec = client.V1LeaseSpec(
            holder_identity=holder, lease_duration_seconds=max(1, round(self._seconds))
        )
        return client.V1Lease(metadata=meta, spec=spec)

    def _list(self, kind: str) -> list[Any]:
        selector = f"{_PART}={self._name},{_KIND}={kind}"
        return list(
            self._api.list_namespaced_lease(
                self._namespace, label_selector=selector, limit=_PAGE, _request_timeout=_TIMEOUT
            ).items
        )

    def _replace(self, lease: Any) -> bool:  # noqa: ANN401 - V1Lease
        """Write it if it is still as it was read."""
        try:
            done: Any = self._api.replace_namespaced_lease(
                lease.metadata.name, self._namespace, lease, _request_timeout=_TIMEOUT
            )
        except kubernetes.client.ApiException as error:
            if error.status in _CONFLICT:
                return False
            raise
        lease.metadata.resource_version = done.metadata.resource_version
        return True


@contextlib.contextmanager
def _answers() -> Iterator[None]:
    try:
        yield
    except kubernetes.client.ApiException as error:
        raise Unavailable(f"the cluster answered {error.status} to a question of leases") from None
    except urllib3.exceptions.HTTPError as error:
        raise Unavailable(f"the cluster does not answer: {type(error).__name__}") from None
