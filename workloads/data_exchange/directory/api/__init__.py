"""The directory over HTTP."""

from workloads.data_exchange.directory.api.catalog import api as catalog
from workloads.data_exchange.directory.api.entries import api as entries
from workloads.data_exchange.directory.api.search import api as search

apis = (entries, search, catalog)
