"""Watch lists: grounds, four eyes, the end, and that everything is noted."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from foundation.kernel.paging import PageRequest
from foundation.kernel.secretbox import SecretError
from tests.conftest import START
from tests.contract.video.watchlists.conftest import (
    ANN,
    AUDITOR,
    BEN,
    ELSEWHERE,
    OPERATOR,
    PROGRAM,
    TRAFFIC,
    World,
    same,
    somebody,
)
from tests.fakes.video_models import person
from workloads.video_analytics.watchlists.jobs import schedules
from workloads.video_analytics.watchlists.model import ENTRIES_MAX, ListState, WatchList, Wish

FIRST = PageRequest()


def wish(kind: str = "faces", **given: object) -> Wish:
    values = {
        "name": "Missing persons", "path": TRAFFIC, "legal_basis": "Order 12/2026 of the court",
        "ends_at": START + timedelta(days=30), **given,
    }  # fmt: skip
    return Wish(kind=kind, **values)  # type: ignore[arg-type]


def faces_in_force(world: World, *, until_days: int = 30) -> WatchList:
    made = world.watchlists.create(ANN, wish(ends_at=START + timedelta(days=until_days)))
    world.watchlists.add_face(ANN, made.id, label="Case 7", picture=b"person 3")
    return world.watchlists.approve(BEN, made.id)


def actions(world: World) -> list[str]:
    return [entry["action"] for entry in world.audit.entries]


def stored(world: World) -> list[str]:
    with world.database.engine.connect() as connection:
        query = sa.text("SELECT sealed FROM video_watchlist_entry ORDER BY id")
        return list(connection.execute(query).scalars())


# Faces and four eyes -------------------------------------------------------------------------


def test_a_face_counts_only_when_a_second_person_agreed(world: World) -> None:
    lists = world.watchlists
    made = lists.create(ANN, wish())
    entry = lists.add_face(ANN, made.id, label="Case 7", picture=b"person 3")
    assert lists.state(lists.get(ANN, made.id)) is ListState.IN_APPROVAL
    assert lists.in_force([made.id]).faces == ()
    with pytest.raises(Forbidden, match="four eyes"):
        lists.approve(ANN, made.id)
    with pytest.raises(Forbidden, match="no program may"):
        lists.approve(PROGRAM, made.id)
    assert lists.state(lists.approve(BEN, made.id)) is ListState.ACTIVE
    (in_force,) = lists.in_force([made.id]).faces
    assert (in_force.id, in_force.space, in_force.until) == (made.id, "fake", made.ends_at)
    assert [face.entry for face in in_force.faces] == [entry.id]
    assert same(in_force.faces[0].embedding, person(3))


def test_what_is_added_later_waits_for_another_than_who_added_it(world: World) -> None:
    lists, there = world.watchlists, faces_in_force(world)
    lists.add_face(BEN, there.id, label="Case 8", picture=b"person 4")
    assert len(lists.in_force([there.id]).faces[0].faces) == 1
    assert lists.get(ANN, there.id).pending == 1
    for first in (ANN, BEN):
        with pytest.raises(Forbidden, match="four eyes"):
            lists.approve(first, there.id)
    lists.approve(somebody("cat"), there.id)
    assert len(lists.in_force([there.id]).faces[0].faces) == 2
    with pytest.raises(Conflict, match="nothing in it waits"):
        lists.approve(BEN, there.id)


def test_the_database_holds_four_eyes_too(world: World) -> None:
    there = faces_in_force(world)
    with (
        pytest.raises(sa.exc.IntegrityError, match="second"),
        world.database.engine.begin() as connection,
    ):
        connection.execute(
            sa.text("UPDATE video_watchlist SET approved_by = created_by WHERE id = :id"),
            {"id": there.id},
        )


def test_of_a_picture_only_a_sealed_vector_is_kept(world: World) -> None:
    faces_in_force(world)
    (sealed,) = stored(world)
    assert sealed.startswith("v1.")
    with pytest.raises(SecretError):
        world.vault.open(sealed, "watchlist_face:wle_another")
    with world.database.engine.connect() as connection:
        rows = connection.execute(
            sa.text("SELECT video_watchlist_entry::text FROM video_watchlist_entry")
        )
        assert "person 3" not in "".join(rows.scalars())
    assert "person 3" not in repr(world.audit.entries)


def test_a_sealed_face_of_another_entry_does_not_open(world: World) -> None:
    lists, there = world.watchlists, faces_in_force(world)
    other = lists.add_face(ANN, there.id, label="Case 8", picture=b"person 4")
    lists.approve(BEN, there.id)
    with world.database.engine.begin() as connection:
        connection.execute(
            sa.text(
                "UPDATE video_watchlist_entry SET sealed = (SELECT sealed FROM "
                "video_watchlist_entry WHERE id <> :id) WHERE id = :id"
            ),
            {"id": other.id},
        )
    with pytest.raises(SecretError):
        lists.in_force([there.id])


def test_a_picture_without_a_face_is_refused_and_nothing_kept(world: World) -> None:
    made = world.watchlists.create(ANN, wish())
    for picture in (b"a tree", b"", b"x" * (4 * 2**20 + 1)):
        with pytest.raises(Invalid) as refused:
            world.watchlists.add_face(ANN, made.id, label="Case 7", picture=picture)
        assert [problem.field for problem in refused.value.problems] == ["picture"]
    with pytest.raises(Invalid) as refused:
        world.watchlists.add_face(ANN, made.id, label=" ", picture=b"")
    assert [problem.field for problem in refused.value.problems] == ["label", "picture"]
    assert stored(world) == []


# Plates --------------------------------------------------------------------------------------


def test_a_list_of_plates_is_in_force_at_once(world: World) -> None:
    lists = world.watchlists
    made = lists.create(ANN, wish("plates"))
    entry = lists.add_plate(ANN, made.id, label="Stolen", pattern=" 苏a·123?5 ")
    assert entry.pattern == "苏A123?5"
    (in_force,) = lists.in_force([made.id]).plates
    assert in_force.patterns == [(entry.id, "苏A123?5")]
    with pytest.raises(Conflict, match="need no approval"):
        lists.approve(BEN, made.id)
    with pytest.raises(Conflict, match="is of plates"):
        lists.add_face(ANN, made.id, label="x", picture=b"person 1")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [("*", "at least 3"), ("苏A*", "at least 3"), ("苏A[12]*", "characters of a plate"),
     ("", "characters of a plate"), ("苏A1234567890123", "characters of a plate")],
)  # fmt: skip
def test_patterns_that_are_none_or_too_wide(world: World, pattern: str, said: str) -> None:
    made = world.watchlists.create(ANN, wish("plates"))
    with pytest.raises(Invalid, match=said):
        world.watchlists.add_plate(ANN, made.id, label="x", pattern=pattern)


# Lists ---------------------------------------------------------------------------------------


def test_every_wrong_field_is_named(world: World) -> None:
    wrong = wish("dogs", name=" ", legal_basis="", ends_at=START)
    with pytest.raises(Invalid) as refused:
        world.watchlists.create(ANN, wrong)
    fields = [problem.field for problem in refused.value.problems]
    assert fields == ["kind", "name", "legal_basis", "ends_at"]
    for path in ("/", "/city/nowhere/"):
        with pytest.raises(Invalid, match="is not a department"):
            world.watchlists.create(ANN, wish(path=path))
    with pytest.raises(Invalid, match="within 366 days"):
        world.watchlists.create(ANN, wish(ends_at=START + timedelta(days=400)))


def test_who_may_see_and_who_may_change(world: World) -> None:
    lists, there = world.watchlists, faces_in_force(world)
    assert [one.id for one in lists.lists(AUDITOR, FIRST).items] == [there.id]
    assert len(lists.entries(AUDITOR, there.id, FIRST).items) == 1
    with pytest.raises(Forbidden):
        lists.add_face(AUDITOR, there.id, label="x", picture=b"person 1")
    with pytest.raises(Forbidden):
        lists.create(OPERATOR, wish())
    for stranger in (ELSEWHERE, OPERATOR):
        assert lists.lists(stranger, FIRST).items == ()
        for call in (
            lambda who: lists.get(who, there.id),
            lambda who: lists.entries(who, there.id, FIRST),
            lambda who: lists.approve(who, there.id),
            lambda who: lists.close(who, there.id, "x"),
            lambda who: lists.add_plate(who, there.id, label="x", pattern="x"),
            lambda who: lists.remove_entry(who, there.id, "wle_x"),
        ):
            with pytest.raises(NotFound, match="no such watch list"):
                call(stranger)
    with pytest.raises(NotFound, match="no such entry"):
        lists.remove_entry(ANN, there.id, "wle_x")


def test_everything_is_noted_and_looking_too(world: World) -> None:
    lists, there = world.watchlists, faces_in_force(world)
    lists.lists(AUDITOR, FIRST)
    lists.get(AUDITOR, there.id)
    (entry,) = lists.entries(AUDITOR, there.id, FIRST).items
    lists.remove_entry(ANN, there.id, entry.id)
    lists.close(ANN, there.id, "found")
    assert actions(world) == [
        "watchlist.create", "watchlist.add", "watchlist.approve", "watchlist.view",
        "watchlist.view", "watchlist.view", "watchlist.remove", "watchlist.close",
    ]  # fmt: skip
    looked = world.audit.entries[5]
    assert (looked["actor"], looked["subject"], looked["path"]) == (AUDITOR.id, there.id, TRAFFIC)
    assert looked["details"] == {"entries": [entry.id]}


def test_a_closed_list_is_over_and_its_entries_are_destroyed(world: World) -> None:
    lists, there = world.watchlists, faces_in_force(world)
    with pytest.raises(Invalid, match="reason"):
        lists.close(ANN, there.id, " ")
    closed = lists.close(ANN, there.id, "found")
    assert lists.state(closed) is ListState.CLOSED
    assert lists.close(ANN, there.id, "again").closed_because == "found"
    assert stored(world) == []
    assert lists.in_force([there.id]).faces == ()
    with pytest.raises(Conflict, match="is over"):
        lists.add_face(ANN, there.id, label="x", picture=b"person 1")


def test_a_list_that_is_over_counts_no_more_and_is_emptied(world: World) -> None:
    lists, there = world.watchlists, faces_in_force(world)
    plates = lists.create(ANN, wish("plates"))
    lists.add_plate(ANN, plates.id, label="x", pattern="苏A12345")
    later = lists.create(ANN, wish("plates", ends_at=START + timedelta(days=60)))
    lists.add_plate(ANN, later.id, label="x", pattern="苏A12345")
    (job,) = schedules(lists)
    job.work()
    assert len(stored(world)) == 3
    world.clock.set(there.ends_at)
    everything = [there.id, plates.id, later.id]
    found = lists.in_force(everything)
    assert (found.faces, [one.id for one in found.plates]) == ((), [later.id])
    job.work()
    job.work()
    assert len(stored(world)) == 1
    assert actions(world).count("watchlist.expire") == 2
    assert lists.state(lists.get(ANN, there.id)) is ListState.EXPIRED


def test_lists_and_entries_come_page_by_page(world: World) -> None:
    lists = world.watchlists
    made = [lists.create(ANN, wish("plates", name=f"List {n}")) for n in range(5)]
    for number in range(5):
        lists.add_plate(ANN, made[0].id, label=f"E {number}", pattern=f"苏A1234{number}")
    first = lists.lists(ANN, PageRequest(limit=3))
    rest = lists.lists(ANN, PageRequest(first.next, 3))
    assert {one.id for one in (*first.items, *rest.items)} == {one.id for one in made}
    head = lists.entries(ANN, made[0].id, PageRequest(limit=3))
    tail = lists.entries(ANN, made[0].id, PageRequest(head.next, 3))
    assert len({entry.pattern for entry in (*head.items, *tail.items)}) == 5


def test_a_list_is_bounded(world: World) -> None:
    made = world.watchlists.create(ANN, wish("plates"))
    with world.database.engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO video_watchlist_entry (id, list_id, label, pattern, sealed, space, "
                "added_at, added_by, added_by_name) SELECT 'wle_' || n, :id, 'x', 'AAA', '', '', "
                "now(), 'x', 'x' FROM generate_series(1, :count) n"
            ),
            {"id": made.id, "count": ENTRIES_MAX},
        )
    with pytest.raises(Conflict, match="is full"):
        world.watchlists.add_plate(ANN, made.id, label="x", pattern="苏A12345")
