"""Watching one camera: the stages in their order, and the rules on what they found."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from workloads.video_analytics.vision import detectors, geometry, memory
from workloads.video_analytics.vision.looks import Looker
from workloads.video_analytics.vision.model import (
    Analysis,
    CameraView,
    Frame,
    Look,
    RuleKind,
    RuleSpec,
    Signal,
    Tier,
)
from workloads.video_analytics.vision.parameters import wants_classes, with_defaults
from workloads.video_analytics.vision.ports import Detector, Finder, Maker, Sight
from workloads.video_analytics.vision.stages import Stages

#: Grows when what ``memory`` holds is understood no longer by what came before.
FORMAT = 1

_BACKWARDS = 25  # so many frames in a row that are older: the clock was set, go on with it
_NEEDS_MODEL = frozenset({RuleKind.OBJECT_CLASS, RuleKind.FACE, RuleKind.PLATE})
_NEEDS_FRAMES = frozenset({RuleKind.LINE_CROSSING, RuleKind.COUNTING, RuleKind.FIELD_ENTRY})
_LOOK_SECONDS = 3.0
_SERIOUS = (Look.FROZEN, Look.DARK, Look.BLURRED, Look.MOVED)
_LEAST_SIDE = 8  # pixels
_MOST_WAITING = 1000


class CameraAnalyser:
    """Implements ``model.Analyser``.

    Args:
        view: the camera.
        rules, tier: to begin with; ``change`` gives others.
        maker: makes the detectors that need models; without it these rules are ``missing``.
        finder: gives classes to tracks, at the full tier.
    """

    def __init__(
        self,
        view: CameraView,
        rules: Sequence[RuleSpec] = (),
        tier: Tier = Tier.LOW_RATE,
        *,
        maker: Maker | None = None,
        finder: Finder | None = None,
    ) -> None:
        self.view = view
        self._maker, self._finder = maker, finder
        self._stages = Stages(view, finder)
        self._looker = Looker()
        self._look, self._looked = Look.FINE, Look.FINE
        self._look_since: datetime | None = None
        self._detectors: dict[tuple[str, int], Detector] = {}
        self._waiting: dict[tuple[str, int], Mapping[str, Any]] = {}
        self._missing: tuple[str, ...] = ()
        self._tier = tier
        self._at: datetime | None = None
        self._older: datetime | None = None
        self._backwards = 0
        self.change(rules, tier)

    def feed(self, frame: Frame) -> Analysis:
        """Look at a frame; one that is not newer than the one before it is passed over.

        When all frames of a while are older, the clock was set back: what is active ends, and it
        goes on from there.
        """
        if frame.luma.ndim != 2 or min(frame.luma.shape) < _LEAST_SIDE:  # noqa: PLR2004 - grey
            return self._analysis()
        at, ended = frame.at, Analysis()
        if self._at is not None and at <= self._at:
            if not self._clock_was_set(at):
                return self._analysis()
            ended = self.close(self._at)
        self._backwards, self._older = 0, None
        frame = self._masked(frame)
        seen = self._stages.see(frame, self._tier, self._at)
        self._at = at
        self._judge_look(seen.sight, at)
        signals: list[Signal] = [*ended.signals]
        for detector in self._detectors.values():
            signals += detector.look(seen.sight)
        tracks = (*ended.tracks, *seen.pieces)
        return self._analysis(tuple(signals), tracks, moving=seen.sight.moving)

    def change(self, rules: Sequence[RuleSpec], tier: Tier) -> Analysis:
        """Other rules or another tier from now on; events of rules that are gone end."""
        self._tier = tier
        wanted = {(r.id, r.version): r for r in rules if self._possible(r, tier)}
        signals: list[Signal] = []
        for key in [k for k, d in self._detectors.items() if wanted.get(k) != d.rule]:
            gone = self._detectors.pop(key)
            if key in wanted and (made := self._make(wanted[key])) is not None:
                # The same version in other words, such as permits that have passed: it goes on.
                made.recall(gone.memory())
                self._detectors[key] = made
                continue
            signals += gone.close(self._at) if self._at is not None else []
        for key, rule in wanted.items():
            if key not in self._detectors and (made := self._make(rule)) is not None:
                self._detectors[key] = made
                made.recall(dict(self._waiting.pop(key, {})))
        self._missing = self._what_is_missing(rules, tier)
        self._stages.patience(_patience(rules))
        return self._analysis(tuple(signals))

    def close(self, at: datetime) -> Analysis:
        """The camera is watched no more: what is active ends."""
        signals = tuple(s for d in self._detectors.values() for s in d.close(at))
        return self._analysis(signals, tuple(self._stages.close()))

    def memory(self) -> bytes:
        """What it knows, for another worker to go on with."""
        return memory.pack(
            {
                "format": FORMAT,
                "camera": self.view.id,
                "at": None if self._at is None else self._at.isoformat(),
                "stages": self._stages.memory(),
                "looker": self._looker.memory(),
                "rules": [
                    {"id": d.rule.id, "version": d.rule.version, "memory": d.memory()}
                    for d in self._detectors.values()
                ],
            }
        )

    def recall(self, memory_: bytes) -> None:
        """Go on with what another one knew; nonsense and other versions are ignored."""
        tree = memory.unpack(memory_)
        if tree is None or tree.get("format") != FORMAT or tree.get("camera") != self.view.id:
            return
        at = _time(tree.get("at"))
        self._at = at
        for part, into in (("stages", self._stages.recall), ("looker", self._looker.recall)):
            if isinstance(tree.get(part), dict):
                into(tree[part])
        rules = tree.get("rules")
        for item in rules if isinstance(rules, list) else ():
            self._recall_rule(item)

    def _recall_rule(self, item: Any) -> None:  # noqa: ANN401 - JSON of another one
        """Give a detector what another one knew; or keep it until the rule is there."""
        if not isinstance(item, dict) or not isinstance(item.get("memory"), dict):
            return
        version = item.get("version")
        if not isinstance(version, int):
            return
        key = (str(item.get("id")), version)
        if (found := self._detectors.get(key)) is not None:
            found.recall(item["memory"])
        elif len(self._waiting) < _MOST_WAITING:
            self._waiting[key] = item["memory"]

    def _clock_was_set(self, at: datetime) -> bool:
        """Whether enough frames in a row are older, each newer than the one before it."""
        self._backwards = self._backwards + 1 if self._older is None or at > self._older else 1
        self._older = at
        return self._backwards >= _BACKWARDS

    def _masked(self, frame: Frame) -> Frame:
        if not self.view.masks:
            return frame
        colour = None if frame.colour is None else geometry.masked(frame.colour, self.view.masks)
        return replace(frame, luma=geometry.masked(frame.luma, self.view.masks), colour=colour)

    def _judge_look(self, sight: Sight, at: datetime) -> None:
        """What is wrong for a few seconds is told; what is fine, at once."""
        wrong = self._looker.look(sight.luma, sight.foreground, at.timestamp())
        now = next((each for each in _SERIOUS if each in wrong), Look.FINE)
        if now is not self._looked or self._look_since is None:
            self._looked, self._look_since = now, at
        if now is Look.FINE or at - self._look_since >= timedelta(seconds=_LOOK_SECONDS):
            self._look = now

    def _possible(self, rule: RuleSpec, tier: Tier) -> bool:
        if tier is Tier.ACCESS:
            return False
        return not (tier is Tier.KEY_FRAMES and rule.kind in _NEEDS_FRAMES)

    def _make(self, rule: RuleSpec) -> Detector | None:
        found = detectors.make(rule, self.view)
        return self._maker.make(rule) if found is None and self._maker is not None else found

    def _what_is_missing(self, rules: Sequence[RuleSpec], tier: Tier) -> tuple[str, ...]:
        """What rules ask for and is not there; each once."""
        found: list[str] = []
        for rule in rules:
            if not self._possible(rule, tier):
                found.append(f"tier too low: {rule.kind.value}")
            elif (rule.id, rule.version) not in self._detectors and self._maker is None:
                what = "model" if rule.kind in _NEEDS_MODEL else "detector"
                found.append(f"no {what}: {rule.kind.value}")
            elif rule.kind not in _NEEDS_MODEL and wants_classes(rule):
                found += self._no_classes(rule, tier)
        if self._maker is not None:
            found += self._maker.missing(rules, tier)
        return tuple(dict.fromkeys(found))

    def _no_classes(self, rule: RuleSpec, tier: Tier) -> list[str]:
        if tier is not Tier.FULL:
            return [f"tier too low: classes of {rule.kind.value}"]
        if self.view.overhead:
            return ["no classes: the camera looks straight down"]
        return [] if self._finder is not None else [f"no model: classes of {rule.kind.value}"]

    def _analysis(
        self,
        signals: tuple[Signal, ...] = (),
        tracks: tuple[Any, ...] = (),
        *,
        moving: bool = False,
    ) -> Analysis:
        return Analysis(signals, tracks, self._look, moving, self._missing)


def _patience(rules: Sequence[RuleSpec]) -> float:
    """For how long a thing that stands must stay visible for these rules."""
    asked = [
        float(value)
        for rule in rules
        for name, value in with_defaults(rule.kind, rule.parameters).items()
        if name in {"seconds", "after_seconds"} and isinstance(value, int | float)
    ]
    return max([300.0, *(2 * each for each in asked)])


def _time(text: object) -> datetime | None:
    """A time with its zone; None for anything else."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
