"""How much of one OpenStack service's work goes on at once within an operation."""

import threading
from collections import deque
from collections.abc import Callable


def service_of(type_: str) -> str:
    """Return the OpenStack service that makes a type of resource, ``compute``; else nothing.

    Objects of Kubernetes may wait for one another without saying so (a Deployment for its
    ConfigMap), so they have no turns.
    """
    package, _, rest = type_.partition(":")
    return rest.partition("/")[0] if package == "openstack" else ""


class Turns:
    """Lets so many pieces of work on one service go on at once; the others wait, in order.

    Nobody waits for somebody who waits: a resource is registered when all that it uses is made.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._running: dict[str, int] = {}
        self._waiting: dict[str, deque[Callable[[], object]]] = {}

    def take(self, service: str, work: Callable[[], object]) -> None:
        """Begin work now or later; work on no service begins at once."""
        if service:
            with self._lock:
                if self._running.get(service, 0) >= self._most:
                    self._waiting.setdefault(service, deque()).append(work)
                    return
                self._running[service] = self._running.get(service, 0) + 1
        work()

    def end(self, service: str) -> None:
        """Let the next one begin."""
        if not service:
            return
        with self._lock:
            waiting = self._waiting.get(service)
            work = waiting.popleft() if waiting else None
            if work is None:
                self._running[service] -= 1
        if work is not None:
            work()
