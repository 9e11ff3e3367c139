"""Who may do what: a table of roles and actions, applied to grants on the tree of organisations.

The table is data: each product declares its own (``foundation/products.py``). A grant of a role on
a path holds for that path and all below.
Actions under ``everywhere`` need the role on any path: what they show is the whole platform's.
"""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources

from foundation import products
from foundation.kernel import yaml_text
from foundation.kernel.actor import Actor, ActorKind
from foundation.kernel.errors import Forbidden, NotFound

ROOT = "/"

# Whole sentences, because pages have them translated.
_UNKNOWN = {
    "account": "there is no such person or service account",
    "grant": "there is no such grant",
    "operation": "there is no such operation",
    "scope": "there is no such organisation or tenancy",
    "thing": "there is no such thing",
    "token": "there is no such token",
}


@dataclass(frozen=True, slots=True)
class Table:
    """The table of roles and actions.

    Attributes:
        roles: each role with its titles, English and Chinese.
        actions: the roles that hold each action on the path of their grant and below.
        everywhere: the same for actions that do not depend on a path.
    """

    roles: Mapping[str, Mapping[str, str]]
    actions: Mapping[str, frozenset[str]]
    everywhere: Mapping[str, frozenset[str]]

    def roles_of(self, action: str) -> frozenset[str]:
        """The roles that hold an action.

        Raises:
            LookupError: no such action; a defect of the caller.
        """
        found = self.actions.get(action) or self.everywhere.get(action)
        if found is None:
            raise LookupError(f"{action} is not in roles.yaml")
        return found

    def actions_of(self, role: str) -> frozenset[str]:
        """All actions that a role holds."""
        both = [*self.actions.items(), *self.everywhere.items()]
        return frozenset(action for action, roles in both if role in roles)

    def all_actions(self) -> frozenset[str]:
        """Every action that there is."""
        return frozenset(self.actions) | frozenset(self.everywhere)


def parse(text: str) -> Table:
    """Read a table.

    Raises:
        ValueError: an unknown role, an empty or unsorted list, or an action in both parts.
    """
    data = yaml_text.read(text)
    roles = data["roles"]
    for part in ("actions", "everywhere"):
        names = list(data[part])
        if names != sorted(names):
            raise ValueError(f"{part} must be sorted by name")
        for action, holders in data[part].items():
            unknown = set(holders) - set(roles)
            if unknown or not holders:
                raise ValueError(f"{action}: roles must be known and not none: {sorted(unknown)}")
    twice = set(data["actions"]) & set(data["everywhere"])
    if twice:
        raise ValueError(f"in both parts: {sorted(twice)}")
    return Table(
        roles,
        {action: frozenset(holders) for action, holders in data["actions"].items()},
        {action: frozenset(holders) for action, holders in data["everywhere"].items()},
    )


def table() -> Table:
    """The table of all products in this process, which is one unless tests bring several."""
    return _joined(tuple(products.declared()))


def table_of(package: str) -> Table:
    """The table of one product by its package.

    Raises:
        LookupError: it declared none.
    """
    return _joined((products.declared_by(package),))


@functools.cache
def _joined(declared: tuple[products.Product, ...]) -> Table:
    if not declared:
        raise LookupError("no product declared its roles")
    roles: dict[str, Mapping[str, str]] = {}
    parts: tuple[dict[str, frozenset[str]], ...] = ({}, {})
    for product in declared:
        text = resources.files(product.package).joinpath(product.roles).read_text("utf-8")
        read = parse(text)
        roles.update(read.roles)
        for joined, part in zip(parts, (read.actions, read.everywhere), strict=True):
            for action, holders in part.items():
                joined[action] = joined.get(action, frozenset()) | holders
    return Table(roles, *parts)


def allows(actor: Actor, action: str, path: str) -> bool:
    """Whether the actor may do this to a thing of the organisation at ``path``."""
    if action in table().everywhere:
        return bool(_holding(actor, action))
    return any(path.startswith(prefix) for prefix in _holding(actor, action))


def unknown(noun: str = "thing") -> NotFound:
    """What is said of a thing that is not there, and of one that the actor may not know of.

    Raises:
        LookupError: the noun is none of those with a sentence; a defect of the caller.
    """
    for known in (_UNKNOWN, *(product.unknown for product in products.declared())):
        if noun in known:
            return NotFound(known[noun])
    raise LookupError(f"there is no sentence for an unknown {noun}")


def require(actor: Actor, action: str, path: str, noun: str = "thing") -> None:
    """Refuse unless the actor may do this to a thing of the organisation at ``path``.

    Args:
        noun: what the thing is called where it is not there, so that both answers are the same.

    Raises:
        NotFound: the path is none of the actor's business: it does not learn what is there.
        Forbidden: the actor belongs there and its roles do not allow this, or it is about the
            platform as a whole, which is no secret.
    """
    if allows(actor, action, path):
        return
    if path == ROOT or any(grant.covers(path) for grant in actor.grants):
        raise Forbidden(f"this needs the permission {action} on {path}", action=action, path=path)
    raise unknown(noun)


def may_somewhere(actor: Actor, action: str) -> bool:
    """Whether the actor holds the action on any path at all."""
    return bool(_holding(actor, action))


def visible_paths(actor: Actor, action: str) -> tuple[str, ...]:
    """The shortest prefixes of paths on which the actor holds the action; empty for none.

    Lists filter by them: a row is visible when its path begins with one of these.
    """
    holding = _holding(actor, action)
    if action in table().everywhere and holding:
        return (ROOT,)
    return _shortest(holding)


def _holding(actor: Actor, action: str) -> tuple[str, ...]:
    """The paths on which the actor holds the action, its token's scopes considered."""
    roles = table().roles_of(action)
    if actor.kind is ActorKind.SYSTEM:
        return (ROOT,)
    if not in_scope(actor.scopes, action):
        return ()
    return tuple(grant.path for grant in actor.grants if grant.role in roles)


def in_scope(scopes: frozenset[str] | None, action: str) -> bool:
    """Whether a token's scopes admit an action: by name, ``noun.*``, ``*.verb``; None: all."""
    if scopes is None:
        return True
    noun, _, verb = action.partition(".")
    return not scopes.isdisjoint({action, f"{noun}.*", f"*.{verb}"})


def _shortest(paths: Iterable[str]) -> tuple[str, ...]:
    kept: list[str] = []
    for path in sorted(set(paths)):
        if not any(path.startswith(prefix) for prefix in kept):
            kept.append(path)
    return tuple(kept)
