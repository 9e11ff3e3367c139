"""What dies, hangs or misbehaves costs only itself: nothing is lost and nothing is doubled."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import psutil
import pytest
import yaml

from control_plane.provisioning import content
from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.actor import Actor
from foundation.surface.cli.client import Client
from foundation.surface.cli.exits import ApiProblem, Failure
from tests.functional.conftest import Product, running_product

BLUEPRINT = Path(__file__).parents[2] / "blueprints" / "web-application"
SYSTEM = Actor.system("test")
T = TypeVar("T")
PATIENCE = 120
#: A program of these gets little, so that the tests are short.
LIMITS = {
    "BOROUGH_EVALUATE_TIMEOUT_SECONDS": "10",
    "BOROUGH_ENGINE_TIMEOUT_SECONDS": "60",
    "BOROUGH_ENGINE_MEMORY_MB": "384",
}
#: What the program does when it is asked for a volume of that size, and what is then said.
MISCHIEF = {
    107: ("raise ValueError('the program cannot do this')", "the program cannot do this"),
    108: ("import time\n    time.sleep(3600)", "longer than"),
    109: ("import os\n    os._exit(0)", "before it was finished"),
    110: ("import os\n    os.write(3, b'garbage' * 100)\n    import time\n    time.sleep(60)",
         "nonsense"),
    111: ("hoard = []\n    while True:\n        hoard.append(bytearray(1 << 24))", "memory"),
    112: ("import os\n    while True:\n        os.fork()", "PermissionError"),
}  # fmt: skip


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with running_product(None, **LIMITS) as made:
        yield made


@pytest.fixture(autouse=True)
def restored(product: Product) -> Iterator[None]:
    """Each test finds a web process and a worker."""
    yield
    product.restore("serve", "worker")


def wish(name: str, **inputs: object) -> dict[str, Any]:
    return {
        "kind": "apply", "offering": "web-application", "plan": "s", "name": name,
        "tenancy": "health-production", "region": "east", "contract": "CT-HEALTH",
        "inputs": {"servers": 1, "volume_gb": 10, "exposure": "city", **inputs},
        "justification": "Tests.",
    }  # fmt: skip


def eventually(ask: Callable[[], T | None], what: str) -> T:
    """What ``ask`` answers once it answers; a platform that is away meanwhile is asked again."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            found = ask()
        except Failure as error:
            if isinstance(error, ApiProblem) and error.document["status"] < 500:
                raise
            found = None
        if found is not None:
            return found
        time.sleep(0.1)
    pytest.fail(what)


def ended(client: Client, operation: str) -> dict[str, Any]:
    def ask() -> dict[str, Any] | None:
        found: dict[str, Any] = client.get(f"/operations/{operation}")
        return found if found["state"] in {"succeeded", "failed", "stuck", "cancelled"} else None

    return eventually(ask, f"{operation} did not end")


def planned(product: Product, name: str, **inputs: object) -> dict[str, Any]:
    """An order that waits for its approval."""
    client = product.api("health.requester")
    made = client.post("/orders", wish(name, **inputs))
    done = ended(client, client.post(f"/orders/{made['id']}/submit")["id"])
    assert done["state"] == "succeeded", done
    found: dict[str, Any] = client.get(f"/orders/{made['id']}")
    return found


def approved(product: Product, order: dict[str, Any]) -> dict[str, Any]:
    client = product.api("finance.approver")
    found: dict[str, Any] = client.post(
        f"/approvals/{order['id']}/approve", {"digest": order["digest"]}
    )
    return found


def test_a_killed_web_process_loses_nothing(product: Product) -> None:
    client = product.api("health.requester")
    port = str(urlsplit(product.url).port)
    answers: dict[str, str] = {}

    def order(number: int) -> None:
        name, key = f"kept-{number}", {"Idempotency-Key": str(uuid.uuid4())}
        own = Client(product.url, client.token)
        send = lambda: own.request("POST", "/orders", body=wish(name), headers=key)  # noqa: E731
        answers[name] = eventually(send, f"{name} was not answered").body["id"]

    def some(numbers: range) -> None:
        for number in numbers:
            order(number)

    asking = [threading.Thread(target=some, args=(range(n, 24, 4),)) for n in range(4)]
    for thread in asking:
        thread.start()
    while len(answers) < 4:
        time.sleep(0.01)
    product.kill("serve")
    assert len(answers) < 24
    product.start("serve", BOROUGH_PORT=port)
    for thread in asking:
        thread.join(PATIENCE)
    drafts = list(client.items("/orders", state="draft"))
    assert {each["name"]: each["id"] for each in drafts} == answers
    assert len(drafts) == 24
    created = list(product.api("auditor").items("/audit", action="order.create"))
    assert sorted(each["subject"] for each in created) == sorted(answers.values())
    assert product.api("auditor").get("/audit/verification")["ok"]


