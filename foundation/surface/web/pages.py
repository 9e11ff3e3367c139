"""A feature's pages: a blueprint that knows its place in the navigation, and how pages answer."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Flask, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from werkzeug.wrappers import Response

from foundation.surface import auth
from foundation.surface.web.i18n import COOKIE, LANGUAGES

_NAV = "borough.web.navigation"
_NOTICES = "borough.web.notices"
_SUBJECTS = "borough.web.subjects"
NOTICE = "notice"
#: An address that begins with one slash and holds no control character.
_PLAIN_TARGET = re.compile(r"/(?![/\\])[^\\\x00-\x1f\x7f]*")


class Crumb(NamedTuple):
    """One step of the way to a page; the last one has no address."""

    label: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class NavItem:
    """A place in the navigation.

    Attributes:
        label: English, for the catalogue.
        action: shown to those who hold it anywhere; empty shows it to everybody signed in.
        group: ``main`` or ``platform``.
    """

    label: str
    endpoint: str
    action: str = ""
    group: str = "main"
    order: int = 50
    icon: str = ""


class Pages(Blueprint):
    """The pages of a feature, drawn from the ``templates`` folder beside the module.

    Attributes:
        notices: sentences on what was done, by the name that ``go`` puts into the address.
        subjects: for the prefix of an id (``ord``), the endpoint of its page (argument ``id``).
    """

    def __init__(self, name: str, import_name: str) -> None:
        super().__init__(f"{name}_pages", import_name, template_folder="templates")
        self.items: list[NavItem] = []
        self.notices: dict[str, str] = {}
        self.subjects: dict[str, str] = {}

    def navigation(
        self,
        label: str,
        endpoint: str,
        *,
        action: str = "",
        group: str = "main",
        order: int = 50,
        icon: str = "",
    ) -> None:
        """Put a page of this feature into the navigation."""
        self.items.append(NavItem(label, f"{self.name}.{endpoint}", action, group, order, icon))

    def register(self, app: Any, options: Any) -> None:  # noqa: ANN401 - Flask's own signature
        """Called by Flask."""
        super().register(app, options)
        app.extensions.setdefault(_NAV, []).extend(self.items)
        app.extensions.setdefault(_NOTICES, {}).update(self.notices)
        app.extensions.setdefault(_SUBJECTS, {}).update(self.subjects)


def navigation(group: str) -> list[tuple[str, str, str, bool]]:
    """The places that this visitor may go to: label, address, icon, and whether it is here."""
    who = auth.identity()
    if who is None:
        return []
    items: Sequence[NavItem] = sorted(current_app.extensions.get(_NAV, ()), key=lambda i: i.order)
    return [
        (str(gettext(i.label)), url_for(i.endpoint), i.icon, _is_here(url_for(i.endpoint)))
        for i in items
        if i.group == group and (not i.action or auth.may(i.action))
    ]


def _is_here(url: str) -> bool:
    return request.path == url or (url != "/" and request.path.startswith(url + "/"))


def page_of(thing: str) -> str:
    """The address of the page of a thing by its id (``ord_…``); empty when it has none here."""
    prefix = thing.partition("_")[0]
    endpoint = current_app.extensions.get(_SUBJECTS, {}).get(prefix)
    return url_for(endpoint, id=thing) if endpoint else ""


def notice() -> str:
    """The sentence about what was just done, as the address of this page names it."""
    known: Mapping[str, str] = current_app.extensions.get(_NOTICES, {})
    text = known.get(request.args.get(NOTICE, ""))
    return str(gettext(text)) if text else ""


def go(endpoint: str, *, notice: str = "", **values: Any) -> Response:  # noqa: ANN401
    """Answer a form: see that page, with a sentence on what was done."""
    parameters = {**values, NOTICE: notice} if notice else values
    target = url_for(endpoint, **parameters)
    if is_htmx():
        return Response(status=204, headers={"HX-Redirect": target})
    return redirect(target, 303)


def is_htmx() -> bool:
    """Whether a script asks for a part of the page."""
    return request.headers.get("HX-Request") == "true"


def show(template: str, status: int = 200, **context: Any) -> ResponseReturnValue:  # noqa: ANN401
    """A page."""
    return render_template(template, **context), status


def here(**changes: str | None) -> str:
    """The present address with other parameters; None takes one away."""
    kept = [(k, v) for k, v in request.args.items(multi=True) if k not in changes and k != NOTICE]
    kept += [(k, v) for k, v in changes.items() if v is not None]
    return request.path + ("?" + urlencode(kept) if kept else "")


def safe_target(target: str | None, fallback: str) -> str:
    """An address on this platform, or the fallback: nobody is sent elsewhere after signing in."""
    parts = urlsplit(target or "")
    local = parts.path.startswith("/") and not parts.scheme and not parts.netloc
    # What ``urlsplit`` passes over, a browser may read as another host: "///host" and "/\\host".
    if not target or not local or not _PLAIN_TARGET.fullmatch(target):
        return fallback
    return target


def install(app: Flask) -> None:
    """Give the templates these functions."""
    app.jinja_env.globals.update(
        navigation=navigation,
        page_of=page_of,
        notice=notice,
        here=here,
        identity=auth.identity,
        program=auth.product(app).program,
        csrf_token=auth.current_csrf_token,
        may=auth.may,
        languages=LANGUAGES,
        language_cookie=COOKIE,
    )
