"""Put the web kit into an application."""

import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Flask, Response, request, url_for

from foundation.kernel.errors import Collector
from foundation.kernel.text import Text, check_keepable
from foundation.surface.api import problems
from foundation.surface.auth import public
from foundation.surface.web import errors, forms, i18n, pages, show

HERE = Path(__file__).parent
STATIC = HERE / "static"
_YEAR = 365 * 24 * 3600
_LONGEST_NAME = 60
_COLOUR = re.compile("#[0-9a-fA-F]{6}")
_READABLE = 4.5

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Theme:
    """A city's own face.

    Attributes:
        city: the name in the header.
        about: what the product is, for the foot of each page.
        accent: the one colour, ``#rrggbb``; dark enough to read white on it (4.5 : 1). Its shades
            are derived from it in ``/theme.css``.
    """

    city: Text = Text("City cloud", "城市云")  # noqa: RUF009 - frozen
    about: Text = Text("Borough, the city's cloud as a service", "Borough 城市云服务平台")  # noqa: RUF009
    accent: str = "#0a5f6b"

    @staticmethod
    def of(name: str, name_zh: str, accent: str) -> "Theme":
        """A theme of settings; what is empty stays as it is without them.

        Raises:
            Invalid: a name that is too long, or a colour that is none or too light.
        """
        own = Theme()
        found = Collector()
        for field, text in (("city_name", name), ("city_name_zh", name_zh)):
            found.check(len(text) <= _LONGEST_NAME, field, f"must be at most {_LONGEST_NAME} long")
        if accent and found.check(_COLOUR.fullmatch(accent), "city_accent", "must be #rrggbb"):
            dark = _contrast_to_white(accent) >= _READABLE
            found.check(dark, "city_accent", "is too light to read white on it (4.5 : 1)")
        found.finish()
        city = Text(name or name_zh or own.city.en, name_zh or name or own.city.zh)
        return Theme(city, accent=accent or own.accent)


def _contrast_to_white(colour: str) -> float:
    """The contrast of WCAG 2 (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]  # noqa: PLR2004 - sRGB
    luminance = sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return 1.05 / (luminance + 0.05)


def install(app: Flask, theme: Theme | None = None) -> None:
    """Layout, languages, assets, error pages and security headers for the pages of ``app``."""
    chosen = theme or Theme()
    i18n.install(app)
    show.install(app)
    pages.install(app)
    problems.on_page_error(app, errors.show)
    app.register_blueprint(_kit(chosen))
    app.jinja_env.globals.update(theme=chosen, asset=asset, said=forms.said, unit_of=forms.unit_of)
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.before_request(_check_texts)
    app.after_request(_protect)


def _check_texts() -> None:
    """Refuse a query or form with a text that cannot be kept, before a page reads it.

    Raises:
        Invalid: names every such field.
    """
    if not request.path.startswith(problems.API_PREFIX):
        given = (*request.args.items(multi=True), *request.form.items(multi=True))
        check_keepable(given)


def _kit(theme: Theme) -> Blueprint:
    kit = Blueprint(
        "web",
        __name__,
        template_folder=str(HERE / "templates"),
        static_folder=str(STATIC),
        static_url_path="/static",
    )

    @kit.get("/theme.css")
    @public
    def theme_css() -> Response:
        """The city's colours as variables; the style sheets name no other accent."""
        return Response(_variables(theme.accent), mimetype="text/css")

    return kit


def _variables(accent: str) -> str:
    shades = {
        "accent": accent,
        "accent-dark": f"color-mix(in srgb, {accent}, #000 28%)",
        "accent-darker": f"color-mix(in srgb, {accent}, #000 52%)",
        "accent-light": f"color-mix(in srgb, {accent}, #fff 55%)",
        "accent-lighter": f"color-mix(in srgb, {accent}, #fff 86%)",
        "accent-faint": f"color-mix(in srgb, {accent}, #fff 94%)",
    }
    lines = "".join(f"  --{name}: {value};\n" for name, value in shades.items())
    return f":root {{\n{lines}}}\n"


@functools.cache
def _version(filename: str) -> str:
    return hashlib.sha256((STATIC / filename).read_bytes()).hexdigest()[:10]


def asset(filename: str) -> str:
    """The address of a static file; it changes with the content and may be kept for ever."""
    return url_for("web.static", filename=filename, v=_version(filename))


def _protect(response: Response) -> Response:
    if request.path.startswith(problems.API_PREFIX):
        return response
    if response.mimetype == "text/html":
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.add("Vary", "Cookie, Accept-Language, HX-Request")
    elif request.endpoint == "web.static" and "v" in request.args:
        response.headers["Cache-Control"] = f"public, max-age={_YEAR}, immutable"
    return response
