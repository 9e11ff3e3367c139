"""What a camera's thread in the decoder is told, and what it hands over."""

from collections.abc import Callable
from dataclasses import dataclass, field

from workloads.video_analytics.vision.model import Image, Point
from workloads.video_analytics.workers.model import Feed, Look
from workloads.video_analytics.workers.sources import Limits


@dataclass(frozen=True, slots=True)
class Orders:
    """What a camera's thread is told when it begins.

    Attributes:
        position: seconds into a file at which to go on; ``epoch``: when its first frame was,
            seconds since 1970; both None for a new beginning.
        ring_seconds, ring_bytes: how much of the stream is kept for pictures and clips.
    """

    camera: str
    feed: Feed
    look: Look
    limits: Limits = field(default_factory=Limits)
    masks: tuple[tuple[Point, ...], ...] = ()
    position: float | None = None
    epoch: float | None = None
    ring_seconds: float = 20.0
    ring_bytes: int = 6 * 2**20
    first_retry: float = 1.0
    longest_retry: float = 60.0


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame on its way to the analysis.

    Attributes:
        at: when it was taken, seconds since 1970.
        lag: how long after it was taken (or should have been) it was decoded, seconds.
        position: seconds into a file.
    """

    at: float
    image: Image
    key: bool
    lag: float
    position: float
    drift: float
    wrong: int


@dataclass(frozen=True, slots=True)
class Ask:
    """A picture (``until`` None) or a clip that is wanted, made when the stream is past it."""

    number: int
    since: float
    until: float | None
    expires: float


@dataclass(slots=True)
class Outlet:
    """Where a camera's thread puts what it has; all are called in its thread.

    Attributes:
        frame: a frame; waits with ``wait`` until the one before has been taken, else replaces it.
        state: (state, detail): ``online``, ``no_signal``, ``broken``, ``ended``, ``late``.
        answer: (number of the ask, bytes or None).
        live: a JPEG for those who look.
        calling: around calls into FFmpeg: what it does, or empty.
    """

    frame: Callable[[str, Picture, bool], None]
    state: Callable[[str, str, str], None]
    answer: Callable[[str, int, bytes | None], None]
    live: Callable[[str, bytes], None]
    calling: Callable[[str, str], None]
