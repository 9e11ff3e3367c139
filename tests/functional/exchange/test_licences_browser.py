"""A licence by hand: issued by two officers, taken into a wallet, shown and verified off-line."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from foundation.surface.web import build_assets
from tests.functional.exchange.conftest import Running
from tests.functional.web.conftest import Visitor, browser, visit
from tests.harness.exchange import HOUSING
from tests.harness.exchange_licences import WANTED, Stage, cases

__all__ = ["browser", "visit"]

pytestmark = [
    pytest.mark.rehearsal,
    pytest.mark.skipif(not build_assets.is_built(), reason="the assets are not built"),
]

FIELDS = {
    "licence_number": "JY12345678901234", "business_name": "示例面馆",
    "credit_code": "91310000MA1FL0000X", "person_in_charge": "Sample Person",
    "address": "1 Example Road",
}  # fmt: skip
CONTROLLED = "() => navigator.serviceWorker.controller !== null"
#: Each case by the verifier of the page; answers verdict and why.
TRY = """async ([module, cases, wanted, now]) => {
  const { verify } = await import(module);
  const found = [];
  for (const one of cases) {
    const said = await verify(one.text, one.trust, { now, wanted, vct: one.vct });
    found.push([said.verdict, said.why, Object.keys(said.claims).length]);
  }
  return found;
}"""


def test_from_issue_to_off_line_verification(
    running: Running, visit: Callable[..., Visitor]
) -> None:
    link, pin, licence = issued(running, visit)
    holder, verifier = visit(running.url), visit(running.url)
    take(holder, link, pin)
    page = verifier.go("/licence/verifier?lang=en")
    expect(page.locator("#as-of")).to_contain_text("Issuers: 1")
    verifier.check_accessible()
    for one in (verifier, holder):
        one.page.wait_for_function(CONTROLLED)
        one.page.context.set_offline(True)
        # Not even the service worker gets through.
        assert one.page.evaluate("fetch('/healthz').then(() => 'on-line', () => 'off-line')") == (
            "off-line"
        )
        one.page.goto(one.page.url.partition("?")[0])
    presentation = shown(holder, asked(page))
    check(page, presentation)
    expect(page.locator("#result")).to_contain_text("The licence holds.")
    expect(page.locator("#result")).to_contain_text("Status as of")
    told = page.locator("#result table").inner_text()
    assert "示例面馆" in told
    assert "JY12345678901234" in told
    assert "Sample Person" not in told
    assert "Asked for and not shown" not in page.inner_text("#result")
    verifier.check_accessible()
    # The same again, for a nonce that was used up.
    check(page, presentation)
    expect(page.locator("#said")).to_contain_text("Make a request first")
    asked(page)
    check(page, presentation)
    expect(page.locator("#result")).to_contain_text("for another nonce or verifier")
    revoked(running, visit, licence)
    # Without a network it still holds, as of then; with one it does not.
    check(page, shown(holder, asked(page)))
    expect(page.locator("#result")).to_contain_text("The licence holds.")
    page.context.set_offline(False)
    page.click("#refresh")
    expect(page.locator("#said")).to_contain_text("up to date")
    check(page, shown(holder, asked(page)))
    expect(page.locator("#result")).to_contain_text("it was revoked")
    assert page.locator("#result table").count() == 0


def issued(running: Running, visit: Callable[..., Visitor]) -> tuple[str, str, str]:
    """Make a type, propose, approve; answers the holder's link and PIN, and the licence."""
    steward = visit(running.url)
    steward.sign_in("signer")
    page = steward.go("/licence-types?lang=en")
    steward.check_accessible()
    page.select_option("#f-agency", HOUSING)
    good = page.input_value("#f-document")
    page.fill("#f-document", good.replace("food-business", "Food"))
    page.get_by_role("button", name="Make the type").click()
    expect(page.locator(".usa-alert--error")).to_contain_text("single inner hyphens")
    page.fill("#f-document", good)
    page.get_by_role("button", name="Make the type").click()
    page.get_by_role("link", name="Food business licence").click()
    steward.check_accessible()
    officer, reviewer = visit(running.url), visit(running.url)
    officer.sign_in("officer")
    page = officer.go("/licences?lang=en")
    page.get_by_role("link", name="Food business licence").click()
    page.fill("#f-reference", "case-77")
    page.get_by_role("button", name="Propose").click()
    expect(page.locator(".usa-alert--error")).to_contain_text("Place of business")
    officer.check_accessible()
    for name, value in FIELDS.items():
        page.fill(f"#f-claims-{name.replace('_', '-')}", value)
    page.get_by_role("button", name="Propose").click()
    expect(page.locator("main")).to_contain_text("waits for a second officer")
    reviewer.sign_in("reviewer")
    page = reviewer.go("/licences?lang=en&state=proposed")
    reviewer.check_accessible()
    page.get_by_role("link", name="case-77").click()
    licence = page.url.rpartition("/")[2]
    page.get_by_role("link", name="See what it would say").click()
    expect(page.locator("main")).to_contain_text("示例面馆")
    reviewer.check_accessible()
    page.get_by_role("button", name="Approve and offer it").click()
    expect(page.locator("svg.li-code")).to_be_visible()
    reviewer.check_accessible()
    return page.inner_text("#link"), page.inner_text("#pin"), licence


