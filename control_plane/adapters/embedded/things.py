"""What is in the simulated region: objects, what happened to them, and what shall go wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from control_plane.provisioning.graph import ResourceNode


class RefusedError(Exception):
    """The region refuses an object; the message is what a real cloud would say."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One object of the region; see the table for what the columns mean."""

    deployment: str
    urn: str
    region: str
    type: str
    name: str
    generation: int = 0
    position: int = 0
    physical_id: str = ""
    state: str = "creating"
    custom: bool = True
    protected: bool = False
    place: str = ""
    pool: str = ""
    address: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    computed: Mapping[str, Any] = field(default_factory=dict)
    takes: Mapping[str, str] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    drift: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> dict[str, Any]:
        """Its primary key."""
        return {"deployment": self.deployment, "urn": self.urn, "generation": self.generation}

    def node(self) -> ResourceNode:
        """Return it as a graph's node."""
        return ResourceNode(self.urn, self.name, self.type, self.inputs, self.depends_on)


@dataclass(frozen=True, slots=True)
class Action:
    """Something that happened to an object, for metering.

    Attributes:
        action: ``create``, ``start``, ``stop``, ``resize``, ``change`` or ``delete``.
        inputs: What holds from then on, secrets masked.
    """

    id: int
    region: str
    deployment: str
    urn: str
    type: str
    name: str
    physical_id: str
    action: str
    inputs: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class Fault:
    """What shall go wrong.

    Attributes:
        type, name: Patterns as of a shell (``*instance*``), over type token and logical name.
        op: ``create``, ``update``, ``delete`` or ``any``.
        kind: ``fail`` (refused with the message), ``hang`` (ordered, and no answer comes for so
            many seconds, or until the operation is cancelled) or ``slow`` (takes so long).
        remaining: How often; None is always.
    """

    type: str = "*"
    name: str = "*"
    op: str = "any"
    kind: str = "fail"
    message: str = "the simulated region was told to refuse this"
    seconds: float = 3600.0
    remaining: int | None = None
