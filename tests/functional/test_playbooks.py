"""Playbooks through the running product: commands, pages, and real servers by real Ansible."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa

from control_plane.provisioning.drift.store import watch_table
from control_plane.provisioning.model import (
    Deployment,
    DeploymentId,
    DeploymentState,
    RegionId,
)
from control_plane.provisioning.playbooks.store import access_table, host_table, run_table
from control_plane.provisioning.store import PostgresProvisioning
from control_plane.provisioning.store.tables import deployment_table, region_table
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from tests.functional.conftest import Product, running_product
from tests.harness import machines
from tests.harness.machines import Machines

WHO, OTHER = "health.requester", "water.requester"
_SYSTEM = Actor.system("test")
SECRET = "correct horse battery"


def test_what_there_is_and_that_a_simulated_region_has_no_servers(product: Product) -> None:
    listed = product.cli(WHO, "playbook", "list", "-o", "json")
    assert listed.status == 0, listed.err
    assert {p["name"] for p in listed.json} >= {"base-hardening", "patching"}
    shown = product.cli(WHO, "playbook", "show", "postgresql-backup")
    assert "password (secret" in shown.out
    there, _ = real(product, {"server_addresses": ["192.0.2.1"]}, simulated=True)
    try:
        refused = product.cli(WHO, "playbook", "run", there, "base-hardening", "--check")
        assert refused.status != 0
        assert "is simulated: its servers do not exist" in refused.err
        wrong = product.cli(WHO, "playbook", "run", there, "nonesuch")
        assert "there is no playbook nonesuch" in wrong.err
        stranger = product.cli(OTHER, "playbook", "run", there, "base-hardening")
        assert "there is no such deployment" in stranger.err
    finally:
        clear(product, there)


@dataclass
class Site:
    """A platform with a deployment of two real servers."""

    product: Product
    machines: Machines
    deployment: str
    tenancy: str


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    reason = machines.missing() or machines.no_ansible()
    if reason:
        pytest.skip(reason)
    path = str(machines.installation().find().parent)
    with machines.machines(2) as made, running_product(BOROUGH_ANSIBLE_PATH=path) as product:
        deployment, tenancy = real(product, addressed(made))
        yield Site(product, made, deployment, tenancy)


def addressed(made: Machines) -> dict[str, Any]:
    """What a blueprint would say of the servers."""
    return {
        "server_ids": [f"id-of-{m.name}" for m in made.all],
        "server_addresses": [m.address for m in made.all],
        "server_ssh_ports": [m.port for m in made.all],
    }


def real(product: Product, outputs: dict[str, Any], *, simulated: bool = False) -> tuple[str, str]:
    """A deployment in a region of its own, as an apply would have left it.

    Returns:
        Its id and its tenancy's.
    """
    platform = product.platform
    tenancy = platform.tenancy.tenancy(_SYSTEM, "health-production")
    revision = platform.provisioning.find_revision("web-application")
    database, at = platform.database, platform.clock.now()
    region = RegionId(ids.new("reg"))
    made = Deployment(
        DeploymentId(ids.new("dep")), tenancy.id, tenancy.path, region, revision.blueprint,
        revision.digest, "shop", {}, DeploymentState.ACTIVE, outputs, (), None, "", "", "", "", {},
        {}, at, at,
    )  # fmt: skip
    with database.transaction():
        east = database.execute(region_table.select().where(region_table.c.slug == "east")).one()
        place = {**dict(east._mapping), "id": region, "slug": "loopback"}  # noqa: SLF001
        database.execute(region_table.insert().values(**{**place, "simulated": simulated}))
        assert PostgresProvisioning(database).add_deployment(made, "sealed")
    return made.id, tenancy.id


def clear(product: Product, deployment: str) -> None:
    """Take away what ``real`` made, with its runs."""
    database = product.platform.database
    with database.transaction():
        runs = sa.select(run_table.c.id).where(run_table.c.deployment_id == deployment)
        database.execute(host_table.delete().where(host_table.c.run_id.in_(runs)))
        database.execute(run_table.delete().where(run_table.c.deployment_id == deployment))
        there = deployment_table.c.id == deployment
        region = database.execute(sa.select(deployment_table.c.region_id).where(there)).scalar_one()
        tenancy = database.execute(
            sa.select(deployment_table.c.tenancy_id).where(there)
        ).scalar_one()
        database.execute(access_table.delete().where(access_table.c.tenancy_id == tenancy))
        # The worker looks after it like after any other.
        database.execute(watch_table.delete().where(watch_table.c.deployment_id == deployment))
        database.execute(deployment_table.delete().where(there))
        database.execute(region_table.delete().where(region_table.c.id == region))


@pytest.mark.rehearsal
def test_a_department_runs_a_playbook_on_its_own_servers(site: Site, tmp_path: Any) -> None:
    product, there = site.product, site.deployment
    before = product.cli("admin", "playbook", "run", there, "user-access", "--check")
    assert "the platform has no key" in before.err
    key = tmp_path / "key"
    key.write_text(site.machines.private_key)
    access = product.cli(
        "admin", "playbook", "set-access", site.tenancy, "--user", "root", "--no-become",
        "--key-file", str(key), "-o", "json",
    )  # fmt: skip
    assert access.status == 0, access.err
    assert access.json["public_key"] == site.machines.public_key
    users = json.dumps([{"name": "li", "keys": ["ssh-ed25519 AAAA"]}])
    wrong = product.cli("admin", "playbook", "run", there, "user-access", "--input", "users=[{}]")
    assert wrong.status != 0
    assert "inputs.users.0.name" in wrong.err
    assert "inputs.users.0.keys" in wrong.err
    check = product.cli(
        "admin", "playbook", "run", there, "user-access", "--input", f"users={users}", "--check",
        "-o", "json", timeout=400,
    )  # fmt: skip
    assert check.status == 0, check.err
    assert check.json["state"] == "succeeded"
    assert not site.machines[0].path("/home/li").exists()
    stranger = product.cli(OTHER, "playbook", "status", check.json["id"])
    assert "there is no such run of a playbook" in stranger.err
    done = product.cli(
        "admin", "playbook", "run", there, "user-access", "--input", f"users={users}",
        "-o", "json", timeout=400,
    )  # fmt: skip
    assert done.status == 0, done.err
    for each in site.machines.all:
        assert each.path("/home/li/.ssh/authorized_keys").read_text() == "ssh-ed25519 AAAA\n"
    told = product.cli("admin", "playbook", "status", done.json["id"])
    assert "server-1" in told.out
    assert "changed" in told.out
    servers = product.cli("admin", "playbook", "servers", there, "-o", "json").json
    assert all(s["known"] for s in servers)
    actions = [e["action"] for e in product.api("admin").items("/audit", subject=done.json["id"])]
    assert "playbook_run.create" in actions


@pytest.mark.rehearsal
def test_a_secret_is_in_no_log_no_answer_and_no_process(site: Site, tmp_path: Any) -> None:
    product, there = site.product, site.deployment
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    done = product.cli(
        "admin", "playbook", "run", there, "postgresql-backup", "--input", "database=app",
        "--input", "bin_directory=/usr/bin", "--input-file", f"password={secret}", "-o", "json",
        timeout=400,
    )  # fmt: skip
    assert done.status != 0  # there is no such database: what failed may say so, and no more
    run = product.api("admin").get("/playbook-runs")["items"][0]
    assert (run["state"], run["inputs"]["password"]) == ("failed", "********")
    events = product.api("admin").get(f"/operations/{run['operation']}/events")
    everything = json.dumps([run, events]) + done.out + done.err
    everything += product.log("worker") + product.log("serve")
    assert SECRET not in everything
    assert site.machines.private_key.splitlines()[1] not in everything
    held = [p for p in os.listdir("/tmp") if p.startswith("borough-playbook-")]  # noqa: PTH208, S108
    assert held == []
