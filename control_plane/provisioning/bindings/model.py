"""Bindings: values and their rules."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from control_plane.provisioning.graph import Json

ANNOTATION = "x-bindings"
LONGEST_OVERLAP_HOURS = 168

#: What a plan may touch without an approval: secrets, and the job that brings them about.
TOUCHED = frozenset({"kubernetes:core/v1:Secret", "kubernetes:batch/v1:Job"})


class BindingState(StrEnum):
    """Where a binding is.

    ``CHANGING`` is being worked on; ``FAILED`` is what the last work left, and can be tried again.
    """

    CHANGING = "changing"
    ACTIVE = "active"
    FAILED = "failed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Binding:
    """A department's own credentials on a service.

    Attributes:
        path: of the tenancy's organisation.
        name: of the user on the service.
        target: what it may use there, such as the name of a database.
        access: how, one of what the blueprint offers.
        wanted: numbers of the credentials that shall work; none when it is to go.
        valid: numbers of those that work, the oldest first.
        newest: the highest number that was ever given.
        revealed: the highest number that was shown to somebody.
        overlap_hours: for how long the old credential works on after the renewal under way.
        overlap_until: when the older of two credentials stops to work; None without overlap.
        operation: the one that works on it, or did last.
        error: why the last work did not succeed; empty otherwise.
    """

    id: str
    deployment_id: str
    tenancy_id: str
    path: str
    name: str
    target: str
    access: str
    state: BindingState
    wanted: tuple[int, ...]
    valid: tuple[int, ...]
    newest: int
    revealed: int
    overlap_hours: int
    overlap_until: datetime | None
    operation: str
    error: str
    created_by: str
    created_at: datetime
    changed_at: datetime
    deleted_at: datetime | None

    @property
    def current(self) -> int | None:
        """The number of the newest credential that works."""
        return max(self.valid, default=None)

    @property
    def revealable(self) -> bool:
        """Whether it has a credential that nobody was shown yet."""
        return self.current is not None and self.current > self.revealed

    def changing(self, wanted: Sequence[int], at: datetime, *, overlap_hours: int = 0) -> "Binding":
        """It while these credentials are being brought about."""
        return replace(
            self,
            state=BindingState.CHANGING,
            wanted=tuple(sorted(wanted)),
            newest=max(self.newest, *wanted) if wanted else self.newest,
            overlap_hours=overlap_hours,
            error="",
            changed_at=at,
        )


@dataclass(frozen=True, slots=True)
class Offer:
    """What a blueprint lets departments bind to.

    Attributes:
        input: the input that lists users.
        output: the secret output with their credentials.
        access: what one may be allowed to do.
        targets: the input that lists what there is to use.
    """

    input: str
    output: str
    access: tuple[str, ...]
    targets: str

    @staticmethod
    def of(inputs: Mapping[str, Any]) -> "Offer | None":
        """The offer of a blueprint by the schema of its inputs; None when it makes none."""
        for name, schema in inputs.get("properties", {}).items():
            said = schema.get(ANNOTATION)
            if said:
                return Offer(name, said["output"], tuple(said["access"]), said["databases"])
        return None


@dataclass(frozen=True, slots=True)
class Credential:
    """What somebody signs in to a service with; for the one answer that shows it.

    Attributes:
        facts: host, port, login, target and what else the service says of itself.
        password: in clear.
    """

    facts: Mapping[str, Json]
    password: str


def users(
    present: Iterable[Mapping[str, Any]], bindings: Iterable[Binding], changing: Binding
) -> list[dict[str, Json]]:
    """The list of users with one binding as it is wanted and the others as they are.

    Args:
        present: the list as it is; users that are no bindings stay as they are.
        bindings: all of the deployment that are not deleted.
        changing: the one that is worked on.
    """
    managed = {b.name: b for b in bindings}
    managed[changing.name] = changing
    found: list[dict[str, Json]] = [dict(u) for u in present if u["name"] not in managed]
    for each in managed.values():
        numbers = changing.wanted if each.id == changing.id else each.valid
        if numbers:
            found.append(
                {
                    "name": each.name,
                    "database": each.target,
                    "access": each.access,
                    "credentials": list(numbers),
                }
            )
    return sorted(found, key=lambda user: str(user["name"]))
