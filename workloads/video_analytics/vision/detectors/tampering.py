"""Tampering: the picture is dark, blurred or covered, moved, or frozen."""

from workloads.video_analytics.vision.detectors.things import SubjectRule
from workloads.video_analytics.vision.looks import Limits, Looker
from workloads.video_analytics.vision.model import CameraView, Look, RuleSpec, Signal
from workloads.video_analytics.vision.parameters import with_defaults
from workloads.video_analytics.vision.ports import Sight


class TamperingDetector(SubjectRule):
    """One event for each way in which the picture is wrong, while it is."""

    def __init__(self, rule: RuleSpec, view: CameraView) -> None:  # noqa: ARG002 - like the others
        settings = with_defaults(rule.kind, rule.parameters)
        super().__init__(rule, float(settings["after_seconds"]), float(settings["clear_seconds"]))
        self._wanted = {look for look in Look if settings.get(look.value)}
        self._looker = Looker(
            Limits(
                float(settings["dark_level"]),
                float(settings["sharpness_percent"]),
                float(settings["likeness_percent"]),
                float(settings["frozen_seconds"]),
            )
        )

    def look(self, sight: Sight) -> list[Signal]:
        """What is wrong with the picture."""
        at = sight.frame.at
        wrong = self._looker.look(sight.luma, sight.foreground, at.timestamp())
        found: list[Signal] = []
        for look in sorted(wrong & self._wanted):
            found += self.subjects.present(look.value, at, data={"look": look.value})
        return found + self.subjects.sweep(at)

    def memory(self) -> dict[str, object]:
        """The subjects, and the normal picture."""
        return {**super().memory(), "looker": self._looker.memory()}

    def recall(self, memory: dict[str, object]) -> None:
        """Go on with those of another one."""
        super().recall(memory)
        looker = memory.get("looker")
        if isinstance(looker, dict):
            self._looker.recall(looker)
