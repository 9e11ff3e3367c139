"""What rules tell of a clip, in seconds of the clip: what ``events`` compares with labels."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import av.error
import jsonschema
import numpy as np
import yaml

from foundation.kernel.errors import Collector, Invalid, Problem
from workloads.video_analytics.vision.analyser import CameraAnalyser
from workloads.video_analytics.vision.model import (
    CameraView,
    Frame,
    Phase,
    Point,
    RuleKind,
    RuleSpec,
    Signal,
    Tier,
)
from workloads.video_analytics.vision.parameters import PARAMETERS

#: Frames per second from which all that the full tier looks at is looked at.
_FULL = 6.0
_BEGAN = datetime(2000, 1, 1, 12, tzinfo=UTC)  # noon: what is forbidden at night is not


@dataclass(frozen=True, slots=True)
class Told:
    """An event of a rule.

    Attributes:
        clip: the name of the file without its ending.
        kind: of the rule.
        at: seconds from the clip's beginning when it was told; ``began``: when it had begun.
        box: left, top, width and height as fractions of the picture, where it is of a thing.
    """

    clip: str
    kind: str
    at: float
    began: float
    box: tuple[float, float, float, float] | None

    def as_json(self) -> dict[str, object]:
        """For output, as ``events`` reads it."""
        box = None if self.box is None else [round(side, 4) for side in self.box]
        return {
            "clip": self.clip, "kind": self.kind, "at": round(self.at, 2),
            "began_at": round(self.began, 2), "box": box,
        }  # fmt: skip


def usual(kinds: Sequence[str]) -> list[RuleSpec]:
    """Rules of these kinds with the parameters that they have by default.

    Raises:
        Invalid: names those that are no kind of rule.
    """
    problems = Collector()
    rules = [spec for kind in kinds for spec in _rule({"kind": kind}, kind, problems)]
    problems.finish()
    return rules


def read_rules(path: Path) -> list[RuleSpec]:
    """Rules of a file, YAML or JSON: a list of ``kind``, maybe with ``points``, ``parameters``.

    Raises:
        Invalid: names all that is wrong.
    """
    problems = Collector()
    try:
        found = yaml.safe_load(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        found = None
    rules: list[RuleSpec] = []
    given = [found] if isinstance(found, dict) else found
    if problems.check(isinstance(given, list) and given, str(path), "must be a list of rules"):
        for number, each in enumerate(given, 1):
            rules += _rule(each, f"{path}:{number}", problems)
    problems.finish()
    return rules


def _rule(given: object, where: str, problems: Collector) -> list[RuleSpec]:
    """One rule, or none when something is wrong."""
    if not isinstance(given, Mapping):
        problems.check(False, where, "must be a rule")
        return []
    before = len(problems.problems)
    for name in sorted(map(str, set(given) - {"kind", "points", "parameters", "name"})):
        problems.check(False, f"{where}.{name}", "is not taken here")
    kind, points = str(given.get("kind")), given.get("points") or []
    parameters = given.get("parameters") or {}
    problems.check(kind in PARAMETERS, f"{where}.kind", "is no kind of rule")
    good = isinstance(points, list) and all(map(_is_place, points))
    problems.check(good, f"{where}.points", "must be pairs of numbers from 0 to 1")
    if kind in PARAMETERS:
        for error in jsonschema.Draft202012Validator(PARAMETERS[RuleKind(kind)]).iter_errors(
            parameters
        ):
            name = ".".join(["parameters", *map(str, error.absolute_path)])
            problems.check(False, f"{where}.{name}", error.message)
    if len(problems.problems) > before:
        return []
    places = tuple(Point(float(x), float(y)) for x, y in points)
    return [RuleSpec(where, 1, RuleKind(kind), places, parameters)]


def _is_place(given: object) -> bool:
    if not isinstance(given, list) or len(given) != 2:  # noqa: PLR2004
        return False
    return all(isinstance(n, int | float) and math.isfinite(n) and 0 <= n <= 1 for n in given)


def watch(clip: Path, rules: Sequence[RuleSpec], rate: float) -> Iterator[Told]:
    """The events of a clip as the product has them, at its own times.

    Args:
        clip: a film.
        rules: that are in force.
        rate: frames per second that are looked at, at most.

    Raises:
        Invalid: it cannot be read.
    """
    tier = Tier.FULL if rate > _FULL else Tier.LOW_RATE
    analyser = CameraAnalyser(CameraView("clip"), rules, tier)
    kinds = {rule.id: rule.kind.value for rule in rules}
    for frame in _frames(clip, rate):
        for signal in analyser.feed(frame).signals:
            if signal.phase is Phase.ACTIVE:
                yield _told(clip, kinds[signal.rule], signal)


def _told(clip: Path, kind: str, signal: Signal) -> Told:
    box = signal.box
    return Told(
        clip.stem, kind, _seconds(signal.at), _seconds(signal.began),
        None if box is None else (box.x, box.y, box.width, box.height),
    )  # fmt: skip


def _seconds(at: datetime) -> float:
    return (at - _BEGAN).total_seconds()


def _frames(clip: Path, rate: float) -> Iterator[Frame]:
    """Pictures at their times, none when they stand still or go back."""
    following = 0.0
    first: float | None = None
    try:
        with av.open(str(clip)) as container:
            for picture in container.decode(video=0):
                time = float(picture.time or 0.0)
                first = time if first is None else first
                seconds = time - first
                if seconds < following - 1e-3:
                    continue
                following = seconds + 1 / rate
                yield Frame(
                    _BEGAN + timedelta(seconds=seconds),
                    np.asarray(picture.to_ndarray(format="gray"), np.uint8),
                    np.asarray(picture.to_ndarray(format="bgr24"), np.uint8),
                )
    except (av.error.FFmpegError, IndexError, OSError) as error:
        raise Invalid([Problem(str(clip), f"cannot be read to its end: {error}")]) from None
