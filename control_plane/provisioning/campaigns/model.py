"""Campaigns: a newer revision for many deployments, wave by wave."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from control_plane.provisioning.graph import Op
from control_plane.provisioning.model import MeterQuantity, Plan
from foundation.kernel import canonical
from foundation.kernel.errors import Invalid, Problem

MOST_MEMBERS = 2000
MOST_WAVES = 20
_WAVE = re.compile(r"([1-9][0-9]{0,4})(%?)")
_WHOLE = 100


class CampaignState(StrEnum):
    """Where a campaign is in its life."""

    PLANNING = "planning"
    WAITING = "waiting"
    RUNNING = "running"
    STOPPED = "stopped"
    DONE = "done"


class MemberState(StrEnum):
    """How far one deployment of a campaign is.

    ``NEEDS_ORDER``: the upgrade would do more than a campaign may; the department orders the
    change. ``UNPLANNABLE``: there is no plan, ``reason`` says why. ``CHANGED``: what would have
    been done was not what was approved, so nothing was.
    """

    SELECTED = "selected"
    PLANNED = "planned"
    NEEDS_ORDER = "needs_order"
    UNPLANNABLE = "unplannable"
    APPLYING = "applying"
    DONE = "upgraded"
    FAILED = "failed"
    CHANGED = "overtaken"


#: What another attempt plans anew.
AGAIN = frozenset({
    MemberState.FAILED, MemberState.CHANGED, MemberState.UNPLANNABLE, MemberState.APPLYING,
})  # fmt: skip
#: What does not hold a wave back.
SETTLED = frozenset({MemberState.DONE, MemberState.NEEDS_ORDER, MemberState.UNPLANNABLE})


class Beyond(StrEnum):
    """Why an upgrade is not a campaign's to do."""

    CREATES = "creates"
    REPLACES = "replaces"
    DELETES = "deletes"
    PREPARES = "prepares"
    QUOTA = "quota"
    USAGE = "usage"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Member:
    """One deployment of a campaign.

    Attributes:
        wave: from 0.
        plan, digest: what would be done; empty until it is planned.
        counts: resources by operation.
        beyond: why it needs an order.
        reason: why it could not be planned or applied.
    """

    deployment: str
    name: str
    path: str
    owner: str
    wave: int
    version: str
    state: MemberState = MemberState.SELECTED
    plan: str = ""
    digest: str = ""
    counts: Mapping[str, int] | None = None
    beyond: tuple[Beyond, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Campaign:
    """A newer revision for many deployments.

    Attributes:
        revision: digest of the one that they get.
        waves: how the deployments are parted: a number, a share (``10%``) or ``rest`` each.
        automatic: whether a wave that ended healthy is followed by the next without being asked.
        wave: which comes next, or is worked on; from 0.
        rounds: how often it was planned; another round gives its work other keys.
        stop: whether somebody asked for it to stop.
        approved_by: who approved what was approved last; empty for nobody yet.
        operation: that works on it, or did last.
        why: why it stopped.
    """

    id: str
    title: str
    blueprint: str
    revision: str
    version: str
    waves: tuple[str, ...]
    automatic: bool
    state: CampaignState
    wave: int
    rounds: int
    stop: bool
    approved_by: str
    approved_digest: str
    operation: str
    why: str
    created_at: datetime
    created_by: str
    updated_at: datetime


def check_waves(waves: Sequence[str]) -> tuple[str, ...]:
    """Refuse what does not part deployments into waves.

    Raises:
        Invalid: names every wrong wave.
    """
    problems = []
    for index, text in enumerate(waves):
        match = _WAVE.fullmatch(text)
        share = match is not None and match[2] and int(match[1]) > _WHOLE
        last = index == len(waves) - 1
        if not (match or (text == "rest" and last)) or share:
            field = f"waves.{index}"
            problems.append(Problem(field, "must be a number, a share such as 10%, or a last rest"))
    if not waves or len(waves) > MOST_WAVES:
        problems.append(Problem("waves", f"must be 1 to {MOST_WAVES}"))
    if problems:
        raise Invalid(problems)
    return tuple(waves)


def part(count: int, waves: Sequence[str]) -> list[int]:
    """The wave of each of so many deployments; what no wave names comes with the last one.

    A share is of all, and never of less than one.
    """
    found: list[int] = []
    for index, text in enumerate(waves):
        left = count - len(found)
        size = left
        if text != "rest" and index < len(waves) - 1:
            number = int(text.rstrip("%"))
            size = max(1, count * number // _WHOLE) if text.endswith("%") else number
        found += [index] * min(size, left)
    return found


def beyond(plan: Plan, before: Iterable[MeterQuantity]) -> tuple[Beyond, ...]:
    """Why a plan is not a campaign's to do: nothing when it only updates in place, at no cost.

    Equal usage has an equal price, whatever the price book says; equal quota needs no reservation.
    """
    ops = {change.op for change in plan.preview.effective}
    reasons = {
        Beyond.CREATES: Op.CREATE in ops,
        Beyond.REPLACES: Op.REPLACE in ops,
        Beyond.DELETES: Op.DELETE in ops,
        Beyond.PREPARES: plan.preparation is not None,
        Beyond.QUOTA: any(plan.quota.values()),
        Beyond.USAGE: _usage(before) != _usage(plan.hourly),
        Beyond.POLICY: bool(plan.blocked),
    }
    return tuple(reason for reason, holds in reasons.items() if holds)


def _usage(hourly: Iterable[MeterQuantity]) -> dict[tuple[str, str], Decimal]:
    totals: dict[tuple[str, str], Decimal] = {}
    for each in hourly:
        key = (each.meter, canonical.dumps(each.dimensions))
        totals[key] = totals.get(key, Decimal(0)) + each.per_hour
    return {key: amount for key, amount in totals.items() if amount}


def digest_of(campaign: Campaign, members: Iterable[Member]) -> str:
    """What an approval stands for: every plan of the next wave, or of all that follow by itself."""
    last = len(campaign.waves) - 1 if campaign.automatic else campaign.wave
    plans = sorted(
        (m.wave, m.deployment, m.digest)
        for m in members
        if m.state is MemberState.PLANNED and campaign.wave <= m.wave <= last
    )
    return canonical.digest(
        {
            "format": 1,
            "campaign": campaign.id,
            "revision": campaign.revision,
            "waves": [campaign.wave, last],
            "plans": [list(each) for each in plans],
        }
    )
