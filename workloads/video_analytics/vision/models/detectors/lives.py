"""From sightings to signals: what is seen often enough is believed, what is gone long enough ends.

Sightings come a few times a second at most. One belongs to the subject that is followed as the
same track, or else to the one whose last box it shares most with or lies next to.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from workloads.video_analytics.vision.model import Box, Phase, Point, RuleSpec, Signal
from workloads.video_analytics.vision.models.detectors.looking import alike

_UPDATE = timedelta(seconds=5)
_IN_PLACE = 0.4
_BESIDE = 1.0  # of its size, how far a thing may go between two looks
_MOST = 64  # subjects at once; a picture with more of them is a crowd, which has a rule of its own


@dataclass(frozen=True, slots=True)
class Sighting:
    """A thing in one look.

    Attributes:
        name: what it was taken for: a class, the text of a plate, an entry of a list.
        weight: how much that counts.
        key: tells it apart where that is known; else it is found by where it is.
        moves: whether something moves there; what does not can only go on.
    """

    box: Box
    score: float
    name: str
    weight: float = 1.0
    track: str | None = None
    key: str = ""
    moves: bool = True
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Subject:
    """A thing as far as it is known."""

    key: str
    began: datetime
    last: datetime
    moved: datetime
    told: datetime
    box: Box
    score: float
    track: str | None
    looks: int = 0
    active: bool = False
    said: str = ""
    votes: dict[str, float] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    data: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What most of the looks took it for, by weight."""
        return max(self.votes, key=lambda name: (self.votes[name], name), default="")


class Lives:
    """The subjects of one rule.

    Args:
        rule: whose.
        looks: so many that agree make it believed.
        gone: after so long without one it has ended.
        still: so long a believed one may stand still and goes on.
        word: under which name the data of a signal carries what it is.
    """

    def __init__(
        self, rule: RuleSpec, *, looks: int, gone: timedelta, still: timedelta, word: str
    ) -> None:
        self._rule = rule
        self._looks = looks
        self._gone = gone
        self._still = still
        self._word = word
        self._subjects: list[Subject] = []
        self._made = 0

    def see(self, sightings: Sequence[Sighting], at: datetime) -> list[Signal]:
        """What a look brought."""
        signals: list[Signal] = []
        free = list(self._subjects)
        for sighting in sorted(sightings, key=lambda s: -s.score):
            subject = _match(sighting, free)
            if subject is not None and (sighting.moves or self._stays(subject, sighting, at)):
                free.remove(subject)
                signals += self._note(subject, sighting, at)
            elif subject is None and sighting.moves and len(self._subjects) < _MOST:
                subject = self._begin(sighting, at)
                told = self._note(subject, sighting, at)
                signals += told or [self._signal(subject, Phase.CANDIDATE, at)]
        return signals

    def _stays(self, subject: Subject, sighting: Sighting, at: datetime) -> bool:
        """Whether something that does not move is a believed one that stopped there."""
        in_place = alike(subject.box, sighting.box) >= _IN_PLACE
        return subject.active and in_place and at - subject.moved <= self._still

    def waiting(self, at: datetime) -> bool:
        """Whether something believed may stand still: worth a look though nothing moves."""
        return any(s.active and at - s.moved <= self._still for s in self._subjects)

    def sweep(self, at: datetime) -> list[Signal]:
        """What has ended by now; to be called at every frame."""
        over = [s for s in self._subjects if at - s.last >= self._gone]
        return self._end(over, at)

    def close(self, at: datetime) -> list[Signal]:
        """All of it ends."""
        return self._end(list(self._subjects), at)

    def _begin(self, sighting: Sighting, at: datetime) -> Subject:
        self._made += 1
        key = sighting.key or f"{int(at.timestamp() * 1000)}-{self._made}"
        subject = Subject(key, at, at, at, at, sighting.box, sighting.score, sighting.track)
        self._subjects.append(subject)
        return subject

    def _note(self, subject: Subject, sighting: Sighting, at: datetime) -> list[Signal]:
        subject.last, subject.box, subject.track = at, sighting.box, sighting.track
        subject.moved = at if sighting.moves else subject.moved
        subject.score = max(subject.score, sighting.score)
        subject.looks += 1
        subject.votes[sighting.name] = subject.votes.get(sighting.name, 0.0) + sighting.weight
        subject.counts[sighting.name] += 1
        subject.data[sighting.name] = sighting.data
        name = subject.name
        if subject.counts[name] < self._looks:
            return []
        if not subject.active:
            subject.active = True
            phase = Phase.ACTIVE
        elif name != subject.said or at - subject.told >= _UPDATE:
            phase = Phase.UPDATED
        else:
            return []
        subject.said, subject.told = name, at
        return [self._signal(subject, phase, at)]

    def _end(self, subjects: Sequence[Subject], at: datetime) -> list[Signal]:
        for subject in subjects:
            self._subjects.remove(subject)
        return [self._signal(s, Phase.ENDED, at) for s in subjects if s.active]

    def _signal(self, subject: Subject, phase: Phase, at: datetime) -> Signal:
        name = subject.name
        data = {self._word: name, "looks": subject.looks, **subject.data.get(name, {})}
        return Signal(
            self._rule.id, self._rule.version, subject.key, phase, at, subject.began,
            subject.box, subject.score, subject.track, data,
        )  # fmt: skip

    # For another worker -----------------------------------------------------------------------

    def memory(self) -> list[dict[str, object]]:
        """The active subjects as plain values; candidates are seen again soon enough."""
        return [
            {
                "key": s.key, "began": s.began.isoformat(), "last": s.last.isoformat(),
                "box": list(s.box), "score": s.score, "track": s.track, "looks": s.looks,
                "said": s.said, "data": dict(s.data.get(s.said, {})),
            }
            for s in self._subjects
            if s.active
        ]  # fmt: skip

    def recall(self, memory: object) -> None:
        """Go on with these; nonsense is ignored."""
        try:
            found = [_recalled(item, self._looks) for item in memory]  # type: ignore[attr-defined]
        except (AttributeError, KeyError, TypeError, ValueError):
            return
        self._subjects = found[:_MOST]


