"""The city's face on the pages of any product: its name and its colour, from the settings."""

from dataclasses import replace

from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.settings import CommonSettings, Program
from foundation.kernel.text import Text
from foundation.surface.web.install import Theme


def theme(settings: CommonSettings, program: Program, about: Text | None = None) -> Theme:
    """The city's face, as the settings have it.

    Args:
        settings: of the product.
        program: whose variables the settings come from, for messages.
        about: what the product is, for the foot of each page; Borough's own without it.

    Raises:
        Invalid: names every setting that is wrong.
    """
    try:
        found = Theme.of(settings.city_name, settings.city_name_zh, settings.city_accent)
    except Invalid as error:
        wrong = [Problem(f"{program.prefix}{p.field.upper()}", p.message) for p in error.problems]
        raise Invalid(wrong) from None
    return found if about is None else replace(found, about=about)
