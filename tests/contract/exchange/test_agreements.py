"""Agreements on a real database: both sign, versions, revocation, keys that turn over."""

import json
import threading
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from foundation.kernel.errors import BoroughError, Conflict, Forbidden, Invalid, NotFound
from foundation.kernel.paging import PageRequest
from tests.conftest import SettableClock
from tests.harness.agreements import (
    OFFICER,
    SIGNER,
    STEWARD,
    an_ask,
    approved,
    in_force,
    signed,
    someone,
)
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM, TAX
from workloads.data_exchange.agencies.model import Agency
from workloads.data_exchange.agreements.ask import AskedField
from workloads.data_exchange.agreements.contracts import evidence
from workloads.data_exchange.agreements.contracts.model import (
    AGREEMENT,
    RECORD,
    AgreementState,
    Party,
    Version,
)
from workloads.data_exchange.agreements.contracts.store import CHANNEL
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.keys.model import POSSESSION
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import PrivateKey, ProofError

pytestmark = pytest.mark.usefixtures("agencies")


def newest(exchange: Exchange, agreement: str) -> Version:
    return exchange.agreeing.agreements.versions(SYSTEM, agreement)[0]


def own_key(exchange: Exchange, agency: Agency) -> PrivateKey:
    private = PrivateKey.generate()
    proof = jws.sign({"agency": agency.id, "kid": private.kid}, private, POSSESSION)
    exchange.keys.register(SYSTEM, agency.path, private.public.jwk(), proof)
    return private


def test_it_counts_when_both_have_signed(exchange: Exchange, clock: SettableClock) -> None:
    contracts = exchange.agreeing.agreements
    for path in (CIVIL, HOUSING):
        exchange.keys.generate(SYSTEM, path)
    request = approved(exchange)
    digest = newest(exchange, request.agreement).digest

    def state() -> AgreementState:
        found = contracts.agreement(SYSTEM, request.agreement)
        (listed,) = contracts.agreements(
            SYSTEM, PageRequest(), state=found.state(clock.now())
        ).items
        assert listed == found
        return found.state(clock.now())

    assert state() is AgreementState.PROPOSED
    contracts.sign(STEWARD, request.agreement, Party.PROVIDER, digest)
    assert contracts.in_force().terms == ()
    before = clock.advance(minutes=1)
    version = contracts.sign(SIGNER, request.agreement, Party.CONSUMER, digest)
    assert version.in_force_at == before
    assert state() is AgreementState.IN_FORCE
    (terms,) = contracts.in_force().terms
    assert terms.digest == digest
    assert (terms.provider, terms.consumer) == (CIVIL, HOUSING)
    assert [field.name for field in terms.fields] == ["id", "name", "members"]
    # Signing again is the same signature.
    again = contracts.sign(SIGNER, request.agreement, Party.CONSUMER, digest)
    assert again.signatures == version.signatures
    # The exchange's record says when, for whoever was not there.
    record = exchange.keys.verify(version.record, RECORD).payload
    assert (record["digest"], set(record["signatures"])) == (digest, {"provider", "consumer"})
    clock.set(terms.ends)
    assert state() is AgreementState.ENDED
    assert contracts.in_force().terms == ()
    contracts.end()
    contracts.end()
    with exchange.base.database.transaction():
        told = exchange.base.database.execute(
            sa.text("SELECT count(*) FROM kernel_outbox WHERE topic = 'exchange.agreement.ended'")
        ).scalar_one()
    assert told == 1
    with pytest.raises(Conflict):
        contracts.revoke(STEWARD, request.agreement, Party.PROVIDER, "late")


def test_a_term_that_has_not_begun(exchange: Exchange, clock: SettableClock) -> None:
    begins = clock.now() + timedelta(days=3)
    version = in_force(exchange, ask=an_ask(clock.now(), begins=begins))
    there = exchange.agreeing.agreements.agreement(SYSTEM, version.agreement)
    assert there.state(clock.now()) is AgreementState.SIGNED
    (terms,) = exchange.agreeing.agreements.in_force().terms
    assert not terms.holds_at(clock.now())
    assert terms.holds_at(begins)


