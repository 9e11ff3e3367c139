"""What the registry needs from outside."""

from collections.abc import Sequence
from typing import Protocol

from control_plane.kernel.paging import Page, PageRequest
from control_plane.provisioning.registry.model import Impact, ImpactRow, User


class UserStore(Protocol):
    """Which deployments run which revision."""

    def users(
        self, blueprint: str, paths: Sequence[str], request: PageRequest, *, version: str = ""
    ) -> Page[User]:
        """The living deployments of a blueprint below paths, by id.

        Args:
            blueprint: name.
            paths: prefixes of organisations' paths.
            request: which page.
            version: only those that run it; empty for all.
        """
        ...

    def counts(self, blueprint: str, paths: Sequence[str]) -> dict[str, int]:
        """How many living deployments below paths run each version."""
        ...


class ImpactStore(Protocol):
    """Reports of what a revision would change."""

    def put_impact(self, impact: Impact, rows: Sequence[ImpactRow]) -> None:
        """Keep a report; the same one again changes nothing."""
        ...

    def impact(self, revision: str) -> Impact | None:
        """The newest report of a revision."""
        ...

    def impact_rows(self, impact_id: str, request: PageRequest) -> Page[ImpactRow]:
        """Its rows, those that cannot take the revision first."""
        ...


class RegistryStore(UserStore, ImpactStore, Protocol):
    """All that the registry keeps."""
