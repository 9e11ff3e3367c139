"""What an agreement lets its consumer do, compiled for those who enforce it.

The seam between agreements and the gateway. A policy (ODRL) is what was signed; ``Terms`` is the
same, ready to be applied to each call without a question to anybody. Everything is allowed only if
it is named here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from workloads.data_exchange.directory.elements import Masking


class Operator(StrEnum):
    """How a row's value is compared (ODRL: eq, neq, lt, lteq, gt, gteq, isAnyOf)."""

    EQ = "eq"
    NEQ = "neq"
    LT = "lt"
    LTEQ = "lteq"
    GT = "gt"
    GTEQ = "gteq"
    ANY_OF = "isAnyOf"


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Only rows of which this holds are handed out; all filters of the terms must hold.

    Attributes:
        pointer: to the value in a record (RFC 6901); a row without it is not handed out.
        values: one to compare with, several for ``ANY_OF``.
    """

    pointer: str
    operator: Operator
    values: tuple[str | int | float | bool, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A field that may be handed out; None as masking: the whole of it."""

    name: str
    pointer: str
    masking: Masking | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How much; None for as much as there is.

    Attributes:
        calls: in the whole term.
        calls_per_day: from midnight to midnight in the city.
        calls_per_minute: in any minute.
        rows: in the whole term.
        rows_per_call: in one answer.
    """

    calls: int | None = None
    calls_per_day: int | None = None
    calls_per_minute: int | None = None
    rows: int | None = None
    rows_per_call: int | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one agreement in one version.

    Attributes:
        agreement: its id.
        digest: of the signed policy (``sha256:…``); each receipt names it.
        dataset, service: what it is about: the data set, and the interface that gives it.
        provider, consumer: paths of the agencies.
        purposes: identifiers of DPV purposes; each call names one of them.
        fields: what may be handed out of each record; nothing else is.
        rows: which records.
        records: where the records stand in the provider's answer (RFC 6901 pointer to an array or
            to one object; the empty pointer is the whole answer).
        limits: how much.
        begins, ends: the term, half-open.
        revoked_at: from when on it counts no more.
        answers: JSON Schema of the provider's answer, as the directory has it; empty: any JSON.
    """

    agreement: str
    digest: str
    dataset: str
    service: str
    provider: str
    consumer: str
    purposes: frozenset[str]
    fields: tuple[Field, ...]
    rows: tuple[RowFilter, ...]
    records: str
    limits: Limits
    begins: datetime
    ends: datetime
    revoked_at: datetime | None = None
    answers: Mapping[str, object] | None = None

    def holds_at(self, at: datetime) -> bool:
        """Whether it is in force at a moment."""
        return self.begins <= at < self.ends and (self.revoked_at is None or at < self.revoked_at)
