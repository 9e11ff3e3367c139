"""The protocol over HTTPS, at exactly its paths below ``/dsp/2025-1``.

Everybody may knock; who it is that does is decided by the token (``participants``), and who is not
known, or has no part in a process, is told what the binding says: not found.
"""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, g, request

from foundation.kernel import canonical
from foundation.kernel.errors import BoroughError, Unauthenticated
from foundation.surface.api import limits
from foundation.surface.api.problems import TooManyRequests
from foundation.surface.auth import current_actor, public
from foundation.surface.registry import use
from workloads.data_exchange.dataspace import documents
from workloads.data_exchange.dataspace.catalog import Offering, versions
from workloads.data_exchange.dataspace.documents import Unreadable
from workloads.data_exchange.dataspace.machine import MESSAGES, ProcessKind, Role
from workloads.data_exchange.dataspace.model import PATH, Participant
from workloads.data_exchange.dataspace.participants import Participants
from workloads.data_exchange.dataspace.receiving import ERRORS, Receiving, Refused

binding = Blueprint("dataspace_binding", __name__)

_JSON = frozenset({"application/json", "application/ld+json"})
_TYPES = {
    kind: {
        part: tuple(one[0] for (of, _), one in MESSAGES.items() if of is kind and one[2] == part)
        for part in {one[2] for (of, _), one in MESSAGES.items() if of is kind}
    }
    for kind in ProcessKind
}
View = Callable[..., Response]


@binding.get("/.well-known/dspace-version")
@public
def dataspace_versions() -> Response:
    """Which versions of the protocol are spoken here, for everybody."""
    return _answer(200, versions())


