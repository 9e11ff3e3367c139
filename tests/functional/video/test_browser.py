"""The wall and the rule editor in a real browser, with and without a script."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from foundation.kernel.paging import PageRequest
from foundation.surface.web import build_assets
from tests.functional.video.conftest import SYSTEM, Running
from tests.functional.web.conftest import Visitor, browser, visit
from workloads.video_analytics.rules.ports import RuleQuery

__all__ = ["browser", "visit"]

pytestmark = pytest.mark.skipif(not build_assets.is_built(), reason="the assets are not built")


def test_the_wall_shows_pictures_words_and_times(
    running: Running, visit: Callable[..., Visitor]
) -> None:
    someone = visit(running.url)
    someone.sign_in("operator")
    page = someone.go("/cameras")
    tiles = page.locator(".bv-tile")
    expect(tiles).to_have_count(3)
    gate = tiles.filter(has_text="West gate")
    expect(gate).to_contain_text("online")
    expect(gate.locator(".bo-state svg")).to_have_count(1)
    assert gate.locator("img").evaluate("one => one.naturalWidth") == 640
    expect(gate.locator("time")).to_have_count(1)
    expect(tiles.filter(has_text="Bridge")).to_contain_text("no signal")
    expect(tiles.filter(has_text="Harbour")).to_contain_text("not watched yet")
    someone.check_accessible()
    page.select_option("#state", "no_signal")
    page.wait_for_url("**state=no_signal**")
    expect(page.locator(".bv-tile")).to_have_count(1)
    # It renews itself.
    with page.expect_response(lambda answer: "/cameras?" in answer.url, timeout=10_000):
        pass


@pytest.mark.rehearsal
def test_every_page_is_accessible_in_both_languages(
    running: Running, visit: Callable[..., Visitor]
) -> None:
    someone = visit(running.url)
    someone.sign_in("operator")
    camera = running.gate.id
    for path in (
        "/", f"/cameras/{camera}", "/cameras/new", f"/cameras/{camera}/edit", "/cameras/import",
        "/camera-health", "/departments", "/rules", f"/rules?camera={camera}",
        f"/rules/new?camera={camera}&kind=counting", "/permits",
    ):  # fmt: skip
        someone.go(path)
        assert someone.status is not None
        assert someone.status.status == 200, path
        someone.check_accessible()
    page = someone.go("/cameras?lang=zh")
    expect(page.locator("h1")).to_have_text("监控墙")
    expect(page.locator(".bv-tile").filter(has_text="桥")).to_contain_text("无信号")


def test_a_line_is_drawn_dragged_and_typed(running: Running, visit: Callable[..., Visitor]) -> None:
    someone = visit(running.url)
    someone.sign_in("operator")
    page = someone.go(f"/rules?camera={running.gate.id}")
    page.select_option("#kind", "line_crossing")
    page.get_by_role("button", name="Draw it").click()
    frame = page.locator(".bv-frame")
    box = frame.bounding_box()
    assert box is not None

    def at(x: float, y: float) -> tuple[float, float]:
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    page.mouse.click(*at(0.25, 0.5))
    page.mouse.click(*at(0.75, 0.5))
    page.mouse.click(*at(0.9, 0.9))
    page.get_by_role("button", name="Take back the last point").click()
    page.mouse.move(*at(0.75, 0.5))
    page.mouse.down()
    page.mouse.move(*at(0.8, 0.25), steps=4)
    page.mouse.up()
    points = [
        [float(part) for part in line.split(",")]
        for line in page.input_value("#f-points").splitlines()
    ]
    assert points == [pytest.approx([0.25, 0.5], abs=0.01), pytest.approx([0.8, 0.25], abs=0.01)]
    # The keyboard: a third point is typed, and the drawing follows.
    page.locator("#f-points").focus()
    page.keyboard.press("Control+End")
    page.keyboard.type("\n0.9, 0.1")
    expect(page.locator(".bv-point")).to_have_count(3)
    someone.check_accessible()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".usa-alert--error")).to_contain_text("Name in English")
    expect(page.locator(".bv-point")).to_have_count(3)  # what was drawn is kept
    page.fill("[id='f-name-en']", "Gate line")
    page.fill("[id='f-name-zh']", "门线")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("h1")).to_have_text("Gate line")
    [rule] = running.video.rules.rules(SYSTEM, RuleQuery(), PageRequest()).items
    assert [tuple(point) for point in rule.points] == [
        pytest.approx((0.25, 0.5), abs=0.01), pytest.approx((0.8, 0.25), abs=0.01), (0.9, 0.1),
    ]  # fmt: skip
    page.locator("label", has_text="To the left of the line as drawn").click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("body")).to_contain_text("A new version of the rule is in force")
    newer = running.video.rules.rule(SYSTEM, rule.id)
    assert (newer.version, newer.parameters["direction"]) == (2, "to_left")


@pytest.mark.rehearsal
def test_without_a_script_everything_is_still_said_and_done(
    running: Running, visit: Callable[..., Visitor]
) -> None:
    someone = visit(running.url, java_script_enabled=False)
    someone.go("/sign-in")
    someone.page.fill("#f-login", "operator")
    someone.page.fill("#f-password", "operator-demo-only")
    someone.page.press("#f-password", "Enter")
    page = someone.go("/cameras?group=gates")
    expect(page.locator(".bv-tile")).to_have_count(3)
    page.get_by_role("link", name="Show the present pictures").click()
    expect(page.locator(".bv-tile")).to_have_count(3)
    page = someone.go(f"/rules/new?camera={running.gate.id}&kind=field_presence")
    page.fill("#f-points", "0.1, 0.1\n0.9, 0.1\n0.9, 0.9")
    page.fill("[id='f-name-en']", "Field")
    page.fill("[id='f-name-zh']", "区域")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("h1")).to_have_text("Field")
