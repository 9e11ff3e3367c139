"""The map of flows in a browser, and the same on the command line."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from playwright.sync_api import expect

from foundation.surface.web import build_assets
from tests.functional.exchange.conftest import Running
from tests.functional.web.conftest import Visitor, browser, visit
from tests.harness.exchange import CIVIL, HOUSING, TAX
from tests.harness.exchange_receipts import draft, written
from workloads.data_exchange.entrypoints.cli import exchange as program

__all__ = ["browser", "visit"]


@pytest.fixture(scope="module", autouse=True)
def _called(running: Running) -> None:
    """Housing asks the registry, some calls fail; tax asks it too."""
    at = running.exchange.base.clock.now()
    one = draft(at)
    written(
        running.exchange,
        [
            *(replace(one, milliseconds=40 + n) for n in range(20)),
            *(replace(one, status=504, milliseconds=5000) for _ in range(3)),
            *(replace(one, consumer=TAX, service="svc_2") for _ in range(5)),
        ],
    )
    assert running.exchange.receipts.sign_checkpoint() is not None


def cli(running: Running, tmp_path: Path, login: str, *arguments: str) -> Result:
    given = {
        "BOROUGH_EXCHANGE_URL": running.url, "BOROUGH_EXCHANGE_TOKEN": running.tokens[login],
        "BOROUGH_EXCHANGE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path),
    }  # fmt: skip
    return CliRunner().invoke(program, arguments, env=given, catch_exceptions=False)


def test_who_asks_whom_on_the_command_line(running: Running, tmp_path: Path) -> None:
    found = cli(running, tmp_path, "operator", "flows", "-o", "json")
    assert [
        (one["consumer"], one["provider"], one["calls"], one["failed"])
        for one in json.loads(found.output)
    ] == [(HOUSING, CIVIL, 23, 3), (TAX, CIVIL, 5, 0)]
    mine = cli(running, tmp_path, "officer", "flows", "--by-service", "--sort", "p95", "-o", "json")
    assert [(one["consumer"], one["service"]) for one in json.loads(mine.output)] == [
        (HOUSING, "svc_1")
    ]
    steps = cli(running, tmp_path, "operator", "flows", "--over-time", "--grain", "day")
    assert steps.exit_code == 0, steps.output
    assert " 28 " in steps.output
    wrong = cli(running, tmp_path, "operator", "flows", "--agency", "tax")
    assert wrong.exit_code == 2
    assert "path such as" in wrong.output
    assert cli(running, tmp_path, "reviewer", "flows").exit_code == 4


@pytest.mark.skipif(not build_assets.is_built(), reason="the assets are not built")
def test_the_map_and_its_table(running: Running, visit: Callable[..., Visitor]) -> None:
    someone = visit(running.url)
    someone.sign_in("operator")
    page = someone.go("/flows")
    drawing = page.get_by_role("img", name="Agencies by district")
    expect(drawing).to_be_visible()
    expect(drawing.locator("circle")).to_have_count(3)
    rows = page.locator("#flows tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("/city/housing/")
    someone.check_accessible()
    page.get_by_role("link", name="Provider", exact=True).click()
    expect(page.locator("#flows th[aria-sort=ascending]")).to_have_text("Provider")
    page.select_option("#f-outcome", "failed")
    page.get_by_role("button", name="Show").click()
    expect(rows).to_have_count(1)
    expect(drawing.locator("path[stroke-dasharray='3 4']")).to_have_count(1)
    page.select_option("#f-level", "district")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("No flows")).to_be_visible()
    someone.check_accessible()
    page = someone.go("/flows?period=other&start=yesterday&agency=x")
    expect(page.locator("#problems")).to_be_visible()
    someone.check_accessible()
    page = someone.go("/flows?lang=zh&by_service=on")
    expect(page.locator("h1")).to_have_text("流向")
    expect(rows).to_have_count(2)
    someone.check_accessible()


@pytest.mark.skipif(not build_assets.is_built(), reason="the assets are not built")
def test_an_agency_sees_its_own_on_the_map(running: Running, visit: Callable[..., Visitor]) -> None:
    someone = visit(running.url)
    someone.sign_in("officer")
    page = someone.go("/flows")
    expect(page.locator("#flows tbody tr")).to_have_count(1)
    expect(page.locator("main")).not_to_contain_text("/city/tax/")
