"""How long pages of the inventory and of deployments take in a city of 20,000 resources.

First the store by itself, then the whole of a request (authentication, policy, query, answer) in
the real application, as the API and as the web page, without a network in between. Where other
work loads the machine, the processor's time (of the web process) says more than the clock's.
"""

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml

from control_plane.bootstrap import open_platform
from control_plane.entrypoints.app import create_app
from control_plane.entrypoints.serve import parts
from control_plane.provisioning.store import PostgresProvisioning
from control_plane.settings import Settings
from foundation.kernel.actor import Actor
from foundation.kernel.database import Database
from foundation.kernel.paging import PageRequest
from foundation.surface.api.limits import Limits, Rate

BLUEPRINT = Path(__file__).parents[2] / "blueprints" / "web-application" / "blueprint.yaml"
DEPARTMENTS = 240
DEPLOYMENTS = 1_500
RESOURCES = 20_000
ROUNDS = 30
#: So often each address is asked.
REQUESTS = 200
#: One deployment has so many of the resources.
LARGEST = 500

_FILL = """
INSERT INTO provisioning_region
  (id, slug, title, kinds, engine, simulated, config, credential_kinds, capacity, data_classes,
   state, created_at)
VALUES ('reg_1', 'east', '{"en": "East", "zh": "东区"}', '["openstack"]', 'embedded', true, '{}',
        '[]', '{}', '[]', 'active', now());
INSERT INTO provisioning_revision
  (digest, blueprint, version, version_key, document, archive, published_at, published_by)
VALUES ('sha256:1', 'web', '1.0.0', '{1,0,0}', CAST(:document AS jsonb), '', now(), 'x');
INSERT INTO provisioning_deployment
  (id, tenancy_id, path, region_id, blueprint, revision, name, inputs, state, outputs,
   secret_outputs, sealed_seed, owner, operation, last_operation, error, footprint, tags,
   created_at, updated_at)
SELECT 'dep_' || lpad(n::text, 6, '0'), 'ten_' || n % :departments,
       '/city/d' || n % :departments || '/', 'reg_1', 'web', 'sha256:1', 'web-' || n, '{}',
       'active', '{}', '[]', '', '', '', '', '', '{"vcpus": "4"}', '{}', now(), now()
FROM generate_series(1, :deployments) n;
INSERT INTO provisioning_resource
  (id, deployment_id, region_id, tenancy_id, path, urn, type, name, physical_id, state, error,
   hourly, history, created_at)
SELECT 'res_' || lpad(n::text, 8, '0'), d.id, 'reg_1', d.tenancy_id, d.path, 'urn:' || n,
       CASE n % 4 WHEN 0 THEN 'openstack:compute/instance:Instance' ELSE 'other' END,
       'thing-' || n, md5(n::text), 'created', '', '[]', '[]',
       now() - n * interval '1 second'
FROM generate_series(1, :resources) n
JOIN provisioning_deployment d
  ON d.id = 'dep_' || lpad((CASE WHEN n <= :largest THEN 7 ELSE n % :deployments + 1 END)::text,
                           6, '0');
ANALYZE provisioning_resource; ANALYZE provisioning_deployment;
"""


@pytest.fixture
def city(database: Database) -> Database:
    values: dict[str, object] = {
        "document": json.dumps(yaml.safe_load(BLUEPRINT.read_text())),
        "departments": DEPARTMENTS,
        "deployments": DEPLOYMENTS,
        "resources": RESOURCES,
        "largest": LARGEST,
    }
    with database.transaction():
        for statement in filter(str.strip, _FILL.split(";\n")):
            names = {k: v for k, v in values.items() if f":{k}" in statement}
            database.execute(sa.text(statement), names)
    return database


@pytest.mark.parametrize("path", ["/", "/city/", "/city/d7/"])
def test_pages_of_the_inventory(city: Database, path: str) -> None:
    store = PostgresProvisioning(city)
    seconds = []
    request = PageRequest(limit=100)
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        with city.transaction():
            page = store.inventory([path], {}, request)
        seconds.append(time.perf_counter() - begin)
        assert page.items
        request = PageRequest(page.next, 100)
    begin = time.perf_counter()
    with city.transaction():
        held = store.held("reg_1")
    held_seconds = time.perf_counter() - begin
    assert held["vcpus"] == 4 * DEPLOYMENTS
    median, worst = statistics.median(seconds) * 1000, max(seconds) * 1000
    print(f"\ninventory of {path}: page of 100 in {median:.1f} ms (worst {worst:.1f} ms); "
          f"held in {held_seconds * 1000:.1f} ms")  # fmt: skip


