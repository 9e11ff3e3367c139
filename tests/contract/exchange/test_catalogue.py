"""The directory as DCAT-AP 3.0: validated against the constraints of its published shapes."""

from dataclasses import replace
from pathlib import Path

import pytest
from pyshacl import validate
from rdflib import BNode, Graph, Literal, Namespace, URIRef
from rdflib.compare import isomorphic
from rdflib.namespace import DCAT, DCTERMS, FOAF, RDF, RDFS, SKOS, XSD

from foundation.kernel.errors import NotFound
from foundation.kernel.paging import PageRequest
from foundation.kernel.text import Text
from tests.harness.directory import AUTHOR, READER, dataset, published, service
from tests.harness.exchange import CIVIL
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.directory.interface import Interface, Protocol
from workloads.data_exchange.directory.model import Contact, Kind
from workloads.data_exchange.directory.rdf.forms import FORMS, JSON_LD, written
from workloads.data_exchange.directory.rdf.names import HYDRA, Names
from workloads.data_exchange.harvesting.documents import parsed

pytestmark = pytest.mark.usefixtures("agencies")

NAMES = Names("https://data.city.example")
_SH = Namespace("http://www.w3.org/ns/shacl#")
_PREFIXES = {
    "adms": "http://www.w3.org/ns/adms#", "dcat": str(DCAT), "dcatap": "http://data.europa.eu/r5r/",
    "dct": str(DCTERMS), "eli": "http://data.europa.eu/eli/ontology#", "foaf": str(FOAF),
    "locn": "http://www.w3.org/ns/locn#", "odrl": "http://www.w3.org/ns/odrl/2/",
    "prov": "http://www.w3.org/ns/prov#", "rdfs": str(RDFS), "skos": str(SKOS),
    "spdx": "http://spdx.org/rdf/terms#", "time": "http://www.w3.org/2006/time#",
    "vcard": "http://www.w3.org/2006/vcard/ns#", "xsd": str(XSD),
}  # fmt: skip


def _uri(name: str) -> URIRef:
    prefix, _, local = name.partition(":")
    return URIRef(_PREFIXES[prefix] + local)


def shapes() -> Graph:
    """The table as SHACL, with the classes of DCAT 3 that are parts of others."""
    graph, nodes = Graph(), dict[str, BNode]()
    table = Path(__file__).parents[2] / "unit" / "exchange" / "dcat_ap_3.txt"
    for line in table.read_text().splitlines():
        if line.startswith("#"):
            continue
        target, path, *limits = line.split()
        if target not in nodes:
            nodes[target] = BNode()
            graph.add((nodes[target], RDF.type, _SH.NodeShape))
            graph.add((nodes[target], _SH.targetClass, _uri(target)))
        rule = BNode()
        graph.add((nodes[target], _SH.property, rule))
        graph.add((rule, _SH.path, _uri(path)))
        for limit in limits:
            name, _, value = limit.partition("=")
            if name in {"class", "datatype"}:
                graph.add((rule, _SH[name], _uri(value)))
            else:
                graph.add((rule, _SH[f"{name}Count"], Literal(int(value))))
    return graph


def classes() -> Graph:
    graph = Graph()
    for part, whole in (
        ("dcat:Dataset", "dcat:Resource"), ("dcat:DataService", "dcat:Resource"),
        ("dcat:DatasetSeries", "dcat:Dataset"), ("dcat:Catalog", "dcat:Dataset"),
    ):  # fmt: skip
        graph.add((_uri(part), RDFS.subClassOf, _uri(whole)))
    return graph


def problems(graph: Graph) -> str:
    conforms, _, text = validate(
        graph, shacl_graph=shapes(), ont_graph=classes(), inference="none", advanced=False
    )
    return "" if conforms else str(text)


@pytest.fixture
def filled(exchange: Exchange) -> Exchange:
    series = published(
        exchange, dataset("Yearbooks", "统计年鉴", distributions=(), elements=()), Kind.SERIES
    )
    body = dataset(
        series=series.id, spatial="Nanshan district", begins="2020-01-01", ends="2026-01-01",
        landing_page="https://civil.example/households", licence="CC_BY_4_0",
        conforms_to=("https://standards.example/gb-1",), identifier="GB/3301",
        contact=Contact("Data office", "data@civil.example", "https://civil.example"),
        description=Text("Line one\nline \x01 two <&> \"'", "第一行\n第二行"),
    )  # fmt: skip
    body = replace(
        body, distributions=(replace(body.distributions[0], sha256="ab" * 32, service=""),)
    )
    data = published(exchange, body)
    published(exchange, service(data.id), Kind.SERVICE, secret="s3cret-of-the-provider")
    camera = service(
        themes=("city:video",), interface=Interface("rtsp://10.3.0.7/s", Protocol.RTSP)
    )
    published(exchange, camera, Kind.SERVICE)
    exchange.cataloguing.directory.create(AUTHOR, Kind.DATASET, agency=CIVIL, body=dataset("Draft"))
    return exchange


def test_the_catalogue_is_valid_dcat_ap_in_each_form(filled: Exchange) -> None:
    part = filled.cataloguing.catalogue.whole(READER, NAMES, PageRequest())
    assert part.next is None
    assert not problems(part.graph)
    about = NAMES.catalog()
    assert len(list(part.graph.objects(about, DCAT.dataset))) == 2
    assert len(list(part.graph.objects(about, DCAT.service))) == 2
    for form in FORMS:
        text = written(part.graph, form)
        assert b"Draft" not in text
        assert b"s3cret" not in text
        read = parsed(text, form.serializer, str(about))
        assert isomorphic(read, part.graph), form.name


def test_parts_are_linked_and_valid_each_by_itself(filled: Exchange) -> None:
    catalogue, found, cursor, nexts = filled.cataloguing.catalogue, set[str](), None, []
    for _ in range(4):
        part = catalogue.whole(READER, NAMES, PageRequest(cursor, 1))
        assert not problems(part.graph)
        [one] = [
            str(o) for name in (DCAT.dataset, DCAT.service)
            for o in part.graph.objects(NAMES.catalog(), name)
        ]  # fmt: skip
        found.add(one)
        nexts = list(part.graph.objects(None, HYDRA.next))
        cursor = part.next
        assert bool(nexts) == bool(cursor)
    assert len(found) == 4
    assert not nexts


def test_one_entry(filled: Exchange) -> None:
    catalogue = filled.cataloguing.catalogue
    [data] = [
        str(one).rpartition("/")[2]
        for one in catalogue.whole(READER, NAMES, PageRequest()).graph.subjects(
            DCTERMS.spatial, None
        )
    ]
    graph = catalogue.entry(READER, NAMES, data)
    assert not problems(graph)
    titles = {one.language: str(one) for one in graph.objects(NAMES.entry(data), DCTERMS.title)}
    assert titles == {"en": "Households", "zh": "家庭户籍登记信息"}
    context = written(graph, JSON_LD)
    assert b'"@context": {' in context  # inside, for nobody to fetch
    with pytest.raises(NotFound):
        catalogue.entry(READER, NAMES, "dst_none")


def test_the_check_finds_what_is_missing(filled: Exchange) -> None:
    graph = filled.cataloguing.catalogue.whole(READER, NAMES, PageRequest()).graph
    for name, said in (
        (DCTERMS.publisher, "publisher"), (DCAT.endpointURL, "endpointURL"),
        (DCAT.accessURL, "accessURL"), (DCTERMS.title, "title"),
    ):  # fmt: skip
        lacking = Graph()
        lacking += graph
        lacking.remove((None, name, None))
        assert said in problems(lacking)
