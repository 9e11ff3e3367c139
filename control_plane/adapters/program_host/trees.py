"""Differences of property trees, the same for every engine.

A tree is flattened to its leaves, so that a create, an update and a replacement speak of the same
paths. Markers (secret, unknown) are leaves.
"""

from collections.abc import Callable, Iterator, Mapping

from control_plane.provisioning.graph import Json, PropertyChange, is_secret, is_unknown


def leaves(tree: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Yield the leaves of a tree with their paths (``networks[0].uuid``).

    A name that holds a dot is written ``["borough.dev/tenancy"]``. An empty object or list is a
    leaf.
    """
    if isinstance(tree, Mapping) and tree and not is_secret(tree) and not is_unknown(tree):
        for name, value in tree.items():
            yield from leaves(value, _below(path, name))
    elif isinstance(tree, list) and tree:
        for index, value in enumerate(tree):
            yield from leaves(value, f"{path}[{index}]")
    elif path:
        yield path, tree


def _below(path: str, name: str) -> str:
    if "." in name or "[" in name:
        return f'{path}["{name}"]'
    return f"{path}.{name}" if path else name


def differences(
    before: Mapping[str, Json],
    after: Mapping[str, Json],
    forces: Callable[[str], bool] = lambda _path: False,
) -> tuple[PropertyChange, ...]:
    """Return what differs between two trees, ordered by path.

    Args:
        before: The recorded tree; empty for a create.
        after: The wanted tree; empty for a delete.
        forces: Tells which paths cannot change in place.
    """
    old, new = dict(leaves(dict(before))), dict(leaves(dict(after)))
    return tuple(
        PropertyChange(path, old.get(path), new.get(path), forces(path))
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    )


def outline(inputs: Mapping[str, Json]) -> tuple[PropertyChange, ...]:
    """Return the properties of a resource that is made."""
    return differences({}, inputs)
