"""What a licence is: its type as data, its life, what is hidden in it."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NewType

import jsonschema_rs

from foundation.kernel import canonical
from foundation.kernel.errors import Collector
from foundation.kernel.text import Text
from workloads.data_exchange.proofs.sdjwt import Sd

TypeId = NewType("TypeId", str)
LicenceId = NewType("LicenceId", str)

FIELDS_MAX = 50
COPIES_MAX = 20
DAYS_MAX = 36_525
#: Characters of all claims of one licence, and of one schema.
CLAIMS_MAX = 20_000
SCHEMA_MAX = 5_000
BATCH_MAX = 500
NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*", re.ASCII)
FIELD = re.compile(r"[a-z][a-z0-9_]{0,62}", re.ASCII)
REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9./_-]{0,63}", re.ASCII)
#: A resident number (GB 11643) names a person: it is no reference.
_RESIDENT = re.compile(r"\d{17}[\dXx]", re.ASCII)
_COLOUR = re.compile("#[0-9a-fA-F]{6}")
#: Names with a meaning of their own in a JWT, an SD-JWT or a credential.
RESERVED = frozenset({
    "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "cnf", "vct", "status", "nonce",
})  # fmt: skip


class Disclosure(StrEnum):
    """Whether the holder chooses to show a field."""

    ALWAYS = "always"
    CHOSEN = "chosen"


class LicenceState(StrEnum):
    """Where a licence is: ``proposed`` waits for a second officer, ``offered`` for its holder."""

    PROPOSED = "proposed"
    REFUSED = "refused"
    OFFERED = "offered"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"
    ISSUED = "issued"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


class Reason(StrEnum):
    """Why a status changed. Words of a list: free text would sooner or later name a person."""

    HOLDER_ASKED = "holder_asked"
    KEY_LOST = "key_lost"
    FACTS_CHANGED = "facts_changed"
    WRONGLY_OBTAINED = "wrongly_obtained"
    UNDER_REVIEW = "under_review"
    REVIEW_PASSED = "review_passed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class LicenceField:
    """A field of a type.

    Attributes:
        name: of the claim.
        schema: JSON Schema (2020-12) of its value.
    """

    name: str
    title: Text
    schema: Mapping[str, Any] = field(default_factory=dict)
    required: bool = True
    disclosure: Disclosure = Disclosure.CHOSEN


@dataclass(frozen=True, slots=True)
class LicenceType:
    """A version of a type of licences; it never changes.

    Attributes:
        agency: path of the one that issues; its officers do.
        name: in addresses; with ``version`` unique for the agency.
        days: for how long a licence counts when its officer says nothing; None: without end.
        four_eyes: whether a second officer must approve.
        copies: how many a holder gets at most, each with a key, salts and place of its own, so
            that two showings cannot be linked by what is shown.
        background, foreground: its colours, ``#rrggbb``.
        issuer, vct: its addresses, fixed when it is made.
        metadata: SD-JWT VC Type Metadata as it is served, to the byte: licences carry its digest.
        retired_at: since when no licence of it is issued.
    """

    agency: str
    name: str
    title: Text
    description: Text
    fields: tuple[LicenceField, ...]
    days: int | None = None
    four_eyes: bool = False
    copies: int = 1
    background: str = "#0a5f6b"
    foreground: str = "#ffffff"
    version: int = 1
    id: TypeId = TypeId("")
    issuer: str = ""
    vct: str = ""
    metadata: str = ""
    created_at: datetime | None = None
    retired_at: datetime | None = None

    @property
    def integrity(self) -> str:
        """The integrity metadata of its document (W3C SRI, 3), as ``vct#integrity``."""
        return integrity(self.metadata)

    def document(self) -> dict[str, Any]:
        """As JSON, for the database: all that its maker decided."""
        return {
            "title": self.title.as_json(), "description": self.description.as_json(),
            "fields": [
                {
                    "name": one.name, "title": one.title.as_json(), "schema": dict(one.schema),
                    "required": one.required, "disclosure": one.disclosure.value,
                }
                for one in self.fields
            ],
            "days": self.days, "four_eyes": self.four_eyes, "copies": self.copies,
            "background": self.background, "foreground": self.foreground,
        }  # fmt: skip


