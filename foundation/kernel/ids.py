"""Identifiers: a prefix that says what is meant, and 26 characters that sort by creation time.

The 26 characters are a ULID (https://github.com/ulid/spec): 48 bits of milliseconds since 1970 and
80 random bits, in Crockford's base 32, here in lower case. Features declare their own types, for
example ``OrderId = NewType("OrderId", str)``.
"""

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_BITS = 80
_LENGTH = 26


def new(prefix: str) -> str:
    """A new id such as ``ord_01k9z3…``; ids made later sort later (to the millisecond).

    Args:
        prefix: two to eight lower-case letters that name the kind of thing.
    """
    value = (time.time_ns() // 1_000_000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    digits = []
    for _ in range(_LENGTH):
        digits.append(_ALPHABET[value & 31])
        value >>= 5
    return f"{prefix}_{''.join(reversed(digits))}"
