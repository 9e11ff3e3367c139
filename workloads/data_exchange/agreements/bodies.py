"""What is asked for and given, on the wire."""

from typing import Annotated

from pydantic import Field

from foundation.surface.api import Input, Instant, Schema
from workloads.data_exchange.agreements import ask
from workloads.data_exchange.agreements.ask import Ask, AskedField, AskedRows
from workloads.data_exchange.agreements.terms import Limits, Operator

Name = Annotated[str, Field(min_length=1, max_length=200, description="Of the data set's element.")]
Limit = Annotated[int | None, Field(ge=1, le=ask.MOST)]
Scalar = str | int | float | bool


class FieldIn(Input):
    """A field that is asked for."""

    name: Name
    whole: Annotated[bool, Field(description="The whole of it; else as its element is masked.")] = (
        False
    )


class RowsIn(Input):
    """Only rows in which a field compares so."""

    name: Name
    operator: Operator
    values: Annotated[
        list[Annotated[Scalar, Field(union_mode="left_to_right")]],
        Field(min_length=1, max_length=ask.MOST_VALUES, description="Several for isAnyOf alone."),
    ]


class LimitsIn(Input):
    """How much; what is left out is not limited."""

    calls: Limit = None
    calls_per_day: Limit = None
    calls_per_minute: Limit = None
    rows: Limit = None
    rows_per_call: Limit = None


class AskIn(Input):
    """Which fields and rows, for what, how much, how long."""

    purposes: Annotated[
        list[Annotated[str, Field(max_length=100)]],
        Field(
            min_length=1, max_length=ask.MOST_PURPOSES,
            description="Purposes of the Data Privacy Vocabulary, such as dpv:ServiceProvision.",
        ),
    ]  # fmt: skip
    fields: Annotated[list[FieldIn], Field(min_length=1, max_length=ask.MOST_FIELDS)]
    rows: Annotated[list[RowsIn], Field(default_factory=list, max_length=ask.MOST_ROWS)]
    limits: LimitsIn = LimitsIn()
    begins: Instant
    ends: Instant

    def value(self) -> Ask:
        """As the services take it."""
        return Ask(
            frozenset(self.purposes),
            tuple(AskedField(one.name, one.whole) for one in self.fields),
            tuple(AskedRows(one.name, one.operator, tuple(one.values)) for one in self.rows),
            Limits(**self.limits.model_dump()),
            self.begins,
            self.ends,
        )


class FieldOut(Schema):
    """A field."""

    name: str
    whole: bool


class RowsOut(Schema):
    """A condition on rows."""

    name: str
    operator: Operator
    values: list[Scalar]


class LimitsOut(Schema):
    """How much; null for no limit."""

    calls: int | None
    calls_per_day: int | None
    calls_per_minute: int | None
    rows: int | None
    rows_per_call: int | None


class AskOut(Schema):
    """Which fields and rows, for what, how much, how long."""

    purposes: list[str]
    fields: list[FieldOut]
    rows: list[RowsOut]
    limits: LimitsOut
    begins: Instant
    ends: Instant
