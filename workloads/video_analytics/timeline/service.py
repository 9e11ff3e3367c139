"""The timeline: workers and readers add to it, people search it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, BinaryIO

from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Invalid, NotFound, Problem
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock
from workloads.video_analytics.events.ports import (
    Audit,
    CameraBook,
    EvidenceFiles,
    Fence,
    Fences,
    Seen,
)
from workloads.video_analytics.timeline.model import (
    Candidate,
    DailyCover,
    Found,
    Kept,
    Read,
    Search,
    Track,
    metres_between,
)
from workloads.video_analytics.timeline.ports import Departments, ReadFilter, TimelineStore
from workloads.video_analytics.timeline.reads import Digester, Incoming, check_batch
from workloads.video_analytics.vision.model import Phase, RuleKind, Signal

_SEARCH = "timeline.search"
_VIEW = "event.view"
_FUTURE = timedelta(days=1)
#: Metres a second: from strolling to running, and from a crawl to a fast road.
WALKING = (0.4, 4.0)
DRIVING = (2.0, 33.0)
#: Clocks differ and cameras see a thing before it stands where they stand (seconds).
_SLACK = 15.0
_MOST_CANDIDATES = 50
_FARTHEST = 5_000.0
_VEHICLES = frozenset({"car", "bus", "truck", "vehicle", "motorcycle"})


class Timeline:
    """Tracks, reads of plates and cards, and daily values of all cameras.

    Args:
        store: the rows.
        db: the unit of work.
        clock: ours.
        fences: who may write for which shard.
        cameras: whose camera it is, and where.
        departments: which there are, for readers that are no cameras.
        files: the thumbnails.
        audit: where searches and viewings are written down.
        digester: makes keyed digests of what was read.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - one port each
        self,
        store: TimelineStore,
        db: UnitOfWork,
        clock: Clock,
        fences: Fences,
        cameras: CameraBook,
        departments: Departments,
        files: EvidenceFiles,
        audit: Audit,
        digester: Digester,
    ) -> None:
        self._store, self._db, self._clock, self._fences = store, db, clock, fences
        self._cameras, self._departments, self._files = cameras, departments, files
        self._audit, self._digester = audit, digester

    # Workers ----------------------------------------------------------------------------------

    def keep(self, fence: Fence, camera_id: str, pieces: Sequence[Kept]) -> None:
        """Keep pieces of tracks, in one transaction; their thumbnails are on the disk already.

        The same piece (camera, track, first time) may be kept again: it is one row, and one that
        reaches further takes its place. Pieces without a position, or from a day that has not come,
        are passed over: a camera with a wrong clock must not cost the others their turn.

        Raises:
            Fenced: another worker holds the shard now; nothing was kept.
            NotFound: the camera is gone.
        """
        latest = self._clock.now() + _FUTURE
        good = [k for k in pieces if k.piece.path and k.piece.path[0][0] < latest]
        if not good:
            return
        with self._db.transaction():
            self._fences.check(fence)
            seen = self._camera(camera_id)
            self._store.keep(camera_id, seen.path, good)

    def keep_cover(
        self, fence: Fence, camera_id: str, rule_id: str, day: date, cover: DailyCover
    ) -> None:
        """Keep how much of a water was covered on a day; a later word on it replaces the earlier.

        Raises:
            Fenced: another worker holds the shard now.
            NotFound: the camera is gone.
        """
        with self._db.transaction():
            self._fences.check(fence)
            seen = self._camera(camera_id)
            kept = replace(cover, camera_id=camera_id, rule=rule_id, day=day)
            self._store.put_cover(kept, seen.path)

    def hear(self, seen: Seen, kind: RuleKind, signal: Signal) -> None:
        """A listener of ``Events``: daily values of water, and plates that a model has read."""
        if kind is RuleKind.VEGETATION:
            cover = cover_of(seen.id, signal)
            if cover is not None:
                self._store.put_cover(cover, seen.path)
        elif kind is RuleKind.PLATE and signal.phase is Phase.ACTIVE:
            text = str(signal.data.get("text") or "")
            if text:
                self._store.add_reads([self._digester.of_signal(seen, signal, text,
                                                                self._clock.now())])  # fmt: skip

    def _camera(self, camera_id: str) -> Seen:
        seen = self._cameras.seen({camera_id}).get(camera_id)
        if seen is None:
            raise policy.unknown("camera")
        return seen

    # Readers ----------------------------------------------------------------------------------

    def push(self, actor: Actor, path: str, reads: Sequence[Incoming]) -> tuple[int, int]:
        """Take reads of plates, tags and cards in; the same read again changes nothing.

        Args:
            actor: needs ``read.push`` on the department.
            path: the department that the readers belong to.
            reads: at most ``reads.BATCH`` of them.

        Returns:
            How many were new, and how many were known.

        Raises:
            Invalid: names every wrong field of every read; nothing was kept.
            NotFound: there is no such department, or none that the actor may know of.
        """
        with self._db.transaction():
            policy.require(actor, "read.push", path, "department")
            if not self._departments.exists(path):
                raise policy.unknown("department")
            now = self._clock.now()
            known = self._cameras.seen({r.camera_id for r in reads if r.camera_id})
            own = {camera_id for camera_id, seen in known.items() if seen.path.startswith(path)}
            check_batch(reads, now, own)
            rows = [self._digester.read(each, path, now) for each in reads]
            made = sum(self._store.add_reads(rows))
            self._audit.record(
                actor, "read.push", path=path, details={"new": made, "known": len(rows) - made}
            )
            return made, len(rows) - made

    def reads(
        self, actor: Actor, wanted: ReadFilter, subject: str, page: PageRequest
    ) -> Page[Read]:
        """Reads, the latest first; the search is written down.

        Args:
            actor: needs ``timeline.search``.
            wanted: filters.
            subject: a whole plate, tag or card number; it is compared by its digest and not kept.
            page: which part.

        Raises:
            Invalid: the time makes no sense.
        """
        Search(wanted.since, wanted.until).check()
        filters = replace(wanted, digest=self._digester.digest(subject)) if subject else wanted
        with self._db.transaction():
            paths = self._searching(actor, "reads", {
                "since": wanted.since, "until": wanted.until, "kinds": wanted.kinds,
                "subject": bool(subject), "begins": wanted.begins,
            })  # fmt: skip
            return self._store.reads(paths, filters, page)

    # People -----------------------------------------------------------------------------------

    def search(
        self, actor: Actor, wanted: Search, cursor: str | None = None, limit: int = 25
    ) -> Found:
        """What moved where and when, the latest first; the search is written down.

        Raises:
            Invalid: names every wrong field.
            NotFound: a camera that is named is not there, or none that the actor may know of.
        """
        wanted.check()
        with self._db.transaction():
            paths = self._searching(actor, "tracks", {
                "since": wanted.since, "until": wanted.until, "cameras": wanted.cameras,
                "group": wanted.group, "line": wanted.line, "kinds": wanted.kinds,
            })  # fmt: skip
            everyone = {seen.id: seen for seen in self._cameras.below(paths)}
            for camera_id in wanted.cameras:
                if camera_id not in everyone:
                    raise policy.unknown("camera")
            chosen = _chosen(wanted, everyone)
            found = self._store.search(paths, chosen, wanted, cursor, limit)
            return replace(found, items=_named(found.items, everyone))

    def track(self, actor: Actor, track_id: str) -> Track:
        """One piece of a track.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            paths = policy.visible_paths(actor, _SEARCH)
            return self._track(paths, track_id)

    def _track(self, paths: Sequence[str], track_id: str) -> Track:
        found = self._store.track(paths, track_id)
        if found is None:
            raise policy.unknown("track")
        return _named([found], self._cameras.seen({found.camera_id}))[0]

    def candidates(
        self, actor: Actor, track_id: str, *, before: bool = False
    ) -> tuple[Track, list[Candidate]]:
        """Where the thing may have been seen next (or before), by time and distance.

        A camera so far away is asked for what began there when a person could have walked, or a
        vehicle driven, that far. It is a list of candidates, not an identification.

        Raises:
            NotFound: there is no such track, or none that the actor may know of.
            Invalid: nobody said where its camera stands.
        """
        with self._db.transaction():
            paths = self._searching(actor, "candidates", {"track": track_id})
            track = self._track(paths, track_id)
            everyone = {seen.id: seen for seen in self._cameras.below(paths)}
            here = everyone.get(track.camera_id)
            if here is None or here.latitude is None or here.longitude is None:
                raise Invalid([Problem("track", "its camera's place is not known")])
            far = _distances(here, everyone.values())
            windows = {
                camera_id: _window(track, metres, before=before)
                for camera_id, metres in far.items()
            }
            found = self._store.appeared(paths, windows, _MOST_CANDIDATES)
            near = [_candidate(track, other, far[other.camera_id], before=before)
                    for other in _named(found, everyone)]  # fmt: skip
            near.sort(key=lambda c: -c.likeness)
            return track, near[:_MOST_CANDIDATES]

    def covers(self, actor: Actor, rule: str, since: date, until: date) -> list[DailyCover]:
        """The days of a rule's water, or of all waters, in order."""
        with self._db.transaction():
            return self._store.covers(policy.visible_paths(actor, _VIEW), rule, since, until)

    def today(self) -> date:
        """The day in UTC."""
        return self._clock.now().date()

    def thumbnail(self, actor: Actor, sha256: str) -> BinaryIO:
        """The picture of a track; that is written down.

        Raises:
            NotFound: it shows no track that the actor may know of.
        """
        with self._db.transaction():
            path = self._store.thumbnail_owner(sha256)
            if path is None:
                raise NotFound("the evidence is not there any more")
            policy.require(actor, _SEARCH, path)
            self._audit.record(actor, "thumbnail.view", path=path, subject=sha256)
        return self._files.open(sha256)

    def _searching(self, actor: Actor, what: str, details: Mapping[str, Any]) -> tuple[str, ...]:
        """The departments that the actor may search; that it did is written down in each."""
        paths = policy.visible_paths(actor, _SEARCH)
        for path in paths:
            self._audit.record(actor, "timeline.search", path=path,
                               details={"what": what, **details})  # fmt: skip
        return paths


