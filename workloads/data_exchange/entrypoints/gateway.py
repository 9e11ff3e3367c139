"""``borough-exchange gateway``: the calls of machines, in processes of their own."""

import contextlib
import hashlib
import hmac
import os
import sys
from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from foundation.kernel.addresses import networks_of
from foundation.kernel.errors import Invalid, Problem
from foundation.serving.processes import Companion, run_file, start_logging
from foundation.surface.cli.exits import Failure
from workloads.data_exchange import PRODUCT
from workloads.data_exchange.bootstrap import Exchange, open_exchange
from workloads.data_exchange.gateway.process import Options, run
from workloads.data_exchange.gateway.server import Bounds
from workloads.data_exchange.settings import PROGRAM, Settings


def gateway(settings: Settings) -> None:
    """Answer calls until SIGTERM or SIGINT; further workers are children that share the port.

    Raises:
        Failure: the address cannot be listened on.
        Invalid: the time zone is none.
    """
    start_logging(settings)
    with open_exchange(settings) as exchange:
        chosen = options(settings, exchange.base.database.url)
        with contextlib.ExitStack() as children:

            @contextlib.contextmanager
            def ready(port: int) -> Iterator[None]:
                url = f"http://{settings.host}:{port}"
                file = settings.home / "run" / f"gateway-{os.getpid()}.json"
                # The children are this program with one worker each, on the same port.
                os.environ[f"{PROGRAM.prefix}GATEWAY_WORKERS"] = "0"
                os.environ[f"{PROGRAM.prefix}GATEWAY_PORT"] = str(port)
                for _ in range(settings.gateway_workers - 1):
                    children.enter_context(
                        Companion("-m", "workloads.data_exchange.entrypoints.cli", "gateway")
                    )
                with run_file(file, url=url):
                    click.echo(
                        f"{PRODUCT.title}: the gateway answers at {settings.gateway_url or url}"
                    )
                    sys.stdout.flush()
                    yield

            try:
                base = exchange.base
                run(
                    chosen, exchange.source, secret(exchange), base.clock, base.secrets, ready,
                    exchange.handing.fronts(),
                )  # fmt: skip
            except OSError as error:
                where = f"{settings.host}:{settings.gateway_port}"
                raise Failure(f"cannot listen on {where}: {error.strerror}") from None


def options(settings: Settings, database: str) -> Options:
    """How the gateway of these settings runs.

    Raises:
        Invalid: the time zone is none, or a network.
    """
    try:
        zone = ZoneInfo(settings.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise Invalid([Problem("time_zone", "is not a time zone of the IANA")]) from None
    return Options(
        settings.host, settings.gateway_port, settings.gateway_url.rstrip("/"),
        database.replace("postgresql+psycopg://", "postgresql://"), zone,
        Bounds(per_peer=settings.gateway_peer_connections), local=settings.local_providers,
        shared=settings.gateway_workers != 1,
        networks=networks_of(settings.provider_networks, "provider_networks"),
    )  # fmt: skip


def secret(exchange: Exchange) -> Callable[[str], bytes]:
    """The keys of agreements' pseudonyms: the same for ever, and each of one agreement."""
    master = exchange.base.secrets.derive("exchange:pseudonyms")
    return lambda agreement: hmac.new(master, agreement.encode(), hashlib.sha256).digest()
