"""What agencies need of the outside."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from foundation.kernel.actor import Actor
from foundation.kernel.paging import Page, PageRequest
from workloads.data_exchange.agencies.model import Agency


class AgencyStore(Protocol):
    """Keeps agencies."""

    def add(self, agency: Agency) -> bool:
        """Keep a new one; False when its path is taken."""
        ...

    def find(self, reference: str) -> Agency | None:
        """By id or by path."""
        ...

    def list(self, paths: Sequence[str], request: PageRequest) -> Page[Agency]:
        """Those at or below any of the paths, by path."""
        ...

    def change(self, agency: Agency) -> None:
        """Keep what may change of it."""
        ...

    def remove(self, agency: Agency) -> bool:
        """Take it away; False when something is below it or belongs to it."""
        ...


class Audit(Protocol):
    """Where every change is written down, in the transaction that makes it."""

    def record(
        self, actor: Actor, action: str, *, subject: str, path: str, details: Mapping[str, Any]
    ) -> None: ...
