"""The catalogue as the protocol gives it: data sets with offers, a page at a time."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workloads.data_exchange.agreements.ports import Catalogue, Offered, Work
from workloads.data_exchange.dataspace import documents
from workloads.data_exchange.dataspace.flow import offered_policy
from workloads.data_exchange.dataspace.model import PATH, PULL, Offer
from workloads.data_exchange.dataspace.ports import DataspaceStore

PAGE = 100


@dataclass(frozen=True, slots=True)
class Shown:
    """A part of the catalogue.

    Attributes:
        body: the catalogue with its data sets.
        next, previous: tokens of the parts beside it; empty at the ends.
    """

    body: Mapping[str, Any]
    next: str
    previous: str


class Offering:
    """Shows what is offered to the dataspace: what is published here, with an offer that counts.

    Args:
        store: of offers.
        catalogue: what is published.
        db: the unit of work.
        own: our identifier in the dataspace.
        base: the address of our protocol endpoints.
    """

    def __init__(
        self, store: DataspaceStore, catalogue: Catalogue, db: Work, own: str, base: str
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._db = db
        self._own = own
        self._base = base

    def catalog(self, token: str = "") -> Shown | None:
        """A part of the catalogue; None when the token is none."""
        at = _read(token)
        if at is None:
            return None
        with self._db.transaction():
            backwards, name = at
            if backwards:
                found = list(reversed(self._store.before(name, PAGE)))
            else:
                found = list(self._store.targets(name, PAGE))
            datasets = [made for one in found if (made := self._dataset(one)) is not None]
            first, last = (found[0], found[-1]) if found else (name, name)
            more = self._store.targets(last, 1)
            less = self._store.before(first, 1) if first else ()
        service = self._service()
        body = documents.message(
            "Catalog", **{"@id": f"{self._base}/catalog"}, participantId=self._own,
            service=[service], dataset=datasets or None,
        )  # fmt: skip
        return Shown(
            body, _token("n", last) if more else "", _token("p", first) if less and found else ""
        )

    def dataset(self, target: str) -> dict[str, Any] | None:
        """One data set; None when it is not offered."""
        with self._db.transaction():
            found = self._dataset(target)
        return None if found is None else {"@context": [documents.CONTEXT], **found}

    def _dataset(self, target: str) -> dict[str, Any] | None:
        shown = [
            (offer, offered)
            for offer in self._store.offers_of(target)
            if (offered := self._catalogue.offered(offer.dataset, offer.service)) is not None
        ]
        return _made(shown, self._service()) if shown else None

    def _service(self) -> dict[str, Any]:
        return {
            "@id": f"{self._own}:connector", "@type": "DataService", "endpointURL": self._base,
        }  # fmt: skip


def versions() -> dict[str, Any]:
    """What ``/.well-known/dspace-version`` says."""
    return {
        "protocolVersions": [
            {
                "version": PATH.rpartition("/")[2], "path": PATH, "binding": "HTTPS",
                "identifierType": "URI",
                "auth": {"protocol": "urn:borough:exchange:dsp-token", "version": "1"},
            }
        ]
    }  # fmt: skip


def _made(shown: list[tuple[Offer, Offered]], service: Mapping[str, Any]) -> dict[str, Any]:
    offer, offered = shown[0]
    return {
        "@id": offer.target,
        "@type": "Dataset",
        "dct:title": [
            {"@value": offered.title.en, "@language": "en"},
            {"@value": offered.title.zh, "@language": "zh"},
        ],
        "hasPolicy": [offered_policy(one) for one, _ in shown],
        "distribution": [
            {
                "@type": "Distribution", "@id": f"{offer.target}#{PULL}", "format": PULL,
                "accessService": dict(service),
            }
        ],
    }  # fmt: skip


def _token(way: str, name: str) -> str:
    return base64.urlsafe_b64encode(f"{way}{name}".encode()).decode()


def _read(token: str) -> tuple[bool, str] | None:
    """Which way, and from where; None when it is no token."""
    if not token:
        return False, ""
    try:
        text = base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        return None
    return (text[0] == "p", text[1:]) if text[:1] in {"n", "p"} and "\0" not in text else None
