"""Where agencies and flows stand on the map: a ring, district by district, as numbers for SVG."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workloads.data_exchange.agencies.model import Level
from workloads.data_exchange.flows.model import Flow, Place

WIDTH, HEIGHT = 960, 720
#: Of so many agencies and flows the busiest are drawn; the table has all.
AGENCIES, FLOWS = 36, 150
_CENTRE = (WIDTH / 2, HEIGHT / 2)
_RING = 230.0
#: How far lines bend towards the middle.
_BEND = 0.35
_THIN, _THICK = 1.5, 9.0
#: From these parts on, flows that fail stand out.
_SOME, _MANY = 0.01, 0.05
_LEVELS = tuple(Level)


@dataclass(frozen=True, slots=True)
class Group:
    """Agencies of one district, or of a level where they belong to none.

    Attributes:
        mark: a letter, which its agencies carry too: colour alone would tell some people nothing.
        district: its path; empty for a level's.
        arc: the path of SVG along its agencies.
    """

    mark: str
    district: str
    level: Level
    arc: str


@dataclass(frozen=True, slots=True)
class Spot:
    """An agency on the ring."""

    path: str
    mark: str
    x: float
    y: float
    radius: float
    text_x: float
    text_y: float
    anchor: str
    calls: int


@dataclass(frozen=True, slots=True)
class Curve:
    """A flow, from the provider of the data to their consumer.

    Attributes:
        kind: ``well``, ``some`` or ``many``: how much of it fails.
    """

    flow: Flow
    path: str
    width: float
    kind: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """The map.

    Attributes:
        left_out: flows that are in the table alone.
    """

    groups: tuple[Group, ...]
    spots: tuple[Spot, ...]
    curves: tuple[Curve, ...]
    left_out: int


def draw(flows: Sequence[Flow], places: Mapping[str, Place]) -> Drawing:
    """The map of some flows; those of one pair are put together by the caller."""
    weight: Counter[str] = Counter()
    for one in flows:
        weight[one.consumer] += one.calls.calls
        weight[one.provider] += one.calls.calls
    busiest = sorted(weight, key=lambda path: (-weight[path], path))[:AGENCIES]
    order = sorted(busiest, key=lambda path: (*_rank(places.get(path)), path))
    keys = list(dict.fromkeys(_rank(places.get(path)) for path in order))
    # A step between groups, and one for each agency in them.
    slots = len(order) + len(keys)
    turn = 2 * math.pi / max(slots, 1)
    heaviest = max(weight.values(), default=1)
    spots: dict[str, Spot] = {}
    groups: list[Group] = []
    at = 0
    for number, key in enumerate(keys):
        members = [path for path in order if _rank(places.get(path)) == key]
        first = at
        for path in members:
            spots[path] = _spot(path, _mark(number), at * turn, weight[path], heaviest)
            at += 1
        arc = _arc((first - 0.35) * turn, (at - 0.65) * turn)
        groups.append(Group(_mark(number), key[1], _LEVELS[key[0]], arc))
        at += 1
    drawn = sorted(
        (one for one in flows if one.consumer in spots and one.provider in spots),
        key=lambda one: -one.calls.calls,
    )[:FLOWS]
    most = max((one.calls.calls for one in drawn), default=1)
    curves = [_curve(one, spots[one.provider], spots[one.consumer], most) for one in drawn]
    return Drawing(tuple(groups), tuple(spots.values()), tuple(curves), len(flows) - len(drawn))


def _rank(place: Place | None) -> tuple[int, str]:
    """Wide levels first, then district by district; an agency that is gone has no district."""
    if place is None:
        return len(_LEVELS) - 1, ""
    return _LEVELS.index(Level.DISTRICT if place.district else place.level), place.district


def _mark(number: int) -> str:
    letter = chr(ord("A") + number % 26)
    return letter if number < 26 else f"{letter}{number // 26}"  # noqa: PLR2004


def _point(angle: float, radius: float) -> tuple[float, float]:
    """Clockwise from the top."""
    return (_CENTRE[0] + radius * math.sin(angle), _CENTRE[1] - radius * math.cos(angle))


def _spot(path: str, mark: str, angle: float, calls: int, heaviest: int) -> Spot:
    x, y = _point(angle, _RING)
    text_x, text_y = _point(angle, _RING + 26)
    side = math.sin(angle)
    anchor = "middle" if abs(side) < 0.12 else "start" if side > 0 else "end"  # noqa: PLR2004
    radius = 5 + 8 * math.sqrt(calls / heaviest)
    return Spot(path, mark, _r(x), _r(y), _r(radius), _r(text_x), _r(text_y + 4), anchor, calls)


def _arc(first: float, last: float) -> str:
    (x, y), (to_x, to_y) = _point(first, _RING - 18), _point(last, _RING - 18)
    large = int(last - first > math.pi)
    radius = _r(_RING - 18)
    return f"M{_r(x)} {_r(y)} A{radius} {radius} 0 {large} 1 {_r(to_x)} {_r(to_y)}"


def _curve(flow: Flow, start: Spot, end: Spot, most: int) -> Curve:
    share = math.log1p(flow.calls.calls) / math.log1p(most)
    width = _r(_THIN + (_THICK - _THIN) * share**2)
    kind = "many" if flow.calls.failing >= _MANY else (
        "some" if flow.calls.failing >= _SOME else "well"
    )  # fmt: skip
    if start is end:
        x, y = start.x, start.y
        return Curve(flow, f"M{x} {y} c-40 -46 40 -46 0 0", width, kind)
    middle_x, middle_y = (start.x + end.x) / 2, (start.y + end.y) / 2
    # To one side of the middle: there and back are two lines.
    aside_x, aside_y = (end.y - start.y) * 0.08, (start.x - end.x) * 0.08
    bend_x = middle_x + (_CENTRE[0] - middle_x) * _BEND + aside_x
    bend_y = middle_y + (_CENTRE[1] - middle_y) * _BEND + aside_y
    path = f"M{start.x} {start.y} Q{_r(bend_x)} {_r(bend_y)} {end.x} {end.y}"
    return Curve(flow, path, width, kind)


def _r(value: float) -> float:
    return round(value, 1)
