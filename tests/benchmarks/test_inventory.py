"""How long a page of the inventory takes in a city of 20,000 resources."""

import statistics
import time

import pytest
import sqlalchemy as sa

from control_plane.kernel.database import Database
from control_plane.kernel.paging import PageRequest
from control_plane.provisioning.store import PostgresProvisioning

DEPARTMENTS = 240
RESOURCES = 20_000
ROUNDS = 30

_FILL = """
INSERT INTO provisioning_region VALUES
  ('reg_1', 'east', '{}', '[]', 'embedded', true, '{}', NULL, '[]', '{}', '[]', 'active', now());
INSERT INTO provisioning_revision VALUES
  ('sha256:1', 'web', '1.0.0', '{1,0,0}', '{}', '', now(), 'x');
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
JOIN provisioning_deployment d ON d.id = 'dep_' || lpad((n % :deployments + 1)::text, 6, '0');
ANALYZE provisioning_resource; ANALYZE provisioning_deployment;
"""


@pytest.mark.parametrize("path", ["/", "/city/", "/city/d7/"])
def test_pages_of_the_inventory(database: Database, path: str) -> None:
    values = {"departments": DEPARTMENTS, "deployments": 1_500, "resources": RESOURCES}
    with database.transaction():
        for statement in filter(str.strip, _FILL.split(";\n")):
            names = {k: v for k, v in values.items() if f":{k}" in statement}
            database.execute(sa.text(statement), names)
    store = PostgresProvisioning(database)
    seconds = []
    request = PageRequest(limit=100)
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        with database.transaction():
            page = store.inventory([path], {}, request)
        seconds.append(time.perf_counter() - begin)
        assert page.items
        request = PageRequest(page.next, 100)
    begin = time.perf_counter()
    with database.transaction():
        held = store.held("reg_1")
    held_seconds = time.perf_counter() - begin
    assert held["vcpus"] == 6_000
    median, worst = statistics.median(seconds) * 1000, max(seconds) * 1000
    print(f"\ninventory of {path}: page of 100 in {median:.1f} ms (worst {worst:.1f} ms); "
          f"held in {held_seconds * 1000:.1f} ms")  # fmt: skip
