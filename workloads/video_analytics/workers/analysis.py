"""Makes the analysis of a camera: the one place of a lane that knows ``vision``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from workloads.video_analytics.vision.analyser import CameraAnalyser
from workloads.video_analytics.vision.model import Analyser, CameraView, RuleKind, RuleSpec, Tier
from workloads.video_analytics.vision.models.detectors import KINDS, Looker, detector, missing
from workloads.video_analytics.vision.models.load import NONE, Models, load
from workloads.video_analytics.vision.models.ports import Watched
from workloads.video_analytics.vision.ports import Detector

WatchedBy = Callable[[str], Watched]


class Shelf:
    """The optional models of a lane; each is loaded when the first rule needs it.

    Args:
        folder: where ``borough-video models fetch`` put them; None for no models.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._kinds: frozenset[RuleKind] = frozenset()
        self._models = NONE

    def models(self, kinds: frozenset[RuleKind]) -> Models:
        """The models for rules of these kinds, as far as they are there."""
        wanted = (kinds & KINDS) | self._kinds
        if self._folder is not None and wanted != self._kinds:
            self._models, self._kinds = load(self._folder, wanted), wanted
        return self._models


class ModelMaker:
    """Implements ``vision.ports.Maker`` for one camera.

    Args:
        shelf: the lane's models.
        view: the camera.
        watched: the watch lists in force for a camera, asked at every look.
    """

    def __init__(self, shelf: Shelf, view: CameraView, watched: WatchedBy) -> None:
        self._shelf = shelf
        self._view = view
        self._watched = watched
        self._looker: Looker | None = None

    def make(self, rule: RuleSpec) -> Detector | None:
        """The detector of a rule; None where its model is absent."""
        look = self._look(frozenset({rule.kind}))
        return detector(rule, look, lambda: self._watched(self._view.id))

    def missing(self, rules: Sequence[RuleSpec], tier: Tier) -> Sequence[str]:
        """What these rules ask for and is not there."""
        del tier  # the analysis says itself what a lower tier leaves out
        kinds = frozenset(rule.kind for rule in rules)
        return missing(rules, self._shelf.models(kinds), self._view)

    def _look(self, kinds: frozenset[RuleKind]) -> Looker:
        models = self._shelf.models(kinds)
        if self._looker is None or self._looker.models is not models:
            self._looker = Looker(models, self._view)
        return self._looker


def _nobody(_camera: str) -> Watched:
    return Watched()


@dataclass(slots=True)
class _Lane:
    shelf: Shelf
    watched: WatchedBy


_lane = _Lane(Shelf(None), _nobody)


def begin(models: str, watched: WatchedBy) -> None:
    """Called once by a lane, before the first camera.

    Args:
        models: folder of the optional models; empty for none.
        watched: the watch lists in force for a camera.
    """
    _lane.shelf = Shelf(Path(models) if models else None)
    _lane.watched = watched


def make(view: CameraView, rules: tuple[RuleSpec, ...], tier: Tier) -> Analyser:
    """The analysis of a camera."""
    return CameraAnalyser(view, rules, tier, maker=ModelMaker(_lane.shelf, view, _lane.watched))
