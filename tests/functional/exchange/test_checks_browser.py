"""A check by hand in a real browser: a clerk, the person, a registry's agency, a ledger."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.surface.web import build_assets
from tests.fakes.asker import FakeAsker
from tests.functional.exchange.conftest import Running, run
from tests.functional.web.conftest import Visitor, browser, visit
from tests.harness.exchange import CIVIL, HOUSING
from workloads.data_exchange.population.generate import City
from workloads.data_exchange.population.model import Credit
from workloads.data_exchange.population.serve import Registries, registries

__all__ = ["browser", "visit"]

pytestmark = [
    pytest.mark.rehearsal,
    pytest.mark.skipif(not build_assets.is_built(), reason="the assets are not built"),
]
CITY = City(11, 240)


@pytest.fixture(scope="module")
def served() -> Iterator[Registries]:
    with registries(CITY) as server:
        yield server


@pytest.fixture(scope="module")
def running(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory, served: Registries
) -> Iterator[Running]:
    """The product with registries that CIVIL provides, and what its worker does."""
    home = tmp_path_factory.mktemp("home")
    with run(postgres, home, FakeAsker(served.url, CIVIL)) as made:
        made.exchange.checks.ship()
        ending = threading.Event()

        def work() -> None:
            while not ending.wait(0.2):
                made.exchange.checks.work()

        thread = threading.Thread(target=work)
        thread.start()
        yield made
        ending.set()
        thread.join()


def test_from_a_form_to_a_verdict_and_an_objection(
    running: Running, served: Registries, visit: Callable[..., Visitor]
) -> None:
    person = next(one for one in CITY.people() if one.credit is Credit.DEFAULTER)
    clerk, citizen, steward = visit(running.url), visit(running.url), visit(running.url)
    clerk.sign_in("officer")
    steward.sign_in("steward")
    served.manners["credit"].down = True
    code, check = begin(clerk, person.number)
    consent(citizen, code)
    page = clerk.go(check)
    expect(page.locator("#live")).to_contain_text("it is asked again", timeout=20_000)
    expect(page.locator("#live")).to_contain_text("cannot tell yet")
    clerk.check_accessible()
    served.manners["credit"].down = False
    hasten(running)
    # The page renews itself.
    expect(page.locator("#live")).to_contain_text("court", timeout=20_000)
    clerk.check_accessible()
    objected = object_to(clerk, check)
    decide(steward, objected)
    page = clerk.go(check)
    expect(page.locator("main")).to_contain_text("corrected, asked again")
    clerk.check_accessible()
    counter = visit(running.url)
    counter.sign_in("operator")
    read_ledger(counter, citizen, person.number)


def hasten(running: Running) -> None:
    """What waits for its time is due now: half a minute is long for a test."""
    database = running.exchange.base.database
    with database.transaction():
        database.execute(sa.text("UPDATE exchange_check_question SET due_at = now()"))


def begin(clerk: Visitor, number: str) -> tuple[str, str]:
    """Fill in the form, wrongly first; answers the code of consent and the check's address."""
    page = clerk.go("/scenarios")
    clerk.check_accessible()
    page.get_by_role("link", name="Check somebody: Public credit").click()
    clerk.check_accessible()
    page.select_option("#f-agency", HOUSING)
    page.fill("#f-persons", "123")
    page.get_by_role("button", name="Begin the check").click()
    expect(page.locator(".usa-alert--error")).to_contain_text("no resident number")
    page.fill("#f-persons", number)
    page.get_by_role("button", name="Begin the check").click()
    code = page.locator(".bo-card .bo-copy code").inner_text()
    clerk.check_accessible()
    page.get_by_role("link", name="To the check").click()
    expect(page.locator("#live")).to_contain_text("waits for consent")
    assert number not in page.content()
    assert number not in page.url
    return code, clerk.page.url.removeprefix(clerk.url)


def consent(citizen: Visitor, code: str) -> None:
    """Read what is asked, in both languages, and consent."""
    page = citizen.go("/consent")
    citizen.check_accessible()
    page.fill("#f-code", "guessed")
    page.get_by_role("button", name="Read it").click()
    expect(page.locator(".usa-alert--error")).to_contain_text("no such code")
    citizen.go("/consent?lang=zh")
    page.fill("#f-code", code)
    page.get_by_role("button").last.click()
    expect(page.locator("main")).to_contain_text("本人同意")
    expect(page.locator("main")).to_contain_text("民政局")
    citizen.check_accessible()
    citizen.go("/consent?lang=en")
    page.fill("#f-code", code)
    page.get_by_role("button", name="Read it").click()
    citizen.check_accessible()
    page.get_by_role("button", name="I consent").click()
    expect(page.get_by_role("button", name="Withdraw my consent")).to_be_visible()
    citizen.check_accessible()
    assert code not in page.url


def object_to(clerk: Visitor, check: str) -> str:
    """Object without words, which cannot be; then with some."""
    page = clerk.go(check)
    page.get_by_role("button", name="Ask for a correction").click()
    expect(page.locator(".usa-alert--error")).to_contain_text("1 to 2000 characters")
    page.fill("#f-text", "The judgement was lifted. <b>bold</b>")
    page.get_by_role("button", name="Ask for a correction").click()
    expect(page.locator("main")).to_contain_text("with the agency that holds it")
    page.locator("a[href^='/corrections/']").first.click()
    return clerk.page.url.removeprefix(clerk.url)


