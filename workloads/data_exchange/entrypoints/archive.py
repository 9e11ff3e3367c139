"""``borough-exchange archive``: days of receipts that are old leave the database."""

import click

from foundation.kernel.actor import Actor
from foundation.kernel.errors import Invalid, Problem
from foundation.serving.processes import start_logging
from workloads.data_exchange.archives import archiving
from workloads.data_exchange.bootstrap import open_exchange
from workloads.data_exchange.settings import Settings


def archive(settings: Settings) -> None:
    """Write each day that is due into its file, verify that, and drop the day.

    Raises:
        Invalid: no folder was named.
        Conflict: a file does not hold, or a day cannot be dropped.
    """
    start_logging(settings)
    if not settings.receipt_archive:
        raise Invalid([Problem("receipt_archive", "names no folder to write into")])
    with open_exchange(settings) as exchange:
        work = archiving(exchange)
        for day in work.due():
            done = work.archive(Actor.system("archive"), day)
            click.echo(f"{day}: {done.receipts} receipts in {done.file}, sha256 {done.sha256}")
