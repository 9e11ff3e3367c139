"""What the directory offers, as agreements and the gateway ask for it; part of the wiring."""

from workloads.data_exchange.agreements import ports as agreements
from workloads.data_exchange.directory.offers import Offers


class Offering:
    """The catalogue of agreements, on the directory.

    Args:
        offers: of the directory.
    """

    def __init__(self, offers: Offers) -> None:
        self._offers = offers

    def offered(self, dataset: str, service: str) -> agreements.Offered | None:
        """A published data set by a service of it; None when it is not offered so."""
        data, way = self._offers.find(dataset), self._offers.find(service)
        if data is None or way is None or way.interface is None:
            return None
        if not data.available or not way.available or dataset not in way.serves:
            return None
        # Of two agencies, the one that holds the data answers for them.
        return agreements.Offered(
            dataset, service, data.title, data.path, data.elements, way.interface.records,
            way.interface.answers or None,
        )  # fmt: skip
