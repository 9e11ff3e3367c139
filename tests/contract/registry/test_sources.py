"""Sources: registered, read, and what of them is published."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from control_plane.provisioning.registry.model import Source
from control_plane.provisioning.registry.store import source_table
from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from foundation.kernel.paging import PageRequest
from foundation.operations.model import Operation, StepFailed
from tests.conftest import SettableClock
from tests.contract.provisioning.conftest import PLATFORM, person
from tests.contract.registry.conftest import Shelf, note
from tests.harness.repository import Repository


@pytest.fixture
def repository(repositories: Path) -> Repository:
    made = Repository(repositories / "city")
    made.commit(note(name="memo"), "memo")
    return made


def add(shelf: Shelf, repository: Repository, **changed: Any) -> Source:
    return shelf.registry.add_source(
        PLATFORM, **{"slug": "city", "url": repository.url, "folder": "", **changed}
    )


def sync(shelf: Shelf, source: Source) -> Source:
    shelf.run(shelf.registry.request_sync(PLATFORM, source.id))
    return shelf.registry.source(PLATFORM, source.id)


def outcomes(source: Source) -> dict[str, str]:
    assert source.last is not None
    return {result.folder: result.outcome.value for result in source.last.results}


def test_what_is_new_is_published_with_its_origin(shelf: Shelf, repository: Repository) -> None:
    source = add(shelf, repository)
    assert source.last is None
    first = sync(shelf, source)
    assert outcomes(first) == {"memo": "published"}
    revision = shelf.world.service.find_revision("memo")
    assert revision.published_by == "system:source-city"
    origin = shelf.registry.origin(PLATFORM, "memo", "1.0.0")
    assert (origin.source, origin.url) == ("city", repository.url)
    assert first.last is not None
    assert origin.commit == first.last.commit == repository.git("rev-parse", "HEAD")
    assert shelf.world.audit.entries[-1]["action"] == "source.sync"
    assert shelf.world.audit.entries[-1]["details"]["published"] == ["memo 1.0.0"]
    again = sync(shelf, source)
    assert outcomes(again) == {"memo": "unchanged"}
    repository.commit(note("1.1.0", name="memo", format="rich"), "memo")
    newer = sync(shelf, source)
    assert outcomes(newer) == {"memo": "published"}
    assert shelf.world.service.find_revision("memo").version == "1.1.0"
    with pytest.raises(NotFound, match="did not come from a source"):
        shelf.registry.origin(PLATFORM, "note", "1.0.0")


def test_what_may_not_be_published_is_named_and_the_rest_is(
    shelf: Shelf, repository: Repository
) -> None:
    broken = {**note(name="broken"), "__main__.py": b"raise ValueError('no such thing')\n"}
    repository.write(broken, "broken")
    key = b"-----BEGIN " + b"RSA PRIVATE KEY-----\n"
    repository.write({**note(name="leaky"), "key.pem": key}, "leaky")
    repository.write({**note(name="linked")}, "linked")
    (repository.folder / "linked" / "passwd").symlink_to("/etc/passwd")
    repository.write({"blueprint.yaml": b": : :"}, "odd")
    repository.commit()
    source = sync(shelf, add(shelf, repository))
    assert outcomes(source) == {
        "broken": "refused", "leaky": "refused", "linked": "refused", "memo": "published",
        "odd": "refused",
    }  # fmt: skip
    assert source.last is not None
    said = {r.folder: " ".join(r.problems) for r in source.last.results}
    assert "no such thing" in said["broken"]
    assert "key.pem:1: looks like a private key" in said["leaky"]
    assert "is a link" in said["linked"]
    assert "Pulumi.yaml: is missing" in said["odd"]


def test_a_source_does_not_take_over_what_others_publish(
    shelf: Shelf, repository: Repository, repositories: Path
) -> None:
    """A newer version of somebody else's blueprint would reach everybody who orders it."""
    repository.commit(note("9.0.0"), "note")
    repository.commit(note("9.0.0", name="tenancy"), "tenancy")
    source = sync(shelf, add(shelf, repository))
    assert outcomes(source) == {"memo": "published", "note": "refused", "tenancy": "refused"}
    other = Repository(repositories / "other")
    other.commit(note("2.0.0", name="memo"), "memo")
    second = sync(shelf, add(shelf, other, slug="other"))
    assert outcomes(second) == {"memo": "refused"}
    assert shelf.world.service.find_revision("note").version == "1.0.0"
    assert shelf.world.service.find_revision("memo").version == "1.0.0"
    # The same source under another name goes on where it was.
    shelf.registry.remove_source(PLATFORM, "city")
    repository.commit(note("1.1.0", name="memo"), "memo")
    renamed = sync(shelf, add(shelf, repository, slug="renamed", folder="memo"))
    assert outcomes(renamed) == {"memo": "published"}
    assert shelf.registry.origin(PLATFORM, "memo", "1.0.0").source == "city"


