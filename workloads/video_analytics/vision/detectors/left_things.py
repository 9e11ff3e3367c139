"""Things left behind and things taken away: one alarm each.

What stays changed is followed as a ``Standing``. It is told when it is a thing (or, for removal,
the ground where a thing was), when somebody larger was there as it began, when that company has
gone, and when it has not stirred meanwhile. A parked car and somebody waiting were themselves what
moved there: they are as large as what came, and are remembered as usual.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from workloads.video_analytics.vision.detectors.beside import (
    Dismissed,
    beside_usual,
    is_part,
    neighbours,
    parts,
    whole_of,
)
from workloads.video_analytics.vision.detectors.company import (
    BEFORE,
    Company,
    Movers,
    Span,
    span_of,
)
from workloads.video_analytics.vision.detectors.lingering import lingers
from workloads.video_analytics.vision.detectors.places import Heights, Usual
from workloads.video_analytics.vision.detectors.regions import field_mask, planes_of
from workloads.video_analytics.vision.detectors.standing import Kind, Stage, Standing
from workloads.video_analytics.vision.detectors.two_speeds import (
    Layers,
    Mask,
    TwoSpeeds,
    closed,
    grown,
    spots,
)
from workloads.video_analytics.vision.model import (
    Box,
    CameraView,
    Phase,
    RuleKind,
    RuleSpec,
    Signal,
)
from workloads.video_analytics.vision.parameters import with_defaults
from workloads.video_analytics.vision.ports import Sight

#: Looks a second that are enough for what stands still.
_EVERY = 0.24
#: Seconds: new and calm for so long before it is followed.
_HOLD = 2.5
#: Seconds for which it must look like light or a ghost to be taken for that.
_DOUBT = 3.0
#: Seconds after which what is usual and still there is background, and after which an alarm ends.
_USUAL_SECONDS = 1800.0
_LONGEST_ALARM = 86_400.0
#: Heights and areas, of those who came, from which a thing is one of them.
_AS_TALL = 0.68
_AS_LARGE = 0.5
#: Of the height of those who pass: what is as tall as that may have gone by itself.
_WALKS = 0.5
#: By how much the outline must be plainer with the thing than without, of both together.
_PLAIN = 0.15
#: Overlap with what it was when it came to rest, below which it has not.
_STEADY = 0.6
#: Overlap from which a track is the thing.
_ITSELF = 0.4
#: The most things followed at once; a scene with more is not one that can be told apart.
_MOST = 60


#: A connected spot: the labels, its own, its box and its pixels.
_Spot = tuple[NDArray[np.int32], int, Span, int]


class LeftThings:
    """Detector of ``OBJECT_ABANDONED`` and ``OBJECT_REMOVED``.

    Signals carry ``data``: ``seconds`` (for how long it had been alone when told) and ``kind``.

    Args:
        rule: its polygon is where a thing must stand; none is the whole frame.
        view: the camera, for its masks.
    """

    def __init__(self, rule: RuleSpec, view: CameraView) -> None:
        self.rule = rule
        self._view = view
        self._wanted = Kind.THING if rule.kind is RuleKind.OBJECT_ABANDONED else Kind.GHOST
        given = with_defaults(rule.kind, rule.parameters)
        # What is taken may be larger than what is seen of who takes it; that it did not go by
        # itself is asked too.
        taken = self._wanted is Kind.GHOST
        self._as_tall, self._as_large = (1.3, 1.5) if taken else (_AS_TALL, _AS_LARGE)
        self._seconds = float(given["seconds"])
        self._distance = float(given.get("distance_heights", 0.0))
        self._present = float(given.get("present_seconds", 0.0))
        self._smallest = float(given["minimum_size_percent"]) / 100
        self._largest = float(given["maximum_size_percent"]) / 100
        self._speeds = TwoSpeeds()
        self._things: list[Standing] = []
        self._movers = Movers()
        self._heights = Heights()
        self._usual = Usual()
        self._dismissed = Dismissed()
        self._last: float | None = None
        self._field: Mask | None = None
        self._count = 0
        self._learnt = 0

    # The seam

    def look(self, sight: Sight) -> list[Signal]:
        """What was left or taken, and what of it is over."""
        at = sight.frame.at.timestamp()
        if self._last is not None and at - self._last < _EVERY:
            return []
        step = 0.0 if self._last is None else min(at - self._last, 2.0)
        self._last = at
        ended = self._fit(sight)
        layers = self._speeds.feed(at, planes_of(sight))
        if layers is None:
            return ended
        if self._speeds.learnt != self._learnt:
            self._learnt = self._speeds.learnt
            self._restore(at)
        return ended + [
            self._signal(thing, phase, sight.frame.at)
            for thing, phase in self._judge(layers, sight, at, step)
        ]

    def _fit(self, sight: Sight) -> list[Signal]:
        """Fit what is known to the size of the picture; what stood in another size is over."""
        shape = sight.luma.shape
        if self._field is not None and self._field.shape == shape:
            return []
        ended: list[Signal] = []
        if any(not thing.frame.within(shape) for thing in self._things) or self._field is not None:
            self._field = np.zeros(shape, np.bool_) if self._field is None else self._field
            ended = self.close(sight.frame.at)
            self._last = sight.frame.at.timestamp()
        self._field = field_mask(self.rule.points, self._view.masks, (shape[1], shape[0]))
        return ended

    def close(self, at: datetime) -> list[Signal]:
        """What is active ends. What comes next may be of an earlier time: the clock was set."""
        told = [thing for thing in self._things if thing.stage is Stage.TOLD]
        self._things, self._movers, self._last = [], Movers(), None
        return [self._signal(thing, Phase.ENDED, at) for thing in told]

    def memory(self) -> dict[str, object]:
        """The background, what stands there, and what is usual where."""
        return {
            "speeds": self._speeds.memory(),
            "things": [thing.kept() for thing in self._things],
            "usual": self._usual.memory(),
            "heights": self._heights.memory(),
            "count": self._count,
        }

    def recall(self, memory: dict[str, object]) -> None:
        """Go on with what another one knew."""
        speeds, things = memory.get("speeds"), memory.get("things")
        if not isinstance(speeds, dict) or not isinstance(things, list):
            return
        try:
            known = [Standing.restored(thing) for thing in things[:_MOST]]
            count = int(memory.get("count", 0))  # type: ignore[call-overload]
        except (TypeError, ValueError, KeyError, IndexError):
            return
        if not self._speeds.recall(speeds):
            return
        self._things, self._count = known, count
        self._usual.recall(memory.get("usual"))
        self._heights.recall(memory.get("heights"))

    # What is seen

    def _judge(
        self, layers: Layers, sight: Sight, at: float, step: float
    ) -> Iterator[tuple[Standing, Phase]]:
        known = self._covered(layers.new.shape)
        shape = layers.new.shape
        tracks = [track for track in sight.tracks if track.seen]
        self._movers.note(tracks, layers, known, at, self._smallest * layers.new.size)
        for track in tracks:
            if track.still_seconds < 1.0:
                self._heights.note(span_of(track.box, shape), shape)
        self._follow(layers, known, at)
        here = [(track.id, span_of(track.box, shape)) for track in tracks]
        for thing in list(self._things):
            phase = (
                self._watch(thing, layers, here, at, step)
                if thing.stage is Stage.WATCHED
                else self._keep(thing, layers, at, step)
            )
            if phase is not None:
                yield thing, phase

    def _restore(self, at: float) -> None:
        """The background was learnt anew, with all that stood there: things are no part of it."""
        for thing in self._things:
            held = at - thing.began
            ground = thing.lit_ground(self._speeds.luma)
            self._speeds.unknow(thing.frame.slices, thing.mask, ground, held)

    @property
    def _shape(self) -> tuple[int, ...]:
        assert self._field is not None  # noqa: S101 - set by look
        return self._field.shape

    def _covered(self, shape: tuple[int, ...]) -> Mask:
        """Where things are that have been judged."""
        covered: Mask = np.zeros(shape, np.bool_)
        for thing in self._things:
            if thing.stage is not Stage.WATCHED:
                rows, columns = thing.frame.slices
                covered[rows, columns] |= grown(thing.mask, 2)
        return covered

    def _follow(self, layers: Layers, known: Mask, at: float) -> None:
        """Match what is new and calm now to what is watched."""
        assert self._field is not None  # noqa: S101 - set by look
        labels, stats = spots(closed((layers.held > _HOLD) & ~known & self._field, 5, 5))
        least = self._smallest * layers.new.size
        for label, (left, top, wide, high, area) in enumerate(stats):
            if label == 0 or area < least * 0.6:
                continue
            span = Span(left, top, left + wide, top + high)
            self._match(layers, (labels, label, span, area), at)
        self._things = [
            thing for thing in self._things if thing.stage is not Stage.WATCHED or thing.seen == at
        ]

    def _match(self, layers: Layers, spot: _Spot, at: float) -> None:
        labels, label, span, area = spot
        watched = [thing for thing in self._things if thing.stage is Stage.WATCHED]
        best = max(watched, key=lambda thing: thing.span.overlap(span), default=None)
        if best is not None and best.span.overlap(span) > 0.6:  # noqa: PLR2004 - the same thing
            best.seen = at
            if best.anchor.overlap(span) < _STEADY:  # it creeps: an edge of light, not of a thing
                best.anchor, best.since = span, at
            if best.differs(span, area) and best.settled(layers) > 0.9:  # noqa: PLR2004 - in view
                best.take(layers, labels, label, span)
                self._meet(best)
            return
        if is_part(span, area, self._things):
            return
        if best is not None and best.span.overlap(span) > 0.2:  # noqa: PLR2004 - grown or shrunk
            best.take(layers, labels, label, span)
            best.since, best.seen, best.alone, best.anchor = at, at, 0.0, span
            best.doubted = at
            began = self._began(layers, best, at)
            if began > best.began + _HOLD:
                best.began = began
                best.company.join(self._movers.company(span, began))
            else:
                self._meet(best)
            return
        if len(self._things) < _MOST:
            self._things.append(self._first(layers, labels, label, span, at))

    def _first(
        self, layers: Layers, labels: NDArray[np.int32], label: int, span: Span, at: float
    ) -> Standing:
        self._count += 1
        nothing: Mask = np.zeros((0, 0), np.bool_)
        key = f"{int(at)}-{self._count}"
        thing = Standing(key, span, span, nothing, [], [], 0.0, at, at, Company(), seen=at)
        thing.take(layers, labels, label, span)
        thing.began = self._began(layers, thing, at)
        thing.company = self._movers.company(span, thing.began)
        thing.attended, thing.anchor, thing.doubted = at, span, at
        return thing

    def _meet(self, thing: Standing) -> None:
        """Its company is of what is known of it now: part of it may have been taken for others."""
        company = self._movers.company(thing.span, thing.began)
        if company.heights:
            company.ids |= thing.company.ids
            thing.company = company

    @staticmethod
    def _began(layers: Layers, thing: Standing, at: float) -> float:
        rows, columns = thing.frame.slices
        return at - float(np.median(layers.held[rows, columns][thing.mask]))

    # What is made of it

    def _watch(
        self,
        thing: Standing,
        layers: Layers,
        here: Iterable[tuple[str, Span]],
        at: float,
        step: float,
    ) -> Phase | None:
        if thing.stirred(layers) and not self._movers.cover(thing.span):
            thing.refresh(layers)
            thing.since, thing.alone = at, 0.0
        self._attend(thing, layers, here, at, step)
        waited = min(thing.alone, at - thing.since)
        if waited < min(self._seconds, _HOLD):
            return None
        thing.refresh(layers) if thing.settled(layers) > 0.95 else None  # noqa: PLR2004
        if self._is_usual(thing, layers):
            if thing.kind() is Kind.THING:
                thing.stage = Stage.USUAL
            else:
                self._know(thing, layers.new.shape)
            return None
        if self._is_nothing(thing, at):
            self._know(thing, layers.new.shape)
            return None
        if waited < self._seconds:
            return None
        return self._decide(thing, layers, at)

    def _is_nothing(self, thing: Standing, at: float) -> bool:
        """Whether it has for a while been what the rule does not ask for: light, or a ghost.

        It is known at once then, so that a cloud's shadow does not hide what is left in it.
        """
        if at - thing.looked < _DOUBT / 3:
            return False
        kind, thing.looked = thing.kind(), at
        if kind is self._wanted or kind is Kind.THING:
            thing.doubted = at
        return at - thing.doubted > _DOUBT

    def _decide(self, thing: Standing, layers: Layers, at: float) -> Phase | None:
        kind = thing.kind()
        plain = thing.score >= _PLAIN and thing.mask.sum() >= self._smallest * layers.new.size
        if kind is self._wanted and plain and self._is_brought_or_taken(thing, at):
            for part in parts(thing, self._things):
                part.stage = Stage.USUAL
                thing.span = thing.span.joined(part.span)
            thing.stage = Stage.TOLD
            return Phase.ACTIVE
        if kind is Kind.THING:
            thing.stage = Stage.USUAL
            return None
        self._know(thing, layers.new.shape)
        return None

    def _know(self, thing: Standing, shape: tuple[int, ...]) -> None:
        where = np.zeros(shape, np.bool_)
        rows, columns = thing.frame.slices
        where[rows, columns] = grown(thing.mask, 2)
        self._speeds.know(where)
        self._things.remove(thing)
        if thing.stage is Stage.WATCHED and thing.kind() is Kind.GHOST:
            self._dismissed.note(thing, self._last or 0.0)

    def _is_brought_or_taken(self, thing: Standing, at: float) -> bool:
        """Whether somebody stood there as it began; what was taken must have belonged there."""
        if self._wanted is Kind.THING:
            return thing.company.stood_at(thing.span.bottom)
        company, whole = thing.company, whole_of(thing, self._things)
        if self._dismissed.has_part(thing) or self._stands_there(thing):
            return False
        if not company.stood_at(whole.bottom):
            return False
        if not self._movers.approached(thing.span, thing.began, company.tall):
            return False
        tall = max(company.tall, self._heights.at(whole.bottom, self._shape))
        walks = whole.high > _WALKS * tall or whole.area > _AS_LARGE * company.large
        if walks and self._movers.went_by_itself(whole, thing.began, tall):
            return False
        rows, columns = thing.frame.slices
        since = self._speeds.known_since[rows, columns][thing.mask]
        return float(np.median(since)) <= at - self._present

    def _stands_there(self, thing: Standing) -> bool:
        """Whether what came as the ground changed is there still: it is at somebody's rim."""
        rim = 0.1 * thing.company.tall + 3
        near = thing.span.grown(rim, rim, rim, self._shape)
        return any(
            other.span.common(near)
            and other.span.area > thing.span.area
            and other.kind() is Kind.THING
            and other.score >= _PLAIN
            for other in neighbours(thing, self._things, BEFORE)
        )

    def _is_usual(self, thing: Standing, layers: Layers) -> bool:
        """Whether it is itself what came: a parked car, somebody waiting, or a part of these."""
        whole = whole_of(thing, self._things)
        if whole.area > self._largest * layers.new.size:
            return True
        # Whoever wears the ground's colours is seen in part: others have been seen whole there.
        tall = max(thing.company.tall, self._heights.at(whole.bottom, layers.new.shape))
        if tall and max(whole.high, whole.wide) > self._as_tall * tall:
            return True
        if thing.company.heights and whole.area > self._as_large * thing.company.large:
            return True
        return self._usual.fits(thing.span, layers.new.shape) or beside_usual(thing, self._things)

    def _attend(
        self,
        thing: Standing,
        layers: Layers,
        here: Iterable[tuple[str, Span]],
        at: float,
        step: float,
    ) -> None:
        """Count the seconds without company."""
        if self._wanted is Kind.GHOST:
            thing.alone += step if thing.settled(layers) > 0.8 else 0.0  # noqa: PLR2004 - in view
            return
        tall = thing.company.tall or self._heights.at(thing.span.bottom, layers.new.shape)
        tall = tall or 3.0 * thing.span.high
        reach = self._distance * tall
        near = thing.span.grown(reach, 0.4 * reach, 0.4 * reach, layers.new.shape)
        # The thing itself may be followed, and by the name of who put it down.
        owner = any(
            name in thing.company.ids
            and span.overlap(thing.span) < _ITSELF
            and near.left <= (span.left + span.right) / 2 <= near.right
            and near.top <= span.bottom <= near.bottom
            for name, span in here
        )
        chain = at - thing.attended < 3.0 + 2 * step
        if owner or (chain and lingers(thing, self._things, layers, reach, tall)):
            thing.attended, thing.alone = at, 0.0
        elif not lingers(thing, self._things, layers, 0.25 * tall, tall):
            thing.alone += step

    def _keep(self, thing: Standing, layers: Layers, at: float, step: float) -> Phase | None:
        """Whether what was judged is over."""
        thing.bare = thing.bare + step if thing.uncovered(layers) else 0.0
        told = thing.stage is Stage.TOLD
        if thing.bare >= 1.5 and thing.settled(layers) > 0.8:  # noqa: PLR2004 - seconds; in view
            if not told and thing.shrink(layers, self._smallest * layers.new.size):
                self._meet(thing)  # somebody has gone, and left something behind
                self._again(thing, at)
                return None
            self._things.remove(thing)
            if not told:
                self._usual.note(thing.span, layers.new.shape, at)
                self._dismissed.left(thing, at)
                for other in neighbours(thing, self._things):
                    if other.stage is Stage.USUAL:  # it was with what has gone, and is left
                        self._again(other, at)
            return Phase.ENDED if told else None
        if not told:
            self._part(thing, layers, at, step)
            self._think_again(thing, layers, at)
        if at - thing.began > (_LONGEST_ALARM if told else _USUAL_SECONDS):
            self._know(thing, layers.new.shape)
            return Phase.ENDED if told else None
        return None

    def _think_again(self, thing: Standing, layers: Layers, at: float) -> None:
        """Judge once more what was usual at first sight: more people have been seen since."""
        if thing.stage is not Stage.USUAL or thing.judged or at - thing.since < self._seconds:
            return
        thing.judged = True
        if not self._is_usual(thing, layers):
            since = thing.since
            self._again(thing, at)
            thing.since = since

    def _part(self, thing: Standing, layers: Layers, at: float, step: float) -> None:
        """Watch again what somebody usual has left when they went: their bag."""
        calm = thing.settled(layers) > 0.8  # noqa: PLR2004 - nobody moves before it
        thing.parting = thing.parting + step if calm and thing.parted(layers) else 0.0
        if thing.parting < 1.5:  # noqa: PLR2004 - seconds
            return
        thing.parting = 0.0
        if thing.shrink(layers, self._smallest * layers.new.size):
            self._meet(thing)
            self._again(thing, at)

    @staticmethod
    def _again(thing: Standing, at: float) -> None:
        """Watch it as if it had just begun to stand."""
        thing.stage = Stage.WATCHED
        thing.since, thing.attended, thing.seen, thing.alone = at, at, at, 0.0
        thing.doubted = at

    def _signal(self, thing: Standing, phase: Phase, at: datetime) -> Signal:
        assert self._field is not None  # noqa: S101 - a thing was seen
        high, wide = self._field.shape
        span = thing.span
        return Signal(
            self.rule.id, self.rule.version, thing.key, phase, at,
            datetime.fromtimestamp(thing.began, at.tzinfo),
            Box(span.left / wide, span.top / high, span.wide / wide, span.high / high),
            round(thing.score, 3),
            data={"seconds": round(thing.alone, 1)},
        )  # fmt: skip
