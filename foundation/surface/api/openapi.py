"""The published description (OpenAPI 3.1): APIFlask's, completed with what holds everywhere."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from apiflask import APIFlask

from foundation.surface.api import conditions, idempotency, rehearsal
from foundation.surface.api.problems import API_PREFIX, PROBLEM_JSON
from foundation.surface.auth import PUBLIC, declared, product

#: Where the description is served.
SPEC_PATH = "/api/v1/openapi.json"

_SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API token (`{program} token create`): scoped, and it expires.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "{cookie}",
        "description": "The session of the web pages; unsafe requests also carry X-CSRF-Token.",
    },
}

_PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `code` is for machines; `errors` names every wrong field.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "details": {"type": "object"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "pointer", "message", "code"],
                "properties": {
                    "field": {"type": "string"},
                    "pointer": {"type": "string"},
                    "message": {"type": "string"},
                    "code": {"type": "string"},
                },
            },
        },
    },
}

_ANSWERS = {
    "400": "The request cannot be read",
    "401": "Nobody is signed in, or the token is not valid",
    "403": "The actor may not do this",
    "404": "There is no such thing, or the actor may not know of it",
    "409": "The state, the quota or the money does not allow this, or it needs a new approval",
    "412": "The thing has changed since (If-Match)",
    "413": "The request is too large",
    "415": "The body must be application/json",
    "422": "Fields are wrong; `errors` names all of them",
    "428": "If-Match is missing",
    "429": "Too many requests; see Retry-After",
    "503": "Something outside does not answer; see Retry-After",
}

_UNSAFE = frozenset({"post", "put", "patch", "delete"})

_KEY_PARAMETER = {
    "name": idempotency.HEADER,
    "in": "header",
    "required": False,
    "description": "Sent again with the same key, the request answers the same (for 24 hours).",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}
_REHEARSAL_PARAMETER = {
    "name": rehearsal.HEADER,
    "in": "header",
    "required": False,
    "description": "true: answer as if it were done, and change nothing.",
    "schema": {"type": "string", "enum": ["true"]},
}
_MATCH_PARAMETER = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag of the version that is changed.",
    "schema": {"type": "string"},
}


def _schemes(app: APIFlask) -> dict[str, dict[str, str]]:
    known = {"program": product(app).program, "cookie": product(app).cookie}
    return {
        name: {field: text.format_map(known) for field, text in scheme.items()}
        for name, scheme in _SCHEMES.items()
    }


def configure(app: APIFlask) -> None:
    """Complete the description of an application; call it before the first request."""
    app.config.update(
        AUTO_404_RESPONSE=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_AUTH_ERROR_RESPONSE=False,
        AUTO_OPERATION_ID=True,
        AUTO_SERVERS=False,
        SECURITY_SCHEMES=_schemes(app),
        DESCRIPTION=(
            f"The same verbs as the web pages and the `{product(app).program}` command. "
            "Errors are problem+json; lists are paged by cursor; long work answers 202 with an "
            "operation."
        ),
    )
    app.servers = [{"url": "/", "description": "This installation"}]

    @app.spec_processor
    def complete(spec: dict[str, Any] | str) -> dict[str, Any] | str:
        if isinstance(spec, str):
            raise TypeError("the description is made as JSON")
        # Health and metrics are for the operators' tools, not of the API.
        spec["paths"] = {p: i for p, i in spec["paths"].items() if p.startswith(API_PREFIX)}
        components = spec.setdefault("components", {})
        components.setdefault("schemas", {})["Problem"] = _PROBLEM
        components["responses"] = {_name(code): _answer(text) for code, text in _ANSWERS.items()}
        components["responses"]["Problem"] = _answer("A problem")
        for view, method, operation in _operations(app, spec):
            _complete(view, method, operation)
        return _flatten(spec)


def _name(code: str) -> str:
    return f"Problem{code}"


def _answer(text: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": text, "content": {PROBLEM_JSON: {"schema": schema}}}


def path_of(rule: str) -> str:
    """The path of the description for a Flask rule: ``/orders/<id>`` is ``/orders/{id}``."""
    return re.sub(r"<([^<:]+:)?", "{", rule).replace(">", "}")


def _operations(
    app: APIFlask, spec: dict[str, Any]
) -> Iterator[tuple[Callable[..., Any], str, dict[str, Any]]]:
    """Each operation of the description with the view that answers it."""
    for rule in app.url_map.iter_rules():
        path = path_of(rule.rule)
        for method in sorted(rule.methods or ()):
            operation = spec["paths"].get(path, {}).get(method.lower())
            if operation is not None:
                yield app.view_functions[rule.endpoint], method.lower(), operation


def _complete(view: Callable[..., Any], method: str, operation: dict[str, Any]) -> None:
    action = declared(view)
    operation["operationId"] = view.__name__
    operation["x-borough-action"] = action
    operation["security"] = [] if action == PUBLIC else [{"token": []}, {"session": []}]
    if "requestBody" in operation:
        operation["requestBody"]["required"] = True
    if getattr(view, idempotency.MARK, False):
        operation["parameters"].append(_KEY_PARAMETER)
    if getattr(view, rehearsal.MARK, False):
        operation["parameters"].append(_REHEARSAL_PARAMETER)
    if getattr(view, conditions.MARK, False):
        operation["parameters"].append(_MATCH_PARAMETER)
    for code in sorted(_codes(action, method, operation)):
        reference = {"$ref": f"#/components/responses/{_name(code)}"}
        operation["responses"].setdefault(code, reference)
    operation["responses"]["default"] = {"$ref": "#/components/responses/Problem"}


def _codes(action: str | None, method: str, operation: dict[str, Any]) -> set[str]:
    """The problems with which an operation may answer."""
    parameters = {(parameter["in"], parameter["name"]) for parameter in operation["parameters"]}
    body = "requestBody" in operation
    when = {
        ("400", "429", "503"): True,
        ("401", "403"): action != PUBLIC,
        ("403", "409", "412"): method in _UNSAFE,
        ("404",): any(place == "path" for place, _ in parameters),
        ("413", "415"): body,
        ("422",): body or bool(parameters),
        ("428",): ("header", "If-Match") in parameters,
    }
    return {code for codes, applies in when.items() if applies for code in codes}


_SCHEMAS = "#/components/schemas/"


def _flatten(spec: dict[str, Any]) -> dict[str, Any]:
    """Publish a model once under its own name, where APIFlask repeats it below each parent.

    Models of one name and different content keep their longer names; a test refuses them.
    """
    schemas = spec["components"]["schemas"]
    content: dict[str, list[Any]] = {}
    for name, schema in schemas.items():
        content.setdefault(_last(name), []).append(_renamed(schema, _last))
    same = {name for name, found in content.items() if all(one == found[0] for one in found)}

    def short(name: str) -> str:
        return _last(name) if _last(name) in same else name

    spec["components"]["schemas"] = {short(name): schema for name, schema in schemas.items()}
    flat: dict[str, Any] = _renamed(spec, short)
    return flat


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _renamed(value: Any, rename: Callable[[str], str]) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, list):
        return [_renamed(item, rename) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _SCHEMAS + rename(item.removeprefix(_SCHEMAS))
        if name == "$ref" and isinstance(item, str) and item.startswith(_SCHEMAS)
        else _renamed(item, rename)
        for name, item in value.items()
    }
