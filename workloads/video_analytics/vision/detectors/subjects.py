"""The life of what a rule notices, one for each subject: candidate, active, updated, ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from workloads.video_analytics.vision.model import Box, Phase, RuleSpec, Signal

#: A subject that lasts is told about again so often.
UPDATE_SECONDS = 10.0


@dataclass(slots=True)
class Subject:
    """One thing, or one state, that a rule is about.

    Attributes:
        began: when it was first seen; ``seen``: last; ``told``: when it was last spoken of.
        active: whether it is an event already.
    """

    key: str
    began: datetime
    seen: datetime
    told: datetime
    active: bool = False
    box: Box | None = None
    score: float | None = None
    track: str | None = None
    data: dict[str, Any] = field(default_factory=dict)


class Subjects:
    """Those of one rule.

    Args:
        rule: it speaks for this one.
        after_seconds: present for so long, it is an event.
        clear_seconds: absent for so long, it has ended.
    """

    def __init__(self, rule: RuleSpec, after_seconds: float, clear_seconds: float) -> None:
        self._rule = rule
        self._after = timedelta(seconds=after_seconds)
        self._clear = timedelta(seconds=clear_seconds)
        self._known: dict[str, Subject] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def present(
        self,
        key: str,
        at: datetime,
        *,
        box: Box | None = None,
        score: float | None = None,
        track: str | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> list[Signal]:
        """It is there in this frame."""
        subject = self._known.get(key)
        fresh = subject is None
        if subject is None:
            subject = self._known[key] = Subject(key, at, at, at)
        subject.seen, subject.box, subject.score, subject.track = at, box, score, track
        subject.data = dict(data or {})
        if not subject.active and at - subject.began >= self._after:
            subject.active, subject.told = True, at
            return [self._signal(subject, Phase.ACTIVE, at)]
        if fresh:
            return [self._signal(subject, Phase.CANDIDATE, at)]
        if subject.active and (at - subject.told).total_seconds() >= UPDATE_SECONDS:
            subject.told = at
            return [self._signal(subject, Phase.UPDATED, at)]
        return []

    def sweep(self, at: datetime) -> list[Signal]:
        """End those that have been absent for long enough."""
        over = [s for s in self._known.values() if s.seen < at and at - s.seen >= self._clear]
        return self._end(over, at)

    def close(self, at: datetime) -> list[Signal]:
        """End all."""
        return self._end(list(self._known.values()), at)

    def _end(self, over: list[Subject], at: datetime) -> list[Signal]:
        for subject in over:
            del self._known[subject.key]
        return [self._signal(s, Phase.ENDED, max(at, s.seen)) for s in over if s.active]

    def _signal(self, subject: Subject, phase: Phase, at: datetime) -> Signal:
        lasted = (subject.seen - subject.began).total_seconds()
        return Signal(
            self._rule.id, self._rule.version, subject.key, phase, at, subject.began,
            subject.box, subject.score, subject.track,
            {**subject.data, "seconds": round(lasted, 1)},
        )  # fmt: skip

    def memory(self) -> dict[str, object]:
        """All of them, as plain values."""
        return {
            "subjects": [
                {
                    "key": s.key,
                    "began": s.began.isoformat(),
                    "seen": s.seen.isoformat(),
                    "told": s.told.isoformat(),
                    "active": s.active,
                    "box": None if s.box is None else list(s.box),
                    "score": s.score,
                    "track": s.track,
                    "data": s.data,
                }
                for s in self._known.values()
            ]
        }

    def recall(self, memory: Mapping[str, object]) -> None:
        """Go on with those of another one; what makes no sense is left out."""
        found = memory.get("subjects")
        for item in found if isinstance(found, list) else ():
            try:
                subject = _read(item)
            except (KeyError, TypeError, ValueError):
                continue
            self._known[subject.key] = subject


def _read(item: Any) -> Subject:  # noqa: ANN401 - JSON of another one
    box = item["box"]
    began, seen, told = (datetime.fromisoformat(item[n]) for n in ("began", "seen", "told"))
    if None in {began.tzinfo, seen.tzinfo, told.tzinfo}:
        raise ValueError("a time without a zone")
    return Subject(
        str(item["key"]), began, seen, told, bool(item["active"]),
        None if box is None else Box(*(float(each) for each in box)),
        item["score"], item["track"], dict(item["data"]),
    )  # fmt: skip
