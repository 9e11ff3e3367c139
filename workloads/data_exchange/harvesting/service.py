"""The use cases of sources: mount another platform's catalogue, read it, take it away."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import BoroughError, Collector, Conflict, Invalid
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.text import Text
from foundation.kernel.time import Clock
from foundation.operations.service import Operations
from workloads.data_exchange.agencies.model import Level
from workloads.data_exchange.directory.checks import TITLE_MAX, Reach
from workloads.data_exchange.directory.model import Catalog, Entry, State
from workloads.data_exchange.directory.ports import CatalogStore, EntryQuery
from workloads.data_exchange.harvesting.model import (
    MESSAGE_MAX,
    Run,
    RunId,
    Source,
    SourceId,
    SourceProtocol,
    SourceRunState,
    check,
)
from workloads.data_exchange.harvesting.ports import Audit, Book, SourceStore, Vault
from workloads.data_exchange.harvesting.reading import context

NOUN = "source"
#: What the worker does.
KIND = "harvest.run"
TOKEN_MAX = 4000
_SCHEMES = ("https", "http")
_ALL = 200


class Entries(Protocol):
    """The entries of mounted catalogues."""

    def shown(self, query: EntryQuery, request: PageRequest) -> Page[Entry]: ...

    def put_all(self, entries: Sequence[Entry]) -> None: ...


class Harvesting:
    """Sources and their runs.

    Args:
        reach: refuses addresses to which our machines may not go.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - one port each
        self,
        store: SourceStore,
        catalogs: CatalogStore,
        entries: Entries,
        agencies: Book,
        db: UnitOfWork,
        clock: Clock,
        audit: Audit,
        vault: Vault,
        operations: Operations,
        reach: Reach,
    ) -> None:
        self._store = store
        self._catalogs = catalogs
        self._entries = entries
        self._agencies = agencies
        self._db = db
        self._clock = clock
        self._audit = audit
        self._vault = vault
        self._operations = operations
        self._reach = reach

    def mount(
        self,
        actor: Actor,
        *,
        agency: str,
        protocol: SourceProtocol,
        url: str,
        title: Text,
        level: Level | None = None,
        hours: int = 24,
        token: str = "",
    ) -> Source:
        """Show another platform's catalogue below an agency, and read it again and again.

        Args:
            actor: who asks.
            agency: id or path of the one below which it is shown.
            protocol: how the other platform tells what it has.
            url: of the document, or the root of a CKAN.
            title: of the catalogue, as it is shown here.
            level: of its entries; the agency's if left out.
            hours: from one run to the next; 0: only when somebody asks.
            token: with which it is asked, or empty.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such agency.
            Conflict: its address is a source already.
        """
        with self._db.transaction():
            owner = self._agencies.find(agency)
            if owner is None:
                raise policy.unknown("agency")
            policy.require(actor, "harvest.manage", owner.path, "agency")
            self._check(url, title, hours, token)
            now, at = self._clock.now(), level or owner.level
            about = Text(f"Harvested from {url}", f"采集自 {url}")
            catalog = Catalog(ids.new("cat"), owner.path, at, title, about, homepage=url)
            self._catalogs.add(catalog)
            made = Source(
                SourceId(ids.new("src")), catalog.id, owner.path, at, protocol, url, hours, True,
                bool(token), now, now,
            )  # fmt: skip
            if not self._store.add(made, self._sealed(made.id, token)):
                raise Conflict("this address is a source already")
            self._note(actor, "mount", made)
            return made

    def change(
        self, actor: Actor, source_id: str, *, hours: int, enabled: bool, token: str | None = None
    ) -> Source:
        """Change how often it is read, whether at all, and with which token.

        Raises:
            Invalid: names every wrong field.
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._held(actor, source_id)
            self._check(there.url, None, hours, token or "")
            now = self._clock.now()
            due = there.next_at or (there.after(now) if hours else None)
            after = replace(
                there, hours=hours, enabled=enabled, version=there.version + 1,
                next_at=(due or now) if hours else None,
                has_token=there.has_token if token is None else bool(token),
            )  # fmt: skip
            self._store.update(after, None if token is None else self._sealed(after.id, token))
            self._note(actor, "change", after)
            return after

    def unmount(self, actor: Actor, source_id: str) -> None:
        """Read it no more and take its entries out; that they were here stays known.

        Raises:
            NotFound: there is none, or none that the actor may know of.
            Conflict: a run reads it now.
        """
        with self._db.transaction():
            there = self._held(actor, source_id)
            last = self._store.runs(there.id, PageRequest(limit=1)).items
            if last and last[0].state is SourceRunState.RUNNING:
                raise Conflict("a run reads it now: wait for its end, or cancel it")
            now, asked = self._clock.now(), EntryQuery(catalog=there.catalog)
            # Page by page: to begin again each time would pass over all that are out already.
            page: PageRequest | None = PageRequest(limit=_ALL)
            while page is not None:
                shown = self._entries.shown(asked, page)
                self._entries.put_all([
                    replace(
                        one, state=State.WITHDRAWN, changed_at=now, revision=one.revision + 1,
                        note="its source is not mounted any more",
                    )
                    for one in shown.items
                ])  # fmt: skip
                page = PageRequest(shown.next, _ALL) if shown.next else None
            self._store.remove(there.id)
            self._note(actor, "unmount", there)

    def start(self, actor: Actor, source_id: str, *, accepts_loss: bool = False) -> Run:
        """Read it now.

        Args:
            actor: who asks.
            source_id: which.
            accepts_loss: believe it when most of what was known is gone.

        Raises:
            NotFound: there is none, or none that the actor may know of.
            Conflict: a run reads it already.
        """
        with self._db.transaction():
            there = self._held(actor, source_id)
            run = self._begin(actor, there, accepts_loss=accepts_loss)
            if run is None:
                raise Conflict("a run reads it already")
            return run

    def start_due(self) -> int:
        """Begin to read what is due; answers how many. For the worker's schedule."""
        with self._db.transaction():
            actor, due = Actor.system("harvesting"), self._store.due(self._clock.now())
            return sum(self._begin(actor, one) is not None for one in due)

    def _begin(self, actor: Actor, source: Source, *, accepts_loss: bool = False) -> Run | None:
        now = self._clock.now()
        run = Run(
            RunId(ids.new("hrv")), source.id, SourceRunState.RUNNING, now, accepts_loss=accepts_loss
        )
        if not self._store.begin(run):
            return None
        self._store.update(replace(source, next_at=source.after(now)))
        self._operations.start(
            KIND, subject=run.id, path=source.path, inputs={"source": source.id}, actor=actor,
            key=run.id,
        )  # fmt: skip
        self._note(actor, "start", source)
        return run

    def end(self, run_id: str, error: BoroughError | None) -> Run | None:
        """Say how a run ended; for the worker."""
        with self._db.transaction():
            run = self._store.run(run_id, locked=True)
            if run is None or run.state is not SourceRunState.RUNNING:
                return run
            state = SourceRunState.SUCCEEDED if error is None else SourceRunState.FAILED
            message = "" if error is None else error.message[:MESSAGE_MAX]
            after = replace(run, state=state, ended_at=self._clock.now(), message=message)
            self._store.keep(after)
            return after

    def sources(self, actor: Actor) -> Sequence[Source]:
        """The sources that the actor may see, by id."""
        with self._db.transaction():
            return self._store.list(policy.visible_paths(actor, "harvest.view"))

    def source(self, actor: Actor, source_id: str) -> Source:
        """One source.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            return self._seen(actor, source_id)

    def catalog(self, source: Source) -> Catalog:
        """The catalogue that a source is shown as.

        Raises:
            NotFound: it is gone.
        """
        with self._db.transaction():
            found = self._catalogs.find(source.catalog)
        if found is None:
            raise policy.unknown(NOUN)
        return found

    def runs(self, actor: Actor, source_id: str, page: PageRequest) -> Page[Run]:
        """Its runs, the newest first.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            return self._store.runs(self._seen(actor, source_id).id, page)

    def _seen(self, actor: Actor, source_id: str) -> Source:
        found = self._store.find(source_id)
        if found is None:
            raise policy.unknown(NOUN)
        policy.require(actor, "harvest.view", found.path, NOUN)
        return found

    def _held(self, actor: Actor, source_id: str) -> Source:
        found = self._store.find(source_id, locked=True)
        if found is None:
            raise policy.unknown(NOUN)
        policy.require(actor, "harvest.manage", found.path, NOUN)
        return found

    def _check(self, url: str, title: Text | None, hours: int, token: str) -> None:
        found = Collector()
        try:
            self._reach(url, _SCHEMES, "url")
            found.check("@" not in url.partition("?")[0], "url", "holds credentials: use a token")
        except Invalid as error:
            found.include(error)
        for language in ("en", "zh") if title else ():
            text = title.get(language).strip() if title else ""
            found.check(
                0 < len(text) <= TITLE_MAX, f"title.{language}",
                f"must be 1 to {TITLE_MAX} characters",
            )  # fmt: skip
        check(found, hours)
        found.check(
            len(token) <= TOKEN_MAX and token.isascii() and token.isprintable()
            and " " not in token, "token", f"must be one word of at most {TOKEN_MAX} characters",
        )  # fmt: skip
        found.finish()

    def _sealed(self, source_id: str, token: str) -> str:
        return self._vault.seal(token.encode(), context(source_id)) if token else ""

    def _note(self, actor: Actor, action: str, source: Source) -> None:
        self._audit.record(
            actor, f"harvest.{action}", subject=source.id, path=source.path,
            details={"protocol": source.protocol.value, "enabled": source.enabled},
        )  # fmt: skip