def _recalled(item: Mapping[str, Any], looks: int) -> Subject:
    last = datetime.fromisoformat(item["last"])
    said = str(item["said"])
    subject = Subject(
        str(item["key"]), datetime.fromisoformat(item["began"]), last, last, last,
        Box(*(float(value) for value in item["box"])), float(item["score"]), item["track"],
        int(item["looks"]), active=True, said=said,
    )  # fmt: skip
    subject.counts[said] = max(looks, subject.looks)
    subject.votes[said] = float(subject.counts[said])
    subject.data[said] = dict(item["data"])
    return subject


def _match(sighting: Sighting, free: Sequence[Subject]) -> Subject | None:
    if sighting.key:
        return next((s for s in free if s.key == sighting.key), None)
    same = [s for s in free if s.track is not None and s.track == sighting.track]
    near = same or [s for s in free if _near(sighting.box, s.box)]
    return max(near, key=lambda s: alike(sighting.box, s.box), default=None)


def _near(one: Box, other: Box) -> bool:
    size = max(one.width, one.height, other.width, other.height)
    away = max(
        abs(one.x + one.width / 2 - other.x - other.width / 2),
        abs(one.y + one.height / 2 - other.y - other.height / 2),
    )
    return alike(one, other) > 0 or away <= _BESIDE * size


def within(point: Point, polygon: Sequence[Point]) -> bool:
    """Whether a point lies in a polygon; in none it always does (the whole frame)."""
    if not polygon:
        return True
    inside = False
    last = polygon[-1]
    for corner in polygon:
        if (corner.y > point.y) != (last.y > point.y):
            across = (last.x - corner.x) * (point.y - corner.y) / (last.y - corner.y) + corner.x
            inside ^= point.x < across
        last = corner
    return inside
