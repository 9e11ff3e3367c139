"""What all rules with a model share: when they look, and that they look at what moves."""

from datetime import datetime, timedelta

from workloads.video_analytics.vision.model import RuleSpec, Signal
from workloads.video_analytics.vision.models.detectors.lives import Lives, Sighting
from workloads.video_analytics.vision.models.detectors.looking import Looker
from workloads.video_analytics.vision.parameters_models import PARAMETERS_MODELS
from workloads.video_analytics.vision.ports import Sight


class ModelDetector:
    """Implements ``Detector``; a kind says what it sees in ``sightings``.

    Args:
        rule: what is judged.
        looker: the camera's.
    """

    #: Under which name a signal's data carries what was seen.
    word = ""

    def __init__(self, rule: RuleSpec, looker: Looker) -> None:
        self.rule = rule
        self.looker = looker
        known = PARAMETERS_MODELS[rule.kind]["properties"]
        self.parameters = {
            **{name: item["default"] for name, item in known.items()},
            **rule.parameters,
        }
        self._every = timedelta(seconds=float(self.parameters["every_seconds"]))
        self._gone = timedelta(seconds=float(self.parameters["clear_seconds"]))
        self._looked: datetime | None = None
        self._lives = Lives(
            rule,
            looks=int(self.parameters["looks"]),
            gone=self._gone,
            still=timedelta(seconds=float(self.parameters["still_seconds"])),
            word=self.word,
        )

    def sightings(self, sight: Sight) -> list[Sighting]:
        """What a look brings."""
        raise NotImplementedError

    def look(self, sight: Sight) -> list[Signal]:
        """What the rule has to say of a frame.

        The model is asked when something moves, and seldom while something believed stands still.
        """
        at = sight.frame.at
        signals: list[Signal] = []
        if self._due(at, moving=sight.moving) and sight.frame.colour is not None:
            self._looked = at
            signals += self._lives.see(self.sightings(sight), at)
        return signals + self._lives.sweep(at)

    def _due(self, at: datetime, *, moving: bool) -> bool:
        if not moving and not self._lives.waiting(at):
            return False
        every = self._every if moving else max(self._every, self._gone / 3)
        return self._looked is None or not timedelta(0) <= at - self._looked < every

    def close(self, at: datetime) -> list[Signal]:
        """The rule is watched no more: what is active ends."""
        return self._lives.close(at)

    def memory(self) -> dict[str, object]:
        """What is active."""
        return {"active": self._lives.memory()}

    def recall(self, memory: dict[str, object]) -> None:
        """Go on with what another one knew; nonsense is ignored."""
        self._lives.recall(memory.get("active"))
