"""The story through the installed ``borough`` command alone.

A department orders, another approves the digest, it is made, used, billed, explained and returned.
The tests run in their order on one city: each continues where the one before ended. Only the clock
is shifted from outside, as the demonstration does, so that a month of usage lies behind the order.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from control_plane.adapters.shiftable_clock import ShiftableClock
from control_plane.demonstration.expectations import expected_statement, usage_window
from control_plane.demonstration.files import load_city
from control_plane.demonstration.model import StoryOrder
from control_plane.entrypoints.demo.story import begins_at
from tests.functional.conftest import Product, Ran, running_product

BOROUGH = Path(sys.executable).with_name("borough")
CITY = load_city()
NOW = datetime.now(UTC)  # noqa: TID251 - the city's months are counted from the present
MONTH = usage_window(CITY, NOW)
NAME = "appointment-web"
OTHER_DIGEST = "sha256:" + "0" * 64
#: Signed in long before the present: the token must outlive the months between.
DAYS = "90"

OK, FAILED, USAGE, NOT_FOUND, NOT_ALLOWED, CONFLICT, TIMED_OUT, NEEDS_APPROVAL = range(8)


@dataclass
class People:
    """Those of the story, each with a home folder and so a configuration of their own."""

    product: Product
    folder: Path
    facts: dict[str, str] = field(default_factory=dict)

    def run(self, login: str, *arguments: str, stdin: str = "") -> Ran:
        """``borough ARGUMENTS`` as somebody; nothing but their sign-in tells it the platform."""
        home = self.folder / login
        home.mkdir(exist_ok=True)
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("BOROUGH_", "XDG_", "LC_", "LANG"))
        }
        done = subprocess.run(
            [BOROUGH, *arguments], input=stdin, env={**kept, "HOME": str(home)}, cwd=home,
            capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout, done.stderr)

    def ok(self, login: str, *arguments: str) -> Ran:
        """The same, and it must succeed."""
        ran = self.run(login, *arguments)
        assert ran.status == OK, f"{arguments}: {ran.status}\n{ran.out}\n{ran.err}"
        assert "Traceback" not in ran.err
        return ran

    def fact(self, name: str) -> str:
        """What an earlier chapter found out; without it this one cannot be told."""
        if name not in self.facts:
            pytest.fail("an earlier chapter of the story did not succeed")
        return self.facts[name]

    def sign_in(self, login: str) -> None:
        if (self.folder / login).exists():
            return
        ran = self.run(
            login, "login", self.product.url, "-l", login, "--password-stdin", "--days", DAYS,
            stdin=self.product.passwords[login],
        )  # fmt: skip
        assert ran.status == OK, ran.err


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    folder = tmp_path_factory.mktemp("people")
    with running_product(at=begins_at(CITY, NOW), BOROUGH_SIMULATED_TIME="true") as product:
        found = People(product, folder)
        for login in ("health.requester", "finance.approver", "auditor", "operator"):
            found.sign_in(login)
        yield found


@pytest.fixture(scope="module")
def wanted() -> StoryOrder:
    assert CITY.story is not None
    return CITY.story.orders[0]


def test_nobody_is_told_how_to_sign_in(people: People) -> None:
    ran = people.run("stranger", "order", "list")
    assert ran.status == USAGE
    assert "borough login --url URL" in ran.err
    wrong = people.run(
        "stranger", "login", people.product.url, "-l", "auditor", "--password-stdin", stdin="wrong"
    )
    assert wrong.status == NOT_ALLOWED


def test_who_signed_in(people: People) -> None:
    told = people.ok("health.requester", "whoami")
    assert "member on /city/health/" in told.out
    file = people.folder / "health.requester" / ".config" / "borough" / "contexts.json"
    assert file.stat().st_mode & 0o077 == 0


def test_the_catalogue(people: People) -> None:
    listed = people.ok("health.requester", "catalog", "list", "--orderable", "-o", "name")
    assert "web-application" in listed.out.split()
    shown = people.ok("health.requester", "catalog", "show", "web-application")
    assert "servers" in shown.out
    assert people.run("health.requester", "catalog", "show", "no-such").status == NOT_FOUND


def test_every_wrong_field_is_named_at_once(people: People) -> None:
    ran = people.run(
        "health.requester", "order", "create", "web-application", "servers=200", "volume_gb=-1",
        "--plan", "m", "--tenancy", "health-production", "--region", "west", "--name", "App_web",
        "--contract", "CT-NONE", "--system", "water-meters", "--quote",
    )  # fmt: skip
    assert ran.status == USAGE
    wrong = {line.split(":")[0].strip() for line in ran.err.splitlines()[1:]}
    assert wrong >= {"region", "name", "contract", "system", "inputs.servers", "inputs.volume_gb"}
    unknown = people.run("health.requester", "order", "create", "--colour", "red")
    assert unknown.status == USAGE


def test_an_order_is_created_and_submitted(people: People, wanted: StoryOrder) -> None:
    wish = (
        wanted.offering, *(f"{name}={value}" for name, value in wanted.inputs.items()),
        "--plan", wanted.plan, "--tenancy", wanted.tenancy, "--region", wanted.region,
        "--contract", wanted.contract, "--system", str(wanted.system), "--name", NAME,
        "--why", wanted.justification.en,
    )  # fmt: skip
    quoted = people.ok("health.requester", "order", "create", *wish, "--quote")
    assert "Month" in quoted.out
    made = people.ok("health.requester", "order", "create", *wish, "-o", "json").json
    assert made["state"] == "draft"
    # A draft is its author's alone.
    assert people.run("finance.approver", "order", "show", made["id"]).status == NOT_FOUND
    submitted = people.ok("health.requester", "order", "submit", made["id"])
    assert "step.succeeded step=price" in submitted.err
    shown = people.ok("health.requester", "order", "show", made["id"], "-o", "json").json
    assert shown["state"] == "in_approval"
    assert shown["system"].startswith("sys_")
    people.facts |= {"order": made["id"], "digest": shown["digest"]}
    again = people.ok("health.requester", "order", "submit", made["id"], "-o", "json").json
    assert again["version"] == shown["version"], "what is submitted is not planned twice"


def test_the_requester_may_not_approve(people: People) -> None:
    ran = people.run(
        "health.requester", "approval", "approve", people.fact("order"),
        "--digest", people.fact("digest"),
    )  # fmt: skip
    assert ran.status == NOT_ALLOWED, ran.err


def test_another_digest_is_refused(people: People) -> None:
    order = people.fact("order")
    listed = people.ok("finance.approver", "approval", "list", "--mine", "-o", "name")
    assert listed.out.split() == [order]
    shown = people.ok("finance.approver", "approval", "show", order)
    assert people.fact("digest") in shown.out
    assert "+ server-2" in shown.out
    ran = people.run("finance.approver", "approval", "approve", order, "--digest", OTHER_DIGEST)
    assert ran.status == NEEDS_APPROVAL, ran.err
    no_digest = people.run("finance.approver", "approval", "approve", order)
    assert no_digest.status == USAGE


def test_the_right_digest_is_approved_and_made(people: People) -> None:
    order = people.fact("order")
    made = people.ok(
        "finance.approver", "approval", "approve", order, "--digest", people.fact("digest"),
        "--no-wait", "-o", "json",
    ).json  # fmt: skip
    operation = made["operation_id"]
    hurried = people.run("finance.approver", "operation", "watch", operation, "--timeout", "0")
    assert hurried.status in {OK, TIMED_OUT}
    watched = people.ok("health.requester", "operation", "watch", operation)
    assert "step.succeeded step=activate" in watched.err
    shown = people.ok("health.requester", "operation", "show", operation, "-o", "json").json
    assert shown["state"] == "succeeded"
    assert people.run("health.requester", "operation", "cancel", operation).status == CONFLICT
    active = people.ok("health.requester", "order", "show", order, "-o", "json").json
    assert active["state"] == "active"
    people.facts["service"] = active["service"]


def test_what_was_deployed(people: People) -> None:
    found = people.ok("health.requester", "deployment", "list", "-o", "json").json
    (own,) = [each for each in found if each["name"] == NAME]
    people.facts["deployment"] = own["id"]
    shown = people.ok("health.requester", "deployment", "show", own["id"], "-o", "json").json
    kinds = [each["type"] for each in shown["resources"]]
    assert kinds.count("openstack:compute/instance:Instance") == 2
    (balancer,) = [each for each in shown["resources"] if "LoadBalancer" in each["type"]]
    people.facts["resource"] = balancer["id"]
    planned = people.ok("health.requester", "deployment", "plan", own["id"])
    assert "nothing to do" in planned.out or "same" in planned.out
    wider = people.ok("health.requester", "deployment", "plan", own["id"], "--input", "servers=3")
    assert "+ server-3" in wider.out
    destroyed = people.run("operator", "deployment", "destroy", own["id"], "--yes")
    assert destroyed.status == CONFLICT, "what was ordered is returned by an order"


def test_a_neighbour_finds_nothing(people: People) -> None:
    people.sign_in("water.requester")
    for noun in ("order", "deployment"):
        shown = people.run("water.requester", noun, "show", people.fact(noun))
        assert shown.status == NOT_FOUND
        listed = people.ok("water.requester", noun, "list", "-o", "name")
        assert people.fact(noun) not in listed.out


def test_a_month_passes_and_is_billed(people: People, wanted: StoryOrder) -> None:
    clock = people.product.platform.clock
    assert isinstance(clock, ShiftableClock)
    clock.reset()
    people.fact("service")
    collected = people.ok("operator", "usage", "collect", wanted.region, "-o", "json").json
    assert collected["result"]["events"] > 0
    month = f"{MONTH.start:%Y-%m}"
    used = people.ok("health.requester", "usage", "list", "--period", month, "-o", "json").json
    assert {each["meter"] for each in used} >= {"server.instance_hours", "volume.gb_hours"}
    head: dict[str, str] = {}
    for period in (f"{MONTH.start - timedelta(days=1):%Y-%m}", month):
        people.ok("finance.approver", "statement", "rate", period)
        heads = people.ok(
            "finance.approver", "statement", "list", "--period", period, "-o", "json"
        ).json
        (head,) = [each for each in heads if each["path"] == "/city/health/"]
        assert (
            people.run("health.requester", "statement", "issue", head["id"]).status == NOT_ALLOWED
        )
        people.ok("finance.approver", "statement", "issue", head["id"])
    shown = people.ok("health.requester", "statement", "show", head["id"], "-o", "json").json
    expected = expected_statement(CITY, wanted, MONTH, NOW)
    assert Decimal(shown["total"]) == expected.total
    assert sum(Decimal(line["amount"]) for line in shown["lines"]) == expected.total
    assert shown["number"]
    drawn = people.ok("health.requester", "statement", "show", head["id"])
    assert f"Total: {shown['total']} CNY" in drawn.err
    (line,) = [each for each in shown["lines"] if each["key"]["meter"] == "load_balancer.hours"]
    people.facts |= {"statement": head["id"], "line": line["id"]}


def test_a_line_is_walked_back_to_the_approval(people: People, wanted: StoryOrder) -> None:
    told = people.ok("health.requester", "statement", "explain", people.fact("line"))
    steps = [line.strip(" └").split(" ")[0] for line in told.out.splitlines()]
    assert steps == [
        "line", "price", "charges", "records", "events", "resource", "deployed", "order",
        "contract", "approval",
    ]  # fmt: skip
    for fact in ("resource", "order", "digest"):
        assert people.fact(fact) in told.out
    assert wanted.contract in told.out
    assert "Finance Bureau approver" in told.out


def test_usage_is_pushed(people: People, tmp_path: Path) -> None:
    end = people.product.platform.clock.now()
    event = {
        "specversion": "1.0", "type": "dev.borough.usage.v1", "source": "tests/gateway", "id": "1",
        "data": {
            "meter": "gateway.calls", "resource": people.fact("resource"), "quantity": "12.5",
            "start": (end - timedelta(minutes=1)).isoformat(), "end": end.isoformat(),
            "dimensions": {},
        },
    }  # fmt: skip
    file = tmp_path / "events.json"

    def push(login: str, events: object) -> Ran:
        file.write_text(json.dumps(events))
        return people.run(login, "usage", "push", str(file), "-o", "json")

    assert push("health.requester", [event]).status == NOT_ALLOWED
    first = push("operator", [event])
    assert (first.status, [each["outcome"] for each in first.json]) == (OK, ["accepted"]), first.out
    again = push("operator", event)
    assert (again.status, [each["outcome"] for each in again.json]) == (OK, ["duplicate"])
    data = {**event["data"], "quantity": "13"}  # type: ignore[dict-item]
    assert push("operator", [{**event, "data": data}]).status == CONFLICT
    unknown = push("operator", [{**event, "id": "2", "data": {**data, "meter": "moon.hours"}}])
    assert unknown.status == FAILED
    assert "not a meter" in unknown.out
    used = people.ok(
        "health.requester", "usage", "list", "--period", f"{end:%Y-%m}",
        "--meter", "gateway.calls", "--hours", "-o", "json",
    ).json  # fmt: skip
    assert sum(Decimal(each["quantity"]) for each in used) <= Decimal("12.5")
    assert {each["event_id"] for each in used} == {"1"}


@pytest.mark.parametrize(
    ("login", "words"),
    [
        ("health.requester", "catalog list"),
        ("health.requester", "order list"),
        ("health.requester", "service list"),
        ("health.requester", "contract list"),
        ("health.requester", "deployment list"),
        ("health.requester", "operation list"),
        ("health.requester", "usage list"),
        ("health.requester", "statement list"),
        ("health.requester", "system list"),
        ("health.requester", "tenancy list"),
        ("operator", "region list"),
        ("operator", "blueprint list"),
        ("auditor", "audit list"),
    ],
)
def test_every_list_in_every_form(people: People, login: str, words: str) -> None:
    people.fact("line")
    command = words.split()
    items = people.ok(login, *command, "-o", "json").json
    assert items, words
    loaded = yaml.load(people.ok(login, *command, "-o", "yaml").out, Loader=yaml.CSafeLoader)
    assert len(loaded) == len(items)
    names = people.ok(login, *command, "-o", "name").out.split("\n")[:-1]
    assert len(names) == len(items)
    assert "-" not in names
    heading = people.ok(login, *command).out.splitlines()[0]
    assert heading == heading.upper()


def test_the_service_is_returned_by_an_order(people: People) -> None:
    made = people.ok(
        "health.requester", "order", "create", "--delete", people.fact("service"),
        "--why", "The season is over", "--submit", "-o", "json",
    ).json  # fmt: skip
    assert (made["kind"], made["state"]) == ("delete", "in_approval")
    shown = people.ok("finance.approver", "approval", "show", made["id"])
    assert "- server-1" in shown.out
    done = people.ok(
        "finance.approver", "approval", "approve", made["id"], "--digest", made["digest"],
        "-o", "json",
    ).json  # fmt: skip
    assert done["state"] == "active"
    gone = people.ok(
        "health.requester", "deployment", "show", people.fact("deployment"), "-o", "json"
    ).json
    assert gone["state"] == "destroyed"
    assert {each["state"] for each in gone["resources"]} <= {"deleted"}
    service = people.ok("health.requester", "service", "show", people.fact("service"), "-o", "json")
    assert service.json["state"] not in {"active", "provisioning"}


def test_the_audit_log_is_whole(people: People) -> None:
    verified = people.ok("auditor", "audit", "verify", "-o", "json").json
    assert verified["ok"]
    decided = people.ok(
        "auditor", "audit", "list", "--subject", people.fact("order"), "-o", "json"
    ).json
    assert {"order.create", "order.submit"} <= {each["action"] for each in decided}
    head = f"{verified['head_seq']}:{verified['head_hash']}"
    people.ok("auditor", "audit", "verify", "--head", head)
    other = people.run("auditor", "audit", "verify", "--head", f"{verified['head_seq']}:{'0' * 64}")
    assert other.status == FAILED
    assert people.run("health.requester", "audit", "verify").status == NOT_ALLOWED
