"""Grants: whom they are given, what they say, and what a clock or a thief cannot do with them."""

from datetime import timedelta
from typing import Any

import pytest

from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from tests.conftest import SettableClock
from tests.contract.exchange.test_agreements import own_key
from tests.harness.agreements import PURPOSE, STEWARD, an_ask, in_force, someone
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM, TAX
from workloads.data_exchange.agencies.model import Agency
from workloads.data_exchange.agreements.contracts.model import Party, Version
from workloads.data_exchange.agreements.grants.model import AUDIENCE, GRANT, ISSUER, REQUEST
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import PrivateKey

MACHINE = Actor(
    PrincipalId("svc_housing"), "housing", ActorKind.SERVICE,
    (Grant("exchange_officer", HOUSING),),
)  # fmt: skip


@pytest.fixture
def key(exchange: Exchange, agencies: dict[str, Agency]) -> PrivateKey:
    return own_key(exchange, agencies[HOUSING])


@pytest.fixture
def version(exchange: Exchange, key: PrivateKey) -> Version:
    exchange.keys.generate(SYSTEM, HOUSING)
    assert key
    return in_force(exchange)


def claims(exchange: Exchange, token: str) -> dict[str, Any]:
    return dict(exchange.keys.verify(token, GRANT).payload)


def test_a_machine_gets_one(
    exchange: Exchange, version: Version, key: PrivateKey, clock: SettableClock
) -> None:
    given = exchange.agreeing.grants.issue(MACHINE, version.agreement, key.kid)
    now, said = int(clock.now().timestamp()), claims(exchange, given.token)
    assert said.pop("jti").startswith("gnt_")
    assert said == {
        "iss": ISSUER, "aud": AUDIENCE, "sub": HOUSING, "client_id": MACHINE.id, "iat": now,
        "exp": now + 900, "cnf": {"jkt": key.kid}, "agreement": version.agreement, "version": 1,
        "digest": version.digest, "purposes": [PURPOSE],
    }  # fmt: skip
    assert exchange.keys.verify(given.token, GRANT).key.path == "/"
    assert jws.parse(given.token).header["typ"] == "at+jwt"


def test_whom_it_is_not_given(
    exchange: Exchange, version: Version, key: PrivateKey, agencies: dict[str, Agency]
) -> None:
    issue = exchange.agreeing.grants.issue
    foreign = own_key(exchange, agencies[CIVIL])
    for kid in ("", "x", foreign.kid):
        with pytest.raises(Invalid) as error:
            issue(MACHINE, version.agreement, kid)
        assert [one.field for one in error.value.problems] == ["kid"]
    with pytest.raises(Invalid) as error:
        issue(MACHINE, version.agreement, "", purposes=[PURPOSE, "dpv:Marketing"], seconds=901)
    assert {one.field for one in error.value.problems} == {"kid", "purposes.1", "seconds"}
    with pytest.raises(NotFound):
        issue(someone("x", "officer", TAX), version.agreement, key.kid)
    for actor in (STEWARD, someone("y", "officer", CIVIL)):
        with pytest.raises((Forbidden, NotFound)):
            issue(actor, version.agreement, key.kid)
    exchange.keys.revoke(SYSTEM, key.kid, reason="lost")
    with pytest.raises(Invalid):
        issue(MACHINE, version.agreement, key.kid)


def test_only_while_the_agreement_is_in_force(
    exchange: Exchange, version: Version, key: PrivateKey, clock: SettableClock
) -> None:
    issue = exchange.agreeing.grants.issue
    terms = exchange.agreeing.agreements.terms(version)
    clock.set(terms.ends - timedelta(seconds=100))
    given = issue(MACHINE, version.agreement, key.kid)
    assert given.seconds == 100
    assert claims(exchange, given.token)["exp"] == int(terms.ends.timestamp())
    clock.set(terms.ends)
    with pytest.raises(Conflict):
        issue(MACHINE, version.agreement, key.kid)
    clock.set(terms.begins + timedelta(seconds=1))
    exchange.agreeing.agreements.revoke(STEWARD, version.agreement, Party.PROVIDER, "misused")
    with pytest.raises(Conflict):
        issue(MACHINE, version.agreement, key.kid)


@pytest.mark.usefixtures("key")
def test_not_before_its_term(exchange: Exchange, key: PrivateKey, clock: SettableClock) -> None:
    exchange.keys.generate(SYSTEM, HOUSING)
    later = an_ask(clock.now(), begins=clock.now() + timedelta(hours=1))
    version = in_force(exchange, ask=later)
    with pytest.raises(Conflict):
        exchange.agreeing.grants.issue(MACHINE, version.agreement, key.kid)


def test_a_signed_request(
    exchange: Exchange,
    version: Version,
    key: PrivateKey,
    agencies: dict[str, Agency],
    clock: SettableClock,
) -> None:
    issue = exchange.agreeing.grants.issue_signed
    now = int(clock.now().timestamp())
    asked: dict[str, Any] = {"agreement": version.agreement, "iat": now}
    given = issue(version.agreement, jws.sign({**asked, "seconds": 60}, key, REQUEST))
    said = claims(exchange, given.token)
    assert (said["cnf"], said["exp"] - said["iat"]) == ({"jkt": key.kid}, 60)
    for other in ("", "a.b.c", jws.sign(asked, PrivateKey.generate(), REQUEST),
                  jws.sign(asked, key, GRANT)):  # fmt: skip
        with pytest.raises(Unauthenticated):
            issue(version.agreement, other)
    for change, field in (
        ({"iat": now - 61}, "iat"), ({"iat": now + 61}, "iat"), ({"iat": True}, "iat"),
        ({"iat": None}, "iat"), ({"agreement": "agr_2"}, "agreement"), ({"aud": "x"}, "aud"),
        ({"purposes": "x"}, "purposes"), ({"purposes": ["dpv:Marketing"]}, "purposes.0"),
        ({"seconds": 0}, "seconds"), ({"seconds": "9"}, "seconds"),
    ):  # fmt: skip
        with pytest.raises(Invalid) as error:
            issue(version.agreement, jws.sign({**asked, **change}, key, REQUEST))
        assert [one.field for one in error.value.problems] == [field]
    # A clock that is a minute off is good enough on either side.
    for iat in (now - 60, now + 60):
        issue(version.agreement, jws.sign({**asked, "iat": iat}, key, REQUEST))
    # Another agency's key, and an agreement that there is not, are answered alike.
    foreign = own_key(exchange, agencies[TAX])
    messages = set()
    for agreement in (version.agreement, "agr_none"):
        with pytest.raises(NotFound) as missing:
            issue(agreement, jws.sign({**asked, "agreement": agreement}, foreign, REQUEST))
        messages.add(missing.value.message)
    assert len(messages) == 1
