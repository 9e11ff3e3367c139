"""What a camera learns of its place: how tall things are where, and where things usually stand."""

from workloads.video_analytics.vision.detectors.company import Span

_BANDS = 12
_ENOUGH = 20
#: Bands from one in which enough was seen.
_NEAR = 4
_CELLS = (24, 14)
#: So often something of that size must have stood and gone for a place to be usual for it.
_OFTEN = 3


class Heights:
    """The usual height of what moves, per band of the picture that its foot is in."""

    def __init__(self) -> None:
        self._found: list[list[float]] = [[] for _ in range(_BANDS)]

    def note(self, span: Span, shape: tuple[int, ...]) -> None:
        """Something moved there. What is cut off by the border has no height."""
        if span.top <= 1 or span.bottom >= shape[0] - 1 or span.left <= 1:
            return
        if span.right >= shape[1] - 1:
            return
        band = self._found[min(_BANDS - 1, span.bottom * _BANDS // shape[0])]
        band.append(span.high / shape[0])
        if len(band) > 4 * _ENOUGH:
            del band[::2]

    def at(self, bottom: int, shape: tuple[int, ...]) -> float:
        """Pixels; 0 while too little was seen there and near it.

        What was seen near it counts as on level ground before a camera that looks ahead: half as
        far down the picture, half as high. One who wears the ground's colours is seen in part.
        """
        row = min(_BANDS - 1, bottom * _BANDS // shape[0])
        found = 0.0
        for n in range(max(0, row - _NEAR), min(_BANDS, row + _NEAR + 1)):
            band = sorted(self._found[n])
            if len(band) >= _ENOUGH:  # people are seen in parts, too: the most that is usual
                found = max(found, band[len(band) * 3 // 4] * (row + 0.5) / (n + 0.5))
        return found * shape[0]

    def memory(self) -> list[list[float]]:
        return [list(band) for band in self._found]

    def recall(self, memory: object) -> None:
        if not isinstance(memory, list) or len(memory) != _BANDS:
            return
        if all(isinstance(b, list) and all(isinstance(n, float) for n in b) for b in memory):
            self._found = [list(band)[: 4 * _ENOUGH] for band in memory]


class Usual:
    """Where things stood and went again without an alarm, and how large they were."""

    def __init__(self) -> None:
        self._stood: dict[tuple[int, int], list[float]] = {}

    @staticmethod
    def _cell(span: Span, shape: tuple[int, ...]) -> tuple[int, int]:
        across = (span.left + span.right) * _CELLS[0] // (2 * shape[1])
        return across, min(_CELLS[1] - 1, span.bottom * _CELLS[1] // shape[0])

    def note(self, span: Span, shape: tuple[int, ...], at: float) -> None:  # noqa: ARG002
        sizes = self._stood.setdefault(self._cell(span, shape), [])
        sizes.append(span.area / (shape[0] * shape[1]))
        del sizes[:-20]

    def fits(self, span: Span, shape: tuple[int, ...]) -> bool:
        """Whether things of about this size often stand there."""
        size = span.area / (shape[0] * shape[1])
        across, down = self._cell(span, shape)
        near = [
            kept
            for dx in (-1, 0, 1)
            for dy in (-1, 0, 1)
            for kept in self._stood.get((across + dx, down + dy), ())
        ]
        return sum(size / 1.6 < kept < size * 1.6 for kept in near) >= _OFTEN

    def memory(self) -> list[list[object]]:
        return [[across, down, sizes] for (across, down), sizes in self._stood.items()]

    def recall(self, memory: object) -> None:
        if not isinstance(memory, list):
            return
        try:
            self._stood = {
                (int(across), int(down)): [float(size) for size in sizes][-20:]
                for across, down, sizes in memory
            }
        except (TypeError, ValueError):
            self._stood = {}
