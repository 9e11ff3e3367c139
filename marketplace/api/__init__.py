"""The marketplace over HTTP."""

from marketplace.api.approvals import api as approvals
from marketplace.api.catalogue import api as catalogue
from marketplace.api.declarations import api as declarations
from marketplace.api.orders import api as orders
from marketplace.api.procurement import api as procurement
from marketplace.api.services import api as services

apis = (catalogue, procurement, orders, declarations, approvals, services)
