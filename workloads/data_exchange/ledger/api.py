"""The citizen ledger over HTTP."""

from typing import Annotated

from pydantic import Field

from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    Schema,
    current_actor,
    idempotent,
    public,
    requires,
    use,
)
from workloads.data_exchange.ledger.service import Ledger

api = ApiBlueprint("ledger", __name__, tag="Citizen ledger")


class LedgerCodeCreate(Input):
    """For a citizen who proved at the counter who they are."""

    number: Annotated[str, Field(max_length=18, description="Resident number.")]


class LedgerCodeOut(Schema):
    """A code that opens the citizen's own entries once, within half an hour."""

    code: str


class LedgerOpen(Input):
    """A code from the counter."""

    code: Annotated[str, Field(min_length=1, max_length=200)]


class LedgerEntryOut(Schema):
    """Somebody asked something about the citizen."""

    purpose: str
    asker: Annotated[str, Field(description="Path of the agency that asked.")]
    service: str
    basis: str
    at: Instant


class LedgerOut(Schema):
    """The newest 1,000 entries, newest first."""

    items: list[LedgerEntryOut]


@api.post("/ledger/codes")
@requires("ledger.open")
@idempotent
@api.input(LedgerCodeCreate)
@api.output(LedgerCodeOut, 201)
def create_ledger_code(json_data: LedgerCodeCreate) -> Answer:
    """Make a one-time code for a citizen at the counter."""
    return {"code": use(Ledger).code(current_actor(), json_data.number)}


@api.post("/ledger/open")
@public
@api.input(LedgerOpen)
@api.output(LedgerOut)
def open_ledger(json_data: LedgerOpen) -> Answer:
    """A citizen's own entries; the code is used up."""
    return {
        "items": [
            {
                "purpose": one.purpose, "asker": one.asker, "service": one.service,
                "basis": one.basis, "at": one.at,
            }
            for one in use(Ledger).open(json_data.code)
        ]
    }  # fmt: skip
