"""What judges the rules of a camera: one class a kind, found by ``make``."""

from collections.abc import Callable, Mapping

from workloads.video_analytics.vision.detectors.areas import CrowdDetector, MotionDetector
from workloads.video_analytics.vision.detectors.crossings import (
    CountingDetector,
    LineCrossingDetector,
)
from workloads.video_analytics.vision.detectors.fields import FieldDetector
from workloads.video_analytics.vision.detectors.tampering import TamperingDetector
from workloads.video_analytics.vision.model import CameraView, RuleKind, RuleSpec
from workloads.video_analytics.vision.ports import Detector

Factory = Callable[[RuleSpec, CameraView], Detector]

#: The detector of each kind of rule.
DETECTORS: Mapping[RuleKind, Factory] = {
    RuleKind.MOTION: MotionDetector,
    RuleKind.LINE_CROSSING: LineCrossingDetector,
    RuleKind.FIELD_ENTRY: FieldDetector,
    RuleKind.FIELD_PRESENCE: FieldDetector,
    RuleKind.LOITERING: FieldDetector,
    RuleKind.COUNTING: CountingDetector,
    RuleKind.CROWD: CrowdDetector,
    RuleKind.TAMPERING: TamperingDetector,
}


def make(rule: RuleSpec, view: CameraView) -> Detector | None:
    """The detector of a rule; None when there is none for its kind."""
    factory = DETECTORS.get(rule.kind)
    return None if factory is None else factory(rule, view)
