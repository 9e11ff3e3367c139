"""What the looking after drift needs from outside."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from control_plane.provisioning.drift.model import (
    Finding,
    LookOutcome,
    RegionSight,
    RegionSummary,
    Watched,
)
from control_plane.provisioning.graph import Json
from foundation.kernel.paging import Page, PageRequest


class DriftStore(Protocol):
    """Findings, and when each deployment is looked at; every call joins the open transaction."""

    # Findings

    def finding(self, finding_id: str) -> Finding | None: ...

    def standing(self, deployment_id: str, *, lock: bool = False) -> list[Finding]:
        """Those that are not closed, by resource and property.

        ``lock`` keeps other looks and decisions on this deployment out until the transaction ends.
        """
        ...

    def put(self, findings: Iterable[Finding]) -> None:
        """Keep findings, new or changed."""
        ...

    def findings(
        self, paths: Sequence[str], filters: Mapping[str, str], request: PageRequest
    ) -> Page[Finding]:
        """Those at or below any of the paths, newest first.

        Filters: ``region_id``, ``tenancy_id``, ``deployment_id``, ``kind``, ``state``, ``type``;
        without ``state`` those that stand.
        """
        ...

    def summary(self, paths: Sequence[str]) -> list[RegionSummary]:
        """By region: standing findings counted, and how old the looks are."""
        ...

    # Looks

    def watched(self, deployment_id: str) -> Watched | None: ...

    def enlist(self, at: datetime, within: timedelta) -> int:
        """Watch active deployments that nobody watches, and no more those that are gone.

        Args:
            at: now.
            within: the first looks at them are spread over that time.
        """
        ...

    def free(self, lane: str) -> None:
        """Give back what a killed process of this lane had taken."""
        ...

    def claim(
        self, lane: str, at: datetime, *, batch: int, lanes: int, seconds: float
    ) -> list[str]:
        """Take deployments of one region that are due.

        Args:
            lane: who looks.
            at: now.
            batch: how many at most; one when the region could not be looked at before.
            lanes: how many lanes may look at one region at a time.
            seconds: after so long others may take what this lane has taken.
        """
        ...

    def begin(self, deployment_id: str, at: datetime) -> bool:
        """Note that a look begins; answers whether an earlier one was cut off."""
        ...

    def ended(
        self, deployment_id: str, outcome: LookOutcome, at: datetime, next_at: datetime, error: str
    ) -> None:
        """Note how a look ended, and when the next is due."""
        ...

    def due(self, paths: Sequence[str], region_id: str | None, at: datetime) -> int:
        """Let all that are watched at or below the paths be due now; answers how many."""
        ...

    # Regions

    def sight(self, region_id: str) -> RegionSight: ...

    def put_sight(self, sight: RegionSight) -> None: ...

    # Quota that a deployment without an order holds

    def keep_reservation(self, deployment_id: str, key: str) -> None:
        """Note a reservation that is given back when the deployment is gone."""
        ...

    def left_reservations(self) -> list[list[str]]:
        """The reservations of deployments that are gone; they are noted no more."""
        ...


class Owners(Protocol):
    """Features above that hold deployments: an ordered service is told what it is by now."""

    def adopted(
        self, owner: str, inputs: Mapping[str, Json], change: Mapping[str, Decimal]
    ) -> None:
        """What a region has was adopted; in the open transaction.

        Args:
            owner: as the deployment names it, ``instance:ins_…``.
            inputs: what it has now.
            change: of the quota that it holds; it is consumed already.
        """
        ...
