"""Every page of Borough Exchange in the map of addresses: accessible, and not too wide.

English on a desk and Chinese on a phone; with THOROUGH=1 the other two as well. With
SCREENS=<folder> pictures of them are left there, to be looked at.
"""

import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.surface.web import build_assets
from foundation.surface.web.install import STATIC
from tests.conftest import SettableClock
from tests.functional.exchange.conftest import Running, run
from tests.functional.exchange.pages import rules
from tests.functional.web.conftest import Visitor, browser, visit
from tests.harness.exchange_town import Registries, town

__all__ = ["browser", "visit"]

pytestmark = [
    pytest.mark.rehearsal,
    pytest.mark.skipif(not build_assets.is_built(), reason="the assets are not built"),
]
PHONE, DESK = (390, 844), (1280, 900)
#: Each language and each width once; with THOROUGH=1 all four together.
SWEEPS = [("en", DESK), ("zh", PHONE)]
if os.environ.get("THOROUGH"):
    SWEEPS += [("en", PHONE), ("zh", DESK)]
ICONS = frozenset(
    re.findall(r'id="([^"]+)"', (STATIC / "vendor/img/sprite.svg").read_text(encoding="utf-8"))
)


@pytest.fixture(scope="module")
def clock() -> SettableClock:
    return SettableClock(datetime.now(UTC))  # noqa: TID251 - browsers end sessions by their own


@pytest.fixture(scope="module")
def running(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory, clock: SettableClock
) -> Iterator[Running]:
    """The product with what its directory has published for a catalogue."""
    home = tmp_path_factory.mktemp("home")
    with run(postgres, home, Registries(), clock=clock, catalogue=None) as made:
        yield made


@pytest.fixture(scope="module")
def things(running: Running, clock: SettableClock) -> dict[str, str]:
    return town(running.exchange, clock)


@pytest.mark.parametrize(("language", "size"), SWEEPS, ids=str)
def test_every_page_is_accessible(
    running: Running, things: dict[str, str], visit: Callable[..., Visitor], language: str,
    size: tuple[int, int],
) -> None:  # fmt: skip
    someone = visit(running.url)
    someone.sign_in("operator")
    someone.page.set_viewport_size({"width": size[0], "height": size[1]})
    wanted = os.environ.get("PAGES_LIKE", "")
    found: list[str] = []
    for rule in sorted(rules(running.exchange)):
        if wanted and not re.search(wanted, rule):
            continue
        page = someone.go(f"{address(rule, things)}?lang={language}")
        if someone.status is None or someone.status.status != 200:
            found.append(f"{rule}: {someone.status and someone.status.status}")
            continue
        found += [f"{rule}: there is no icon {name}" for name in strange_icons(page)]
        picture(page, rule, language, size[0])
        try:
            someone.check_accessible()
        except AssertionError as wrong:
            found.append(str(wrong))
    assert found == []


def address(rule: str, things: dict[str, str]) -> str:
    """A rule of the map with the ids of things in it."""

    def put(match: "re.Match[str]") -> str:
        return things[match.string[: match.start()].rstrip("/").rpartition("/")[2]]

    return re.sub(r"<[^>]+>", put, rule)


def strange_icons(page: Page) -> set[str]:
    """Icons of a page that the design system does not have: nothing is drawn for them."""
    named = page.eval_on_selector_all(
        "svg.usa-icon use", "all => all.map(one => one.getAttribute('href'))"
    )
    return {one.partition("#")[2] for one in named} - ICONS


def picture(page: Page, rule: str, language: str, width: int) -> None:
    """Leave a picture, when that was asked for."""
    folder = os.environ.get("SCREENS")
    if not folder:
        return
    name = re.sub(r"[^a-z]+", "-", rule.lower()).strip("-") or "home"
    page.screenshot(path=Path(folder, f"{name}.{language}.{width}.png"), full_page=True)
