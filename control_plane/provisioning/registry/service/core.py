"""What the parts of the registry share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from control_plane.provisioning.ports import Audit
from control_plane.provisioning.registry.comparing import Forces
from control_plane.provisioning.registry.ports import RegistryStore, Repositories
from control_plane.provisioning.service import Provisioning
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.secretbox import SecretBox
from foundation.kernel.time import Clock
from foundation.operations.service import Operations


@dataclass(frozen=True, slots=True)
class Needs:
    """What the registry works with.

    Attributes:
        repositories: reads sources.
        forces: which properties of a type of resource cannot change in place.
    """

    store: RegistryStore
    db: UnitOfWork
    clock: Clock
    audit: Audit
    operations: Operations
    provisioning: Provisioning
    secrets: SecretBox
    repositories: Repositories
    forces: Forces


class Core:
    """The base of the registry's parts."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs
        self._store = needs.store
        self._db = needs.db
        self._clock = needs.clock
        self._provisioning = needs.provisioning

    def _note(
        self, actor: Actor, action: str, subject: str, path: str, details: Mapping[str, Any]
    ) -> None:
        self._needs.audit.record(actor, action, subject=subject, path=path, details=details)
