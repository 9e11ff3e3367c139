"""Where a resource comes from: billing's port ``Provenance``, answered by orders."""

from typing import Any

from control_plane.billing.model import Origin
from control_plane.provisioning.model import Deployment, Resource
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import NotFound
from marketplace.model import Approval, Instance, Order
from marketplace.ports import MarketplaceStore, Provisioner


class OrderProvenance:
    """Walks from a resource to its deployment, service, order, contract and approvals.

    It needs no billing, so that billing can be built with it.
    """

    def __init__(self, store: MarketplaceStore, provisioning: Provisioner, db: UnitOfWork) -> None:
        self._store = store
        self._provisioning = provisioning
        self._db = db

    def origin(self, resource_id: str) -> Origin:
        """The resource's deployment, order, contract and approvals; unknown parts are empty.

        A service stands for itself: its fees are usage of it.
        """
        with self._db.transaction():
            service = self._store.instance(resource_id)
            if service is not None:
                return self._origin_of(service, _service(service))
            resource = self._provisioning.resolve_resources([resource_id]).get(resource_id)
            if resource is None:
                return Origin({"id": resource_id}, {}, {}, {}, ())
            try:
                deployment = self._provisioning.deployment_in_transaction(resource.deployment_id)
            except NotFound:
                return Origin(_resource(resource), {}, {}, {}, ())
            instance = self._store.instance_of(deployment.id)
            if instance is None:
                taken = len(self._provisioning.imported_in_transaction(deployment.id))
                known = {**_deployment(deployment), **({"imported": taken} if taken else {})}
                return Origin(_resource(resource), known, {}, {}, ())
            return self._origin_of(instance, _resource(resource))

    def _origin_of(self, instance: Instance, resource: dict[str, Any]) -> Origin:
        deployment = self._provisioning.deployment_in_transaction(instance.deployment_id)
        order = self._store.order(instance.latest_order_id)
        if order is None:
            return Origin(resource, _deployment(deployment), {}, {}, ())
        return Origin(
            resource,
            _deployment(deployment),
            _order(order, instance),
            self._contract(order),
            tuple(
                _approval(a)
                for a in self._store.approvals(order.id)
                if a.digest == order.digest and a.lapsed_at is None
            ),
        )

    def _contract(self, order: Order) -> dict[str, Any]:
        plan = self._store.order_plan(order.plan_id)
        contract = self._store.contract(order.contract_id)
        if plan is None or contract is None:
            return {}
        return {
            "id": contract.id,
            "number": contract.number,
            "version": plan.document["contract"]["version"],
            "framework": contract.framework,
            "path": contract.path,
            "name": contract.terms.name.as_json(),
        }


def _resource(resource: Resource) -> dict[str, Any]:
    return {
        "id": resource.id,
        "physical_id": resource.physical_id,
        "type": resource.type,
        "name": resource.name,
        "created_at": resource.created_at,
        "deleted_at": resource.deleted_at,
    }


def _service(instance: Instance) -> dict[str, Any]:
    return {
        "id": instance.id,
        "physical_id": "",
        "type": "service",
        "name": instance.name,
        "created_at": instance.active_at or instance.created_at,
        "deleted_at": instance.deleted_at,
    }


def _deployment(deployment: Deployment) -> dict[str, Any]:
    return {
        "id": deployment.id,
        "name": deployment.name,
        "blueprint": deployment.blueprint,
        "revision": deployment.revision,
        "region": deployment.region_id,
        "tenancy": deployment.tenancy_id,
    }


def _order(order: Order, instance: Instance) -> dict[str, Any]:
    return {
        "id": order.id,
        "kind": order.kind.value,
        "digest": order.digest,
        "requester": order.requester_name,
        "justification": order.wish.justification,
        "offering": instance.offering,
        "plan": instance.plan,
        "instance": instance.id,
        "instance_name": instance.name,
        "system": instance.system_id,
        "approved_at": order.approved_at,
        "active_at": order.active_at,
    }


def _approval(approval: Approval) -> dict[str, Any]:
    return {
        "id": approval.id,
        "step": approval.step,
        "approver": approval.approver_name,
        "decision": approval.decision.value,
        "digest": approval.digest,
        "at": approval.at,
    }
