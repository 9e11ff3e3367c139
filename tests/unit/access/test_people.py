"""Who manages whom, and that nobody gives away what they do not hold."""

import pytest

from foundation.access import policy
from foundation.access.model import AuditQuery, Principal, PrincipalState
from foundation.kernel.actor import Actor, ActorKind
from foundation.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionFailed,
    Unauthenticated,
)
from foundation.kernel.paging import PageRequest
from tests.unit.access.conftest import PASSWORD, City

HEALTH, WATER = "/city/health/", "/city/water/"


@pytest.fixture
def manager(city: City) -> Actor:
    return city.person("mia", "department_administrator", HEALTH)


def logins(city: City, actor: Actor, text: str = "", limit: int = 50) -> list[str]:
    found, cursor = [], None
    while True:
        page = city.people.principals(
            actor, ActorKind.PERSON, PageRequest(cursor, limit), text=text
        )
        found += [person.login for person in page.items]
        cursor = page.next
        if cursor is None:
            return found


def create(city: City, actor: Actor, login: str, path: str) -> Principal:
    return city.people.create_person(actor, login=login, name=login, path=path, password=PASSWORD)


def test_the_first_administrator_is_made_once(city: City) -> None:
    assert city.people.ensure_administrator() is None
    assert city.gate.sign_in("admin", PASSWORD, address="a")


def test_people_are_seen_by_those_who_manage_them(city: City, manager: Actor) -> None:
    create(city, manager, "hans", HEALTH)
    create(city, manager, "hilde", HEALTH + "clinics/")
    walter = create(city, city.admin, "walter", WATER)
    assert logins(city, manager) == ["hans", "hilde", "mia"]
    assert logins(city, manager, limit=1) == ["hans", "hilde", "mia"]
    assert logins(city, manager, text="IL") == ["hilde"]
    assert logins(city, manager, text="%") == []
    assert logins(city, city.admin) == ["admin", "hans", "hilde", "mia", "walter"]
    member = city.person("mo", "member", HEALTH)
    assert logins(city, member) == []
    assert city.people.principal(member, member.id).login == "mo"
    for stranger in (manager, member):
        with pytest.raises(NotFound):
            city.people.principal(stranger, walter.id)


def test_people_are_made_in_ones_own_part_of_the_tree(city: City, manager: Actor) -> None:
    for path in (WATER, "/city/", "/city/healthcare/"):
        with pytest.raises(NotFound):
            create(city, manager, "x", path)
    with pytest.raises(Forbidden):
        create(city, manager, "x", "/")
    with pytest.raises(Forbidden):
        create(city, city.person("mo", "member", HEALTH), "x", HEALTH)


def test_every_wrong_field_of_a_person_is_named(city: City) -> None:
    with pytest.raises(Invalid) as wrong:
        city.people.create_person(
            city.admin, login="No Spaces", name=" ", path="city", email="at", password="short"
        )
    fields = {problem.field for problem in wrong.value.problems}
    assert fields == {"login", "name", "path", "email", "password"}


@pytest.mark.parametrize("password", ["elevenchars", "x" * 201, "a" * 16, "Mona-mona-1mona"])
def test_weak_passwords_are_refused(city: City, password: str) -> None:
    with pytest.raises(Invalid):
        city.people.create_person(
            city.admin, login="mona", name="Mona", path="/", password=password
        )


def test_a_login_is_taken_once(city: City, manager: Actor) -> None:
    with pytest.raises(Conflict):
        create(city, manager, "admin", HEALTH)
    with pytest.raises(Conflict):
        city.people.create_service_account(manager, login="mia", name="M", path=HEALTH)


