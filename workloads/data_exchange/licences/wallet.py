"""What everybody sees: wallet and verifier, which go on without a network, and public documents.

The documents stand where their texts want them, outside of ``/api``: issuer metadata, type
metadata, status lists. Any page may fetch them (CORS): they are public and carry nobody's rights.
"""

import functools
import hashlib
import json
from pathlib import Path

from flask import Response, make_response, request, send_from_directory
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.surface.auth import public
from foundation.surface.registry import use
from foundation.surface.web.install import asset
from foundation.surface.web.pages import Pages, show
from workloads.data_exchange.licences.api import base
from workloads.data_exchange.licences.publishing import Publishing
from workloads.data_exchange.licences.words import SCRIPT_TEXTS
from workloads.data_exchange.proofs import statuslist

pages = Pages("wallet", __name__)

_STATIC = Path(__file__).parent / "static"
_SHELLS = ("/licence/wallet", "/licence/verifier")
_SCRIPTS = tuple(sorted(one.name for one in _STATIC.iterdir() if one.suffix in {".js", ".css"}))
_YEAR = 365 * 24 * 3600


@functools.cache
def _version() -> str:
    parts = [(_STATIC / name).read_bytes() for name in _SCRIPTS]
    parts += [one.read_bytes() for one in sorted((_STATIC.parent / "templates").rglob("*.html"))]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


@functools.cache
def _qr() -> str:
    return "vendor/js/qrcode.mjs"


def script(name: str) -> str:
    """The address of a script or style sheet of licences."""
    return f"/licence/static/{_version()}/{name}"


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {"licence_asset": script, "licence_texts": texts, "licence_config": config}


def texts() -> str:
    """What the scripts say, in the visitor's language, as JSON."""
    return json.dumps({one: gettext(one) for one in SCRIPT_TEXTS}, ensure_ascii=False)


def config() -> str:
    """What the scripts must know, as JSON."""
    return json.dumps({"qr": asset(_qr())})


@pages.get("/licence/wallet")
@public
def wallet() -> ResponseReturnValue:
    """The holder's page: take a licence, choose what is shown."""
    return show("licences/wallet.html", crumbs=())


@pages.get("/licence/verifier")
@public
def verifier() -> ResponseReturnValue:
    """The verifier's page: ask, and verify without a network."""
    answer = make_response(show("licences/verifier.html", crumbs=()))
    answer.headers["Permissions-Policy"] = "camera=(self), geolocation=(), microphone=()"
    return answer


@pages.get("/licence/static/<version>/<name>")
@public
def static(version: str, name: str) -> Response:
    """A script or style sheet of licences; its address changes with what is in it."""
    answer = send_from_directory(_STATIC, name if name in _SCRIPTS else "-")
    if version == _version():
        answer.cache_control.public, answer.cache_control.max_age = True, _YEAR
        answer.cache_control.immutable = True
    else:
        answer.cache_control.no_cache = True
    return answer


@pages.get("/licence/sw.js")
@public
def worker() -> Response:
    """The service worker that keeps the two pages and what they need."""
    files = [
        *(script(name) for name in _SCRIPTS if name != "sw.js"),
        asset(_qr()), asset("icon.svg"), "/theme.css", asset("vendor/css/uswds.css"),
        asset("borough.css"), asset("vendor/js/htmx.min.js"), asset("borough.js"),
    ]  # fmt: skip
    mark = hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]
    head = (
        f"const VERSION = {json.dumps('borough-licences-' + mark)};\n"
        f"const FILES = {json.dumps(files)};\nconst PAGES = {json.dumps(_SHELLS)};\n"
    )
    text = head + (_STATIC / "sw.js").read_text("utf-8")
    answer = Response(text, mimetype="text/javascript", headers={"Cache-Control": "no-cache"})
    # A worker is held to the policy of its own script: without this it could fetch nothing.
    answer.headers["Content-Security-Policy"] = "default-src 'none'; connect-src 'self'"
    return answer


def _document(body: str, mimetype: str, seconds: int) -> Response:
    answer = Response(body, mimetype=mimetype)
    answer.cache_control.public, answer.cache_control.max_age = True, seconds
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    answer.set_etag(hashlib.sha256(body.encode()).hexdigest()[:32])
    answer.make_conditional(request)
    return answer


@pages.get("/.well-known/jwt-vc-issuer/issuers/<agency_id>")
@public
def issuer_metadata(agency_id: str) -> Response:
    """JWT VC Issuer Metadata (draft-ietf-oauth-sd-jwt-vc)."""
    found = use(Publishing).issuer(agency_id, base())
    return _document(json.dumps(found), "application/json", 300)


@pages.get("/vct/<type_id>")
@public
def type_metadata(type_id: str) -> Response:
    """SD-JWT VC Type Metadata; it never changes."""
    return _document(use(Publishing).metadata(type_id), "application/json", _YEAR)


@pages.get("/status-lists/<list_id>")
@public
def status_list(list_id: str) -> Response:
    """A status list token, in the JWT form (draft-ietf-oauth-status-list, 8.1)."""
    found = use(Publishing).status_list(list_id)
    return _document(found.token, f"application/{statuslist.TYP}", found.fresh)
