"""Exports: asked for with a reason, approved by a second person, made, handed out, taken away."""

import hashlib
import json
import logging
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from foundation.access import policy
from foundation.kernel import canonical, ids
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Conflict, Forbidden, NotFound
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.scratch import Scratch
from foundation.kernel.time import Clock, format_instant
from workloads.video_analytics.events.model import (
    ARCHIVE,
    JPEG,
    Change,
    Event,
    EvidenceRef,
    check_note,
)
from workloads.video_analytics.events.ports import (
    Audit,
    CameraBook,
    EventStore,
    EvidenceFiles,
    Fact,
    Seen,
)
from workloads.video_analytics.events.privacy.model import (
    AVAILABLE,
    Export,
    ExportId,
    ExportState,
    check_request,
    common_path,
)
from workloads.video_analytics.events.privacy.pictures import Faces, Treatment, Unreadable
from workloads.video_analytics.events.privacy.ports import PrivacyStore

_log = logging.getLogger("borough.video")
_EXPORT, _APPROVE = "evidence.export", "evidence.approve"
_BATCH = 20
_PICTURE_BYTES = 64 * 1024 * 1024


class Exports:
    """Evidence that leaves.

    Args:
        faces: a model that finds faces; None: figures are blurred as a whole, and it is said so.
    """

    def __init__(
        self,
        store: PrivacyStore,
        events: EventStore,
        cameras: CameraBook,
        files: EvidenceFiles,
        db: UnitOfWork,
        clock: Clock,
        audit: Audit,
        faces: Faces | None = None,
    ) -> None:
        self._store, self._events, self._cameras, self._files = store, events, cameras, files
        self._db, self._clock, self._audit, self._faces = db, clock, audit, faces

    def request(
        self, actor: Actor, event_ids: Sequence[str], reason: str, *, blurred: bool = True
    ) -> Export:
        """Ask for the evidence of events.

        Raises:
            Invalid: no reason, or no events, or too many.
            NotFound: one of the events is none that the actor may know of.
            Forbidden: the actor may not export evidence there.
        """
        check_request(event_ids, reason)
        with self._db.transaction():
            events = [self._event(actor, event_id) for event_id in event_ids]
            made = Export(
                ExportId(ids.new("exp")), common_path([e.path for e in events]), tuple(event_ids),
                reason.strip(), blurred, ExportState.REQUESTED, actor.id, actor.name,
                self._clock.now(),
            )  # fmt: skip
            self._store.put(made)
            details = {"events": list(event_ids), "reason": made.reason, "blurred": blurred}
            for path in sorted({e.path for e in events}):
                self._audit.record(actor, "export.request", path=path, subject=made.id,
                                   details=details)  # fmt: skip
            return made

    def decide(self, actor: Actor, export_id: str, *, approve: bool, note: str = "") -> Export:
        """Approve or refuse a request; never one's own.

        Raises:
            Forbidden: the actor may not approve for all its events, or asked for it.
            Conflict: it is decided already.
        """
        text = check_note(note)
        with self._db.transaction():
            found = self._seen(actor, export_id, lock=True)
            for path in sorted({self._path(e) for e in found.event_ids}):
                policy.require(actor, _APPROVE, path, "export")
            if actor.id == found.requested_by:
                raise Forbidden("a second person must approve it")
            if found.state is not ExportState.REQUESTED:
                raise Conflict(f"the export is {found.state}", state=found.state)
            state = ExportState.APPROVED if approve else ExportState.REFUSED
            decided = replace(found, state=state, decided_by=actor.id, decided_name=actor.name,
                              decided_at=self._clock.now(), note=text)  # fmt: skip
            self._store.put(decided)
            self._audit.record(actor, "export.decide", path=found.path, subject=found.id,
                               details={"state": state, "note": text})  # fmt: skip
            return decided

    def exports(
        self, actor: Actor, page: PageRequest, state: ExportState | None = None
    ) -> Page[Export]:
        """The exports that the actor may see, newest first."""
        with self._db.transaction():
            return self._store.exports(_visible(actor), state, page)

    def export(self, actor: Actor, export_id: str) -> Export:
        """One.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            return self._seen(actor, export_id)

    def download(self, actor: Actor, export_id: str) -> tuple[Export, BinaryIO]:
        """Open the archive; that is written down first.

        Raises:
            Forbidden: the actor may not export evidence there.
            Conflict: it is not ready, or not there any more.
        """
        with self._db.transaction():
            found = self._seen(actor, export_id)
            for path in sorted({self._path(e) for e in found.event_ids}):
                policy.require(actor, _EXPORT, path, "export")
            if found.state is not ExportState.READY:
                raise Conflict(f"the export is {found.state}", state=found.state)
            details = {"sha256": found.archive, "reason": found.reason}
            self._audit.record(actor, "export.download", path=found.path, subject=found.id,
                               details=details)  # fmt: skip
        return found, self._files.open(found.archive)

    # Jobs -------------------------------------------------------------------------------------

    def make_approved(self) -> int:
        """Make the archives of what was approved; a job.

        Made again after a kill, it is the same work: the archive is in the store before the export
        says so.
        """
        with self._db.transaction():
            waiting = self._store.in_state(ExportState.APPROVED, _BATCH)
        for export in waiting:
            self._make(export)
        return len(waiting)

    def expire(self) -> int:
        """Give up archives whose time is over; a job. Cleaning the store takes them away."""
        with self._db.transaction():
            over = [
                x
                for x in self._store.in_state(ExportState.READY, 10 * _BATCH)
                if x.ready_at is not None and x.ready_at + AVAILABLE < self._clock.now()
            ]
            for export in over:
                gone = replace(export, state=ExportState.EXPIRED, archive="")
                self._store.put(gone)
        return len(over)

    def _make(self, export: Export) -> None:
        try:
            done = self._archive(export)
        except Exception as error:  # noqa: BLE001 - one export must not stop the others
            _log.exception("export %s", export.id)
            why = str(error) if isinstance(error, NotFound) else type(error).__name__
            done = replace(export, state=ExportState.FAILED, error=why[:500])
        with self._db.transaction():
            now = self._store.get(export.id, lock=True)
            if now is None or now.state is not ExportState.APPROVED:
                return
            self._store.put(done)
            system = Actor.system("exports")
            self._audit.record(system, "export.make", path=export.path, subject=export.id,
                               details={"state": done.state, "sha256": done.archive})  # fmt: skip
            if done.state is ExportState.READY:
                for event_id in export.event_ids:
                    fact = Fact(Change.EXPORTED, export.requested_name,
                                {"export": export.id, "reason": export.reason})  # fmt: skip
                    self._events.note(event_id, fact, self._clock.now())

    def _archive(self, export: Export) -> Export:
        with self._db.transaction():
            found = [self._events.get(event_id) for event_id in export.event_ids]
            events = [e for e in found if e is not None]
            seen = self._cameras.seen({e.camera_id for e in events})
        contents: list[dict[str, Any]] = []
        with Scratch("borough-export-") as scratch:
            folder = scratch.path
            target = folder / "export.zip"
            with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
                for event in events:
                    treat = self._treatment(export, event, seen.get(event.camera_id))
                    for evidence in event.evidence:
                        entry = self._add(archive, folder, event, evidence, treat)
                        contents.append(entry)
                manifest = _manifest(export, events, contents, self._clock)
                archive.writestr("manifest.json", manifest)
                digest = hashlib.sha256(manifest).hexdigest()
                archive.writestr("manifest.json.sha256", f"{digest}  manifest.json\n")
            kept = self._files.put(target, ARCHIVE)
        return replace(export, state=ExportState.READY, ready_at=self._clock.now(),
                       archive=kept.sha256, size=kept.size, manifest=digest, error="",
                       contents=tuple(contents))  # fmt: skip

    def _add(
        self, archive: zipfile.ZipFile, folder: Path, event: Event, evidence: EvidenceRef,
        treat: Treatment,
    ) -> dict[str, Any]:  # fmt: skip
        short = evidence.sha256[:12]
        name = f"{event.id}/{short}.{'jpg' if evidence.kind == JPEG else 'mp4'}"
        whole = self._files.matches(evidence.sha256)
        entry: dict[str, Any] = {"event": event.id, "source_sha256": evidence.sha256,
                                 "source_intact": whole, "kind": evidence.kind}  # fmt: skip
        try:
            made = folder / "made"
            if evidence.kind == JPEG:
                with self._files.open(evidence.sha256) as file:
                    content, said = treat.picture(file.read(_PICTURE_BYTES))
                made.write_bytes(content)
            else:
                source = folder / "source"
                with self._files.open(evidence.sha256) as file, source.open("wb") as out:
                    while block := file.read(1 << 20):
                        out.write(block)
                said = treat.clip(source, made)
        except (Unreadable, NotFound) as error:
            return {**entry, "left_out": str(error)}
        archive.write(made, name)
        digest = hashlib.sha256(made.read_bytes()).hexdigest()
        return {**entry, "file": name, "sha256": digest, "size": made.stat().st_size,
                "blurred": said}  # fmt: skip

    def _treatment(self, export: Export, event: Event, seen: Seen | None) -> Treatment:
        day = format_instant(self._clock.now())[:10]
        line = f"{export.requested_name} · {day} · {export.reason} · {event.camera} · {export.id}"
        masks = seen.masks if seen else ()
        return Treatment(masks, event.box, self._faces, blurred=export.blurred, line=line,
                         name=export.id)  # fmt: skip

    def _event(self, actor: Actor, event_id: str) -> Event:
        event = self._events.get(event_id)
        if event is None:
            raise policy.unknown("event")
        policy.require(actor, "event.view", event.path, "event")
        policy.require(actor, _EXPORT, event.path, "event")
        return event

    def _path(self, event_id: str) -> str:
        event = self._events.get(event_id)
        return policy.ROOT if event is None else event.path

    def _seen(self, actor: Actor, export_id: str, *, lock: bool = False) -> Export:
        found = self._store.get(export_id, lock=lock)
        if found is None or not found.path.startswith(_visible(actor)):
            raise policy.unknown("export")
        return found


def _visible(actor: Actor) -> tuple[str, ...]:
    return (*policy.visible_paths(actor, _EXPORT), *policy.visible_paths(actor, _APPROVE))


def _manifest(
    export: Export, events: Sequence[Event], contents: Sequence[dict[str, Any]], clock: Clock
) -> bytes:
    told = {
        "export": export.id, "reason": export.reason,
        "requested_by": export.requested_name, "requested_at": export.requested_at,
        "approved_by": export.decided_name, "approved_at": export.decided_at,
        "made_at": clock.now(), "files": list(contents),
        "events": [
            {"id": e.id, "kind": e.kind, "camera": e.camera_id, "began": e.began,
             "ended_at": e.ended_at, "rule": e.rule, "rule_version": e.version,
             "clock_offset_seconds": e.clock_offset_seconds}
            for e in events
        ],
    }  # fmt: skip
    return json.dumps(canonical.plain(told), ensure_ascii=False, indent=1, sort_keys=True).encode()