def test_nobody_grants_what_they_do_not_hold(city: City, manager: Actor) -> None:
    hans = create(city, manager, "hans", HEALTH)
    city.people.grant(manager, principal_id=hans.id, role="member", path=HEALTH)
    for role in ("approver", "auditor", "finance", "operator", "platform_administrator"):
        with pytest.raises(Forbidden):
            city.people.grant(manager, principal_id=hans.id, role=role, path=HEALTH)
        with pytest.raises(Forbidden):  # nor to themselves
            city.people.grant(manager, principal_id=manager.id, role=role, path=HEALTH)
    for path in (WATER, "/city/", "/"):
        with pytest.raises((NotFound, Forbidden)):
            city.people.grant(manager, principal_id=hans.id, role="member", path=path)
    walter = create(city, city.admin, "walter", WATER)
    with pytest.raises(Invalid):  # not one of theirs
        city.people.grant(manager, principal_id=walter.id, role="member", path=HEALTH)
    with pytest.raises(Conflict):
        city.people.grant(manager, principal_id=hans.id, role="member", path=HEALTH)
    with pytest.raises(Invalid):
        city.people.grant(city.admin, principal_id=hans.id, role="king", path=HEALTH)


def test_accounts_that_hold_more_are_not_managed(city: City, manager: Actor) -> None:
    """Else a department could act through the finance officer or the city's administrator."""
    for login, role, path in (
        ("fred", "finance", HEALTH),
        ("chief", "platform_administrator", "/"),
        ("wanda", "member", WATER),
    ):
        person = city.person(login, role, path, home=HEALTH)
        with pytest.raises((Forbidden, NotFound)):
            city.people.set_password(manager, person.id, "another long phrase")
        with pytest.raises((Forbidden, NotFound)):
            city.people.update(manager, person.id, version=1, state=PrincipalState.DISABLED)
        given = city.people.grants(city.admin, PageRequest(), principal_id=person.id).items[0]
        with pytest.raises((Forbidden, NotFound)):
            city.people.revoke(manager, given.id)
    assert city.gate.sign_in("fred", PASSWORD, address="a")


def test_grants_are_seen_by_path(city: City, manager: Actor) -> None:
    city.person("walter", "member", WATER)
    seen = city.people.grants(manager, PageRequest()).items
    assert {grant.path for grant in seen} == {HEALTH}
    assert city.people.grants(city.person("mo", "member", HEALTH), PageRequest()).items == ()


def test_a_revoked_role_is_gone(city: City, manager: Actor) -> None:
    hans = create(city, manager, "hans", HEALTH)
    given = city.people.grant(manager, principal_id=hans.id, role="member", path=HEALTH)
    _, secret = city.gate.sign_in("hans", PASSWORD, address="a")
    before = city.gate.by_session(secret)
    assert before is not None
    assert [grant.role for grant in before[0].grants] == ["member"]
    city.people.revoke(manager, given.id)
    after = city.gate.by_session(secret)
    assert after is not None
    assert after[0].grants == ()
    with pytest.raises(NotFound):
        city.people.revoke(manager, given.id)


def test_a_token_is_what_its_owner_is_now(city: City, manager: Actor) -> None:
    hans = create(city, manager, "hans", HEALTH)
    given = city.people.grant(manager, principal_id=hans.id, role="member", path=HEALTH)

    def token(*scopes: str) -> str:
        return city.gate.token_by_password(
            "hans", PASSWORD, address="a", name="cli", scopes=scopes or None
        )[1]

    whole, narrow = token(), token("order.*")

    def may(secret: str, action: str) -> bool:
        return policy.allows(city.gate.by_token(secret)[0], action, HEALTH)

    assert [may(s, "order.create") for s in (whole, narrow)] == [True, True]
    city.people.revoke(manager, given.id)
    assert [may(s, "order.create") for s in (whole, narrow)] == [False, False]
    # What is granted later comes with the tokens, as far as their scopes reach.
    city.people.grant(manager, principal_id=hans.id, role="department_administrator", path=HEALTH)
    assert [may(s, "order.create") for s in (whole, narrow)] == [True, True]
    assert [may(s, "person.create") for s in (whole, narrow)] == [True, False]


def test_changes_need_the_version_that_was_seen(city: City, manager: Actor) -> None:
    hans = create(city, manager, "hans", HEALTH)
    changed = city.people.update(manager, hans.id, version=1, name="Hans H.", email="h@city.gov")
    assert (changed.name, changed.version) == ("Hans H.", 2)
    with pytest.raises(PreconditionFailed):
        city.people.update(manager, hans.id, version=1, name="Hans")
    with pytest.raises(NotFound):  # nobody is moved out of one's sight
        city.people.update(manager, hans.id, version=2, path=WATER)
    entry = city.audit.entries(city.admin, AuditQuery(action="person.update"), PageRequest()).items[
        0
    ]
    assert entry.detail == {"name": ["hans", "Hans H."], "email": ["", "h@city.gov"]}


