"""What a product that stands on this foundation says of itself, before anything of it runs.

A product's package declares itself when it is imported (``control_plane/__init__.py``), so this
module imports nothing that takes time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Product:
    """A product.

    Attributes:
        package: its package.
        roles: the file of its roles and actions in the package (``access.policy``).
        unknown: for a noun of its own, the sentence that says there is no such thing.
        title: its name in the API's description.
        program: the command line of it, which pages and the API's description name.
        parts: further packages that belong to it. Its texts in other languages lie in
            ``translations`` in the first one.
        cookie: the name of its session's cookie; a browser sends a host's to all of its ports.
    """

    package: str
    title: str
    program: str
    cookie: str
    parts: tuple[str, ...] = ()
    roles: str = "roles.yaml"
    unknown: Mapping[str, str] = field(default_factory=dict, hash=False)


_declared: dict[str, Product] = {}


def declare(product: Product) -> None:
    """Make a product known to this process."""
    _declared[product.package] = product


def declared() -> Iterator[Product]:
    """The products of this process, in the order in which they came."""
    yield from _declared.values()


def declared_by(package: str) -> Product:
    """The product of a package.

    Raises:
        LookupError: it declared none.
    """
    try:
        return _declared[package]
    except KeyError:
        raise LookupError(f"{package} declared no product") from None
