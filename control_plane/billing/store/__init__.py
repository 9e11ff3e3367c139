"""Billing in PostgreSQL: rating and statements are statements over sets, never loops over rows."""

from control_plane.billing.store.prices import Prices
from control_plane.billing.store.rating import Rating
from control_plane.billing.store.statements import Statements


class PostgresBilling(Prices, Rating, Statements):
    """The billing store on PostgreSQL."""


__all__ = ["PostgresBilling"]
