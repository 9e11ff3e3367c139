"""Catalogues of others, read: their data sets, in whatever catalogue inside of theirs they stand.

Each data set is held to the published schema by itself: one that does not fit is left out and
named, and the others are shown. An offer in a catalogue has no ``target`` (Catalog Protocol, "ACK -
Dataset"); one that names its own data set is taken, one that names another is not.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from foundation.kernel import canonical
from foundation.kernel.text import Text
from workloads.data_exchange.dataspace import documents
from workloads.data_exchange.dataspace.documents import CONTEXT, Unreadable
from workloads.data_exchange.dataspace.elsewhere.model import Listed, TheirOffer
from workloads.data_exchange.dataspace.model import LONGEST_ID
from workloads.data_exchange.harvesting import plain

#: What is shown of a text.
_TITLE, _TEXT, _KEYWORDS = 300, 4000, 50
_TITLES = ("title", "dcterms:title", "rdfs:label", "name")
_TEXTS = ("description", "dcterms:description", "rdfs:comment")
Json = dict[str, Any]


@dataclass(slots=True)
class Reader:
    """Gathers the data sets of the pages of one catalogue.

    Attributes:
        participant: who was asked.
        asked_at: when.
        most: how many data sets and catalogues inside are looked at.
        looked: at how many.
        cut: whether there were more.
        found: the data sets, by ``@id``.
        calls_itself: the ``participantId`` of the first page.
        left_out: how many did not fit.
        remarks: what is to be known.
    """

    participant: str
    asked_at: datetime
    most: int
    looked: int = 0
    cut: bool = False
    found: dict[str, Listed] = field(default_factory=dict)
    calls_itself: str = ""
    left_out: int = 0
    remarks: list[str] = field(default_factory=list)

    def page(self, catalog: Json) -> None:
        """Take a page in.

        Raises:
            Unreadable: it is no catalogue of the protocol.
        """
        shell = _shell(catalog)
        problem = documents.first_problem(shell, "Catalog")
        if problem:
            raise Unreadable(problem)
        self.calls_itself = self.calls_itself or plain.line(shell["participantId"], LONGEST_ID)
        self._catalog(catalog, (), "", {})

    def _catalog(
        self, catalog: Json, within: tuple[str, ...], owner: str, services: Mapping[str, str]
    ) -> None:
        services = {**services, **_services(catalog)}
        for one in _many(catalog.get("dataset")):
            if self._full():
                return
            self._dataset(one, within, owner, services)
        for inner in _many(catalog.get("catalog")):
            if self._full():
                return
            shell = {"participantId": "", **_shell(inner)} if isinstance(inner, dict) else {}
            problem = documents.first_problem(shell, "Catalog")
            if problem:
                self._left_out(f"a catalogue in it was left out: {problem}")
                continue
            whose = plain.line(shell["participantId"], LONGEST_ID) or owner
            name = plain.title(_spoken(inner, _TITLES), plain.line(inner["@id"], _TITLE)).en
            if not _many(inner.get("dataset")) and not _many(inner.get("catalog")):
                where = ", ".join(sorted(set(_services(inner).values())))
                self._remark(f"the catalogue {name} in it lies elsewhere: {where or '—'}")
            own = whose if whose != self.calls_itself else ""
            self._catalog(inner, (*within, name), own, services)

    def _full(self) -> bool:
        """Whether one more is not looked at."""
        self.cut = self.looked >= self.most
        self.looked += 1
        return self.cut

    def _dataset(
        self, one: object, within: tuple[str, ...], owner: str, services: Mapping[str, str]
    ) -> None:
        try:
            made = dataset(one, self.participant, self.asked_at, within, owner, services)
        except Unreadable as error:
            name = one.get("@id") if isinstance(one, dict) else ""
            self._left_out(f"the data set {plain.line(name, 100) or '—'} was left out: {error}")
            return
        if self.found.setdefault(made.name, made) is not made:
            self._remark(f"it names the data set {plain.line(made.name, 100)} twice")

    def _left_out(self, why: str) -> None:
        self.left_out += 1
        self._remark(why)

    def _remark(self, why: str) -> None:
        if len(self.remarks) < _KEYWORDS:
            self.remarks.append(why)


def dataset(
    one: object, participant: str, asked_at: datetime, within: tuple[str, ...] = (),
    owner: str = "", services: Mapping[str, str] | None = None,
) -> Listed:  # fmt: skip
    """A data set of the plain form.

    Args:
        one: what was sent.
        participant, asked_at, within, owner: as in ``Listed``.
        services: endpoints by the ``@id`` of services that its catalogues have.

    Raises:
        Unreadable: it does not fit the published schema, or cannot be kept.
    """
    if not isinstance(one, dict):
        raise Unreadable("it is no JSON object")
    one = _referring({**one, "@context": [CONTEXT]})
    name = str(one.get("@id"))
    _without_targets(one, name)
    problem = documents.first_problem(one, "Dataset")
    if problem:
        raise Unreadable(problem)
    try:
        text = canonical.dumps(one)
    except (ValueError, RecursionError):
        text = "\\u0000"
    if "\\u0000" in text:
        raise Unreadable("it holds a character or a number that cannot be kept")
    offers = [TheirOffer(o["@id"], o) for o in one["hasPolicy"]]
    for way in one["distribution"]:
        offers += [TheirOffer(o["@id"], o, way["format"]) for o in way.get("hasPolicy", ())]
    if not all(0 < len(id_) <= LONGEST_ID for id_ in (name, *(o.id for o in offers))):
        raise Unreadable(f"an identifier in it is empty or longer than {LONGEST_ID} characters")
    found = [_endpoint(way, services or {}) for way in one["distribution"]]
    return Listed(
        participant, name, plain.title(_spoken(one, _TITLES), plain.line(name, _TITLE)),
        plain.both(_spoken(one, _TEXTS), _TEXT),
        plain.keywords(_words(one.get("keyword", one.get("dcat:keyword")))), within, owner,
        tuple(dict.fromkeys(plain.line(way["format"], 100) for way in one["distribution"])),
        next((url for url in found if url), ""), "", tuple(offers), asked_at,
    )  # fmt: skip


def _shell(catalog: Json) -> Json:
    """A catalogue without what stands in it."""
    inner = {"dataset", "catalog"}
    return {"@context": [CONTEXT], **{k: v for k, v in catalog.items() if k not in inner}}


def _many(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _services(catalog: Json) -> dict[str, str]:
    return {one["@id"]: one["endpointURL"] for one in _many(catalog.get("service"))}


def _referring(one: Json) -> Json:
    """The same, where a service that is only named is named in the way of the schema."""
    ways = _many(one.get("distribution"))
    for way in ways:
        service = way.get("accessService") if isinstance(way, dict) else None
        if isinstance(service, dict) and set(service) == {"@id"}:
            way["accessService"] = service["@id"]
    return one


def _without_targets(one: Json, name: str) -> None:
    ways = [way for way in _many(one.get("distribution")) if isinstance(way, dict)]
    for holder in (one, *ways):
        for offer in _many(holder.get("hasPolicy")):
            if isinstance(offer, dict) and offer.get("target") == name:
                del offer["target"]


def _endpoint(way: Json, services: Mapping[str, str]) -> str:
    service = way["accessService"]
    url = services.get(service, "") if isinstance(service, str) else service["endpointURL"]
    return url if len(url) <= LONGEST_ID and url.isprintable() else ""


def _spoken(one: Json, names: tuple[str, ...]) -> list[tuple[str, str]]:
    """The first of these properties that is there, in its languages."""
    value: object = next((one[name] for name in names if one.get(name)), [])
    return list(_texts(value))


def _texts(value: object) -> Iterator[tuple[str, str]]:
    for said in value if isinstance(value, list) else [value]:
        if isinstance(said, str):
            yield "", said
        elif isinstance(said, dict) and isinstance(said.get("@value"), str):
            yield str(said.get("@language", "")), said["@value"]


def _words(value: object) -> list[str]:
    return [text for _, text in _texts(value)]


def as_json(listed: Listed) -> Json:
    """As it is kept; ``of_json`` reads it."""
    return {
        "title": listed.title.as_json(), "description": listed.description.as_json(),
        "keywords": list(listed.keywords), "within": list(listed.within), "owner": listed.owner,
        "formats": list(listed.formats), "endpoint": listed.endpoint, "address": listed.address,
        "offers": [
            {"id": o.id, "policy": dict(o.policy), "format": o.format} for o in listed.offers
        ],
    }  # fmt: skip


def of_json(participant: str, name: str, asked_at: datetime, kept: Json) -> Listed:
    """As it was kept."""
    return Listed(
        participant, name, Text(**kept["title"]), Text(**kept["description"]),
        tuple(kept["keywords"]), tuple(kept["within"]), kept["owner"], tuple(kept["formats"]),
        kept["endpoint"], kept["address"],
        tuple(TheirOffer(o["id"], o["policy"], o["format"]) for o in kept["offers"]), asked_at,
    )  # fmt: skip
