"""What departments need of the outside."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from foundation.kernel.actor import Actor
from foundation.kernel.paging import Page, PageRequest
from workloads.video_analytics.departments.model import Department


class DepartmentStore(Protocol):
    """Keeps departments."""

    def add(self, department: Department) -> bool:
        """Keep a new one; False when its path is taken."""
        ...

    def find(self, reference: str) -> Department | None:
        """By id or by path."""
        ...

    def list(self, paths: Sequence[str], request: PageRequest) -> Page[Department]:
        """Those at or below any of the paths, by path."""
        ...

    def change(self, department: Department) -> None:
        """Keep its name and external id."""
        ...

    def remove(self, department: Department) -> bool:
        """Take it away; False when something is below it or belongs to it."""
        ...


class Audit(Protocol):
    """Where every change is written down, in the transaction that makes it."""

    def record(
        self, actor: Actor, action: str, *, subject: str, path: str, details: Mapping[str, Any]
    ) -> None: ...
