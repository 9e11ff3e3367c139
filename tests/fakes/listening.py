"""A stand-in for the analysis that says of every frame which entries it may look for."""

from collections.abc import Sequence

from workloads.video_analytics.vision.model import (
    Analysis,
    CameraView,
    Frame,
    Phase,
    RuleSpec,
    Signal,
    Tier,
)
from workloads.video_analytics.workers.analysis import WatchedBy


class Listening:
    """Every second of the frames' times an event for each entry in force, with what it knows."""

    def __init__(self, view: CameraView, rules: Sequence[RuleSpec], watched: WatchedBy) -> None:
        self.view = view
        self.rules = tuple(rules)
        self._watched = watched
        self._second = 0

    def feed(self, frame: Frame) -> Analysis:
        second = int(frame.at.timestamp())
        if second == self._second:
            return Analysis()
        self._second = second
        watched = self._watched(self.view.id)
        found = {face.entry: face.embedding.tolist() for one in watched.faces for face in one.faces}
        found |= {entry: text for one in watched.plates for entry, text in one.patterns}
        return Analysis(tuple(
            Signal(
                rule.id, rule.version, f"{second}/{entry}", Phase.ACTIVE, frame.at, frame.at,
                None, 1.0, None, {"entry": entry, "what": what},
            )
            for rule in self.rules for entry, what in found.items()
        ))  # fmt: skip

    def change(self, rules: Sequence[RuleSpec], tier: Tier) -> Analysis:  # noqa: ARG002
        self.rules = tuple(rules)
        return Analysis()

    def close(self, at: object) -> Analysis:  # noqa: ARG002
        return Analysis()

    def memory(self) -> bytes:
        return b""

    def recall(self, memory: bytes) -> None:
        """It remembers nothing."""


_watched: list[WatchedBy] = []


def begin(models: str, watched: WatchedBy) -> None:  # noqa: ARG001
    """As ``workers.analysis.begin``."""
    _watched[:] = [watched]


def make(view: CameraView, rules: tuple[RuleSpec, ...], tier: Tier) -> Listening:  # noqa: ARG001
    """As ``workers.analysis.make``."""
    return Listening(view, rules, _watched[0])
