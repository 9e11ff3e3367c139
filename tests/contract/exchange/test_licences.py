"""Licences on a database: issue, four eyes, offers, status, rotation, forgetting."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from foundation.kernel.actor import Actor
from foundation.kernel.errors import BoroughError, Conflict, Forbidden, Invalid, NotFound
from foundation.kernel.paging import PageRequest
from foundation.kernel.time import Clock
from tests.conftest import SettableClock
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM, person
from tests.harness.exchange_licences import (
    BASE,
    CLAIMS,
    WANTED,
    Holder,
    licence_type,
    made_type,
    offered,
)
from workloads.data_exchange.agencies.model import Agency
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.licences import trust
from workloads.data_exchange.licences.desk import audience
from workloads.data_exchange.licences.model import LicenceState, Reason
from workloads.data_exchange.licences.offers import ATTEMPTS, POSSESSION
from workloads.data_exchange.licences.service import Offer, Wish
from workloads.data_exchange.licences.verify import Shown, verify
from workloads.data_exchange.proofs import jws, sdjwt
from workloads.data_exchange.proofs.keys import encoded
from workloads.data_exchange.proofs.others import P256PrivateKey
from workloads.data_exchange.proofs.sdjwt import Binding

pytestmark = pytest.mark.usefixtures("agencies")
OTHER = Actor.system("another")


def refused(why: type[BoroughError], work: Callable[[], object], text: str | None = None) -> None:
    with pytest.raises(why, match=text):
        work()


def look(exchange: Exchange, clock: Clock, text: str) -> Shown:
    """What a verifier finds who fetched a moment ago."""
    known = trust.read(json.dumps(exchange.licensing.publishing.trust()))
    return verify(text, known, at=clock.now(), binding=WANTED)


def test_from_a_type_to_a_presentation_and_its_end(
    exchange: Exchange, clock: SettableClock
) -> None:
    made = made_type(exchange)
    licence, offer = offered(exchange, made, seats=9)
    holder, service = Holder(), exchange.licensing.licences
    (text,) = holder.take(exchange, offer, clock.now()).credentials

    def shown() -> Shown:
        return look(exchange, clock, holder.show(text, {"seats"}, WANTED, clock.now()))

    found = shown()
    assert (found.verdict.value, found.claims) == ("holds", {"number": "JY1", "seats": 9})
    assert found.as_of == clock.now().replace(microsecond=0)
    service.suspend(SYSTEM, licence, Reason.UNDER_REVIEW)
    assert shown().status == "suspended"
    refused(Conflict, lambda: service.suspend(SYSTEM, licence, Reason.UNDER_REVIEW))
    service.reinstate(SYSTEM, licence, Reason.REVIEW_PASSED)
    assert shown().status == "valid"
    assert service.revoke(SYSTEM, licence, Reason.ENDED).state is LicenceState.REVOKED
    found = shown()
    assert (found.verdict.value, found.status, found.claims) == ("fails", "invalid", {})
    for work in (service.revoke, service.suspend, service.reinstate):
        refused(Conflict, lambda work=work: work(SYSTEM, licence, Reason.ENDED))  # type: ignore[misc]
    clock.advance(days=400)
    assert shown().why == "it is valid no more"


def test_two_officers_where_the_type_says_so(exchange: Exchange) -> None:
    made = made_type(exchange, four_eyes=True)
    service = exchange.licensing.licences
    officer, reviewer = person("officer", CIVIL), person("reviewer", CIVIL)
    found = service.propose(officer, made.id, Wish("case-1", CLAIMS))
    licence = found.licence.id
    assert found.offer is None
    refused(Forbidden, lambda: service.approve(officer, licence))
    assert service.claims(reviewer, licence) == CLAIMS
    both = Actor(officer.id, "both", officer.kind, (*officer.grants, *reviewer.grants))
    refused(Conflict, lambda: service.approve(both, licence), "somebody else")
    assert service.approve(reviewer, licence).offer is not None
    assert service.claims(reviewer, licence) == {}
    refused(Conflict, lambda: service.approve(reviewer, licence))
    refused(Conflict, lambda: service.refuse(reviewer, licence))
    second = service.propose(officer, made.id, Wish("case-2", CLAIMS)).licence.id
    assert service.refuse(reviewer, second).state is LicenceState.REFUSED
    third = service.propose(officer, made.id, Wish("case-3", CLAIMS)).licence.id
    withdrawn = service.revoke(person("steward", CIVIL), third, Reason.HOLDER_ASKED)
    assert (withdrawn.state, withdrawn.sealed) == (LicenceState.WITHDRAWN, "")
    stranger = person("administrator", HOUSING)
    refused(NotFound, lambda: service.licence(stranger, licence))
    refused(NotFound, lambda: service.propose(stranger, made.id, Wish("case-4", CLAIMS)))
    assert not service.licences(stranger, None, PageRequest()).items


def test_a_pin_is_guessed_five_times(exchange: Exchange, clock: SettableClock) -> None:
    made = made_type(exchange)
    licence, offer = offered(exchange, made)
    offers, holder = exchange.licensing.offers, Holder()
    wrong = f"{(int(offer.pin) + 1) % 10**6:06}"
    refused(NotFound, lambda: offers.open("other", offer.pin))
    for _ in range(ATTEMPTS):
        refused(Invalid, lambda: offers.open(offer.token, wrong), "pin")
    refused(Conflict, lambda: offers.open(offer.token, offer.pin), "too often")
    again = exchange.licensing.licences.offer(SYSTEM, licence).offer
    assert again is not None
    refused(NotFound, lambda: offers.open(offer.token, offer.pin))
    assert holder.take(exchange, again, clock.now()).credentials
    refused(Conflict, lambda: exchange.licensing.licences.offer(SYSTEM, licence))


def test_proofs_that_prove_nothing(exchange: Exchange, clock: SettableClock) -> None:
    made = made_type(exchange, copies=2)
    _, offer = offered(exchange, made)
    offers, holder, now = exchange.licensing.offers, Holder(), clock.now()
    found = offers.open(offer.token, offer.pin)
    (good,) = holder.proofs(made.issuer, found.nonce, now)
    key, told = holder.keys[0], {"aud": made.issuer, "nonce": found.nonce, "iat": 1}
    jwk = key.public.jwk()

    def signed(typ: str = POSSESSION, by: P256PrivateKey = key, **changes: Any) -> str:
        return jws.sign_as_holder({**told, **changes}, by, typ, jwk=jwk)

    none = encoded(json.dumps({"alg": "none", "typ": POSSESSION, "jwk": jwk}).encode())
    for bad in (
        [], [good] * 3, [good, good], ["x"], [signed(nonce="x")], [signed(aud="x")],
        [signed(typ="jwt")], [signed(by=P256PrivateKey.generate())],
        [none + "." + good.split(".", 1)[1]], [jws.sign_as_holder(told, key, POSSESSION)],
        [jws.sign_as_holder(told, key, POSSESSION, jwk={**jwk, "d": "x"})], ["a" * 10_001],
    ):  # fmt: skip
        refused(Invalid, lambda bad=bad: offers.claim(offer.token, offer.pin, bad), "proofs")  # type: ignore[misc]
    clock.advance(minutes=11)
    refused(Invalid, lambda: offers.claim(offer.token, offer.pin, [good]), "late")


def test_a_lost_answer_is_given_again_to_the_same_keys(
    exchange: Exchange, clock: SettableClock
) -> None:
    made = made_type(exchange)
    licence, offer = offered(exchange, made)
    holder = Holder()
    first = holder.take(exchange, offer, clock.now())
    assert holder.take(exchange, offer, clock.now()) == first
    refused(Conflict, lambda: Holder().take(exchange, offer, clock.now()), "other keys")
    assert exchange.licensing.licences.tidy() == 0
    clock.advance(hours=1)
    assert exchange.licensing.licences.tidy() == 1
    refused(NotFound, lambda: holder.take(exchange, offer, clock.now()))
    found = exchange.licensing.licences.licence(SYSTEM, licence)
    assert (found.sealed, found.offer, found.pin, found.holder) == ("", "", "", "")


def test_a_batch_is_issued_whole_or_not_at_all(exchange: Exchange) -> None:
    made = made_type(exchange)
    service = exchange.licensing.licences
    with pytest.raises(Invalid) as wrong:
        service.propose_batch(
            SYSTEM, made.id, [Wish("case-1", CLAIMS), Wish("a b", {**CLAIMS, "seats": "x"})]
        )
    assert {one.field for one in wrong.value.problems} == {
        "items.1.reference", "items.1.claims.seats",
    }  # fmt: skip
    assert not service.licences(SYSTEM, None, PageRequest()).items
    refused(Invalid, lambda: service.propose_batch(SYSTEM, made.id, []), "items")
    done = service.propose_batch(SYSTEM, made.id, [Wish(f"case-{n}", CLAIMS) for n in range(3)])
    assert len({one.offer.token for one in done if one.offer}) == 3
    with pytest.raises(Invalid) as single:
        service.propose(SYSTEM, made.id, Wish("a b", {}))
    assert {one.field for one in single.value.problems} == {
        "reference", "claims.number", "claims.name", "claims.address",
    }  # fmt: skip


def test_copies_share_nothing_that_links_them(exchange: Exchange, clock: SettableClock) -> None:
    made = made_type(exchange, copies=4)
    _, offer = offered(exchange, made)
    clock.advance(hours=3)
    texts = Holder(4).take(exchange, offer, clock.now()).credentials
    told = [json.loads(jws.parse(sdjwt.parse(text).signed).payload) for text in texts]
    for take in (
        lambda one: one["cnf"]["jwk"]["x"], lambda one: one["status"]["status_list"]["idx"],
    ):  # fmt: skip
        assert len({take(one) for one in told}) == 4
    digests = [one for payload in told for one in payload["_sd"]]
    assert len(set(digests)) == len(digests) > 4 * 2
    # Times are those of the day, or of the key that began in it.
    assert len({(one["iat"], one["nbf"], one["exp"]) for one in told}) == 1
    assert told[0]["iat"] < int(clock.now().timestamp()) - 3 * 3600 + 1
    assert "sub" not in told[0]
    assert "jti" not in told[0]


def test_ten_years_of_rotation(exchange: Exchange, clock: SettableClock) -> None:
    made = made_type(exchange, days=10_000)
    held = []
    for _ in range(10):
        _, offer = offered(exchange, made)
        holder = Holder()
        held.append((holder, holder.take(exchange, offer, clock.now()).credentials[0]))
        clock.advance(days=365)
        exchange.keys.generate(SYSTEM, CIVIL)
    # One list served ten keys: it is signed with the newest.
    for holder, text in held:
        shown = holder.show(text, {"name"}, WANTED, clock.now())
        assert look(exchange, clock, shown).verdict.value == "holds"
    kid = jws.parse(sdjwt.parse(held[3][1]).signed).kid
    exchange.keys.revoke(SYSTEM, kid, reason="a laptop was stolen")
    for number, (holder, text) in enumerate(held):
        found = look(exchange, clock, holder.show(text, {"name"}, WANTED, clock.now()))
        assert (found.verdict.value == "fails") is (number == 3)
    # Without any key of the agency nobody can say what became of its licences.
    newest = exchange.keys.private(CIVIL).kid
    exchange.keys.revoke(SYSTEM, newest, reason="a safe was broken")
    holder, text = held[0]
    found = look(exchange, clock, holder.show(text, {"name"}, WANTED, clock.now()))
    assert (found.verdict.value, found.why) == ("unsure", "its status list is not at hand")


def test_nothing_personal_stays(exchange: Exchange, clock: SettableClock) -> None:
    made = made_type(exchange, four_eyes=True)
    service = exchange.licensing.licences
    done = service.propose(SYSTEM, made.id, Wish("case-1", {**CLAIMS, "name": "Wenling Sample"}))
    service.claims(OTHER, done.licence.id)
    offer = service.approve(OTHER, done.licence.id).offer
    assert offer is not None
    holder = Holder()
    holder.take(exchange, offer, clock.now())
    clock.advance(hours=2)
    service.tidy()
    with exchange.base.database.transaction():
        tables = exchange.base.database.execute(
            sa.text("SELECT table_name FROM information_schema.tables WHERE table_schema='public'")
        ).scalars()
        for table in list(tables):
            rows = exchange.base.database.execute(sa.text(f'SELECT * FROM "{table}"'))  # noqa: S608
            everything = repr([tuple(row) for row in rows])
            for secret in ("Wenling", offer.token, holder.keys[0].public.kid):
                assert secret not in everything, table


def test_what_is_over_is_forgotten(exchange: Exchange, clock: SettableClock) -> None:
    made = made_type(exchange)
    service = exchange.licensing.licences
    issued, offer = offered(exchange, made)
    Holder().take(exchange, offer, clock.now())
    lapsed, late = offered(exchange, made)
    exchange.licensing.desk.ask(SYSTEM, HOUSING)
    clock.advance(days=15)
    refused(NotFound, lambda: exchange.licensing.offers.open(late.token, late.pin))
    assert service.tidy() == 2
    found = service.licence(SYSTEM, lapsed)
    assert (found.state, found.sealed) == (LicenceState.LAPSED, "")
    clock.advance(days=401)
    assert service.tidy() == 1
    refused(NotFound, lambda: service.licence(SYSTEM, lapsed))
    assert service.licence(SYSTEM, issued)
    clock.advance(days=400)
    assert service.tidy() == 1
    refused(NotFound, lambda: service.licence(SYSTEM, issued))


def test_versions_of_types(exchange: Exchange) -> None:
    first = made_type(exchange)
    types = exchange.licensing.types
    second = types.create(SYSTEM, licence_type(days=7), BASE)
    assert (second.version, second.vct != first.vct) == (2, True)
    assert types.type(SYSTEM, first.id).retired_at is not None
    refused(Conflict, lambda: offered(exchange, first), "retired")
    assert offered(exchange, second)
    types.retire(SYSTEM, second.id)
    refused(Conflict, lambda: offered(exchange, second))
    assert [one.id for one in types.types(SYSTEM, PageRequest()).items] == [second.id, first.id]
    refused(NotFound, lambda: types.create(SYSTEM, licence_type(agency="/none/"), BASE), "agency")
    refused(Forbidden, lambda: types.create(person("officer", CIVIL), licence_type(), BASE))
    refused(NotFound, lambda: types.retire(SYSTEM, "lty_none"))


def test_an_agency_without_a_key_issues_nothing(exchange: Exchange) -> None:
    made = exchange.licensing.types.create(SYSTEM, licence_type(), BASE)
    refused(Conflict, lambda: offered(exchange, made), "no key")


def test_a_status_list_is_fresh_but_not_signed_each_time(
    exchange: Exchange, clock: SettableClock
) -> None:
    made = made_type(exchange)
    licence, offer = offered(exchange, made)
    Holder().take(exchange, offer, clock.now())
    publishing = exchange.licensing.publishing
    ((one,),) = [issuer["lists"] for issuer in publishing.trust()["issuers"]]
    list_id = one["uri"].rpartition("/")[2]
    first = publishing.status_list(list_id)
    assert first.fresh == 300
    clock.advance(seconds=100)
    again = publishing.status_list(list_id)
    assert (again.token, again.fresh) == (first.token, 200)
    exchange.licensing.licences.revoke(SYSTEM, licence, Reason.KEY_LOST)
    now = publishing.status_list(list_id)
    assert now.token != first.token
    clock.advance(seconds=151)
    assert publishing.status_list(list_id).token != now.token
    refused(NotFound, lambda: publishing.status_list("lst_none"))


def test_a_department_verifies_once_for_each_nonce(
    exchange: Exchange, clock: SettableClock
) -> None:
    made = made_type(exchange)
    _, offer = offered(exchange, made)
    holder, desk = Holder(), exchange.licensing.desk
    (text,) = holder.take(exchange, offer, clock.now()).credentials
    officer = person("officer", HOUSING)

    def shown(asked_id: str, nonce: str, at: datetime) -> str:
        return holder.show(text, {"name"}, Binding(nonce, audience(BASE, asked_id)), at)

    asked = desk.ask(officer, HOUSING, vct=made.vct)
    good = shown(asked.id, asked.nonce, clock.now())
    refused(NotFound, lambda: desk.answer(person("officer", CIVIL), asked.id, good, BASE))
    assert desk.answer(officer, asked.id, good, BASE).claims["name"] == "Example Noodles"
    refused(Conflict, lambda: desk.answer(officer, asked.id, good, BASE), "answered")
    other = desk.ask(officer, HOUSING)
    assert desk.answer(officer, other.id, good, BASE).why.startswith("the key binding is for")
    wrong = desk.ask(officer, HOUSING, vct="https://x.example/t")
    told = desk.answer(officer, wrong.id, shown(wrong.id, wrong.nonce, clock.now()), BASE)
    assert "another type" in told.why
    late = desk.ask(officer, HOUSING)
    clock.advance(minutes=10)
    refused(Conflict, lambda: desk.answer(officer, late.id, good, BASE))
    refused(NotFound, lambda: desk.answer(officer, "lrq_none", good, BASE))
    refused(Forbidden, lambda: desk.ask(person("reviewer", HOUSING), HOUSING))
    refused(Invalid, lambda: desk.ask(officer, HOUSING, name="x" * 101), "name")


def test_an_offer_that_came_too_late(
    exchange: Exchange, clock: SettableClock, agencies: dict[str, Agency]
) -> None:
    made = made_type(exchange)
    wish = Wish("case-1", CLAIMS, valid_until=clock.now() + timedelta(hours=1))
    offer = exchange.licensing.licences.propose(SYSTEM, made.id, wish).offer
    assert isinstance(offer, Offer)
    clock.advance(hours=2)
    refused(Conflict, lambda: Holder().take(exchange, offer, clock.now()), "have ended")
    past = Wish("case-2", CLAIMS, valid_until=clock.now())
    refused(Invalid, lambda: exchange.licensing.licences.propose(SYSTEM, made.id, past), "valid")
    assert made.issuer == f"{BASE}/issuers/{agencies[CIVIL].id}"
