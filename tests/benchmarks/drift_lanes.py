#!/usr/bin/env python3
"""How long it takes to look at the whole city for drift.

    python tests/benchmarks/drift_lanes.py [--deployments 1200] [--workers 4] [--drifted 50]

A web application with its 13 resources is deployed in each of two simulated regions and then copied
in the database; every ``--drifted``-th copy is disturbed. Workers are processes of their own, one
lane each, as in production: small batches, pauses by chance, two lanes a region at most.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import sqlalchemy as sa  # noqa: E402

from control_plane.adapters.program_host.host import ProgramHost  # noqa: E402
from control_plane.migrations import SCHEMA  # noqa: E402
from control_plane.provisioning.drift import jobs  # noqa: E402
from control_plane.provisioning.drift.service import Drift, Needs  # noqa: E402
from control_plane.provisioning.drift.store import PostgresDrift  # noqa: E402
from foundation.adapters.clock import SystemClock  # noqa: E402
from foundation.adapters.postgres.embedded import EmbeddedPostgres  # noqa: E402
from foundation.kernel import ids  # noqa: E402
from foundation.kernel.database import Database  # noqa: E402
from foundation.kernel.secretbox import SecretBox  # noqa: E402
from tests.contract.provisioning import conftest as world  # noqa: E402
from tests.fakes.owners import FakeOwners  # noqa: E402

_COPIES = """
CREATE TEMP TABLE copies ON COMMIT DROP AS
SELECT 'dep_copy' || lpad(n::text, 18, '0') AS id, n, CAST(:first AS text) AS source
FROM generate_series(CAST(:low AS integer), CAST(:high AS integer)) n
"""
_DEPLOYMENTS = """
INSERT INTO provisioning_deployment
SELECT (jsonb_populate_record(d, jsonb_build_object('id', c.id, 'name', 'copy-' || c.n))).*
FROM provisioning_deployment d JOIN copies c ON c.source = d.id
"""
_THINGS = """
INSERT INTO embedded_resource OVERRIDING USER VALUE
SELECT (jsonb_populate_record(r, jsonb_build_object(
  'deployment', c.id, 'urn', replace(r.urn, c.source, c.id),
  'physical_id', r.physical_id || '-' || c.n,
  'drift', CASE WHEN c.n % CAST(:drifted AS integer) = 0 AND r.name = 'data'
           THEN jsonb_build_object('size', 99) ELSE '{}'::jsonb END))).*
FROM embedded_resource r JOIN copies c ON c.source = r.deployment
"""
_SEAL = "UPDATE provisioning_deployment SET sealed_seed = :sealed WHERE id = :id"


@contextmanager
def looking(url: str, cache: Path) -> Iterator[tuple[dict[str, Any], Drift]]:
    """The services of one process."""
    database, host = Database(url, pool_size=5), ProgramHost()
    host.start()
    made = world.parts(database, SystemClock(), host, cache)
    drift = Drift(
        Needs(
            store=PostgresDrift(database), db=database, clock=SystemClock(), audit=made["audit"],
            tenancy=made["tenancies"], operations=made["operations"],
            provisioning=made["service"], owners=FakeOwners(), interval=timedelta(hours=1),
            key=b"k" * 32,
        )
    )  # fmt: skip
    try:
        yield made, drift
    finally:
        host.close()
        database.close()


def fill(made: dict[str, Any], deployments: int, drifted: int) -> None:
    """A city with that many deployments, all due now."""
    world.furnish(made)
    service, database = made["service"], made["database"]
    service.add_region(
        world.PLATFORM, slug="west", title=world.text("West, simulated"),
        kinds=["openstack", "kubernetes"], engine="embedded", config=world.FACTS,
        data_classes=["public", "internal"],
    )  # fmt: skip
    half = deployments // 2
    for number, slug in enumerate(("east", "west")):
        plan = service.make_plan(
            tenancy="health-test", action="create", region=slug, blueprint="web-application",
            inputs=world.SMALL,
        )  # fmt: skip
        first = service.apply(plan.id, operation=ids.new("op"), digest=plan.digest)
        assert first.error == "", first.error
        low, high = number * half, (number + 1) * half - 1
        with database.transaction():
            run = database.execute
            run(sa.text(_COPIES), {"first": first.id, "low": low, "high": high})
            run(sa.text(_DEPLOYMENTS))
            run(sa.text(_THINGS), {"drifted": drifted})
            copies = list(run(sa.text("SELECT id FROM copies")).scalars())
            run(sa.text(_SEAL), [{"id": each, "sealed": _sealed(each)} for each in copies])


def _sealed(deployment: str) -> str:
    """A seed of the copy's own; each is sealed for its deployment alone."""
    return SecretBox([b"k" * 32]).seal(b"seed-" * 8, f"provisioning_deployment:{deployment}:seed")


def main() -> int:
    """Fill, look, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deployments", type=int, default=1200)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--drifted", type=int, default=50)
    parser.add_argument("--lane", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.lane:
        with looking(os.environ["DRIFT_URL"], Path(os.environ["DRIFT_CACHE"])) as (_, drift):
            print(jobs.run_lane(drift, options.lane, 3600))
        return 0
    with tempfile.TemporaryDirectory(prefix="borough-drift-") as folder:
        Path(folder).chmod(0o755)
        cache = Path(folder) / "cache"
        cache.mkdir(mode=0o755)
        with EmbeddedPostgres(Path(folder) / "postgres", durable=False) as server:
            database = Database(server.url("borough"))
            SCHEMA.upgrade(database)
            database.close()
            measure(server.url("borough"), cache, options)
    return 0


def measure(url: str, cache: Path, options: argparse.Namespace) -> None:
    """Let the workers look at everything, and print how long it took."""
    with looking(url, cache) as (made, drift):
        fill(made, options.deployments, options.drifted)
        drift.tidy()
        all_due = drift.request_checks(world.PLATFORM)
        environment = {**os.environ, "DRIFT_URL": url, "DRIFT_CACHE": str(cache)}
        begin = time.perf_counter()
        workers = [
            subprocess.Popen(
                [sys.executable, __file__, "--lane", f"lane-{n}"],
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
            )
            for n in range(1, options.workers + 1)
        ]
        looked = [int(worker.communicate()[0]) for worker in workers]
        seconds = time.perf_counter() - begin
        summary = drift.summary(world.PLATFORM)
    found = sum(sum(kinds.values()) for r in summary for kinds in r.counts.values())
    print(
        f"{sum(looked)} of {all_due} deployments by {options.workers} workers ({looked}) in"
        f" {seconds:.1f} s: {sum(looked) / seconds:.1f}/s, {found} findings"
    )


if __name__ == "__main__":
    sys.exit(main())
