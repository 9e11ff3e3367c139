"""Campaigns in PostgreSQL."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.provisioning.campaigns.model import (
    Beyond,
    Campaign,
    CampaignState,
    Member,
    MemberState,
)
from foundation.kernel.database import Database, metadata
from foundation.kernel.paging import Page, PageRequest, page_of

_INSTANT = sa.DateTime(timezone=True)

campaign_table = sa.Table(
    "provisioning_campaign",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("blueprint", sa.Text, nullable=False),
    sa.Column("revision", sa.Text, sa.ForeignKey("provisioning_revision.digest"), nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("waves", postgresql.JSONB, nullable=False),
    sa.Column("automatic", sa.Boolean, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("wave", sa.Integer, nullable=False),
    sa.Column("rounds", sa.Integer, nullable=False),
    sa.Column("stop", sa.Boolean, nullable=False),
    sa.Column("approved_by", sa.Text, nullable=False),
    sa.Column("approved_digest", sa.Text, nullable=False),
    sa.Column("operation", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("updated_at", _INSTANT, nullable=False),
    sa.CheckConstraint(
        f"state IN ({', '.join(repr(s.value) for s in CampaignState)})", name="state"
    ),
)
member_table = sa.Table(
    "provisioning_campaign_member",
    metadata,
    sa.Column("campaign_id", sa.Text, sa.ForeignKey("provisioning_campaign.id"), primary_key=True),
    sa.Column("deployment", sa.Text, sa.ForeignKey("provisioning_deployment.id"), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("wave", sa.Integer, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("counts", postgresql.JSONB),
    sa.Column("beyond", postgresql.JSONB, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.CheckConstraint(f"state IN ({', '.join(repr(s.value) for s in MemberState)})", name="state"),
)


class PostgresCampaigns:
    """Implements ``CampaignStore``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, campaign: Campaign, members: Sequence[Member]) -> None:
        self._db.execute(campaign_table.insert().values(**asdict(campaign)))
        self._db.execute(member_table.insert(), [_row(campaign.id, each) for each in members])

    def campaign(self, campaign_id: str, *, lock: bool = False) -> Campaign | None:
        query = sa.select(campaign_table).where(campaign_table.c.id == campaign_id)
        row = self._db.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else _campaign(row)

    def campaigns(self, request: PageRequest) -> Page[Campaign]:
        t = campaign_table.c
        query = sa.select(campaign_table).order_by(t.id.desc()).limit(request.limit + 1)
        after = request.key(1)
        if after is not None:
            query = query.where(t.id < after[0])
        rows = [_campaign(row) for row in self._db.execute(query)]
        return page_of(rows, request, lambda c: (c.id,))

    def save(self, campaign: Campaign) -> None:
        t = campaign_table.c
        self._db.execute(
            campaign_table.update().where(t.id == campaign.id).values(**asdict(campaign))
        )

    def members(self, campaign_id: str) -> list[Member]:
        t = member_table.c
        rows = self._db.execute(
            sa.select(member_table)
            .where(t.campaign_id == campaign_id)
            .order_by(t.wave, t.deployment)
        )
        return [_member(row) for row in rows]

    def save_members(self, campaign_id: str, members: Iterable[Member]) -> None:
        t = member_table.c
        for each in members:
            self._db.execute(
                member_table.update()
                .where(t.campaign_id == campaign_id, t.deployment == each.deployment)
                .values(**_row(campaign_id, each))
            )


def _row(campaign_id: str, member: Member) -> dict[str, Any]:
    return {
        **asdict(member), "campaign_id": campaign_id, "state": member.state.value,
        "beyond": [reason.value for reason in member.beyond],
    }  # fmt: skip


def _campaign(row: sa.Row[Any]) -> Campaign:
    values = dict(row._mapping)  # noqa: SLF001 - the library's documented name
    return Campaign(**{**values, "waves": tuple(row.waves), "state": CampaignState(row.state)})


def _member(row: sa.Row[Any]) -> Member:
    values = dict(row._mapping)  # noqa: SLF001
    del values["campaign_id"]
    reasons = tuple(Beyond(text) for text in row.beyond)
    return Member(**{**values, "state": MemberState(row.state), "beyond": reasons})