def test_who_may_sign(exchange: Exchange) -> None:
    contracts = exchange.agreeing.agreements
    request = approved(exchange)
    agreement, digest = request.agreement, newest(exchange, request.agreement).digest
    with pytest.raises(Conflict, match="no key here"):
        contracts.sign(STEWARD, agreement, Party.PROVIDER, digest)
    for path in (CIVIL, HOUSING):
        exchange.keys.generate(SYSTEM, path)
    for actor, party in ((OFFICER, Party.CONSUMER), (STEWARD, Party.CONSUMER)):
        with pytest.raises(Forbidden):
            contracts.sign(actor, agreement, party, digest)
    with pytest.raises(NotFound):
        contracts.sign(someone("x", "steward", TAX), agreement, Party.PROVIDER, digest)
    with pytest.raises(Conflict, match="another version"):
        contracts.sign(STEWARD, agreement, Party.PROVIDER, "sha256:0")
    both = someone("both", "administrator", "/")
    contracts.sign(both, agreement, Party.PROVIDER, digest)
    with pytest.raises(Forbidden, match="for one side"):
        contracts.sign(both, agreement, Party.CONSUMER, digest)


def test_with_their_own_keys(exchange: Exchange, agencies: dict[str, Agency]) -> None:
    contracts = exchange.agreeing.agreements
    ours, theirs = own_key(exchange, agencies[CIVIL]), own_key(exchange, agencies[HOUSING])
    request = approved(exchange)
    version = newest(exchange, request.agreement)
    policy = json.loads(version.policy)
    other = {**policy, "uid": f"{policy['uid']}0"}
    for wrong in (
        "", "a.b.c", jws.sign(policy, theirs, AGREEMENT), jws.sign(policy, ours, RECORD),
        jws.sign(other, ours, AGREEMENT), jws.sign(policy, PrivateKey.generate(), AGREEMENT),
    ):  # fmt: skip
        with pytest.raises(Invalid) as error:
            contracts.submit(STEWARD, request.agreement, Party.PROVIDER, wrong)
        assert {one.field for one in error.value.problems} == {"signature"}
    contracts.submit(STEWARD, request.agreement, Party.PROVIDER, jws.sign(policy, ours, AGREEMENT))
    contracts.submit(SIGNER, request.agreement, Party.CONSUMER, jws.sign(policy, theirs, AGREEMENT))
    assert [one.holds for one in contracts.verify(OFFICER, request.agreement, 1)] == [True, True]
    assert len(contracts.in_force().terms) == 1


