"""From the time stamps of a stream to the time of day.

Cameras' stamps start anywhere, drift, jump, go backwards and are sometimes missing. What the
analysis gets only ever grows, lies within two seconds of when the picture came (for a live source),
and keeps the distances of the stamps as long as they make sense.
"""

#: The least distance of two frames, seconds: stamps that repeat are moved on by it.
_LEAST = 0.001


class Stamps:
    """Wall-clock times of one source's frames.

    Args:
        tolerance: seconds that a stamp may lie away from its arrival before it counts as wrong.
        slew: share of the difference to the arrival that is corrected with each frame, so that a
            clock that runs fast or slow does not end in a jump.
    """

    def __init__(self, *, tolerance: float = 2.0, slew: float = 0.002) -> None:
        self._tolerance = tolerance
        self._slew = slew
        self._offset: float | None = None
        self._first: float | None = None
        self._last = 0.0
        self._last_stamp: float | None = None
        self.wrong = 0
        self.drift = 0.0

    def at(self, stamp: float | None, arrived: float) -> float:
        """When a frame was taken, seconds since 1970.

        Args:
            stamp: of the stream, seconds from anywhere; None when it has none.
            arrived: when it came, seconds since 1970.
        """
        if stamp is None:
            return self._grow(arrived)
        back = self._last_stamp is not None and stamp <= self._last_stamp
        self._last_stamp = stamp
        if self._offset is None or self._first is None:
            self._offset = self._first = arrived - stamp
        away = arrived - (stamp + self._offset)
        if back or abs(away) > self._tolerance:
            self.wrong += 1
            self._offset = self._first = arrived - stamp
        else:
            self._offset += away * self._slew
        self.drift = self._first - self._offset
        return self._grow(stamp + self._offset)

    def reset(self) -> None:
        """The source was opened again: its stamps may start anywhere."""
        self._offset = self._last_stamp = None

    def _grow(self, at: float) -> float:
        self._last = max(at, self._last + _LEAST)
        return self._last


class Played:
    """Times of the frames of a file: its first frame was at ``epoch``, the rest as its stamps say.

    Args:
        epoch: seconds since 1970.
        rate: frames a second, for frames without a stamp.
    """

    def __init__(self, epoch: float, rate: float) -> None:
        self.epoch = epoch
        self._step = 1 / rate if rate > 0 else 0.04
        self._last: float | None = None
        self._zero: float | None = None
        self._shift = 0.0
        self.wrong = 0

    def position(self, stamp: float | None) -> float:
        """Seconds from the beginning; it only ever grows, whatever the stamps do."""
        if self._last is None:
            if self._zero is None:
                self._zero = stamp or 0.0
            self._last = 0.0 if stamp is None else stamp - self._zero
            return self._last
        following = self._last + self._step
        at = following if stamp is None else stamp - (self._zero or 0.0) + self._shift
        # A step back, or one of more than a minute, is a wrong stamp or a cut: go on as if none.
        if at <= self._last or at > self._last + 60:
            self.wrong += stamp is not None
            self._shift += following - at
            at = following
        self._last = at
        return at

    def again(self) -> None:
        """The file begins anew; the times go on."""
        if self._last is not None:
            self._shift = self._last + self._step

    def begin(self, zero: float) -> None:
        """The next frame may be anywhere in the file; its first one has the stamp ``zero``."""
        self._zero = zero
        self._last = None
        self._shift = 0.0
