"""Motion and crowds: rules about how much of a field is moving or taken."""

import cv2
import numpy as np

from workloads.video_analytics.vision import geometry
from workloads.video_analytics.vision.detectors.things import SubjectRule
from workloads.video_analytics.vision.model import Box, CameraView, Image, Point, RuleSpec, Signal
from workloads.video_analytics.vision.parameters import with_defaults
from workloads.video_analytics.vision.ports import Sight

_CHANGED = 12  # grey levels
_APART_SECONDS = 0.3


class Field:
    """A polygon as a mask, made once for each size of picture."""

    def __init__(self, points: tuple[Point, ...]) -> None:
        self._points = points
        self._mask: Image | None = None
        self._pixels = 1

    def of(self, shape: tuple[int, ...]) -> tuple[Image, int]:
        """The mask and how many pixels it has; at least one."""
        if self._mask is None or self._mask.shape != shape[:2]:
            self._mask = geometry.mask(self._points, shape)
            self._pixels = max(1, cv2.countNonZero(self._mask))
        return self._mask, self._pixels


class MotionDetector(SubjectRule):
    """Something moves in the field; a thing that stands, though new, does not."""

    def __init__(self, rule: RuleSpec, view: CameraView) -> None:  # noqa: ARG002 - like the others
        settings = with_defaults(rule.kind, rule.parameters)
        super().__init__(rule, float(settings["after_seconds"]), float(settings["clear_seconds"]))
        self._share = float(settings["area_percent"]) / 100
        self._field = Field(rule.points)
        self._before: Image | None = None
        self._before_at = 0.0

    def look(self, sight: Sight) -> list[Signal]:
        """How much of the field moves."""
        at = sight.frame.at
        moving = self._moving(sight)
        found: list[Signal] = []
        if moving is not None:
            mask, pixels = self._field.of(sight.luma.shape)
            moving &= mask
            share = cv2.countNonZero(moving) / pixels
            if share >= self._share:
                data = {"area_percent": round(100 * share, 2)}
                found = self.subjects.present("motion", at, box=_around(moving), data=data)
        return found + self.subjects.sweep(at)

    def _moving(self, sight: Sight) -> Image | None:
        """What is new and has changed since a moment ago."""
        now, luma = sight.frame.at.timestamp(), sight.luma
        before = self._before
        if before is None or before.shape != luma.shape:
            self._before, self._before_at = luma, now
            return None
        changed: Image | None = None
        if sight.moving:
            difference = cv2.absdiff(luma, before)
            _, over = cv2.threshold(difference, _CHANGED, 255, cv2.THRESH_BINARY)
            changed = np.asarray(cv2.medianBlur(over, 3), np.uint8) & sight.foreground
        if now - self._before_at >= _APART_SECONDS:
            self._before, self._before_at = luma, now
        return changed


class CrowdDetector(SubjectRule):
    """Many things in the field, or much of it taken: one event while it lasts."""

    def __init__(self, rule: RuleSpec, view: CameraView) -> None:
        settings = with_defaults(rule.kind, rule.parameters)
        super().__init__(rule, float(settings["after_seconds"]), float(settings["clear_seconds"]))
        self._count = int(settings["count"])
        self._cover = float(settings["cover_percent"]) / 100
        self._overhead = view.overhead
        self._field = Field(rule.points)

    def look(self, sight: Sight) -> list[Signal]:
        """How many are there, and how much of the field they take."""
        at = sight.frame.at
        mask, pixels = self._field.of(sight.luma.shape)
        cover = cv2.countNonZero(sight.foreground & mask) / pixels
        count = sum(
            1 for t in sight.tracks if geometry.inside(self._place(t.box), self.rule.points)
        )
        found: list[Signal] = []
        if count >= self._count or cover >= self._cover:
            data = {"count": count, "cover_percent": round(100 * cover, 1)}
            score = min(1.0, max(count / self._count, cover / self._cover) / 2)
            found = self.subjects.present("crowd", at, score=score, data=data)
        return found + self.subjects.sweep(at)

    def _place(self, box: Box) -> Point:
        if self._overhead:
            return Point(box.x + box.width / 2, box.y + box.height / 2)
        return box.foot


def _around(mask: Image) -> Box | None:
    """The box around what is not 0."""
    left, top, width, height = cv2.boundingRect(mask)
    if not width:
        return None
    tall, wide = mask.shape
    return Box(left / wide, top / tall, width / wide, height / tall)