def _guarded(error: str) -> Callable[[View], View]:
    """Find out who asks, and answer every refusal in the form of the protocol."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(**named: Any) -> Response:  # noqa: ANN401 - parts of the path
            try:
                return view(_sender(error), **named)
            except Refused as refused:
                return _answer(refused.status, refused.body)
            except Unreadable as unreadable:
                return _answer(400, _error(error, "bad-message", str(unreadable), named))
            except TooManyRequests as many:
                told = _error(error, many.code, many.message, named)
                answer = _answer(429, told)
                answer.headers["Retry-After"] = str(math.ceil(many.retry_after))
                return answer
            except BoroughError as failed:
                status = 503 if failed.code == "unavailable" else 400
                return _answer(status, _error(error, failed.code, "it cannot be done", named))

        return guarded

    return decorate


def _sender(error: str) -> Participant:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if (request.content_length or 0) > documents.LARGEST:
        raise Unreadable(f"a message is at most {documents.LARGEST} bytes")
    body = request.get_data(cache=True) if request.method == "POST" else None
    found = None
    if scheme.lower() == "bearer":
        try:
            found = use(Participants).sender(token.strip(), body, current_actor)
        except Unauthenticated:
            found = None
    # Each participant has its own measure; whoever cannot say who they are share their address's.
    limits.spend("" if found is None else f"participant:{found.id}")
    if found is None:
        status = 401 if error == "CatalogError" else 404
        raise Refused(status, _error(error, "unauthorized", "no participant is known by this", {}))
    g.dataspace_sender = found.id
    return found


def _error(error: str, code: str, reason: str, named: Mapping[str, Any]) -> dict[str, Any]:
    pids = {} if error == "CatalogError" else {
        "providerPid": str(named.get("pid", "")), "consumerPid": str(named.get("pid", "")),
    }  # fmt: skip
    return documents.error(error, code, reason, **pids)


def _message(*types: str) -> dict[str, Any]:
    if request.mimetype not in _JSON:
        raise Unreadable("the Content-Type must be application/json")
    return documents.read(request.get_data(cache=True), *types)


def _answer(status: int, body: Mapping[str, Any], links: str = "") -> Response:
    made = Response(canonical.dumps(body), status, content_type="application/json")
    if links:
        made.headers["Link"] = links
    if status == 401:  # noqa: PLR2004 - RFC 9110, 15.5.2
        made.headers["WWW-Authenticate"] = "Bearer"
    return made


# --- catalogue


@binding.post(f"{PATH}/catalog/request")
@public
@_guarded("CatalogError")
def request_catalog(_sender: Participant) -> Response:
    """The catalogue; further parts of it by the addresses in ``Link``."""
    message = _message("CatalogRequestMessage")
    if message.get("filter"):
        body = documents.error("CatalogError", "filter", "no filter expression is understood here")
        raise Refused(400, body)
    shown = use(Offering).catalog(request.args.get("continuationToken", ""))
    if shown is None:
        body = documents.error("CatalogError", "token", "this continuation token is none of ours")
        raise Refused(400, body)
    links = [
        f'<{request.base_url}?continuationToken={token}>; rel="{rel}"'
        for rel, token in (("previous", shown.previous), ("next", shown.next))
        if token
    ]
    return _answer(200, shown.body, ", ".join(links))


@binding.get(f"{PATH}/catalog/datasets/<path:dataset>")
@public
@_guarded("CatalogError")
def get_dataset(_sender: Participant, dataset: str) -> Response:
    """One data set with its offers."""
    found = use(Offering).dataset(dataset)
    if found is None:
        body = documents.error("CatalogError", "not-found", "there is no such data set")
        raise Refused(404, body)
    return _answer(200, found)


# --- negotiations and transfers


def _begin(sender: Participant, kind: ProcessKind, name: str, role: Role) -> Response:
    body, made = use(Receiving).begin(sender, kind, _message(name), role)
    return _answer(201 if made else 200, body)


def _receive(sender: Participant, kind: ProcessKind, pid: str, part: str) -> Response:
    message = _message(*_TYPES[kind][part])
    return _answer(200, use(Receiving).receive(sender, kind, pid, part, message))


@binding.post(f"{PATH}/negotiations/request")
@public
@_guarded(ERRORS[ProcessKind.NEGOTIATION])
def begin_negotiation(sender: Participant) -> Response:
    """A consumer asks for an agreement."""
    return _begin(sender, ProcessKind.NEGOTIATION, "ContractRequestMessage", Role.PROVIDER)


@binding.post(f"{PATH}/negotiations/offers")
@public
@_guarded(ERRORS[ProcessKind.NEGOTIATION])
def begin_offered_negotiation(sender: Participant) -> Response:
    """A provider offers something without being asked."""
    return _begin(sender, ProcessKind.NEGOTIATION, "ContractOfferMessage", Role.CONSUMER)


@binding.get(f"{PATH}/negotiations/<pid>")
@public
@_guarded(ERRORS[ProcessKind.NEGOTIATION])
def get_negotiation(sender: Participant, pid: str) -> Response:
    """A negotiation, as it stands here."""
    return _answer(200, use(Receiving).look(sender, ProcessKind.NEGOTIATION, pid))


def _negotiation(part: str, name: str) -> None:
    @binding.post(f"{PATH}/negotiations/<pid>/{part}", endpoint=name)
    @public
    @_guarded(ERRORS[ProcessKind.NEGOTIATION])
    def receive(sender: Participant, pid: str) -> Response:
        return _receive(sender, ProcessKind.NEGOTIATION, pid, part)


_negotiation("request", "take_request")
_negotiation("offers", "take_offer")
_negotiation("events", "take_event")
_negotiation("agreement", "take_agreement")
_negotiation("agreement/verification", "take_verification")
_negotiation("termination", "take_termination")


@binding.post(f"{PATH}/transfers/request")
@public
@_guarded(ERRORS[ProcessKind.TRANSFER])
def begin_transfer(sender: Participant) -> Response:
    """A consumer asks for data under an agreement."""
    return _begin(sender, ProcessKind.TRANSFER, "TransferRequestMessage", Role.PROVIDER)


@binding.get(f"{PATH}/transfers/<pid>")
@public
@_guarded(ERRORS[ProcessKind.TRANSFER])
def get_transfer(sender: Participant, pid: str) -> Response:
    """A transfer, as it stands here."""
    return _answer(200, use(Receiving).look(sender, ProcessKind.TRANSFER, pid))


def _transfer(part: str) -> None:
    @binding.post(f"{PATH}/transfers/<pid>/{part}", endpoint=f"take_{part}_of_transfer")
    @public
    @_guarded(ERRORS[ProcessKind.TRANSFER])
    def receive(sender: Participant, pid: str) -> Response:
        return _receive(sender, ProcessKind.TRANSFER, pid, part)


for _part in ("start", "suspension", "completion", "termination"):
    _transfer(_part)
