"""Put the web kit into an application."""

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Flask, Response, request, url_for

from control_plane.kernel.text import Text
from control_plane.surface.api import problems
from control_plane.surface.auth import public
from control_plane.surface.web import errors, forms, i18n, pages, show

HERE = Path(__file__).parent
STATIC = HERE / "static"
_YEAR = 365 * 24 * 3600

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Theme:
    """A city's own face.

    Attributes:
        city: the name in the header.
        accent: the one colour, ``#rrggbb``; dark enough to read white on it (4.5 : 1). Its shades
            are derived from it in ``/theme.css``.
    """

    city: Text = Text("City cloud", "城市云")  # noqa: RUF009 - frozen
    accent: str = "#0a5f6b"


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
    app.after_request(_protect)


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