def take(holder: Visitor, link: str, pin: str) -> None:
    """With a wrong PIN, then with the right one."""
    page = holder.page
    page.goto(link.replace("/licence/wallet", "/licence/wallet?lang=en"))
    expect(page.locator("#none")).to_be_visible()
    holder.check_accessible()
    assert "offer" not in page.url
    page.fill("#pin", f"{(int(pin) + 1) % 10**6:06}")
    page.get_by_role("button", name="Take it").click()
    expect(page.locator("#said")).to_contain_text("is wrong")
    page.fill("#pin", pin)
    page.get_by_role("button", name="Take it").click()
    expect(page.locator("#said")).to_contain_text("in this browser now")
    expect(page.locator("#licences")).to_contain_text("Food business licence")
    # The keys are handles: they cannot be taken out.
    assert page.evaluate(
        """async () => {
          const open = await new Promise((done) => {
            const asking = indexedDB.open("borough-licences");
            asking.onsuccess = () => done(asking.result);
          });
          const all = await new Promise((done) => {
            const asking = open.transaction("licences").objectStore("licences").getAll();
            asking.onsuccess = () => done(asking.result);
          });
          return all[0].copies.map((one) => one.key.privateKey.extractable);
        }"""
    ) == [False, False, False]


def asked(page: Page) -> str:
    """A new request for two fields; answers its link."""
    page.select_option("#vct", index=1)
    page.locator("label[for=ask-business_name]").click()
    expect(page.locator("#ask-business_name")).to_be_checked()
    page.fill("#name", "Desk 3")
    before = page.input_value("#request")
    page.get_by_role("button", name="New request").click()
    expect(page.locator("#request")).not_to_have_value(before)
    expect(page.locator("#codes svg")).to_be_visible()
    return page.input_value("#request")


def shown(holder: Visitor, link: str) -> str:
    """What the wallet shows for a request: what was asked for, and what is always shown."""
    page = holder.page
    page.fill("#request", "nothing")
    page.get_by_role("button", name="Read the request").click()
    expect(page.locator("#said")).to_contain_text("no request of a verifier")
    page.fill("#request", link)
    page.get_by_role("button", name="Read the request").click()
    expect(page.locator("#asks")).to_contain_text("Desk 3")
    before = page.input_value("#presentation")
    page.get_by_role("button", name="Show it").click()
    expect(page.locator("#presentation")).not_to_have_value(before)
    expect(page.locator("#codes svg")).to_be_visible()
    holder.check_accessible()
    return page.input_value("#presentation")


def check(page: Page, text: str) -> None:
    page.fill("#presentation", text)
    page.get_by_role("button", name="Verify", exact=True).click()


def revoked(running: Running, visit: Callable[..., Visitor], licence: str) -> None:
    steward = visit(running.url)
    steward.sign_in("signer")
    page = steward.go(f"/licences/{licence}?lang=en")
    steward.check_accessible()
    page.select_option("#f-reason-revoke", "ended")
    page.get_by_role("button", name="Revoke for ever").click()
    expect(page.locator("main")).to_contain_text("what it allows has ended")


def test_the_page_falls_for_no_attack(running: Running, visit: Callable[..., Visitor]) -> None:
    """The cases of the verifier in Python, on the verifier in the browser, with the same end."""
    page = visit(running.url).go("/licence/verifier?lang=en")
    module = page.get_attribute("script[type=module]", "src")
    assert module
    at = datetime(2026, 11, 3, 9, 0, 30, tzinfo=UTC)
    tried = cases(Stage(at))
    told = [{"text": one.text, "trust": one.trust, "vct": one.vct} for one in tried]
    wanted = {"nonce": WANTED.nonce, "aud": WANTED.aud}
    found = page.evaluate(
        TRY, [module.replace("verifier.js", "verify.js"), told, wanted, at.timestamp()]
    )
    ends = {
        one.name: (verdict, why, claims)
        for one, (verdict, why, claims) in zip(tried, found, strict=True)
    }
    assert {name: end[0] for name, end in ends.items()} == {
        one.name: one.verdict for one in tried
    }, json.dumps(ends, indent=1)
    assert not [name for name, end in ends.items() if end[0] == "fails" and end[2]]


def test_the_pages_in_chinese(running: Running, visit: Callable[..., Visitor]) -> None:
    someone = visit(running.url)
    for path, title in (("/licence/wallet", "证照包"), ("/licence/verifier", "核验证照")):
        page = someone.go(f"{path}?lang=zh")
        expect(page.locator("h1")).to_have_text(title)
        someone.check_accessible()
    expect(someone.page.locator("#as-of")).to_contain_text("签发机关")
