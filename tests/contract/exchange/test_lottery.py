"""Lotteries: from the rules to a bundle that anybody recomputes, and what is refused on the way."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from foundation.kernel.errors import BoroughError, Conflict, Forbidden, Invalid, NotFound
from foundation.kernel.paging import PageRequest
from tests.conftest import SettableClock
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM, TAX, person
from tests.harness.exchange_lottery import PARTIES, Table
from workloads.data_exchange.agencies.model import Agency
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.lottery import draw, statements
from workloads.data_exchange.lottery.model import LotteryState, Standing
from workloads.data_exchange.lottery.verify import prove, verify
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import PrivateKey, ProofError

PEOPLE = (*(f"PERSON-{n}" for n in range(9)), "X-1")


@pytest.fixture
def table(exchange: Exchange, clock: SettableClock, agencies: dict[str, Agency]) -> Table:
    made = Table(exchange, clock)
    made.register(agencies)
    return made


def payload(compact: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(jws.parse(compact).payload)
    return found


def refused(why: type[BoroughError], work: Callable[[], object], text: str | None = None) -> None:
    with pytest.raises(why, match=text):
        work()


def test_from_rules_to_a_bundle(exchange: Exchange, table: Table) -> None:
    lottery = table.opened()
    pseudonyms = table.apply(lottery, *PEOPLE)
    assert table.commit(lottery, TAX).lottery.state is LotteryState.OPEN
    now = table.commit(lottery, HOUSING)
    assert now.lottery.state is LotteryState.COMMITTED
    frozen = table.frozen(lottery)
    first = table.reveal(frozen, HOUSING)
    assert first.missing_reveals == (TAX,)
    assert table.revealed(frozen, HOUSING) not in json.dumps(
        exchange.draws.record(lottery.id), default=str
    )
    refused(Conflict, lambda: exchange.draws.bundle(lottery.id), "not drawn")
    assert table.reveal(frozen, TAX).lottery.state is LotteryState.DRAWN
    proven = verify(exchange.draws.bundle(lottery.id))
    assert [len(one.winners) for one in proven.outcomes] == [2, 1]
    assert {one.pseudonym for one in proven.entries} == set(pseudonyms[:-1])
    for one in pseudonyms[:-1]:
        found = exchange.draws.proof(lottery.id, one)
        assert found == prove(proven, one)
        winners = {who for outcome in proven.outcomes for who in outcome.winners}
        assert found.won is (one in winners)
        assert draw.merkle.included(
            found.entry.leaf(), found.index, found.size,
            [bytes.fromhex(p) for p in found.proof], bytes.fromhex(proven.root),
        )  # fmt: skip
    refused(NotFound, lambda: exchange.draws.proof(lottery.id, pseudonyms[-1]))
    # The exchange's key changes; what it published stays as it was.
    before = exchange.draws.bundle(lottery.id)
    table.clock.advance(days=1)
    exchange.keys.generate(SYSTEM, "/")
    assert exchange.draws.bundle(lottery.id) == before
    refused(Conflict, lambda: exchange.lotteries.abort(SYSTEM, lottery.id, reason="dislike"))


def test_no_identifier_is_kept(exchange: Exchange, table: Table) -> None:
    lottery, other = table.opened(), table.opened()
    (one,) = table.apply(lottery, "SECRET-PERSON-ID")
    (two,) = table.apply(other, " secret-person-id ")
    assert one != two

    with exchange.base.database.transaction():
        names = exchange.base.database.execute(
            sa.text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ).scalars()
        for name in set(names):
            rows = sa.select(sa.text("t::text")).select_from(sa.text(f'"{name}" t'))
            text = exchange.base.database.execute(rows)
            assert "SECRET-PERSON-ID" not in " ".join(text.scalars()).upper(), name


def test_a_party_that_does_not_reveal(exchange: Exchange, table: Table) -> None:
    lottery = table.opened()
    table.apply(lottery, *PEOPLE)
    table.commit(lottery)
    frozen = table.frozen(lottery)
    table.reveal(frozen, HOUSING)
    assert exchange.draws.expire() == 0
    table.clock.advance(hours=25)
    refused(Conflict, lambda: table.reveal(frozen, TAX), "time to reveal has passed")
    assert exchange.draws.expire() == 1
    assert exchange.draws.expire() == 0
    record = exchange.draws.record(lottery.id)
    assert payload(record["voids"][0])["missing"] == [TAX]
    again = exchange.lotteries.lottery(SYSTEM, lottery.id).lottery
    assert (again.state, again.round) == (LotteryState.VOID, 2)
    # What was said for the first round is nothing in the second one.
    old = table.commitment(lottery, HOUSING)
    refused(Invalid, lambda: exchange.draws.commit(SYSTEM, lottery.id, old), "its round")
    table.secrets = {path: bytes([n + 97]) * 32 for n, path in enumerate(PARTIES)}
    again = table.commit(again).lottery
    assert again.state is LotteryState.FROZEN
    table.reveal(again)
    proven = verify(exchange.draws.bundle(lottery.id))
    assert proven.voids == ((TAX,),)


def test_a_beacon(exchange: Exchange, table: Table) -> None:
    lottery = table.opened(beacon=True)
    table.apply(lottery, *PEOPLE)
    table.commit(lottery)
    frozen, value = table.frozen(lottery), "ab" * 32
    table.reveal(frozen, HOUSING)
    refused(Conflict, lambda: exchange.draws.give_beacon(SYSTEM, lottery.id, value), "revealed")
    assert table.reveal(frozen, TAX).lottery.state is LotteryState.REVEALING
    refused(Invalid, lambda: exchange.draws.give_beacon(SYSTEM, lottery.id, "é" * 30))
    exchange.draws.give_beacon(SYSTEM, lottery.id, value)
    bundle = exchange.draws.bundle(lottery.id)
    assert verify(bundle).seed.hex() in json.dumps(payload(json.loads(bundle)["result"]))


def test_applications(exchange: Exchange, table: Table) -> None:
    draft = exchange.lotteries.create(SYSTEM, table.rules())
    do = exchange.lotteries

    def apply(who: str = "A", pool: str = "ordinary", chances: int = 1) -> str:
        made, receipt = do.apply(SYSTEM, draft.id, person=who, pool=pool, chances=chances)
        told = exchange.keys.verify(receipt, statements.APPLICATION).payload
        assert told["application"] == {
            "pseudonym": made.pseudonym, "pool": pool, "chances": chances
        }  # fmt: skip
        return made.pseudonym

    refused(Conflict, apply, "takes no applications")
    do.open(SYSTEM, draft.id)
    refused(Conflict, lambda: do.open(SYSTEM, draft.id))
    one = apply()
    assert apply(" a ") == one
    refused(Conflict, lambda: apply(chances=2), "applied already")
    with pytest.raises(Invalid) as wrong:
        apply(" ", "none", 13)
    assert [p.field for p in wrong.value.problems] == ["person", "pool", "chances"]
    table.commit(draft)
    refused(Conflict, lambda: do.freeze(SYSTEM, draft.id), "until the time")
    table.clock.set(draft.closes_at)
    refused(Conflict, lambda: apply("LATE"), "takes no applications")
    refused(Conflict, lambda: do.freeze(SYSTEM, draft.id), "not judged")
    do.judge(SYSTEM, draft.id, one, qualified=False, reason="has a car")
    refused(Conflict, lambda: do.freeze(SYSTEM, draft.id), "nobody takes part")
    do.judge(SYSTEM, draft.id, one, qualified=True, reason="sold it")
    do.freeze(SYSTEM, draft.id)
    refused(
        Conflict, lambda: do.judge(SYSTEM, draft.id, one, qualified=False, reason="x"), "frozen"
    )
    refused(Conflict, apply, "takes no applications")
    page = do.applications(SYSTEM, draft.id, Standing.QUALIFIED, PageRequest())
    assert [(a.pseudonym, a.reason) for a in page.items] == [(one, "sold it")]


def test_rules_that_are_none(exchange: Exchange, table: Table) -> None:
    good = table.rules()
    bad = replace(
        good, parties=(HOUSING, HOUSING), pools=(replace(good.pools[0], places=0),) * 2,
        chances=0, reveal_hours=0, closes_at=table.clock.now() - timedelta(1),
    )  # fmt: skip
    with pytest.raises(Invalid) as wrong:
        exchange.lotteries.create(SYSTEM, bad)
    assert {p.field for p in wrong.value.problems} == {
        "parties", "pools", "pools.0.places", "pools.1.places", "chances", "reveal_hours",
        "closes_at",
    }  # fmt: skip
    for parties in ((HOUSING,), (HOUSING, "/nowhere/")):
        unknown = replace(good, parties=parties)
        refused(Invalid, lambda rules=unknown: exchange.lotteries.create(SYSTEM, rules), "parties")


def test_commitments_that_are_none(
    exchange: Exchange, table: Table, agencies: dict[str, Agency]
) -> None:
    lottery, other = table.opened(), table.opened(beacon=True)

    def commit(compact: str) -> object:
        return exchange.draws.commit(SYSTEM, lottery.id, compact)

    good = payload(table.commitment(lottery, HOUSING))
    key, typ = table.keys[HOUSING], statements.COMMITMENT
    stranger = PrivateKey.generate()
    for compact in (
        table.commitment(other, HOUSING),  # of another lottery
        jws.sign({**good, "rules": other.digest}, key, typ),  # to other rules
        jws.sign({**good, "party": TAX}, key, typ),  # in the name of another
        jws.sign({**good, "round": 2}, key, typ),
        jws.sign({**good, "commitment": "x"}, key, typ),
        jws.sign({**good, "more": 1}, key, typ),
        jws.sign(good, key, statements.REVEAL),  # signed as something else
        jws.sign(good, stranger, typ),  # with nobody's key
        "a.b.c",
    ):
        refused(Invalid, lambda c=compact: commit(c))
    # The key of an agency that is no party, and a key that the exchange holds.
    exchange.keys.generate(SYSTEM, CIVIL)
    refused(Invalid, lambda: commit(exchange.keys.sign(CIVIL, good, typ)), "not signed by a party")
    exchange.keys.generate(SYSTEM, HOUSING)
    refused(Invalid, lambda: commit(exchange.keys.sign(HOUSING, good, typ)), "keeps itself")
    table.commit(lottery, HOUSING)
    table.commit(lottery, HOUSING)  # the same again
    table.secrets[HOUSING] = b"z" * 32
    refused(Conflict, lambda: table.commit(lottery, HOUSING), "committed already")
    assert exchange.lotteries.lottery(SYSTEM, lottery.id).missing_commitments == (TAX,)
    del agencies


def test_reveals_that_are_none(exchange: Exchange, table: Table) -> None:
    lottery = table.opened()
    table.apply(lottery, *PEOPLE)
    table.commit(lottery)
    refused(Conflict, lambda: exchange.draws.reveal(SYSTEM, lottery.id, "a.b.c"))
    frozen = table.frozen(lottery)
    good, key = payload(table.revealed(frozen, HOUSING)), table.keys[HOUSING]
    for wrong in (
        {"secret": "00" * 32}, {"secret": "0"}, {"root": "00" * 32}, {"rules": "sha256:0"},
        {"lottery": "lot_other"}, {"party": TAX}, {"round": 2}, {"more": 1},
    ):  # fmt: skip
        compact = jws.sign({**good, **wrong}, key, statements.REVEAL)
        refused(Invalid, lambda c=compact: exchange.draws.reveal(SYSTEM, lottery.id, c))
    table.reveal(frozen, HOUSING)
    assert table.reveal(frozen, HOUSING).missing_reveals == (TAX,)


def test_a_list_that_was_changed_is_not_drawn(exchange: Exchange, table: Table) -> None:
    lottery = table.opened()
    table.apply(lottery, *PEOPLE)
    table.commit(lottery)
    frozen = table.frozen(lottery)
    with exchange.base.database.transaction():
        exchange.base.database.execute(
            sa.text("UPDATE exchange_lottery_application SET chances = 12 WHERE chances = 3")
        )
    table.reveal(frozen, HOUSING)
    refused(Conflict, lambda: table.reveal(frozen, TAX), "not the one that was frozen")
    assert exchange.lotteries.lottery(SYSTEM, lottery.id).missing_reveals == (TAX,)


def test_keys_known_from_elsewhere(exchange: Exchange, table: Table) -> None:
    bundle = exchange.draws.bundle(table.drawn(*PEOPLE).id)
    known = {kid: exchange.keys.key(SYSTEM, kid).public for _, kid in verify(bundle).keys}
    verify(bundle, known)
    known.pop(table.keys[TAX].kid)
    with pytest.raises(ProofError, match="none of the known"):
        verify(bundle, known)


def test_who_may(exchange: Exchange, table: Table) -> None:
    draft = exchange.lotteries.create(person("steward", CIVIL), table.rules())
    refused(NotFound, lambda: exchange.lotteries.lottery(person("steward", HOUSING), draft.id))
    refused(Forbidden, lambda: exchange.lotteries.create(person("officer", CIVIL), table.rules()))
    lottery = exchange.lotteries.open(person("steward", CIVIL), draft.id)
    compact = table.commitment(lottery, HOUSING)
    refused(NotFound, lambda: exchange.draws.commit(person("steward", TAX), lottery.id, compact))
    exchange.draws.commit(person("steward", HOUSING), lottery.id, compact)
    aborted = exchange.lotteries.abort(person("steward", CIVIL), lottery.id, reason="budget")
    assert exchange.draws.record(aborted.id)["reason"] == "budget"
