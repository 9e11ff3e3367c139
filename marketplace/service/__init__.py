"""The use cases of the marketplace."""

from control_plane.billing.model import Origin
from marketplace.provenance import OrderProvenance
from marketplace.service.approving import Review
from marketplace.service.core import Needs
from marketplace.service.declaring import Declaring
from marketplace.service.fulfilment import DeploymentFailed
from marketplace.service.procurement import ContractView

__all__ = ["ContractView", "DeploymentFailed", "Marketplace", "Needs", "Review"]


class Marketplace(Declaring):
    """Catalogue, contracts, orders, approvals and services, as surfaces and workers use them."""

    def origin(self, resource_id: str) -> Origin:
        """Why a resource exists; for billing, which has authorised."""
        return OrderProvenance(self._store, self._provisioning, self._db).origin(resource_id)
