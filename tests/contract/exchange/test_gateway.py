"""The gateway: what is agreed passes, everything else does not, and all of it has a receipt."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from foundation.adapters.clock import SystemClock
from tests.contract.exchange.gateway_calls import Running, gateway
from tests.harness.exchange import SYSTEM
from tests.harness.exchange_gateway import (
    AGREEMENT,
    CONSUMER,
    OTHER_PURPOSE,
    PURPOSE,
    SERVICE,
    grant,
    terms,
)
from tests.harness.loops import run as run_alone
from workloads.data_exchange.agreements.terms import Field, Limits, Operator, RowFilter
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.directory.elements import Masking
from workloads.data_exchange.receipts.verify import verify

pytestmark = pytest.mark.usefixtures("agencies")
Play = Callable[[Running], Coroutine[Any, Any, None]]


def play(exchange: Exchange, story: Play, **changes: Any) -> None:
    async def run() -> None:
        async with gateway(exchange, **changes) as running:
            await story(running)

    run_alone(run())


def told(exchange: Exchange) -> list[dict[str, Any]]:
    """What the receipts say, oldest first."""
    with exchange.base.database.transaction():
        query = sa.text("SELECT body FROM exchange_receipt ORDER BY at, number")
        return [json.loads(row.body) for row in exchange.base.database.execute(query)]


def test_an_agreed_call_is_masked_answered_and_proven(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        answer = await one.call()
        assert answer.status == 200
        assert answer.json == {
            "records": [{"id": "1", "name": "Zh****ng"}, {"id": "2", "name": "L****i"}]
        }
        # The provider got its credentials and none of ours; the consumer none of the provider's.
        ((method, target, headers, _),) = one.provider.asked
        assert (method, target) == ("GET", "/base/people?a=1")
        assert headers["x-secret"] == "provider-secret"
        assert not {"authorization", "dpop"} & set(headers)
        assert "provider-secret" not in str(answer)

    play(exchange, story)
    exchange.receipts.sign_checkpoint()
    report = verify(exchange.receipts.export(SYSTEM, AGREEMENT))
    assert (report.problems, report.proven, report.signed) == ([], 1, 1)
    (receipt,) = told(exchange)
    assert (receipt["status"], receipt["rows"], receipt["route"]) == (200, 2, "/people")
    assert receipt["decisions"] == ["partial:name"]


FILTER = RowFilter("/id", Operator.EQ, ("2",))


#: What is agreed otherwise, how it is called, and the refusal.
CROSSED: list[tuple[dict[str, Any], dict[str, Any], int, str]] = [
    ({}, {"purpose": OTHER_PURPOSE}, 403, "purpose"),
    ({"purposes": frozenset({"dpv:X"})}, {}, 403, "purpose"),
    ({"ends": datetime(2026, 1, 1, tzinfo=UTC)}, {}, 403, "term"),
    ({"begins": datetime(2100, 1, 1, tzinfo=UTC)}, {}, 403, "term"),
    ({"revoked_at": datetime(2026, 1, 1, tzinfo=UTC)}, {}, 403, "term"),
    ({"consumer": "/city/tax/"}, {}, 403, "consumer"),
    ({}, {"method": "DELETE"}, 405, "method"),
    ({}, {"target": f"/services/{SERVICE}/other"}, 404, "path"),
    ({}, {"target": f"/services/{SERVICE}/people/1/2"}, 404, "path"),
    ({}, {"target": "/services/svc_2/people"}, 403, "service"),
    ({"limits": Limits(rows_per_call=1)}, {}, 403, "rows"),
    ({"limits": Limits(rows=1)}, {}, 403, "count"),
    ({"limits": Limits(calls=0)}, {}, 403, "count"),
    ({"limits": Limits(calls_per_day=0)}, {}, 429, "count"),
    ({"limits": Limits(calls_per_minute=0)}, {}, 429, "rate"),
]  # fmt: skip


def test_crossing_a_term_is_refused_and_has_a_receipt(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        for number, (changes, call, status, code) in enumerate(CROSSED):
            agreement = f"agr_x{number}"
            one.told.terms[agreement] = terms(agreement=agreement, **changes)
            answer = await one.call(token=grant(agreement=agreement), **call)
            assert (answer.status, answer.code) == (status, code), changes
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["exchange-receipt"]
            assert b"Zhang" not in answer.body

    play(exchange, story)
    for receipt, (_, _, status, code) in zip(told(exchange), CROSSED, strict=True):
        assert (receipt["status"], receipt["rows"]) == (status, 0)
        assert f"refused:{code}" in receipt["decisions"]


#: What is agreed on, and what of the provider's two records is handed out.
AGREED: list[tuple[dict[str, Any], list[Any]]] = [
    ({"fields": (Field("id", "/id"),)}, [{"id": "1"}, {"id": "2"}]),
    ({"fields": ()}, [{}, {}]),
    ({"fields": (Field("n", "/name", Masking.OMIT), Field("id", "/id"))},
     [{"id": "1"}, {"id": "2"}]),
    ({"rows": (FILTER,), "fields": (Field("id", "/id"),)}, [{"id": "2"}]),
    ({"rows": (RowFilter("/none", Operator.NEQ, ("2",)),)}, []),
]  # fmt: skip


def test_only_agreed_fields_and_rows_are_handed_out(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        for number, (changes, records) in enumerate(AGREED):
            agreement = f"agr_f{number}"
            one.told.terms[agreement] = terms(agreement=agreement, **changes)
            answer = await one.call(token=grant(agreement=agreement))
            assert answer.json == {"records": records}, changes

    play(exchange, story)


def test_counts_hold_for_all_calls_together(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        answers = await asyncio.gather(*(one.call() for _ in range(12)))
        assert sorted(answer.status for answer in answers) == [200] * 5 + [403] * 7

    play(exchange, story, limits=Limits(calls=5))

    # A gateway that comes later knows what was used.
    async def again(one: Running) -> None:
        assert (await one.call()).code == "count"

    play(exchange, again, limits=Limits(calls=5))


def test_unused_blocks_are_given_back(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        assert (await one.call()).status == 200

    for _ in range(3):
        play(exchange, story, limits=Limits(calls=1000))
    with exchange.base.database.transaction():
        used = exchange.base.database.execute(sa.text("SELECT used FROM exchange_use")).scalar()
    assert used == 3


def test_a_revocation_is_in_force_within_five_seconds(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        assert (await one.call()).status == 200
        revoked = asyncio.get_running_loop().time()
        one.told.terms[AGREEMENT] = terms(revoked_at=SystemClock().now())
        while (await one.call()).status == 200:
            assert asyncio.get_running_loop().time() - revoked < 5
            await asyncio.sleep(0.1)

    play(exchange, story)


def test_a_notice_makes_it_sooner(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        assert (await one.call()).status == 200
        await asyncio.sleep(0.3)
        reads = one.told.reads
        with exchange.base.database.engine.begin() as connection:
            connection.execute(sa.text("SELECT pg_notify('exchange_terms', '1')"))
        for _ in range(50):
            await asyncio.sleep(0.01)
            if one.told.reads > reads:
                return
        raise AssertionError

    play(exchange, story)


def test_a_key_that_was_revoked_signs_no_more(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        assert (await one.call()).status == 200
        one.told.dead.add(CONSUMER.kid)
        await asyncio.sleep(1.5)
        assert (await one.call()).code == "key"

    play(exchange, story)


def test_nothing_passes_when_terms_cannot_be_read(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        assert (await one.call()).status == 200
        one.told.broken = True
        await asyncio.sleep(5.5)
        asked = len(one.provider.asked)
        answer = await one.call()
        assert (answer.status, answer.code) == (503, "terms")
        assert len(one.provider.asked) == asked
        ready = await one.send("GET", "/readyz", {})
        assert ready.status == 503
        one.told.broken = False
        await asyncio.sleep(1.5)
        assert (await one.call()).status == 200

    play(exchange, story)


def test_nothing_is_handed_out_without_a_receipt(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        with exchange.base.database.engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE exchange_receipt RENAME TO hidden"))
        answer = await one.call()
        assert (answer.status, answer.code) == (503, "receipt")
        assert b"Zhang" not in answer.body
        with exchange.base.database.engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE hidden RENAME TO exchange_receipt"))
        assert (await one.call()).status == 200

    play(exchange, story)


def test_a_call_that_must_not_be_made_twice_is_written_down_first(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        answer = await one.call(method="POST", body=b'{"id":"1"}', nonce="once-upon-a-time",
                                headers={"Content-Type": "application/json"})  # fmt: skip
        assert answer.status == 200
        assert one.provider.asked[0][3] == b'{"id":"1"}'

    play(exchange, story, provider={"repeatable": False, "methods": ("POST",)})
    begun, ended = told(exchange)
    assert (begun["kind"], begun["status"]) == ("begun", 0)
    assert (ended["kind"], ended["status"], ended["proof"]) == ("ended", 200, "")
    assert ended["of"] == f"rcp_{begun['log']}-{begun['number']}"
    exchange.receipts.sign_checkpoint()
    assert verify(exchange.receipts.export(SYSTEM, AGREEMENT)).problems == []


def test_files_are_streamed_between_two_receipts(exchange: Exchange) -> None:
    size = 5_000_001

    async def story(one: Running) -> None:
        answer = await one.call(f"/services/{SERVICE}/big/{size}")
        assert answer.status == 200
        assert len(answer.body) == size

    raw = {"raw": True, "paths": ("/big/{size}",)}

    async def based(one: Running) -> None:
        provider = one.told.providers[SERVICE]
        one.told.providers[SERVICE] = replace(provider, endpoint=one.provider.url)
        await story(one)

    play(exchange, based, provider=raw, answers=None)
    begun, ended = told(exchange)
    assert (begun["kind"], begun["size"]) == ("begun", 0)
    assert (ended["kind"], ended["size"], ended["status"]) == ("ended", size, 200)


def test_an_answer_that_may_be_kept_is_asked_for_once(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        for _ in range(3):
            assert (await one.call()).status == 200
        assert len(one.provider.asked) == 1

    play(exchange, story, provider={"cache_seconds": 60})
    assert [("cached" in one["decisions"]) for one in told(exchange)] == [False, True, True]


def test_pseudonyms_are_the_same_in_one_agreement_only(exchange: Exchange) -> None:
    seen = []

    async def story(one: Running) -> None:
        one.told.terms["agr_2"] = terms(
            agreement="agr_2", fields=(Field("id", "/id", Masking.PSEUDONYM),)
        )
        tokens = (one.token, one.token, grant(agreement="agr_2"))
        answers = [(await one.call(token=token)).json for token in tokens]
        seen.extend(answer["records"][0]["id"] for answer in answers)

    play(exchange, story, fields=(Field("id", "/id", Masking.PSEUDONYM),))
    assert seen[0] == seen[1] != seen[2]
    assert seen[0] != "1"


def test_a_provider_that_fails_is_left_alone_for_a_while(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        one.provider.answers["/base/people"] = b"garbage\r\n\r\n"
        codes = [(await one.call()).status for _ in range(7)]
        assert codes[:5] == [502] * 5
        assert codes[5:] == [503] * 2
        asked = len(one.provider.asked)
        assert (await one.call()).status == 503
        assert len(one.provider.asked) == asked

    play(exchange, story)


def test_a_slow_provider_is_given_up(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        one.provider.delay = 1.0
        answer = await one.call()
        assert (answer.status, answer.code) == (504, "provider")

    play(exchange, story, provider={"read_seconds": 0.2})


def test_the_purpose_must_be_in_the_grant_too(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        answer = await one.call(token=grant(purposes=[OTHER_PURPOSE]), purpose=PURPOSE)
        assert answer.code == "purpose"

    play(exchange, story)


def test_a_term_that_ends_between_two_calls_ends_them(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        assert (await one.call()).status == 200
        await asyncio.sleep(1.6)
        assert (await one.call()).code == "term"

    play(exchange, story, ends=SystemClock().now() + timedelta(seconds=1.5))


def test_answers_of_one_agreement_that_are_fetched_later_leave_room_for_others(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workloads.data_exchange.gateway.later._EACH", 2)
    later = {"Prefer": "respond-async"}

    async def story(one: Running) -> None:
        one.provider.delay = 0.5
        one.told.terms["agr_2"] = terms(agreement="agr_2")
        taken = await asyncio.gather(*(one.call(headers=later) for _ in range(4)))
        assert sorted(answer.status for answer in taken) == [202, 202, 503, 503]
        assert {answer.code for answer in taken if answer.status == 503} == {"busy"}
        other = await one.call(headers=later, token=grant(agreement="agr_2"))
        assert other.status == 202
        await asyncio.sleep(1.0)
        assert (await one.call(headers=later)).status == 202

    play(exchange, story)


def test_an_answer_is_fetched_later_by_its_asker_alone(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        one.provider.delay = 0.3
        one.told.terms["agr_2"] = terms(agreement="agr_2")
        taken = await one.call(headers={"Prefer": "respond-async"})
        assert taken.status == 202
        address = taken.headers["location"]
        assert (await one.call(address)).status == 202
        other = await one.call(address, token=grant(agreement="agr_2"))
        assert (other.status, other.code) == (404, "call")
        for _ in range(40):
            await asyncio.sleep(0.1)
            answer = await one.call(address)
            if answer.status != 202:
                break
        assert answer.status == 200
        assert answer.json["records"][0]["name"] == "Zh****ng"
        assert answer.headers["exchange-receipt"] != taken.headers["exchange-receipt"]
        assert (await one.call("/calls/rcp_20260101-0000000000-1")).code == "call"
        assert (await one.call("/calls/../x")).code == "address"
        refused = await one.call(headers={"Prefer": "respond-async"}, purpose=OTHER_PURPOSE)
        assert refused.code == "purpose"
        # What was agreed no longer gives nothing that was kept either.
        one.told.terms[AGREEMENT] = terms(revoked_at=SystemClock().now())
        await asyncio.sleep(1.5)
        assert (await one.call(address)).code == "term"

    play(exchange, story)
    begun, ended, refused = told(exchange)
    assert [one["kind"] for one in (begun, ended, refused)] == ["begun", "ended", "call"]
    with exchange.base.database.transaction():
        kept = exchange.base.database.execute(sa.text("SELECT answer FROM exchange_later"))
        assert "Zh****ng" not in str(kept.scalar_one())
