"""The marketplace on the command line."""

from marketplace.commands.approvals import approval
from marketplace.commands.catalogue import catalog
from marketplace.commands.contracts import contract, service
from marketplace.commands.orders import order
from marketplace.commands.pipelines import deploy, plan

__all__ = ["approval", "catalog", "contract", "deploy", "order", "plan", "service"]
