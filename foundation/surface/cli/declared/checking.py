"""What a document must look like is what the platform's own description says (OpenAPI 3.1)."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from foundation.surface.cli.client import Client
from foundation.surface.cli.declared.documents import Document, Wrong

_WORDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "nothing",
}


class Description:
    """The platform's description of its API, read once."""

    def __init__(self, client: Client) -> None:
        self._spec: dict[str, Any] = client.get("/openapi.json")

    def check(self, document: Document, body: Mapping[str, Any], model: str, wrong: Wrong) -> None:
        """Note everything that is wrong with what would be sent.

        Args:
            document: where it stands; fields are looked for below its ``spec``.
            body: what would be sent.
            model: the name of the request's model in the description.
            wrong: takes the findings; they repeat no value, for it may be secret.
        """
        from jsonschema import Draft202012Validator  # noqa: PLC0415 - 0.1 s

        schema = {"$ref": f"#/components/schemas/{model}", "components": self._spec["components"]}
        for error in Draft202012Validator(schema).iter_errors(_plain(body)):
            for path, message in _findings(error):
                wrong.at(document, f"spec.{path}" if path else "spec", message)


def _plain(value: Any) -> Any:  # noqa: ANN401 - any YAML
    """As JSON has it: names are texts."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _findings(error: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - jsonschema's
    """An error as dotted fields with clauses."""
    path = ".".join(str(step) for step in error.absolute_path)
    rule = error.validator
    if rule in {"anyOf", "oneOf"}:
        for inner in _meant(error):
            yield from _findings(inner)
    elif rule == "required":
        # jsonschema tells of each missing name by itself.
        missing = [name for name in error.validator_value if f"'{name}' is a" in error.message]
        yield from ((_below(path, name), "is required") for name in missing)
    elif rule == "additionalProperties" and isinstance(error.validator_value, bool):
        known = error.schema.get("properties", {})
        names = ", ".join(sorted(known))
        strange = [name for name in error.instance if name not in known]
        yield from ((_below(path, name), f"is not a field (known: {names})") for name in strange)
    else:
        yield path, _clause(str(rule), error.validator_value)


def _meant(error: Any) -> list[Any]:  # noqa: ANN401
    """The findings of the alternative that is meant: not nothing, and the one that got farthest."""
    branches: dict[int, list[Any]] = {}
    for inner in error.context:
        branches.setdefault(inner.schema_path[0], []).append(inner)
    meant = [found for found in branches.values() if found[0].validator_value != "null"]
    return max(meant, key=lambda found: max(len(e.absolute_path) for e in found), default=[])


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _clause(rule: str, value: Any) -> str:  # noqa: ANN401 - any JSON
    if rule == "type":
        kinds = value if isinstance(value, list) else [value]
        return f"must be {' or '.join(str(_WORDS.get(kind, kind)) for kind in kinds)}"
    clauses: dict[str, Callable[[], str]] = {
        "enum": lambda: f"must be one of {', '.join(str(one) for one in value)}",
        "const": lambda: f"must be {value}",
        "pattern": lambda: f"must have the form {value}",
        "minLength": lambda: "must not be empty" if value == 1 else f"is shorter than {value}",
        "maxLength": lambda: f"must have {value} characters or fewer",
        "minItems": lambda: f"must have {value} entries or more",
        "maxItems": lambda: f"must have {value} entries or fewer",
        "minimum": lambda: f"must be {value} or more",
        "maximum": lambda: f"must be {value} or less",
    }
    return clauses[rule]() if rule in clauses else f"is wrong ({rule})"
