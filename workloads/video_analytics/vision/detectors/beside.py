"""What stands beside a thing: its parts, what it is a part of, and what it came with."""

from collections import deque
from collections.abc import Iterable

from workloads.video_analytics.vision.detectors.company import BEFORE, Span
from workloads.video_analytics.vision.detectors.standing import Stage, Standing
from workloads.video_analytics.vision.detectors.two_speeds import STALE_SECONDS

#: Of a thing's pixels, or of a spot's box: what is smaller, or lies within it so far, is a part of
#: it.
_PART = 0.6
#: Pixels between a thing and what had been missed of it.
_RIM = 3
#: Of what was there: how far its shadow reaches to its sides and how high above it its head may be,
#: and how large either is at most.
_SHADE, _HEAD, _REST = 0.3, 0.25, 0.3
_ENDLESS = (1 << 20, 1 << 20)
#: The most changes remembered that were nothing.
_MOST = 60


def neighbours(
    thing: Standing, things: Iterable[Standing], within: float = 2 * BEFORE
) -> list[Standing]:
    """What began to stand near it, within so many seconds of it."""
    return [
        other
        for other in things
        if other is not thing and abs(other.began - thing.began) < within and _is_near(thing, other)
    ]


def _is_near(thing: Standing, other: Standing) -> bool:
    """Whether both may be parts of one: head and legs are farther apart than two legs are."""
    tall = max(thing.company.tall, other.company.tall)
    across, upward = 0.5 * tall + _RIM, 0.8 * tall + _RIM
    return other.span.common(thing.span.grown(across, upward, upward, _ENDLESS)) > 0


def parts(thing: Standing, things: Iterable[Standing]) -> list[Standing]:
    """What else came then and there: parts of one thing, between which it looks like ground."""
    return [one for one in neighbours(thing, things, BEFORE) if one.stage is Stage.WATCHED]


def whole_of(thing: Standing, things: Iterable[Standing]) -> Span:
    """The box around it and its parts."""
    whole = thing.span
    for part in parts(thing, things):
        whole = whole.joined(part.span)
    return whole


def beside_usual(thing: Standing, things: Iterable[Standing]) -> bool:
    """Whether it came with a neighbour that is usual: its shadow, its light, its open door."""
    return any(other.stage is Stage.USUAL for other in neighbours(thing, things))


def is_part(span: Span, area: int, things: Iterable[Standing]) -> bool:
    """Whether a spot is what had been missed of a thing that was judged: in it or at its rim."""
    near = span.grown(_RIM, _RIM, _RIM, _ENDLESS)
    return any(
        thing.stage is not Stage.WATCHED
        and (
            (thing.span.common(near) > 0 and area < _PART * float(thing.mask.sum()))
            or thing.span.common(span) > _PART * span.area
        )
        for thing in things
    )


class Dismissed:
    """Changes that were judged to be nothing, of which a rest may be judged by itself later."""

    def __init__(self) -> None:
        self._known: deque[tuple[Span, Span, float, float]] = deque(maxlen=_MOST)

    def note(self, thing: Standing, at: float) -> None:
        """It was judged at this time, seconds: the ground where somebody had stood."""
        span = thing.span
        shadow = _SHADE * max(span.wide, span.high)
        self._known.append((span, span.grown(shadow, _RIM, _RIM, _ENDLESS), thing.began, at))

    def left(self, thing: Standing, at: float) -> None:
        """Somebody usual has gone. What was hidden of them, as a bare head, has no mask."""
        span = thing.span
        if at - thing.began > STALE_SECONDS:
            hidden = span.grown(_RIM, _HEAD * span.high + _RIM, _RIM, _ENDLESS)
            self._known.append((span, hidden, at, at))

    def has_part(self, thing: Standing) -> bool:
        """Whether a thing remains of such a change: who left did not take it."""
        near = thing.span.grown(_RIM, _RIM, _RIM, _ENDLESS)
        return any(
            began - 2 * BEFORE < thing.began < judged
            and (
                span.common(near) > _PART * thing.span.area
                or (
                    thing.span.area < _REST * span.area
                    and around.common(thing.span) > _PART * thing.span.area
                )
            )
            for span, around, began, judged in self._known
        )
