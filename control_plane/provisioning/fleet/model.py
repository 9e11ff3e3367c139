"""How regions do: whether they answer, what room they have, and which suits a wish."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from control_plane.provisioning.graph import Json
from control_plane.provisioning.model import Region, RegionId, RegionState
from foundation.kernel.text import Text

#: What is older than this is not to be relied on.
STALE_SECONDS = 1800


@dataclass(frozen=True, slots=True)
class Sight:
    """How one kind of a region answered when it was looked at last.

    Attributes:
        since: since when it has been as it is (answering or not).
    """

    region_id: RegionId
    kind: str
    ok: bool
    message: str
    details: Mapping[str, Json]
    at: datetime
    since: datetime


@dataclass(frozen=True, slots=True)
class Measured:
    """What a region's machines say of one quota resource.

    Attributes:
        total: what is there to be given out, with what the cloud itself overcommits.
        used: what is given out, to whomever.
    """

    total: Decimal
    used: Decimal


@dataclass(frozen=True, slots=True)
class Room:
    """What a region has of one quota resource.

    Attributes:
        overcommit: by how much more the platform gives out than the machines say.
        at: when it was measured.
    """

    resource: str
    measured: Measured
    overcommit: Decimal
    at: datetime

    @property
    def total(self) -> Decimal:
        """What may be given out."""
        return self.measured.total * self.overcommit

    @property
    def free(self) -> Decimal:
        """What is left of it; never below nothing."""
        return max(Decimal(0), self.total - self.measured.used)


@dataclass(frozen=True, slots=True)
class Closure:
    """Why a region takes nothing.

    Attributes:
        until: when it is expected to end; None when nobody knows.
        by: id of who closed it.
    """

    state: RegionState
    reason: str
    until: datetime | None
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Condition:
    """All that is known of how a region does."""

    region: Region
    closure: Closure | None
    sights: tuple[Sight, ...]
    rooms: tuple[Room, ...]

    @property
    def answers(self) -> bool | None:
        """Whether every kind answered; None when it was never looked at."""
        return all(one.ok for one in self.sights) if self.sights else None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A region that is asked whether it suits.

    Attributes:
        problem: why the blueprint's program cannot be run for it; empty when it can.
        needs: the quota amounts that the wish would take there.
        held: what deployments hold there now.
        is_home: whether the tenancy has something there already.
    """

    condition: Condition
    problem: Text | None
    needs: Mapping[str, Decimal]
    held: Mapping[str, Decimal]
    is_home: bool


@dataclass(frozen=True, slots=True)
class Placement:
    """What placement says of one region.

    Attributes:
        against: why it does not suit; empty when it does.
        left: the smallest share of a resource that would be left, 0 to 1; None: nothing is bounded.
    """

    region: Region
    fits: bool
    against: tuple[Text, ...]
    left: Decimal | None
    is_home: bool = field(default=False)


def free(condition: Condition, held: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """What a region has left, by quota resource: the smaller of declared and measured."""
    left = {
        name: total - held.get(name, Decimal(0))
        for name, total in condition.region.capacity.items()
    }
    for room in condition.rooms:
        left[room.resource] = min(left.get(room.resource, room.free), room.free)
    return left


def rank(
    candidates: Sequence[Candidate], data_class: str, allowed: frozenset[str]
) -> tuple[Placement, ...]:
    """Say of each region whether it suits, the best first.

    Args:
        candidates: the regions.
        data_class: of the data that would be kept there.
        allowed: the classes that the blueprint may carry.
    """
    judged = [_judge(one, data_class, allowed) for one in candidates]
    return tuple(
        sorted(
            judged,
            key=lambda p: (
                not p.fits, not p.is_home, -(Decimal(1) if p.left is None else p.left),
                p.region.slug,
            ),
        )
    )  # fmt: skip


def _judge(candidate: Candidate, data_class: str, allowed: frozenset[str]) -> Placement:
    condition = candidate.condition
    region = condition.region
    against = [*_closed(condition)]
    if data_class not in region.data_classes:
        against.append(
            Text(f"It may not keep {data_class} data.", f"不允许存放 {data_class} 级数据。")
        )
    if data_class not in allowed:
        against.append(
            Text(f"The blueprint may not carry {data_class} data.",
                 f"该蓝图不允许承载 {data_class} 级数据。")
        )  # fmt: skip
    if candidate.problem is not None:
        against.append(candidate.problem)
    room = free(condition, candidate.held)
    shares = []
    for name, needed in sorted(candidate.needs.items()):
        if name not in room or needed <= 0:
            continue
        if needed > room[name]:
            against.append(
                Text(f"It has {_plain(room[name])} of {name} left, {_plain(needed)} are needed.",
                     f"{name} 剩余 {_plain(room[name])}，需要 {_plain(needed)}。")
            )  # fmt: skip
        total = _total(condition, name)
        if total > 0:
            shares.append(max(Decimal(0), room[name] - needed) / total)
    left = min(shares, default=None)
    return Placement(region, not against, tuple(against), left, candidate.is_home)


def _closed(condition: Condition) -> list[Text]:
    if condition.region.state is RegionState.CORDONED:
        return [Text("It takes nothing new.", "暂不接纳新资源。")]
    if condition.region.state is RegionState.MAINTENANCE:
        return [Text("It is under maintenance.", "正在维护。")]
    silent = [one.kind for one in condition.sights if not one.ok]
    if silent:
        kinds = ", ".join(silent)
        return [Text(f"It does not answer ({kinds}).", f"没有响应（{kinds}）。")]
    return []


def _total(condition: Condition, name: str) -> Decimal:
    declared = condition.region.capacity.get(name)
    measured = [room.total for room in condition.rooms if room.resource == name]
    known = [*measured, *([] if declared is None else [declared])]
    return min(known, default=Decimal(0))


def _plain(value: Decimal) -> str:
    return f"{max(value, Decimal(0)).normalize():f}"
