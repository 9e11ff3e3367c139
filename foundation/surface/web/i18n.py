"""Two languages: which one a request wants, and how everything on a page is said in it.

The catalogues are ``translations/<language>/LC_MESSAGES/messages.po`` of the foundation and of each
product; they are read as they are, so that no compiled file can be stale. The language comes from
``?lang=`` (and is then remembered in a cookie), the cookie, or the browser.
"""

import io
import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, Response, has_request_context, request
from flask_babel import Babel, Domain, get_locale, gettext

from foundation import products
from foundation.kernel.errors import Problem
from foundation.kernel.text import Text

LANGUAGES = {"en": "English", "zh": "中文"}
COOKIE = "borough_lang"
#: Where a request keeps its language once it is known.
_LANGUAGE = "borough.web.language"
_YEAR = 365 * 24 * 3600
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


def N_(message: str) -> str:  # noqa: N802 - the name that extraction tools know
    """Mark a text for the catalogue; it is translated where it is shown."""
    return message


def file_of(package: str, language: str) -> Path:
    """The file of a package's texts in a language."""
    folder = Path(str(resources.files(package))) / "translations"
    return folder / language / "LC_MESSAGES" / "messages.po"


def read(package: str, language: str) -> Catalog:
    """A package's texts in a language, as the translators wrote them."""
    with file_of(package, language).open("rb") as file:
        return read_po(file, locale=language)


def _packages() -> tuple[str, ...]:
    return ("foundation", *(product.package for product in products.declared()))


def catalogue(language: str) -> Catalog:
    """The texts of the foundation and of all products in a language."""
    return _joined(language, _packages())


@cache
def _joined(language: str, packages: tuple[str, ...]) -> Catalog:
    joined = read(packages[0], language)
    for package in packages[1:]:
        for message in read(package, language):
            if message.id:
                joined[message.id] = message
    return joined


@cache
def _translations(language: str, packages: tuple[str, ...]) -> NullTranslations:
    if language not in LANGUAGES or language == "en":
        return NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, _joined(language, packages))
    compiled.seek(0)
    return Translations(compiled)


class _Catalogues(Domain):  # type: ignore[misc] # Flask-Babel has no types
    """The catalogues in the form that Flask-Babel asks for."""

    def get_translations(self) -> NullTranslations:
        return _translations(language(), _packages())


def language() -> str:
    """The language of the present request, ``en`` or ``zh``; English outside of one."""
    if not has_request_context():
        return "en"
    # A page asks for it some hundred times.
    found = request.environ.get(_LANGUAGE)
    if found is None:
        asked = request.args.get("lang") or request.cookies.get(COOKIE)
        found = asked if asked in LANGUAGES else None
        found = found or request.accept_languages.best_match(list(LANGUAGES), "en") or "en"
        request.environ[_LANGUAGE] = found
    return str(found)


def local(text: Any) -> str:  # noqa: ANN401 - data comes as Text, as its JSON, or plain
    """A bilingual text in the request's language; plain text unchanged, None as nothing."""
    if isinstance(text, Text):
        return text.get(language())
    if isinstance(text, dict) and "en" in text:
        return str(text.get(language()) or text["en"])
    return "" if text is None else str(text)


@cache
def _patterns(language: str, packages: tuple[str, ...]) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Messages with placeholders as patterns, those with the most words of their own first."""
    found = []
    for message in _joined(language, packages):
        if isinstance(message.id, str) and _PLACEHOLDER.search(message.id) and message.string:
            parts = _PLACEHOLDER.split(message.id)
            pattern = "".join(
                re.escape(part) if index % 2 == 0 else f"(?P<{part}>.+?)"
                for index, part in enumerate(parts)
            )
            own = sum(len(part) for part in parts[::2])
            found.append((own, re.compile(pattern, re.DOTALL), str(message.string)))
    ordered = sorted(found, key=lambda each: -each[0])
    return tuple((pattern, said) for _, pattern, said in ordered)


def say(message: str) -> str:
    """An English message of an error, in the request's language.

    Services speak English with the values already in the sentence ("must be at most 8"). The
    catalogue holds the sentence with placeholders ("must be at most %(p0)s"); the values are
    taken over. A message that the catalogue does not know stays English.
    """
    exact = str(gettext(message)) if message else ""
    wanted = language()
    if exact != message or wanted == "en":
        return exact
    for pattern, translation in _patterns(wanted, _packages()):
        match = pattern.fullmatch(message)
        if match:
            return translation % {k: say(v) for k, v in match.groupdict().items()}
    return message


def say_problem(problem: Problem) -> str:
    """What is wrong with a field, in the request's language, as a sentence."""
    text = say(problem.message)
    return text[:1].upper() + text[1:]


def _remember(response: Response) -> Response:
    asked = request.args.get("lang")
    if asked in LANGUAGES:
        response.set_cookie(COOKIE, asked, max_age=_YEAR, samesite="Lax", httponly=True)
    return response


def install(app: Flask) -> None:
    """Teach the application its languages."""
    babel = Babel()
    babel.init_app(app, locale_selector=language, timezone_selector=lambda: "UTC")
    babel.domain_instance = _Catalogues()
    app.after_request(_remember)
    app.jinja_env.globals.update(
        LANGUAGES=LANGUAGES, language=language, local=local, say=say, get_locale=get_locale
    )
    app.jinja_env.policies["ext.i18n.trimmed"] = True
