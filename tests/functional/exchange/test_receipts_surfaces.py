"""Receipts as people see them: in a browser, on the command line, and off-line."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from playwright.sync_api import expect

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.actor import Actor
from foundation.surface.api import limits
from foundation.surface.web import build_assets
from tests.functional.web.conftest import Visitor, browser, visit
from tests.harness.exchange import SYSTEM, exchange_database, furnish
from tests.harness.exchange_receipts import draft, written
from tests.harness.serving import served
from workloads.data_exchange.bootstrap import Exchange, open_exchange
from workloads.data_exchange.entrypoints.app import create_app
from workloads.data_exchange.entrypoints.cli import exchange as program
from workloads.data_exchange.entrypoints.serve import parts
from workloads.data_exchange.receipts.model import Receipt
from workloads.data_exchange.settings import Settings

__all__ = ["browser", "visit"]


@dataclass(frozen=True)
class Running:
    """The product with three receipts of one agreement, two of them under a checkpoint."""

    url: str
    exchange: Exchange
    token: str
    receipts: list[Receipt]


@pytest.fixture(scope="module")
def running(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("home")
    with (
        exchange_database(postgres) as url,
        open_exchange(Settings(home=home, database_url=url), upgrade=False) as exchange,
    ):
        furnish(exchange)
        now = exchange.base.clock.now()
        made = written(exchange, [draft(now), draft(now, status=403)])
        exchange.receipts.sign_checkpoint()
        made += written(exchange, [draft(now)])
        person = exchange.people.create_person(
            SYSTEM, login="auditor", name="Auditor", path="/", password="auditor-demo-only"
        )
        exchange.people.grant(
            SYSTEM, principal_id=person.id, role="exchange_administrator", path="/"
        )
        actor = Actor(person.id, person.name, person.kind)
        token = exchange.base.gate.create_token(actor, name="test")[1]
        plenty = limits.Rate(1e6, 1_000_000)
        app = create_app(
            parts(exchange), exchange.settings, rate_limits=limits.Limits(plenty, plenty)
        )
        with served(app) as address:
            yield Running(address, exchange, token, made)


def cli(running: Running, tmp_path: Path, *arguments: str) -> Result:
    given = {
        "BOROUGH_EXCHANGE_URL": running.url, "BOROUGH_EXCHANGE_TOKEN": running.token,
        "BOROUGH_EXCHANGE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path),
    }  # fmt: skip
    return CliRunner().invoke(program, arguments, env=given, catch_exceptions=False)


def test_a_bundle_goes_from_the_command_line_to_somebody_without_a_service(
    running: Running, tmp_path: Path
) -> None:
    listed = cli(running, tmp_path, "receipt", "list", "-o", "json")
    assert {one["id"] for one in json.loads(listed.output)} == {one.id for one in running.receipts}
    shown = cli(running, tmp_path, "receipt", "show", running.receipts[0].id)
    assert "proven by: checkpoint 1" in shown.output
    file, keys = tmp_path / "bundle.ndjson", tmp_path / "keys.json"
    assert cli(running, tmp_path, "receipt", "export", "agr_1", str(file)).exit_code == 0
    keys.write_text(json.dumps(running.exchange.keys.jwks("/")))
    nobody = CliRunner()
    done = nobody.invoke(program, ["verify", str(file), "--keys", str(keys)])
    assert done.exit_code == 0, done.output
    assert "3 receipts, 2 proven by 1 checkpoints, 3 with the consumer's signature" in done.output
    packed = tmp_path / "bundle.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    assert nobody.invoke(program, ["verify", str(packed)]).exit_code == 0
    day = f"{running.exchange.base.clock.now():%Y-%m-%d}"
    assert cli(running, tmp_path, "receipt", "archive", day, str(packed)).exit_code == 0
    archived = nobody.invoke(program, ["verify", str(packed)])
    assert "3 receipts, 2 proven" in archived.output, archived.output
    for none, code in (("2020-01-01", 3), ("2020-13-01", 2), ("today", 2)):
        assert cli(running, tmp_path, "receipt", "archive", none, str(packed)).exit_code == code
    file.write_bytes(file.read_bytes().replace(b'\\"rows\\":1', b'\\"rows\\":2', 1))
    wrong = nobody.invoke(program, ["verify", str(file)])
    assert wrong.exit_code == 1
    assert "WRONG" in wrong.output
    keys.write_text("{}")
    assert nobody.invoke(program, ["verify", str(file), "--keys", str(keys)]).exit_code == 2
    (tmp_path / "empty").write_bytes(b"")
    assert nobody.invoke(program, ["verify", str(tmp_path / "empty")]).exit_code == 1


def test_checkpoints_are_for_everybody(running: Running, tmp_path: Path) -> None:
    file = tmp_path / "checkpoints.ndjson"
    listed = cli(running, tmp_path, "receipt", "checkpoints")
    assert listed.exit_code == 0
    done = cli(running, tmp_path, "receipt", "checkpoints", "--file", str(file))
    assert done.exit_code == 0, done.output
    assert CliRunner().invoke(program, ["verify", str(file)]).exit_code == 0


def test_what_is_not_there(running: Running, tmp_path: Path) -> None:
    assert cli(running, tmp_path, "receipt", "show", "rcp_x").exit_code == 3
    none = cli(running, tmp_path, "receipt", "export", "agr_0", str(tmp_path / "x"))
    assert none.exit_code == 3


@pytest.mark.skipif(not build_assets.is_built(), reason="the assets are not built")
@pytest.mark.rehearsal
def test_a_receipt_is_found_read_and_its_bundle_verified(
    running: Running, visit: Callable[..., Visitor], tmp_path: Path
) -> None:
    someone = visit(running.url)
    someone.sign_in("auditor")
    page = someone.go("/receipts")
    expect(page.locator("tbody tr")).to_have_count(3)
    someone.check_accessible()
    page.fill("#f-agreement", "agr_0")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("No receipts")).to_be_visible()
    page = someone.go("/receipts?agreement=agr_1&since=yesterday")
    expect(page.locator("#problems")).to_be_visible()
    page = someone.go(f"/receipts/{running.receipts[0].id}")
    expect(page.get_by_text("Proven by checkpoint 1")).to_be_visible()
    someone.check_accessible()
    page = someone.go(f"/receipts/{running.receipts[2].id}?lang=zh")
    expect(page.locator("h1")).to_have_text("回执")
    someone.check_accessible()
    lines = b"".join(running.exchange.receipts.export(SYSTEM, "agr_1"))
    for data, said in ((lines, "证据包成立"), (lines[:-5], "证据包不成立")):
        file = tmp_path / "bundle.ndjson"
        file.write_bytes(data)
        someone.go("/receipts")
        page.set_input_files("#bundle", str(file))
        page.get_by_role("button", name="验证", exact=True).click()
        expect(page.locator(".usa-alert", has_text=said)).to_be_visible()
        someone.check_accessible()
