"""From an approved request to the text that both sides sign."""

from workloads.data_exchange.agreements.ports import Offered
from workloads.data_exchange.agreements.requests.model import Request
from workloads.data_exchange.agreements.terms import Field, RowFilter, Terms


def terms_of(request: Request, offered: Offered, agreement: str) -> Terms:
    """What an approved request gives, in terms of the data set as it is offered."""
    elements, given = {one.name: one for one in offered.elements}, request.given
    return Terms(
        agreement=agreement,
        digest="",
        dataset=offered.dataset,
        service=offered.service,
        provider=offered.provider,
        consumer=request.consumer,
        purposes=given.purposes,
        fields=tuple(
            Field(
                one.name,
                elements[one.name].pointer,
                None if one.whole else elements[one.name].masking,
            )
            for one in given.fields
        ),
        rows=tuple(
            RowFilter(elements[one.name].pointer, one.operator, one.values) for one in given.rows
        ),
        records=offered.records,
        limits=given.limits,
        begins=given.begins,
        ends=given.ends,
        answers=offered.answers,
    )
