"""Two sides of a dataspace for tests: an exchange that answers and sends, offers, rules."""

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.surface.api import limits
from tests.fakes.catalogue import FakeCatalogue, households
from tests.harness.agreements import PURPOSE
from tests.harness.exchange import CIVIL, SYSTEM, exchange_database, furnish
from workloads.data_exchange.agreements.ask import AskedField
from workloads.data_exchange.agreements.terms import Limits
from workloads.data_exchange.bootstrap import Exchange, open_exchange
from workloads.data_exchange.dataspace import policies
from workloads.data_exchange.dataspace.elsewhere import reading
from workloads.data_exchange.dataspace.elsewhere.model import Asked, Listed
from workloads.data_exchange.dataspace.elsewhere.store import PostgresElsewhere
from workloads.data_exchange.dataspace.machine import ProcessKind, ProcessState, Role
from workloads.data_exchange.dataspace.model import Given, Offer, Reaction
from workloads.data_exchange.entrypoints.app import create_app
from workloads.data_exchange.entrypoints.serve import parts
from workloads.data_exchange.settings import Settings

LOOPBACK = "127.0.0.0/8,::1/128"
GIVEN = Given(
    frozenset({PURPOSE}), (AskedField("id"), AskedField("name", whole=True)), (),
    Limits(calls=1000, rows_per_call=50), 30,
)  # fmt: skip


@dataclass(frozen=True)
class Connector:
    """An exchange that takes part in a dataspace.

    Attributes:
        root: where it answers.
        base: where its protocol endpoints are.
        own: what it is called.
    """

    exchange: Exchange
    root: str
    base: str
    own: str


@contextlib.contextmanager
def connector(
    postgres: EmbeddedPostgres, home: Path, name: str, *, sending: bool = True
) -> Iterator[Connector]:
    """An exchange on a database of its own, with its server and what sends its messages."""
    port = free_port()
    root = f"http://127.0.0.1:{port}"
    with exchange_database(postgres) as url:
        settings = Settings(
            home=home, database_url=url, port=port, public_url=root, participant=name,
            provider_networks=LOOPBACK, gateway_url="https://gateway.example",
        )  # fmt: skip
        catalogue = FakeCatalogue(households(CIVIL))
        with open_exchange(settings, upgrade=False, catalogue=catalogue) as exchange:
            furnish(exchange)
            with _serving(exchange, port), _sending(exchange, on=sending):
                yield Connector(exchange, root, f"{root}/dsp/2025-1", name)


@contextlib.contextmanager
def _serving(exchange: Exchange, port: int) -> Iterator[None]:
    plenty = limits.Rate(1e6, 1_000_000)
    app = create_app(parts(exchange), exchange.settings, rate_limits=limits.Limits(plenty, plenty))
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def _sending(exchange: Exchange, *, on: bool) -> Iterator[None]:
    """What a worker does, more often than it does."""
    ending = threading.Event()

    def work() -> None:
        while not ending.wait(0.05):
            exchange.dataspacing.sender.work()

    thread = threading.Thread(target=work)
    if on:
        thread.start()
    try:
        yield
    finally:
        ending.set()
        if on:
            thread.join()


class _Quiet(WSGIRequestHandler):
    """Says nothing of requests."""

    def log(self, _type: str, _message: str, *_args: object) -> None: ...


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def offered(exchange: Exchange, target: str = "", offer: str = "", given: Given = GIVEN) -> Offer:
    """The households of the fake catalogue, offered to the dataspace."""
    return exchange.dataspacing.dataspace.offer(
        SYSTEM, dataset="dst_households", service="svc_households", given=given,
        legal_basis="Measures for data sharing, article 3", target=target, offer=offer,
    )  # fmt: skip


def ruled(
    exchange: Exchange, kind: ProcessKind, role: Role, subject: str, agency: str,
    plan: Mapping[str, str],
) -> None:  # fmt: skip
    """What is done without a person: by state, steps separated by blanks."""
    steps = {
        ProcessState(state): tuple(Reaction(one) for one in said.split())
        for state, said in plan.items()
    }
    exchange.dataspacing.dataspace.rule(
        SYSTEM, kind=kind, role=role, subject=subject, agency=agency, plan=steps
    )


def listed(exchange: Exchange, participant: str, name: str, offer: str) -> Listed:
    """A data set of another participant with one offer, as if it had been asked for it all."""
    now, database = exchange.base.clock.now(), exchange.base.database
    said = {
        "@type": "Dataset", "@id": name, "title": "Households of the province",
        "hasPolicy": [{
            "@type": "Offer", "@id": offer, "permission": policies.permission(GIVEN),
            "prohibition": [{"action": "distribute"}],
        }],
        "distribution": [{"format": "HttpData-PULL", "accessService": "urn:service"}],
    }  # fmt: skip
    with database.transaction():
        base = exchange.dataspacing.participants.known(participant).address
    made = replace(reading.dataset(said, participant, now), address=base)
    asked = Asked(participant, base, participant, 1, 1, False, ("it is no JSON object",), now)
    with database.transaction():
        PostgresElsewhere(database).replace(asked, [made])
    return made
