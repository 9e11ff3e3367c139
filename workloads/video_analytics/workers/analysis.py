"""Makes the analysis of a camera: the one place of a lane that knows ``vision``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from workloads.video_analytics.vision.analyser import CameraAnalyser
from workloads.video_analytics.vision.model import (
    Analyser,
    Box,
    CameraView,
    Frame,
    RuleKind,
    RuleSpec,
    Tier,
)
from workloads.video_analytics.vision.models.detectors import KINDS, Looker, detector, missing
from workloads.video_analytics.vision.models.load import NONE, Models, load
from workloads.video_analytics.vision.models.ports import Watched
from workloads.video_analytics.vision.models.presence import FolderModels
from workloads.video_analytics.vision.ports import Detector

#: The least sure thing that gives a track its class.
_SURE = 0.4

WatchedBy = Callable[[str], Watched]


class Shelf:
    """The optional models of a lane; each is loaded when the first rule needs it.

    Args:
        folder: where ``borough-video models fetch`` put them; None for no models.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._present = None if folder is None else FolderModels(folder)
        self._kinds: frozenset[RuleKind] = frozenset()
        self._models = NONE

    @property
    def classes(self) -> bool:
        """Whether the model of classes is there."""
        return self._present is not None and self._present.present("classes")

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


class ModelFinder:
    """Implements ``vision.ports.Finder``; the model is loaded when it is first asked.

    Args:
        shelf: the lane's models.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def find(self, frame: Frame) -> Sequence[tuple[Box, str, float]]:
        """The things of known classes in a frame."""
        model = self._shelf.models(frozenset({RuleKind.OBJECT_CLASS})).objects
        if model is None or frame.colour is None:
            return ()
        seen = model.detect(frame.colour)
        return [(one.box, one.kind, one.score) for one in seen if one.score >= _SURE]


def finder(shelf: Shelf, view: CameraView) -> ModelFinder | None:
    """What gives classes to tracks; None without a model, and straight from above (README)."""
    return ModelFinder(shelf) if shelf.classes and not view.overhead else None


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
    maker = ModelMaker(_lane.shelf, view, _lane.watched)
    return CameraAnalyser(view, rules, tier, maker=maker, finder=finder(_lane.shelf, view))
