"""What policies need from outside."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from control_plane.provisioning.policies.model import Holder, Pack, Waiver, WaiverState
from foundation.access.model import Principal
from foundation.kernel.paging import Page, PageRequest


class Owners(Protocol):
    """The people and service accounts who may answer for a waiver."""

    def get(self, principal_id: str) -> Principal | None:
        """One by id."""
        ...

    def by_login(self, login: str) -> tuple[Principal, str | None] | None:
        """One by the name to sign in with."""
        ...


class PolicyStore(Protocol):
    """Packs and waivers; every call joins the open transaction."""

    def add_pack(self, pack: Pack) -> bool:
        """Keep a version; False when its name has that version."""
        ...

    def pack(self, name: str, version: int | None = None) -> Pack | None:
        """A published version, or the newest one."""
        ...

    def newest_packs(self) -> list[Pack]:
        """The newest published version of each, by name."""
        ...

    def versions(self, name: str) -> list[Pack]:
        """All published versions of a pack, the newest first."""
        ...

    def switches(self) -> dict[str, bool]:
        """Which packs were switched on or off; those never touched are left out."""
        ...

    def switch(self, name: str, by: str, at: datetime, *, enabled: bool) -> None:
        """Switch a pack on or off."""
        ...

    def holder_of(self, deployment_id: str) -> Holder | None:
        """Whose a deployment is that is not destroyed."""
        ...

    def add_waiver(self, waiver: Waiver) -> None:
        """Keep a new one."""
        ...

    def waiver(self, waiver_id: str, *, lock: bool = False) -> Waiver | None: ...

    def save_waiver(self, waiver: Waiver) -> None:
        """Keep a changed one."""
        ...

    def waivers(
        self,
        paths: Sequence[str],
        state: WaiverState | None,
        at: datetime,
        filters: Mapping[str, str],
        request: PageRequest,
    ) -> Page[Waiver]:
        """Those at or below any of the paths, the first to end first; None for every state."""
        ...

    def holding(self, holder: Holder, at: datetime) -> list[Waiver]:
        """Those that hold for a deployment at a time."""
        ...

    def named(self, ids: Sequence[str]) -> list[Waiver]:
        """Waivers by id."""
        ...
