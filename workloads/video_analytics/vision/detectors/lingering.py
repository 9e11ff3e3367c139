"""Whether somebody stays beside a thing."""

from collections.abc import Iterable

from workloads.video_analytics.vision.detectors.company import BEFORE, Span
from workloads.video_analytics.vision.detectors.standing import Stage, Standing
from workloads.video_analytics.vision.detectors.two_speeds import Layers, Mask, grown, spots

#: Of the last seconds: a place is occupied for so long where somebody stays.
_STAYS = 0.6
#: Of the height of a person: who puts a thing down stands no farther from it.
_ARM = 0.6


def lingers(
    thing: Standing, things: Iterable[Standing], layers: Layers, reach: float, tall: float
) -> bool:
    """Whether somebody stays within reach of a thing.

    Args:
        thing: itself, what was told of, and who stood elsewhere before it came, are nobody.
        things: all that stand.
        layers: of the present picture.
        reach: pixels to the sides; half of that to the front and to the back.
        tall: pixels that a person is high there.
    """
    # What is above it may be behind it, and what is below, the legs of those whose head it is.
    near = thing.span.grown(reach, tall, max(0.4 * reach, 0.7 * tall), layers.new.shape)
    lingering: Mask = layers.presence[near.slices] > _STAYS
    beside = thing.span.grown(_ARM * tall, tall, tall, layers.new.shape)
    for other in things:
        # Who stood away from where it was put down, and did so before, is none of those with it.
        stranger = other.began < thing.began - BEFORE and not other.span.common(beside)
        if other is thing or stranger or other.stage is Stage.TOLD:
            _wipe(lingering, near, other)
    _, stats = spots(lingering)
    least = max(12.0, 0.5 * float(thing.mask.sum()), 0.03 * tall * tall)
    return any(area >= least for *_, area in stats[1:])


def _wipe(lingering: Mask, near: Span, thing: Standing) -> None:
    """Take a thing out of a patch."""
    rows = slice(max(near.top, thing.frame.top), min(near.bottom, thing.frame.bottom))
    columns = slice(max(near.left, thing.frame.left), min(near.right, thing.frame.right))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    mask = grown(thing.mask, 2)[
        rows.start - thing.frame.top : rows.stop - thing.frame.top,
        columns.start - thing.frame.left : columns.stop - thing.frame.left,
    ]
    part = lingering[
        rows.start - near.top : rows.stop - near.top,
        columns.start - near.left : columns.stop - near.left,
    ]
    part[mask] = False
