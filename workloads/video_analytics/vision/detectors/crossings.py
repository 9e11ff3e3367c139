"""Line crossing, and counting over a line or a field."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from workloads.video_analytics.vision import geometry
from workloads.video_analytics.vision.detectors.things import Things, aspect
from workloads.video_analytics.vision.model import (
    CameraView,
    Phase,
    Point,
    RuleSpec,
    Signal,
)
from workloads.video_analytics.vision.ports import Sight, Tracked

RIGHT, LEFT = "to_right", "to_left"
IN, OUT = "in", "out"
_MARGIN = 0.06  # of a thing's height: nearer to the line it has not crossed yet
_UPDATE_SECONDS = 5.0


class Crossings:
    """Who crosses a line, and which way; trembling on the line is no crossing.

    Args:
        line: two points or more; a closed one (first and last the same) is a field.
    """

    def __init__(self, things: Things, line: Sequence[Point]) -> None:
        self._things = things
        self._line = tuple(line)
        self._field = line[:-1] if len(line) > 3 and line[0] == line[-1] else ()  # noqa: PLR2004
        self._known: dict[str, Point] = {}

    def look(self, sight: Sight) -> Iterator[tuple[Tracked, str]]:
        """Those that have crossed since the frame before: to the right, left, in, or out."""
        if len(self._line) < 2:  # noqa: PLR2004 - no line
            return
        wide = aspect(sight)
        for track, place in self._things.among(sight):
            before = self._known.get(track.id)
            if geometry.distance(place, self._line, wide) < _MARGIN * track.box.height:
                continue
            self._known[track.id] = place
            way = "" if before is None else self._way(before, place)
            if way:
                yield track, way
        alive = {track.id for track in sight.tracks}
        self._known = {key: place for key, place in self._known.items() if key in alive}

    def _way(self, before: Point, place: Point) -> str:
        if self._field:
            was, now = (geometry.inside(each, self._field) for each in (before, place))
            return "" if was == now else IN if now else OUT
        return {1: RIGHT, -1: LEFT, 0: ""}[geometry.crossing(before, place, self._line)]

    def memory(self) -> dict[str, object]:
        """Where everybody was."""
        return {"places": {key: list(place) for key, place in self._known.items()}}

    def recall(self, memory: dict[str, object]) -> None:
        """Go on with the places of another one."""
        places = memory.get("places")
        for key, place in places.items() if isinstance(places, dict) else ():
            if isinstance(place, list) and [type(each) for each in place] == [float, float]:
                self._known[str(key)] = Point(*place)


class LineCrossingDetector:
    """A thing crosses a line: an event of a moment, active and ended at once."""

    def __init__(self, rule: RuleSpec, view: CameraView) -> None:
        self.rule = rule
        things = Things(rule, view)
        self._direction = str(things.settings["direction"])
        self._crossings = Crossings(things, rule.points)

    def look(self, sight: Sight) -> list[Signal]:
        """Who crossed it."""
        found: list[Signal] = []
        at = sight.frame.at
        for track, way in self._crossings.look(sight):
            if self._direction not in {"any", way}:
                continue
            data = {"direction": way, **({"class": track.kind} if track.kind else {})}
            found += [
                Signal(
                    self.rule.id, self.rule.version, f"{track.id}/{way}", phase, at, at,
                    track.box, track.score, track.id, data,
                )
                for phase in (Phase.ACTIVE, Phase.ENDED)
            ]  # fmt: skip
        return found

    def close(self, at: datetime) -> list[Signal]:  # noqa: ARG002 - the port's
        """Nothing lasts."""
        return []

    def memory(self) -> dict[str, object]:
        """Where everybody was."""
        return self._crossings.memory()

    def recall(self, memory: dict[str, object]) -> None:
        """Go on with the places of another one."""
        self._crossings.recall(memory)


class CountingDetector:
    """Counts both ways; one event for each interval in which anything was counted.

    Intervals begin at whole multiples of their length since 1970-01-01T00:00Z. An event begins with
    its interval, is updated as it grows and ends with the interval. Its data are ``to_right`` and
    ``to_left``, or ``in`` and ``out``, and ``count``, the sum.
    """

    def __init__(self, rule: RuleSpec, view: CameraView) -> None:
        self.rule = rule
        things = Things(rule, view)
        points = rule.points
        field = things.settings["of"] == "field" and len(points) > 2  # noqa: PLR2004
        self._ways = (IN, OUT) if field else (RIGHT, LEFT)
        self._crossings = Crossings(things, (*points, points[0]) if field else points)
        self._interval = timedelta(seconds=float(things.settings["interval_seconds"]))
        self._began: datetime | None = None
        self._counts = dict.fromkeys(self._ways, 0)
        self._told: datetime | None = None
        self._told_count = 0

    def look(self, sight: Sight) -> list[Signal]:
        """Count, and tell of it."""
        at = sight.frame.at
        found = self._turn(at)
        for _, way in self._crossings.look(sight):
            self._counts[way] += 1
        total = sum(self._counts.values())
        if total == self._told_count or self._began is None:
            return found
        phase = Phase.UPDATED if self._told_count else Phase.ACTIVE
        if self._told is None or (at - self._told).total_seconds() >= _UPDATE_SECONDS:
            self._told, self._told_count = at, total
            found.append(self._signal(phase, at))
        return found

    def _turn(self, at: datetime) -> list[Signal]:
        """Begin the interval that this time is in, if it is another one."""
        start = datetime.fromtimestamp(0, UTC)
        begin = start + ((at - start) // self._interval) * self._interval
        if begin == self._began:
            return []
        found = self.close(at)
        self._began = begin
        return found

    def close(self, at: datetime) -> list[Signal]:
        """The present interval ends."""
        found: list[Signal] = []
        if sum(self._counts.values()):
            if not self._told_count:
                found.append(self._signal(Phase.ACTIVE, at))
            found.append(self._signal(Phase.ENDED, at))
        self._counts = dict.fromkeys(self._ways, 0)
        self._told, self._told_count = None, 0
        return found

    def _signal(self, phase: Phase, at: datetime) -> Signal:
        began = self._began or at
        data = {**self._counts, "count": sum(self._counts.values())}
        return Signal(
            self.rule.id, self.rule.version, began.isoformat(), phase, at, began, data=data
        )

    def memory(self) -> dict[str, object]:
        """The counts of the present interval, and where everybody was."""
        return {
            **self._crossings.memory(),
            "began": None if self._began is None else self._began.isoformat(),
            "told": None if self._told is None else self._told.isoformat(),
            "told_count": self._told_count,
            "counts": dict(self._counts),
        }

    def recall(self, memory: dict[str, object]) -> None:
        """Go on counting."""
        self._crossings.recall(memory)
        counts = memory.get("counts")
        try:
            began = datetime.fromisoformat(str(memory.get("began")))
            told = memory.get("told")
            told_at = None if told is None else datetime.fromisoformat(str(told))
            told_count = int(str(memory.get("told_count")))
        except ValueError:
            return
        if isinstance(counts, dict) and began.tzinfo and set(counts) == set(self._ways):
            self._began, self._told, self._told_count = began, told_at, told_count
            self._counts = {way: int(counts[way]) for way in self._ways}
