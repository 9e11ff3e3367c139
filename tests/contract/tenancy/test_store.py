from decimal import Decimal

from control_plane.tenancy.model import Reservation, ReservationState, Tenancy
from control_plane.tenancy.store import PostgresTenancy
from foundation.kernel.database import Database


def test_a_key_is_written_once(database: Database, city: dict[str, Tenancy]) -> None:
    store = PostgresTenancy(database)
    made = Reservation(
        "a", city["records"].id, {"ram_gb": Decimal("0.5")}, ReservationState.RESERVED
    )
    with database.transaction():
        assert store.add_reservation(made)
        assert not store.add_reservation(made)
        assert store.reservation("a") == made
        assert store.reservation("b") is None
