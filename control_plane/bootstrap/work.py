"""What workers do: every feature's handlers and schedules."""

import os
import socket

from control_plane.adapters.embedded.local import LocalProcesses
from control_plane.adapters.embedded.local_supervisor import LocalSupervisor, url_in
from control_plane.billing import jobs as billing
from control_plane.bootstrap.platform import Platform
from control_plane.metering import jobs as metering
from control_plane.provisioning import jobs as provisioning
from control_plane.provisioning.bindings import jobs as bindings
from control_plane.provisioning.campaigns import jobs as campaigns
from control_plane.provisioning.drift import jobs as drift
from control_plane.provisioning.fleet import jobs as fleet
from control_plane.provisioning.imports import jobs as imports
from control_plane.provisioning.playbooks import jobs as playbooks
from control_plane.provisioning.registry import jobs as registry
from foundation.kernel.outbox import Outbox
from foundation.operations import jobs as operations
from foundation.operations.jobs import Job, Schedule
from foundation.operations.jobs.worker import Worker, WorkerOptions
from foundation.surface.cli.contexts import RUN_FILE
from marketplace import jobs as marketplace


def handlers(platform: Platform) -> dict[str, Job]:
    """Who does each kind of operation."""
    return {
        **provisioning.handlers(platform.provisioning),
        **drift.handlers(platform.drift),
        **imports.handlers(platform.imports),
        **bindings.handlers(platform.bindings, platform.provisioning),
        **registry.handlers(platform.registry),
        **playbooks.handlers(platform.playbooks),
        **campaigns.handlers(platform.campaigns),
        **metering.handlers(platform.metering),
        **billing.handlers(platform.billing),
        **marketplace.handlers(platform.marketplace),
    }


def schedules(platform: Platform) -> list[Schedule]:
    """What is done again and again."""
    outbox = Outbox(platform.database, platform.clock)
    return [
        *fleet.schedules(platform.fleet),
        *drift.schedules(platform.drift),
        *bindings.schedules(platform.bindings),
        *registry.schedules(platform.registry),
        *playbooks.schedules(platform.playbooks),
        *metering.schedules(platform.metering),
        *billing.schedules(platform.billing),
        *marketplace.schedules(platform.marketplace),
        operations.relay(outbox, platform.database, ()),
    ]


def make_worker(platform: Platform) -> Worker:
    """The worker of this process, as its settings say."""
    settings = platform.settings
    options = WorkerOptions(
        settings.worker_id or f"{socket.gethostname()}-{os.getpid()}",
        concurrency=settings.worker_concurrency,
        heartbeat_seconds=settings.heartbeat_seconds,
        lease_seconds=settings.lease_seconds,
    )
    return Worker(
        platform.database, platform.clock, handlers(platform), schedules(platform), options
    )


def local_processes(platform: Platform) -> LocalSupervisor:
    """What keeps the workloads of simulated regions running, as processes of this machine."""
    processes = LocalProcesses(platform.database, platform.secrets, platform.clock)
    run_file = platform.settings.home / RUN_FILE
    return LocalSupervisor(
        platform.database, processes, platform.settings.home, lambda: url_in(run_file)
    )
