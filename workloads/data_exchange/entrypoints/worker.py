"""``borough-exchange worker``: does what is done by schedule, and the long work."""

import os
import socket

from foundation.operations.jobs.worker import Worker, WorkerOptions
from foundation.serving.ending import at_end, leave
from foundation.serving.processes import run_file, start_logging
from workloads.data_exchange.bootstrap import Exchange, open_exchange
from workloads.data_exchange.settings import Settings


def work(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT; the second one ends it at once."""
    start_logging(settings)
    with open_exchange(settings) as exchange:
        worker = make_worker(exchange)
        at_end(worker.end)
        file = settings.home / "run" / f"worker-{os.getpid()}.json"
        with run_file(file, id=worker.id, name=worker.name):
            worker.run()
    # What still runs was given back and is fenced: no thread of it may hold the process.
    leave()


def make_worker(exchange: Exchange) -> Worker:
    """A worker of this process."""
    settings, base = exchange.settings, exchange.base
    options = WorkerOptions(
        settings.worker_id or f"{socket.gethostname()}-{os.getpid()}",
        settings.worker_concurrency,
        settings.heartbeat_seconds,
        settings.lease_seconds,
    )
    return Worker(base.database, base.clock, exchange.handlers(), exchange.schedules(), options)