#: Moments of an order's fulfilment: a step that begins, or a resource that is being made.
MOMENTS = ("verify", "project", "server-1", "consume")


@pytest.mark.parametrize(
    "moment",
    [m if m == "server-1" else pytest.param(m, marks=pytest.mark.rehearsal) for m in MOMENTS],
)
def test_a_restarted_database_loses_nothing(product: Product, moment: str) -> None:
    order = planned(product, f"survivor-{MOMENTS.index(moment)}")
    operation = approved(product, order)["operation_id"]
    client = product.api("health.requester")

    def reached() -> bool | None:
        events = client.get(f"/operations/{operation}/events")
        told = {
            name
            for each in events["items"]
            for name in each["data"].values()
            if isinstance(name, str)
        }
        # A tenancy is prepared once: by then its moment is over for the other orders.
        return True if told & {moment, "succeeded", "failed"} else None

    eventually(reached, f"{moment} is not reached")
    # The crash of a server: every connection is cut, nothing is written at leave.
    server = EmbeddedPostgres(product.home / "postgres")
    server._run(  # noqa: SLF001 - as its own user, which only it knows
        "pg_ctl", "-D", str(product.home / "postgres" / "data"), "-m", "immediate", "-w", "restart"
    )
    done = ended(client, operation)
    assert done["state"] == "succeeded", done["error"]
    found = eventually(lambda: client.get(f"/orders/{order['id']}"), "there is no answer")
    assert found["state"] == "active"
    service = client.get(f"/services/{found['service']}")
    names = [(each["type"], each["name"]) for each in service["resources"]]
    assert len(names) == len(set(names))
    kinds = [kind for kind, _ in names]
    assert kinds.count("openstack:compute/instance:Instance") == 1
    assert product.api("auditor").get("/audit/verification")["ok"]


@pytest.fixture(scope="module")
def hostile(product: Product) -> None:
    """A version of the web application that misbehaves when it is asked for certain numbers."""
    files = dict(content.read_folder(BLUEPRINT))
    document = yaml.safe_load(files["blueprint.yaml"])
    document["version"] = "9.9.9"
    files["blueprint.yaml"] = yaml.safe_dump(document, allow_unicode=True).encode()
    head, line, rest = files["__main__.py"].decode().partition("context = Context()\n")
    assert line
    deeds = "".join(
        f"if context.inputs['volume_gb'] == {number}:\n    {deed}\n"
        for number, (deed, _) in MISCHIEF.items()
    )
    files["__main__.py"] = f"{head}{line}{deeds}{rest}".encode()
    product.platform.provisioning.publish(SYSTEM, files)


def outcome(client: Client, order: str) -> tuple[str, str]:
    """The state of an order after it was submitted, and what was said."""
    try:
        operation = client.post(f"/orders/{order}/submit")
    except ApiProblem as problem:
        told = problem.document
    else:
        done = ended(client, operation["id"])
        told = done["error"] or {}
    return client.get(f"/orders/{order}")["state"], str(told)


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize("number", MISCHIEF)
def test_a_blueprint_that_misbehaves_costs_only_its_own_order(
    product: Product, number: int
) -> None:
    client = product.api("health.requester")
    worker = psutil.Process(product.pid("worker"))
    made = client.post("/orders", wish(f"hostile-{number}", volume_gb=number))
    state, told = outcome(client, made["id"])
    # A program that is run before anything is queued leaves the order a draft.
    assert state in {"draft", "failed"}
    assert MISCHIEF[number][1] in told
    assert "Traceback" not in told
    assert worker.is_running()
    assert worker.pid == product.pid("worker")


@pytest.mark.usefixtures("hostile")
def test_the_next_order_goes_on(product: Product) -> None:
    order = planned(product, "next-in-line")
    operation = approved(product, order)["operation_id"]
    assert ended(product.api("health.requester"), operation)["state"] == "succeeded"
