"""The use cases of departments."""

from collections.abc import Mapping
from dataclasses import replace

from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Collector, Conflict
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.text import Text
from workloads.video_analytics.departments.model import (
    Department,
    DepartmentId,
    check,
    check_external,
)
from workloads.video_analytics.departments.ports import Audit, DepartmentStore

NOUN = "department"


class Departments:
    """The tree of departments."""

    def __init__(self, store: DepartmentStore, db: UnitOfWork, audit: Audit) -> None:
        self._store = store
        self._db = db
        self._audit = audit

    def create(
        self, actor: Actor, *, parent: str, slug: str, name: Text, external: str = ""
    ) -> Department:
        """Add a department; the same again answers the one that is there.

        Args:
            actor: who asks.
            parent: id or path of the one above; ``/`` for a topmost one.
            slug: its name in paths.
            name: as people read it.
            external: its id on the platform that this service was ordered from, or empty.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such parent.
            Conflict: another department has the path.
        """
        with self._db.transaction():
            under = policy.ROOT if parent == policy.ROOT else self._find(parent).path
            policy.require(actor, "department.manage", under, NOUN)
            found = Collector()
            check(found, under, slug, external)
            found.finish()
            made = Department(f"{under}{slug}/", name, external, DepartmentId(ids.new("dep")))
            if self._store.add(made):
                details = {"name": name.as_json(), "external": external}
                self._note(actor, "department.create", made, details)
                return made
            there = self._find(made.path)
            if replace(made, id=there.id) != there:
                raise Conflict(f"{made.path} is there and differs", id=there.id)
            return there

    def department(self, actor: Actor, reference: str) -> Department:
        """One department by id or path.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            found = self._find(reference)
            policy.require(actor, "department.view", found.path, NOUN)
            return found

    def departments(self, actor: Actor, request: PageRequest) -> Page[Department]:
        """The departments that the actor may see, by path."""
        with self._db.transaction():
            return self._store.list(policy.visible_paths(actor, "department.view"), request)

    def change(self, actor: Actor, reference: str, *, name: Text, external: str = "") -> Department:
        """Give a department another name or external id; its path stays.

        Raises:
            Invalid: names every wrong field.
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._find(reference)
            policy.require(actor, "department.manage", there.path, NOUN)
            found = Collector()
            check_external(found, external)
            found.finish()
            changed = replace(there, name=name, external=external)
            if changed != there:
                self._store.change(changed)
                details = {"before": there.name.as_json(), "after": name.as_json()}
                self._note(actor, "department.update", changed, details)
            return changed

    def remove(self, actor: Actor, reference: str) -> None:
        """Take a department away that has nothing below it and owns nothing.

        Raises:
            NotFound: there is none, or none that the actor may know of.
            Conflict: something is below it or belongs to it.
        """
        with self._db.transaction():
            there = self._find(reference)
            policy.require(actor, "department.manage", there.path, NOUN)
            if not self._store.remove(there):
                raise Conflict(f"{there.path} is in use: people, cameras or departments are there")
            self._note(actor, "department.remove", there, {})

    def _find(self, reference: str) -> Department:
        found = self._store.find(reference)
        if found is None:
            raise policy.unknown(NOUN)
        return found

    def _note(
        self, actor: Actor, action: str, about: Department, details: Mapping[str, object]
    ) -> None:
        self._audit.record(actor, action, subject=about.id, path=about.path, details=details)
