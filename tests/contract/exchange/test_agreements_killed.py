"""A process that is killed in the middle of a step leaves the step undone, and it can be done."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.agreements import SIGNER, STEWARD, acted, approved, asked
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM
from workloads.data_exchange.agreements.contracts.model import Party
from workloads.data_exchange.agreements.requests.model import Act, RequestState, Side
from workloads.data_exchange.bootstrap import Exchange

pytestmark = pytest.mark.usefixtures("agencies")

#: Does one step in a transaction that it never ends.
_HALF = """
import json, sys, time
from pathlib import Path
from tests.fakes.catalogue import FakeCatalogue, households
from tests.harness.agreements import SIGNER, STEWARD
from tests.harness.exchange import CIVIL
from workloads.data_exchange.agreements.contracts.model import Party
from workloads.data_exchange.agreements.requests.model import Act
from workloads.data_exchange.bootstrap import open_exchange
from workloads.data_exchange.settings import Settings

asked = json.loads(sys.argv[1])
settings = Settings(home=Path(asked["home"]), database_url=asked["url"])
catalogue = FakeCatalogue(households(CIVIL))
with open_exchange(settings, upgrade=False, catalogue=catalogue) as exchange:
    with exchange.base.database.transaction():
        if "request" in asked:
            exchange.agreeing.requests.act(STEWARD, asked["request"], Act.APPROVE)
        else:
            exchange.agreeing.agreements.sign(
                SIGNER, asked["agreement"], Party.CONSUMER, asked["digest"]
            )
        print("done", flush=True)
        time.sleep(60)
"""


def killed_in(exchange: Exchange, **asked: str) -> None:
    """Do a step in another process, and kill that before the step is committed."""
    database, home = exchange.base.database, exchange.settings.home
    told = {"url": database.url, "home": str(home), **asked}
    with subprocess.Popen(
        [sys.executable, "-c", _HALF, json.dumps(told)], stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[3],
    ) as child:  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.readline() == "done\n"
        child.send_signal(signal.SIGKILL)


def test_killed_while_it_approves(exchange: Exchange) -> None:
    request = acted(exchange, asked(exchange), (Act.PASS, Side.COMPLIANCE))
    killed_in(exchange, request=request.id)
    requests = exchange.agreeing.requests
    assert requests.request(SYSTEM, request.id).state is RequestState.REVIEW
    assert len(requests.steps(SYSTEM, request.id)) == 2
    done = requests.act(STEWARD, request.id, Act.APPROVE)
    assert len(exchange.agreeing.agreements.versions(SYSTEM, done.agreement)) == 1


def test_killed_while_the_second_signs(exchange: Exchange) -> None:
    contracts, request = exchange.agreeing.agreements, approved(exchange)
    for path in (CIVIL, HOUSING):
        exchange.keys.generate(SYSTEM, path)
    digest = contracts.version(SYSTEM, request.agreement).digest
    contracts.sign(STEWARD, request.agreement, Party.PROVIDER, digest)
    killed_in(exchange, agreement=request.agreement, digest=digest)
    assert contracts.in_force().terms == ()
    assert set(contracts.version(SYSTEM, request.agreement).signatures) == {Party.PROVIDER}
    contracts.sign(SIGNER, request.agreement, Party.CONSUMER, digest)
    assert len(contracts.in_force().terms) == 1
    assert contracts.in_force().position == 1
