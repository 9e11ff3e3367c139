"""Pages of ONVIF devices and of linkage rules in a real browser; the city's face."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from foundation.kernel.paging import PageRequest
from foundation.surface.web import build_assets
from tests.fakes import onvif
from tests.functional.video.conftest import SYSTEM, Running
from tests.functional.web.conftest import Visitor, browser, visit
from workloads.video_analytics.cameras.ports import CameraQuery
from workloads.video_analytics.events.linkage.model import ActionKind

__all__ = ["browser", "visit"]

pytestmark = pytest.mark.skipif(not build_assets.is_built(), reason="the assets are not built")

PASSWORD = "pass&word<1>"


def test_a_device_is_asked_and_entered_as_a_camera(
    running: Running, visit: Callable[..., Visitor]
) -> None:
    someone = visit(running.url)
    someone.sign_in("operator")
    device = onvif.Device(lambda: datetime.now(UTC))  # noqa: TID251 - the device has its own clock
    with onvif.serving(device) as address:
        page = someone.go("/cameras")
        page.get_by_role("link", name="ONVIF devices").click()
        someone.check_accessible()
        page.fill("#f-address", address)
        page.fill("#f-username", "admin")
        page.fill("#f-password", "wrong")
        page.get_by_role("button", name="Ask it").click()
        expect(page.get_by_role("alert")).to_be_visible()
        someone.check_accessible()
        assert page.input_value("#f-address") == address
        assert page.input_value("#f-password") == ""

        page.fill("#f-password", PASSWORD)
        page.get_by_role("button", name="Ask it").click()
        expect(page.locator("h1")).to_have_text("Borough Test 1")
        someone.check_accessible()
        # What it is entered with stands nowhere on the page.
        assert PASSWORD not in page.content()
        assert "pass&amp;word" not in page.content()
        page.fill("#f-name-en", "Quay")
        page.fill("#f-name-zh", "码头")
        page.fill("#f-code", "no code")
        page.get_by_role("button", name="Enter").click()
        expect(page.locator("#f-code")).to_have_attribute("aria-invalid", "true")
        someone.check_accessible()
        assert page.input_value("#f-name-en") == "Quay"
        page.fill("#f-code", "Q-1")
        page.select_option("#f-path", "/city/water/")
        page.get_by_role("button", name="Enter").click()
        page.wait_for_url("**/edit**")
    someone.check_accessible()
    [made] = running.video.cameras.cameras(SYSTEM, CameraQuery(text="Quay"), PageRequest()).items
    assert made.device is not None
    assert made.device.address == address
    assert made.has_credentials
    assert made.settings.vendor == "Borough"


def test_nobody_answers_and_addresses_that_may_not_be_asked(
    running: Running, visit: Callable[..., Visitor]
) -> None:
    someone = visit(running.url)
    someone.sign_in("operator")
    page = someone.go("/devices")
    page.fill("#f-host", "169.254.169.254")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text(re.compile("no address may lead"))).to_be_visible()
    someone.check_accessible()
    page.fill("#f-host", "127.0.0.1")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("Nobody answered")).to_be_visible(timeout=15_000)
    someone.check_accessible()
    page.fill("#f-address", "http://169.254.169.254/latest")
    page.get_by_role("button", name="Ask it").click()
    expect(page.get_by_text(re.compile("no address may lead"))).to_be_visible()


def test_a_sealed_login_of_another_or_of_yesterday_counts_no_more(
    running: Running, visit: Callable[..., Visitor]
) -> None:
    someone = visit(running.url)
    someone.sign_in("operator")
    page = someone.go("/devices")
    token = page.locator("input[name=csrf_token]").first.input_value()
    others = running.video.base.secrets.seal(
        b'["http://127.0.0.1:1/","a","b","2999-01-01T00:00:00+00:00"]', "video_onvif_form:per_x"
    )
    for login in (others, "nonsense", ""):
        answer = page.request.post(
            f"{running.url}/devices/import", form={"csrf_token": token, "login": login}
        )
        assert "too long ago" in answer.text()


def test_a_linkage_rule_is_made_changed_switched_and_removed(
    running: Running, visit: Callable[..., Visitor]
) -> None:
    someone = visit(running.url)
    someone.sign_in("operator")
    page = someone.go("/linkages")
    expect(page.get_by_text("No linkage rules")).to_be_visible()
    someone.check_accessible()
    page.get_by_role("link", name="New linkage rule").click()
    someone.check_accessible()
    page.select_option("#f-path", "/city/water/")
    page.fill("#f-name", "Gate turns")
    page.locator("label", has_text=re.compile("^Motion$")).click()
    page.select_option("#f-then-1-kind", "ptz")
    page.get_by_role("button", name="Save").click()
    # The action of the second place lacks camera and position; it is said there.
    expect(page.locator("#f-then-1-camera")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#f-then-1-preset")).to_have_attribute("aria-invalid", "true")
    someone.check_accessible()
    page.select_option("#f-then-1-camera", running.gate.id)
    page.fill("#f-then-1-preset", "P1")
    page.fill("#f-start", "22:00")
    page.fill("#f-end", "06:00")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row").filter(has_text="Gate turns")).to_contain_text("turn a camera")
    someone.check_accessible()
    [made] = running.video.happenings.linkages.linkages(SYSTEM)
    assert made.then[0].camera == running.gate.id
    assert made.when.hours is not None

    page.get_by_role("link", name="Gate turns").click()
    assert page.input_value("#f-then-0-kind") == "ptz"
    assert page.input_value("#f-start") == "22:00"
    page.select_option("#f-then-1-kind", "incident")
    page.fill("#f-then-1-title", "Look there")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row").filter(has_text="Gate turns")).to_contain_text(
        "open an incident"
    )
    [changed] = running.video.happenings.linkages.linkages(SYSTEM)
    assert [one.kind for one in changed.then] == [ActionKind.PTZ, ActionKind.INCIDENT]
    assert changed.version == made.version + 1
    assert changed.when == made.when

    row = page.get_by_role("row").filter(has_text="Gate turns")
    row.get_by_role("button", name="Turn off").click()
    expect(page.get_by_role("row").filter(has_text="Gate turns")).to_contain_text("off")
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("No linkage rules")).to_be_visible()
    page = someone.go("/linkages?lang=zh")
    expect(page.locator("h1")).to_have_text("联动")


def test_the_city_has_its_own_face_here_too(
    running: Running, visit: Callable[..., Visitor]
) -> None:
    someone = visit(running.url)
    someone.sign_in("operator")
    page = someone.go("/cameras")
    expect(page.locator("header")).to_contain_text("Harbour cloud")
    assert "--accent: #204080;" in page.request.get(f"{running.url}/theme.css").text()
    expect(page.locator("footer")).to_contain_text("Borough Video")
