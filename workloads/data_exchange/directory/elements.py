"""Data elements: the fields of a data set, what they hold, and how they may be shown.

The seam between the directory, agreements and the gateway: whoever agrees names elements, and
whoever enforces finds them in an answer by their pointer.
"""

from dataclasses import dataclass
from enum import StrEnum

from foundation.kernel.text import Text


class Sensitivity(StrEnum):
    """How much harm a field can do, the least first (GB/T 43697-2024: general, important, core)."""

    PUBLIC = "public"
    INTERNAL = "internal"
    PERSONAL = "personal"
    SENSITIVE = "sensitive"


class Masking(StrEnum):
    """What the gateway makes of a value when an agreement does not give the whole of it."""

    #: The field is left out.
    OMIT = "omit"
    #: Some characters at both ends stay, the others are stars.
    PARTIAL = "partial"
    #: A year in place of a date, a district in place of an address, a band in place of a number.
    GENERALISE = "generalise"
    #: An HMAC with a key of the agreement: the same value is the same text there and nowhere else.
    PSEUDONYM = "pseudonym"


@dataclass(frozen=True, slots=True)
class Element:
    """A field of a data set's records.

    Attributes:
        name: unique in its data set; what agreements name.
        pointer: where it stands in one record, an RFC 6901 pointer such as ``/person/birth``.
        title: as people read it.
        schema: JSON Schema (2020-12) of its value.
        sensitivity: of its values.
        masking: what is shown of it where an agreement names it as masked.
        legal_basis: under which law it is held, for the record.
    """

    name: str
    pointer: str
    title: Text
    schema: dict[str, object]
    sensitivity: Sensitivity = Sensitivity.INTERNAL
    masking: Masking = Masking.OMIT
    legal_basis: str = ""
