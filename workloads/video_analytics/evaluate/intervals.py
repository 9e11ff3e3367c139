"""Events against labelled intervals: which were found, how late, and what was invented.

Both are CSV (with a heading) or JSON (a list of objects). A label has ``kind``, ``begin`` and
``end``, an event ``kind`` and ``at``; both may name their ``clip`` (or ``camera``). Times are
seconds, minutes and seconds (``1:05``), hours, minutes and seconds (``0:01:05.2``), or ISO 8601.
Columns may be parted by commas, semicolons or tabs, in headings of any case.
"""

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import numpy as np
from scipy.optimize import linear_sum_assignment

from foundation.kernel.errors import Collector

_NAMES = {
    "kind": ("kind", "rule", "type"),
    "at": ("at", "began_at", "began", "begin", "start"),
    "begin": ("begin", "start", "began"),
    "end": ("end", "ended", "stop"),
    "clip": ("clip", "camera", "camera_id", "video"),
}
_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,4}):(\d{1,2}(?:\.\d+)?)")
_MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Label:
    """Something that happened, seconds."""

    clip: str
    kind: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was reported, seconds."""

    clip: str
    kind: str
    at: float


@dataclass(frozen=True, slots=True)
class Score:
    """How well events meet labels.

    Attributes:
        kind: of both; ``overall`` for all.
        hits: labels with an event.
        repeated: further events of a label that has one already; they count as false.
        delay_seconds: median of the hits, from the begin of the label; None without hits.
    """

    kind: str
    labels: int
    events: int
    hits: int
    repeated: int
    delays: tuple[float, ...]

    def as_json(self) -> dict[str, object]:
        """For output."""
        precision = self.hits / self.events if self.events else None
        recall = self.hits / self.labels if self.labels else None
        total = self.labels + self.events
        return {
            "kind": self.kind, "labels": self.labels, "events": self.events, "hits": self.hits,
            "missed": self.labels - self.hits, "false": self.events - self.hits,
            "repeated": self.repeated, "precision": precision, "recall": recall,
            "f1": 2 * self.hits / total if total else None,
            "delay_seconds": median(self.delays) if self.delays else None,
        }  # fmt: skip


def read_labels(path: Path) -> list[Label]:
    """The labels of a file.

    Raises:
        Invalid: names every wrong row.
    """
    problems = Collector()
    found: list[Label] = []
    for number, row in enumerate(_rows(path, problems), 1):
        where = f"{path}:{number}"
        kind, begin, end = _word(row, "kind"), _seconds(row, "begin"), _seconds(row, "end")
        problems.check(kind, f"{where}.kind", "is missing")
        problems.check(begin is not None, f"{where}.begin", "must be seconds or a time")
        problems.check(end is not None, f"{where}.end", "must be seconds or a time")
        if kind and begin is not None and end is not None:
            problems.check(begin <= end, f"{where}.end", "must not be before its begin")
            found.append(Label(_word(row, "clip"), kind, begin, end))
    problems.finish()
    return found


def read_events(path: Path) -> list[Event]:
    """The events of a file.

    Raises:
        Invalid: names every wrong row.
    """
    problems = Collector()
    found: list[Event] = []
    for number, row in enumerate(_rows(path, problems), 1):
        where = f"{path}:{number}"
        kind, at = _word(row, "kind"), _seconds(row, "at")
        problems.check(kind, f"{where}.kind", "is missing")
        problems.check(at is not None, f"{where}.at", "must be seconds or a time")
        if kind and at is not None:
            found.append(Event(_word(row, "clip"), kind, at))
    problems.finish()
    return found


def compare(labels: Sequence[Label], events: Sequence[Event], tolerance: float) -> list[Score]:
    """A score for each kind, and of all.

    Args:
        labels, events: an event meets a label of its clip and kind when it comes no earlier than
            ``tolerance`` seconds before its begin and no later than so long after its end.
        tolerance: seconds.
    """
    kinds = sorted({label.kind for label in labels} | {event.kind for event in events})
    scores = [
        _score(
            kind,
            [label for label in labels if label.kind == kind],
            [event for event in events if event.kind == kind],
            tolerance,
        )
        for kind in kinds
    ]
    total = Score(
        "overall",
        sum(score.labels for score in scores),
        sum(score.events for score in scores),
        sum(score.hits for score in scores),
        sum(score.repeated for score in scores),
        tuple(delay for score in scores for delay in score.delays),
    )
    return [*scores, total]


def _score(kind: str, labels: Sequence[Label], events: Sequence[Event], tolerance: float) -> Score:
    """One to one, as many as possible, then with the least delay."""
    far = 1e9
    cost = np.full((len(labels), len(events)), far)
    for row, label in enumerate(labels):
        for column, event in enumerate(events):
            near = label.begin - tolerance <= event.at <= label.end + tolerance
            if near and label.clip == event.clip:
                cost[row, column] = min(abs(event.at - label.begin), far / 1e3)
    rows, columns = linear_sum_assignment(cost)
    real = cost[rows, columns] < far
    rows, columns = rows[real], columns[real]
    delays = tuple(events[c].at - labels[r].begin for r, c in zip(rows, columns, strict=True))
    over = set(range(len(events))) - {int(c) for c in columns}
    repeated = sum(1 for column in over if (cost[:, column] < far).any()) if labels else 0
    return Score(kind, len(labels), len(events), len(rows), repeated, delays)


def _rows(path: Path, problems: Collector) -> list[Mapping[str, object]]:
    try:
        content = path.read_bytes()[: _MOST_BYTES + 1]
    except OSError:
        problems.check(False, str(path), "is missing or cannot be read")
        return []
    if not problems.check(len(content) <= _MOST_BYTES, str(path), "is larger than 64 MiB"):
        return []
    text = content.decode("utf-8-sig", errors="replace")
    if text.lstrip()[:1] not in {"[", "{"}:
        heading = text.lstrip().splitlines()[0] if text.strip() else ""
        parting = max(",;\t", key=heading.count)
        rows = csv.DictReader(io.StringIO(text.lstrip()), delimiter=parting, skipinitialspace=True)
        return [{_heading(key): each for key, each in row.items()} for row in rows]
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        problems.check(False, str(path), "is neither JSON nor CSV")
        return []
    found = found.get("items", found) if isinstance(found, dict) else found
    good = isinstance(found, list) and all(isinstance(each, dict) for each in found)
    problems.check(good, str(path), "must be a list of objects")
    return found if good else []


def _heading(key: object) -> str:
    return str(key).strip().lower()


def _word(row: Mapping[str, object], name: str) -> str:
    return next((str(row[key]).strip() for key in _NAMES[name] if row.get(key)), "")


def _seconds(row: Mapping[str, object], name: str) -> float | None:
    """Seconds, of a number or of a time; a time without a zone is taken as UTC."""
    value = next((row[key] for key in _NAMES[name] if row.get(key) not in {None, ""}), None)
    if value is None or isinstance(value, bool):
        return None
    clock = _CLOCK.fullmatch(str(value).strip())
    if clock:  # within the clip, and so of any length
        hours, minutes, seconds = int(clock[1] or 0), int(clock[2]), float(clock[3])
        return 3600.0 * hours + 60.0 * minutes + seconds
    try:
        number = float(str(value))
    except ValueError:
        try:
            time = datetime.fromisoformat(str(value))
        except ValueError:
            return None
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    return number if math.isfinite(number) else None
