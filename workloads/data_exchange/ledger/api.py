"""The citizen ledger over HTTP."""

from collections.abc import Sequence
from typing import Annotated, Any

from flask.typing import ResponseReturnValue
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
from workloads.data_exchange.checks.corrections.api import StandingOut, standing
from workloads.data_exchange.checks.corrections.model import LONGEST_TEXT, Told
from workloads.data_exchange.ledger.citizens import Citizens
from workloads.data_exchange.ledger.model import Entry
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


class LedgerKey(Input):
    """A key to an opened ledger."""

    key: Annotated[str, Field(min_length=1, max_length=200)]


class LedgerObject(LedgerKey):
    """What is wrong with what was answered."""

    entry: Annotated[str, Field(max_length=200, description="Key of one of your entries.")]
    text: Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]


class LedgerEntryOut(Schema):
    """Somebody asked something about the citizen."""

    key: str
    purpose: str
    asker: Annotated[str, Field(description="Path of the agency that asked.")]
    service: str
    basis: str
    pseudonym: Annotated[str, Field(description="Of the citizen, for this purpose alone.")]
    at: Instant


class LedgerOut(Schema):
    """The newest 1,000 entries, newest first."""

    items: list[LedgerEntryOut]
    corrections: list[StandingOut]


class LedgerOpened(LedgerOut):
    """The same, with a key with which they are read again."""

    key: str
    until: Instant


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
@api.output(LedgerOpened)
def open_ledger(json_data: LedgerOpen) -> Answer:
    """A citizen's own entries; the code is used up."""
    opened = use(Ledger).open(json_data.code)
    return {**_out(opened.entries, opened.key), "key": opened.key, "until": opened.until}


@api.post("/ledger/entries")
@public
@api.input(LedgerKey)
@api.output(LedgerOut)
def list_ledger_entries(json_data: LedgerKey) -> Answer:
    """The same again, with the key that opening gave: to look anew, or to keep."""
    return _out(use(Ledger).entries(json_data.key), json_data.key)


@api.post("/ledger/corrections")
@public
@api.input(LedgerObject)
@api.output(StandingOut)
def object_in_ledger(json_data: LedgerObject) -> Answer:
    """Object to what was answered about yourself; the agency that answered decides."""
    made = use(Citizens).object(json_data.key, json_data.entry, json_data.text)
    return standing(Told(made, "", json_data.text.strip(), ""))


@api.post("/ledger/close")
@public
@api.input(LedgerKey)
@api.output({}, 204)
def close_ledger(json_data: LedgerKey) -> ResponseReturnValue:
    """Let a key count no more."""
    use(Ledger).close(json_data.key)
    return "", 204


def _out(entries: Sequence[Entry], key: str) -> dict[str, Any]:
    told = [standing(one) for one in use(Citizens).corrections(key)]
    return {"items": [entry_out(one) for one in entries], "corrections": told}


def entry_out(one: Entry) -> dict[str, Any]:
    """An entry as its citizen sees it."""
    return {
        "key": one.key, "purpose": one.purpose, "asker": one.asker, "service": one.service,
        "basis": one.basis, "pseudonym": one.pseudonym, "at": one.at,
    }  # fmt: skip
