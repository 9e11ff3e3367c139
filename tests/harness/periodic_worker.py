"""``borough-video worker`` with the analysis of ``tests.fakes.analyser``: its events are known."""

import dataclasses

from workloads.video_analytics.entrypoints import worker
from workloads.video_analytics.settings import Settings, from_environment
from workloads.video_analytics.workers.keeper import KeeperOptions

_options = worker.options


def options(settings: Settings) -> KeeperOptions:
    found = _options(settings)
    lane = dataclasses.replace(found.lane, analyser="tests.fakes.analyser:make", degrade=False)
    return dataclasses.replace(found, lane=lane)


if __name__ == "__main__":
    worker.options = options
    worker.work(from_environment())
