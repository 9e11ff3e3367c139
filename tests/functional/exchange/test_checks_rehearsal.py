"""Checks by the running product: web process, worker, gateway and registries as processes, by HTTP.

Real time throughout. A registry is down for ten seconds here, in which its question waits for its
turn; for ten minutes it is by the clock of ``tests/contract/exchange/test_checks.py``.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
import urllib3

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.processes import spawn
from foundation.surface.cli.client import Client
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM, TAX, exchange_database, furnish
from tests.harness.exchange_checks import connect, process
from workloads.data_exchange.bootstrap import open_exchange
from workloads.data_exchange.population.generate import City
from workloads.data_exchange.population.model import Rental
from workloads.data_exchange.receipts.verify import verify
from workloads.data_exchange.settings import Settings

pytestmark = pytest.mark.rehearsal
CITY = City(11, 600)
RENTAL = ("civil/households", "housing/contracts", "housing/homes", "fund/account")
LOW_INCOME = (
    "tax/income", "insurance/contributions", "finance/assets", "vehicles/owned", "business/owners",
)  # fmt: skip
_PASSWORD = "officer-only-here"
T = TypeVar("T")


@dataclass(frozen=True)
class Product:
    """The running product.

    Attributes:
        officer: signed in, of the agency that asks.
        registries: address of the registries.
    """

    officer: Client
    registries: str

    def manner(self, registry: str, **manner: object) -> None:
        """How a registry behaves from now on."""
        said = urllib3.request("PUT", f"{self.registries}/_control/{registry}", json=manner)
        assert said.status == 200

    def begin(self, scenario: str, persons: list[str], **inputs: object) -> str:
        """A check to which everybody has consented by their code; its id."""
        body = {"agency": HOUSING, "scenario": scenario, "persons": persons, "inputs": inputs}
        made = self.officer.post("/checks", body)
        citizen = Client(self.officer.url)
        for token in made["tokens"]:
            citizen.post("/consents/decide", {"token": token, "agree": True})
        return str(made["id"])

    def done(self, check: str, seconds: float) -> Mapping[str, Any]:
        """The check when it is done."""

        def found() -> Mapping[str, Any] | None:
            one: Mapping[str, Any] = self.officer.get(f"/checks/{check}")
            return one if one["state"] == "done" else None

        return until(found, seconds)


def until(ask: Callable[[], T | None], seconds: float) -> T:
    end = time.monotonic() + seconds
    while (found := ask()) is None:
        assert time.monotonic() < end
        time.sleep(0.2)
    return found


@pytest.fixture(scope="module")
def product(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Product]:
    with ExitStack() as stack:
        url = stack.enter_context(exchange_database(postgres))
        settings = Settings(
            home=tmp_path_factory.mktemp("home"), database_url=url,
            provider_networks="127.0.0.0/8",
        )  # fmt: skip
        exchange = stack.enter_context(open_exchange(settings, upgrade=False))
        furnish(exchange)
        for path in (CIVIL, HOUSING, TAX):
            exchange.keys.generate(SYSTEM, path)
        exchange.checks.ship()
        registries = stack.enter_context(_registries())
        for n, name in enumerate((*RENTAL, *LOW_INCOME)):
            # Registries of two agencies; they may take longer than the slow one of this test.
            provider = (CIVIL, TAX)[n % 2]
            connect(exchange, name, registries, provider=provider, consumer=HOUSING, seconds=100)
        officer = exchange.people.create_person(
            SYSTEM, login="officer", name="Officer", path=HOUSING, password=_PASSWORD
        )
        for role in ("officer", "auditor"):
            exchange.people.grant(
                SYSTEM, principal_id=officer.id, role=f"exchange_{role}", path=HOUSING
            )
        stack.enter_context(process("gateway", exchange, GATEWAY_PORT="0", LOCAL_PROVIDERS="true"))
        stack.enter_context(process("worker", exchange))
        said = stack.enter_context(process("serve", exchange, PORT="0"))
        where = "http://127.0.0.1:" + said.strip().rpartition(":")[2].strip("/")

        def signed_in() -> Client | None:
            try:
                body = {"login": "officer", "password": _PASSWORD, "days": 1}
                return Client(where, Client(where).post("/login", body)["secret"])
            except Exception:  # noqa: BLE001 - it is still starting
                return None

        yield Product(until(signed_in, 60), registries)


@contextmanager
def _registries() -> Iterator[str]:
    """The registries as a process; their address."""
    made = spawn(
        [
            sys.executable, "-m", "workloads.data_exchange.entrypoints.cli", "population", "serve",
            "--port", "0", "--size", str(CITY.size), "--seed", str(CITY.seed),
        ],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert made.stdout is not None
    try:
        yield made.stdout.readline().decode().partition(": ")[0]
    finally:
        made.kill()
        made.wait()
        made.stdout.close()


def rental(case: Rental) -> tuple[list[str], dict[str, object]]:
    """Somebody of a planted case: their household, and what they fill in."""
    household = next(one for one in CITY.households() if one.people[0].rental is case)
    head = household.people[0]
    assert head.lease
    filled = {"contract": head.lease.number, "amount": head.wants}
    return [one.number for one in household.people], filled


def test_a_withdrawal_in_under_three_minutes_with_a_registry_that_takes_sixty_seconds(
    product: Product,
) -> None:
    product.manner("fund", delay=60)
    began = time.monotonic()
    try:
        people, filled = rental(Rental.SOUND)
        check = product.begin("rental-withdrawal", people, **filled)

        def waits() -> Mapping[str, Any] | None:
            one: Mapping[str, Any] = product.officer.get(f"/checks/{check}")
            answered = [each["state"] for each in one["questions"]].count("answered")
            return one if answered == len(RENTAL) - 1 else None

        # All others have answered long before.
        meanwhile = until(waits, 50)
        assert meanwhile["verdict"] == "cannot_tell_yet"
        done = product.done(check, 150)
    finally:
        product.manner("fund", delay=0)
    taken = time.monotonic() - began
    assert 60 <= taken < 180
    assert (done["verdict"], done["reasons"]) == ("yes", [])
    assert [one["attempts"] for one in done["questions"]] == [1] * len(RENTAL)
    for receipt in done["receipts"]:
        assert product.officer.get(f"/receipts/{receipt}")["body"]["status"] == 200
    print(f"rental withdrawal, one registry answering after 60 s: {taken:.1f} s")


@pytest.mark.parametrize("case", [one for one in Rental if one is not Rental.SOUND])
def test_withdrawals_are_judged_as_planted(product: Product, case: Rental) -> None:
    people, filled = rental(case)
    done = product.done(product.begin("rental-withdrawal", people, **filled), 60)
    assert (done["verdict"], done["reasons"]) == ("no", [case.value])


def test_low_income_as_planted(product: Product) -> None:
    households = list(CITY.households())[:12]
    begun = [product.begin("low-income", [p.number for p in one.people]) for one in households]
    for household, check in zip(households, begun, strict=True):
        done = product.done(check, 90)
        assert set(done["reasons"]) == {why.value for why in household.unqualified}
        assert done["verdict"] == ("no" if household.unqualified else "yes")
        assert len(set(done["receipts"])) == len(done["questions"])


def test_a_registry_that_is_down_and_comes_back(product: Product) -> None:
    product.manner("fund", down=True)
    people, filled = rental(Rental.TWICE)
    try:
        check = product.begin("rental-withdrawal", people, **filled)

        def waits() -> Mapping[str, Any] | None:
            one: Mapping[str, Any] = product.officer.get(f"/checks/{check}")
            return one if any(each["why"] == "down" for each in one["questions"]) else None

        one = until(waits, 60)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            one = product.officer.get(f"/checks/{check}")
            assert one["verdict"] == "cannot_tell_yet"
            time.sleep(0.5)
    finally:
        product.manner("fund", down=False)
    done = product.done(check, 90)
    assert (done["verdict"], done["reasons"]) == ("no", ["twice"])
    # Who had answered was asked once.
    asked = {each["name"]: each["attempts"] for each in done["questions"]}
    assert sorted(asked.values())[: len(RENTAL) - 1] == [1] * (len(RENTAL) - 1)
    assert max(asked.values()) > 1
    exported = product.officer.get(f"/receipts/{done['receipts'][0]}")["body"]["agreement"]
    said = urllib3.request(
        "GET", f"{product.officer.url}/api/v1/receipts/export",
        fields={"agreement": exported}, preload_content=False,
        headers={"Authorization": f"Bearer {product.officer.token}"},
    )  # fmt: skip
    assert not verify(said.data.splitlines(keepends=True)).problems
