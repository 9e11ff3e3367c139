"""Pages of the marketplace: catalogue, orders, approvals and services."""

import marketplace.pages.approvals
import marketplace.pages.catalogue
import marketplace.pages.ordering
import marketplace.pages.services  # noqa: F401 - importing them adds their views
from marketplace.pages.base import pages

__all__ = ["pages"]
