"""A thing that stands still where there was only ground, or ground where a thing had stood."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from workloads.video_analytics.vision.detectors.company import Company, Span
from workloads.video_analytics.vision.detectors.two_speeds import (
    COLOUR_STEP,
    LEAST_STEP,
    Layers,
    Mask,
    Plane,
    closed,
    grown,
    lit,
    shrunk,
    spots,
)

#: Pixels around a thing in which its outline and the light beside it are looked for.
MARGIN = 5
#: Of a mask: as much must agree for "it is there" or "the ground is back".
_AGREE = 0.65
#: Of a mask: when more than this is another picture than before, the thing has stirred.
_STIRRED = 0.25
#: As much of it has been seen when there is nothing to be learnt of its outline.
_FULL = 0.8


_NOWHERE = Span(0, 0, 0, 0)


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
        anchor: its box when it came to rest.
        judged: whether it was asked a second time if it is usual.
        looked, doubted: when its kind was last asked, and was last one that may be told.
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
    anchor: Span = _NOWHERE
    looked: float = 0.0
    doubted: float = 0.0
    judged: bool = False

    def take(self, layers: Layers, labels: NDArray[np.int32], label: int, span: Span) -> None:
        """Its outline and looks are these from now on."""
        self.span = span
        self.company.foot = float(span.bottom)
        self.frame = span.grown(MARGIN, MARGIN, MARGIN, layers.new.shape)
        rows, columns = self.frame.slices
        self.mask = labels[rows, columns] == label
        self.looks = [plane[rows, columns].copy() for plane in layers.planes]
        self.ground = [plane[rows, columns].copy() for plane in layers.ground]
        self.light = self._around(layers)

    def differs(self, span: Span, area: int) -> bool:
        """Whether a spot of so many pixels is otherwise than it was: seen in full only now."""
        known = float(self.mask.sum())
        return self.span != span or not _FULL * known <= area <= known / _FULL

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
        rest = self.mask & layers.new[self.frame.slices] & ~self._same(layers, self.ground)
        labels, stats = spots(closed(rest, 5, 5))
        label = max(range(1, len(stats)), key=lambda n: stats[n][4], default=0)
        if label == 0 or stats[label][4] < least:
            return False
        left, top, wide, high, _ = stats[label]
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

    def kind(self) -> Kind:
        """Tell a thing from the ground that a thing has left, and both from light.

        A thing has its outline in the present picture; a ghost has it in the background. Light
        keeps the texture of the ground below it, or has no outline at all.
        """
        outline = grown(self.mask) & ~shrunk(self.mask)
        now = sum(_edges(plane)[outline].mean() for plane in self.looks)
        before = sum(_edges(plane)[outline].mean() for plane in self.ground)
        self.score = float(np.clip(abs(now - before) / max(now + before, 1e-6), 0, 1))
        if self._is_light(outline):
            return Kind.LIGHT
        return Kind.THING if now >= before else Kind.GHOST

    def _is_light(self, outline: Mask) -> bool:
        inner = shrunk(self.mask)
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

    def kept(self) -> dict[str, object]:
        """As plain values and arrays."""
        return {
            "key": self.key, "span": list(self.span), "frame": list(self.frame),
            "mask": self.mask.astype(np.uint8), "looks": self.looks, "ground": self.ground,
            "light": self.light, "began": self.began, "since": self.since, "stage": str(self.stage),
            "alone": self.alone, "attended": self.attended, "heights": self.company.heights,
            "areas": self.company.areas, "feet": self.company.feet, "ids": sorted(self.company.ids),
            "score": self.score, "times": self.company.times,
        }  # fmt: skip

    @classmethod
    def restored(cls, kept: dict[str, object]) -> "Standing":
        """A thing as it was kept. Raises what a wrong shape of anything raises."""
        item: dict[str, Any] = dict(kept)
        frame, span = Span(*map(int, item["frame"])), Span(*map(int, item["span"]))
        mask = np.asarray(item["mask"], np.uint8) > 0
        patches = [
            [np.asarray(one, np.float32) for one in item[name]] for name in ("looks", "ground")
        ]
        for patch in (mask, *patches[0], *patches[1]):
            if patch.shape != (frame.high, frame.wide):
                raise ValueError("a patch of another size")
        heights, areas, feet, times = (
            [float(n) for n in item[name]] for name in ("heights", "areas", "feet", "times")
        )
        if len({len(heights), len(areas), len(feet), len(times)}) != 1:
            raise ValueError("a company of several sizes")
        ids = {str(name) for name in item["ids"]}
        company = Company(float(span.bottom), heights, areas, feet, times, ids)
        return cls(
            str(item["key"]), span, frame, mask, patches[0], patches[1], float(item["light"]),
            float(item["began"]), float(item["since"]), company, Stage(item["stage"]),
            float(item["alone"]), float(item["attended"]), score=float(item["score"]),
            anchor=span, doubted=float(item["since"]),
        )  # fmt: skip


def _edges(plane: Plane) -> Plane:
    """Grey levels a pixel by which a picture rises."""
    across = cv2.Sobel(plane, cv2.CV_32F, 1, 0, scale=0.125)
    down = cv2.Sobel(plane, cv2.CV_32F, 0, 1, scale=0.125)
    return np.asarray(cv2.magnitude(across, down), np.float32)


def _texture(plane: Plane) -> Plane:
    return plane - cv2.blur(plane, (7, 7))