def cover_of(camera_id: str, signal: Signal) -> DailyCover | None:
    """The daily value that a signal of kind VEGETATION carries, when it carries one.

    Its data names ``day`` (ISO 8601), ``cover`` (0 to 1, None: insufficient data) and ``frames``.
    """
    try:
        day = date.fromisoformat(str(signal.data["day"]))
    except (KeyError, ValueError):
        return None
    cover = signal.data.get("cover")
    if isinstance(cover, bool) or not isinstance(cover, int | float | None):
        return None
    if cover is not None and not 0 <= cover <= 1:
        return None
    frames = signal.data.get("frames")
    rest = {k: v for k, v in signal.data.items() if k not in {"day", "cover", "frames"}}
    many = frames if isinstance(frames, int) else 0
    return DailyCover(camera_id, signal.rule, day, cover, many, rest)


def _chosen(wanted: Search, everyone: Mapping[str, Seen]) -> Collection[str] | None:
    """The cameras that a search names in one of three ways; None: all."""
    if not (wanted.cameras or wanted.group or wanted.near):
        return None
    chosen = set(wanted.cameras)
    for seen in everyone.values():
        if wanted.group and wanted.group in seen.groups:
            chosen.add(seen.id)
        if wanted.near and seen.latitude is not None and seen.longitude is not None:
            latitude, longitude, metres = wanted.near
            if metres_between(latitude, longitude, seen.latitude, seen.longitude) <= metres:
                chosen.add(seen.id)
    return chosen


