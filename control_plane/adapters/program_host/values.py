"""Property values: Pulumi's wire form, plain JSON with markers, and masked JSON.

Pulumi marks secrets, unknowns, assets and references inside of ``google.protobuf.Struct`` by
signatures (https://www.pulumi.com/docs/iac/concepts/, ``sdk/go/common/resource/sig.go``). Here
they become markers in JSON:

=====================  =============================================================
``{"$unknown": true}``  only the cloud will know
``{"$clear": value}``   a secret in clear; never leaves the engine
``{"$secret": d}``      a secret, masked (see ``provisioning.graph``)
``{"$asset": {...}}``   a file, text or archive
=====================  =============================================================
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a public constant of the format
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"
ASSETS = ("c44067f5952c0a294b673a41bacd8c17", "0def7320c3a5731c473e5ecbe6d01bc7")
UNKNOWN_TEXTS = frozenset(
    {
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
"""How an unknown computed, boolean, number, string, array, asset, archive or object looks."""

HIDDEN = "hidden"
"""In place of a digest where the CLI shows that there is a secret and not which."""

UNKNOWN: dict[str, Any] = {"$unknown": True}
_UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_SECRET_NAMES = re.compile(r"pass|secret|token|key|kubeconfig|seed|credential", re.IGNORECASE)
_SHORTEST_SECRET = 8


def read_struct(struct: Any) -> dict[str, Any]:  # noqa: ANN401 - protobuf classes are made at run time
    """Return a protobuf Struct as JSON with markers."""
    return {name: read_value(value) for name, value in sorted(struct.fields.items())}


def read_value(value: Any) -> Any:  # noqa: ANN401 - one return per kind of value
    """Return a protobuf Value as JSON with markers."""
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return dict(UNKNOWN) if value.string_value in UNKNOWN_TEXTS else value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) < 2**53 else number
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [read_value(item) for item in value.list_value.values]
    if kind == "struct_value":
        return read_marked(read_struct(value.struct_value))
    return None


def read_marked(tree: dict[str, Any]) -> Any:  # noqa: ANN401, PLR0911 - one per signature
    """Return what a signed object means; an object without signature is itself."""
    signature = tree.get(SIGNATURE)
    if signature is None:
        return tree
    rest = {k: v for k, v in tree.items() if k != SIGNATURE}
    if signature == SECRET:
        # The CLI writes secrets as JSON text, or hides them; the wire has them as values.
        if "plaintext" in rest:
            return {"$clear": json.loads(rest["plaintext"])}
        return {"$clear": rest["value"]} if "value" in rest else {"$secret": HIDDEN}
    if signature == OUTPUT:
        inner = rest["value"] if "value" in rest else dict(UNKNOWN)
        return {"$clear": inner} if rest.get("secret") else inner
    if signature == RESOURCE:
        return rest.get("id") or rest.get("urn")
    if signature in ASSETS:
        return {"$asset": rest}
    return rest


def read_json(tree: Any) -> Any:  # noqa: ANN401
    """Return Pulumi's own JSON (events, exported state) as JSON with markers.

    Names that begin with two underscores are the bridge's own notes and are left out.
    """
    if isinstance(tree, Mapping):
        return read_marked({k: read_json(v) for k, v in tree.items() if not k.startswith("__")})
    if isinstance(tree, list):
        return [read_json(item) for item in tree]
    if isinstance(tree, str) and tree in UNKNOWN_TEXTS:
        return dict(UNKNOWN)
    return tree


def write_struct(tree: Mapping[str, Any], struct: Any) -> None:  # noqa: ANN401
    """Fill a protobuf Struct from JSON with markers."""
    struct.update({name: _write(value) for name, value in tree.items()})


def _write(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, Mapping):
        if value.get("$unknown") is True:
            return _UNKNOWN_TEXT
        if "$clear" in value:
            return {SIGNATURE: SECRET, "value": _write(value["$clear"])}
        return {name: _write(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_write(item) for item in value]
    return value


def clear(value: Any) -> Any:  # noqa: ANN401
    """Return a value with its secrets in clear and unmarked."""
    if isinstance(value, Mapping):
        if "$clear" in value and len(value) == 1:
            return clear(value["$clear"])
        return {name: clear(item) for name, item in value.items()}
    if isinstance(value, list):
        return [clear(item) for item in value]
    return value


def contains(value: Any, marker: str) -> bool:  # noqa: ANN401
    """Tell whether a marker (``$clear``, ``$unknown``, …) occurs anywhere in a value."""
    if isinstance(value, Mapping):
        return marker in value or any(contains(item, marker) for item in value.values())
    return isinstance(value, list) and any(contains(item, marker) for item in value)


def secret_texts(tree: Any, *, named: bool = False) -> Iterator[str]:  # noqa: ANN401
    """Yield the texts in a tree of credentials that must never be shown.

    That is every text of some length below a name such as password, token or key; names of users
    and domains are no secrets.
    """
    if isinstance(tree, Mapping):
        for name, item in tree.items():
            yield from secret_texts(item, named=named or bool(_SECRET_NAMES.search(str(name))))
    elif isinstance(tree, list):
        for item in tree:
            yield from secret_texts(item, named=named)
    elif named and isinstance(tree, str) and len(tree) >= _SHORTEST_SECRET:
        yield tree


class Masker:
    """Replaces secrets by keyed digests.

    Args:
        key: Key of the digests; the same key and secret give the same digest.
        credentials: Secrets of the operation, which are masked wherever they occur, also where a
            program forgot to mark them.
    """

    def __init__(self, key: bytes, credentials: Any = None) -> None:  # noqa: ANN401
        self._key = key
        self._known = sorted(set(secret_texts(credentials)), key=len, reverse=True)

    def digest(self, value: Any) -> str:  # noqa: ANN401
        """Return the digest that stands for a secret."""
        if contains(value, "$unknown"):
            return "unknown"
        text = json.dumps(clear(value), sort_keys=True, ensure_ascii=False)
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:32]

    def mask(self, value: Any) -> Any:  # noqa: ANN401
        """Return a value with every secret replaced by its marker."""
        if isinstance(value, Mapping):
            if "$clear" in value and len(value) == 1:
                return {"$secret": self.digest(value["$clear"])}
            return {name: self.mask(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.mask(item) for item in value]
        if isinstance(value, str) and any(secret in value for secret in self._known):
            return {"$secret": self.digest(value)}
        return value

    def text(self, text: str) -> str:
        """Return words for people without the known secrets."""
        for secret in self._known:
            text = text.replace(secret, "[secret]")
        return text


def stack_key(key: bytes, deployment: str) -> bytes:
    """Return the key of one deployment's digests; a program may know its own."""
    return hmac.new(key, b"mask:" + deployment.encode(), hashlib.sha256).digest()
