"""The marketplace on the command line."""

from marketplace.commands.approvals import approval
from marketplace.commands.catalogue import catalog
from marketplace.commands.contracts import contract, service
from marketplace.commands.orders import order

__all__ = ["approval", "catalog", "contract", "order", "service"]
