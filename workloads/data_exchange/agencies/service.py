"""The use cases of agencies."""

from collections.abc import Mapping
from dataclasses import replace

from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Collector, Conflict
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.text import Text
from workloads.data_exchange.agencies.model import (
    Agency,
    AgencyId,
    Level,
    check,
    check_rest,
)
from workloads.data_exchange.agencies.ports import AgencyStore, Audit

NOUN = "agency"


class Agencies:
    """The tree of agencies."""

    def __init__(self, store: AgencyStore, db: UnitOfWork, audit: Audit) -> None:
        self._store = store
        self._db = db
        self._audit = audit

    def create(
        self,
        actor: Actor,
        *,
        parent: str,
        slug: str,
        name: Text,
        level: Level = Level.MUNICIPAL,
        code: str = "",
        external: str = "",
    ) -> Agency:
        """Add an agency; the same again answers the one that is there.

        Args:
            actor: who asks.
            parent: id or path of the one above; ``/`` for a topmost one.
            slug: its name in paths.
            name: as people read it.
            level: of government.
            code: its unified social credit code, or empty.
            external: its id on the platform that this service was ordered from, or empty.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such parent.
            Conflict: another agency has the path.
        """
        with self._db.transaction():
            under = policy.ROOT if parent == policy.ROOT else self._find(parent).path
            policy.require(actor, "agency.manage", under, NOUN)
            found = Collector()
            check(found, under, slug)
            check_rest(found, code, external)
            found.finish()
            made = Agency(f"{under}{slug}/", name, level, code, external, AgencyId(ids.new("agy")))
            if self._store.add(made):
                details = {"name": name.as_json(), "level": level.value, "code": code}
                self._note(actor, "agency.create", made, details)
                return made
            there = self._find(made.path)
            if replace(made, id=there.id) != there:
                raise Conflict(f"{made.path} is there and differs", id=there.id)
            return there

    def agency(self, actor: Actor, reference: str) -> Agency:
        """One agency by id or path.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            found = self._find(reference)
            policy.require(actor, "agency.view", found.path, NOUN)
            return found

    def agencies(self, actor: Actor, request: PageRequest) -> Page[Agency]:
        """The agencies that the actor may see, by path."""
        with self._db.transaction():
            return self._store.list(policy.visible_paths(actor, "agency.view"), request)

    def change(
        self,
        actor: Actor,
        reference: str,
        *,
        name: Text,
        level: Level,
        code: str = "",
        external: str = "",
    ) -> Agency:
        """Change what may change of an agency; its path stays.

        Raises:
            Invalid: names every wrong field.
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._find(reference)
            policy.require(actor, "agency.manage", there.path, NOUN)
            found = Collector()
            check_rest(found, code, external)
            found.finish()
            changed = replace(there, name=name, level=level, code=code, external=external)
            if changed != there:
                self._store.change(changed)
                details = {"before": there.name.as_json(), "after": name.as_json()}
                self._note(actor, "agency.update", changed, details)
            return changed

    def remove(self, actor: Actor, reference: str) -> None:
        """Take an agency away that has nothing below it and owns nothing.

        Raises:
            NotFound: there is none, or none that the actor may know of.
            Conflict: something is below it or belongs to it.
        """
        with self._db.transaction():
            there = self._find(reference)
            policy.require(actor, "agency.manage", there.path, NOUN)
            if not self._store.remove(there):
                raise Conflict(f"{there.path} is in use: people, agencies or data are there")
            self._note(actor, "agency.remove", there, {})

    def _find(self, reference: str) -> Agency:
        found = self._store.find(reference)
        if found is None:
            raise policy.unknown(NOUN)
        return found

    def _note(
        self, actor: Actor, action: str, about: Agency, details: Mapping[str, object]
    ) -> None:
        self._audit.record(actor, action, subject=about.id, path=about.path, details=details)
