"""Playbooks by pages, in a real browser: servers, the form, approval, and the compliance report."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from control_plane.provisioning.playbooks.model import (
    Control,
    ControlState,
    Host,
    HostState,
    Run,
    RunState,
)
from control_plane.provisioning.playbooks.store import PostgresRuns
from foundation.kernel import ids
from tests.functional.conftest import Product
from tests.functional.test_playbooks import clear, real
from tests.functional.web.conftest import Visitor

pytestmark = pytest.mark.rehearsal


Visit = Callable[..., Visitor]


@pytest.fixture
def deployment(product: Product) -> Iterator[str]:
    outputs = {"server_ids": ["a", "b"], "server_addresses": ["192.0.2.1", "192.0.2.2"]}
    made, _ = real(product, outputs)
    yield made
    clear(product, made)


def checked(product: Product, deployment: str) -> str:
    """A check that found something."""
    at = datetime(2026, 11, 3, tzinfo=UTC)
    there = product.api("admin").get(f"/deployments/{deployment}")
    run = Run(
        ids.new("pbr"), deployment, there["tenancy_id"], there["path"], "base-hardening",
        "sha256:0", {"max_auth_tries": 4}, True, ("rest",), 60, "", "sha256:0", RunState.SUCCEEDED,
        "", "", "", "somebody", at, at, at,
    )  # fmt: skip
    controls = (
        Control("BH-01", "Sign-in by SSH needs a key", ControlState.PASSING),
        Control("BH-06", "Only root has the number of root", ControlState.FAILING, "intruder"),
    )
    hosts = [
        Host(run.id, "server-1", "a", "192.0.2.1", "root", 22, 0, HostState.OK, 20, 0, 0, 1, "",
             controls),
        Host(run.id, "server-2", "b", "192.0.2.2", "root", 22, 0, HostState.CHANGED, 20, 3, 0, 1,
             "", controls[:1]),
    ]  # fmt: skip
    database = product.platform.database
    with database.transaction():
        PostgresRuns(database).add(run, hosts, None)
    return run.id


def test_a_run_is_asked_for_waits_and_is_stopped_and_a_report_is_read(
    product: Product, deployment: str, visit: Visit
) -> None:
    visitor = visit(product.url)
    page = visitor.page
    visitor.sign_in("admin")
    visitor.go("/playbooks")
    expect(page.locator("main")).to_contain_text("Patching in waves")
    visitor.check_accessible()
    visitor.go(f"/deployments/{deployment}/playbooks")
    expect(page.locator("main")).to_contain_text("the platform has no key for the servers")
    visitor.check_accessible()
    page.fill("#user", "debian")
    page.click("button:has-text('Keep it')")
    expect(page.locator("main")).to_contain_text("ssh-ed25519 ")
    expect(page.locator("main")).to_contain_text("192.0.2.1:22")
    page.select_option("#playbook", "patching")
    page.click("button:has-text('Choose')")
    visitor.check_accessible()
    page.fill("[name='inputs.reboot_seconds']", "1")
    page.locator("label:has-text('Check: change nothing')").click()
    page.click("button:has-text('Begin')")
    expect(page.locator(".usa-alert--error").first).to_contain_text("at least 30")
    page.fill("[name='inputs.reboot_seconds']", "60")
    page.click("button:has-text('Begin')")
    expect(page.locator("main")).to_contain_text("It waits for another person")
    expect(page.locator("main")).to_contain_text("server-2")
    visitor.check_accessible()
    page.click("button:has-text('Stop')")
    expect(page.locator("main")).to_contain_text("cancelled before it began")
    visitor.go(f"/playbook-runs/{checked(product, deployment)}")
    expect(page.locator("main")).to_contain_text("Compliance report")
    expect(page.locator("main")).to_contain_text("does not pass")
    expect(page.locator("main")).to_contain_text("intruder")
    visitor.check_accessible()
    visitor.go("/playbook-runs")
    visitor.check_accessible()
    visitor.go("/playbooks/user-access")
    visitor.check_accessible()
