"""Where a participant's endpoints of our version are (Common Requirements, "Exposure of Versions").

Every connector tells its versions at ``<root>/.well-known/dspace-version``, to everybody;
``<root>`` and the ``path`` of a version together are its base. An administrator registers a base,
or a root.
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from foundation.kernel.errors import Conflict
from workloads.data_exchange.dataspace.model import VERSION, Participant
from workloads.data_exchange.dataspace.ports import Answered

WELL_KNOWN = "/.well-known/dspace-version"
#: Each root that might be is asked, but not more of them.
_ROOTS = 4
_BINDINGS = frozenset({"HTTPS", ""})
_OK = 200


def base_of(peer: Participant, ask: Callable[[str], Answered]) -> str:
    """The base of a participant's endpoints; the registered address where nothing else is said.

    Args:
        peer: the participant.
        ask: what is at an address of its host; no token is sent.

    Raises:
        Conflict: it does not speak our version, or says in more than one place that it does.
    """
    for root in _roots(peer.address):
        answer = ask(root + WELL_KNOWN)
        told = _versions(answer.body) if answer.status == _OK else []
        here = {
            (root + path).rstrip("/"): (version, binding)
            for version, path, binding in told
            if _concerns((root + path).rstrip("/"), peer.address)
        }
        if here:
            return _chosen(peer, here)
    return peer.address


def _roots(address: str) -> list[str]:
    """Where its versions might be told: at the top of its host, then nearer and nearer."""
    parts = urlsplit(address)
    steps = [one for one in parts.path.split("/") if one]
    host = f"{parts.scheme}://{parts.netloc}"
    return ["/".join((host, *steps[:n])) for n in range(len(steps) + 1)][:_ROOTS]


def _concerns(base: str, address: str) -> bool:
    """Whether one of two addresses is the other or lies below it."""
    return base == address or f"{base}/".startswith(f"{address}/") or (
        f"{address}/".startswith(f"{base}/")
    )  # fmt: skip


def _versions(body: bytes) -> list[tuple[str, str, str]]:
    """Version, path and binding of each entry; none of what is no such document."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return []
    listed = told.get("protocolVersions") if isinstance(told, dict) else None
    return [
        (one["version"], one["path"], str(one.get("binding", "")))
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, dict) and _is_entry(one)
    ]


def _is_entry(one: dict[str, Any]) -> bool:
    path = one.get("path")
    return isinstance(one.get("version"), str) and isinstance(path, str) and path.startswith("/")


def _chosen(peer: Participant, here: dict[str, tuple[str, str]]) -> str:
    ours = [base for base, (version, by) in here.items() if version == VERSION and by in _BINDINGS]
    if peer.address in ours:
        return peer.address
    if len(ours) == 1:
        return ours[0]
    if ours:
        raise Conflict("it speaks our version at several addresses: register one of them")
    spoken = ", ".join(sorted({version[:20] for version, _ in here.values()}))
    raise Conflict(f"it does not speak version {VERSION} of the protocol; it names {spoken}")
