"""Who asks: a principal with its grants on the tree of organisations.

A path is the chain of organisation slugs from the root, such as ``/city/health/clinics/``; it
always begins and ends with a slash, so that being below is a test of prefix.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

PrincipalId = NewType("PrincipalId", str)


class ActorKind(StrEnum):
    """What kind of principal acts."""

    PERSON = "person"
    SERVICE = "service"
    SYSTEM = "system"
    #: Something that the platform runs for somebody; its id is that of its deployment.
    WORKLOAD = "workload"


@dataclass(frozen=True, slots=True)
class Grant:
    """A role that holds for an organisation and all below it."""

    role: str
    path: str

    def covers(self, path: str) -> bool:
        """Whether the path is the grant's own or below it."""
        return path.startswith(self.path)


@dataclass(frozen=True, slots=True)
class Actor:
    """An authenticated principal.

    Attributes:
        scopes: the actions that its token is limited to; None means all that its roles allow.
    """

    id: PrincipalId
    name: str
    kind: ActorKind
    grants: tuple[Grant, ...] = ()
    scopes: frozenset[str] | None = None

    @staticmethod
    def system(name: str) -> "Actor":
        """The platform itself, for work that no person asked for at that moment."""
        return Actor(PrincipalId(f"system:{name}"), name, ActorKind.SYSTEM)
