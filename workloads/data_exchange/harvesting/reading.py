"""One run: a source is read page by page, each page in one transaction."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from pydantic import TypeAdapter

from foundation.kernel import canonical
from foundation.kernel.database import UnitOfWork
from foundation.kernel.time import Clock
from workloads.data_exchange.directory.model import Body, Entry, Origin, State, Work
from workloads.data_exchange.harvesting import ckan, dcat, documents
from workloads.data_exchange.harvesting.model import (
    FEW,
    LOSS,
    Found,
    Page,
    Run,
    RunId,
    Source,
    SourceProtocol,
    entry_id,
)
from workloads.data_exchange.harvesting.ports import (
    EntryWriter,
    Fetched,
    Fetcher,
    KnownPage,
    Refused,
    SourceStore,
    Vault,
)

PAGES_MAX = 50_000
ENTRIES_MAX = 2_000_000
_AT_ONCE = 200
#: So many that are gone are asked for one by one (``package_show``): paging may have missed them.
_ASKED = 200
_BODY = TypeAdapter(Body)
_HTTP_SAME, _HTTP_OK = 304, 200


def context(source_id: str) -> str:
    """To what a source's sealed token is bound."""
    return f"exchange_harvest_source:{source_id}"


class Reading:
    """Reads sources; the worker's part of harvesting."""

    def __init__(
        self,
        store: SourceStore,
        entries: EntryWriter,
        db: UnitOfWork,
        clock: Clock,
        vault: Vault,
        fetcher: Fetcher,
    ) -> None:
        self._store = store
        self._entries = entries
        self._db = db
        self._clock = clock
        self._vault = vault
        self._fetcher = fetcher

    def read(
        self,
        run_id: RunId,
        *,
        fence: Callable[[], None] = lambda: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Run:
        """Read all pages from where the run is; a run that was killed goes on there.

        Args:
            run_id: which run.
            fence: called in each transaction; raises when another worker has the run.
            stop: asked before each page; True leaves the run where it is.

        Raises:
            Refused: the source answers what is not taken.
            Unavailable: it does not answer at present.
        """
        run, source, token = self._begin(run_id)
        while not run.complete and not stop():
            if run.pages >= PAGES_MAX or run.found >= ENTRIES_MAX:
                raise Refused("it has more pages or entries than are read")
            run = self._page(run, source, token, fence)
        return run

    def _begin(self, run_id: RunId) -> tuple[Run, Source, str]:
        with self._db.transaction():
            run = self._store.run(run_id)
            source = None if run is None else self._store.find(run.source)
            if run is None or source is None:
                raise Refused("the source was removed")
            sealed = self._store.sealed(source.id)
            token = self._vault.open(sealed, context(source.id)).decode() if sealed else ""
            return run, source, token

    def _page(self, run: Run, source: Source, token: str, fence: Callable[[], None]) -> Run:
        with self._db.transaction():
            known = self._store.page(source.id, run.position)
        if known is not None and known.run == run.id:
            raise Refused("its pages go round in a circle")
        address, accept = self._asked(source, run.position)
        self._db.assert_no_transaction()
        answer = self._fetcher.fetch(
            address, accept, token=token, validators=None if known is None else known.validators
        )
        same = known if answer.status == _HTTP_SAME else None
        page = None if same else self._parsed(source, run, answer)
        with self._db.transaction():
            fence()
            now_run = self._store.run(run.id, locked=True)
            if now_run is None or now_run.position != run.position or now_run.complete:
                return now_run or replace(run, complete=True)
            after = self._same(run, source, same) if same else self._keep(run, source, page, answer)
            self._store.keep(after)
        return after

    def _asked(self, source: Source, position: str) -> tuple[str, str]:
        if source.protocol is SourceProtocol.CKAN:
            return ckan.search_address(source.url, int(position or 0)), ckan.ACCEPT
        return position or source.url, documents.ACCEPT

    def _parsed(self, source: Source, run: Run, answer: Fetched) -> Page:
        if answer.status != _HTTP_OK:
            raise Refused(f"it answered {answer.status}")
        if source.protocol is SourceProtocol.CKAN:
            return ckan.page_of(answer.body, source.url, int(run.position or 0))
        form = documents.form_of(answer.media_type, answer.url)
        graph = documents.parsed(answer.body, form, answer.url)
        page = dcat.page_of(graph, source.catalog, answer.url, answer.links)
        if page.next and urlsplit(page.next)[:2] != urlsplit(source.url)[:2]:
            # Its token would be sent there, and its entries would be somebody else's.
            raise Refused("its next page is at another place")
        return page

    def _same(self, run: Run, source: Source, known: KnownPage) -> Run:
        """A page that has not changed: what was on it is still there."""
        pairs = dict(one.split(" ", 1)[::-1] for one in known.entries)
        self._store.see(source.id, run.id, pairs)
        self._store.keep_page(source.id, run.position, replace(known, run=run.id))
        return _moved(run, known.next, found=len(pairs), unchanged=len(pairs))

    def _keep(self, run: Run, source: Source, page: Page | None, answer: Fetched) -> Run:
        if page is None:
            return run
        named = {one.uri: entry_id(source.catalog, one.kind, one.uri) for one in page.found}
        changed = 0
        for n in range(0, len(page.found), _AT_ONCE):
            changed += self._write(source, page.found[n : n + _AT_ONCE])
        self._store.see(source.id, run.id, dict(named))
        kept = tuple(f"{id_} {uri}" for uri, id_ in named.items())
        known = KnownPage(answer.validators, page.next, kept, run.id)
        self._store.keep_page(source.id, run.position, known)
        return _moved(
            run, page.next, found=len(named), changed=changed,
            unchanged=len(named) - changed, refused=page.refused,
        )  # fmt: skip

    def _write(self, source: Source, found: Sequence[Found]) -> int:
        """Keep what is new or changed; answers how many."""
        now = self._clock.now()
        named = {entry_id(source.catalog, one.kind, one.uri): one for one in found}
        digests = {id_: digest_of(one) for id_, one in named.items()}
        last = self._entries.digests(named)
        changed = {id_ for id_, digest in digests.items() if last.get(id_) != digest}
        there, writing = self._entries.known(changed), []
        for id_ in changed:
            one, digest, old = named[id_], digests[id_], there.get(id_)
            origin = Origin(
                source.catalog, one.uri, one.publisher, digest, now, one.issued, one.modified
            )
            if old is None:
                writing.append(
                    Entry(
                        id_, one.kind, source.path, source.level, State.PUBLISHED, Work.NONE,
                        None, one.body, 1, (), now, now, origin=origin, issued_at=now,
                        modified_at=now,
                    )
                )  # fmt: skip
            else:
                writing.append(
                    replace(
                        old, path=source.path, level=source.level, state=State.REVISED,
                        shown=one.body, version=old.version + 1, revision=old.revision + 1,
                        origin=origin, changed_at=now, modified_at=now, note="",
                    )
                )  # fmt: skip
        self._entries.put_all(writing)
        return len(writing)

    def withdraw(self, run_id: RunId, *, fence: Callable[[], None] = lambda: None) -> Run:
        """Take out what a complete run has not found again.

        Raises:
            Refused: most of what was known is gone, and nobody said that this is so.
        """
        run, source, token = self._begin(run_id)
        if not run.complete:
            return run
        with self._db.transaction():
            found, lost = self._store.counts(source.id, run.id)
        if not run.accepts_loss and lost > FEW and lost > LOSS * (found + lost):
            raise Refused(
                f"{lost} of {found + lost} entries are gone at once: run it again and accept it"
            )
        asked = 0
        while True:
            with self._db.transaction():
                gone = dict(self._store.lost(source.id, run.id, _AT_ONCE))
            if not gone:
                return self._ended(run.id)
            kept = set()
            if source.protocol is SourceProtocol.CKAN and asked < _ASKED:
                kept = {uri for uri in gone if self._still(source, uri, token)}
                asked += len(gone)
            with self._db.transaction():
                fence()
                self._store.see(source.id, run.id, {uri: gone[uri] for uri in kept})
                self._take_out(run, source, {u: i for u, i in gone.items() if u not in kept})

    def _still(self, source: Source, uri: str, token: str) -> bool:
        package = ckan.package_of(source.url, uri)
        answer = self._fetcher.fetch(
            ckan.show_address(source.url, package), ckan.ACCEPT, token=token
        )
        return answer.status == _HTTP_OK and ckan.is_there(answer.body)

    def _take_out(self, run: Run, source: Source, gone: dict[str, str]) -> None:
        now = self._clock.now()
        there = self._entries.known(gone.values())
        self._entries.put_all([
            replace(
                one, state=State.WITHDRAWN, revision=one.revision + 1, changed_at=now,
                note="it is not at its source any more",
            )
            for one in there.values()
            if one.state.shown
        ])  # fmt: skip
        self._store.forget(source.id, gone.values())
        latest = self._store.run(run.id, locked=True)
        if latest is not None:
            self._store.keep(replace(latest, withdrawn=latest.withdrawn + len(gone)))

    def _ended(self, run_id: RunId) -> Run:
        with self._db.transaction():
            run = self._store.run(run_id)
        if run is None:
            raise Refused("the source was removed")
        return run


def digest_of(found: Found) -> str:
    """Of what was read, so that the same again is no change: that of canonical JSON.

    What is not called has no number but sizes. The standard library writes it as canonical JSON is
    written, in a tenth of its time, and takes sizes that canonical JSON refuses.
    """
    about = (found.publisher, found.issued, found.modified)
    if found.body.interface is not None:
        return canonical.digest([found.body, *about])
    told = [_BODY.dump_python(found.body, mode="json"), *about]
    text = json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _moved(
    run: Run, position: str, *, found: int, changed: int = 0, unchanged: int = 0, refused: int = 0
) -> Run:
    return replace(
        run, position=position, complete=not position, pages=run.pages + 1,
        found=run.found + found, changed=run.changed + changed,
        unchanged=run.unchanged + unchanged, refused=run.refused + refused,
    )  # fmt: skip
