"""The machine's clock: the one place that reads the time."""

from datetime import UTC, datetime


class SystemClock:
    """The present, from the machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)
