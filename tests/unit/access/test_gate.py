"""Passwords, sessions and tokens: how a request becomes an actor, and how it does not."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from foundation.access.model import AuditQuery, SignInBlocked
from foundation.access.passwords import Argon2Passwords
from foundation.access.service import Gate
from foundation.access.service.gate import LIMITS
from foundation.access.service.secret import TOKEN_PREFIX, new_secret, well_formed
from foundation.access.store import CredentialStore, PrincipalStore
from foundation.kernel.actor import Actor
from foundation.kernel.database import Database
from foundation.kernel.errors import Forbidden, Invalid, NotFound, Unauthenticated
from foundation.kernel.paging import PageRequest
from tests.conftest import SettableClock
from tests.unit.access.conftest import PASSWORD, City

HEALTH, WATER = "/city/health/", "/city/water/"


@pytest.fixture
def ann(city: City) -> Actor:
    return city.person("ann", "member", HEALTH)


def refused(city: City, login: str, password: str, address: str = "a") -> type[Exception]:
    with pytest.raises((Unauthenticated, SignInBlocked)) as error:
        city.gate.sign_in(login, password, address=address)
    return type(error.value)


def test_a_session_stands_for_its_owner(city: City, ann: Actor) -> None:
    session, secret = city.gate.sign_in(" ANN ", PASSWORD, address="10.0.0.1")
    found = city.gate.by_session(secret)
    assert found is not None
    actor, same = found
    assert (actor, same.id) == (ann, session.id)
    assert actor.scopes is None
    city.gate.sign_out(secret)
    assert city.gate.by_session(secret) is None
    city.gate.sign_out(secret)
    assert city.gate.by_session("guess") is None
    assert city.gate.by_session("\ud800") is None


def test_secrets_are_not_in_the_database(city: City, ann: Actor, database: Database) -> None:
    _, session = city.gate.sign_in("ann", PASSWORD, address="a")
    _, token = city.gate.create_token(ann, name="cli")
    with database.transaction():
        for table in ("access_session", "access_token", "access_principal", "access_attempt"):
            rows = database.execute(sa.text(f"SELECT string_agg(t::text, ' ') FROM {table} t"))  # noqa: S608
            text = rows.scalar_one() or ""
            assert session not in text
            assert token not in text
            assert PASSWORD not in text
            assert "10.0.0.1" not in text


@pytest.mark.usefixtures("ann")
def test_a_session_ends_without_use_and_at_last(city: City, clock: SettableClock) -> None:
    _, secret = city.gate.sign_in("ann", PASSWORD, address="a")
    for _ in range(15):
        clock.advance(hours=11)
        assert (city.gate.by_session(secret) is not None) == (_ < 15)
    clock.advance(hours=3, seconds=1)  # a week after it began
    assert city.gate.by_session(secret) is None
    _, secret = city.gate.sign_in("ann", PASSWORD, address="a")
    clock.advance(hours=12)
    assert city.gate.by_session(secret) is None


@pytest.mark.usefixtures("ann")
def test_signing_in_ends_the_session_that_the_browser_had(city: City) -> None:
    _, first = city.gate.sign_in("ann", PASSWORD, address="a")
    _, second = city.gate.sign_in("ann", PASSWORD, address="a", replaces=first)
    assert first != second
    assert city.gate.by_session(first) is None
    assert city.gate.by_session(second) is not None


@pytest.mark.usefixtures("ann")
def test_ended_sessions_are_swept(city: City, clock: SettableClock, database: Database) -> None:
    for _ in range(3):
        city.gate.sign_in("ann", PASSWORD, address="a")
    clock.advance(days=1)
    city.gate.sign_in("ann", PASSWORD, address="a")
    with database.transaction():
        rows = database.execute(sa.text("SELECT count(*) FROM access_session")).scalar_one()
    assert rows == 1


@pytest.mark.usefixtures("ann")
def test_wrong_names_and_wrong_passwords_look_the_same(city: City) -> None:
    messages = set()
    for login, password in (("ann", "wrong"), ("nobody", PASSWORD), ("", ""), ("a\x00", "x")):
        with pytest.raises(Unauthenticated) as error:
            city.gate.sign_in(login, password, address=login)
        messages.add(error.value.message)
    assert len(messages) == 1


def test_unknown_names_take_as_long_as_known_ones(
    city: City, ann: Actor, database: Database, clock: SettableClock
) -> None:
    slow = Argon2Passwords(PasswordHasher(time_cost=4, memory_cost=16_384, parallelism=1))
    gate = Gate(
        PrincipalStore(database), CredentialStore(database), slow, city.audit, database, clock
    )
    city.people._passwords = slow  # noqa: SLF001 - a person with such a hash
    city.people.set_password(city.admin, ann.id, "another long phrase")

    def spent(login: str) -> float:
        began = time.thread_time()
        with pytest.raises(Unauthenticated):
            gate.sign_in(login, "wrong", address=login)
        return time.thread_time() - began

    known, unknown = spent("ann"), spent("nobody")
    assert 0.5 < known / unknown < 2


@pytest.mark.usefixtures("ann")
def test_after_some_failures_a_name_is_blocked_for_a_while(
    city: City, clock: SettableClock
) -> None:
    for _ in range(LIMITS["pair"]):
        assert refused(city, "ann", "wrong") is Unauthenticated
    with pytest.raises(SignInBlocked) as blocked:
        city.gate.sign_in("ann", PASSWORD, address="a")  # even with the right one
    assert 0 < blocked.value.retry_after <= 15 * 60
    # From elsewhere she still gets in: nobody locks her out from afar.
    assert city.gate.sign_in("ann", PASSWORD, address="b")
    clock.advance(seconds=blocked.value.retry_after)
    assert city.gate.sign_in("ann", PASSWORD, address="a")
    assert refused(city, "ann", "wrong") is Unauthenticated  # the count begins again


def test_names_that_do_not_exist_are_blocked_alike(city: City) -> None:
    for _ in range(LIMITS["pair"]):
        assert refused(city, "nobody", "x") is Unauthenticated
    assert refused(city, "nobody", "x") is SignInBlocked


@pytest.mark.usefixtures("ann")
def test_many_addresses_and_many_names_have_their_limits(city: City) -> None:
    for number in range(LIMITS["name"]):
        assert refused(city, "ann", "wrong", f"a{number}") is Unauthenticated
    assert refused(city, "ann", "wrong", "another") is SignInBlocked
    for number in range(LIMITS["address"]):
        assert refused(city, f"n{number}", "wrong", "one") is Unauthenticated
    assert refused(city, "yet-another", "wrong", "one") is SignInBlocked


@pytest.mark.usefixtures("ann")
def test_attempts_at_once_do_not_slip_by(city: City) -> None:
    with ThreadPoolExecutor(8) as pool:
        kinds = [f.result() for f in [pool.submit(refused, city, "ann", "w") for _ in range(30)]]
    assert kinds.count(Unauthenticated) == LIMITS["pair"]


def test_failures_are_audited_without_what_was_typed(city: City, ann: Actor) -> None:
    refused(city, "ann", "wrong-secret")
    refused(city, "my-password-typed-here", "x")
    entries = city.audit.entries(
        city.admin, AuditQuery(action="session.create"), PageRequest()
    ).items
    assert [(e.outcome, e.subject) for e in entries] == [("refused", ""), ("refused", ann.id)]
    assert "typed" not in repr(entries)
    assert "wrong-secret" not in repr(entries)


@pytest.mark.usefixtures("ann")
def test_a_password_is_hashed_anew_when_the_parameters_change(
    city: City, database: Database, clock: SettableClock
) -> None:
    stronger = Argon2Passwords(PasswordHasher(time_cost=2, memory_cost=64, parallelism=1))
    store = PrincipalStore(database)
    gate = Gate(store, CredentialStore(database), stronger, city.audit, database, clock)

    def stored() -> str:
        with database.transaction():
            return store.by_login("ann")[1]

    before = stored()
    with pytest.raises(Unauthenticated):
        gate.sign_in("ann", "wrong", address="a")
    assert stored() == before
    gate.sign_in("ann", PASSWORD, address="a")
    assert "t=2" in stored()
    assert city.gate.sign_in("ann", PASSWORD, address="a")


def test_changing_ones_own_password(city: City, ann: Actor) -> None:
    mine, secret = city.gate.sign_in("ann", PASSWORD, address="a")
    _, other = city.gate.sign_in("ann", PASSWORD, address="a")
    change = city.gate.change_password
    with pytest.raises(Unauthenticated):
        change(ann, present="wrong", new="another long phrase", address="a")
    with pytest.raises(Invalid):
        change(ann, present=PASSWORD, new="short", address="a")
    change(ann, present=PASSWORD, new="another long phrase", address="a", session_id=mine.id)
    assert city.gate.by_session(secret) is not None
    assert city.gate.by_session(other) is None
    assert refused(city, "ann", PASSWORD) is Unauthenticated


def test_a_token_stands_for_its_owner_within_its_scopes(
    city: City, ann: Actor, clock: SettableClock
) -> None:
    token, secret = city.gate.create_token(ann, name="ci", days=7, scopes=["order.*", "usage.view"])
    actor, same = city.gate.by_token(secret)
    assert (actor.id, actor.grants) == (ann.id, ann.grants)
    assert actor.scopes == {"order.*", "usage.view"}
    assert same.expires_at == clock.now() + timedelta(days=7)
    listed = city.gate.tokens(ann, PageRequest()).items
    assert [t.id for t in listed] == [token.id]
    assert listed[0].last_used_at == clock.now()
    assert secret.startswith(listed[0].hint)
    assert len(listed[0].hint) < len(secret) / 2


def test_tokens_expire_and_are_revoked(city: City, ann: Actor, clock: SettableClock) -> None:
    first, secret = city.gate.create_token(ann, name="a", days=1)
    _, other = city.gate.create_token(ann, name="b", days=1)
    city.gate.revoke_token(ann, first.id)
    city.gate.revoke_token(ann, first.id)
    with pytest.raises(Unauthenticated):
        city.gate.by_token(secret)
    clock.advance(hours=23, minutes=59)
    assert city.gate.by_token(other)
    clock.advance(minutes=1)
    with pytest.raises(Unauthenticated):
        city.gate.by_token(other)


def test_the_form_of_a_token() -> None:
    secret = new_secret()
    assert secret.startswith(TOKEN_PREFIX)
    assert well_formed(secret)
    assert not well_formed(secret[:-1])
    assert not well_formed(secret.removeprefix(TOKEN_PREFIX))
    flipped = secret[:20] + ("a" if secret[20] != "a" else "b") + secret[21:]
    assert not well_formed(flipped)
    assert not well_formed(TOKEN_PREFIX + "é" * 42)
    assert len({new_secret() for _ in range(100)}) == 100


def test_what_is_wrong_with_a_token_is_all_named(city: City, ann: Actor) -> None:
    for days in (0, 91):
        with pytest.raises(Invalid) as wrong:
            city.gate.create_token(ann, name=" ", days=days, scopes=["order.view", "no.such", "*"])
        assert {p.field for p in wrong.value.problems} == {"name", "days", "scopes.1", "scopes.2"}
    with pytest.raises(Invalid):
        city.gate.create_token(ann, name="x", scopes=[])


def test_a_scoped_token_leaves_the_account_alone(city: City, ann: Actor) -> None:
    other, _ = city.gate.create_token(ann, name="other")
    _, secret = city.gate.create_token(ann, name="ci", scopes=["order.view"])
    ci = city.gate.by_token(secret)[0]
    for attempt in (
        lambda: city.gate.create_token(ci, name="x", scopes=["order.view"]),
        lambda: city.gate.revoke_token(ci, other.id),
        lambda: city.gate.tokens(ci, PageRequest()),
        lambda: city.gate.change_password(ci, present=PASSWORD, new="n" * 12, address="a"),
    ):
        with pytest.raises(Forbidden):
            attempt()
    token = city.gate.by_token(secret)[1]
    city.gate.end_token(ci, token.id)  # but it may end itself
    with pytest.raises(Unauthenticated):
        city.gate.by_token(secret)


def test_a_token_makes_no_wider_token(city: City, ann: Actor) -> None:
    scopes = ["account.manage", "order.*"]
    _, secret = city.gate.create_token(ann, name="maker", scopes=scopes)
    maker = city.gate.by_token(secret)[0]
    for wider in (None, ["order.view", "usage.view"], ["*.view"]):
        with pytest.raises(Forbidden):
            city.gate.create_token(maker, name="x", scopes=wider)
    assert city.gate.create_token(maker, name="x", scopes=["order.view"])


def test_tokens_of_service_accounts_are_made_by_those_who_manage_them(
    city: City, ann: Actor
) -> None:
    mia = city.person("mia", "department_administrator", HEALTH)
    robot = city.people.create_service_account(mia, login="ci", name="CI", path=HEALTH)
    city.people.grant(mia, principal_id=robot.id, role="member", path=HEALTH)
    token, secret = city.gate.create_token(mia, name="x", principal_id=robot.id)
    actor, _ = city.gate.by_token(secret)
    assert (actor.id, actor.kind) == (robot.id, "service")
    assert [t.id for t in city.gate.tokens(mia, PageRequest(), principal_id=robot.id).items] == [
        token.id
    ]
    outsider = city.person("will", "department_administrator", WATER)
    for stranger in (ann, outsider):
        with pytest.raises(NotFound):
            city.gate.create_token(stranger, name="x", principal_id=robot.id)
        with pytest.raises(NotFound):
            city.gate.tokens(stranger, PageRequest(), principal_id=robot.id)
        with pytest.raises(NotFound):
            city.gate.revoke_token(stranger, token.id)
    with pytest.raises(Forbidden):  # a person's tokens are their own
        city.gate.create_token(mia, name="x", principal_id=ann.id)
    # Once the city gives it more, the department can no longer act through it.
    city.people.grant(city.admin, principal_id=robot.id, role="operator", path="/")
    with pytest.raises((Forbidden, NotFound)):
        city.gate.create_token(mia, name="x", principal_id=robot.id)
    city.gate.revoke_token(mia, token.id)
    with pytest.raises(Unauthenticated):
        city.gate.by_token(secret)


@pytest.mark.usefixtures("ann")
def test_a_department_behind_one_address_is_not_blocked_by_signing_in(city: City) -> None:
    for _ in range(LIMITS["address"] + 1):
        assert city.gate.sign_in("ann", PASSWORD, address="one")
    assert refused(city, "nobody", "wrong", "one") is Unauthenticated


def test_another_password_ends_tokens_made_with_the_old_one(city: City, ann: Actor) -> None:
    _, secret = city.gate.token_by_password("ann", PASSWORD, address="a", name="laptop")
    assert city.gate.by_token(secret)
    city.people.set_password(city.admin, ann.id, "another long phrase")
    with pytest.raises(Unauthenticated):
        city.gate.by_token(secret)
