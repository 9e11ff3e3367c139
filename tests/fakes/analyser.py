"""A stand-in for the analysis of a camera: what it says follows from the times of frames alone.

It keeps the promises of ``vision.model.Analyser``, so tests of what is around the analysis know
which events there must be: one for each period of the camera's time.
"""

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from workloads.video_analytics.vision.model import (
    Analysis,
    Box,
    CameraView,
    Frame,
    Phase,
    Point,
    RuleSpec,
    Signal,
    Tier,
    TrackPiece,
)


class PeriodicAnalyser:
    """For every rule an event for each period (parameter ``seconds``) of the frames' times.

    A frame takes so long as the parameter ``cost`` says, in seconds.
    """

    def __init__(self, view: CameraView, rules: Sequence[RuleSpec] = ()) -> None:
        self.view = view
        self.rules = tuple(rules)
        self.active: dict[str, int] = {}
        self.frames = 0
        self.last: datetime | None = None

    def feed(self, frame: Frame) -> Analysis:
        if self.last is not None and frame.at <= self.last:
            return Analysis()
        self.last = frame.at
        self.frames += 1
        time.sleep(sum(float(rule.parameters.get("cost", 0)) for rule in self.rules))
        signals: list[Signal] = []
        tracks: list[TrackPiece] = []
        for rule in self.rules:
            seconds = float(rule.parameters.get("seconds", 2))
            period = int(frame.at.timestamp() // seconds)
            known = self.active.get(rule.id)
            if known == period:
                continue
            if known is not None:
                signals.append(self._signal(rule, known, seconds, Phase.ENDED, frame.at))
                tracks.append(self._piece(rule, known, seconds, frame.at))
            self.active[rule.id] = period
            signals.append(self._signal(rule, period, seconds, Phase.ACTIVE, frame.at))
        return Analysis(tuple(signals), tuple(tracks), moving=True)

    def change(self, rules: Sequence[RuleSpec], tier: Tier) -> Analysis:  # noqa: ARG002
        kept = {rule.id for rule in rules}
        ended = [rule for rule in self.rules if rule.id not in kept and rule.id in self.active]
        signals = [self._ended(rule, self.last or datetime.now(UTC)) for rule in ended]  # noqa: TID251
        self.rules = tuple(rules)
        return Analysis(tuple(signals))

    def close(self, at: datetime) -> Analysis:
        ended = [self._ended(rule, at) for rule in self.rules if rule.id in self.active]
        return Analysis(tuple(ended))

    def memory(self) -> bytes:
        last = None if self.last is None else self.last.isoformat()
        return json.dumps({"active": self.active, "last": last}).encode()

    def recall(self, memory: bytes) -> None:
        known = json.loads(memory)
        self.active = known["active"]
        self.last = None if known["last"] is None else datetime.fromisoformat(known["last"])

    def _ended(self, rule: RuleSpec, at: datetime) -> Signal:
        seconds = float(rule.parameters.get("seconds", 2))
        return self._signal(rule, self.active.pop(rule.id), seconds, Phase.ENDED, at)

    def _signal(
        self, rule: RuleSpec, period: int, seconds: float, phase: Phase, at: datetime
    ) -> Signal:
        began = datetime.fromtimestamp(period * seconds, UTC)
        return Signal(
            rule.id, rule.version, str(period), phase, at, began, Box(0.2, 0.2, 0.3, 0.4), 0.9
        )

    def _piece(self, rule: RuleSpec, period: int, seconds: float, at: datetime) -> TrackPiece:
        began = datetime.fromtimestamp(period * seconds, UTC)
        box = Box(0.2, 0.2, 0.3, 0.4)
        path = ((began, Point(0.1, 0.6)), (at, box.foot))
        return TrackPiece(f"{rule.id}-{period}", path, 0.12, "", "", seconds, ended=True, box=box)


def make(view: CameraView, rules: tuple[RuleSpec, ...], tier: Tier) -> PeriodicAnalyser:  # noqa: ARG001
    return PeriodicAnalyser(view, rules)
