"""What rules about single things have in common: which things count, and where they are."""

from collections.abc import Iterator
from datetime import datetime

from workloads.video_analytics.vision.detectors.subjects import Subjects
from workloads.video_analytics.vision.model import CameraView, Point, RuleSpec, Signal
from workloads.video_analytics.vision.parameters import with_defaults
from workloads.video_analytics.vision.ports import Sight, Tracked


class Things:
    """The things that one rule is about."""

    def __init__(self, rule: RuleSpec, view: CameraView) -> None:
        self.settings = with_defaults(rule.kind, rule.parameters)
        self._least = float(self.settings["minimum_size_percent"]) / 100
        self._most = float(self.settings["maximum_size_percent"]) / 100
        self._classes = frozenset(self.settings["classes"])
        self._centre = view.overhead or self.settings["anchor"] == "centre"

    def among(self, sight: Sight) -> Iterator[tuple[Tracked, Point]]:
        """Those seen in this frame, with where each is."""
        for track in sight.tracks:
            size = track.box.width * track.box.height
            fits = self._least <= size <= self._most
            if track.seen and fits and (not self._classes or track.kind in self._classes):
                yield track, self.place(track)

    def place(self, track: Tracked) -> Point:
        """Its foot, or its centre."""
        if self._centre:
            box = track.box
            return Point(box.x + box.width / 2, box.y + box.height / 2)
        return track.box.foot


class SubjectRule:
    """A rule whose events are subjects; what is common to all of them."""

    def __init__(self, rule: RuleSpec, after_seconds: float, clear_seconds: float) -> None:
        self.rule = rule
        self.subjects = Subjects(rule, after_seconds, clear_seconds)

    def close(self, at: datetime) -> list[Signal]:
        """All end."""
        return self.subjects.close(at)

    def memory(self) -> dict[str, object]:
        """The subjects."""
        return self.subjects.memory()

    def recall(self, memory: dict[str, object]) -> None:
        """Go on with the subjects of another one."""
        self.subjects.recall(memory)


def aspect(sight: Sight) -> float:
    """The frame's width divided by its height."""
    height, width = sight.luma.shape
    return float(width) / float(height)