def integrity(text: str) -> str:
    """The integrity metadata of a text (W3C SRI, 3)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def fields_of(document: Mapping[str, Any]) -> tuple[LicenceField, ...]:
    """The fields out of ``LicenceType.document``."""
    return tuple(
        LicenceField(
            one["name"], Text(**one["title"]), one["schema"], one["required"],
            Disclosure(one["disclosure"]),
        )
        for one in document["fields"]
    )  # fmt: skip


def metadata_of(made: LicenceType) -> str:
    """SD-JWT VC Type Metadata (draft-ietf-oauth-sd-jwt-vc, "SD-JWT VC Type Metadata").

    The schema of a field stands under ``schema``, a property of our own: consumers ignore what they
    do not know.
    """
    simple = {"background_color": made.background, "text_color": made.foreground}
    told = {
        "vct": made.vct,
        "name": made.title.en,
        "description": made.description.en,
        "display": [
            {
                "locale": locale, "name": made.title.get(locale),
                "description": made.description.get(locale), "rendering": {"simple": simple},
            }
            for locale in ("en", "zh")
        ],
        "claims": [
            {
                "path": [one.name],
                "display": [
                    {"locale": locale, "label": one.title.get(locale)} for locale in ("en", "zh")
                ],
                "mandatory": one.required,
                "sd": "never" if one.disclosure is Disclosure.ALWAYS else "always",
                "schema": dict(one.schema),
            }
            for one in made.fields
        ],
    }  # fmt: skip
    return canonical.dumps(told)


def check_type(wrong: Collector, made: LicenceType) -> None:
    """Note what is wrong with a type."""
    wrong.check(
        len(made.name) <= 60 and NAME.fullmatch(made.name), "name",  # noqa: PLR2004
        "must be lower-case letters, digits and single inner hyphens, a letter first",
    )  # fmt: skip
    wrong.check(1 <= len(made.fields) <= FIELDS_MAX, "fields", f"must be 1 to {FIELDS_MAX} fields")
    wrong.check(1 <= made.copies <= COPIES_MAX, "copies", f"must be 1 to {COPIES_MAX}")
    wrong.check(made.days is None or 1 <= made.days <= DAYS_MAX, "days", f"must be 1 to {DAYS_MAX}")
    for name, colour in (("background", made.background), ("foreground", made.foreground)):
        wrong.check(_COLOUR.fullmatch(colour), name, "must be #rrggbb")
    seen: set[str] = set()
    for number, one in enumerate(made.fields):
        at = f"fields.{number}"
        wrong.check(
            FIELD.fullmatch(one.name), f"{at}.name",
            "must be lower-case letters, digits and underscores, a letter first",
        )  # fmt: skip
        wrong.check(one.name not in RESERVED, f"{at}.name", "is a name with a meaning of its own")
        wrong.check(one.name not in seen, f"{at}.name", "stands twice")
        seen.add(one.name)
        _check_schema(wrong, one.schema, f"{at}.schema")


def _check_schema(wrong: Collector, schema: Mapping[str, Any], at: str) -> None:
    try:
        short = len(json.dumps(schema)) <= SCHEMA_MAX
        if wrong.check(short, at, f"must be at most {SCHEMA_MAX} characters"):
            jsonschema_rs.meta.validate(dict(schema))
            _validator(schema)
    except (ValueError, TypeError, jsonschema_rs.ReferencingError, RecursionError):
        wrong.check(False, at, "is no JSON Schema (2020-12)")


def _validator(schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 - one class per draft
    # Patterns run in linear time: a schema must not be a way to stop the service.
    return jsonschema_rs.Draft202012Validator(
        dict(schema), retriever=_not_followed, validate_formats=True,
        pattern_options=jsonschema_rs.RegexOptions(),
    )  # fmt: skip


def _not_followed(uri: str) -> Any:  # noqa: ANN401
    raise ValueError(f"{uri} is not followed")


def check_claims(
    wrong: Collector, made: LicenceType, claims: Mapping[str, Any], under: str = "claims"
) -> None:
    """Note every field of a licence that does not fit its type."""
    if not wrong.check(
        len(json.dumps(claims, ensure_ascii=False)) <= CLAIMS_MAX, under,
        f"must be at most {CLAIMS_MAX} characters together",
    ):  # fmt: skip
        return
    known = {one.name: one for one in made.fields}
    for name in claims:
        wrong.check(name in known, f"{under}.{name}", "is no field of this type")
    for one in made.fields:
        if one.name not in claims:
            wrong.check(not one.required, f"{under}.{one.name}", "is required")
        elif not _validator(one.schema).is_valid(claims[one.name]):
            wrong.check(False, f"{under}.{one.name}", "does not fit the schema of the field")


def check_reference(wrong: Collector, reference: str, at: str = "reference") -> None:
    """Note what is wrong with an officer's reference: it is shown and logged, so names nobody."""
    wrong.check(
        REFERENCE.fullmatch(reference), at,
        "must be 1 to 64 letters, digits and . / _ -, such as a case number",
    )  # fmt: skip
    wrong.check(not _RESIDENT.fullmatch(reference), at, "must not be the number of a person")


def marked(made: LicenceType, claims: Mapping[str, Any]) -> dict[str, Any]:
    """The claims, with a mark on those that the holder may keep back."""
    chosen = {one.name for one in made.fields if one.disclosure is Disclosure.CHOSEN}
    return {name: Sd(value) if name in chosen else value for name, value in claims.items()}


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence: never what it says, once its holder has it.

    Attributes:
        type: of which version of a type.
        path: of the agency.
        reference: the officer's own, such as a case number; names no person.
        proposed_by: id of the officer; another one approves where the type wants four eyes.
        valid_from, valid_until: between which it counts.
        sealed: its claims until it is claimed, then what was handed out until that is certain to
            have arrived; empty after that.
        offer: digest of the one-time token; ``pin``: digest of token and PIN together.
        attempts: wrong PINs so far.
        nonce: what the holder's key must sign, until ``nonce_until``.
        holder: digest over the holder's keys, as long as ``sealed`` is there.
    """

    id: LicenceId
    type: TypeId
    path: str
    reference: str
    state: LicenceState
    proposed_by: str
    created_at: datetime
    changed_at: datetime
    valid_from: datetime
    valid_until: datetime | None
    sealed: str = ""
    offer: str = ""
    pin: str = ""
    offer_until: datetime | None = None
    attempts: int = 0
    nonce: str = ""
    nonce_until: datetime | None = None
    holder: str = ""
    claimed_at: datetime | None = None
    reason: Reason | None = None

    def expired(self, at: datetime) -> bool:
        """Whether its time is over."""
        return self.valid_until is not None and self.valid_until <= at


def begins(at: datetime) -> datetime:
    """The day of a moment: licences of one day cannot be told apart by their times."""
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def ends(made: LicenceType, start: datetime) -> datetime | None:
    """Until when a licence counts whose officer says nothing."""
    return None if made.days is None else start + timedelta(days=made.days)
