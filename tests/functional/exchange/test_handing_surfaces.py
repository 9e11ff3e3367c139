"""Batches and events on the command line, and the API against its description."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import urllib3
from click.testing import CliRunner, Result
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from foundation.adapters.clock import SystemClock
from foundation.kernel.errors import Conflict
from tests.functional.exchange.conftest import Running
from tests.harness.agreements import in_force
from tests.harness.described import asked_as_described
from tests.harness.exchange import CIVIL, SYSTEM
from tests.harness.exchange_gateway import (
    CONSUMER,
    PURPOSE,
    SERVICE,
    VAULT,
    Told,
    grant,
    options,
    secret,
    terms,
)
from workloads.data_exchange.entrypoints.cli import exchange as program
from workloads.data_exchange.events.model import SubscriptionKind
from workloads.data_exchange.gateway.model import Provider
from workloads.data_exchange.gateway.process import serving
from workloads.data_exchange.proofs.keys import encoded

CHECKS = (not_a_server_error, response_schema_conformance, status_code_conformance)
OWN = ("/batches", "/topics", "/subscriptions")


@pytest.fixture(scope="module")
def agreement(running: Running) -> str:
    return in_force(running.exchange).agreement


@pytest.fixture(scope="module")
def gateway(running: Running, agreement: str) -> Iterator[str]:
    """The address of a gateway that runs beside."""
    exchange, told = running.exchange, Told()
    told.terms[agreement] = terms(agreement=agreement)
    told.providers[SERVICE] = Provider(SERVICE, "http://127.0.0.1:9")
    where, ready = list[str](), threading.Event()
    loop = asyncio.new_event_loop()
    ending = asyncio.Event()

    async def run() -> None:
        chosen = options(exchange.base.database.url)
        fronts = exchange.handing.fronts()
        async with serving(chosen, told, secret, SystemClock(), VAULT, fronts) as port:
            where.append(f"http://127.0.0.1:{port}")
            ready.set()
            await ending.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert ready.wait(30)
    yield where[0]
    loop.call_soon_threadsafe(ending.set)
    thread.join()
    loop.close()


@pytest.fixture
def run(running: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("BOROUGH_EXCHANGE_HOME", str(tmp_path))
    monkeypatch.setenv("BOROUGH_EXCHANGE_URL", running.url)

    def one(login: str, *words: str, code: int = 0, plain: bool = False) -> Any:
        monkeypatch.setenv("BOROUGH_EXCHANGE_TOKEN", running.tokens[login])
        given = [*words] if plain else [*words, "-o", "json"]
        result: Result = CliRunner().invoke(program, given)
        assert result.exit_code == code, result.output
        return json.loads(result.stdout) if code == 0 and not plain else result.output

    return one


def test_files_go_from_one_command_line_to_another(
    running: Running, run: Callable[..., Any], agreement: str, gateway: str, tmp_path: Path
) -> None:
    sent = {"a.csv": b"id\n" + b"1\n" * 5000, "说明.txt": b"", "b.bin": bytes(range(256)) * 100}
    (tmp_path / "out").mkdir()
    for name, data in sent.items():
        (tmp_path / "out" / name).write_bytes(data)
    batch = run("steward", "transfer", "create", agreement, "--title", "Households")["id"]
    paths = [str(tmp_path / "out" / name) for name in sent]
    sealed = run("steward", "transfer", "send", batch, *paths, "--gateway", gateway)
    assert sealed["state"] == "checking"
    checking = running.exchange.handing.checking
    found = {
        one: checking.digest(one, lambda: False, lambda _part: None)
        for one in checking.files(batch)
    }
    checking.publish(batch, found)
    assert [one["id"] for one in run("officer", "transfer", "list")] == [batch]
    assert len(run("officer", "transfer", "files", batch)) == 3
    key = tmp_path / "key.json"
    key.write_text(json.dumps({**CONSUMER.public.jwk(), "d": encoded(CONSUMER.seed)}))
    (tmp_path / "grant").write_text(grant(agreement=agreement))
    (tmp_path / "jwks").write_text(json.dumps(running.exchange.keys.jwks(CIVIL)))
    folder = tmp_path / "in"
    folder.mkdir()
    # What was begun before goes on where it was broken off; what is wrong is found at the end.
    (folder / "a.csv.part").write_bytes(sent["a.csv"][:1000])
    words = ["transfer", "fetch", batch, str(folder), "--gateway", gateway, "--purpose", PURPOSE,
             "--grant", str(tmp_path / "grant"), "--private-key", str(key),
             "--provider-keys", str(tmp_path / "jwks")]  # fmt: skip
    run("officer", *words, plain=True)
    assert {one.name: one.read_bytes() for one in folder.iterdir()} == sent
    (folder / "b.bin").unlink()
    (folder / "b.bin.part").write_bytes(b"wrong")
    assert "not what the provider signed" in run("officer", *words, plain=True, code=1)
    run("officer", *words, plain=True)
    (tmp_path / "jwks").write_text(json.dumps({"keys": [CONSUMER.public.jwk()]}))
    assert "not signed with a key" in run("officer", *words, plain=True, code=1)
    run("officer", "transfer", "delete", batch, code=4, plain=True)
    run("steward", "transfer", "delete", batch, plain=True)
    assert run("officer", "transfer", "show", batch)["state"] == "gone"


def test_events_on_the_command_line(
    running: Running, run: Callable[..., Any], agreement: str, gateway: str, tmp_path: Path
) -> None:
    topic = run("steward", "events", "create", "dst_households", "svc_households")["service"]
    contracts = running.exchange.agreeing.agreements
    purpose = min(contracts.terms(contracts.version(SYSTEM, agreement)).purposes)
    made = run("officer", "events", "subscribe", agreement, "--purpose", purpose)
    told = {"specversion": "1.0", "id": "1", "source": "/c", "type": "t", "data": {"name": "x"}}
    file = tmp_path / "event.json"
    file.write_text(json.dumps([told, {**told, "id": "2"}]))
    words = ["events", "publish", topic, str(file), "--gateway", gateway]
    assert run("steward", *words) == {"taken": 2, "known": 0}
    assert run("steward", *words) == {"taken": 0, "known": 2}
    run("officer", *words, code=3)
    file.write_text(json.dumps({**told, "type": ""}))
    assert "type: is required" in run("steward", *words, code=1)
    assert [one["lag"] for one in run("officer", "events", "subscriptions")] == [2]
    run("officer", "events", "seek", made["id"], "--since", "2020-01-01T00:00:00Z")
    for verb, state in (("pause", "paused"), ("resume", "active"), ("end", "ended")):
        assert run("officer", "events", verb, made["id"])["state"] == state
    run("officer", "events", "resume", made["id"], code=5)
    run("steward", "events", "end", made["id"], code=4)


@pytest.mark.rehearsal
def test_answers_are_as_described(running: Running, agreement: str) -> None:
    handing = running.exchange.handing
    with contextlib.suppress(Conflict):  # the test before may have made it
        handing.topics.create(
            SYSTEM, dataset="dst_households", service="svc_households", partitions=1,
            retention_days=7, bytes_max=1_000_000,
        )  # fmt: skip
    batch = handing.batches.create(SYSTEM, agreement, title="Shown", days=1)
    contracts = running.exchange.agreeing.agreements
    purpose = min(contracts.terms(contracts.version(SYSTEM, agreement)).purposes)
    pushed = handing.subscriptions.create(
        SYSTEM, agreement, kind=SubscriptionKind.PUSH, purpose=purpose, url="https://hook.example/"
    ).subscription
    handing.topics.publish(
        SYSTEM, pushed.topic, {"content-type": "application/cloudevents+json"},
        b'{"specversion":"1.0","id":"9","source":"/c","type":"t","data":{"name":"x"}}',
    )  # fmt: skip
    ((there, cursor),) = handing.subscriptions.claim()
    (event,) = handing.subscriptions.next(there, cursor, 1)[1]
    handing.subscriptions.failed(replace(cursor), event, 99, "it answered 500")
    asked, found = asked_as_described(
        running.url, running.tokens["operator"], CHECKS,
        wanted=lambda path: any(one in path for one in OWN), examples=6, seconds=30,
    )  # fmt: skip
    assert found == []
    assert asked > 12
    token = running.tokens["operator"]
    letters = _get(f"{running.url}/api/v1/subscriptions/{pushed.id}/letters", token)
    assert [one["event"] for one in json.loads(letters)["items"]] in (["9"], [])
    assert json.loads(_get(f"{running.url}/api/v1/batches/{batch.id}", token))["title"] == "Shown"


def _get(url: str, token: str) -> bytes:
    answer = urllib3.request("GET", url, headers={"Authorization": f"Bearer {token}"})
    assert answer.status == 200
    return bytes(answer.data)
