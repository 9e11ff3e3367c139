"""The story through a real browser: a department orders, the city approves, it is made and billed.

The tests run in their order on one city: each continues where the one before ended.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import expect

from control_plane.bootstrap import Platform
from foundation.kernel.actor import Actor
from foundation.kernel.paging import PageRequest
from tests.functional.web.conftest import RunningCity, Visitor

Visit = Callable[..., Visitor]
NAME = "appointment-web"


@dataclass
class Facts:
    """What the chapters tell each other."""

    order: str = ""
    instance: str = ""
    digest: str = ""
    statement: str = ""
    line: str = ""


@pytest.fixture(scope="module")
def facts() -> Facts:
    return Facts()


def needed(value: str) -> str:
    """A fact of an earlier chapter; without it this one cannot be told."""
    if not value:
        pytest.fail("an earlier chapter of the story did not succeed")
    return value


def collect_until(platform: Platform, end: datetime | None) -> None:
    """Collect every region; the worker may be at it already, then its window counts."""
    tester = Actor.system("test")
    regions = [r.id for r in platform.provisioning.regions(tester, PageRequest()).items]
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        for region in regions:
            platform.metering.collect_region(region)
        marks = {m.region_id: m.collected_until for m in platform.metering.watermarks(tester)}
        seen = [marks.get(region) for region in regions]
        if end and all(at is not None and at >= end for at in seen):
            return
        time.sleep(0.5)
    pytest.fail(f"usage is not collected up to {end}: {seen}")


def test_a_wrong_password_is_refused_without_saying_what_was_wrong(
    city: RunningCity, visit: Visit
) -> None:
    stranger = visit(city.url)
    page = stranger.go("/orders?state=draft")
    assert "/sign-in?next=" in page.url
    page.fill("#f-login", "health.requester")
    page.fill("#f-password", "not the password")
    page.click("main button[type=submit]")
    assert "The name or the password is wrong" in page.inner_text("main")
    page.fill("#f-password", "")
    page.fill("#f-login", "")
    page.click("main button[type=submit]")
    assert page.locator("#problems a").all_inner_texts() == [
        "Name: Is required",
        "Password: Is required",
    ]
    stranger.check_accessible()
    page.fill("#f-login", "health.requester")
    page.fill("#f-password", "health.requester-demo-only")
    page.press("#f-password", "Enter")
    page.wait_for_url("**/orders?state=draft")


def test_the_department_orders_with_the_price_beside_the_form(
    city: RunningCity, visit: Visit, facts: Facts
) -> None:
    requester = visit(city.url)
    requester.sign_in("health.requester")
    page = requester.page
    assert "No services yet" in page.inner_text("main")
    page.click("text=Open the catalogue")
    assert "availability=orderable" in page.url
    page.click("main h3 >> text=Web application")
    assert re.search(r"¥ 1,638\.00", page.inner_text("main"))
    requester.picture("offering")
    requester.check_accessible()
    page.click("text=Order M")

    # Everything that is wrong is said at once, beside the field and in the summary.
    page.fill("#f-inputs-servers", "99")
    page.fill("#f-name", "Not A Name")
    page.click("text=Plan and price it")
    said = "\n".join(page.locator("#problems li").all_inner_texts())
    assert "Name of the service: Must be 1 to 40" in said
    assert "Servers: Must be" in said
    assert "Why: Is required" in said
    assert page.get_attribute("#f-inputs-servers", "aria-invalid") == "true"
    assert "Must be" in page.inner_text("#f-inputs-servers-error")
    requester.check_accessible()

    # Corrected, the price, the quota and the approvers appear while one types.
    page.fill("#f-name", NAME)
    page.fill("#f-inputs-servers", "2")
    page.wait_for_selector("#quote .bo-price")
    quote = page.inner_text("#quote")
    assert "¥ 1,638.00" in quote
    assert "4 / 64" in quote
    assert "Finance approval" in quote
    requester.picture("order-form")
    assert page.inner_text("#f-inputs-servers-error") == ""
    page.fill("#f-inputs-servers", "3")
    expect(page.locator("#quote")).to_contain_text("¥ 2,368.00")
    page.fill("#f-inputs-servers", "2")
    page.fill("#f-justification", "The site must carry the autumn vaccination season.")
    page.click("text=Plan and price it")
    page.wait_for_url("**/orders/ord_*")
    facts.order = page.url.split("/orders/")[1].split("?")[0]
    requester.wait_for_state("in approval")
    assert "simulated" in requester.title_state()
    requester.check_accessible()

    # Whoever ordered sees the approval and cannot give it.
    page.goto(f"{city.url}/approvals/{facts.order}")
    assert page.locator("form[action$=approve]").count() == 0


def test_a_neighbour_finds_nothing(city: RunningCity, visit: Visit, facts: Facts) -> None:
    neighbour = visit(city.url)
    neighbour.sign_in("education.requester")
    order = needed(facts.order)
    for path in (f"/orders/{order}", f"/approvals/{order}"):
        answer = neighbour.page.goto(city.url + path)
        assert answer is not None
        assert answer.status in {403, 404}
        assert NAME not in neighbour.page.content()
    neighbour.check_accessible()
    page = neighbour.go("/orders")
    assert NAME not in page.content()


def test_an_approver_rejects_only_with_a_reason_and_approves_the_digest(
    city: RunningCity, visit: Visit, facts: Facts
) -> None:
    approver = visit(city.url)
    approver.sign_in("finance.approver")
    page = approver.page
    assert page.locator(".bo-counts li", has_text="approval").inner_text().startswith("1")
    page.goto(f"{city.url}/approvals?mine=1")
    page.click(f"th >> text={NAME}")
    assert page.url.endswith(needed(facts.order))
    text = page.inner_text("main")
    assert "¥ 1,638.00" in text
    assert "forces replacement" not in text
    facts.digest = page.inner_text(".bo-split__side .bo-copy code").strip()
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", facts.digest)
    approver.picture("approval")
    page.locator("summary", has_text="server-1").click()
    assert "flavor" in page.inner_text("details[open]").lower()
    approver.check_accessible()
    page.locator("summary", has_text="Reject").click()
    page.get_by_role("button", name="Reject with this reason").click()
    assert page.inner_text("#f-reason-error") == "Is required"
    approver.check_accessible()
    page.click("form[action$=approve] button")
    page.wait_for_url("**/orders/ord_*")
    # Live, without a reload: the page renews itself until the service is there.
    approver.wait_for_state("active")
    approver.check_accessible()


def test_an_approval_of_another_digest_shows_the_band_and_no_approve(
    city: RunningCity, visit: Visit
) -> None:
    requester = visit(city.url)
    requester.sign_in("health.requester")
    page = requester.go("/orders/new?offering=web-application&plan=s")
    page.fill("#f-name", "second-web")
    page.fill("#f-justification", "A second one.")
    page.click("text=Plan and price it")
    page.wait_for_url("**/orders/ord_*")
    order = page.url.split("/orders/")[1].split("?")[0]
    requester.wait_for_state("in approval")
    approver = visit(city.url)
    approver.sign_in("finance.approver")
    page = approver.go(f"/approvals/{order}")
    page.eval_on_selector("form[action$=approve] [name=digest]", "e => e.value = 'sha256:0'")
    page.click("form[action$=approve] button")
    assert "This is not what you looked at" in page.inner_text(".bo-band")
    assert page.locator("form[action$=approve]").count() == 0
    approver.check_accessible()
    page.get_by_role("link", name="Look at the new plan").click()
    page.locator("summary", has_text="Reject").click()
    page.fill("#f-reason", "One is enough.")
    page.get_by_role("button", name="Reject with this reason").click()
    page.wait_for_url("**/orders/ord_*")
    assert "rejected" in approver.title_state()
    assert "One is enough." in page.inner_text("main")


def test_the_department_has_its_service(city: RunningCity, visit: Visit, facts: Facts) -> None:
    requester = visit(city.url)
    requester.sign_in("health.requester")
    page = requester.page
    page.click(f"th >> text={NAME}")
    facts.instance = page.url.split("/services/")[1]
    assert "active" in requester.title_state()
    assert "simulated" in requester.title_state()
    assert "These addresses are simulated" in page.inner_text("main")
    requester.picture("service")
    requester.check_accessible()
    page.click("nav >> text=Resources")
    rows = page.inner_text("main table")
    assert "server-1" in rows
    assert "created" in rows
    requester.check_accessible()
    page.click("nav >> text=Changes")
    assert "New service" in page.inner_text("main table")
    requester.check_accessible()
    page.click("main table a >> nth=-1")
    assert "/operations/" in page.url
    assert "succeeded" in page.inner_text("main")
    requester.picture("operation")
    requester.check_accessible()


def test_a_service_is_returned_only_by_typing_its_name(
    city: RunningCity, visit: Visit, facts: Facts
) -> None:
    requester = visit(city.url)
    requester.sign_in("health.requester")
    page = requester.go(f"/services/{needed(facts.instance)}/return")
    assert "server-1" in page.inner_text("main")
    page.fill("#f-name", "something-else")
    assert page.is_disabled("[data-confirmed]")
    page.eval_on_selector("[data-confirmed]", "button => button.disabled = false")
    page.click("[data-confirmed]")
    assert page.inner_text("#f-name-error") == "Is not the name of the service"
    requester.check_accessible()


def test_the_month_is_billed_and_a_line_is_explained_back_to_the_approval(
    city: RunningCity, visit: Visit, facts: Facts
) -> None:
    order = needed(facts.order)
    city.clock.reset()
    platform = city.platform
    collect_until(platform, city.month.end)
    before = city.month.start - timedelta(days=1)
    finance = visit(city.url)
    finance.sign_in("finance.approver")
    page = finance.page
    for period in (f"{before:%Y-%m}", f"{city.month.start:%Y-%m}"):
        platform.billing.rate(period)
        page.goto(f"{city.url}/usage")
        page.click(f"main table th >> text={period}")
        assert "open" in finance.title_state()
        page.locator("summary", has_text="Issue the statement").click()
        page.get_by_role("button", name="Issue it for good").click()
        page.wait_for_url("**notice=issued**")
        assert "issued" in finance.title_state()
    facts.statement = page.url.split("/statements/")[1].split("?")[0]
    finance.check_accessible()
    page.click("main table th >> text=Server hours")
    stairs = page.locator(".bo-stairs > li").all_inner_texts()
    headings = [text.splitlines()[0] for text in stairs]
    assert headings == [
        "Line of the statement",
        "Charges",
        "Hours and events",
        "Resource",
        "Deployment",
        "Order",
        "Contract",
        "Approval",
    ]
    assert order in page.content()
    assert needed(facts.digest) in stairs[-1]
    finance.picture("explanation")
    facts.line = page.url.split("/statement-lines/")[1]
    finance.check_accessible()
    page.goto(f"{city.url}/usage")
    assert page.locator(".bo-chart rect").count() > 0
    finance.check_accessible()


def test_the_auditor_reads_the_log_and_verifies_the_chain(
    city: RunningCity, visit: Visit, facts: Facts
) -> None:
    auditor = visit(city.url)
    auditor.sign_in("auditor")
    page = auditor.go(f"/audit?subject={needed(facts.order)}")
    page.wait_for_selector("#chain .bo-state--good")
    actions = page.locator("main table tbody th").all_inner_texts()
    assert "approval.decide" in actions
    assert "order.submit" in actions
    auditor.check_accessible()


@pytest.mark.rehearsal
def test_the_administrator_sees_the_platform(city: RunningCity, visit: Visit) -> None:
    administrator = visit(city.url)
    administrator.sign_in("admin")
    page = administrator.page
    text = page.inner_text("main")
    assert "simulated" in text
    assert "at work" in text
    administrator.picture("administrator")
    for path in ("/", "/regions", "/blueprints", "/blueprints/web-application", "/organisations",
                 "/deployments", "/inventory", "/operations", "/audit", "/account", "/catalogue",
                 "/orders", "/services", "/approvals", "/usage", "/identity"):  # fmt: skip
        answer = page.goto(city.url + path)
        assert answer is not None
        assert answer.status == 200, path
        administrator.check_accessible()
    page.goto(f"{city.url}/organisations")
    page.click("text=Health Bureau >> nth=0")
    assert page.locator(".bo-bar").count() > 0
    administrator.check_accessible()


def test_the_administrator_lets_pipelines_in(city: RunningCity, visit: Visit) -> None:
    administrator = visit(city.url)
    administrator.sign_in("admin")
    page = administrator.go("/identity")
    page.fill("#f-new-slug", "gitlab")
    page.fill("#f-new-url", "https://gitlab.city.example")
    page.fill("#f-new-audience", city.url)
    page.click("text=Trust it")
    page.wait_for_selector("text=The issuer is trusted.")
    page.fill("#f-slug", "health-deploy")
    page.fill("#f-match", "project_path=health/services\nref_protected=true")
    page.fill("#f-path", "/city/health/")
    page.click("text=Add the rule")
    page.wait_for_selector("text=The rule lets workloads in.")
    assert "project_path=health/services" in page.inner_text("main table >> nth=0")
    page.click("main table >> nth=0 >> summary")
    administrator.check_accessible()
    page.fill("main table >> nth=0 >> input[name=name]", "health-deploy")
    page.click("main table >> nth=0 >> button")
    page.wait_for_selector("text=The rule is gone")
    administrator.check_accessible()


def test_every_page_is_there_in_chinese(city: RunningCity, visit: Visit, facts: Facts) -> None:
    administrator = visit(city.url)
    administrator.sign_in("admin")
    page = administrator.go("/?lang=zh")
    english = re.compile(r"\b(the|is|are|of|and|with|your|this|was|not)\b")
    for path in ("/", "/catalogue", "/catalogue/web-application", "/regions", "/blueprints",
                 "/organisations", "/operations", "/audit", "/account", "/orders", "/services",
                 "/approvals", "/usage", "/identity", f"/orders/{facts.order}",
                 f"/services/{facts.instance}", f"/statements/{facts.statement}",
                 f"/statement-lines/{facts.line}"):  # fmt: skip
        page = administrator.go(path)
        assert page.get_attribute("html", "lang") == "zh-Hans"
        # What people typed stays as they typed it; all that the platform says is Chinese.
        said = page.evaluate(
            "() => { document.querySelectorAll('code, pre, [data-typed]').forEach(e => e.remove());"
            " return document.body.innerText; }"
        ).replace("The site must carry the autumn vaccination season.", "")
        assert english.findall(said) == [], (path, english.search(said))


def test_it_works_by_keyboard_alone(city: RunningCity, visit: Visit) -> None:
    person = visit(city.url)
    page = person.go("/sign-in")
    page.keyboard.type("health.requester")
    page.keyboard.press("Tab")
    page.keyboard.type("health.requester-demo-only")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{city.url}/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "usa-skipnav"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.focus(".bo-menu summary")
    page.keyboard.press("Enter")
    assert page.is_visible("text=Sign out")
    page.keyboard.press("Escape")
    assert not page.is_visible("text=Sign out")


def test_it_works_without_scripts(city: RunningCity, visit: Visit) -> None:
    person = visit(city.url, java_script_enabled=False)
    person.sign_in("health.requester")
    page = person.go("/orders/new?offering=web-application&plan=s")
    page.fill("#f-name", "plain-web")
    page.click("text=Save draft")
    assert "The draft is saved" in page.inner_text("main")
    page.click("text=Plan and price it")
    assert page.locator("#problems a").all_inner_texts() == ["Why: Is required"]
    page.fill("#f-justification", "Without scripts.")
    page.click("text=Plan and price it")
    for _ in range(60):
        page.reload()
        if "in approval" in person.title_state():
            break
        page.wait_for_timeout(500)
    assert "in approval" in person.title_state()
    page.locator("summary", has_text="Withdraw").click()
    page.click("text=Withdraw the order")
    assert "withdrawn" in person.title_state()


def test_signing_out_ends_the_session(city: RunningCity, visit: Visit) -> None:
    person = visit(city.url)
    person.sign_in("health.requester")
    page = person.page
    page.click(".bo-menu summary")
    page.click("text=Sign out")
    assert "You are signed out" in page.inner_text("main")
    page.goto(f"{city.url}/orders")
    assert "/sign-in" in page.url