def test_both_sign_at_once_and_it_counts_once(exchange: Exchange) -> None:
    request = approved(exchange)
    for path in (CIVIL, HOUSING):
        exchange.keys.generate(SYSTEM, path)
    digest = newest(exchange, request.agreement).digest
    ready, wrong = threading.Barrier(4), []

    def sign(n: int) -> None:
        party = Party.CONSUMER if n % 2 else Party.PROVIDER
        path = HOUSING if n % 2 else CIVIL
        ready.wait()
        try:
            exchange.agreeing.agreements.sign(
                someone(f"s{n}", "steward", path), request.agreement, party, digest
            )
        except BoroughError as error:
            wrong.append(error)

    threads = [threading.Thread(target=sign, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert exchange.agreeing.agreements.in_force().position == 1
    assert len(newest(exchange, request.agreement).signatures) == 2


def test_an_amendment_counts_when_both_have_signed_it(
    exchange: Exchange, clock: SettableClock
) -> None:
    contracts = exchange.agreeing.agreements
    first = in_force(exchange)
    since = contracts.in_force().position
    ask = an_ask(clock.now(), fields=(AskedField("district", whole=True),))
    request = approved(exchange, amends=first.agreement, ask=ask)
    assert request.agreement == first.agreement
    assert [one.number for one in contracts.versions(SYSTEM, first.agreement)] == [2, 1]
    # Until then the first counts, and can be signed no more.
    assert [terms.digest for terms in contracts.in_force().terms] == [first.digest]
    with pytest.raises(Conflict):
        contracts.sign(STEWARD, first.agreement, Party.PROVIDER, first.digest)
    second = signed(exchange, first.agreement)
    changed = contracts.changes(since)
    assert [terms.digest for terms in changed.terms] == [second.digest]
    assert contracts.changes(changed.position).terms == ()
    assert contracts.version(SYSTEM, first.agreement).number == 2
    assert [one.holds for one in contracts.verify(SYSTEM, first.agreement, 1)] == [True, True]
    with pytest.raises(Invalid):
        approved(exchange, amends="agr_other")
    # It would leave a gap: nothing counts between the signature and its first day.
    later = replace(ask, begins=clock.now() + timedelta(days=1))
    with pytest.raises(Invalid) as error:
        approved(exchange, amends=first.agreement, ask=later)
    assert [one.field for one in error.value.problems] == ["begins"]
    contracts.revoke(SIGNER, first.agreement, Party.CONSUMER, "done")
    with pytest.raises(Invalid):
        approved(exchange, amends=first.agreement)


def test_either_side_revokes_and_gateways_hear_at_once(
    exchange: Exchange, clock: SettableClock
) -> None:
    contracts = exchange.agreeing.agreements
    version = in_force(exchange)
    since = contracts.in_force().position
    url = exchange.base.database.url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(url, autocommit=True) as listening:
        listening.execute(f"LISTEN {CHANNEL}")
        with pytest.raises(Forbidden):
            contracts.revoke(STEWARD, version.agreement, Party.CONSUMER, "not mine")
        with pytest.raises(Forbidden):
            contracts.revoke(OFFICER, version.agreement, Party.CONSUMER, "no")
        with pytest.raises(Invalid):
            contracts.revoke(STEWARD, version.agreement, Party.PROVIDER, " ")
        begun = time.monotonic()
        contracts.revoke(STEWARD, version.agreement, Party.PROVIDER, "misused")
        (heard,) = listening.notifies(timeout=5, stop_after=1)
    assert time.monotonic() - begun < 5
    changes = contracts.changes(since)
    assert heard.payload == str(changes.position)
    (terms,) = changes.terms
    assert terms.revoked_at == clock.now()
    assert not terms.holds_at(clock.now())
    assert contracts.in_force().terms == ()
    # Once is enough, and the first reason stays.
    again = contracts.revoke(SIGNER, version.agreement, Party.CONSUMER, "me too")
    assert (again.revoked_by, again.reason) == (Party.PROVIDER, "misused")
    with pytest.raises(Conflict):
        contracts.sign(STEWARD, version.agreement, Party.PROVIDER, version.digest)


def test_ten_years_of_rotation(exchange: Exchange, clock: SettableClock) -> None:
    contracts = exchange.agreeing.agreements
    version = in_force(exchange)
    for _ in range(40):
        clock.advance(days=91)
        for path in (CIVIL, HOUSING, "/"):
            exchange.keys.generate(SYSTEM, path)
    assert [one.holds for one in contracts.verify(OFFICER, version.agreement, 1)] == [True, True]
    assert version.in_force_at is not None
    exchange.keys.verify(version.record, RECORD, at=version.in_force_at)
    # A key that was in other hands before it signed takes the signature with it.
    kid = version.signatures[Party.PROVIDER].kid
    exchange.keys.revoke(
        SYSTEM, kid, reason="copied", since=version.in_force_at - timedelta(days=1)
    )
    provider, consumer = contracts.verify(OFFICER, version.agreement, 1)
    assert (provider.holds, consumer.holds) == (False, True)
    assert "did not sign" in provider.problem


def test_what_was_signed_cannot_be_changed(exchange: Exchange) -> None:
    version = in_force(exchange)
    database = exchange.base.database
    for statement in (
        "UPDATE exchange_agreement_signature SET jws = ''",
        "DELETE FROM exchange_agreement_signature",
    ):
        with pytest.raises(sa.exc.DBAPIError), database.transaction():
            database.execute(sa.text(statement))
    with database.transaction():
        database.execute(
            sa.text("UPDATE exchange_agreement_version SET policy = replace(policy, '50', '51')")
        )
    found = exchange.agreeing.agreements.verify(SYSTEM, version.agreement, 1)
    assert [one.holds for one in found] == [False, False]


def test_nothing_of_it_stays_when_the_transaction_does_not(exchange: Exchange) -> None:
    contracts = exchange.agreeing.agreements
    request = approved(exchange)
    for path in (CIVIL, HOUSING):
        exchange.keys.generate(SYSTEM, path)
    digest = newest(exchange, request.agreement).digest
    contracts.sign(STEWARD, request.agreement, Party.PROVIDER, digest)

    def die() -> None:
        with exchange.base.database.transaction():
            contracts.sign(SIGNER, request.agreement, Party.CONSUMER, digest)
            assert len(contracts.in_force().terms) == 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        die()
    assert contracts.in_force() == replace(contracts.in_force(), position=0, terms=())
    assert set(newest(exchange, request.agreement).signatures) == {Party.PROVIDER}


def test_who_may_know_of_it(exchange: Exchange) -> None:
    version = in_force(exchange)
    stranger = someone("x", "steward", TAX)
    with pytest.raises(NotFound):
        exchange.agreeing.agreements.version(stranger, version.agreement)
    assert not exchange.agreeing.agreements.agreements(stranger, PageRequest()).items
    found = exchange.agreeing.agreements.agreements(OFFICER, PageRequest(), party=CIVIL).items
    assert [one.id for one in found] == [version.agreement]


def evidence_of(exchange: Exchange, version: Version) -> dict[str, Any]:
    """As it is sent and read elsewhere."""
    there = exchange.agreeing.agreements.agreement(SYSTEM, version.agreement)
    keys = {
        "provider": exchange.keys.jwks(CIVIL), "consumer": exchange.keys.jwks(HOUSING),
        "exchange": exchange.keys.jwks("/"),
    }  # fmt: skip
    made = evidence.bundle(there, version, json.loads(version.policy), keys)
    return dict(json.loads(json.dumps(made)))


def test_evidence_verifies_without_the_exchange(exchange: Exchange, clock: SettableClock) -> None:
    version = in_force(exchange)
    for _ in range(20):
        clock.advance(days=182)
        for path in (CIVIL, HOUSING, "/"):
            exchange.keys.generate(SYSTEM, path)
    data = evidence_of(exchange, version)
    terms, kid = evidence.check(data)
    assert terms == exchange.agreeing.agreements.terms(version)
    assert evidence.check(data, kid)[1] == kid
    with pytest.raises(ProofError, match="do not trust"):
        evidence.check(data, "another")


def test_evidence_in_which_anything_differs_does_not_hold(exchange: Exchange) -> None:
    version = in_force(exchange)
    data = evidence_of(exchange, version)
    other = PrivateKey.generate()
    forged = jws.sign(data["policy"], other, AGREEMENT)
    ring = {"keys": [{**other.public.jwk(), "nbf": 0}]}
    wrong: list[dict[str, Any]] = [
        {}, {"policy": {**data["policy"], "dpv:hasLegalBasis": "another"}},
        {"answers": None}, {"version": 2}, {"agreement": "agr_2"}, {"record": forged},
        {"signatures": {**data["signatures"], "provider": forged}},
        {"signatures": {}}, {"keys": {}}, {"keys": {**data["keys"], "exchange": ring}},
        {"keys": {**data["keys"], "provider": data["keys"]["consumer"]}},
        {"keys": {**data["keys"], "provider": {"keys": [
            {**key, "nbf": 2**40} for key in data["keys"]["provider"]["keys"]]}}},
    ]  # fmt: skip
    for change in wrong[1:]:
        with pytest.raises(ProofError):
            evidence.check({**data, **change})
    for broken in ({}, {"policy": 1}, {**data, "record": 4}):
        with pytest.raises(ProofError):
            evidence.check(broken)
    # Every character of what was signed counts.
    for name in ("record", "provider", "consumer"):
        text = data["record"] if name == "record" else data["signatures"][name]
        for at in range(0, len(text), 97):
            changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
            bad = (
                {"record": changed}
                if name == "record"
                else {"signatures": {**data["signatures"], name: changed}}
            )
            with pytest.raises(ProofError):
                evidence.check({**data, **bad})
