"""Who answers the questions of scenarios: services of the directory, by the names scenarios use."""

from collections.abc import Sequence

from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector
from workloads.data_exchange.checks.model import SERVICE, Connection
from workloads.data_exchange.checks.ports import Audit, CheckStore, Work
from workloads.data_exchange.directory.offers import Offers

_METHOD = "POST"


class Connections:
    """Which service of the directory answers what.

    Args:
        store: connections.
        db: the unit of work.
        audit: where changes are written down.
        directory: what is offered.
    """

    def __init__(self, store: CheckStore, db: Work, audit: Audit, directory: Offers) -> None:
        self._store, self._db, self._audit, self._directory = store, db, audit, directory

    def connections(self, actor: Actor) -> Sequence[Connection]:
        """All, by name.

        Raises:
            Forbidden: the actor may not see them.
        """
        policy.require(actor, "scenario.view", policy.ROOT)
        with self._db.transaction():
            return self._store.connections()

    def connect(self, actor: Actor, connection: Connection) -> Connection:
        """Say who answers a question from now on; checks that run go on asking whom they named.

        Raises:
            Invalid: names every wrong field.
            Forbidden: the actor may not.
        """
        policy.require(actor, "scenario.manage", policy.ROOT)
        with self._db.transaction():
            wrong = Collector()
            wrong.check(SERVICE.fullmatch(connection.name), "name", "is no service of scenarios")
            offered = self._directory.find(connection.service)
            interface = offered.interface if offered else None
            if wrong.check(
                offered and offered.available and interface,
                "service", "is no published interface that may be called here",
            ) and interface:  # fmt: skip
                wrong.check(connection.path in interface.paths, "path", "is no path of it")
                wrong.check(_METHOD in interface.methods, "service", "takes no POST")
                wrong.check(interface.repeatable, "service", "must be one that may be asked twice")
            wrong.finish()
            self._store.connect(connection)
            self._audit.record(
                actor, "scenario.connect", subject=connection.name, path=policy.ROOT,
                details={"service": connection.service, "path": connection.path},
            )  # fmt: skip
            return connection

    def find(self, name: str) -> Connection | None:
        """Who answers something, for services."""
        with self._db.transaction():
            return next((one for one in self._store.connections() if one.name == name), None)

    def provider(self, service: str) -> str:
        """Path of the agency that answers what scenarios call so; empty when none does."""
        there = self.find(service)
        found = self._directory.find(there.service) if there else None
        return found.path if found and found.available else ""
