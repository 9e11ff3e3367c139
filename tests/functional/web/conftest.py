"""A running city for a real browser: web process and worker of their own, the demonstration's data.

The platform's clock stands a little before the last whole month; tests set it right again, so that
a month of usage can lie behind an order.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from control_plane.adapters.shiftable_clock import ShiftableClock
from control_plane.bootstrap import Platform
from control_plane.demonstration import load_city
from control_plane.demonstration.expectations import usage_window
from foundation.kernel.time import Interval
from foundation.surface.web import build_assets
from tests.functional.conftest import running_product
from tests.harness.browser import chromium

AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
NARROW = 320
#: Set SCREENSHOTS=1 to write the pictures of the documentation anew.
SCREENSHOTS = Path(__file__).parents[3] / "docs" / "screenshots"
_TALLEST = 1400
_TIMEOUT = 20_000


@dataclass(frozen=True, slots=True)
class RunningCity:
    """The product as people meet it.

    Attributes:
        month: the last whole month, for which a statement is issued.
    """

    url: str
    platform: Platform
    month: Interval

    @property
    def clock(self) -> ShiftableClock:
        assert isinstance(self.platform.clock, ShiftableClock)
        return self.platform.clock


@pytest.fixture(scope="module")
def city() -> Iterator[RunningCity]:
    """The product on a fresh home with the demonstration city and a clock that can be shifted."""
    if not build_assets.is_built():
        pytest.skip("the assets are not built: run foundation/surface/web/build_assets.py")
    now = datetime.now(UTC)  # noqa: TID251 - the city's months are counted from the present
    month = usage_window(load_city(), now)
    placed = month.start - timedelta(days=2)
    with running_product(at=placed, BOROUGH_SIMULATED_TIME="true") as product:
        yield RunningCity(product.url, product.platform, month)


@pytest.fixture(scope="session")
def browser() -> Browser:
    """Debian's Chromium, without a window."""
    return chromium()


class Visitor:
    """Somebody at a browser; what the browser complains about is kept."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(_TIMEOUT)
        self.url = url
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console",
            lambda message: (
                self.complaints.append(message.text)
                if "Content Security Policy" in message.text
                else None
            ),
        )

    def go(self, path: str) -> Page:
        """Open an address of the platform."""
        self.status = self.page.goto(self.url + path)
        return self.page

    def sign_in(self, login: str) -> None:
        """Sign in by the form, with a demonstration account's published password."""
        self.go("/sign-in")
        self.page.fill("#f-login", login)
        self.page.fill("#f-password", f"{login}-demo-only")
        self.page.press("#f-password", "Enter")
        self.page.wait_for_url(f"{self.url}/")

    def title_state(self) -> str:
        """The words beside the page's title: state and whether it is simulated."""
        return self.page.inner_text(".bo-head__title")

    def wait_for_state(self, word: str, *, seconds: float = 60) -> None:
        """Wait until the page, which renews itself, shows a state in its title."""
        title = self.page.locator(".bo-head__title")
        expect(title).to_contain_text(word, timeout=seconds * 1000)

    def picture(self, name: str) -> None:
        """Keep a picture of the page for the documentation, when that was asked for."""
        if not os.environ.get("SCREENSHOTS"):
            return
        height = self.page.evaluate("document.documentElement.scrollHeight")
        self.page.screenshot(
            path=SCREENSHOTS / f"{name}.png",
            full_page=True,
            clip={"x": 0, "y": 0, "width": 1280, "height": min(height, _TALLEST)},
        )

    def check_accessible(self) -> None:
        """Axe finds nothing, and nothing sticks out on a narrow screen."""
        found = Axe().run(self.page, options=AXE).response["violations"]
        told = [
            (v["id"], [(n["target"], n.get("failureSummary")) for n in v["nodes"]]) for v in found
        ]
        assert told == [], self.page.url
        size = self.page.viewport_size
        self.page.set_viewport_size({"width": NARROW, "height": 800})
        wide = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if size:
            self.page.set_viewport_size(size)
        assert wide <= 0, f"{self.page.url} is {wide} px too wide at {NARROW} px"


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Opens a fresh browser profile each time it is called; at the end nobody has complained."""
    contexts: list[BrowserContext] = []
    visitors: list[Visitor] = []

    def open_one(url: str, **options: object) -> Visitor:
        context = browser.new_context(
            viewport={"width": 1280, "height": 900},
            **options,  # type: ignore[arg-type]
        )
        contexts.append(context)
        visitors.append(Visitor(context, url))
        return visitors[-1]

    yield open_one
    for context in contexts:
        context.close()
    assert [text for visitor in visitors for text in visitor.complaints] == []
