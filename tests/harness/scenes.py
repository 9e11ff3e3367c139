"""Scenes with known truth through the analysis of a camera, and how well it did."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from workloads.video_analytics.synthetic.scene import Scene, Truth
from workloads.video_analytics.vision.analyser import CameraAnalyser
from workloads.video_analytics.vision.model import (
    Box,
    CameraView,
    Phase,
    RuleKind,
    RuleSpec,
    Signal,
    Tier,
)

#: An alarm that tells of something when it is over comes this much later at most, seconds.
_LATE = 5.0


@dataclass
class Verdict:
    """What a rule told of scenes, against what is true.

    Attributes:
        found: truths that were told once or more often; missed: those that were not.
        false: alarms without a truth; again: second alarms of the same truth.
        stories: what was wrong, for people.
    """

    found: int = 0
    missed: int = 0
    false: int = 0
    again: int = 0
    stories: list[str] = field(default_factory=list)

    def add(self, other: "Verdict") -> None:
        self.found += other.found
        self.missed += other.missed
        self.false += other.false
        self.again += other.again
        self.stories += other.stories

    @property
    def precision(self) -> float:
        told = self.found + self.again + self.false
        return self.found / told if told else 1.0

    @property
    def recall(self) -> float:
        return self.found / (self.found + self.missed) if self.found + self.missed else 1.0

    def __str__(self) -> str:
        return (
            f"precision {self.precision:.3f}, recall {self.recall:.3f}: {self.found} found, "
            f"{self.missed} missed, {self.false} false, {self.again} told twice"
        )


def watch(
    scene: Scene, kinds: Sequence[RuleKind], tier: Tier = Tier.LOW_RATE, fps: float | None = None
) -> list[Signal]:
    """What rules of these kinds tell of a scene; the rule's id is its kind."""
    rules = [
        RuleSpec(kind.value, 1, kind, scene.points, scene.parameters if kind is scene.kind else {})
        for kind in kinds
    ]
    analyser = CameraAnalyser(CameraView("cam"), rules, tier)
    signals: list[Signal] = []
    every = 1 if fps is None else round(scene.fps / fps)
    for n, picture in enumerate(scene.pictures()):
        if n % every == 0:
            signals += analyser.feed(picture.frame).signals
    return signals


def judge(scene: Scene, name: str, kind: RuleKind, signals: Iterable[Signal]) -> Verdict:
    """Match the alarms of a kind with the truths: in time, and in place where that is known."""
    verdict = Verdict()
    truths = [truth for truth in scene.truths if truth.kind is kind]
    told: dict[int, int] = {}
    for signal in signals:
        if signal.phase is not Phase.ACTIVE or signal.rule != kind.value:
            continue
        at = _seconds(scene, signal.at)
        match = next((n for n, truth in enumerate(truths) if _tells(truth, at, signal.box)), None)
        if match is None:
            verdict.false += 1
            verdict.stories.append(f"{name}: false {kind.value} at {at:.0f} s, {signal.box}")
        else:
            told[match] = told.get(match, 0) + 1
    verdict.found = len(told)
    verdict.missed = len(truths) - len(told)
    verdict.again = sum(told.values()) - len(told)
    if verdict.missed or verdict.again:
        verdict.stories.append(
            f"{name}: {kind.value}: {verdict.missed} missed, {verdict.again} told again"
        )
    return verdict


def judge_all(
    clips: Iterable[tuple[str, Callable[[], Scene]]], kinds: Sequence[RuleKind]
) -> dict[RuleKind, Verdict]:
    """All kinds of rules on all clips."""
    verdicts = {kind: Verdict() for kind in kinds}
    for name, make in clips:
        scene = make()
        signals = watch(scene, kinds)
        for kind in kinds:
            verdicts[kind].add(judge(scene, name, kind, signals))
    return verdicts


def _seconds(scene: Scene, at: datetime) -> float:
    return (at - scene.began).total_seconds()


def _tells(truth: Truth, at: float, box: Box | None) -> bool:
    if not truth.began <= at <= truth.ended + _LATE:
        return False
    return truth.box is None or box is None or _overlap(truth.box, box) > 0


def _overlap(one: Box, other: Box) -> float:
    wide = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    high = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    return max(0.0, wide) * max(0.0, high)
