"""The catalogue of agreements, out of the directory."""

from workloads.data_exchange.agreements.ports import Offered
from workloads.data_exchange.directory.offers import Offers


class Published:
    """Offers what the directory has published: a data set by a service of the same agency."""

    def __init__(self, offers: Offers) -> None:
        self._offers = offers

    def offered(self, dataset: str, service: str) -> Offered | None:
        """A published data set by a service of it; None when it is not offered so."""
        of, by = self._offers.find(dataset), self._offers.find(service)
        if of is None or by is None or by.interface is None or of.interface is not None:
            return None
        fits = of.available and by.available and of.path == by.path and of.id in by.serves
        if not fits or not of.elements:
            return None
        answers = by.interface.answers
        return Offered(
            of.id, by.id, of.title, of.path, of.elements, by.interface.records, answers or None
        )