def _named(tracks: Sequence[Track], known: Mapping[str, Seen]) -> tuple[Track, ...]:
    return tuple(
        replace(t, camera=known[t.camera_id].name) if t.camera_id in known else t for t in tracks
    )


def _distances(here: Seen, others: Collection[Seen]) -> dict[str, float]:
    assert here.latitude is not None  # noqa: S101 - for the types: the caller has looked
    assert here.longitude is not None  # noqa: S101
    far = {}
    for other in others:
        if other.id == here.id or other.latitude is None or other.longitude is None:
            continue
        metres = metres_between(here.latitude, here.longitude, other.latitude, other.longitude)
        if metres <= _FARTHEST:
            far[other.id] = metres
    return far


def _speeds(track: Track) -> tuple[float, float]:
    """How fast such a thing may go; of an unknown kind anything from a stroll to a fast road."""
    if track.kind == "person":
        return WALKING
    if track.kind in _VEHICLES:
        return DRIVING
    return WALKING[0], DRIVING[1]


def _window(track: Track, metres: float, *, before: bool) -> tuple[datetime, datetime]:
    slowest, fastest = _speeds(track)
    soonest = timedelta(seconds=metres / fastest - _SLACK)
    latest = timedelta(seconds=metres / slowest + _SLACK)
    if before:
        return track.began - latest, track.began - soonest
    return track.ended + soonest, track.ended + latest


def _candidate(track: Track, other: Track, metres: float, *, before: bool) -> Candidate:
    gap = track.began - other.ended if before else other.began - track.ended
    seconds = gap.total_seconds()
    speed = metres / max(seconds, 1.0)
    slowest, fastest = _speeds(track)
    fits = [1.0 if slowest <= speed <= fastest else 0.5]
    for mine, theirs in ((track.colour, other.colour), (track.kind, other.kind)):
        fits.append(0.5 if not mine or not theirs else float(mine == theirs))
    return Candidate(other, metres, seconds, speed, sum(fits) / len(fits))
