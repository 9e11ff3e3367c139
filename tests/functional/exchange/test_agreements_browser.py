"""From a request to an agreement in force and its revocation, by hand in a real browser."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from foundation.kernel.paging import PageRequest
from foundation.surface.web import build_assets
from tests.functional.exchange.conftest import Running
from tests.functional.web.conftest import Visitor, browser, visit
from tests.harness.exchange import HOUSING, SYSTEM
from workloads.data_exchange.agreements.contracts.model import AgreementState

__all__ = ["browser", "visit"]

pytestmark = [
    pytest.mark.rehearsal,
    pytest.mark.skipif(not build_assets.is_built(), reason="the assets are not built"),
]

FORM = "/requests/new?dataset=dst_households&service=svc_households"


def test_from_a_request_to_an_agreement(running: Running, visit: Callable[..., Visitor]) -> None:
    def signed_in(login: str) -> Visitor:
        someone = visit(running.url)
        someone.sign_in(login)
        return someone

    officer, steward = signed_in("officer"), signed_in("steward")
    request = ask(officer)
    review(signed_in("reviewer"), request)
    offer(steward, request)
    agreement = accept(officer, request)
    for someone in (steward, signed_in("signer")):
        page = someone.go(agreement)
        someone.check_accessible()
        page.get_by_role("button", name="Sign", exact=True).click()
        expect(page.locator("body")).to_contain_text("It was signed.")
    page = steward.go(agreement)
    expect(page.locator("main")).to_contain_text("in force")
    expect(page.get_by_role("cell", name="holds", exact=True)).to_have_count(2)
    (terms,) = running.exchange.agreeing.agreements.in_force().terms
    assert terms.limits.calls_per_day == 20
    revoke(steward, agreement)
    found = running.exchange.agreeing.agreements.agreements(
        SYSTEM, PageRequest(), state=AgreementState.REVOKED
    )
    assert [one.id for one in found.items] == [agreement.rpartition("/")[2]]


def place(someone: Visitor) -> str:
    """The address of the page without what it was told."""
    return someone.page.url.removeprefix(someone.url).partition("?")[0]


def ask(officer: Visitor) -> str:
    """Fill in the form, wrongly first."""
    page = officer.go("/requests/new")
    officer.check_accessible()
    page.fill("#f-dataset", "dst_households")
    page.fill("#f-service", "svc_other")
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(".usa-alert--error")).to_contain_text("no published interface")
    page = officer.go(FORM)
    page.get_by_role("button", name="Send the request").click()
    for wrong in ("First day", "Last day"):
        expect(page.locator(".usa-alert--error")).to_contain_text(wrong)
    officer.check_accessible()
    today = datetime.now(UTC)  # noqa: TID251 - the product runs now
    page.select_option("#f-consumer", HOUSING)
    page.select_option("[id='f-purpose-0']", "dpv:FraudPreventionAndDetection")
    page.select_option("[id='f-field-id']", "masked")
    page.select_option("[id='f-field-name']", "whole")
    page.select_option("[id='f-row-0-name']", "district")
    page.select_option("[id='f-row-0-operator']", "isAnyOf")
    page.fill("[id='f-row-0-values']", "east, west")
    page.fill("[id='f-limits-calls-per-day']", "100")
    page.fill("#f-begins", today.date().isoformat())
    page.fill("#f-ends", (today + timedelta(days=90)).date().isoformat())
    page.fill("#f-legal-basis", "Measures for housing benefits, article 12")
    page.get_by_role("button", name="Send the request").click()
    expect(page.locator(".usa-alert--error")).to_contain_text("Why it needs them")
    expect(page.locator("[id='f-row-0-values']")).to_have_value("east, west")  # kept
    page.fill("#f-justification", "To check households that ask for a flat.")
    page.get_by_role("button", name="Send the request").click()
    expect(page.locator("main")).to_contain_text("/district is one of “east”, “west”")
    expect(page.locator("main")).to_contain_text("2 working days left")
    officer.check_accessible()
    return place(officer)


def review(reviewer: Visitor, request: str) -> None:
    """Refuse without a reason, which cannot be; then let it pass."""
    page = reviewer.go("/requests")
    expect(page.locator("tbody tr")).to_have_count(1)
    reviewer.check_accessible()
    page = reviewer.go(request)
    page.get_by_role("button", name="Refuse").click()
    expect(page.locator(".usa-alert--error")).to_contain_text("1 to 2000 characters")
    reviewer.check_accessible()
    page.get_by_role("button", name="Let it pass").click()
    expect(page.locator("main")).to_contain_text("with the provider")


def offer(steward: Visitor, request: str) -> None:
    """Offer more than was asked for, which cannot be; then less."""
    page = steward.go(f"{request}/offer")
    steward.check_accessible()
    expect(page.locator("[id='f-limits-calls-per-day']")).to_have_value("100")
    page.fill("[id='f-limits-calls-per-day']", "500")
    page.fill("#f-text", "Fewer calls will do.")
    page.get_by_role("button", name="Offer this").click()
    expect(page.locator(".usa-alert--error")).to_contain_text("Must be at most 100")
    page.fill("[id='f-limits-calls-per-day']", "20")
    page.get_by_role("button", name="Offer this").click()
    expect(page.locator("main")).to_contain_text("20 calls a day")


def accept(officer: Visitor, request: str) -> str:
    """Read the offer in Chinese, accept it in English; answers the agreement's address."""
    page = officer.go(f"{request}?lang=zh")
    expect(page.locator("main")).to_contain_text("每日 20 次调用")
    officer.check_accessible()
    page = officer.go(f"{request}?lang=en")
    page.get_by_role("button", name="Accept the offer").click()
    page.get_by_role("link", name="To the agreement").click()
    expect(page.locator("main")).to_contain_text("waits for signatures")
    officer.check_accessible()
    return place(officer)


