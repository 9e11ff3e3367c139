"""Stands for agreements and the directory where they are not wired: nothing is agreed on."""

from dataclasses import dataclass

from workloads.data_exchange.agreements.terms import Terms
from workloads.data_exchange.gateway.model import Provider


@dataclass(frozen=True, slots=True)
class Nothing:
    """No terms at all."""

    position: int = 0
    terms: tuple[Terms, ...] = ()


class Unwired:
    """No agreements and no services: every call is refused."""

    def in_force(self) -> Nothing:
        """None."""
        return Nothing()

    def changes(self, since: int) -> Nothing:
        """None."""
        return Nothing(since)

    def provider(self, service: str) -> Provider | None:
        """None."""
        del service
        return None
