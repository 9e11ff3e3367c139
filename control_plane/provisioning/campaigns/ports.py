"""What campaigns need from outside."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from control_plane.provisioning.campaigns.model import Campaign, Member
from foundation.kernel.paging import Page, PageRequest


class CampaignStore(Protocol):
    """Campaigns and their members."""

    def add(self, campaign: Campaign, members: Sequence[Member]) -> None: ...

    def campaign(self, campaign_id: str, *, lock: bool = False) -> Campaign | None:
        """One campaign.

        Args:
            campaign_id: which.
            lock: hold it until the transaction ends.
        """
        ...

    def campaigns(self, request: PageRequest) -> Page[Campaign]:
        """All, the newest first."""
        ...

    def save(self, campaign: Campaign) -> None: ...

    def members(self, campaign_id: str) -> list[Member]:
        """All, by wave and deployment."""
        ...

    def save_members(self, campaign_id: str, members: Iterable[Member]) -> None: ...
