"""A thing that stands still where there was only ground, or ground where a thing had stood."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from workloads.video_analytics.vision.detectors.two_speeds import (
    COLOUR_STEP,
    LEAST_STEP,
    Layers,
    Mask,
    Plane,
    lit,
)

#: Pixels around a thing in which its outline and the light beside it are looked for.
MARGIN = 5
#: Of a mask: as much must agree for "it is there" or "the ground is back".
_AGREE = 0.65
#: Of a mask: when more than this is another picture than before, the thing has stirred.
_STIRRED = 0.25
#: Percentile of what was seen of somebody: one is often seen in parts, and rarely larger than one is.
_MOST_WHOLE = 90


class Span(NamedTuple):
    """A rectangle in pixels: left, top, right and bottom, the last two beyond it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def wide(self) -> int:
        return self.right - self.left

    @property
    def high(self) -> int:
        return self.bottom - self.top

    @property
    def area(self) -> int:
        return max(0, self.wide) * max(0, self.high)

    def grown(self, across: float, up: float, down: float, shape: tuple[int, ...]) -> "Span":
        """Larger by so many pixels, within a picture."""
        return Span(
            max(0, int(self.left - across)),
            max(0, int(self.top - up)),
            min(shape[1], int(self.right + across + 1)),
            min(shape[0], int(self.bottom + down + 1)),
        )

    def common(self, other: "Span") -> int:
        """The area of what both cover."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0, wide) * max(0, high)

    def joined(self, other: "Span") -> "Span":
        """The box around both."""
        return Span(
            min(self.left, other.left), min(self.top, other.top),
            max(self.right, other.right), max(self.bottom, other.bottom),
        )  # fmt: skip

    def overlap(self, other: "Span") -> float:
        """Intersection over union."""
        common = self.common(other)
        return common / max(1, self.area + other.area - common)

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)


class Stage(StrEnum):
    """What has been made of a thing."""

    WATCHED = "watched"
    TOLD = "told"  # an alarm was raised
    USUAL = "usual"  # a parked car, somebody waiting: nothing to tell


class Kind(StrEnum):
    """What a change that stays is."""

    THING = "thing"
    GHOST = "ghost"  # the ground where a thing was
    LIGHT = "light"


@dataclass
class Company:
    """Who was there when it began.

    Attributes:
        heights, areas, feet: in pixels, of those who touched the place.
        ids: of their tracks.
    """

    heights: list[float] = field(default_factory=list)
    areas: list[float] = field(default_factory=list)
    feet: list[float] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)

    def join(self, other: "Company") -> None:
        """Those of another time, too."""
        self.heights.extend(other.heights)
        self.areas.extend(other.areas)
        self.feet.extend(other.feet)
        self.ids |= other.ids
        del self.heights[:-200], self.areas[:-200], self.feet[:-200]

    @property
    def tall(self) -> float:
        """How tall they are; 0 when nobody was there."""
        return float(np.percentile(self.heights, _MOST_WHOLE)) if self.heights else 0.0

    def note(self, span: Span) -> None:
        """Somebody touched the place."""
        self.heights.append(span.high)
        self.areas.append(span.area)
        self.feet.append(span.bottom)

    def stood_at(self, bottom: float) -> bool:
        """Whether one of them stood about where a thing has its foot.

        A head or a jacket that is told from the ground while the rest is not has nobody's feet.
        """
        tall = self.tall
        return any(
            abs(foot - bottom) <= 0.4 * tall and high >= 0.5 * tall
            for foot, high in zip(self.feet, self.heights, strict=True)
        )

    @property
    def large(self) -> float:
        return float(np.percentile(self.areas, _MOST_WHOLE)) if self.areas else 0.0


@dataclass
class Standing:
    """One change that stays.

    Attributes:
        span: its box; ``frame`` is that with a margin, which all patches below cover.
        mask: its pixels within ``frame``.
        looks, ground: with it and without it, a patch per channel, as of ``light``.
        light: mean brightness around it when the patches were taken.
        began: when its pixels became new.
        since: since when it has not stirred.
        alone: seconds without its company.
        attended: when its company was last seen beside it.
        bare, parting: seconds for which the ground has been back in all, or in a part.
        seen: when it was last told apart from the rest.
    """

    key: str
    span: Span
    frame: Span
    mask: Mask
    looks: list[Plane]
    ground: list[Plane]
    light: float
    began: float
    since: float
    company: Company
    stage: Stage = Stage.WATCHED
    alone: float = 0.0
    attended: float = 0.0
    bare: float = 0.0
    parting: float = 0.0
    seen: float = 0.0
    score: float = 0.0

    def take(self, layers: Layers, labels: NDArray[np.int32], label: int, span: Span) -> None:
        """Its outline and looks are these from now on."""
        self.span = span
        self.frame = span.grown(MARGIN, MARGIN, MARGIN, layers.new.shape)
        rows, columns = self.frame.slices
        self.mask = labels[rows, columns] == label
        self.looks = [plane[rows, columns].copy() for plane in layers.planes]
        self.ground = [plane[rows, columns].copy() for plane in layers.ground]
        self.light = self._around(layers)

    def _around(self, layers: Layers) -> float:
        rows, columns = self.frame.slices
        ring = ~self.mask & ~layers.new[rows, columns]
        luma = layers.planes[0][rows, columns]
        return float(luma[ring].mean()) if int(ring.sum()) > MARGIN else 0.0

    def _same(self, layers: Layers, patches: Sequence[Plane]) -> Mask:
        """Where the frame looks like the patches now, in the present light."""
        rows, columns = self.frame.slices
        around = self._around(layers)
        gain = float(np.clip(around / self.light, 0.4, 2.5)) if around and self.light else 1.0
        limit = LEAST_STEP + 3.5 * layers.noise[rows, columns]
        patches = lit(patches, gain)
        same: Mask = np.abs(layers.planes[0][rows, columns] - patches[0]) < limit * 1.3
        for plane, patch in zip(layers.planes[1:], patches[1:], strict=False):
            same &= np.abs(plane[rows, columns] - patch) < COLOUR_STEP * 1.3
        return same

    def like(self, layers: Layers, patches: Sequence[Plane]) -> float:
        """How much of it looks like the patches now, in the present light: 0 to 1."""
        return float(self._same(layers, patches)[self.mask].mean()) if self.mask.any() else 0.0

    def parted(self, layers: Layers) -> bool:
        """Whether a part of it has gone: somebody who stood beside a bag, seen as one with it."""
        return _STIRRED < self.like(layers, self.ground) <= _AGREE

    def shrink(self, layers: Layers, least: float) -> bool:
        """Become what is left of it; False if that is less than so many pixels."""
        rest = (self.mask & layers.new[self.frame.slices]).view(np.uint8)
        rest &= ~self._same(layers, self.ground).view(np.uint8)
        rest = cv2.morphologyEx(rest, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        count, labels, stats, _ = cv2.connectedComponentsWithStats(rest, connectivity=8)
        if count < 2 or stats[1:, cv2.CC_STAT_AREA].max() < least:  # noqa: PLR2004 - nothing left
            return False
        label = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
        left, top, wide, high, _ = stats[label].tolist()
        left, top = left + self.frame.left, top + self.frame.top
        everywhere = np.zeros(layers.new.shape, np.int32)
        everywhere[self.frame.slices] = labels
        self.take(layers, everywhere, label, Span(left, top, left + wide, top + high))
        return True

    def lit_ground(self, luma: Plane) -> list[Plane]:
        """The ground without it in the light of a picture."""
        around = float(luma[self.frame.slices][~self.mask].mean()) if not self.mask.all() else 0.0
        gain = float(np.clip(around / self.light, 0.4, 2.5)) if around and self.light else 1.0
        return lit(self.ground, gain)

    def settled(self, layers: Layers) -> float:
        """How much of it is calm now: 0 to 1."""
        rows, columns = self.frame.slices
        return float(layers.calm[rows, columns][self.mask].mean()) if self.mask.any() else 0.0

    def stirred(self, layers: Layers) -> bool:
        """Whether, while nothing moves there, it looks otherwise than before: people do."""
        calm = self.settled(layers) > 0.9  # noqa: PLR2004 - nearly all of it
        return calm and self.like(layers, self.looks) < 1 - _STIRRED

    def refresh(self, layers: Layers) -> None:
        """Its looks are what is there now."""
        rows, columns = self.frame.slices
        self.looks = [plane[rows, columns].copy() for plane in layers.planes]
        self.light = self._around(layers) or self.light

    def uncovered(self, layers: Layers) -> bool:
        """Whether the ground without it is back."""
        return (
            self.like(layers, self.ground) > _AGREE and self.like(layers, self.looks) < 1 - _STIRRED
        )

    def kind(self, layers: Layers) -> Kind:
        """Tell a thing from the ground that a thing has left, and both from light.

        A thing has its outline in the present picture; a ghost has it in the background. Light
        keeps the texture of the ground below it, or has no outline at all.
        """
        outline = cv2.dilate(self.mask.view(np.uint8), None).astype(bool)
        outline &= ~cv2.erode(self.mask.view(np.uint8), None, iterations=1).astype(bool)
        now = sum(_edges(plane)[outline].mean() for plane in self.looks)
        before = sum(_edges(plane)[outline].mean() for plane in self.ground)
        self.score = float(np.clip(abs(now - before) / max(now + before, 1e-6), 0, 1))
        if self._is_light(outline):
            return Kind.LIGHT
        return Kind.THING if now >= before else Kind.GHOST

    def _is_light(self, outline: Mask) -> bool:
        inner = cv2.erode(self.mask.view(np.uint8), None).astype(bool)
        if int(inner.sum()) < 16:  # noqa: PLR2004 - too few to have a texture
            return False
        change = np.abs(self.looks[0] - self.ground[0])
        level = float(change[inner].mean())
        tinted = max(
            (
                float(np.abs(now - before)[inner].mean())
                for now, before in zip(self.looks[1:], self.ground[1:], strict=True)
            ),
            default=0.0,
        )
        if tinted > max(COLOUR_STEP / 2, 0.5 * level):
            return False
        now, before = _texture(self.looks[0])[inner], _texture(self.ground[0])[inner]
        deviation = float(before.std())
        if deviation > 1.5 and float(now.std()) > 1e-3:  # noqa: PLR2004 - more than noise
            alike = float(np.corrcoef(now, before)[0, 1])
            if alike > 0.65:  # noqa: PLR2004 - the same ground, otherwise lit
                return True
        edge = float(_edges(self.looks[0] - self.ground[0])[outline].mean())
        return min(self.span.wide, self.span.high) > 12 and edge < 0.1 * level  # noqa: PLR2004


def _edges(plane: Plane) -> Plane:
    """Grey levels a pixel by which a picture rises."""
    across = cv2.Sobel(plane, cv2.CV_32F, 1, 0, scale=0.125)
    down = cv2.Sobel(plane, cv2.CV_32F, 0, 1, scale=0.125)
    found: Plane = cv2.magnitude(across, down)
    return found


def _texture(plane: Plane) -> Plane:
    return plane - cv2.blur(plane, (7, 7))
