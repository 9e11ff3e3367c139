"""The forms in which RDF is asked for and sent."""

from dataclasses import dataclass

from rdflib import Graph
from werkzeug.datastructures import MIMEAccept


@dataclass(frozen=True, slots=True)
class Form:
    """A form of RDF.

    Attributes:
        name: as an address asks for it.
        media_type: as a header does.
        serializer: of the library.
    """

    name: str
    media_type: str
    serializer: str


TURTLE = Form("turtle", "text/turtle", "turtle")
JSON_LD = Form("jsonld", "application/ld+json", "json-ld")
RDF_XML = Form("rdfxml", "application/rdf+xml", "xml")
FORMS = (TURTLE, JSON_LD, RDF_XML)


def chosen(name: str, accepted: MIMEAccept) -> Form | None:
    """The form that is asked for by name or by header; None when it is none of these.

    Who accepts anything gets Turtle.
    """
    if name:
        return next((one for one in FORMS if one.name == name), None)
    best = (
        accepted.best_match([one.media_type for one in FORMS]) if accepted else FORMS[0].media_type
    )
    if best is None and accepted.best_match(["application/json"]):
        best = JSON_LD.media_type
    return next((one for one in FORMS if one.media_type == best), None)


def written(graph: Graph, form: Form) -> bytes:
    """The graph in a form, UTF-8; JSON-LD with its context inside."""
    if form is JSON_LD:
        context = {prefix: str(uri) for prefix, uri in graph.namespaces()}
        return graph.serialize(format=form.serializer, context=context, encoding="utf-8")
    return graph.serialize(format=form.serializer, encoding="utf-8")
