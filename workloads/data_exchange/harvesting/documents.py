"""RDF documents of strangers, read without doing what they ask for.

What would make a reader grow or fetch is refused before it is read: document types and entities in
XML, contexts elsewhere in JSON-LD, depth and numbers without end.
"""

import json
import logging
from typing import Any
from xml.parsers import expat

from rdflib import Graph
from rdflib.exceptions import Error as RdfError
from rdflib.plugins.parsers.jsonld import to_rdf

from workloads.data_exchange.harvesting.ports import Refused

#: What is asked for, the cheapest to read first.
ACCEPT = "text/turtle, application/ld+json;q=0.9, application/rdf+xml;q=0.8, */*;q=0.1"
_FORMS = {
    "text/turtle": "turtle", "application/x-turtle": "turtle", "application/n-triples": "turtle",
    "application/ld+json": "json-ld", "application/json": "json-ld",
    "application/rdf+xml": "xml", "application/xml": "xml", "text/xml": "xml",
}  # fmt: skip
_ENDINGS = {
    ".ttl": "turtle", ".nt": "turtle", ".jsonld": "json-ld", ".json": "json-ld", ".rdf": "xml",
    ".xml": "xml",
}  # fmt: skip
_DEPTH = 100
_TRIPLES = 3_000_000

# It warns of each odd literal with a stack trace; strangers' documents have thousands.
logging.getLogger("rdflib").setLevel(logging.ERROR)


def form_of(media_type: str, url: str) -> str:
    """The form of a document, by what it says or, if that says nothing, by its address.

    Raises:
        Refused: it is none that is read.
    """
    known = _FORMS.get(media_type.lower())
    path = url.partition("?")[0].lower()
    ending = next((form for end, form in _ENDINGS.items() if path.endswith(end)), None)
    found = known or ending
    if found is None:
        raise Refused(f"it answered {media_type or 'nothing that is named'}, which is no RDF")
    return found


def parsed(body: bytes, form: str, base: str) -> Graph:
    """The graph of a document.

    Args:
        body: the document.
        form: of ``form_of``.
        base: its address.

    Raises:
        Refused: it is not that, or is not safely read.
    """
    # One graph, nobody listens to it: the store that keeps neither contexts nor tells of changes.
    graph = Graph(store="SimpleMemory", bind_namespaces="none")
    try:
        if form == "json-ld":
            data = json_of(body)
            _check_contexts(data)
            to_rdf(data, graph, base=base)
        else:
            if form == "xml":
                _check_xml(body)
            graph.parse(data=body, format=form, publicID=base)
    except Refused:
        raise
    except (RecursionError, MemoryError):
        raise Refused("it is nested too deeply") from None
    except (RdfError, SyntaxError, ValueError, TypeError, KeyError, IndexError, AttributeError,
            AssertionError, expat.ExpatError) as error:  # fmt: skip
        raise Refused(f"it is no {form} ({type(error).__name__})") from None
    except Exception as error:  # noqa: BLE001 - parsers of RDF raise what SAX raises, and their own
        raise Refused(f"it is no {form} ({type(error).__name__})") from None
    if len(graph) > _TRIPLES:
        raise Refused(f"it says more than {_TRIPLES} things")
    return graph


def json_of(body: bytes) -> Any:  # noqa: ANN401 - JSON
    """The value of a JSON text of bounded depth.

    Raises:
        Refused: it is not that.
    """
    try:
        value = json.loads(body.decode("utf-8-sig"), parse_constant=_no_constant)
    except RecursionError:
        raise Refused("it is nested too deeply") from None
    except ValueError:
        raise Refused("it is no JSON") from None
    level = [value]
    for _ in range(_DEPTH):
        level = [
            item
            for outer in level
            if isinstance(outer, dict | list)
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(item, dict | list)
        ]
        if not level:
            return value
    raise Refused("it is nested too deeply")


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _check_contexts(data: Any) -> None:  # noqa: ANN401 - JSON
    """Refuse what would have us fetch a context: contexts by address, and imports."""
    level = [data]
    while level:
        one = level.pop()
        if isinstance(one, dict):
            if "@import" in one or _elsewhere(one.get("@context")):
                raise Refused("it points to a context elsewhere, which is not fetched")
            level.extend(one.values())
        elif isinstance(one, list):
            level.extend(one)


def _elsewhere(context: Any) -> bool:  # noqa: ANN401 - JSON
    if isinstance(context, list):
        return any(_elsewhere(one) for one in context)
    return isinstance(context, str)


def _check_xml(body: bytes) -> None:
    """Refuse document types, hence entities, and depth."""
    depth = 0

    def refuse(*_: object) -> None:
        raise Refused("it declares a document type or entities")

    def open_(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEPTH:
            raise Refused("it is nested too deeply")

    def close(*_: object) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = open_
    parser.EndElementHandler = close
    parser.Parse(body, True)
