"""Use cases of the services that a department has."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from control_plane.billing.model import HourlyQuantity
from control_plane.provisioning.model import Deployment, DeploymentState, Resource
from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Invalid
from foundation.kernel.money import Money
from foundation.kernel.paging import MAX_LIMIT, Page, PageRequest
from marketplace.model import Instance, TakenIn
from marketplace.service.fulfilment import Fulfilment


class Instances(Fulfilment):
    """Services that orders made."""

    def instances(
        self, actor: Actor, request: PageRequest, filters: Mapping[str, str] | None = None
    ) -> Page[Instance]:
        """The services that the actor may see, newest first.

        Args:
            actor: who asks.
            request: which part.
            filters: any of ``state``, ``offering``, ``tenancy_id``, ``system_id``, ``region_id``.
        """
        paths = policy.visible_paths(actor, "instance.view")
        with self._db.transaction():
            return self._store.instances(paths, filters or {}, request)

    def taken_in(self, actor: Actor, tenancy: str | None = None) -> list[TakenIn]:
        """What the actor's departments have without an order, newest first; the newest hundred.

        It was made by hand and imported: its use is metered and charged like any other's.

        Args:
            actor: who asks.
            tenancy: only in this one (id).
        """
        filters = {"imported": "true", **({"tenancy_id": tenancy} if tenancy else {})}
        found = self._provisioning.deployments(actor, PageRequest(limit=MAX_LIMIT), filters)
        begun = [each for each in found.items if each.state is not DeploymentState.PENDING]
        return [TakenIn(each, self._month_of(actor, each)) for each in begun]

    def _month_of(self, actor: Actor, there: Deployment) -> Money | None:
        hourly = [
            HourlyQuantity(each.meter, each.dimensions, each.per_hour, resource.name)
            for resource in self._provisioning.resources(actor, there.id)
            for each in resource.hourly
        ]
        try:
            return self._billing.estimate(there.path, hourly).month
        except Invalid:
            return None

    def instance(self, actor: Actor, instance_id: str) -> Instance:
        """One service.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            return self._visible_instance(actor, instance_id)

    def instance_deployment(
        self, actor: Actor, instance_id: str
    ) -> tuple[Deployment, tuple[Resource, ...]]:
        """How a service is realised: its deployment and the resources in its region.

        Raises:
            NotFound: there is no such service, or none that the actor may know of.
        """
        with self._db.transaction():
            found = self._visible_instance(actor, instance_id)
            deployment = self._provisioning.deployment_in_transaction(found.deployment_id)
            resources = self._provisioning.resources(actor, found.deployment_id)
            return deployment, tuple(resources)

    def adopted(
        self, instance_id: str, inputs: Mapping[str, Any], change: Mapping[str, Decimal]
    ) -> None:
        """What a region has of a service was adopted; in the caller's transaction.

        What it costs as last approved stays until the next order; usage is charged as it is.

        Args:
            instance_id: the service.
            inputs: what it has now.
            change: of the quota that it holds; it is consumed already.
        """
        found = self._instance(instance_id, lock=True)
        held = {
            name: amount
            for name in sorted({*found.held, *change})
            if (amount := found.held.get(name, Decimal(0)) + change.get(name, Decimal(0)))
        }
        self._store.save_instance(replace(found, inputs=dict(inputs), held=held))
