"""The directory as a catalogue that others may read and harvest."""

from collections.abc import Sequence
from dataclasses import dataclass

from rdflib import BNode, Graph, Literal, URIRef
from rdflib.namespace import RDF

from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.text import Text
from workloads.data_exchange.agencies.model import Agency
from workloads.data_exchange.directory.model import Catalog, Entry
from workloads.data_exchange.directory.ports import Book, CatalogStore, EntryQuery, EntryStore
from workloads.data_exchange.directory.rdf.names import HYDRA, Names, new_graph
from workloads.data_exchange.directory.rdf.write import Writer

#: As the whole directory introduces itself.
TITLE = Text("Data directory of the city", "城市数据目录")
ABOUT = Text(
    "What data the agencies hold, and how they may be had.", "各部门持有的数据，以及获取方式。"
)


#: From a service to its data set, its series, and a service of another form of it.
_STEPS = 3


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a catalogue; ``next`` is the cursor of the part after it, None at the end."""

    graph: Graph
    next: str | None


class Catalogue:
    """The directory as RDF."""

    def __init__(
        self, entries: EntryStore, catalogs: CatalogStore, agencies: Book, db: UnitOfWork
    ) -> None:
        self._entries = entries
        self._catalogs = catalogs
        self._agencies = agencies
        self._db = db

    def whole(self, actor: Actor, names: Names, request: PageRequest) -> Part:
        """A part of what everybody finds, as DCAT-AP.

        Parts are linked as Hydra has it (``hydra:PartialCollectionView``), which is how harvesters
        page through catalogues.
        """
        policy.require(actor, "dataset.view", policy.ROOT, "entry")
        with self._db.transaction():
            page = self._entries.shown(EntryQuery(), request)
            graph, writer = self._writer(names, page.items)
            about = writer.catalog(TITLE, ABOUT, TITLE, self._catalogs.list(), page.items)
        _link(graph, about, request, page)
        return Part(graph, page.next)

    def mounted(self, actor: Actor, names: Names, catalog_id: str, request: PageRequest) -> Part:
        """A part of a catalogue that is mounted here.

        Raises:
            NotFound: there is none.
        """
        policy.require(actor, "dataset.view", policy.ROOT, "entry")
        with self._db.transaction():
            catalog = self._catalogs.find(catalog_id)
            if catalog is None:
                raise policy.unknown("entry")
            page = self._entries.shown(EntryQuery(catalog=catalog_id), request)
            graph, writer = self._writer(names, page.items)
            about = writer.mounted(catalog, page.items)
        _link(graph, about, request, page)
        return Part(graph, page.next)

    def entry(self, actor: Actor, names: Names, entry_id: str) -> Graph:
        """One entry that everybody finds.

        Raises:
            NotFound: there is none.
        """
        policy.require(actor, "dataset.view", policy.ROOT, "entry")
        with self._db.transaction():
            found = self._entries.find(entry_id)
            if found is None or not found.state.shown:
                raise policy.unknown("entry")
            return self._writer(names, [found])[0]

    def catalogs(self, actor: Actor) -> list[Catalog]:
        """The catalogues that are mounted here, by id."""
        policy.require(actor, "dataset.view", policy.ROOT, "entry")
        with self._db.transaction():
            return list(self._catalogs.list())

    def _writer(self, names: Names, entries: Sequence[Entry]) -> tuple[Graph, Writer]:
        graph, agencies = new_graph(), dict[str, Agency]()
        # What is named must be what it is said to be, or the part would not validate by itself.
        known, new = {one.id: one for one in entries}, list(entries)
        for _ in range(_STEPS):
            there = self._entries.known({id_ for one in new for id_ in _named(one)} - set(known))
            new = [one for one in there.values() if one.state.shown]
            known |= {one.id: one for one in new}
        for path in {one.path for one in known.values()}:
            found = self._agencies.find(path)
            if found is not None:
                agencies[path] = found
        writer = Writer(graph, names, agencies, known)
        for one in known.values():
            writer.entry(one)
        return graph, writer


def _named(entry: Entry) -> set[str]:
    body = entry.shown
    if body is None:
        return set()
    return {*body.serves, body.series, *(one.service for one in body.distributions)} - {""}


def _link(graph: Graph, about: URIRef, request: PageRequest, page: Page[Entry]) -> None:
    view = BNode()
    graph.add((about, HYDRA.view, view))
    graph.add((view, RDF.type, HYDRA.PartialCollectionView))
    graph.add((view, HYDRA.itemsPerPage, Literal(request.limit)))
    if page.next is not None:
        following = URIRef(f"{about}?limit={request.limit}&cursor={page.next}")
        graph.add((view, HYDRA.next, following))
