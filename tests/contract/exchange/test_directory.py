"""The life of entries on a real database: four eyes, versions, secrets, destruction."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from foundation.kernel.paging import PageRequest
from foundation.kernel.text import Text
from tests.conftest import SettableClock
from tests.harness.directory import (
    AUTHOR,
    OTHER,
    READER,
    REVIEWER,
    dataset,
    element,
    published,
    service,
    somebody,
)
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.directory.interface import (
    Authentication,
    AuthenticationKind,
    Interface,
    Protocol,
)
from workloads.data_exchange.directory.model import Kind, State, Work
from workloads.data_exchange.directory.ports import EntryQuery
from workloads.data_exchange.directory.service import DESTRUCTION, Directory
from workloads.data_exchange.usage.model import DATASET_HOURS

pytestmark = pytest.mark.usefixtures("agencies")


@pytest.fixture
def directory(exchange: Exchange) -> Directory:
    return exchange.cataloguing.directory


def test_from_draft_to_a_second_version(directory: Directory, clock: SettableClock) -> None:
    made = directory.create(AUTHOR, Kind.DATASET, agency=CIVIL, body=dataset())
    assert (made.state, made.version) == (State.DRAFT, 0)
    with pytest.raises(NotFound):
        directory.entry(READER, made.id)
    assert directory.find(made.id) is None
    directory.submit(AUTHOR, made.id)
    with pytest.raises(Conflict, match="under review"):
        directory.change(AUTHOR, made.id, dataset())
    directory.send_back(REVIEWER, made.id, "the legal basis is too thin")
    assert directory.entry(AUTHOR, made.id).note == "the legal basis is too thin"
    directory.change(OTHER, made.id, dataset(legal_basis="articles 4 and 5"))
    directory.submit(AUTHOR, made.id)
    first = directory.approve(REVIEWER, made.id)
    assert (first.state, first.version, first.work) == (State.PUBLISHED, 1, Work.NONE)
    offered = directory.find(made.id)
    assert offered is not None
    assert offered.available
    assert [one.name for one in offered.elements] == ["id", "name"]

    clock.advance(days=30)
    directory.change(AUTHOR, made.id, dataset("Households 2"))
    # Everybody sees what was published, its makers what is being made.
    seen, being_made = directory.entry(READER, made.id), directory.entry(AUTHOR, made.id)
    assert seen.body is not None
    assert being_made.body is not None
    assert (seen.body.title.en, seen.authors) == ("Households", ())
    assert being_made.body.title.en == "Households 2"
    directory.submit(AUTHOR, made.id)
    second = directory.approve(REVIEWER, made.id)
    assert (second.state, second.version) == (State.REVISED, 2)
    assert second.issued_at == first.issued_at
    [old] = directory.versions(READER, made.id)
    assert (old.version, old.body.title.en) == (1, "Households")
    assert (old.published_at, old.replaced_at) == (first.modified_at, second.modified_at)
    assert [one.action for one in directory.steps(AUTHOR, made.id)] == [
        "approve", "submit", "change", "approve", "submit", "change", "send_back", "submit",
        "create",
    ]  # fmt: skip
    told = directory.steps(READER, made.id)
    assert {(one.action, one.by) for one in told} == {("approve", "")}


def test_nobody_approves_what_they_had_a_hand_in(directory: Directory) -> None:
    both = somebody("both", "administrator")
    made = directory.create(AUTHOR, Kind.DATASET, agency=CIVIL, body=dataset())
    directory.change(both, made.id, dataset("Touched"))
    directory.submit(AUTHOR, made.id)
    with pytest.raises(Conflict, match="four eyes"):
        directory.approve(both, made.id)
    with pytest.raises(Forbidden):
        directory.approve(AUTHOR, made.id)
    directory.approve(REVIEWER, made.id)
    # Who only submits it counts too.
    directory.change(AUTHOR, made.id, dataset("Again"))
    directory.submit(both, made.id)
    with pytest.raises(Conflict, match="four eyes"):
        directory.approve(both, made.id)


def test_a_change_upon_an_old_look_is_refused(directory: Directory) -> None:
    made = directory.create(AUTHOR, Kind.DATASET, agency=CIVIL, body=dataset())
    directory.change(AUTHOR, made.id, dataset("First"), revision=made.revision)
    with pytest.raises(Conflict, match="meanwhile"):
        directory.change(OTHER, made.id, dataset("Second"), revision=made.revision)


def test_the_end_of_an_entry(exchange: Exchange, directory: Directory) -> None:
    made = published(exchange, dataset())
    directory.change(AUTHOR, made.id, dataset("Newer"))
    with pytest.raises(Conflict, match="next version"):
        directory.freeze(AUTHOR, made.id)
    directory.discard(AUTHOR, made.id)
    assert directory.freeze(AUTHOR, made.id).state is State.FROZEN
    with pytest.raises(Conflict, match="is frozen"):
        directory.change(AUTHOR, made.id, dataset())
    with pytest.raises(Invalid, match="say why"):
        directory.archive(AUTHOR, made.id, " ")
    directory.archive(AUTHOR, made.id, "kept in the archive of the city")
    with pytest.raises(NotFound):
        directory.entry(READER, made.id)
    with pytest.raises(Conflict, match="four eyes"):
        directory.destroy(AUTHOR, made.id, method="shredded")
    certificate = directory.destroy(OTHER, made.id, method="discs shredded")
    told = exchange.keys.verify(certificate.jws, DESTRUCTION)
    assert told.key.path == "/"
    assert told.payload["entry"] == made.id
    assert told.payload["destroyed_by"] == {"id": OTHER.id, "name": "other"}
    assert told.payload["method"] == "discs shredded"
    assert list(told.payload["versions"]) == ["1"]
    # Nothing of what it said is left, and the certificate is for everybody.
    assert directory.entry(READER, made.id).state is State.DESTROYED
    assert directory.certificate(READER, made.id) == certificate
    with exchange.base.database.transaction():
        tables = (
            "exchange_entry", "exchange_entry_version", "exchange_entry_index",
            "exchange_entry_title",
        )  # fmt: skip
        left = [
            str(row)
            for table in tables
            for row in exchange.base.database.execute(sa.text(f"SELECT * FROM {table}"))  # noqa: S608
        ]
    assert "家庭" not in "".join(left)
    with pytest.raises(Conflict):
        directory.destroy(OTHER, made.id, method="again")


def test_what_is_withdrawn_is_gone_at_once_and_may_come_back(
    exchange: Exchange, directory: Directory
) -> None:
    made = published(exchange, dataset())
    directory.withdraw(AUTHOR, made.id, "the counts are wrong")
    with pytest.raises(NotFound):
        directory.entry(READER, made.id)
    offered = directory.find(made.id)
    assert offered is not None
    assert not offered.available
    directory.change(AUTHOR, made.id, dataset("Corrected"))
    directory.submit(AUTHOR, made.id)
    assert directory.approve(REVIEWER, made.id).state is State.REVISED


def test_a_providers_secret_is_kept_sealed_and_shown_to_nobody(
    exchange: Exchange, directory: Directory
) -> None:
    data = published(exchange, dataset())
    made = published(exchange, service(data.id), Kind.SERVICE, secret="t0ken-of-the-provider")
    assert made.has_secret
    known = directory.credentials(made.id)
    assert known is not None
    assert known.secret == "t0ken-of-the-provider"
    assert "t0ken" not in repr(known)
    assert known.headers() == {"Authorization": "Bearer t0ken-of-the-provider"}
    with exchange.base.database.transaction():
        for table in ("exchange_entry", "exchange_entry_secret", "exchange_entry_step"):
            rows = exchange.base.database.execute(sa.text(f"SELECT * FROM {table}")).all()  # noqa: S608
            assert "t0ken" not in str(rows)
    basic = Authentication(AuthenticationKind.BASIC, "gateway-name")
    named = service(data.id)
    assert named.interface is not None
    named = replace(named, interface=replace(named.interface, authentication=basic))
    other = published(exchange, named, Kind.SERVICE, secret="x")
    assert "gateway-name" in str(directory.entry(AUTHOR, other.id))
    assert "gateway-name" not in str(directory.entry(READER, other.id))
    directory.withdraw(AUTHOR, other.id, "a test")
    [found] = directory.services_of(data.id)
    assert (found.id, found.serves) == (made.id, (data.id,))
    directory.change(AUTHOR, made.id, service(data.id))
    assert directory.credentials(made.id) == known
    with pytest.raises(Invalid, match="secret"):
        directory.change(AUTHOR, made.id, service(data.id), secret="")
    # A sealed secret that is copied to another service does not open there.
    other = published(exchange, service(data.id), Kind.SERVICE, secret="another")
    with exchange.base.database.transaction():
        exchange.base.database.execute(
            sa.text(
                "UPDATE exchange_entry_secret SET sealed = (SELECT sealed FROM "
                "exchange_entry_secret WHERE entry_id = :a) WHERE entry_id = :b"
            ),
            {"a": made.id, "b": other.id},
        )
    with pytest.raises(Exception, match="does not open"):
        directory.credentials(other.id)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"title": Text("", "题"), "themes": ("NOPE",)}, {"title.en", "themes.0"}),
        ({"frequency": "SOMETIMES", "access": "ALL"}, {"frequency", "access"}),
        ({"licence": "javascript:x"}, {"licence"}),
        ({"landing_page": "file:///etc/passwd"}, {"landing_page"}),
        ({"begins": "2026-02-30", "ends": "x"}, {"begins", "ends"}),
        ({"begins": "2026-02-03", "ends": "2026-02-02"}, {"ends"}),
        ({"elements": (element("a"), element("a"))}, {"elements.1.name"}),
        ({"elements": (element("a", pointer="a/b"),)}, {"elements.0.pointer"}),
        ({"elements": (element("a", schema={"type": "nonsense"}),)}, {"elements.0.schema"}),
        (
            {"elements": (element("a", schema={"$ref": "http://10.0.0.1/x"}),)},
            {"elements.0.schema"},
        ),
        ({"series": "ser_none", "serves": ("dst_none",)}, {"serves"}),
        ({"keywords": ("a\nb", "")}, {"keywords.0", "keywords.1"}),
    ],
)
def test_every_wrong_field_is_named(
    directory: Directory, changes: dict[str, object], fields: set[str]
) -> None:
    with pytest.raises(Invalid) as caught:
        directory.create(AUTHOR, Kind.DATASET, agency=CIVIL, body=dataset(**changes))
    assert {one.field for one in caught.value.problems} == fields


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"endpoint": "http://127.0.0.1/"}, "interface.endpoint"),
        ({"endpoint": "http://169.254.169.254/latest"}, "interface.endpoint"),
        ({"endpoint": "https://user:pw@api.example/"}, "interface.endpoint"),
        ({"endpoint": "gopher://api.example/"}, "interface.endpoint"),
        ({"paths": ("/a/../b",)}, "interface.paths.0"),
        ({"paths": ("no-slash",)}, "interface.paths.0"),
        ({"paths": ("/" + "a" * 1500 + "{",)}, "interface.paths.0"),
        ({"methods": ("TRACE",)}, "interface.methods"),
        ({"records": "items"}, "interface.records"),
        ({"answers": {"$ref": "https://elsewhere.example/schema"}}, "interface.answers"),
        ({"read_seconds": 0}, "interface.read_seconds"),
        ({"read_seconds": float("nan")}, "interface.read_seconds"),
        ({"cache_seconds": -1}, "interface.cache_seconds"),
    ],
)
def test_an_interface_is_checked(
    exchange: Exchange, directory: Directory, changes: dict[str, object], field: str
) -> None:
    data = published(exchange, dataset())
    body = service(data.id)
    assert body.interface is not None
    wrong = replace(body, interface=replace(body.interface, **changes))  # type: ignore[arg-type]
    with pytest.raises(Invalid) as caught:
        directory.create(AUTHOR, Kind.SERVICE, agency=CIVIL, body=wrong, secret="x")
    assert [one.field for one in caught.value.problems] == [field]


def test_a_service_gives_only_what_its_maker_manages(
    exchange: Exchange, directory: Directory
) -> None:
    foreign = published(exchange, dataset(), agency=HOUSING)
    with pytest.raises(Invalid, match=r"serves\.0"):
        directory.create(AUTHOR, Kind.SERVICE, agency=CIVIL, body=service(foreign.id), secret="x")


def test_a_draft_may_lack_what_a_review_needs(directory: Directory) -> None:
    bare = dataset(themes=(), legal_basis="", elements=())
    made = directory.create(AUTHOR, Kind.DATASET, agency=CIVIL, body=bare)
    with pytest.raises(Invalid) as caught:
        directory.submit(AUTHOR, made.id)
    assert {one.field for one in caught.value.problems} == {"themes", "legal_basis", "elements"}


def test_a_camera_is_a_service_too(exchange: Exchange, directory: Directory) -> None:
    camera = service(
        title=Text("West gate camera", "西门摄像机"), themes=("city:video",),
        interface=Interface("rtsp://10.3.0.7/stream1", Protocol.RTSP),
    )  # fmt: skip
    made = published(exchange, camera, Kind.SERVICE)
    assert made.shown is not None
    assert made.shown.formats() == ("RTSP",)
    offered = directory.find(made.id)
    assert offered is not None
    assert offered.interface is not None
    assert offered.interface.protocol.video


def test_hours_of_published_data_sets_are_counted(
    exchange: Exchange, directory: Directory, clock: SettableClock
) -> None:
    cataloguing = exchange.cataloguing
    cataloguing.count_datasets()
    for name in ("One", "Two"):
        published(exchange, dataset(name))
    directory.create(AUTHOR, Kind.DATASET, agency=CIVIL, body=dataset("Draft"))
    cataloguing.count_datasets()
    clock.advance(hours=3)
    cataloguing.count_datasets()
    lines = exchange.usage.lines(SYSTEM, None, clock.now() + timedelta(hours=1), PageRequest())
    counted = [one.quantity for one in lines.items if one.meter == DATASET_HOURS]
    assert sum(counted) == 6


def test_who_sees_what_in_the_list(exchange: Exchange, directory: Directory) -> None:
    published(exchange, dataset())
    made = directory.create(AUTHOR, Kind.DATASET, agency=CIVIL, body=dataset())
    page, drafts = PageRequest(), EntryQuery(work=Work.DRAFT)
    assert len(directory.entries(AUTHOR, EntryQuery(), page).items) == 2
    assert [one.id for one in directory.entries(SYSTEM, drafts, page).items] == [made.id]
    assert directory.entries(READER, EntryQuery(), page).items == ()
    neighbour = somebody("neighbour", "steward", HOUSING)
    assert directory.entries(neighbour, EntryQuery(), page).items == ()
    with pytest.raises(NotFound):
        directory.change(neighbour, made.id, dataset())