def revoke(steward: Visitor, agreement: str) -> None:
    """Revoke without a reason, which cannot be; then with one."""
    page = steward.go(agreement)
    page.get_by_role("button", name="Revoke the agreement").click()
    expect(page.locator(".usa-alert--error")).to_contain_text("Why")
    page.fill("#f-reason", "It was used for something else.")
    page.get_by_role("button", name="Revoke the agreement").click()
    expect(page.locator("main")).to_contain_text("revoked")
    steward.check_accessible()


def test_every_page_is_accessible_in_both_languages(
    running: Running, visit: Callable[..., Visitor]
) -> None:
    someone = visit(running.url)
    someone.sign_in("operator")
    for path in (
        "/keys", "/calendar", "/requests", "/requests?which=late", "/requests?which=all",
        "/agreements", "/agreements?state=in_force", FORM,
    ):  # fmt: skip
        for lang in ("en", "zh"):
            someone.go(f"{path}{'&' if '?' in path else '?'}lang={lang}")
            assert someone.status is not None
            assert someone.status.status == 200, path
            someone.check_accessible()
    someone.go("/calendar?lang=zh")
    expect(someone.page.locator("h1")).to_have_text("工作日")


def test_keys_are_made_and_revoked(running: Running, visit: Callable[..., Visitor]) -> None:
    someone = visit(running.url)
    someone.sign_in("operator")
    page = someone.go("/keys?lang=en")
    before = page.locator("tbody tr").count()
    page.select_option("#f-agency", "/city/tax/")
    page.get_by_role("button", name="Make a key").click()
    expect(page.locator("tbody tr")).to_have_count(before + 1)
    row = page.locator("tbody tr").filter(has_text="/city/tax/")
    expect(row).to_contain_text("signs")
    kid = row.locator("code[title]").get_attribute("title")
    assert kid
    page.get_by_role("button", name="Revoke the key").click()
    expect(page.locator(".usa-alert--error")).to_contain_text("Must be 1 to 500 characters")
    page.select_option("#f-kid", kid)
    page.fill("#f-reason", "A laptop was stolen.")
    page.get_by_role("button", name="Revoke the key").click()
    expect(page.locator("tbody tr").filter(has_text="stolen")).to_contain_text("revoked")


def test_a_calendar_is_entered(running: Running, visit: Callable[..., Visitor]) -> None:
    someone = visit(running.url)
    someone.sign_in("operator")
    page = someone.go("/calendar?lang=en")
    page.fill("#f-holidays", page.input_value("#f-holidays") + "\n2027-13-01")
    page.get_by_role("button", name="Enter").click()
    expect(page.locator(".usa-alert--error")).to_contain_text("Must be a day")
    page.fill("#f-holidays", "2027-01-01")
    page.get_by_role("button", name="Enter").click()
    expect(page.locator("body")).to_contain_text("due dates moved with it")
    assert running.exchange.agreeing.calendar.now().knows(2027)
