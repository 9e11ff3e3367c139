"""Rules that need a model: each asks the camera's ``Looker`` and judges one rule.

``detector`` makes the one of a rule; ``missing`` says what rules ask for and is not there.
"""

from collections.abc import Callable, Iterable

from workloads.video_analytics.vision.model import CameraView, RuleKind, RuleSpec
from workloads.video_analytics.vision.models.detectors.face import FaceDetector
from workloads.video_analytics.vision.models.detectors.looking import Looker
from workloads.video_analytics.vision.models.detectors.object_class import ObjectClassDetector
from workloads.video_analytics.vision.models.detectors.plate import PlateDetector
from workloads.video_analytics.vision.models.load import Models
from workloads.video_analytics.vision.models.ports import Watched
from workloads.video_analytics.vision.ports import Detector

__all__ = ["KINDS", "Looker", "detector", "missing"]

KINDS = frozenset({RuleKind.OBJECT_CLASS, RuleKind.FACE, RuleKind.PLATE})


def detector(
    rule: RuleSpec, looker: Looker, watched: Callable[[], Watched] = Watched
) -> Detector | None:
    """What judges a rule that needs a model; None for other kinds, and where the model is absent.

    Args:
        rule: which.
        looker: the camera's, shared by all of its rules.
        watched: gives the watch lists in force; asked at every look, so that a list that has
            ended counts no more at once.
    """
    if missing([rule], looker.models, looker.view):
        return None
    match rule.kind:
        case RuleKind.OBJECT_CLASS:
            return ObjectClassDetector(rule, looker)
        case RuleKind.FACE:
            return FaceDetector(rule, looker, watched)
        case RuleKind.PLATE:
            return PlateDetector(rule, looker, watched)
        case _:
            return None


def missing(rules: Iterable[RuleSpec], models: Models, view: CameraView) -> tuple[str, ...]:
    """What these rules ask for and is not there, for ``Analysis.missing``."""
    kinds = {rule.kind for rule in rules}
    found = models.missing(kinds)
    if view.overhead and RuleKind.OBJECT_CLASS in kinds:
        found += ("no classes: the camera looks straight down",)
    return found
