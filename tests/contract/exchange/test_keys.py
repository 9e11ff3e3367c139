"""Keys: whose they are, when they signed, and that they do not get out."""

from datetime import timedelta

import pytest

from foundation.kernel.errors import Conflict, Forbidden, Invalid
from foundation.kernel.paging import PageRequest
from tests.conftest import SettableClock
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM, person
from workloads.data_exchange.agencies.model import Agency, is_credit_code
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.keys.model import POSSESSION, Key, KeyState
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import PrivateKey, ProofError

TYP = "example+jws"


def registered(exchange: Exchange, agency: Agency, private: PrivateKey) -> Key:
    told = {"agency": agency.id, "kid": private.kid}
    proof = jws.sign(told, private, POSSESSION)
    return exchange.keys.register(SYSTEM, agency.path, private.public.jwk(), proof)


@pytest.mark.usefixtures("agencies")
def test_a_key_that_is_kept_here_signs_and_is_replaced(
    exchange: Exchange, clock: SettableClock
) -> None:
    first = exchange.keys.generate(SYSTEM, CIVIL)
    old, then = exchange.keys.sign(CIVIL, {"a": 1}, TYP), clock.now()
    clock.advance(days=1)
    second = exchange.keys.generate(SYSTEM, CIVIL)
    new = exchange.keys.sign(CIVIL, {"a": 2}, TYP)
    assert exchange.keys.verify(new, TYP).key.kid == second.kid
    # What the first one signed in its time counts, and nothing that is said to be of later.
    assert exchange.keys.verify(old, TYP, at=then).key.kid == first.kid
    with pytest.raises(ProofError, match="did not sign at that time"):
        exchange.keys.verify(old, TYP)
    (found,) = [k for k in exchange.keys.jwks(CIVIL)["keys"] if "exp" in k]  # type: ignore[attr-defined]
    assert found["kid"] == first.kid
    assert exchange.keys.key(SYSTEM, first.kid).state(clock.now()) is KeyState.RETIRED


@pytest.mark.usefixtures("agencies")
def test_ten_years_of_rotation(exchange: Exchange, clock: SettableClock) -> None:
    signed = []
    for _ in range(40):
        exchange.keys.generate(SYSTEM, "/")
        signed.append((exchange.keys.sign("/", {"at": str(clock.now())}, TYP), clock.now()))
        clock.advance(days=91)
    for one, at in signed:
        assert exchange.keys.verify(one, TYP, at=at).key.path == "/"
    assert len({exchange.keys.verify(one, TYP, at=at).key.kid for one, at in signed}) == 40


def test_a_lost_key_takes_nothing_with_it(
    exchange: Exchange, agencies: dict[str, Agency], clock: SettableClock
) -> None:
    private = PrivateKey.generate()
    registered(exchange, agencies[HOUSING], private)
    before, made = clock.now(), jws.sign({"a": 1}, private, TYP)
    lost = clock.advance(hours=1)
    clock.advance(hours=1)
    revoked = exchange.keys.revoke(SYSTEM, private.kid, reason="stolen laptop", since=lost)
    assert revoked.state(clock.now()) is KeyState.REVOKED
    assert exchange.keys.verify(made, TYP, at=before).payload == {"a": 1}
    for at in (lost, lost + timedelta(minutes=5)):
        with pytest.raises(ProofError):
            exchange.keys.verify(made, TYP, at=at)
    # A later guess does not give it time back, an earlier one takes more away.
    again = exchange.keys.revoke(SYSTEM, private.kid, reason="as said")
    assert again.revoked_at == lost
    assert exchange.keys.revoke(SYSTEM, private.kid, reason="x", since=before).revoked_at == before
    with pytest.raises(Conflict):
        registered(exchange, agencies[HOUSING], private)


def test_whoever_registers_a_key_holds_it(exchange: Exchange, agencies: dict[str, Agency]) -> None:
    private, other = PrivateKey.generate(), PrivateKey.generate()
    told = {"agency": agencies[CIVIL].id, "kid": private.kid}
    for proof in (
        "", "a.b.c", jws.sign(told, other, POSSESSION), jws.sign(told, private, TYP),
        jws.sign({**told, "agency": agencies[HOUSING].id}, private, POSSESSION),
    ):  # fmt: skip
        with pytest.raises(Invalid) as wrong:
            exchange.keys.register(SYSTEM, CIVIL, private.public.jwk(), proof)
        assert [one.field for one in wrong.value.problems] == ["possession"]
    assert registered(exchange, agencies[CIVIL], private).hosted is False
    assert registered(exchange, agencies[CIVIL], private).path == CIVIL  # the same again
    with pytest.raises(Conflict):
        registered(exchange, agencies[HOUSING], private)
    with pytest.raises(Conflict, match="no key here"):
        exchange.keys.sign(CIVIL, {}, TYP)


@pytest.mark.usefixtures("agencies")
def test_who_may(exchange: Exchange) -> None:
    for actor, agency in ((person("officer", CIVIL), CIVIL), (person("steward", CIVIL), "/")):
        with pytest.raises(Forbidden):
            exchange.keys.generate(actor, agency)
    steward = person("steward", CIVIL)
    made = exchange.keys.generate(steward, CIVIL)
    page = exchange.keys.keys(person("officer", HOUSING), "", PageRequest())
    assert [one.kid for one in page.items] == [made.kid]


def test_credit_codes() -> None:
    # Published codes of two companies that everybody knows.
    assert is_credit_code("91440300708461136T")
    assert is_credit_code("914403001922038216")
    assert not is_credit_code("91440300708461136U")
    assert not is_credit_code("9144030070846113")
