"""Use cases of watch lists: begin, fill, agree, look, end."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from foundation.access import policy as access
from foundation.kernel import ids
from foundation.kernel.actor import Actor, ActorKind
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Collector, Conflict, Forbidden
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock
from workloads.video_analytics.vision.models.ports import (
    FaceList,
    PlateList,
    Watched,
    WatchedFace,
)
from workloads.video_analytics.watchlists import model
from workloads.video_analytics.watchlists.model import (
    Entry,
    EntryId,
    ListKind,
    ListState,
    WatchList,
    WatchListId,
    Wish,
)
from workloads.video_analytics.watchlists.ports import (
    Audit,
    FaceReader,
    Places,
    Sealer,
    WatchListStore,
)

_MANAGE, _VIEW = "watchlist.manage", "watchlist.view"


class Watchlists:
    """Watch lists. A face counts only after a second person agreed to it.

    Args:
        store: the rows.
        db: the unit of work.
        clock: the time.
        audit: where every view and change is noted.
        places: the departments.
        secrets: seals what tells faces apart.
        faces: reads the face of a picture.
    """

    def __init__(
        self,
        store: WatchListStore,
        db: UnitOfWork,
        clock: Clock,
        audit: Audit,
        places: Places,
        secrets: Sealer,
        faces: FaceReader,
    ) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self._audit = audit
        self._places = places
        self._secrets = secrets
        self._faces = faces

    # Lists -----------------------------------------------------------------------------------

    def create(self, actor: Actor, wish: Wish) -> WatchList:
        """Begin a list. One of plates is in force at once, one of faces when it is approved.

        Raises:
            Invalid: names every wrong field.
            NotFound, Forbidden: the actor may not for that department.
        """
        access.require(actor, _MANAGE, wish.path, "department")
        now = self._clock.now()
        with self._db.transaction():
            found = Collector()
            model.check(found, wish, now)
            known = wish.path != access.ROOT and self._places.exists(wish.path)
            found.check(known, "path", "is not a department")
            found.finish()
            made = WatchList(
                WatchListId(ids.new("wal")), ListKind(wish.kind), wish.name.strip(), wish.path,
                wish.legal_basis.strip(), wish.ends_at, now, actor.id, actor.name,
            )  # fmt: skip
            self._store.add(made)
            details = {
                "kind": made.kind, "name": made.name, "legal_basis": made.legal_basis,
                "ends_at": made.ends_at,
            }  # fmt: skip
            self._note(actor, "watchlist.create", made, details)
            return made

    def lists(
        self, actor: Actor, request: PageRequest, *, kind: ListKind | None = None
    ) -> Page[WatchList]:
        """The lists that the actor may see, the newest first; that they looked is noted."""
        paths = access.visible_paths(actor, _VIEW)
        with self._db.transaction():
            page = self._store.lists(paths, kind, request)
            for path in sorted({one.path for one in page.items}):
                shown = [one.id for one in page.items if one.path == path]
                self._audit.record(
                    actor, _VIEW, subject=shown[0] if len(shown) == 1 else "", path=path,
                    details={"lists": shown},
                )  # fmt: skip
            return page

    def get(self, actor: Actor, list_id: str) -> WatchList:
        """One list; that it was looked at is noted.

        Raises:
            NotFound: there is none that the actor may know of.
        """
        with self._db.transaction():
            found = self._seen(actor, list_id)
            self._note(actor, _VIEW, found, {})
            return found

    def state(self, watch_list: WatchList) -> ListState:
        """Whether a list is in force now."""
        return watch_list.state(self._clock.now())

    def approve(self, actor: Actor, list_id: str) -> WatchList:
        """Agree, as a second person, to a list of faces and to all entries that wait.

        Raises:
            NotFound: there is none that the actor may know of.
            Forbidden: the actor may not, is no person, began the list, or added what waits.
            Conflict: it is of plates, has ended, or nothing waits.
        """
        with self._db.transaction():
            there = self._open(actor, list_id)
            if there.kind is not ListKind.FACES:
                raise Conflict("lists of plates need no approval")
            if not there.pending:
                raise Conflict("nothing in it waits for approval")
            self._require_second(actor, there)
            now = self._clock.now()
            count = self._store.approve_entries(there.id, now)
            approved = replace(
                there, approved_at=now, approved_by=actor.id, approved_by_name=actor.name, pending=0
            )
            self._store.save(approved)
            details = {"entries": count, "legal_basis": there.legal_basis}
            self._note(actor, "watchlist.approve", there, details)
            return approved

    def _require_second(self, actor: Actor, there: WatchList) -> None:
        if actor.kind is not ActorKind.PERSON:
            raise Forbidden("a person must agree to it: no program may")
        if actor.id in {there.created_by, *self._store.pending_by(there.id)}:
            raise Forbidden("another person must agree to it: four eyes")

    def close(self, actor: Actor, list_id: str, reason: str) -> WatchList:
        """End a list before its day and destroy its entries; one that is closed stays so.

        Raises:
            Invalid: no reason is given.
            NotFound, Forbidden: as for any change.
        """
        with self._db.transaction():
            there = self._managed(actor, list_id)
            if there.closed_at is not None:
                return there
            found = Collector()
            model.check_text(found, "reason", reason, model.TEXT_MAX)
            found.finish()
            closed = replace(
                there, closed_at=self._clock.now(), closed_by=actor.id, closed_by_name=actor.name,
                closed_because=reason.strip(), entries=0, pending=0,
            )  # fmt: skip
            self._store.save(closed)
            count = self._store.destroy_entries(there.id)
            details = {"reason": closed.closed_because, "destroyed": count}
            self._note(actor, "watchlist.close", there, details)
            return closed

    # Entries ---------------------------------------------------------------------------------

    def entries(self, actor: Actor, list_id: str, request: PageRequest) -> Page[Entry]:
        """What is on a list; that it was looked at is noted.

        Raises:
            NotFound: there is none that the actor may know of.
        """
        with self._db.transaction():
            there = self._seen(actor, list_id)
            page = self._store.entries(there.id, request)
            self._note(actor, _VIEW, there, {"entries": [one.id for one in page.items]})
            return page

    def add_face(self, actor: Actor, list_id: str, *, label: str, picture: bytes) -> Entry:
        """Put somebody on a list of faces; counts when a second person agrees.

        Of the picture only what tells the face from others is kept, sealed.

        Raises:
            Invalid: names every wrong field.
            NotFound, Forbidden, Conflict: as for any change; the list is of plates, full or over.
            Unavailable: there is no model.
        """
        with self._db.transaction():  # before anything is made of a picture
            self._fillable(actor, list_id, ListKind.FACES)
        found = Collector()
        model.check_text(found, "label", label, model.LABEL_MAX)
        fits = 0 < len(picture) <= model.PICTURE_MAX
        found.check(fits, "picture", f"must be a file of at most {model.PICTURE_MAX // 2**20} MB")
        found.finish()
        embedded = self._faces.read(picture)
        with self._db.transaction():
            there = self._fillable(actor, list_id, ListKind.FACES)
            entry_id = EntryId(ids.new("wle"))
            plain = embedded.embedding.astype("<f4").tobytes()
            entry = Entry(
                entry_id, there.id, label.strip(), "",
                self._secrets.seal(plain, _context(entry_id)), embedded.space,
                self._clock.now(), actor.id, actor.name,
            )  # fmt: skip
            return self._keep(actor, there, entry)

    def add_plate(self, actor: Actor, list_id: str, *, label: str, pattern: str) -> Entry:
        """Put plates on a list of plates.

        Raises:
            Invalid: names every wrong field.
            NotFound, Forbidden, Conflict: as for any change; the list is of faces, full or over.
        """
        with self._db.transaction():
            there = self._fillable(actor, list_id, ListKind.PLATES)
            found = Collector()
            model.check_text(found, "label", label, model.LABEL_MAX)
            tidy = model.tidy_pattern(pattern)
            model.check_pattern(found, tidy)
            found.finish()
            now = self._clock.now()
            entry = Entry(
                EntryId(ids.new("wle")), there.id, label.strip(), tidy, "", "", now, actor.id,
                actor.name, approved_at=now,
            )  # fmt: skip
            return self._keep(actor, there, entry)

    def _keep(self, actor: Actor, there: WatchList, entry: Entry) -> Entry:
        self._store.add_entry(entry)
        details = {"entry": entry.id, "label": entry.label, "pattern": entry.pattern}
        self._note(actor, "watchlist.add", there, details)
        return entry

    def remove_entry(self, actor: Actor, list_id: str, entry_id: str) -> None:
        """Destroy an entry, with all that was kept of a face.

        Raises:
            NotFound: there is none that the actor may know of.
            Forbidden: the actor may not.
        """
        with self._db.transaction():
            there = self._managed(actor, list_id)
            entry = self._store.entry(there.id, entry_id)
            if entry is None or not self._store.remove_entry(there.id, entry_id):
                raise access.unknown("watchlist entry")
            details = {"entry": entry.id, "label": entry.label}
            self._note(actor, "watchlist.remove", there, details)

    # For workers and jobs ---------------------------------------------------------------------

    def in_force(self, list_ids: Collection[str]) -> Watched:
        """The lists of these that are in force, opened, for the analysis of cameras.

        A face whose sealed value does not open is an error of the installation and is raised.
        """
        now = self._clock.now()
        faces: list[FaceList] = []
        plates: list[PlateList] = []
        with self._db.transaction():
            counting = self._store.counting(list_ids)
        for one, entries in counting:
            if one.state(now) is not ListState.ACTIVE:
                continue
            if one.kind is ListKind.PLATES:
                plates.append(PlateList(one.id, one.ends_at, [(e.id, e.pattern) for e in entries]))
                continue
            for space in sorted({entry.space for entry in entries}):
                known = [self._opened(entry) for entry in entries if entry.space == space]
                faces.append(FaceList(one.id, space, one.ends_at, known))
        return Watched(tuple(faces), tuple(plates))

    def known(self, list_ids: Collection[str]) -> Mapping[str, WatchList]:
        """These lists by id, whatever their state; for features that authorised already.

        A list is there for the cameras of its own department and of those below it.
        """
        with self._db.transaction():
            return {one.id: one for one in self._store.known(list_ids)}

    def _opened(self, entry: Entry) -> WatchedFace:
        plain = self._secrets.open(entry.sealed, _context(entry.id))
        return WatchedFace(entry.id, np.frombuffer(plain, "<f4").astype(np.float32))

    def expire(self) -> None:
        """Destroy the entries of lists that are over; lists themselves stay as a record."""
        with self._db.transaction():
            over = self._store.over(self._clock.now())
        for one in over:
            with self._db.transaction():
                there = self._store.find(one.id, locked=True)
                if there is None or not there.entries:
                    continue
                count = self._store.destroy_entries(there.id)
                system = Actor.system("watchlists")
                self._note(system, "watchlist.expire", there, {"destroyed": count})

    # What is shared ---------------------------------------------------------------------------

    def _seen(self, actor: Actor, list_id: str, *, locked: bool = False) -> WatchList:
        there = self._store.find(list_id, locked=locked)
        if there is None or not access.allows(actor, _VIEW, there.path):
            raise access.unknown("watchlist")
        return there

    def _managed(self, actor: Actor, list_id: str) -> WatchList:
        there = self._seen(actor, list_id, locked=True)
        access.require(actor, _MANAGE, there.path, "watchlist")
        return there

    def _open(self, actor: Actor, list_id: str) -> WatchList:
        there = self._managed(actor, list_id)
        state = there.state(self._clock.now())
        if state in {ListState.CLOSED, ListState.EXPIRED}:
            raise Conflict("the watch list is over", state=state.value)
        return there

    def _fillable(self, actor: Actor, list_id: str, kind: ListKind) -> WatchList:
        there = self._open(actor, list_id)
        if there.kind is not kind:
            raise Conflict(f"the watch list is of {there.kind.value}")
        if there.entries >= model.ENTRIES_MAX:
            raise Conflict(f"the watch list has {model.ENTRIES_MAX} entries: it is full")
        return there

    def _note(
        self, actor: Actor, action: str, there: WatchList, details: Mapping[str, Any]
    ) -> None:
        self._audit.record(actor, action, subject=there.id, path=there.path, details=details)


def _context(entry_id: str) -> str:
    """What a sealed face is bound to: another entry's does not open in its place."""
    return f"watchlist_face:{entry_id}"
