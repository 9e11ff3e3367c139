"""Number plates: what most of the looks at a vehicle read."""

from collections.abc import Callable, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from workloads.video_analytics.vision.model import RuleSpec
from workloads.video_analytics.vision.models.detectors.base import ModelDetector
from workloads.video_analytics.vision.models.detectors.lives import Sighting, within
from workloads.video_analytics.vision.models.detectors.looking import (
    Looker,
    grown,
    moves,
    track_of,
)
from workloads.video_analytics.vision.models.ports import Plate, PlateList, Watched
from workloads.video_analytics.vision.ports import Sight

#: A plate does not move by itself: what is around it, so much larger, does.
_AROUND = 3.0


class PlateDetector(ModelDetector):
    """One event for each plate, while it is seen: all, or those of the rule's lists.

    Each look votes with its score; a text is told when it leads and was read often enough, and
    told again when another takes the lead.
    """

    word = "text"

    def __init__(self, rule: RuleSpec, looker: Looker, watched: Callable[[], Watched]) -> None:
        super().__init__(rule, looker)
        self._watched = watched

    def sightings(self, sight: Sight) -> list[Sighting]:
        """The plates that were read in the field."""
        found = [plate for plate in self.looker.plates(sight) if self._counts(plate)]
        named = [(plate, self._listed(plate.text, sight.frame.at)) for plate in found]
        return [self._sighting(sight, plate, data) for plate, data in named if data is not None]

    def _counts(self, plate: Plate) -> bool:
        sure = plate.score >= self.parameters["minimum_score"]
        return sure and within(plate.box.foot, self.rule.points)

    def _listed(self, text: str, at: datetime) -> Mapping[str, Any] | None:
        """What a signal says of the lists; None when the rule is of lists and none has the text."""
        wanted = self.parameters["watchlists"]
        if not wanted:
            return {}
        lists: list[PlateList] = [
            one for one in self._watched().plates if one.id in wanted and at < one.until
        ]
        for one in lists:
            for entry, pattern in one.patterns:
                if fnmatchcase(text, pattern):
                    return {"watchlist": one.id, "entry": entry}
        return None

    @staticmethod
    def _sighting(sight: Sight, plate: Plate, data: Mapping[str, Any]) -> Sighting:
        track = track_of(sight, plate.box)
        followed = None if track is None else track.id
        corners = [[round(corner.x, 4), round(corner.y, 4)] for corner in plate.corners]
        data = {**data, "corners": corners}
        return Sighting(
            plate.box, plate.score, plate.text, plate.score, followed,
            moves=moves(sight, grown(plate.box, _AROUND)), data=data,
        )  # fmt: skip
