"""Batches, events and the dataspace by hand in a real browser: found, read, acted on."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from foundation.kernel.actor import Actor
from foundation.surface.web import build_assets
from tests.functional.exchange.conftest import Running
from tests.functional.web.conftest import Visitor, browser, visit
from tests.harness.agreements import in_force
from tests.harness.dataspace import listed, offered
from tests.harness.exchange import HOUSING, SYSTEM, TAX
from tests.harness.exchange_town import fail, publish, send
from tests.harness.exchange_transfers import digest
from workloads.data_exchange.dataspace.machine import ProcessState
from workloads.data_exchange.events.cloudevents import STRUCTURED
from workloads.data_exchange.events.model import (
    EVENT_BYTES,
    SubscriptionKind,
    SubscriptionState,
)

__all__ = ["browser", "visit"]

pytestmark = [
    pytest.mark.rehearsal,
    pytest.mark.skipif(not build_assets.is_built(), reason="the assets are not built"),
]

SERVICE = "svc_households"
PEER = "urn:example:province:exchange"
EVENT = (
    b'{"specversion":"1.0","id":"e%d","source":"/civil","type":"household.changed",'
    b'"partitionkey":"k","data":{"id":"1","name":"somebody"}}'
)


@pytest.fixture(scope="module")
def agreement(running: Running) -> str:
    return in_force(running.exchange).agreement


def signed_in(running: Running, visit: Callable[..., Visitor], login: str) -> Visitor:
    someone = visit(running.url)
    someone.sign_in(login)
    return someone


def test_a_batch_is_followed_to_its_manifest_and_taken_back(
    running: Running, agreement: str, visit: Callable[..., Visitor]
) -> None:
    batches = running.exchange.handing.batches
    batch = batches.create(SYSTEM, agreement, title="Households of November", days=30).id
    data = b"id,name\n" * 300
    provider, consumer = (signed_in(running, visit, one) for one in ("steward", "officer"))
    send(running.exchange, SYSTEM, batch, "households.csv", data)
    page = provider.go(f"/transfers?agreement={agreement}")
    expect(page.locator("tbody tr")).to_contain_text("files are sent")
    expect(page.locator("tbody tr")).to_contain_text("2.3 KiB")
    page.get_by_role("link", name="Households of November").click()
    expect(page.locator("main")).to_contain_text(f"transfer send {batch}")
    # A manifest that lies publishes nothing, and the page says what is wrong with which file.
    batches.seal(
        SYSTEM, batch,
        files=[{"name": "households.csv", "size": len(data), "digest": digest(b"other")}],
    )  # fmt: skip
    publish(running.exchange, batch)
    page.goto(f"{running.url}/transfers/{batch}?lang=zh")
    expect(page.locator(".usa-alert--error")).to_contain_text("households.csv")
    expect(page.locator(".usa-alert--error")).to_contain_text("摘要")
    # The work that checked it is told of too.
    page.goto(f"{running.url}/operations?lang=en")
    page.get_by_role("main").get_by_role("link", name="Check and publish a batch").click()
    expect(page.locator("main")).to_contain_text(batch)
    batches.seal(
        SYSTEM, batch,
        files=[{"name": "households.csv", "size": len(data), "digest": digest(data)}],
    )  # fmt: skip
    publish(running.exchange, batch)
    page = consumer.go(f"/transfers/{batch}")
    expect(page.locator("main")).to_contain_text(f"transfer fetch {batch}")
    expect(page.locator("tbody tr")).to_contain_text("2,400")
    expect(page.get_by_text("Manifest, as the provider has signed it")).to_be_visible()
    # Whoever only uses it does not take it back.
    expect(page.get_by_role("button", name="Take the batch back")).to_have_count(0)
    consumer.check_accessible()
    page = provider.go(f"/transfers/{batch}")
    page.get_by_role("button", name="Take the batch back").click()
    expect(page.locator("main")).to_contain_text("its files go")
    expect(page.locator("main")).to_contain_text("gone")
    expect(page.locator("main")).not_to_contain_text(f"transfer fetch {batch}")


def test_a_dead_letter_is_delivered_again_and_a_subscription_ended(
    running: Running, agreement: str, visit: Callable[..., Visitor]
) -> None:
    handing, contracts = running.exchange.handing, running.exchange.agreeing.agreements
    handing.topics.create(
        SYSTEM, dataset="dst_households", service=SERVICE, partitions=1, retention_days=7,
        bytes_max=EVENT_BYTES,
    )  # fmt: skip
    purpose = min(contracts.terms(contracts.version(SYSTEM, agreement)).purposes)
    made = handing.subscriptions.create(
        SYSTEM, agreement, kind=SubscriptionKind.PUSH, purpose=purpose, url="https://hook.example/"
    ).subscription
    for number in (1, 2):
        handing.topics.publish(SYSTEM, SERVICE, {"content-type": STRUCTURED}, EVENT % number)
        fail(running.exchange)
    consumer = signed_in(running, visit, "officer")
    page = consumer.go("/events")
    expect(page.locator("tbody").first).to_contain_text("web-hook")
    page.get_by_role("link", name=made.id).click()
    # The purpose in words, and why it failed.
    expect(page.locator("main")).not_to_contain_text("dpv:")
    letters = page.get_by_role("region", name="Dead letters").locator("tbody tr")
    expect(letters).to_have_count(2)
    expect(letters.first).to_contain_text("it answered 500")
    consumer.check_accessible()
    page.get_by_role("button", name="Deliver e2 again").click()
    expect(page.locator(".usa-alert--error")).to_contain_text("replay or drop that first")
    page.get_by_role("button", name="Drop e2").click()
    expect(page.locator("main")).to_contain_text("The dead letter was dropped.")
    expect(letters).to_have_count(1)
    page.get_by_role("button", name="Deliver e1 again").click()
    expect(letters).to_contain_text("is delivered again")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Go on")).to_be_visible()
    page.get_by_role("button", name="End it for ever").click()
    expect(page.locator("main").get_by_role("button")).to_have_count(0)
    state = handing.subscriptions.subscription(SYSTEM, made.id).state
    assert state is SubscriptionState.ENDED
    # Its provider sees it and changes nothing.
    provider = signed_in(running, visit, "steward")
    page = provider.go(f"/events/{made.id}?lang=zh")
    expect(page.locator("h1")).to_contain_text(SERVICE)
    expect(page.locator("main").get_by_role("button")).to_have_count(0)


def test_a_negotiation_is_read_and_ended(running: Running, visit: Callable[..., Visitor]) -> None:
    dataspacing = running.exchange.dataspacing
    dataspacing.participants.register(
        SYSTEM, PEER, agency=TAX, address="https://exchange.province.example/dsp/2025-1"
    )
    offer = offered(running.exchange)
    made = dataspacing.dataspace.negotiate(
        Actor.system("asks"), agency=HOUSING, provider=PEER, dataset="urn:province:households",
        offer="offer-7",
    )  # fmt: skip
    officer = signed_in(running, visit, "officer")
    page = officer.go("/dataspace")
    row = page.locator("tbody tr").filter(has_text=made.id)
    expect(row).to_contain_text("requested")
    page.get_by_role("link", name="transfer", exact=True).click()
    expect(page.locator("main")).to_contain_text("Nothing was negotiated yet")
    page = officer.go("/dataspace?kind=negotiation")
    page.get_by_role("link", name=made.id).click()
    expect(page.locator("main")).to_contain_text("waits to be sent")
    officer.check_accessible()
    page.fill("#f-reason", "The project was given up.")
    page.get_by_role("button", name="Terminate").click()
    expect(page.locator("main")).to_contain_text("It was done; the other side is told.")
    expect(page.get_by_role("button", name="Terminate")).to_have_count(0)
    assert dataspacing.dataspace.process(SYSTEM, made.id).state is ProcessState.TERMINATED
    page = officer.go(f"/dataspace/{made.id}?lang=zh")
    expect(page.locator("main")).to_contain_text("已终止")
    # What is offered is its provider's to see.
    page = signed_in(running, visit, "steward").go("/dataspace")
    expect(page.locator("main")).to_contain_text(offer.id)


def test_an_offer_of_another_participant_is_found_and_asked_for(
    running: Running, visit: Callable[..., Visitor]
) -> None:
    """The participant's answers are as if it had been asked: contract tests ask over HTTP."""
    dataspacing = running.exchange.dataspacing
    dataspacing.participants.register(
        SYSTEM, PEER, agency=TAX, address="https://exchange.province.example/dsp/2025-1"
    )
    one = listed(running.exchange, PEER, "urn:province:roads", "offer-8")
    officer = signed_in(running, visit, "officer")
    page = officer.go("/dataspace")
    page.get_by_role("link", name="Other participants, and what they offer").click()
    page.get_by_role("link", name=PEER).click()
    expect(page.locator(".usa-alert--warning")).to_contain_text("no JSON object")
    officer.check_accessible()
    page.fill("#q", "nowhere")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("main")).to_contain_text("Nothing found")
    page.fill("#q", "province")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Households of the province").click()
    card = page.locator(".bo-card--accent")
    expect(card).to_contain_text("For at most 30 days.")
    expect(card.locator("li").filter(has_text="You may not “distribute”")).to_contain_text(
        "not understood here"
    )
    officer.check_accessible()
    page.goto(f"{running.url}/dataspace/datasets/{one.id}?lang=zh")
    expect(card).to_contain_text("最长 30 天。")
    page.goto(f"{running.url}/dataspace/datasets/{one.id}?lang=en")
    page.get_by_role("button", name="Ask for offer 1").click()
    expect(page.locator("main")).to_contain_text("urn:province:roads")
    begun = dataspacing.dataspace.process(SYSTEM, page.url.rpartition("/")[2])
    assert begun.policy["prohibition"] == [{"action": "distribute"}]
    assert (begun.offer, begun.agency) == ("offer-8", HOUSING)
    # It does not answer: that is told, and what was kept stays.
    page.goto(f"{running.url}/dataspace/datasets/{one.id}")
    page.get_by_role("button", name="Ask for it anew").click()
    expect(page.locator(".usa-alert--error")).to_contain_text(f"{PEER} cannot be asked")
    expect(card).to_contain_text("offer-8")
    # Who does not negotiate reads it and asks nobody.
    page = signed_in(running, visit, "steward").go(f"/dataspace/datasets/{one.id}")
    expect(page.locator("main")).to_contain_text("You may use the data set.")
    expect(page.locator("main").get_by_role("button", name="Ask")).to_have_count(0)
