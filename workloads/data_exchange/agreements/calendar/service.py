"""The use cases of the calendar."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import PreconditionFailed
from workloads.data_exchange.agreements.calendar.model import WorkingCalendar, read, sample
from workloads.data_exchange.keys.ports import Audit


class CalendarStore(Protocol):
    """Keeps the calendar; inside the open transaction."""

    def load(self) -> tuple[dict[str, Any], int] | None:
        """What was entered and its version; None while nothing was."""
        ...

    def save(self, data: dict[str, Any], version: int) -> bool:
        """Keep the version after ``version``; False when another came first."""
        ...


class Calendar:
    """Which days count, for everybody."""

    def __init__(self, store: CalendarStore, db: UnitOfWork, audit: Audit) -> None:
        self._store = store
        self._db = db
        self._audit = audit
        self._told: list[Callable[[WorkingCalendar], None]] = []

    def tell(self, changed: Callable[[WorkingCalendar], None]) -> None:
        """Have something done in the transaction of each change, such as to move due dates."""
        self._told.append(changed)

    def now(self) -> WorkingCalendar:
        """The calendar, for services."""
        return self.versioned()[0]

    def versioned(self) -> tuple[WorkingCalendar, int]:
        """The calendar and its version; 0 is the sample."""
        with self._db.transaction():
            found = self._store.load()
        return (sample(), 0) if found is None else (read(found[0]), found[1])

    def calendar(self, actor: Actor) -> tuple[WorkingCalendar, int]:
        """The calendar and its version, for whoever is signed in."""
        policy.require(actor, "calendar.view", policy.ROOT)
        return self.versioned()

    def replace(
        self, actor: Actor, data: Mapping[str, Any], version: int
    ) -> tuple[WorkingCalendar, int]:
        """Enter a calendar; the due dates of what waits move with it.

        Args:
            actor: who asks.
            data: its JSON form.
            version: of the one that the caller saw.

        Raises:
            Invalid: names every wrong field.
            PreconditionFailed: somebody else entered one meanwhile.
        """
        policy.require(actor, "calendar.manage", policy.ROOT)
        made = read(data)
        with self._db.transaction():
            if not self._store.save(made.as_json(), version):
                raise PreconditionFailed("the calendar has changed since you looked")
            for changed in self._told:
                changed(made)
            self._audit.record(
                actor, "calendar.update", subject="calendar", path=policy.ROOT,
                details={"version": version + 1},
            )  # fmt: skip
        return made, version + 1
