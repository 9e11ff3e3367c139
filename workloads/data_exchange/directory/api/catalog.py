"""The directory as RDF over HTTP, in the form that is asked for."""

from typing import Annotated, Any

from flask import current_app, request
from flask.wrappers import Response
from pydantic import Field
from rdflib import Graph

from foundation.kernel.errors import Invalid, Problem
from foundation.surface.api import (
    ApiBlueprint,
    Input,
    PageQuery,
    Schema,
    current_actor,
    requires,
    use,
)
from workloads.data_exchange.agencies.model import Level
from workloads.data_exchange.directory.api.fields import LongTextBody, TitleBody
from workloads.data_exchange.directory.catalogue import Catalogue
from workloads.data_exchange.directory.rdf.forms import chosen, written
from workloads.data_exchange.directory.rdf.names import Names

api = ApiBlueprint("catalog", __name__, tag="Catalogue")

FormName = Annotated[
    str,
    Field(
        pattern="^(turtle|jsonld|rdfxml)?$",
        description="turtle, jsonld or rdfxml; else what the header Accept asks for.",
    ),
]


class CatalogQuery(PageQuery):
    """Which part, in which form."""

    form: FormName = ""


class FormQuery(Input):
    """In which form."""

    form: FormName = ""


class CatalogOut(Schema):
    """A catalogue that is mounted here."""

    id: str
    path: str
    level: Level
    title: TitleBody
    description: LongTextBody
    homepage: str
    publisher: str


class CatalogListOut(Schema):
    """Mounted catalogues."""

    items: list[CatalogOut]


_RDF: Any = {
    200: {
        "description": "DCAT-AP 3.0",
        "content": {
            "text/turtle": {"schema": {"type": "string"}},
            "application/ld+json": {"schema": {}},
            "application/rdf+xml": {"schema": {"type": "string"}},
        },
    }
}


@api.get("/catalog")
@requires("dataset.view")
@api.input(CatalogQuery, location="query")
@api.doc(responses=_RDF)
def get_catalog(query_data: CatalogQuery) -> Response:
    """The whole directory as DCAT-AP: Turtle, JSON-LD or RDF/XML; parts are linked (Hydra)."""
    part = use(Catalogue).whole(current_actor(), names(), query_data.page())
    answer = _answer(part.graph, query_data.form)
    if part.next is not None:
        form = f"&form={query_data.form}" if query_data.form else ""
        at = f"{request.base_url}?limit={query_data.limit}&cursor={part.next}{form}"
        answer.headers["Link"] = f'<{at}>; rel="next"'
    return answer


@api.get("/catalog/<entry_id>")
@requires("dataset.view")
@api.input(CatalogQuery, location="query")
@api.doc(responses=_RDF)
def get_described(entry_id: str, query_data: CatalogQuery) -> Response:
    """An entry, or a catalogue that is mounted, as DCAT-AP."""
    if entry_id.startswith("cat_"):
        part = use(Catalogue).mounted(current_actor(), names(), entry_id, query_data.page())
        return _answer(part.graph, query_data.form)
    return _answer(use(Catalogue).entry(current_actor(), names(), entry_id), query_data.form)


@api.get("/catalogs")
@requires("dataset.view")
@api.output(CatalogListOut)
def list_catalogs() -> dict[str, object]:
    """The catalogues of other platforms that are mounted here."""
    return {"items": use(Catalogue).catalogs(current_actor())}


def names() -> Names:
    """What things are called to who asks: below the address at which they ask."""
    return Names(current_app.config.get("PUBLIC_URL") or request.url_root)


def _answer(graph: Graph, form: str) -> Response:
    wanted = chosen(form, request.accept_mimetypes)
    if wanted is None:
        accepted = "text/turtle, application/ld+json or application/rdf+xml"
        raise Invalid([Problem("Accept", f"must be one of {accepted}", "not_acceptable")])
    answer = Response(written(graph, wanted), mimetype=wanted.media_type)
    answer.headers["Vary"] = "Accept"
    answer.add_etag()
    answer.make_conditional(request)
    return answer
