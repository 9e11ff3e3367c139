"""Text in the two languages of the city, and text that can be kept at all."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from foundation.kernel.errors import Collector

_UNKEEPABLE = re.compile("[\0\ud800-\udfff]")


def keepable(text: str) -> bool:
    """Whether PostgreSQL can hold it: no NUL and no half of a surrogate pair."""
    return (text.isascii() and "\0" not in text) or not _UNKEEPABLE.search(text)


def check_keepable(fields: Iterable[tuple[str, str]]) -> None:
    """Refuse texts that cannot be kept.

    Args:
        fields: the names and texts of a form or a query.

    Raises:
        Invalid: names every field that holds one, or whose name is one.
    """
    found = Collector()
    for name, text in fields:
        known = keepable(name)
        kept = known and keepable(text)
        found.check(kept, name if known else "", "holds a character that cannot be kept")
    found.finish()


@dataclass(frozen=True, slots=True)
class Text:
    """One text in English and Chinese."""

    en: str
    zh: str

    def get(self, language: str) -> str:
        """The text for a language tag such as ``zh`` or ``zh-Hans-CN``; English otherwise."""
        return self.zh if language.lower().startswith("zh") else self.en

    def as_json(self) -> dict[str, str]:
        """``{"en": …, "zh": …}``."""
        return {"en": self.en, "zh": self.zh}

    @staticmethod
    def parse(value: Any, field: str) -> "Text":  # noqa: ANN401 - outside data
        """Read ``{"en": …, "zh": …}``.

        Raises:
            Invalid: one of the two is missing or empty.
        """
        found = Collector()
        pairs = value if isinstance(value, dict) else {}
        for language in ("en", "zh"):
            text = pairs.get(language)
            found.check(
                isinstance(text, str) and text.strip(), f"{field}.{language}", "is required"
            )
        found.finish()
        return Text(pairs["en"], pairs["zh"])
