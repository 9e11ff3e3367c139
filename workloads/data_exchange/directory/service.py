"""The use cases of the city's own entries: describe, review, publish, and the end of it."""

from collections.abc import Sequence
from dataclasses import replace

from foundation.access import policy
from foundation.kernel import canonical, ids
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Collector, Conflict
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock, format_instant
from workloads.data_exchange.agencies.model import Level
from workloads.data_exchange.directory import life
from workloads.data_exchange.directory.checks import Reach, check, check_shown
from workloads.data_exchange.directory.interface import AuthenticationKind, Credentials
from workloads.data_exchange.directory.model import (
    PREFIXES,
    Body,
    Certificate,
    Entry,
    EntryId,
    Kind,
    State,
    Step,
    Version,
    Work,
)
from workloads.data_exchange.directory.offers import Offered
from workloads.data_exchange.directory.ports import (
    Audit,
    Book,
    EntryQuery,
    EntryStore,
    Signer,
    Vault,
)

#: As what a certificate of destruction is signed.
DESTRUCTION = "exchange-destruction+jws"
NOUN = "entry"
NOTE_MAX, SECRET_MAX, STEPS_MAX = 2000, 4000, 200


class Directory:
    """The city's own entries; also the ``Offers`` of agreements and the gateway.

    Args:
        reach: refuses addresses to which our machines may not go.
    """

    def __init__(
        self,
        store: EntryStore,
        db: UnitOfWork,
        clock: Clock,
        audit: Audit,
        agencies: Book,
        vault: Vault,
        signer: Signer,
        reach: Reach,
    ) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self._audit = audit
        self._agencies = agencies
        self._vault = vault
        self._signer = signer
        self._reach = reach

    # --- describing

    def create(
        self,
        actor: Actor,
        kind: Kind,
        *,
        agency: str,
        body: Body,
        level: Level | None = None,
        secret: str = "",
    ) -> Entry:
        """Begin an entry, as a draft.

        Args:
            actor: who asks.
            kind: of the entry.
            agency: id or path of the one that publishes it.
            body: the description.
            level: of government; the agency's if left out.
            secret: with which a service's provider is asked, or empty.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such agency.
        """
        with self._db.transaction():
            owner = self._agencies.find(agency)
            if owner is None:
                raise policy.unknown("agency")
            policy.require(actor, "dataset.manage", owner.path, "agency")
            self._check(actor, body, kind, secret)
            now = self._clock.now()
            made = Entry(
                EntryId(ids.new(PREFIXES[kind])), kind, owner.path, level or owner.level,
                State.DRAFT, Work.DRAFT, body, None, 0, (actor.id,), now, now,
                has_secret=bool(secret),
            )  # fmt: skip
            self._store.add(made)
            self._seal(made, secret)
            self._note(actor, "create", made)
            return made

    def change(
        self,
        actor: Actor,
        entry_id: str,
        body: Body,
        *,
        secret: str | None = None,
        revision: int | None = None,
    ) -> Entry:
        """Write the next version, beside what is shown.

        Args:
            actor: who asks.
            entry_id: which.
            body: the whole description.
            secret: another one for the provider; empty: none; None: the one that is kept.
            revision: that the caller has seen; None: whatever it is.

        Raises:
            Invalid: names every wrong field.
            NotFound: there is none, or none that the actor may know of.
            Conflict: it is under review, changed meanwhile, or is revised no more.
        """
        with self._db.transaction():
            there = self._held(actor, "dataset.manage", entry_id)
            if revision not in {None, there.revision}:
                raise Conflict("it has changed meanwhile: look at it again")
            after = life.changed(there, body, actor.id)
            self._check(actor, body, there.kind, secret or "", keeps=secret is None)
            if secret is not None:
                self._seal(there, secret)
                after = replace(after, has_secret=bool(secret))
            return self._keep(actor, "change", after)

    def discard(self, actor: Actor, entry_id: str) -> Entry:
        """Drop the next version; what is shown stays.

        Raises:
            NotFound: there is none, or none that the actor may know of.
            Conflict: there is no draft.
        """
        with self._db.transaction():
            there = self._held(actor, "dataset.manage", entry_id)
            after = life.discarded(there)
            if there.shown is None:
                after = replace(after, archived_by=actor.id)
            return self._keep(actor, "discard", after)

    # --- reviewing

    def submit(self, actor: Actor, entry_id: str) -> Entry:
        """Give the draft to review.

        Raises:
            Invalid: names every field that must be there before that.
            NotFound: there is none, or none that the actor may know of.
            Conflict: there is no draft.
        """
        with self._db.transaction():
            there = self._held(actor, "dataset.manage", entry_id)
            after = life.submitted(there, actor.id)
            if after.draft is not None:
                check_shown(after.draft, after.kind)
            return self._keep(actor, "submit", after)

    def send_back(self, actor: Actor, entry_id: str, note: str) -> Entry:
        """Give the draft back to its authors.

        Raises:
            Invalid: there is no reason.
            NotFound: there is none, or none that the actor may know of.
            Conflict: it is not under review.
        """
        with self._db.transaction():
            there = self._held(actor, "dataset.review", entry_id)
            return self._keep(actor, "send_back", life.sent_back(there, _reason(note)), note)

    def approve(self, actor: Actor, entry_id: str, note: str = "") -> Entry:
        """Publish what is under review; its authors cannot.

        Raises:
            NotFound: there is none, or none that the actor may know of.
            Conflict: it is not under review, or the actor had a hand in it.
        """
        with self._db.transaction():
            there = self._held(actor, "dataset.review", entry_id)
            after, before = life.approved(there, actor.id, self._clock.now())
            if before is not None:
                self._store.keep_version(there.id, before)
            return self._keep(actor, "approve", after, note)

    # --- the end

    def withdraw(self, actor: Actor, entry_id: str, note: str) -> Entry:
        """Take it out of the directory at once.

        Raises:
            Invalid: there is no reason.
            NotFound: there is none, or none that the actor may know of.
            Conflict: it is not in it.
        """
        with self._db.transaction():
            there = self._held(actor, "dataset.manage", entry_id)
            return self._keep(actor, "withdraw", life.withdrawn(there, _reason(note)), note)

    def freeze(self, actor: Actor, entry_id: str) -> Entry:
        """Let it be used on and never revised again.

        Raises:
            NotFound: there is none, or none that the actor may know of.
            Conflict: it is not published, or a next version is in the making.
        """
        with self._db.transaction():
            there = self._held(actor, "dataset.manage", entry_id)
            return self._keep(actor, "freeze", life.frozen(there))

    def archive(self, actor: Actor, entry_id: str, note: str) -> Entry:
        """Offer it no more.

        Raises:
            Invalid: there is no reason.
            NotFound: there is none, or none that the actor may know of.
            Conflict: it is still being made.
        """
        with self._db.transaction():
            there = self._held(actor, "dataset.manage", entry_id)
            after = life.archived(there, _reason(note), actor.id)
            return self._keep(actor, "archive", after, note)

    def destroy(self, actor: Actor, entry_id: str, *, method: str) -> Certificate:
        """Erase what it said, and certify that it was, with the data that it was about.

        Args:
            actor: who asks; not the one who archived it.
            entry_id: which.
            method: how the data themselves were destroyed, in the provider's words.

        Raises:
            Invalid: there is no method.
            NotFound: there is none, or none that the actor may know of.
            Conflict: it is not archived, or the same person archived it.
        """
        with self._db.transaction():
            there = self._held(actor, "dataset.destroy", entry_id)
            after, said = life.destroyed(there, actor.id), _reason(method, "method")
            now = self._clock.now()
            bodies = {
                str(v.version): canonical.digest(v.body) for v in self._store.versions(there.id)
            }
            if there.shown is not None:
                bodies[str(there.version)] = canonical.digest(there.shown)
            payload = {
                "entry": there.id, "kind": there.kind.value, "agency": there.path,
                "title": there.shown.title.as_json() if there.shown else {},
                "versions": bodies, "destroyed_at": format_instant(now),
                "destroyed_by": {"id": actor.id, "name": actor.name},
                "archived_by": there.archived_by, "method": said,
            }  # fmt: skip
            made = Certificate(there.id, now, self._signer.sign(policy.ROOT, payload, DESTRUCTION))
            self._store.erase(there, made)
            self._keep(actor, "destroy", after, said)
            return made

    # --- looking

    def entry(self, actor: Actor, entry_id: str) -> Entry:
        """One entry; of one that is shown, the version in the making only to those who may.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            policy.require(actor, "dataset.view", policy.ROOT, NOUN)
            found = self._store.find(entry_id)
            if found is None:
                raise policy.unknown(NOUN)
            if self._inside(actor, found):
                return found
            if not (found.state.shown or found.state is State.DESTROYED):
                raise policy.unknown(NOUN)
            return replace(
                found, draft=None, shown=found.shown and _told(found.shown), work=Work.NONE,
                authors=(), note="",
            )  # fmt: skip

    def entries(self, actor: Actor, query: EntryQuery, page: PageRequest) -> Page[Entry]:
        """The entries that the actor makes or reviews, in any state, by id."""
        with self._db.transaction():
            paths = {
                path
                for action in ("dataset.manage", "dataset.review", "dataset.audit")
                for path in policy.visible_paths(actor, action)
            }
            return self._store.list(sorted(paths), query, page)

    def versions(self, actor: Actor, entry_id: str) -> Sequence[Version]:
        """The earlier published versions, the newest first.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        found = self.entry(actor, entry_id)
        with self._db.transaction():
            versions = self._store.versions(found.id)
        if self._inside(actor, found):
            return versions
        return [replace(one, body=_told(one.body)) for one in versions]

    def steps(self, actor: Actor, entry_id: str) -> Sequence[Step]:
        """What was done to it, the newest first; what is not published yet only for its makers.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        found = self.entry(actor, entry_id)
        with self._db.transaction():
            steps = self._store.steps(found.id, STEPS_MAX)
        if self._inside(actor, found):
            return steps
        told = {"approve", "freeze", "withdraw", "archive", "destroy", "harvest"}
        return [replace(one, note="", by="", by_name="") for one in steps if one.action in told]

    def certificate(self, actor: Actor, entry_id: str) -> Certificate:
        """Of what was destroyed.

        Raises:
            NotFound: there is none.
        """
        self.entry(actor, entry_id)
        with self._db.transaction():
            found = self._store.certificate(entry_id)
        if found is None:
            raise policy.unknown(NOUN)
        return found

    def serving(self, actor: Actor, dataset_id: str) -> Sequence[Entry]:
        """The services that give a data set, by id."""
        with self._db.transaction():
            policy.require(actor, "dataset.view", policy.ROOT, NOUN)
            return self._store.serving(dataset_id)

    def known(self, actor: Actor, entry_ids: Sequence[str]) -> dict[str, Entry]:
        """Those of these that everybody finds, by id."""
        with self._db.transaction():
            policy.require(actor, "dataset.view", policy.ROOT, NOUN)
            there = self._store.known(entry_ids)
            return {one.id: one for one in there.values() if one.state.shown}

    def require(self, actor: Actor, action: str, entry: Entry) -> None:
        """Refuse unless the actor may do this to an entry; for forms, before they are shown.

        Raises:
            Forbidden: its roles do not allow it.
            NotFound: it is none of the actor's business.
        """
        policy.require(actor, action, entry.path, NOUN)

    def may(self, actor: Actor, action: str, entry: Entry) -> bool:
        """Whether the actor may do this to an entry; for pages, which show what can be done."""
        return entry.origin is None and policy.allows(actor, action, entry.path)

    # --- for agreements and the gateway

    def standing(self) -> int:
        """How many data sets of the city's own everybody finds now; inside a transaction."""
        return self._store.standing()

    def find(self, entry_id: str) -> Offered | None:
        """What is offered under an id, as it was published last."""
        with self._db.transaction():
            return _offered(self._store.find(entry_id))

    def services_of(self, dataset_id: str) -> list[Offered]:
        """The services that give a data set and are offered now, by id."""
        with self._db.transaction():
            found = [_offered(one) for one in self._store.serving(dataset_id)]
        return [one for one in found if one is not None]

    def credentials(self, service_id: str) -> Credentials | None:
        """With what a service's provider is asked.

        Raises:
            SecretError: what is kept does not open.
        """
        with self._db.transaction():
            found, sealed = self._store.find(service_id), self._store.sealed(service_id)
        if found is None or found.shown is None or found.shown.interface is None:
            return None
        secret = self._vault.open(sealed, _context(service_id)).decode() if sealed else ""
        return Credentials(found.shown.interface.authentication, secret)

    # ---

    def _check(
        self, actor: Actor, body: Body, kind: Kind, secret: str, *, keeps: bool = False
    ) -> None:
        check(body, kind, self._reach)
        found = Collector()
        named = {*body.serves, *([body.series] if body.series else [])}
        named |= {one.service for one in body.distributions if one.service}
        there = self._store.known(named)

        def right(entry_id: str, wanted: Kind) -> bool:
            one = there.get(entry_id)
            ended = one is None or one.state in {State.ARCHIVED, State.DESTROYED}
            if one is None or ended or one.kind is not wanted or one.origin is not None:
                return False
            return policy.allows(actor, "dataset.manage", one.path)

        for n, one in enumerate(body.serves):
            found.check(
                right(one, Kind.DATASET), f"serves.{n}", "is not a data set that you manage"
            )
        found.check(
            not body.series or right(body.series, Kind.SERIES),
            "series", "is not a series that you manage",
        )  # fmt: skip
        for n, form in enumerate(body.distributions):
            found.check(
                not form.service or right(form.service, Kind.SERVICE),
                f"distributions.{n}.service", "is not a service that you manage",
            )  # fmt: skip
        self._check_secret(found, body, secret, keeps=keeps)
        found.finish()

    def _check_secret(self, found: Collector, body: Body, secret: str, *, keeps: bool) -> None:
        asks = body.interface is not None and (
            body.interface.authentication.kind is not AuthenticationKind.NONE
        )
        found.check(asks or not secret, "secret", "is for services whose provider asks for one")
        basic = body.interface is not None and (
            body.interface.authentication.kind is AuthenticationKind.BASIC
        )
        found.check(basic or secret.isascii(), "secret", "must be ASCII: it is sent in a header")
        found.check(not asks or keeps or secret, "secret", "is required", "required")
        found.check(
            len(secret) <= SECRET_MAX and secret.isprintable() and secret == secret.strip(),
            "secret", f"must be one line of at most {SECRET_MAX} characters",
        )  # fmt: skip

    def _held(self, actor: Actor, action: str, entry_id: str) -> Entry:
        found = self._store.find(entry_id, locked=True)
        if found is None or not (self._inside(actor, found) or found.state.shown):
            raise policy.unknown(NOUN)
        policy.require(actor, action, found.path, NOUN)
        return found

    def _inside(self, actor: Actor, entry: Entry) -> bool:
        return any(
            policy.allows(actor, action, entry.path)
            for action in ("dataset.manage", "dataset.review", "dataset.audit")
        )

    def _seal(self, entry: Entry, secret: str) -> None:
        sealed = self._vault.seal(secret.encode(), _context(entry.id)) if secret else ""
        self._store.seal(entry.id, sealed)

    def _keep(self, actor: Actor, action: str, entry: Entry, note: str = "") -> Entry:
        after = replace(entry, revision=entry.revision + 1, changed_at=self._clock.now())
        self._store.update(after)
        self._note(actor, action, after, note)
        return after

    def _note(self, actor: Actor, action: str, entry: Entry, note: str = "") -> None:
        at = self._clock.now()
        self._store.note(entry.id, Step(at, action, actor.id, actor.name, entry.version, note))
        self._audit.record(
            actor, f"dataset.{action}", subject=entry.id, path=entry.path,
            details={"state": entry.state.value, "version": entry.version, "note": note},
        )  # fmt: skip


def _told(body: Body) -> Body:
    """A description for everybody: not under which name the gateway asks the provider."""
    if body.interface is None:
        return body
    known = replace(body.interface.authentication, username="", header="")
    return replace(body, interface=replace(body.interface, authentication=known))


def _offered(entry: Entry | None) -> Offered | None:
    if entry is None or entry.shown is None or entry.version == 0:
        return None
    body = entry.shown
    return Offered(
        entry.id, entry.kind, entry.path, entry.level, entry.state, entry.version, body.title,
        body.access, body.legal_basis, body.elements, body.serves, body.interface,
        entry.origin is not None,
    )  # fmt: skip


def _reason(note: str, field: str = "note") -> str:
    found = Collector()
    text = note.strip()
    if found.check(text, field, "is required: say why", "required"):
        found.check(len(text) <= NOTE_MAX, field, f"must be at most {NOTE_MAX} characters")
    found.finish()
    return text


def _context(entry_id: str) -> str:
    return f"exchange_entry:{entry_id}"
