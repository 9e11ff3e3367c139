"""What strangers wrote, made to fit: lengths, addresses, codes. What does not fit is left out.

Their entries are shown and never called, so that one bad field loses a field and not an entry.
"""

import re
from collections.abc import Iterable

from foundation.kernel.text import Text, keepable
from workloads.data_exchange.directory.checks import (
    KEYWORDS_MAX,
    SHORT_MAX,
    TEXT_MAX,
    TITLE_MAX,
    is_address,
)
from workloads.data_exchange.directory.vocabulary import (
    ACCESS,
    AUTHORITY,
    FORMAT,
    FREQUENCIES,
    LICENCES,
    THEMES,
)

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_CHINESE = re.compile("[\u3400-\u9fff]")
_TAG = re.compile(r"[^A-Z0-9_+.-]+")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
#: ISO 8601 durations that CKAN and others give for frequencies.
_DURATIONS = {
    "R/P1D": "DAILY", "R/P1W": "WEEKLY", "R/P1M": "MONTHLY", "R/P3M": "QUARTERLY",
    "R/P6M": "ANNUAL_2", "R/P1Y": "ANNUAL", "R/PT1H": "HOURLY",
}  # fmt: skip


def line(text: object, longest: int = SHORT_MAX) -> str:
    """One line of at most so many characters."""
    return " ".join(long(text, longest).split())[:longest]


def long(text: object, longest: int = TEXT_MAX) -> str:
    """A text that can be kept, of at most so many characters."""
    plain = _CONTROL.sub(" ", str(text or "")[: longest * 2]).strip()[:longest]
    return plain if keepable(plain) else ""


def both(found: Iterable[tuple[str, str]], longest: int, otherwise: str = "") -> Text:
    """A text in both languages of texts with their language tags; one stands for the other."""
    texts: dict[str, str] = {}
    for language, text in found:
        plain = long(text, longest)
        if plain:
            tag = language.lower()[:2]
            guess = "zh" if _CHINESE.search(plain) else "en"
            texts.setdefault(tag if tag in {"en", "zh"} else guess if not tag else "other", plain)
    some = texts.get("en") or texts.get("zh") or texts.get("other") or otherwise
    return Text(texts.get("en", some), texts.get("zh", some))


def title(found: Iterable[tuple[str, str]], otherwise: str) -> Text:
    """A title in both languages, on one line each."""
    text = both(found, TITLE_MAX, otherwise)
    return Text(line(text.en, TITLE_MAX) or otherwise, line(text.zh, TITLE_MAX) or otherwise)


def address(text: object) -> str:
    """An address of the web, or nothing."""
    plain = str(text or "").strip()
    return plain if is_address(plain) else ""


def keywords(found: Iterable[object]) -> tuple[str, ...]:
    """Keywords without repetition."""
    return tuple(dict.fromkeys(word for one in found if (word := line(one))))[:KEYWORDS_MAX]


def themes(found: Iterable[str]) -> tuple[str, ...]:
    """The European themes among these addresses or codes; others are left out."""
    codes = (one.rstrip("/").rpartition("/")[2].upper() for one in found)
    return tuple(dict.fromkeys(one for one in codes if one in THEMES))


def code(table: Iterable[str], text: object, otherwise: str) -> str:
    """The code at the end of an address, if the table has it."""
    plain = str(text or "").rstrip("/").rpartition("/")[2].upper().replace("-", "_")
    return plain if plain in table else otherwise


def frequency(text: object) -> str:
    """A frequency, of an address, a code or a duration."""
    plain = str(text or "").strip()
    return _DURATIONS.get(plain.upper()) or code(FREQUENCIES, plain, "UNKNOWN")


def access(text: object) -> str:
    """Who may have it; what is not said is taken as open, for it is in a public catalogue."""
    return code(ACCESS, text, "PUBLIC")


def licence(text: object) -> str:
    """A licence by code or address."""
    plain = str(text or "").strip()
    if plain.startswith(AUTHORITY):
        return code(LICENCES, plain, "") or address(plain)
    known = plain.upper().replace("-", "_").replace(".", "_")
    return known if known in LICENCES else address(plain)[:400]


def format_of(text: object, media_type: str = "") -> str:
    """The code of a format, of an address, a name or a media type."""
    plain = str(text or "").rstrip("/").rpartition("/")[2] or media_type.rpartition("/")[2]
    found = _TAG.sub("_", plain.upper()).strip("_.+-")[:40]
    return found if FORMAT.fullmatch(found) else "OCTET"


def day(text: object) -> str:
    """The day of a date or time, or nothing."""
    plain = str(text or "")[:10]
    return plain if _DAY.fullmatch(plain) and plain[:4] >= "0001" else ""
