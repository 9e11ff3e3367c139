"""The life of an entry: what may be done in which state, and what becomes of it.

draft → in review → published → revised → frozen → archived → destroyed; withdrawn from any state
in which it is shown. A next version is a draft beside what is shown, and is reviewed too.
"""

from dataclasses import replace
from datetime import datetime

from foundation.kernel.errors import Conflict
from workloads.data_exchange.directory.model import Body, Entry, State, Version, Work

_REVISABLE = {State.DRAFT, State.PUBLISHED, State.REVISED, State.WITHDRAWN}


def changed(entry: Entry, body: Body, by: str) -> Entry:
    """With a next version in the making.

    Raises:
        Conflict: it is under review, or is revised no more.
    """
    _own(entry)
    if entry.work is Work.IN_REVIEW:
        raise Conflict("it is under review: it is sent back before it is changed")
    _in(entry, _REVISABLE)
    authors = entry.authors if entry.work is Work.DRAFT else ()
    return replace(entry, draft=body, work=Work.DRAFT, authors=tuple(dict.fromkeys((*authors, by))))


def submitted(entry: Entry, by: str) -> Entry:
    """Given to review; who gives it counts as one of its authors.

    Raises:
        Conflict: there is no draft.
    """
    _drafted(entry)
    state = State.IN_REVIEW if entry.state is State.DRAFT else entry.state
    authors = tuple(dict.fromkeys((*entry.authors, by)))
    return replace(entry, work=Work.IN_REVIEW, state=state, authors=authors, note="")


def sent_back(entry: Entry, note: str) -> Entry:
    """Back with its authors.

    Raises:
        Conflict: it is not under review.
    """
    _reviewed(entry)
    state = State.DRAFT if entry.state is State.IN_REVIEW else entry.state
    return replace(entry, work=Work.DRAFT, state=state, note=note)


def approved(entry: Entry, by: str, at: datetime) -> tuple[Entry, Version | None]:
    """Published, and the version that it replaces.

    Raises:
        Conflict: it is not under review, or who approves had a hand in it (four eyes).
    """
    _reviewed(entry)
    if by in entry.authors:
        raise Conflict("somebody else must approve what you wrote or submitted (four eyes)")
    state = State.REVISED if entry.version else State.PUBLISHED
    before = None
    if entry.shown is not None and entry.modified_at is not None:
        before = Version(entry.version, entry.shown, entry.modified_at, at)
    after = replace(
        entry, state=state, work=Work.NONE, shown=entry.draft, draft=None, authors=(), note="",
        version=entry.version + 1, issued_at=entry.issued_at or at, modified_at=at,
    )  # fmt: skip
    return after, before


def discarded(entry: Entry) -> Entry:
    """Without the next version; a first draft is archived, for its id was given.

    Raises:
        Conflict: there is no draft.
    """
    _drafted(entry)
    after = replace(entry, draft=None, work=Work.NONE, authors=(), note="")
    if entry.shown is not None:
        return after
    return replace(after, state=State.ARCHIVED, shown=entry.draft)


def withdrawn(entry: Entry, note: str) -> Entry:
    """Out of the directory at once.

    Raises:
        Conflict: it is not in it.
    """
    _own(entry)
    _in(entry, {State.PUBLISHED, State.REVISED, State.FROZEN})
    return replace(entry, state=State.WITHDRAWN, note=note)


def frozen(entry: Entry) -> Entry:
    """Used on, never revised again.

    Raises:
        Conflict: it is not published, or a next version is in the making.
    """
    _own(entry)
    _in(entry, {State.PUBLISHED, State.REVISED})
    if entry.work is not Work.NONE:
        raise Conflict("a next version is in the making: publish or discard it first")
    return replace(entry, state=State.FROZEN)


def archived(entry: Entry, note: str, by: str) -> Entry:
    """Not offered any more.

    Raises:
        Conflict: it is still being made.
    """
    _own(entry)
    _in(entry, {State.PUBLISHED, State.REVISED, State.FROZEN, State.WITHDRAWN})
    if entry.work is Work.IN_REVIEW:
        raise Conflict("a next version is under review")
    return replace(
        entry, state=State.ARCHIVED, note=note, draft=None, work=Work.NONE, authors=(),
        archived_by=by,
    )  # fmt: skip


def destroyed(entry: Entry, by: str) -> Entry:
    """Nothing of what it said is left.

    Raises:
        Conflict: it is not archived, or the same person archived it (four eyes).
    """
    _own(entry)
    _in(entry, {State.ARCHIVED})
    if by == entry.archived_by:
        raise Conflict("somebody else must destroy what you archived (four eyes)")
    return replace(
        entry, state=State.DESTROYED, draft=None, shown=None, work=Work.NONE, authors=(), note=""
    )


def _own(entry: Entry) -> None:
    if entry.origin is not None:
        raise Conflict("it belongs to another platform: it is changed there and harvested again")


def _in(entry: Entry, states: set[State]) -> None:
    if entry.state not in states:
        raise Conflict(
            f"it is {entry.state.value.replace('_', ' ')}: this is not done to it",
            state=entry.state.value,
        )


def _drafted(entry: Entry) -> None:
    _own(entry)
    if entry.work is not Work.DRAFT:
        raise Conflict("there is no draft of it", state=entry.state.value)


def _reviewed(entry: Entry) -> None:
    _own(entry)
    if entry.work is not Work.IN_REVIEW:
        raise Conflict("it is not under review", state=entry.state.value)
