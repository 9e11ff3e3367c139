"""``borough-exchange lottery`` where no service is needed."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from foundation.surface.cli import Failure
from tests.conftest import SettableClock
from tests.harness.exchange_lottery import Table
from workloads.data_exchange.agencies.model import Agency
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.entrypoints.cli import exchange as program
from workloads.data_exchange.lottery.commands import _secret


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