def figures(seconds: list[float]) -> str:
    """The median and the 95th percentile, in milliseconds."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return f"p50 {cuts[49] * 1000:6.1f} p95 {cuts[94] * 1000:6.1f}"


Ask = Callable[[str], str | None]


@pytest.fixture
def ask(city: Database, tmp_path: Path) -> Iterator[Ask]:
    """Ask the real application for a path; the answer's next cursor, when it has one."""
    settings = Settings(home=tmp_path, database_url=city.url)
    with open_platform(settings, upgrade=False) as platform:
        system = Actor.system("bench")
        person = platform.people.create_person(
            system, login="bench", name="Bench", path="/", password="a long enough phrase"
        )
        platform.people.grant(
            system, principal_id=person.id, role="platform_administrator", path="/"
        )
        actor = Actor(person.id, person.name, person.kind)
        token = platform.gate.create_token(actor, name="bench")[1]
        plenty = Limits(Rate(100_000, 100_000), Rate(100_000, 100_000))
        client = create_app(parts(platform), settings, rate_limits=plenty).test_client()

        def answer(path: str) -> str | None:
            got = client.get(path, headers={"Authorization": f"Bearer {token}"})
            text = got.get_data(as_text=True)
            assert got.status_code == 200, text[:500]
            assert ("dep_" if "/deployments" in path else "thing-") in text
            return got.get_json().get("next") if got.is_json else None

        yield answer


def last(ask: Ask, path: str) -> str:
    """The address of the last page of a list: of the API's cursors, which pages take as well."""
    address = path
    while following := ask(address):
        address = f"{path}&cursor={following}"
    return address.partition("cursor=")[2]


def test_requests(ask: Ask) -> None:
    print(f"\nload average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors, "
          f"{REQUESTS} requests each, milliseconds")  # fmt: skip
    # As long as the page: the cursor then leads to a page like the others, the last whole one.
    end = last(ask, "/api/v1/inventory?limit=50")
    dep_end = last(ask, "/api/v1/deployments?limit=50")
    one = "type=openstack:compute/instance:Instance"
    for path in (
        "/inventory",
        f"/inventory?cursor={end}",
        f"/inventory?{one}",
        "/inventory?region_id=reg_1&deployment_id=dep_000007",
        "/deployments",
        f"/deployments?cursor={dep_end}",
        "/deployments?state=active",
        "/deployments/dep_000008",
        "/deployments/dep_000007",
        "/api/v1/inventory?limit=100",
        f"/api/v1/inventory?limit=100&cursor={end}",
        f"/api/v1/inventory?limit=100&{one}",
        "/api/v1/deployments?limit=100",
        "/api/v1/deployments?limit=100&state=active",
        "/api/v1/deployments/dep_000007",
        "/api/v1/deployments/dep_000008/resources",
        "/api/v1/deployments/dep_000007/resources",
    ):
        ask(path)  # the first one loads templates and opens connections
        seconds, used = [], []
        for _ in range(REQUESTS):
            begin, processor = time.perf_counter(), time.process_time()
            ask(path)
            seconds.append(time.perf_counter() - begin)
            used.append(time.process_time() - processor)
        print(f"{path[:70]:70} clock {figures(seconds)}  processor {figures(used)}")


def test_walk_of_the_whole_inventory(ask: Ask) -> None:
    seconds = []
    address = "/api/v1/inventory?limit=100"
    while True:
        begin = time.perf_counter()
        following = ask(address)
        seconds.append(time.perf_counter() - begin)
        if following is None:
            break
        address = f"/api/v1/inventory?limit=100&cursor={following}"
    assert len(seconds) == RESOURCES / 100
    print(f"\nall {len(seconds)} pages of the inventory: clock {figures(seconds)} ms")
