"""Things of a class that move."""

from workloads.video_analytics.vision.model import Box
from workloads.video_analytics.vision.models.detectors.base import ModelDetector
from workloads.video_analytics.vision.models.detectors.lives import Sighting, within
from workloads.video_analytics.vision.models.detectors.looking import alike, moves, track_of
from workloads.video_analytics.vision.models.ports import Found
from workloads.video_analytics.vision.ports import Sight

_SAME = 0.5


class ObjectClassDetector(ModelDetector):
    """One event for each thing of the rule's classes that moved, while it is seen.

    A car may be taken for a truck in one look: within the rule's classes the votes of all looks
    say what it is. What stands at an ignored place is not told, whatever it is taken for.
    """

    word = "class"

    def sightings(self, sight: Sight) -> list[Sighting]:
        """Things of the classes in the field; none on overhead cameras."""
        if self.looker.view.overhead:
            return []
        found = [thing for thing in self.looker.objects(sight) if self._counts(thing)]
        return [self._sighting(sight, thing) for thing in found]

    def _counts(self, thing: Found) -> bool:
        if thing.score < self.parameters["minimum_score"]:
            return False
        if thing.kind not in self.parameters["classes"]:
            return False
        ignored = [Box(*place) for place in self.parameters["ignored"]]
        if any(alike(thing.box, place) >= _SAME for place in ignored):
            return False
        return within(thing.box.foot, self.rule.points)

    @staticmethod
    def _sighting(sight: Sight, thing: Found) -> Sighting:
        track = track_of(sight, thing.box)
        followed = None if track is None else track.id
        return Sighting(
            thing.box, thing.score, thing.kind, thing.score, followed, moves=moves(sight, thing.box)
        )