def decide(steward: Visitor, correction: str) -> None:
    """The agency that holds the record finds it among what waits, and corrects it."""
    page = steward.go("/corrections")
    expect(page.locator("tbody tr")).to_have_count(1)
    steward.check_accessible()
    page = steward.go(correction)
    expect(page.locator("main")).to_contain_text("<b>bold</b>")
    steward.check_accessible()
    page.get_by_role("button", name="It was corrected").click()
    expect(page.locator(".usa-alert--error")).to_contain_text("1 to 2000 characters")
    page.fill("#f-text", "Taken off the list.")
    page.get_by_role("button", name="It was corrected").click()
    expect(page.locator("main")).to_contain_text("corrected, asked again")


def read_ledger(clerk: Visitor, citizen: Visitor, number: str) -> None:
    """A code at the counter opens the citizen's ledger once; they object out of it and close it."""
    page = clerk.go("/ledger/codes")
    clerk.check_accessible()
    page.fill("#f-number", number)
    page.get_by_role("button", name="Make a code").click()
    code = page.locator(".bo-card .bo-copy code").inner_text()
    clerk.check_accessible()
    mine = citizen.go("/ledger")
    citizen.check_accessible()
    mine.fill("#f-code", code)
    mine.get_by_role("button", name="Open my ledger").click()
    expect(mine.locator("tbody tr").first).to_contain_text("Public credit")
    citizen.check_accessible()
    with mine.expect_download() as saved:
        mine.get_by_role("button", name="Save as a file").click()
    assert saved.value.suggested_filename == "ledger.json"
    mine.fill("#f-text", "Still wrong.")
    mine.get_by_role("button", name="Ask for a correction").click()
    expect(mine.locator("main")).to_contain_text("was asked to correct it")
    expect(mine.locator("main")).to_contain_text("Taken off the list.")
    mine.get_by_role("button", name="Close my ledger").click()
    mine.fill("#f-code", code)
    mine.get_by_role("button", name="Open my ledger").click()
    expect(mine.locator(".usa-alert--error")).to_contain_text("was used")


def test_a_lottery_is_drafted_and_somebody_applies(
    running: Running, visit: Callable[..., Visitor]
) -> None:
    someone = visit(running.url)
    someone.sign_in("operator")
    page = someone.go("/lotteries")
    page.get_by_role("link", name="New lottery").click()
    someone.check_accessible()
    page.get_by_role("button", name="Draft it").click()
    for wrong in ("Name in English", "Pools", "Parties"):
        expect(page.locator(".usa-alert--error")).to_contain_text(wrong)
    someone.check_accessible()
    page.select_option("#f-agency", CIVIL)
    page.fill("[id='f-name-en']", "Plates")
    page.fill("[id='f-name-zh']", "车牌")
    page.fill("#f-pools", "ordinary cars 2\nelectric 1")
    page.select_option("[id='f-check-scenario']", "plate-lottery")
    for party in ("/city/housing/", "/city/tax/"):
        page.locator("label").filter(has_text=party).click()
    page.fill("#f-closes-at", "2999-01-01")
    page.get_by_role("button", name="Draft it").click()
    expect(page.locator("main")).to_contain_text("has a car already")
    page.get_by_role("button", name="Fix the rules and open").click()
    expect(page.locator("main")).to_contain_text("Take an application")
    someone.check_accessible()
    person = next(one for one in CITY.people() if one.credit is Credit.CLEAR and not one.vehicles)
    page.fill("#f-person", person.number)
    page.select_option("#f-pool", "ordinary cars")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("main")).to_contain_text("Code of consent")
    someone.check_accessible()
    code = page.locator(".bo-card .bo-copy code").nth(1).inner_text()
    running.exchange.verifying.consents.decide(code, agree=True)
    page.get_by_role("link", name="To the lottery").click()
    for _ in range(50):
        if page.locator("tbody tr").filter(has_text="takes part").inner_text().endswith("1"):
            break
        time.sleep(0.2)
        page.reload()
    expect(page.locator("tbody tr").filter(has_text="takes part")).to_contain_text("1")
    # Everybody reads of it, without signing in.
    anybody = visit(running.url)
    page = anybody.go(f"/draws/{someone.page.url.rpartition('/')[2]}")
    expect(page.locator("main")).to_contain_text("takes applications")
    anybody.check_accessible()


def test_every_page_is_accessible_in_both_languages(
    running: Running, visit: Callable[..., Visitor]
) -> None:
    someone = visit(running.url)
    someone.sign_in("operator")
    for path in (
        "/scenarios", "/checks", "/checks/new", "/checks/new?scenario=rental-withdrawal",
        "/corrections", "/corrections?which=all", "/ledger/codes", "/consent", "/ledger",
        "/lotteries/new",
    ):  # fmt: skip
        for lang in ("en", "zh"):
            someone.go(f"{path}{'&' if '?' in path else '?'}lang={lang}")
            assert someone.status is not None
            assert someone.status.status == 200, path
            someone.check_accessible()
