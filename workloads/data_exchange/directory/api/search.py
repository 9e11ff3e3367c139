"""Search over HTTP."""

from typing import Annotated, Any

from pydantic import Field

from foundation.kernel.paging import Page
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    PageOut,
    PageQuery,
    Schema,
    current_actor,
    requires,
    use,
)
from workloads.data_exchange.directory.api.entries import summary
from workloads.data_exchange.directory.api.fields import EntrySummaryOut
from workloads.data_exchange.directory.searching import FACETS, Order, Query, Search

api = ApiBlueprint("directory", __name__, tag="Search")

Values = Annotated[
    list[Annotated[str, Field(max_length=500)]], Field(max_length=50, default_factory=list)
]
Words = Annotated[
    str, Field(max_length=200, description="Chinese or English; all of it must be found.")
]


class _Wanted(Input):
    """Words and facets; of one facet any value, of several facets all."""

    q: Words = ""
    kind: Values
    level: Values
    theme: Values
    agency: Annotated[Values, Field(description="Paths; those below count too.")]
    format: Values
    frequency: Values
    access: Values
    licence: Values
    catalog: Annotated[Values, Field(description="Ids of mounted catalogues.")]


class FacetQuery(_Wanted):
    """What is counted."""


class SearchQuery(PageQuery, _Wanted):
    """What is looked for."""

    order: Annotated[
        Order, Field(description="relevance: of several hundred candidates; modified: of all.")
    ] = Order.RELEVANCE


class FacetValueOut(Schema):
    """How many have a value."""

    value: str
    count: int


class FacetsOut(Schema):
    """How many fit, and of what they are."""

    total: int
    exact: Annotated[bool, Field(description="False: there are more, and counts are of a part.")]
    facets: dict[str, list[FacetValueOut]]


@api.get("/directory")
@requires("dataset.view")
@api.input(SearchQuery, location="query")
@api.output(PageOut[EntrySummaryOut])
def search_directory(query_data: SearchQuery) -> Page[dict[str, Any]]:
    """Find data sets, series and services; the best first."""
    asked = Query(query_data.q, _chosen(query_data), query_data.order)
    return use(Search).find(current_actor(), asked, query_data.page()).map(summary)


@api.get("/directory/facets")
@requires("dataset.view")
@api.input(FacetQuery, location="query")
@api.output(FacetsOut)
def count_directory(query_data: FacetQuery) -> Answer:
    """How many fit, by facet."""
    counts = use(Search).count(current_actor(), Query(query_data.q, _chosen(query_data)))
    facets = {
        name: [{"value": value, "count": n} for value, n in values]
        for name, values in counts.facets.items()
    }
    return {"total": counts.total, "exact": counts.exact, "facets": facets}


def _chosen(query: _Wanted) -> dict[str, list[str]]:
    return {name: getattr(query, name) for name in FACETS if getattr(query, name)}
