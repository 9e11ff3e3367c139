"""``borough-video worker``: watches its share of the cameras, and does what is done by schedule."""

import os
import socket
import threading

from foundation.kernel import ids
from foundation.kernel.errors import Invalid, Problem
from foundation.operations.jobs.schedules import Schedules
from foundation.serving.ending import at_end, leave
from foundation.serving.processes import run_file, start_logging
from foundation.usage.telling import schedules
from workloads.video_analytics.bootstrap import Video, make_keeper, open_video
from workloads.video_analytics.cameras import jobs as cameras
from workloads.video_analytics.settings import Settings
from workloads.video_analytics.watchlists import jobs as watchlists
from workloads.video_analytics.workers.keeper import KeeperOptions
from workloads.video_analytics.workers.lane import LaneOptions
from workloads.video_analytics.workers.model import Pace


def work(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT; the second one ends it at once.

    Raises:
        Invalid: a setting has a value that there is not.
    """
    start_logging(settings)
    given = options(settings)
    with open_video(settings) as video:
        keeper = make_keeper(video, given)
        ending = threading.Event()
        at_end(keeper.end)
        scheduled = threading.Thread(
            target=_schedules(video, given.name).run, args=(ending,), name="schedules", daemon=True
        )
        file = settings.home / "run" / f"worker-{os.getpid()}.json"
        with run_file(file, id=given.id, name=given.name):
            scheduled.start()
            keeper.run()
            ending.set()
            scheduled.join(5)
    leave()


def _schedules(video: Video, name: str) -> Schedules:
    base = video.base
    seconds = float(max(1, video.settings.usage_seconds))
    own = [
        *schedules(video.usage.telling, video.usage.tell, seconds),
        *watchlists.schedules(video.watchlists),
        *cameras.schedules(video.cameras),
    ]
    return Schedules(
        base.database, [*own, *video.happenings.schedules([video.usage.telling.receive])], name
    )


def options(settings: Settings) -> KeeperOptions:
    """How the worker of this process works.

    Raises:
        Invalid: a setting has a value that there is not.
    """
    try:
        pace = Pace(settings.file_pace)
    except ValueError:
        raise Invalid([Problem("file_pace", "must be loop, once or fast")]) from None
    if settings.leases not in {"postgres", "kubernetes"}:
        raise Invalid([Problem("leases", "must be postgres or kubernetes")])
    if settings.confine not in {"always", "if_possible"}:
        raise Invalid([Problem("confine", "must be always or if_possible")])
    name = settings.worker_id or f"{socket.gethostname()}-{os.getpid()}"
    lanes = settings.lanes or len(os.sched_getaffinity(0))
    lane = LaneOptions(
        live=str(settings.home / "live"), models=str(settings.models_folder),
        decoder_mb=settings.decoder_memory_mb,
        open_seconds=settings.open_seconds, read_seconds=settings.read_seconds,
        before=settings.clip_seconds, after=settings.clip_seconds,
        memory_seconds=settings.memory_seconds, confine=settings.confine == "always",
        opens_per_second=max(0, settings.opens_per_second) / lanes,
    )  # fmt: skip
    return KeeperOptions(ids.new("wrk"), name, lanes, lane=lane, file_pace=pace)
