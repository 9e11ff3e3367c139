"""Faces of authorised watch lists; of everybody else nothing is said and nothing is kept."""

from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np

from workloads.video_analytics.vision.model import RuleSpec
from workloads.video_analytics.vision.models.detectors.base import ModelDetector
from workloads.video_analytics.vision.models.detectors.lives import Sighting, within
from workloads.video_analytics.vision.models.detectors.looking import Looker, track_of
from workloads.video_analytics.vision.models.ports import Embedding, Face, FaceList, Watched
from workloads.video_analytics.vision.ports import Sight

#: Faces that are compared in one look, the largest first: each costs an inference.
_MOST = 8


class FaceDetector(ModelDetector):
    """One event for each entry of the rule's lists, while it is seen.

    A face that is no entry's leaves no trace: its embedding lives as long as the comparison, and
    no candidate is told of it.
    """

    word = "entry"

    def __init__(self, rule: RuleSpec, looker: Looker, watched: Callable[[], Watched]) -> None:
        super().__init__(rule, looker)
        self._watched = watched

    def sightings(self, sight: Sight) -> list[Sighting]:
        """The entries that are seen."""
        lists = self._lists(sight.frame.at)
        if not lists:
            return []
        found: dict[str, Sighting] = {}
        for face in self._faces(sight):
            embedding = self.looker.embed(sight, face)
            match = None if embedding is None else self._match(embedding, lists)
            if match is None:
                continue
            of, entry, distance = match
            key = f"{of}/{entry}"
            track = track_of(sight, face.box)
            seen = Sighting(
                face.box, max(0.0, 1 - distance), entry, key=key,
                track=None if track is None else track.id, moves=sight.moving,
                data={"watchlist": of, "distance": round(distance, 3)},
            )  # fmt: skip
            if key not in found or seen.score > found[key].score:
                found[key] = seen
        return list(found.values())

    def _lists(self, at: datetime) -> list[FaceList]:
        """Those of the rule that are in force at the time of the frame."""
        model = self.looker.models.faces
        wanted = self.parameters["watchlists"]
        return [
            one
            for one in self._watched().faces
            if model is not None
            and one.id in wanted
            and one.space == model.space
            and at < one.until
        ]

    def _faces(self, sight: Sight) -> Sequence[Face]:
        colour = sight.frame.colour
        wide = 0 if colour is None else colour.shape[1]
        large = [
            face
            for face in self.looker.faces(sight)
            if face.box.width * wide >= self.parameters["minimum_pixels"]
            and within(face.box.foot, self.rule.points)
        ]
        return sorted(large, key=lambda face: -face.box.width)[:_MOST]

    def _match(
        self, embedding: Embedding, lists: Sequence[FaceList]
    ) -> tuple[str, str, float] | None:
        """The nearest entry of all lists, if it is near enough: list, entry, distance."""
        named = [(one.id, face.entry, face.embedding) for one in lists for face in one.faces]
        if not named:
            return None
        distances = np.linalg.norm(np.stack([each for _, _, each in named]) - embedding, axis=1)
        best = int(distances.argmin())
        if not distances[best] <= self.parameters["maximum_distance"]:
            return None
        return named[best][0], named[best][1], float(distances[best])
