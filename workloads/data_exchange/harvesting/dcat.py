"""Catalogues of DCAT (2 and 3, DCAT-AP), read as entries."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from urllib.parse import urljoin, urlsplit

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import DCAT, DCTERMS, FOAF, RDF, RDFS, SKOS
from rdflib.term import Node

from foundation.kernel.text import Text
from workloads.data_exchange.directory.checks import ADDRESS_MAX, DISTRIBUTIONS_MAX
from workloads.data_exchange.directory.interface import Interface, Protocol
from workloads.data_exchange.directory.model import Body, Contact, Distribution, Kind
from workloads.data_exchange.directory.rdf.names import HYDRA, IANA, IN_SERIES, SERIES, VCARD
from workloads.data_exchange.harvesting import plain
from workloads.data_exchange.harvesting.model import Found, Page, entry_id

_HYDRA_NEXT = (HYDRA.next, HYDRA.nextPage)
_SCHEMES = {"rtsp": Protocol.RTSP}
_ENTRIES_MAX = 50_000
_MAIL_MAX, _DIGITS = 200, 18


def page_of(graph: Graph, catalog: str, url: str, links: Mapping[str, str]) -> Page:
    """The entries of a document, and where the next one is.

    Args:
        graph: the document.
        catalog: id that the catalogue has here.
        url: of the document.
        links: of the header Link.
    """
    reader = _Reader(graph, catalog)
    found, refused = [], 0
    for node, kind in reader.entries():
        one = reader.entry(node, kind)
        if one is None:
            refused += 1
        else:
            found.append(one)
    told = [str(o) for name in _HYDRA_NEXT for o in graph.objects(None, name)]
    following = next(iter(sorted(told)), "") or links.get("next", "")
    root = next(iter(sorted(graph.subjects(RDF.type, DCAT.Catalog), key=str)), None)
    title = reader.title(root, "").en if root is not None else ""
    home = plain.address(graph.value(root, FOAF.homepage)) if root is not None else ""
    # A next page that is this one would be read for ever.
    after = urljoin(url, following) if following else ""
    return Page(tuple(found), "" if after == url else after[:ADDRESS_MAX], refused, title, home)


class _Reader:
    def __init__(self, graph: Graph, catalog: str) -> None:
        self._graph = graph
        self._catalog = catalog

    def entries(self) -> Iterator[tuple[Node, Kind]]:
        """What is described, once each; a series counts as one though it is a data set too."""
        seen: set[Node] = set()
        kinds = (
            (SERIES, Kind.SERIES),
            (DCAT.Dataset, Kind.DATASET),
            (DCAT.DataService, Kind.SERVICE),
        )
        for class_, kind in kinds:
            for node in sorted(self._graph.subjects(RDF.type, class_), key=str):
                # What is only named, to say of what class it is, is described elsewhere.
                if node not in seen and self._graph.value(node, DCTERMS.title) is not None:
                    seen.add(node)
                    if len(seen) <= _ENTRIES_MAX:
                        yield node, kind

    def entry(self, node: Node, kind: Kind) -> Found | None:
        """An entry; None when it has no name by which it would be known again."""
        uri = str(node)
        if not isinstance(node, URIRef) or len(uri) > ADDRESS_MAX or not uri.isprintable():
            return None
        graph = self._graph
        body = Body(
            self.title(node, uri[:200]),
            plain.both(self._texts(node, DCTERMS.description), 10_000, "—"),
            plain.keywords(graph.objects(node, DCAT.keyword)),
            plain.themes(str(one) for one in graph.objects(node, DCAT.theme)),
            plain.frequency(graph.value(node, DCTERMS.accrualPeriodicity)),
            plain.access(graph.value(node, DCTERMS.accessRights)),
            plain.licence(graph.value(node, DCTERMS.license)),
            plain.line(self._identifier(node)),
            plain.address(graph.value(node, DCAT.landingPage)) or plain.address(uri),
            self._contact(node),
            self._place(node),
            *self._period(node),
            conforms_to=tuple(
                filter(None, map(plain.address, graph.objects(node, DCTERMS.conformsTo)))
            )[:20],
        )
        return Found(
            uri,
            kind,
            self._rest(node, kind, body),
            plain.line(self._name(graph.value(node, DCTERMS.publisher))),
            plain.line(graph.value(node, DCTERMS.issued), 40),
            plain.line(graph.value(node, DCTERMS.modified), 40),
        )

    def title(self, node: Node, otherwise: str) -> Text:
        """The title in both languages."""
        return plain.title(self._texts(node, DCTERMS.title), otherwise)

    def _rest(self, node: Node, kind: Kind, body: Body) -> Body:
        if kind is Kind.SERVICE:
            serves = sorted(map(str, self._graph.objects(node, DCAT.servesDataset)))[:500]
            return replace(
                body,
                serves=tuple(entry_id(self._catalog, Kind.DATASET, one) for one in serves),
                interface=self._interface(node),
            )
        if kind is Kind.SERIES:
            return body
        series = self._graph.value(node, IN_SERIES)
        of = entry_id(self._catalog, Kind.SERIES, str(series)) if series is not None else ""
        forms = sorted(self._graph.objects(node, DCAT.distribution), key=str)[:DISTRIBUTIONS_MAX]
        return replace(
            body,
            series=of,
            distributions=tuple(self._distribution(one, n) for n, one in enumerate(forms, 1)),
        )

    def _distribution(self, node: Node, number: int) -> Distribution:
        graph = self._graph
        media = str(graph.value(node, DCAT.mediaType) or "").removeprefix(IANA)
        media = plain.line(media.removeprefix("http://www.iana.org/assignments/media-types/"))
        download = plain.address(graph.value(node, DCAT.downloadURL))
        form = graph.value(node, DCTERMS["format"])
        service = graph.value(node, DCAT.accessService)
        name = plain.format_of(self._label(form), media) if form or media else "OCTET"
        return Distribution(
            f"d{number}",
            self.title(node, name),
            name,
            plain.address(graph.value(node, DCAT.accessURL)) or download,
            download,
            media if "/" in media else "",
            plain.licence(graph.value(node, DCTERMS.license)),
            _size(graph.value(node, DCAT.byteSize)),
            "",
            entry_id(self._catalog, Kind.SERVICE, str(service)) if service is not None else "",
        )

    def _interface(self, node: Node) -> Interface | None:
        for one in sorted(map(str, self._graph.objects(node, DCAT.endpointURL))):
            protocol = _SCHEMES.get(urlsplit(one).scheme.lower() if one.isprintable() else "")
            if protocol is not None and plain.address("http" + one[4:]):
                return Interface(one, protocol)
            if plain.address(one):
                told = plain.address(self._graph.value(node, DCAT.endpointDescription))
                return Interface(one, description=told)
        return None

    def _contact(self, node: Node) -> Contact:
        about = self._graph.value(node, DCAT.contactPoint)
        if about is None:
            return Contact()
        mail = str(self._graph.value(about, VCARD.hasEmail) or "").removeprefix("mailto:")
        return Contact(
            plain.line(self._graph.value(about, VCARD.fn)),
            mail if "@" in mail and len(mail) < _MAIL_MAX and mail.isprintable() else "",
            plain.address(self._graph.value(about, VCARD.hasURL)),
        )

    def _place(self, node: Node) -> str:
        found = self._graph.value(node, DCTERMS.spatial)
        if found is None:
            return ""
        label = self._label(found)
        named = isinstance(found, Literal) or label != str(found)
        return plain.address(found) or plain.line(label if named else "")

    def _period(self, node: Node) -> tuple[str, str]:
        about = self._graph.value(node, DCTERMS.temporal)
        if about is None:
            return "", ""
        begins, ends = (
            plain.day(self._graph.value(about, name)) for name in (DCAT.startDate, DCAT.endDate)
        )
        return begins, ends

    def _identifier(self, node: Node) -> str:
        return next(iter(sorted(map(str, self._graph.objects(node, DCTERMS.identifier)))), "")

    def _name(self, agent: Node | None) -> str:
        if agent is None:
            return ""
        texts = self._texts(agent, FOAF.name)
        text = plain.both(texts, 200, "" if isinstance(agent, URIRef) else str(agent))
        return text.zh

    def _label(self, node: Node | None) -> str:
        if node is None:
            return ""
        for name in (RDFS.label, SKOS.prefLabel):
            label = self._graph.value(node, name)
            if label is not None:
                return str(label)
        return str(node) if isinstance(node, URIRef | Literal) else ""

    def _texts(self, node: Node, name: URIRef) -> Iterable[tuple[str, str]]:
        found = self._graph.objects(node, name)
        return sorted((getattr(one, "language", None) or "", str(one)) for one in found)


def _size(value: Node | None) -> int | None:
    text = str(value or "").partition(".")[0]
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None
