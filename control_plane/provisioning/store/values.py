"""How values are kept in JSON columns."""

from collections.abc import Mapping
from decimal import Decimal


def amounts(values: Mapping[str, str]) -> dict[str, Decimal]:
    """Quantities by name, kept as text so that none loses a digit."""
    return {name: Decimal(value) for name, value in values.items()}
