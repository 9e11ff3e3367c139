"""A process that answers: it listens first, so that a taken address is told before all else."""

import socket
from collections.abc import Callable
from typing import Any

import click

from foundation.kernel.settings import CommonSettings
from foundation.serving.processes import run_file
from foundation.serving.server import Server, address_of, bind
from foundation.surface.cli.contexts import RUN_FILE
from foundation.surface.cli.exits import Failure


def listen(settings: CommonSettings) -> socket.socket:
    """A socket on the address that the settings name.

    Raises:
        Failure: it cannot be listened on.
    """
    try:
        return bind(settings.host, settings.port)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise Failure(f"cannot listen on {where}: {error.strerror}") from None


def answer(
    application: Callable[..., Any],
    listening: socket.socket,
    settings: CommonSettings,
    title: str,
) -> None:
    """Answer requests until SIGTERM or SIGINT; the run file says where, for as long.

    Args:
        application: WSGI.
        listening: from ``listen``.
        settings: of this process.
        title: what answers, for the person who started it.
    """
    server = Server(application, listening, settings.web_threads)
    url = address_of(listening)
    with run_file(settings.home / RUN_FILE, url=url):
        click.echo(f"{title} answers at {settings.public_url or url}")
        server.run_until_signal()
