"""What every visitor of Borough Exchange has: the first page, their account, the books.

Whether pages are accessible is looked at in ``test_pages_rehearsal.py``, for all of them.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from foundation.kernel.actor import Actor
from foundation.surface.web import build_assets
from tests.functional.exchange.conftest import Running
from tests.functional.exchange.pages import PAGES, rules
from tests.functional.web.conftest import Visitor, browser, visit
from tests.harness.directory import dataset, element, published, service
from tests.harness.exchange import HOUSING, SYSTEM
from workloads.data_exchange.directory.model import Kind

pytestmark = pytest.mark.rehearsal


__all__ = ["browser", "visit"]

needs_assets = pytest.mark.skipif(not build_assets.is_built(), reason="the assets are not built")


def test_every_page_has_a_test_of_its_main_task(running: Running) -> None:
    assert set(PAGES) == rules(running.exchange)
    here = Path(__file__).parent
    for page, test in PAGES.items():
        file, _, name = test.partition("::")
        assert f"def {name}(" in (here / file).read_text(encoding="utf-8"), page


@needs_assets
def test_an_agency_is_entered_from_the_first_page(
    running: Running, visit: Callable[..., Visitor]
) -> None:
    someone = visit(running.url)
    someone.sign_in("operator")
    page = someone.page
    page.get_by_role("link", name="To the agencies").click()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(".usa-alert--error")).to_contain_text("Name in English")
    page.select_option("#f-parent", "/city/")
    page.fill("#f-slug", "forestry")
    page.fill("[id='f-name-en']", "Forestry")
    page.fill("[id='f-name-zh']", "林业局")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("tbody")).to_contain_text("/city/forestry/")


@needs_assets
def test_a_password_is_changed(running: Running, visit: Callable[..., Visitor]) -> None:
    person = running.exchange.people.create_person(
        SYSTEM, login="newcomer", name="Newcomer", path=HOUSING, password="newcomer-demo-only"
    )
    assert person.id
    someone = visit(running.url)
    page = someone.go("/sign-in?lang=en")
    page.fill("#f-login", "newcomer")
    page.fill("#f-password", "guessed-wrongly")
    page.press("#f-password", "Enter")
    expect(page.locator(".usa-alert--error")).to_be_visible()
    someone.sign_in("newcomer")
    page = someone.go("/account")
    expect(page.locator("main")).to_contain_text("No role yet")
    page.fill("#f-present", "newcomer-demo-only")
    page.fill("#f-password", "another-long-password")
    page.get_by_role("button", name="Change the password").click()
    expect(page.locator(".usa-alert--success")).to_be_visible()


@needs_assets
def test_what_was_done_is_read_and_verified(
    running: Running, visit: Callable[..., Visitor]
) -> None:
    someone = visit(running.url)
    someone.sign_in("operator")
    page = someone.go("/audit")
    expect(page.locator("#chain")).to_contain_text("follows from the one before it")
    page.fill("#action", "agency.create")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("tbody tr")).to_have_count(5)


@needs_assets
def test_who_finds_data_gets_to_a_request(running: Running, visit: Callable[..., Visitor]) -> None:
    exchange = running.exchange
    data = published(exchange, dataset(elements=(element("id"), element("name"))))
    called = published(exchange, service(data.id), Kind.SERVICE, secret="s3cret")
    someone = visit(running.url)
    someone.sign_in("officer")
    page = someone.go(f"/directory/{data.id}")
    link = page.get_by_role("link", name="Ask for it by Household query")
    address = link.get_attribute("href")
    assert address == f"/requests/new?dataset={data.id}&service={called.id}"
    page = someone.go(f"/directory/{called.id}")
    expect(page.get_by_role("link", name="Ask for Households")).to_have_attribute("href", address)
    # Who publishes and does not ask is not led there.
    steward = visit(running.url)
    steward.sign_in("steward")
    page = steward.go(f"/directory/{data.id}?lang=zh")
    expect(page.locator("table").first).to_contain_text("不提供")
    expect(page.locator("a[href^='/requests/new']")).to_have_count(0)
    page = someone.go("/agreements")
    expect(page.locator("main")).to_contain_text("No agreements")


@needs_assets
def test_a_check_is_found_again(running: Running, visit: Callable[..., Visitor]) -> None:
    running.exchange.checks.ship()
    made = running.exchange.checks.begin(
        Actor.system("asks"), agency=HOUSING, scenario="public-credit",
        persons=["11010119900101001X"], inputs={},
    )  # fmt: skip
    someone = visit(running.url)
    someone.sign_in("officer")
    page = someone.go("/checks")
    page.locator(f"a[href='/checks/{made.check.id}']").click()
    expect(page.locator("#live")).to_contain_text("waits for consent")
