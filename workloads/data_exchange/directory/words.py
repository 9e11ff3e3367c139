"""Text as a full-text index of PostgreSQL takes it, in Chinese and English.

PostgreSQL parts Chinese into no words and ships no extension here that does. So a run of Chinese
characters becomes its characters and its pairs (bigrams): 水务局 is 水 务 局 水务 务局. A word of
two characters or more is then found wherever it stands, without a dictionary that would not know a
city's own words. English words are left to PostgreSQL's own configuration ``english``.
``docs/decisions/0210`` compares this with other ways.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

#: Chinese, Japanese and Korean characters, which are written without blanks between words.
_RUN = re.compile(
    "[\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003134f]+"
)
_WORD = re.compile(r"[^\W_]+")
#: Stands between facets that are kept in one text.
BETWEEN = "\x1f"
#: A lexeme of a tsquery as PostgreSQL writes it.
_LEXEME = re.compile(r"'(?:[^'\\]|''|\\.)*'")
#: PostgreSQL counts positions up to 16383; what stands behind is not looked at.
_TOKENS_MAX = 8000


class _Bases(dict[int, int | None]):
    """Which characters stay when accents go; filled as they come, for there are a million."""

    def __missing__(self, point: int) -> int | None:
        self[point] = found = None if unicodedata.combining(chr(point)) else point
        return found


_BASES = _Bases()


def folded(text: str) -> str:
    """Without differences that people do not search by: width, case, accents."""
    if text.isascii():
        return text.lower()
    kept = unicodedata.normalize("NFKD", text).translate(_BASES)
    return unicodedata.normalize("NFC", kept).lower()


def latin(text: str) -> str:
    """The words of the other scripts, separated by blanks."""
    return " ".join(_WORD.findall(_RUN.sub(" ", folded(text))))


def indexed(text: str) -> list[str]:
    """Characters and pairs of what is to be found."""
    found: list[str] = []
    for run in _RUN.findall(folded(text)):
        found += run
        found += _pairs(run)
        if len(found) > _TOKENS_MAX:
            break
    return found[:_TOKENS_MAX]


def sought(text: str) -> list[str]:
    """Pairs of what is looked for; the character itself of one that stands alone."""
    found: list[str] = []
    for run in _RUN.findall(folded(text)):
        found += _pairs(run) or [run]
    return list(dict.fromkeys(found))


def _pairs(run: str) -> list[str]:
    return [run[n : n + 2] for n in range(len(run) - 1)]


def vector(tokens: Sequence[str], weight: str = "D") -> str:
    """A tsvector of tokens in order, as PostgreSQL reads one."""
    places: dict[str, list[str]] = {}
    for n, token in enumerate(tokens, 1):
        places.setdefault(token, []).append(f"{n}{weight}")
    # Of one lexeme PostgreSQL keeps 255 positions.
    return " ".join(f"{quoted(token)}:{','.join(at[:255])}" for token, at in places.items())


def all_of(tokens: Iterable[str]) -> str:
    """A tsquery for what has all tokens; empty for none."""
    return " & ".join(quoted(token) for token in tokens)


def in_title(query: str) -> str:
    """The same tsquery for lexemes of titles alone: those of weight A."""
    return _LEXEME.sub(r"\g<0>:A", query)


def filtering(chosen: Mapping[str, Sequence[str]]) -> str:
    """A tsquery for facets: one of the values of each."""
    parts = [
        "(" + " | ".join(quoted(facet(name, value)) for value in values) + ")"
        for name, values in sorted(chosen.items())
        if values
    ]
    return " & ".join(parts)


def facet(name: str, value: str) -> str:
    """The lexeme of a facet's value; no text makes it, for it holds a colon."""
    return f"{name}:{value}"


def quoted(lexeme: str) -> str:
    """A lexeme as tsvector and tsquery take it, whatever is in it."""
    escaped = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
