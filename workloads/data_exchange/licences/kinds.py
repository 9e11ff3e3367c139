"""The use cases of types of licences."""

from dataclasses import replace

from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock
from workloads.data_exchange.licences.model import LicenceType, TypeId, check_type, metadata_of
from workloads.data_exchange.licences.ports import Audit, Book, LicenceStore, Work

TYPE = "licence_type"


class LicenceTypes:
    """Types of licences, each version for ever as it was made."""

    def __init__(
        self, store: LicenceStore, db: Work, clock: Clock, audit: Audit, agencies: Book
    ) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self._audit = audit
        self._agencies = agencies

    def create(self, actor: Actor, wanted: LicenceType, base: str) -> LicenceType:
        """Make a type, or the next version of one; the version before is retired.

        Args:
            actor: who asks.
            wanted: ``agency`` may be an id or a path.
            base: address of this service without a slash at the end; it stays in its licences.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such agency.
        """
        with self._db.transaction():
            agency = self._agencies.find(wanted.agency)
            if agency is None:
                raise policy.unknown("agency")
            policy.require(actor, "licence_type.manage", agency.path, "agency")
            wrong = Collector()
            check_type(wrong, wanted)
            wrong.finish()
            self._db.lock(f"exchange:licence-type:{agency.path}{wanted.name}")
            made_id = TypeId(ids.new("lty"))
            made = replace(
                wanted, agency=agency.path, id=made_id, created_at=self._clock.now(),
                version=self._store.versions(agency.path, wanted.name) + 1,
                issuer=f"{base}/issuers/{agency.id}", vct=f"{base}/vct/{made_id}",
            )  # fmt: skip
            made = replace(made, metadata=metadata_of(made))
            for old in self._store.all_types():
                if (old.agency, old.name) == (made.agency, made.name):
                    self._store.retire(old.id, self._clock.now())
            self._store.add_type(made)
            details = {"name": made.name, "version": made.version, "digest": made.integrity}
            self._audit.record(
                actor, "licence_type.create", subject=made.id, path=made.agency, details=details
            )
            return made

    def retire(self, actor: Actor, type_id: str) -> LicenceType:
        """Issue no licence of it any more; those that are out go on.

        Raises:
            NotFound: no such type.
        """
        with self._db.transaction():
            found = self._type(type_id)
            policy.require(actor, "licence_type.manage", found.agency, TYPE)
            if found.retired_at is None:
                found = replace(found, retired_at=self._clock.now())
                self._store.retire(found.id, self._clock.now())
                self._audit.record(
                    actor, "licence_type.retire", subject=found.id, path=found.agency, details={}
                )
            return found

    def types(self, actor: Actor, request: PageRequest) -> Page[LicenceType]:
        """All types, newest first."""
        with self._db.transaction():
            policy.require(actor, "licence_type.view", policy.ROOT, TYPE)
            return self._store.types(request)

    def type(self, actor: Actor, type_id: str) -> LicenceType:
        """One version of a type.

        Raises:
            NotFound: no such type.
        """
        with self._db.transaction():
            policy.require(actor, "licence_type.view", policy.ROOT, TYPE)
            return self._type(type_id)

    def _type(self, type_id: str) -> LicenceType:
        found = self._store.type(type_id)
        if found is None:
            raise policy.unknown(TYPE)
        return found
