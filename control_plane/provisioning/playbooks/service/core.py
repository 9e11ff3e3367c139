"""What the parts of the service share."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from control_plane.provisioning.model import Deployment, DeploymentState
from control_plane.provisioning.playbooks.inventory import servers_of
from control_plane.provisioning.playbooks.model import Access, Playbook, Run, Server
from control_plane.provisioning.playbooks.ports import Playbooks, Runner, RunStore
from control_plane.provisioning.ports import Audit
from control_plane.provisioning.service import Provisioning
from control_plane.tenancy.service import TenancyService
from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Conflict, NotFound
from foundation.kernel.secretbox import SecretBox
from foundation.kernel.time import Clock
from foundation.operations.service import Operations

SYSTEM = Actor.system("playbooks")


@dataclass(frozen=True, slots=True)
class Limits:
    """What runs may take.

    Attributes:
        at_once: runs that are worked on at a time, in the whole platform.
        minutes: that a wave may take unless its run says otherwise.
        keep_days: that the secrets of a run which failed are kept, so that it can be tried again.
    """

    at_once: int = 2
    minutes: int = 60
    keep_days: int = 7


@dataclass(frozen=True, slots=True)
class Needs:
    """What playbooks work with."""

    store: RunStore
    db: UnitOfWork
    clock: Clock
    audit: Audit
    secrets: SecretBox
    operations: Operations
    provisioning: Provisioning
    tenancy: TenancyService
    playbooks: Playbooks
    runner: Runner
    limits: Limits = field(default_factory=Limits)


class Core:
    """The base of the service's parts."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs
        self._store = needs.store
        self._db = needs.db
        self._clock = needs.clock
        self._provisioning = needs.provisioning

    def _playbook(self, name: str) -> Playbook:
        found = self._needs.playbooks.all().get(name)
        if found is None:
            raise NotFound(f"there is no playbook {name}")
        return found

    def _run(self, run_id: str, *, lock: bool = False) -> Run:
        found = self._store.run(run_id, lock=lock)
        if found is None:
            raise policy.unknown("playbook run")
        return found

    def _seen(self, actor: Actor, run_id: str, action: str, *, lock: bool = False) -> Run:
        found = self._run(run_id, lock=lock)
        policy.require(actor, action, found.path, "playbook run")
        return found

    def _deployment(self, actor: Actor, deployment: str, action: str) -> Deployment:
        there = self._provisioning.deployment_in_transaction(deployment)
        policy.require(actor, action, there.path, "deployment")
        return there

    def _servers(self, there: Deployment) -> tuple[tuple[Server, ...], Access]:
        """The servers of a deployment, and the way in.

        Raises:
            Conflict: it has none that a playbook could run on.
        """
        region = self._provisioning.region(SYSTEM, there.region_id)
        if region.simulated:
            raise Conflict(
                f"the region {region.slug} is simulated: its servers do not exist, so no playbook "
                "can run on them",
                simulated=True,
            )
        if there.state is not DeploymentState.ACTIVE:
            raise Conflict(f"the deployment is {there.state.value}")
        access = self._store.access(there.tenancy_id)
        if access is None:
            raise Conflict(
                "the platform has no key for the servers of this tenancy: make one, and let the "
                "servers trust it"
            )
        resources = self._provisioning.resources(SYSTEM, there.id)
        return servers_of(there, resources, access), access

    def _sealed(self, secrets: Mapping[str, Any], run_id: str) -> str | None:
        if not secrets:
            return None
        return self._needs.secrets.seal(json.dumps(dict(secrets)).encode(), _context(run_id))

    def _opened(self, run_id: str) -> dict[str, Any]:
        sealed = self._store.sealed_secrets(run_id)
        if sealed is None:
            return {}
        found: dict[str, Any] = json.loads(self._needs.secrets.open(sealed, _context(run_id)))
        return found

    def _private_key(self, tenancy_id: str) -> str:
        sealed = self._store.sealed_key(tenancy_id)
        if sealed is None:
            raise Conflict("the platform has no key for the servers of this tenancy any more")
        return self._needs.secrets.open(sealed, key_context(tenancy_id)).decode()

    def _note(
        self, actor: Actor, action: str, subject: str, path: str, details: Mapping[str, Any]
    ) -> None:
        self._needs.audit.record(actor, action, subject=subject, path=path, details=details)


def _context(run_id: str) -> str:
    return f"provisioning_playbook_run:{run_id}"


def key_context(tenancy_id: str) -> str:
    """What a tenancy's private key is sealed for."""
    return f"provisioning_playbook_access:{tenancy_id}"
