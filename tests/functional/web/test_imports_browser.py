"""A project that was made by hand, taken in and given up by pages, in a real browser."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.functional.conftest import Product
from tests.functional.test_drift import follow
from tests.functional.test_imports import Old, clear, furnish
from tests.functional.web.conftest import Visitor

pytestmark = pytest.mark.rehearsal


Visit = Callable[..., Visitor]


@pytest.fixture
def old(product: Product) -> Iterator[Old]:
    made = furnish(product)
    yield made
    clear(made)


def propose(visitor: Visitor, old: Old) -> None:
    visitor.go("/regions/east/imports")
    visitor.page.click(f"text={old.name}")
    visitor.page.fill("#tenancy-1", old.name)


def ended(product: Product, visitor: Visitor) -> None:
    """Wait for the operation whose page was opened."""
    visitor.page.wait_for_url("**/operations/*")
    operation = visitor.page.url.partition("?")[0].rpartition("/")[2]
    done = follow(product, "operator", operation)
    assert done["state"] == "succeeded", done


def change(product: Product, visitor: Visitor) -> None:
    """From the page of what was taken in: a plan of its own; what is wrong with it is named."""
    page = visitor.page
    page.click("text=Change")
    inputs = page.input_value("#inputs")
    page.fill("#inputs", inputs + "nonsense: 1\n")
    page.click("button:has-text('Plan it')")
    expect(page.locator(".usa-alert--error")).to_contain_text("nonsense")
    visitor.check_accessible()
    page.fill("#inputs", inputs)
    page.click("button:has-text('Plan it')")
    expect(page.locator("h1")).to_have_text("Plan of a change")
    visitor.check_accessible()
    page.click("button:has-text('Carry it out')")
    ended(product, visitor)


def test_a_project_is_planned_given_up_planned_again_and_taken_in(
    product: Product, old: Old, visit: Visit
) -> None:
    visitor = visit(product.url)
    page = visitor.page
    visitor.sign_in("operator")
    propose(visitor, old)
    visitor.check_accessible()
    page.locator("button:has-text('Plan it')").first.click()
    expect(page.locator(".usa-alert--error")).to_contain_text("user (User) would be created")
    expect(page.locator(".usa-alert--error")).to_contain_text("only where that is allowed below")
    page.locator("label[for=creations-1]").click()
    page.locator("button:has-text('Plan it')").first.click()
    expect(page.locator("h1")).to_have_text("Plan of an import")
    expect(page.locator("main")).to_contain_text("nothing was touched")
    visitor.check_accessible()
    planned = page.url.partition("?")[0]

    # Given up before anything was done; the plan stays to be read, and does nothing more.
    page.fill("#reason", "not today")
    page.click("button:has-text('Give it up')")
    ended(product, visitor)
    page.goto(planned)
    expect(page.locator("main")).to_contain_text("What is done")
    assert page.locator("main form").count() == 0
    assert old.deployments() == []

    propose(visitor, old)
    page.locator("label[for=creations-1]").click()
    page.locator("button:has-text('Plan it')").first.click()
    page.click("button:has-text('Take it in')")
    ended(product, visitor)
    (there,) = old.deployments()
    visitor.go(f"/deployments/{there['id']}")
    expect(page.locator("main")).to_contain_text("objects that were made by hand")
    assert page.locator("text=It belongs to a service that was ordered").count() == 0
    visitor.check_accessible()

    change(product, visitor)

    # Its department finds it among its services.
    reader = visit(product.url)
    reader.sign_in("health.requester")
    reader.go("/services")
    expect(reader.page.locator("main")).to_contain_text("Without an order")
    reader.check_accessible()
    reader.page.click(f"main >> text={old.name}")
    expect(reader.page.locator("h1")).to_have_text(old.name)
    assert reader.page.locator("a[href$='/import']").count() == 0
