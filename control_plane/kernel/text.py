"""Text in the two languages of the city."""

from dataclasses import dataclass
from typing import Any

from control_plane.kernel.errors import Collector


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
