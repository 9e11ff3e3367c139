"""Entry into a field, presence in it, and loitering there."""

from workloads.video_analytics.vision import geometry
from workloads.video_analytics.vision.detectors.things import SubjectRule, Things
from workloads.video_analytics.vision.model import CameraView, RuleKind, RuleSpec, Signal
from workloads.video_analytics.vision.ports import Sight


class FieldDetector(SubjectRule):
    """A thing is in the field: one event for each.

    Loitering is the same with a longer time; for entry a thing must have been seen outside before,
    so that one that appears inside (from a door, or after it was lost) is not an entry.
    """

    def __init__(self, rule: RuleSpec, view: CameraView) -> None:
        self._things = Things(rule, view)
        settings = self._things.settings
        after = settings["seconds" if rule.kind is RuleKind.LOITERING else "after_seconds"]
        super().__init__(rule, float(after), float(settings["clear_seconds"]))
        self._outside: set[str] = set()

    def look(self, sight: Sight) -> list[Signal]:
        """Who is in the field."""
        found: list[Signal] = []
        at = sight.frame.at
        entry = self.rule.kind is RuleKind.FIELD_ENTRY
        for track, place in self._things.among(sight):
            if not geometry.inside(place, self.rule.points):
                self._outside.add(track.id)
                continue
            if entry and track.id not in self._outside and track.id not in self.subjects:
                continue
            found += self.subjects.present(
                track.id, at, box=track.box, score=track.score, track=track.id,
                data={"class": track.kind} if track.kind else {},
            )  # fmt: skip
        self._outside &= {track.id for track in sight.tracks}
        return found + self.subjects.sweep(at)

    def memory(self) -> dict[str, object]:
        """The subjects, and who was seen outside."""
        return {**super().memory(), "outside": sorted(self._outside)}

    def recall(self, memory: dict[str, object]) -> None:
        """Go on with those of another one."""
        super().recall(memory)
        outside = memory.get("outside")
        if isinstance(outside, list):
            self._outside = {str(each) for each in outside}
