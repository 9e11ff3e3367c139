"""The marketplace in PostgreSQL."""

from foundation.kernel.database import Database
from marketplace.store.catalogue import CatalogueRows
from marketplace.store.fees import FeeRows
from marketplace.store.instances import InstanceRows
from marketplace.store.orders import OrderRows
from marketplace.store.procurement import ProcurementRows


class PostgresMarketplace(CatalogueRows, ProcurementRows, OrderRows, InstanceRows, FeeRows):
    """The marketplace's store on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._db = database