def test_only_what_is_signed_is_published_where_that_is_demanded(
    shelf: Shelf, repository: Repository
) -> None:
    key, signer = repository.key("alice")
    source = add(shelf, repository, signed=True, allowed_signers=signer)
    with pytest.raises(StepFailed, match="is not signed by an allowed signer"):
        sync(shelf, source)
    failed = shelf.registry.source(PLATFORM, source.id)
    assert failed.last is not None
    assert "not signed" in failed.last.error
    with pytest.raises(NotFound):
        shelf.world.service.find_revision("memo")
    repository.signing(key)
    repository.commit(None, "", "-S")
    signed = sync(shelf, source)
    assert outcomes(signed) == {"memo": "published"}
    origin = shelf.registry.origin(PLATFORM, "memo", "1.0.0")
    assert origin.signed == "commit"
    assert origin.signer.startswith("alice@city.example")


def test_a_source_is_read_by_itself_when_its_time_has_come(
    shelf: Shelf, repository: Repository, clock: SettableClock
) -> None:
    def started() -> list[Operation]:
        page = shelf.world.operations.list(PLATFORM, PageRequest(), kind="registry.sync")
        return list(page.items)

    source = add(shelf, repository, minutes=30)
    add(shelf, repository, slug="by-hand")
    shelf.registry.sync_due()
    shelf.registry.sync_due()
    assert [operation.subject for operation in started()] == [source.id]
    shelf.run(started()[0])
    clock.advance(minutes=29)
    shelf.registry.sync_due()
    assert len(started()) == 1
    clock.advance(minutes=1)
    shelf.registry.sync_due()
    shelf.registry.sync_due()
    assert len(started()) == 2
    # One that cannot be read is tried again at its next time, not before.
    repository.git("branch", "-m", "main", "trunk")
    with pytest.raises(StepFailed, match="couldn't find remote ref"):
        shelf.run(started()[0])
    shelf.registry.sync_due()
    assert len(started()) == 2


def test_a_password_is_sealed_and_never_shown(shelf: Shelf, repository: Repository) -> None:
    source = add(shelf, repository, user="reader", password="swordfish-token")
    assert source.has_password
    assert "swordfish" not in repr(source)
    with shelf.world.database.transaction():
        [row] = shelf.world.database.execute(sa.select(source_table))
    assert "swordfish" not in str(row)
    assert "swordfish" not in str(shelf.world.audit.entries)
    shelf.registry.remove_source(PLATFORM, source.id)
    with shelf.world.database.transaction():
        assert list(shelf.world.database.execute(sa.select(source_table))) == []
    with pytest.raises(NotFound):
        shelf.registry.source(PLATFORM, source.id)


def test_every_wrong_field_of_a_source_is_named(shelf: Shelf, repository: Repository) -> None:
    with pytest.raises(Invalid) as caught:
        add(
            shelf, repository, slug="City!", url="ext::sh -c id", kind="moon", folder="../etc",
            password="x", signed=True, minutes=-1,
        )  # fmt: skip
    assert {p.field for p in caught.value.problems} == {
        "slug", "url", "kind", "folder", "user", "allowed_signers", "minutes",
    }  # fmt: skip
    for kind, reference in (("branch", "-x"), ("branch", "a..b"), ("tag", "a b"),
                            ("branch", "x.lock"), ("commit", "main"), ("branch", "")):  # fmt: skip
        with pytest.raises(Invalid, match="reference"):
            add(shelf, repository, kind=kind, reference=reference)
    with pytest.raises(Invalid, match="line 2"):
        add(shelf, repository, allowed_signers="# ours\nnot a key\n")
    add(shelf, repository)
    with pytest.raises(Conflict, match="there is a source city already"):
        add(shelf, repository)


def test_who_may_do_what_with_sources(shelf: Shelf, repository: Repository) -> None:
    source = add(shelf, repository)
    operator = person("operator")
    assert shelf.registry.sources(operator, PageRequest()).items == (source,)
    shelf.registry.request_sync(operator, "city")
    with pytest.raises(Forbidden):
        shelf.registry.add_source(operator, slug="x", url=repository.url)
    with pytest.raises(Forbidden):
        shelf.registry.remove_source(operator, source.id)
    for role in ("member", "department_administrator", "finance"):
        with pytest.raises(Forbidden):
            shelf.registry.sources(person(role), PageRequest())
        with pytest.raises(Forbidden):
            shelf.registry.request_sync(person(role), source.id)


def test_a_source_that_was_removed_meanwhile_publishes_nothing(
    shelf: Shelf, repository: Repository
) -> None:
    source = add(shelf, repository)
    asked = shelf.registry.request_sync(PLATFORM, source.id)
    shelf.registry.remove_source(PLATFORM, source.id)
    with pytest.raises(NotFound):
        shelf.run(asked)
    with pytest.raises(NotFound):
        shelf.world.service.find_revision("memo")
