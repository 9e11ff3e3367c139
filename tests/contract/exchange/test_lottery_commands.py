"""``borough-exchange lottery`` where no service is needed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from foundation.kernel.actor import Actor
from foundation.surface.cli import Failure
from tests.conftest import SettableClock
from tests.harness.exchange import SYSTEM
from tests.harness.exchange_lottery import Table
from tests.harness.serving import served
from workloads.data_exchange.agencies.model import Agency
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.entrypoints.app import create_app
from workloads.data_exchange.entrypoints.cli import exchange as program
from workloads.data_exchange.entrypoints.serve import parts
from workloads.data_exchange.lottery.commands import _secret
from workloads.data_exchange.proofs.keys import encoded


def test_verify_and_prove(
    exchange: Exchange, clock: SettableClock, agencies: dict[str, Agency], tmp_path: Path
) -> None:
    table = Table(exchange, clock)
    table.register(agencies)
    lottery = table.drawn("A", "B", "C", "D")
    file, keys = tmp_path / "bundle.json", tmp_path / "keys.json"
    file.write_bytes(exchange.draws.bundle(lottery.id))
    run = CliRunner().invoke
    shown = run(program, ["lottery", "verify", str(file)])
    assert shown.exit_code == 0, shown.output
    assert "The lottery holds." in shown.output
    one = json.loads(file.read_text())["applications"][0][0]
    proof = json.loads(run(program, ["lottery", "prove", str(file), one]).output)
    assert proof["entry"]["pseudonym"] == one
    assert run(program, ["lottery", "prove", str(file), "nobody"]).exit_code == 1
    keys.write_text(json.dumps(exchange.keys.jwks("/"), default=str))
    # Only the exchange's keys are known: those of the parties are not.
    assert run(program, ["lottery", "verify", str(file), "--keys", str(keys)]).exit_code == 1
    keys.write_text("{}")
    assert run(program, ["lottery", "verify", str(file), "--keys", str(keys)]).exit_code == 2
    file.write_bytes(file.read_bytes().replace(b'"places":2', b'"places":3', 1))
    assert run(program, ["lottery", "verify", str(file)]).exit_code == 1


def test_a_secret_stays_in_its_file(tmp_path: Path) -> None:
    record, file = {"round": 1, "digest": "sha256:x"}, tmp_path / "secret.json"
    made = _secret(file, "lot_1", "/a/", record)
    assert file.stat().st_mode & 0o777 == 0o600
    assert _secret(file, "lot_1", "/a/", record) == made
    for lottery, party, other in (
        ("lot_2", "/a/", record), ("lot_1", "/b/", record),
        ("lot_1", "/a/", {**record, "round": 2}),
        ("lot_1", "/a/", {**record, "digest": "sha256:y"}),
    ):  # fmt: skip
        with pytest.raises(Failure, match="for another lottery"):
            _secret(file, lottery, party, other)
    file.write_text("nothing")
    with pytest.raises(Failure, match="holds no secret"):
        _secret(file, "lot_1", "/a/", record)


@pytest.fixture
def url(exchange: Exchange, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The service on loopback, and a token of somebody who may do everything."""
    made = exchange.people.create_person(
        SYSTEM, login="clerk", name="Clerk", path="/", password="a long enough phrase"
    )
    exchange.people.grant(SYSTEM, principal_id=made.id, role="exchange_administrator", path="/")
    actor = Actor(made.id, made.name, made.kind)
    monkeypatch.setenv(
        "BOROUGH_EXCHANGE_TOKEN", exchange.base.gate.create_token(actor, name="t")[1]
    )
    monkeypatch.setenv("BOROUGH_EXCHANGE_CONFIG", str(tmp_path / "config"))
    with served(create_app(parts(exchange), exchange.settings)) as address:
        yield address


def test_parties_commit_and_reveal_with_their_own_files(
    exchange: Exchange, clock: SettableClock, agencies: dict[str, Agency], tmp_path: Path, url: str
) -> None:
    table = Table(exchange, clock)
    table.register(agencies)
    lottery = table.opened()
    table.apply(lottery, "A", "B", "C")

    def run(*words: str) -> Result:
        return CliRunner().invoke(program, ["lottery", *words, "--url", url, "-o", "json"])

    files = {}
    for path, key in table.keys.items():
        file = tmp_path / f"{key.kid}.json"
        file.write_text(json.dumps({**key.public.jwk(), "d": encoded(key.seed)}))
        files[path] = [lottery.id, path, str(tmp_path / f"{key.kid}.secret")], str(file)
        words, private = files[path]
        shown = run("commit", *words, "--private-key", private)
        assert shown.exit_code == 0, shown.output
        assert json.loads(Path(words[2]).read_text())["secret"] not in shown.output
        early = run("reveal", *words, "--private-key", private)
        assert early.exit_code == 1
        assert "nothing was sent" in early.output
    clock.set(lottery.closes_at)
    assert run("freeze", lottery.id).exit_code == 0
    for words, private in files.values():
        shown = run("reveal", *words, "--private-key", private)
        assert shown.exit_code == 0, shown.output
    assert json.loads(shown.output)["state"] == "drawn"
    bundle = tmp_path / "bundle.json"
    assert run("bundle", lottery.id, str(bundle)).exit_code == 0
    assert CliRunner().invoke(program, ["lottery", "verify", str(bundle)]).exit_code == 0
