"""The wiring of checks, consent, corrections and the citizen ledger."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from foundation.kernel.outbox import Outbox
from foundation.operations.jobs import Schedule
from foundation.serving.base import Base
from workloads.data_exchange.agencies.store import PostgresAgencies
from workloads.data_exchange.agreeing import Agreeing
from workloads.data_exchange.checks import jobs
from workloads.data_exchange.checks.asking import GatewayAsker, Where
from workloads.data_exchange.checks.connections import Connections
from workloads.data_exchange.checks.consent import Consents
from workloads.data_exchange.checks.corrections import service as corrections
from workloads.data_exchange.checks.corrections.service import Corrections
from workloads.data_exchange.checks.corrections.store import PostgresCorrections
from workloads.data_exchange.checks.ports import Registries
from workloads.data_exchange.checks.service import Checks
from workloads.data_exchange.checks.store import PostgresChecks
from workloads.data_exchange.directory.offers import Offers
from workloads.data_exchange.keys.service import Keys
from workloads.data_exchange.ledger.citizens import Citizens
from workloads.data_exchange.ledger.service import Ledger
from workloads.data_exchange.ledger.store import PostgresLedger
from workloads.data_exchange.settings import Settings
from workloads.data_exchange.usage.service import Usage

_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Verifying:
    """The services of checks."""

    checks: Checks
    consents: Consents
    connections: Connections
    corrections: Corrections
    ledger: Ledger
    citizens: Citizens

    @property
    def services(self) -> tuple[object, ...]:
        """What endpoints and pages ask for by class."""
        return (
            self.checks, self.consents, self.connections, self.corrections, self.ledger,
            self.citizens,
        )  # fmt: skip

    def schedules(self) -> list[Schedule]:
        """What a worker does again and again."""
        late = Schedule("corrections.overdue", _SECONDS, self.corrections.escalate)
        return [*jobs.schedules(self.checks), late]


def build_verifying(  # noqa: PLR0913, PLR0917 - what it is made of
    settings: Settings, base: Base, outbox: Outbox, places: PostgresAgencies, keys: Keys,
    directory: Offers, agreed: Agreeing, usage: Usage,
    registries: Registries | None = None,
) -> Verifying:  # fmt: skip
    """Wire them.

    Args:
        settings: where the gateway is.
        base: what all products stand on.
        outbox: where it is told what happens.
        places: the tree of agencies.
        keys: of agencies.
        directory: what is offered.
        agreed: agreements, grants and the calendar.
        usage: counts verdicts.
        registries: in the place of those that the gateway reaches.
    """
    database, clock, audit, vault = base.database, base.clock, base.audit, base.secrets
    kept = PostgresChecks(database)
    connections = Connections(kept, database, audit, directory)
    ledger = Ledger(PostgresLedger(database), database, clock, audit, vault)
    checks = Checks(
        kept, database, clock, audit, places, vault,
        registries or GatewayAsker(
            connections, agreed.agreements, agreed.grants, keys, clock,
            vault.derive("exchange:check-references"), gateway_of(settings),
        ),
        usage, ledger=ledger, providers=registries or connections,
    )  # fmt: skip
    consents = Consents(kept, database, clock, audit, places)
    objections = Corrections(
        corrections.Parts(
            PostgresCorrections(database), kept, checks, consents, database, clock, audit, vault,
            outbox, agreed.calendar,
        )
    )  # fmt: skip
    citizens = Citizens(ledger, objections, database)
    return Verifying(checks, consents, connections, objections, ledger, citizens)


def gateway_of(settings: Settings) -> Callable[[], Where | None]:
    """Where the gateway is: as it is set, or as the one that runs on this machine says."""
    signed = settings.gateway_url.rstrip("/")
    reach = settings.checks_gateway_url.rstrip("/") or signed
    run = settings.home / "run"

    def where() -> Where | None:
        found = reach or _running(run)
        return Where(found, signed or found) if found else None

    return where


def _running(run: Path) -> str:
    """The address in the newest run file of a gateway whose process lives; empty for none."""
    files = sorted(run.glob("gateway-*.json"), key=_age, reverse=True) if run.is_dir() else []
    for file in files:
        try:
            told = json.loads(file.read_text("utf-8"))
            os.kill(int(told["pid"]), 0)
        except (OSError, ValueError, KeyError):
            continue
        return str(told["url"])
    return ""


def _age(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:  # it has just ended
        return 0.0