def test_a_disabled_person_is_out_at_once(city: City, manager: Actor) -> None:
    hans = create(city, manager, "hans", HEALTH)
    _, session = city.gate.sign_in("hans", PASSWORD, address="a")
    _, token = city.gate.token_by_password("hans", PASSWORD, address="a", name="cli")
    city.people.update(manager, hans.id, version=1, state=PrincipalState.DISABLED)
    assert city.gate.by_session(session) is None
    with pytest.raises(Unauthenticated):
        city.gate.by_token(token)
    with pytest.raises(Unauthenticated):
        city.gate.sign_in("hans", PASSWORD, address="a")
    with pytest.raises(Conflict):
        city.people.update(manager, manager.id, version=1, state=PrincipalState.DISABLED)


def test_the_platform_keeps_an_administrator(city: City) -> None:
    grants = city.people.grants(city.admin, PageRequest(), principal_id=city.admin.id).items
    with pytest.raises(Conflict):
        city.people.revoke(city.admin, grants[0].id)
    other = city.person("boss", "platform_administrator", "/")
    city.people.update(other, city.admin.id, version=1, state=PrincipalState.DISABLED)
    again = city.people.grants(other, PageRequest(), principal_id=other.id).items
    with pytest.raises(Conflict):  # the first one is disabled: it does not count
        city.people.revoke(other, again[0].id)


def test_another_password_ends_the_sessions(city: City, manager: Actor) -> None:
    hans = create(city, manager, "hans", HEALTH)
    _, session = city.gate.sign_in("hans", PASSWORD, address="a")
    city.people.set_password(manager, hans.id, "another long phrase")
    assert city.gate.by_session(session) is None
    with pytest.raises(Unauthenticated):
        city.gate.sign_in("hans", PASSWORD, address="a")
    assert city.gate.sign_in("hans", "another long phrase", address="a")


def test_service_accounts_have_no_password(city: City, manager: Actor) -> None:
    robot = city.people.create_service_account(manager, login="ci", name="CI", path=HEALTH)
    with pytest.raises(Invalid):
        city.people.set_password(manager, robot.id, PASSWORD)
    with pytest.raises(Unauthenticated):
        city.gate.sign_in("ci", "", address="a")


def test_everything_is_in_the_audit_log_and_nothing_secret(city: City, manager: Actor) -> None:
    hans = create(city, manager, "hans", HEALTH)
    city.people.set_password(manager, hans.id, "another long phrase")
    city.gate.token_by_password("hans", "another long phrase", address="a", name="cli")
    entries = city.audit.entries(manager, AuditQuery(), PageRequest()).items
    assert [entry.action for entry in entries] == [
        "token.create", "person.set_password", "person.create", "grant.create", "person.create",
    ]  # fmt: skip
    assert "phrase" not in repr(entries)
    assert "borough_pat_" not in repr(entries)
    assert city.audit.verify(city.admin).ok


def test_a_path_that_no_organisation_has_is_refused(city: City, manager: Actor) -> None:
    hans = create(city, manager, "hans", HEALTH)
    gone = HEALTH + "gone/"
    city.places.absent.add(gone)
    with pytest.raises(Invalid) as refused:
        create(city, manager, "gunda", gone)
    assert [(p.field, p.code) for p in refused.value.problems] == [("path", "unknown")]
    with pytest.raises(Invalid) as refused:
        city.people.update(manager, hans.id, version=hans.version, path=gone)
    assert [(p.field, p.code) for p in refused.value.problems] == [("path", "unknown")]
    with pytest.raises(Invalid) as refused:
        city.people.grant(manager, principal_id="usr_none", role="king", path=gone)
    assert {p.field for p in refused.value.problems} == {"role", "principal_id", "path"}
    # Whoever may not manage there learns nothing of what is there.
    city.places.absent.add(WATER)
    for path in (WATER, WATER + "there/"):
        with pytest.raises(NotFound):
            city.people.grant(manager, principal_id=hans.id, role="member", path=path)
    city.people.grant(city.admin, principal_id=hans.id, role="member", path="/")
