"""The names of vocabularies and of what is described."""

from rdflib import Graph, Namespace, URIRef
from rdflib.namespace import DCAT, DCTERMS, FOAF, PROV, RDF, RDFS, SKOS, XSD

ADMS = Namespace("http://www.w3.org/ns/adms#")
DCATAP = Namespace("http://data.europa.eu/r5r/")
ELI = Namespace("http://data.europa.eu/eli/ontology#")
HYDRA = Namespace("http://www.w3.org/ns/hydra/core#")
SPDX = Namespace("http://spdx.org/rdf/terms#")
VCARD = Namespace("http://www.w3.org/2006/vcard/ns#")
#: What DCAT 3 has and the library's own list of it may lack.
SERIES = URIRef("http://www.w3.org/ns/dcat#DatasetSeries")
IN_SERIES = URIRef("http://www.w3.org/ns/dcat#inSeries")
IANA = "https://www.iana.org/assignments/media-types/"

_PREFIXES = {
    "adms": ADMS, "dcat": DCAT, "dcatap": DCATAP, "dct": DCTERMS, "eli": ELI, "foaf": FOAF,
    "hydra": HYDRA, "prov": PROV, "rdf": RDF, "rdfs": RDFS, "skos": SKOS, "spdx": SPDX,
    "vcard": VCARD, "xsd": XSD,
}  # fmt: skip


def new_graph() -> Graph:
    """An empty graph that writes these vocabularies by their usual prefixes."""
    graph = Graph(bind_namespaces="none")
    for prefix, namespace in _PREFIXES.items():
        graph.bind(prefix, namespace)
    return graph


class Names:
    """What things are called outside.

    Args:
        base: the address of this service, without a slash at its end.
    """

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/")

    def catalog(self, catalog_id: str = "") -> URIRef:
        """The whole directory, or a catalogue that is mounted in it."""
        return self.entry(catalog_id) if catalog_id else URIRef(f"{self.base}/api/v1/catalog")

    def entry(self, entry_id: str) -> URIRef:
        """An entry; its address answers its description."""
        return URIRef(f"{self.base}/api/v1/catalog/{entry_id}")

    def part(self, entry_id: str, name: str) -> URIRef:
        """A part of an entry's description."""
        return URIRef(f"{self.base}/api/v1/catalog/{entry_id}#{name}")

    def agency(self, agency_id: str) -> URIRef:
        """An agency."""
        return URIRef(f"{self.base}/api/v1/agencies/{agency_id}")

    def page(self, entry_id: str) -> URIRef:
        """The page of an entry, for people."""
        return URIRef(f"{self.base}/directory/{entry_id}")
