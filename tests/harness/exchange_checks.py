"""Checks through a real gateway: registries published, agreed on, connected, and asked."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from foundation.kernel.actor import Actor
from foundation.kernel.processes import spawn
from foundation.kernel.text import Text
from tests.harness.exchange import SYSTEM
from workloads.data_exchange.agreements.ask import Ask, AskedField
from workloads.data_exchange.agreements.contracts.model import Party
from workloads.data_exchange.agreements.requests.model import Act
from workloads.data_exchange.agreements.terms import Limits
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.checks.model import Connection
from workloads.data_exchange.directory.elements import Element, Sensitivity
from workloads.data_exchange.directory.interface import Interface
from workloads.data_exchange.directory.model import Body, Contact, Kind

PURPOSE = "dpv:PublicBenefit"
#: The fields of what each registry answers, as agreements give them.
FIELDS: dict[str, dict[str, str]] = {
    "civil/households": {"number": "string", "members": "array"},
    "tax/income": {"number": "string", "monthly_income": "integer"},
    "insurance/contributions": {"number": "string", "monthly_base": "integer"},
    "housing/homes": {"number": "string", "homes": "array"},
    "finance/assets": {"number": "string", "deposits": "integer", "securities": "integer"},
    "vehicles/owned": {"number": "string", "vehicles": "array"},
    "business/owners": {"number": "string", "businesses": "array"},
    "fund/account": {
        "number": "string", "monthly_deposit": "integer", "withdrawn_this_year": "boolean",
    },
    "credit/records": {
        "number": "string", "court_defaulter": "boolean", "penalties": "array",
        "tax_arrears": "integer",
    },
    "housing/contracts": {
        "contract": "string", "tenant": "string", "landlord": "string", "owner": "string",
        "rent": "integer", "begins": "string", "ends": "string",
    },
    "business/register": {"code": "string", "active": "boolean"},
    "tax/payers": {"code": "string", "registered": "boolean"},
    "banks/turnover": {"code": "string", "turnover": "integer"},
}  # fmt: skip


def connect(
    exchange: Exchange, name: str, url: str, *, provider: str, consumer: str, seconds: float = 20,
    **changes: Any,
) -> str:  # fmt: skip
    """Publish a registry, agree on it and let it answer a question; answers the agreement."""
    dataset = _published(exchange, Kind.DATASET, provider, _dataset(name))
    interface = Interface(
        url, methods=("POST",), paths=(f"/{name}",), records="/records", read_seconds=seconds
    )
    told = Body(
        Text(f"Asks {name}", f"查询 {name}"), Text("For checks.", "核对用。"), themes=("SOCI",),
        contact=Contact("Data office"), legal_basis="article 4", serves=(dataset,),
        interface=interface,
    )  # fmt: skip
    service = _published(exchange, Kind.SERVICE, provider, told)
    wanted = Connection(name, service, f"/{name}")
    exchange.verifying.connections.connect(SYSTEM, wanted)
    return agree(exchange, dataset, service, FIELDS[name], consumer=consumer, **changes)


def agree(
    exchange: Exchange, dataset: str, service: str, fields: dict[str, str], *, consumer: str,
    **changes: Any,
) -> str:  # fmt: skip
    """An agreement in force on a service, by people of all sides."""
    now = exchange.base.clock.now()
    asked = {
        "purposes": frozenset({PURPOSE}),
        "fields": tuple(AskedField(one, whole=True) for one in fields), "rows": (),
        "limits": Limits(calls=1000), "begins": now - timedelta(minutes=1),
        "ends": now + timedelta(days=30), **changes,
    }  # fmt: skip
    requests, agreements = exchange.agreeing.requests, exchange.agreeing.agreements
    made = requests.create(
        Actor.system("asks"), consumer=consumer, dataset=dataset, service=service,
        ask=Ask(**asked), legal_basis="law", justification="checks",
    )  # fmt: skip
    requests.act(Actor.system("reviews"), made.id, Act.PASS)
    done = requests.act(Actor.system("decides"), made.id, Act.APPROVE)
    digest = agreements.version(SYSTEM, done.agreement).digest
    agreements.sign(Actor.system("provider"), done.agreement, Party.PROVIDER, digest)
    agreements.sign(Actor.system("consumer"), done.agreement, Party.CONSUMER, digest)
    return str(done.agreement)


def _dataset(name: str) -> Body:
    elements = tuple(
        Element(field, f"/{field}", Text(field, field), {"type": kind}, Sensitivity.PERSONAL)
        for field, kind in FIELDS[name].items()
    )
    return Body(
        Text(name, name), Text("A registry.", "登记库。"), themes=("SOCI",), frequency="DAILY",
        contact=Contact("Data office"), legal_basis="article 4", elements=elements,
    )  # fmt: skip


def _published(exchange: Exchange, kind: Kind, agency: str, body: Body) -> str:
    directory = exchange.cataloguing.directory
    made = directory.create(Actor.system("author"), kind, agency=agency, body=body)
    directory.submit(Actor.system("author"), made.id)
    return directory.approve(Actor.system("reviewer"), made.id).id


@contextlib.contextmanager
def process(verb: str, exchange: Exchange, **settings: str) -> Iterator[str]:
    """``borough-exchange`` as a process on the same home and database; what it said first."""
    database = exchange.base.database.url.replace("+psycopg", "")
    given = {"HOME": str(exchange.settings.home), "DATABASE_URL": database, **settings}
    made = spawn(
        [sys.executable, "-m", "workloads.data_exchange.entrypoints.cli", verb],
        environment={**os.environ, **{f"BOROUGH_EXCHANGE_{k}": v for k, v in given.items()}},
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield made.stdout.readline().decode() if made.stdout and verb != "worker" else ""
        made.send_signal(signal.SIGTERM)
        made.wait(40)
    finally:
        made.kill()
        made.wait()
        if made.stdout:
            made.stdout.close()


def gateway_of(exchange: Exchange) -> contextlib.AbstractContextManager[str]:
    """A gateway of this exchange, that its checks find by its run file."""
    return process("gateway", exchange, GATEWAY_PORT="0", LOCAL_PROVIDERS="true")
