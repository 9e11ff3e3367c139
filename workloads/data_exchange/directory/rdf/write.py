"""Entries and catalogues written as DCAT-AP 3.0.

Source: https://semiceu.github.io/DCAT-AP/releases/3.0.0/ with its shapes; every node that the
profile gives a class has it, so that the output validates without the vocabularies at hand.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import DCAT, DCTERMS, FOAF, PROV, RDF, RDFS, SKOS, XSD
from rdflib.term import Node

from foundation.kernel.text import Text
from workloads.data_exchange.agencies.model import Agency
from workloads.data_exchange.directory.checks import is_address
from workloads.data_exchange.directory.model import (
    Body,
    Catalog,
    Contact,
    Distribution,
    Entry,
    Kind,
)
from workloads.data_exchange.directory.rdf.names import (
    DCATAP,
    ELI,
    IANA,
    IN_SERIES,
    SERIES,
    SPDX,
    VCARD,
    Names,
)
from workloads.data_exchange.directory.vocabulary import (
    ACCESS,
    AUTHORITY,
    CITY,
    FORMATS,
    FREQUENCIES,
    LANGUAGES,
    LICENCES,
    MEDIA_TYPES,
    THEMES,
    name_of,
)

_CLASSES = {Kind.DATASET: DCAT.Dataset, Kind.SERIES: SERIES, Kind.SERVICE: DCAT.DataService}
#: Characters that no XML may hold (XML 1.0, 2.2).
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_CHINESE = re.compile("[\u3400-\u9fff]")
#: File types that have no code in the European table.
_OWN_FORMATS = frozenset({"RTSP", "HLS", "MJPEG", "ONVIF"})


Named = TypeVar("Named", bound=Node)


class Writer:
    """Writes into a graph.

    Args:
        agencies: by path, those whose entries are written.
        there: ids of the entries that are written: only those are pointed to.
    """

    def __init__(
        self, graph: Graph, names: Names, agencies: Mapping[str, Agency], there: Collection[str]
    ) -> None:
        self._there = there
        self._graph = graph
        self._names = names
        self._agencies = agencies

    # --- catalogues

    def catalog(
        self,
        title: Text,
        description: Text,
        publisher: Text,
        mounted: Iterable[Catalog],
        entries: Iterable[Entry],
    ) -> URIRef:
        """The whole directory, listing some of its entries; those are written by ``entry``."""
        about = self._names.catalog()
        self._describe(about, DCAT.Catalog, title, description)
        self._put(
            about, DCTERMS.publisher, self._agent(self._names.part("", "publisher"), publisher)
        )
        self._put(about, FOAF.homepage, self._typed(URIRef(self._names.base + "/"), FOAF.Document))
        for code in LANGUAGES.values():
            self._put(about, DCTERMS.language, self._language(code))
        taxonomy = self._typed(URIRef(AUTHORITY + "data-theme"), SKOS.ConceptScheme)
        self._text(taxonomy, DCTERMS.title, Text("Data theme", "数据主题"))
        self._put(about, DCAT.themeTaxonomy, taxonomy)
        for one in mounted:
            self._put(about, DCAT.catalog, self.mounted(one))
        for entry in entries:
            self._listed(about, entry)
        return about

    def mounted(self, catalog: Catalog, entries: Iterable[Entry] = ()) -> URIRef:
        """A catalogue of another platform, listing some of its entries."""
        about = self._names.catalog(catalog.id)
        self._describe(about, DCAT.Catalog, catalog.title, catalog.description)
        name = Text(catalog.publisher, catalog.publisher) if catalog.publisher else catalog.title
        agent = self._agent(self._names.part(catalog.id, "publisher"), name)
        self._put(about, DCTERMS.publisher, agent)
        if is_address(catalog.homepage):
            page = self._typed(URIRef(catalog.homepage), FOAF.Document)
            self._put(about, FOAF.homepage, page)
        for entry in entries:
            self._listed(about, entry)
        return about

    def _listed(self, about: URIRef, entry: Entry) -> None:
        if entry.shown is None:
            return
        what = DCAT.service if entry.kind is Kind.SERVICE else DCAT.dataset
        self._put(about, what, self._names.entry(entry.id))
        self._put(about, DCAT.record, self._record(entry))

    def _record(self, entry: Entry) -> URIRef:
        record = self._typed(self._names.part(entry.id, "record"), DCAT.CatalogRecord)
        self._put(record, FOAF.primaryTopic, self._names.entry(entry.id))
        self._instant(record, DCTERMS.modified, entry.changed_at)
        self._instant(record, DCTERMS.issued, entry.issued_at)
        if entry.origin is not None and is_address(entry.origin.uri):
            source = self._typed(URIRef(entry.origin.uri), DCAT.CatalogRecord)
            self._put(source, FOAF.primaryTopic, self._names.entry(entry.id))
            self._instant(source, DCTERMS.modified, entry.origin.seen_at)
            self._put(record, DCTERMS.source, source)
        return record

    # --- entries

    def entry(self, entry: Entry) -> URIRef:
        """An entry as it was published last; nothing of one that was not."""
        about, body = self._names.entry(entry.id), entry.shown
        if body is None:
            return about
        self._describe(about, _CLASSES[entry.kind], body.title, body.description)
        self._put(about, DCTERMS.identifier, Literal(entry.id))
        if body.identifier:
            self._put(about, DCTERMS.identifier, _literal(body.identifier))
        self._put(about, DCTERMS.publisher, self._publisher(entry))
        self._codes(about, entry.kind, body)
        for word in body.keywords:
            self._put(about, DCAT.keyword, _literal(word, _language_of(word)))
        self._put(about, DCAT.landingPage, self._document(self._names.page(entry.id)))
        if is_address(body.landing_page):
            self._put(about, FOAF.page, self._document(URIRef(body.landing_page)))
        for one in body.conforms_to:
            if is_address(one):
                standard = self._typed(URIRef(one), DCTERMS.Standard)
                self._put(about, DCTERMS.conformsTo, standard)
        self._contact(about, entry.id, body.contact)
        self._law(about, entry.id, body.legal_basis)
        self._instant(about, DCTERMS.issued, entry.issued_at)
        self._instant(about, DCTERMS.modified, entry.modified_at)
        self._origin(about, entry)
        if entry.kind is Kind.SERVICE:
            self._service(about, body)
        else:
            self._data(about, entry, body)
        return about

    def _codes(self, about: URIRef, kind: Kind, body: Body) -> None:
        for code in body.themes:
            own = code.startswith("city:")
            uri = URIRef(CITY + code[5:] if own else AUTHORITY + "data-theme/" + code)
            self._put(about, DCAT.theme, self._concept(uri, name_of(THEMES, code)))
        right = URIRef(AUTHORITY + "access-right/" + body.access)
        self._put(about, DCTERMS.accessRights, self._typed(right, DCTERMS.RightsStatement))
        self._text(right, RDFS.label, name_of(ACCESS, body.access))
        if body.licence and kind is Kind.SERVICE:
            self._put(about, DCTERMS.license, self._licence(body.licence))
        if kind is not Kind.SERVICE:
            often = URIRef(AUTHORITY + "frequency/" + body.frequency)
            self._put(about, DCTERMS.accrualPeriodicity, self._typed(often, DCTERMS.Frequency))
            self._text(often, RDFS.label, name_of(FREQUENCIES, body.frequency))

    def _data(self, about: URIRef, entry: Entry, body: Body) -> None:
        self._cover(about, entry, body)
        if body.series in self._there:
            series = self._typed(self._names.entry(body.series), SERIES)
            self._put(about, IN_SERIES, series)
        if entry.version > 1:
            self._put(about, DCAT.version, Literal(str(entry.version)))
        for one in body.distributions:
            self._put(about, DCAT.distribution, self._distribution(entry, body, one))

    def _cover(self, about: URIRef, entry: Entry, body: Body) -> None:
        """The place and the time that the data are about."""
        if body.spatial:
            known = is_address(body.spatial)
            place = URIRef(body.spatial) if known else self._names.part(entry.id, "place")
            self._put(about, DCTERMS.spatial, self._typed(place, DCTERMS.Location))
            if not known:
                self._put(place, RDFS.label, _literal(body.spatial))
        if body.begins or body.ends:
            period = self._typed(self._names.part(entry.id, "period"), DCTERMS.PeriodOfTime)
            self._put(about, DCTERMS.temporal, period)
            for name, day in ((DCAT.startDate, body.begins), (DCAT.endDate, body.ends)):
                if day:
                    self._put(period, name, Literal(day, datatype=XSD.date))

    def _distribution(self, entry: Entry, body: Body, one: Distribution) -> URIRef:
        about = self._typed(
            self._names.part(entry.id, f"distribution-{one.name}"), DCAT.Distribution
        )
        self._text(about, DCTERMS.title, one.title)
        at = one.access_url or one.download_url
        access = URIRef(at) if is_address(at) else self._names.page(entry.id)
        self._put(about, DCAT.accessURL, self._typed(access, RDFS.Resource))
        if is_address(one.download_url):
            file = self._typed(URIRef(one.download_url), RDFS.Resource)
            self._put(about, DCAT.downloadURL, file)
        self._put(about, DCTERMS["format"], self._format(one.format))
        media = one.media_type or MEDIA_TYPES.get(one.format, "")
        if media and is_address(IANA + media):
            self._put(about, DCAT.mediaType, self._typed(URIRef(IANA + media), DCTERMS.MediaType))
        licence = one.licence or body.licence
        if licence:
            self._put(about, DCTERMS.license, self._licence(licence))
        if one.byte_size is not None:
            size = Literal(str(one.byte_size), datatype=XSD.nonNegativeInteger)
            self._put(about, DCAT.byteSize, size)
        if one.sha256:
            self._checksum(about, entry.id, one)
        if one.service in self._there:
            self._put(about, DCAT.accessService, self._names.entry(one.service))
        return about

    def _checksum(self, about: URIRef, entry_id: str, one: Distribution) -> None:
        check = self._typed(self._names.part(entry_id, f"checksum-{one.name}"), SPDX.Checksum)
        algorithm = self._typed(SPDX.checksumAlgorithm_sha256, SPDX.ChecksumAlgorithm)
        self._put(check, SPDX.algorithm, algorithm)
        self._put(check, SPDX.checksumValue, Literal(one.sha256, datatype=XSD.hexBinary))
        self._put(about, SPDX.checksum, check)

    def _service(self, about: URIRef, body: Body) -> None:
        for one in body.serves:
            if one in self._there:
                self._put(about, DCAT.servesDataset, self._names.entry(one))
        called = body.interface
        if called is None:
            return
        self._put(about, DCAT.endpointURL, self._typed(URIRef(called.endpoint), RDFS.Resource))
        if called.description:
            told = self._typed(URIRef(called.description), RDFS.Resource)
            self._put(about, DCAT.endpointDescription, told)
        self._put(about, DCTERMS["format"], self._format(called.format))
        name = Text("video", "视频") if called.protocol.video else Text("records", "记录")
        self._put(
            about, DCTERMS.type, self._concept(URIRef(f"urn:borough:service:{name.en}"), name)
        )

    # --- what stands at several places

    def _publisher(self, entry: Entry) -> URIRef:
        if entry.origin is not None and entry.origin.publisher:
            name = Text(entry.origin.publisher, entry.origin.publisher)
            return self._agent(self._names.part(entry.id, "publisher"), name)
        agency = self._agencies.get(entry.path)
        if agency is None:
            return self._agent(
                self._names.part(entry.id, "publisher"), Text(entry.path, entry.path)
            )
        return self._agent(self._names.agency(agency.id), agency.name)

    def _origin(self, about: URIRef, entry: Entry) -> None:
        if entry.origin is None or not is_address(entry.origin.uri):
            return
        self._put(about, PROV.wasDerivedFrom, URIRef(entry.origin.uri))
        self._put(about, DCTERMS.isPartOf, self._names.catalog(entry.origin.catalog))

    def _contact(self, about: URIRef, entry_id: str, contact: Contact) -> None:
        if contact == Contact():
            return
        kind = self._typed(self._names.part(entry_id, "contact"), VCARD.Kind)
        self._put(kind, RDF.type, VCARD.Organization)
        if contact.name:
            self._put(kind, VCARD.fn, _literal(contact.name))
        if contact.email and is_address("https://" + contact.email):
            self._put(kind, VCARD.hasEmail, URIRef("mailto:" + contact.email))
        if is_address(contact.url):
            self._put(kind, VCARD.hasURL, URIRef(contact.url))
        self._put(about, DCAT.contactPoint, kind)

    def _law(self, about: URIRef, entry_id: str, basis: str) -> None:
        if basis:
            law = self._typed(self._names.part(entry_id, "law"), ELI.LegalResource)
            self._put(law, RDFS.label, _literal(basis, _language_of(basis)))
            self._put(about, DCATAP.applicableLegislation, law)

    def _licence(self, code: str) -> URIRef:
        if is_address(code):
            return self._typed(URIRef(code), DCTERMS.LicenseDocument)
        own = code.startswith("city:")
        uri = URIRef("urn:borough:licence:" + code[5:] if own else AUTHORITY + "licence/" + code)
        self._text(uri, RDFS.label, name_of(LICENCES, code))
        return self._typed(uri, DCTERMS.LicenseDocument)

    def _format(self, code: str) -> URIRef:
        own = code in _OWN_FORMATS or (code not in FORMATS and not code.isascii())
        uri = URIRef(("urn:borough:format:" if own else AUTHORITY + "file-type/") + code)
        return self._typed(uri, DCTERMS.MediaTypeOrExtent)

    def _language(self, code: str) -> URIRef:
        return self._typed(URIRef(AUTHORITY + "language/" + code), DCTERMS.LinguisticSystem)

    def _document(self, uri: URIRef) -> URIRef:
        return self._typed(uri, FOAF.Document)

    def _concept(self, uri: URIRef, name: Text) -> URIRef:
        self._text(uri, SKOS.prefLabel, name)
        return self._typed(uri, SKOS.Concept)

    def _agent(self, uri: URIRef, name: Text) -> URIRef:
        self._text(uri, FOAF.name, name)
        return self._typed(uri, FOAF.Agent)

    def _describe(self, about: URIRef, kind: URIRef, title: Text, description: Text) -> None:
        self._typed(about, kind)
        self._text(about, DCTERMS.title, title)
        self._text(about, DCTERMS.description, description)

    def _typed(self, node: Named, kind: URIRef) -> Named:
        self._put(node, RDF.type, kind)
        return node

    def _text(self, about: Node, name: URIRef, text: Text) -> None:
        for language in ("en", "zh") if text.en != text.zh else (_language_of(text.en),):
            self._put(about, name, _literal(text.get(language), language))

    def _instant(self, about: Node, name: URIRef, at: datetime | None) -> None:
        if at is not None:
            self._put(about, name, Literal(at.isoformat(), datatype=XSD.dateTime))

    def _put(self, about: Node, name: URIRef, value: Node) -> None:
        self._graph.add((about, name, value))


def _literal(text: str, language: str | None = None) -> Literal:
    return Literal(_NOT_XML.sub("", text), lang=language)


def _language_of(text: str) -> str:
    return "zh" if _CHINESE.search(text) else "en"
