"""Entries of the ledger, and the pseudonyms in them."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody asked something about somebody.

    Attributes:
        key: what was asked, unique with the pseudonym: the check and its question.
        purpose: for which; the scenario.
        pseudonym: of the person, for this purpose.
        asker: path of the agency that asked.
        service: of which it was asked.
        basis: the law or consent on which.
    """

    key: str
    purpose: str
    pseudonym: str
    asker: str
    service: str
    basis: str
    at: datetime


def pseudonym(secret: bytes, purpose: str, number: str) -> str:
    """The pseudonym of a person for a purpose: HMAC-SHA-256, 64 hexadecimal digits.

    The purpose's length goes first, so that no purpose and number run into each other.
    """
    said = f"{len(purpose)}:{purpose}{number}".encode()
    return hmac.new(secret, said, hashlib.sha256).hexdigest()
