"""The servers of a deployment, as its outputs and resources tell them.

A blueprint with servers says ``server_ids`` and ``server_addresses``, both in one order, and may
say ``server_names``, ``server_users`` and ``server_ssh_ports`` in the same, and
``public_addresses`` where each server has one.
"""

import ipaddress
import re
from collections.abc import Sequence
from typing import Any

from control_plane.provisioning.model import Deployment, Resource
from control_plane.provisioning.playbooks.model import MOST_HOSTS, Access, Server
from foundation.kernel.errors import Conflict

_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]{1,63})*\.?")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
_HIGHEST_PORT = 65535


def is_user(name: str) -> bool:
    """Whether it can be the name of a user of a server."""
    return _USER.fullmatch(name) is not None


def servers_of(
    there: Deployment, resources: Sequence[Resource], access: Access
) -> tuple[Server, ...]:
    """The servers, in the order of the outputs.

    Nothing of an output is believed: an address or a user that is none would be an option of SSH.

    Raises:
        Conflict: there are none, or the outputs do not go together.
    """
    addresses = _listed(there, "server_addresses")
    if not addresses:
        raise Conflict(f"{there.name} has no servers that a playbook could run on")
    ids = _listed(there, "server_ids") or [f"{there.id}-{n}" for n in range(len(addresses))]
    if access.reach == "public":
        public = _listed(there, "public_addresses")
        if len(public) != len(addresses):
            raise Conflict("not every server has a public address: reach them from inside")
        addresses = public
    users = _listed(there, "server_users") or [access.user] * len(addresses)
    ports = _listed(there, "server_ssh_ports") or [access.port] * len(addresses)
    names = _listed(there, "server_names") or _names(ids, resources)
    if len({len(each) for each in (addresses, ids, users, ports, names)}) != 1:
        raise Conflict("the outputs of the deployment do not name the same number of servers")
    if len(addresses) > MOST_HOSTS:
        raise Conflict(f"a run has {MOST_HOSTS} servers at most")
    found = tuple(_server(*each) for each in zip(names, ids, addresses, users, ports, strict=True))
    if len({s.name for s in found}) != len(found) or len({s.alias for s in found}) != len(found):
        raise Conflict("the outputs of the deployment name a server twice")
    return found


def _listed(there: Deployment, output: str) -> list[Any]:
    value = there.outputs.get(output)
    return list(value) if isinstance(value, list | tuple) else []


def _names(ids: Sequence[Any], resources: Sequence[Resource]) -> list[str]:
    known = {r.physical_id: r.name for r in resources if r.physical_id}
    return [known.get(str(each), f"server-{n}") for n, each in enumerate(ids, start=1)]


def _server(name: Any, alias: Any, address: Any, user: Any, port: Any) -> Server:  # noqa: ANN401
    address = str(address)
    if not (_is_address(address) or _HOST.fullmatch(address)):
        raise Conflict(f"the server {name} has no address yet")
    if not isinstance(user, str) or not is_user(user):
        raise Conflict(f"the server {name} has no user to sign in as")
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port <= _HIGHEST_PORT:
        raise Conflict(f"the server {name} has no port to sign in by")
    plain = _UNFIT.sub("-", str(name)).strip("-.")[:60] or "server"
    kept = _UNFIT.sub("-", str(alias))[:200]
    if not _ALIAS.fullmatch(kept):
        raise Conflict(f"the server {name} has no id")
    return Server(plain, kept, address, user, port)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text
