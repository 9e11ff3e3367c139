"""What tenancy needs from outside of itself: its store."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from control_plane.tenancy.model import (
    Organisation,
    OrganisationId,
    Quota,
    QuotaLevel,
    Reservation,
    System,
    SystemId,
    Tenancy,
    TenancyId,
)
from foundation.kernel.actor import Actor
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.text import Text


class TenancyStore(Protocol):
    """Organisations, systems, tenancies and quotas; every call joins the open transaction."""

    def add_organisation(self, organisation: Organisation) -> bool:
        """Keep a new organisation and its quota rows; False when its path is taken."""
        ...

    def organisation(self, reference: str) -> Organisation | None:
        """By id or by path."""
        ...

    def organisations(self, paths: Sequence[str], request: PageRequest) -> Page[Organisation]:
        """Those at or below any of the paths, by path."""
        ...

    def rename_organisation(self, organisation_id: OrganisationId, name: Text) -> None: ...

    def add_system(self, system: System) -> bool:
        """Keep a new system; False when its organisation has one of that slug."""
        ...

    def system(self, system_id: SystemId) -> System | None: ...

    def system_named(self, organisation_id: OrganisationId, slug: str) -> System | None: ...

    def systems_called(self, slug: str, near: str) -> list[System]:
        """Those with a slug, of organisations at, above or below a path."""
        ...

    def systems(self, paths: Sequence[str], request: PageRequest) -> Page[System]:
        """Those of organisations at or below any of the paths, by id."""
        ...

    def add_tenancy(self, tenancy: Tenancy) -> bool:
        """Keep a new tenancy and its quota rows; False when its slug is taken."""
        ...

    def tenancy(self, reference: str) -> Tenancy | None:
        """By id or by slug."""
        ...

    def tenancies(
        self, paths: Sequence[str], request: PageRequest, *, system_id: str | None = None
    ) -> Page[Tenancy]:
        """Those of organisations at or below any of the paths, by id."""
        ...

    def close_tenancy(self, tenancy_id: TenancyId) -> None: ...

    def lock_quotas(
        self, scopes: Sequence[str], resources: Iterable[str]
    ) -> dict[tuple[str, str], Quota]:
        """Lock the rows of these scopes in the order given, then by resource.

        Args:
            scopes: organisation ids from the root to the leaf, then the tenancy's id.
            resources: names; rows that are missing are made.
        """
        ...

    def add_to_quotas(
        self, scopes: Sequence[str], changes: Mapping[str, tuple[Decimal, Decimal]]
    ) -> None:
        """Add (reserved, used) by resource in every scope."""
        ...

    def set_limit(self, scope: str, resource: str, limit: Decimal | None) -> None: ...

    def quota_levels(self, path: str, tenancy: Tenancy | None) -> list[QuotaLevel]:
        """From the root to the organisation of that path, then the tenancy."""
        ...

    def add_reservation(self, reservation: Reservation) -> bool:
        """Keep a new reservation; False when its key is known. Waits for another that writes it."""
        ...

    def reservation(self, key: str) -> Reservation | None:
        """By key, locked until the transaction ends."""
        ...

    def save_reservation(self, reservation: Reservation) -> None: ...


class Audit(Protocol):
    """Where every change is written down, in the transaction that makes it."""

    def record(
        self, actor: Actor, action: str, *, subject: str, path: str, details: Mapping[str, Any]
    ) -> None: ...
