"""Keeps the inventory in step with an operation on one deployment."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from control_plane.provisioning.graph import (
    STACK_TYPE,
    Op,
    Preview,
    ResourceOutcome,
    ResourceState,
)
from control_plane.provisioning.model import (
    Deployment,
    InventoryState,
    MeterQuantity,
    PastUsage,
    Resource,
    ResourceId,
)
from control_plane.provisioning.ports import DeploymentStore
from foundation.kernel import ids

Hourly = Mapping[str, Iterable[MeterQuantity]]

_STATES = {
    ResourceState.CREATED: InventoryState.CREATED,
    ResourceState.UPDATED: InventoryState.CREATED,
    ResourceState.REPLACED: InventoryState.CREATED,
    ResourceState.SAME: InventoryState.CREATED,
    ResourceState.DELETED: InventoryState.DELETED,
    ResourceState.FAILED: InventoryState.FAILED,
    ResourceState.UNKNOWN: InventoryState.UNKNOWN,
}


class Inventory:
    """The resources of one deployment while an operation works on it."""

    def __init__(
        self, store: DeploymentStore, deployment: Deployment, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._deployment = deployment
        self._now = now

    def announce(self, preview: Preview, hourly: Hourly) -> None:
        """Write down what is about to be made, before it is: nothing exists without a row."""
        there = {r.urn for r in self._store.resources(self._deployment.id)}
        for change in preview.effective:
            if change.op is Op.CREATE and change.urn not in there and _counts(change.type):
                self._store.put_resource(self._new(change.urn, change.type, change.name, hourly))

    def settle(
        self, outcomes: Iterable[ResourceOutcome], hourly: Hourly, *, emptied: bool = False
    ) -> None:
        """Write down how an operation left each resource.

        Args:
            outcomes: every resource of the stack.
            hourly: what each uses from now on.
            emptied: the stack is gone: whatever is not named is deleted.
        """
        there = {r.urn: r for r in self._store.resources(self._deployment.id)}
        for outcome in outcomes:
            if _counts(outcome.type):
                self._settle_one(there.pop(outcome.urn, None), outcome, hourly)
        for left in there.values():
            if left.state is InventoryState.PLANNED and not emptied:
                self._store.forget_resource(left.id)  # it was never begun
            elif emptied:
                self._store.put_resource(self._deleted(left))

    def lose(self, urns: Collection[str]) -> None:
        """Write down that resources are gone, though nobody here removed them."""
        for resource in self._store.resources(self._deployment.id):
            if resource.urn in urns:
                self._store.put_resource(self._deleted(resource))

    def _settle_one(self, known: Resource | None, outcome: ResourceOutcome, hourly: Hourly) -> None:
        state = _STATES[outcome.state]
        if state is InventoryState.DELETED:
            if known is not None:
                self._store.put_resource(self._deleted(known))
            return
        if known is not None and _is_another(known, outcome):
            # The old one keeps its id and its usage; the new one begins its own.
            self._store.put_resource(self._deleted(known))
            known = None
        row = known or self._new(outcome.urn, outcome.type, outcome.name, hourly)
        usage = tuple(hourly.get(outcome.urn, row.hourly))
        history = row.history
        if row.state is InventoryState.CREATED and usage != row.hourly:
            history = (*history, PastUsage(self._now(), row.hourly))
        self._store.put_resource(
            replace(
                row,
                type=outcome.type,
                physical_id=outcome.physical_id or row.physical_id,
                state=state,
                error=outcome.error,
                hourly=usage,
                history=history,
            )
        )

    def _deleted(self, resource: Resource) -> Resource:
        return replace(resource, state=InventoryState.DELETED, error="", deleted_at=self._now())

    def _new(self, urn: str, type_: str, name: str, hourly: Hourly) -> Resource:
        there = self._deployment
        return Resource(
            ResourceId(ids.new("res")), there.id, there.region_id, there.tenancy_id, there.path,
            urn, type_, name, "", InventoryState.PLANNED, "", tuple(hourly.get(urn, ())),
            self._now(),
        )  # fmt: skip


def _counts(type_: str) -> bool:
    """Whether a type stands for a thing in a region, not for a connection or the stack."""
    return type_ != STACK_TYPE and not type_.startswith("pulumi:providers:")


def _is_another(known: Resource, outcome: ResourceOutcome) -> bool:
    return bool(
        known.physical_id and outcome.physical_id and known.physical_id != outcome.physical_id
    )
