"""``python -m tests.harness.exchange_transfer_gateway FOLDER``: a gateway of batches and events.

As ``exchange_gateway``, and its database's batches and events beside; ``home`` of the folder's
``home.json`` is where the bytes of batches lie.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from foundation.adapters.clock import SystemClock
from tests.fakes.catalogue import FakeCatalogue, households
from tests.harness.exchange import CIVIL
from tests.harness.exchange_gateway import VAULT, FileSource, _said, options, secret
from tests.harness.exchange_transfers import bearer
from workloads.data_exchange.bootstrap import open_exchange
from workloads.data_exchange.gateway.process import run
from workloads.data_exchange.settings import Settings


def main() -> None:
    folder = Path(sys.argv[1])
    told = json.loads((folder / "gateway.json").read_text())
    home = Path(json.loads((folder / "home.json").read_text())["home"])
    given = Settings(home=home, database_url=told["database"], local_providers=True)
    catalogue = FakeCatalogue(households(CIVIL))
    with open_exchange(given, upgrade=False, catalogue=catalogue) as exchange:
        fronts = replace(exchange.handing, bearer=bearer).fronts()
        chosen = options(told["database"], told["port"])
        run(chosen, FileSource(folder), secret, SystemClock(), VAULT, _said, fronts)


if __name__ == "__main__":
    main()
