"""Pages of watch lists in a real browser: axe finds nothing, in both languages and when narrow."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.conftest import START
from tests.contract.video.watchlists.conftest import ANN, TRAFFIC, World
from tests.contract.video.watchlists.test_surfaces import client_of
from tests.harness.browser import chromium
from tests.harness.serving import served
from workloads.video_analytics.watchlists.model import Wish

pytestmark = pytest.mark.rehearsal


AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.fixture
def url(world: World) -> Iterator[str]:
    with served(client_of(world).application) as address:
        yield address


def test_axe_finds_nothing(world: World, url: str) -> None:
    until = START + timedelta(days=30)
    faces = world.watchlists.create(ANN, Wish("faces", "Missing", TRAFFIC, "Order 12", until))
    world.watchlists.add_face(ANN, faces.id, label="Case 7", picture=b"person 3")
    plates = world.watchlists.create(ANN, Wish("plates", "Stolen", TRAFFIC, "Order 13", until))
    world.watchlists.add_plate(ANN, plates.id, label="Case 8", pattern="苏A12345")
    found = []
    browser = chromium()
    for language, width in (("en", 1280), ("zh", 320)):
        context = browser.new_context(locale=language, viewport={"width": width, "height": 800})
        cookie = {"name": "borough_video_session", "value": "ann", "url": url}
        context.add_cookies([cookie])  # type: ignore[list-item]
        page = context.new_page()
        for path in ("", "/new", f"/{faces.id}", f"/{plates.id}"):
            answer = page.goto(f"{url}/watchlists{path}")
            assert answer is not None
            assert answer.status == 200
            wide = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            violations = Axe().run(page, options=AXE).response["violations"]
            found += [(path, v["id"]) for v in violations]
            found += [(path, f"{wide} px too wide")] if wide > 0 else []
    assert found == []
