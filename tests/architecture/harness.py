"""Every endpoint, asked by everybody: no one, another department, and each role.

Both products are asked in this way, each on a real database; department A owns one of each kind of
thing. A request's effects are rolled back, so that each actor finds the same city.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from foundation.access import policy
from foundation.access.service import Gate, People
from foundation.kernel.actor import Actor
from foundation.kernel.database import Database
from foundation.kernel.errors import Conflict
from foundation.surface import auth
from foundation.surface.api import conditions

NOBODY, NEIGHBOUR = "nobody", "neighbour"
PASSWORD = "a long enough phrase"

#: Endpoints of both products for everybody, with no action to declare.
PUBLIC = {
    "GET /api/v1/openapi.json",
    "GET /healthz",
    "GET /metrics",
    "GET /readyz",
    "GET /sign-in",
    "GET /static/<path:filename>",
    "GET /theme.css",
    "POST /api/v1/login",
    "POST /sign-in",
}
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_SYSTEM = Actor.system("test")


@dataclass(frozen=True, slots=True)
class Cast:
    """Who asks a product.

    Attributes:
        package: of the product.
        administrator: the role that holds every action, at the root.
        a, b: the path of the department that owns the things, and of another one.
        public: endpoints for everybody.
        tokens: secrets of further actors, by name.
        asked_by_services: actions that no endpoint asks for.
    """

    package: str
    administrator: str
    a: str
    b: str
    public: frozenset[str] = frozenset(PUBLIC)
    tokens: Mapping[str, str] = field(default_factory=dict)
    asked_by_services: frozenset[str] = frozenset()

    @property
    def table(self) -> policy.Table:
        return policy.table_of(self.package)

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(sorted(self.table.roles))

    @property
    def actors(self) -> tuple[str, ...]:
        """No one; somebody with every role of another department; each role; the further ones."""
        return (NOBODY, NEIGHBOUR, *self.roles, *self.tokens)


@dataclass(frozen=True, slots=True)
class Services:
    """What makes people and undoes what they did."""

    people: People
    gate: Gate
    database: Database


class _RolledBack(Exception):
    """Ends a transaction without a trace."""


class ReachedOutside(Conflict):
    """A request came past every check, to where it would call the outside."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method of a route.

    Attributes:
        name: such as ``POST /api/v1/orders/<id>/submit``.
        action: what the view declares.
    """

    name: str
    method: str
    rule: Rule
    action: str | None
    changes_a_version: bool

    @property
    def nouns(self) -> list[str]:
        """What the address has ids of."""
        parts = self.rule.rule.split("/")
        return [noun for noun, part in pairwise(parts) if part.startswith("<")]

    @property
    def is_page(self) -> bool:
        return not self.rule.rule.startswith("/api/")


def endpoints(app: APIFlask) -> Iterator[Endpoint]:
    """All of an application, by name."""
    found = []
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        action = auth.declared(view)
        versioned = hasattr(view, conditions.MARK)
        found += [
            Endpoint(f"{method} {rule.rule}", method, rule, action, versioned)
            for method in _METHODS
            if method in (rule.methods or ())
        ]
    return iter(sorted(found, key=lambda endpoint: (endpoint.rule.rule, endpoint.method)))


@dataclass(frozen=True, slots=True)
class Things:
    """What there is to ask about.

    Attributes:
        ids: for each noun of an address (``orders`` in ``/orders/<id>``) the id of one that
            department A owns, or of the platform's own.
        owned: ids of things that only department A may know of.
        bodies: for each endpoint's name the JSON of a request that the platform administrator may
            make; of a page, its form.
        queries: for an endpoint's name, the query that it needs.
        types: for an endpoint's name, the content type of its body, when it is not JSON.
    """

    ids: Mapping[str, str]
    owned: frozenset[str]
    bodies: Mapping[str, Any]
    queries: Mapping[str, Mapping[str, str]]
    types: Mapping[str, str]


class Asker:
    """Sends requests as somebody and undoes what they did."""

    def __init__(self, app: APIFlask, services: Services, things: Things, cast: Cast) -> None:
        self._app = app
        self._services = services
        self._things = things
        self._cast = cast
        self._tokens = {role: self._somebody(role, {role: self._home(role)}) for role in cast.roles}
        neighbours = {role: cast.b for role in cast.roles if role != cast.administrator}
        self._tokens |= cast.tokens
        self._tokens[NEIGHBOUR] = self._somebody("neighbour", neighbours)
        # Whatever calls the outside has let the caller in.
        services.database.assert_no_transaction = _outside  # type: ignore[method-assign]

    def _home(self, role: str) -> str:
        return policy.ROOT if role == self._cast.administrator else self._cast.a

    def _somebody(self, login: str, grants: Mapping[str, str]) -> str:
        """A person with these roles; answers the secret of their token."""
        people, name = self._services.people, f"test-{login.replace('_', '-')}"
        home = next(iter(grants.values()))
        person = people.create_person(_SYSTEM, login=name, name=name, path=home, password=PASSWORD)
        for role, path in grants.items():
            people.grant(_SYSTEM, principal_id=person.id, role=role, path=path)
        actor = Actor(person.id, person.name, person.kind)
        return self._services.gate.create_token(actor, name="test")[1]

    def ask(
        self, endpoint: Endpoint, who: str, instead: Mapping[str, str] | None = None
    ) -> tuple[str, str]:
        """What an actor gets: ``yes`` or the status of the refusal, and the text of the answer.

        Args:
            endpoint: what is asked.
            who: one of the cast's actors.
            instead: what to say in place of ids and paths, in address, query and body.
        """
        if endpoint.method == "GET":
            return self._send(endpoint, who, instead or {})
        outcome = ("", "")
        with contextlib.suppress(_RolledBack), self._services.database.transaction():
            outcome = self._send(endpoint, who, instead or {})
            raise _RolledBack
        return outcome

    def _send(self, endpoint: Endpoint, who: str, instead: Mapping[str, str]) -> tuple[str, str]:
        client: FlaskClient = self._app.test_client()
        headers = {}
        if who != NOBODY:
            headers["Authorization"] = f"Bearer {self._tokens[who]}"
        if endpoint.changes_a_version:
            headers["If-Match"] = self._tag(client, endpoint)
        body = replaced(self._things.bodies.get(endpoint.name), instead)
        options: dict[str, Any] = {}
        if endpoint.method != "GET" and endpoint.is_page:
            options["data"] = body or {}
        elif endpoint.method in {"POST", "PUT", "PATCH"} and body is not None:
            options["data"] = json.dumps(body)
            options["content_type"] = self._things.types.get(endpoint.name, "application/json")
        response = client.open(
            replaced(self.address(endpoint), instead),
            method=endpoint.method,
            headers=headers,
            query_string=replaced(self._things.queries.get(endpoint.name, {}), instead),
            **options,
        )
        with response:
            streams = response.mimetype == "text/event-stream"
            text = "" if streams else response.get_data().decode(errors="replace")
            return _outcome(response.status_code, response.headers.get("Location", "")), text

    def _tag(self, client: FlaskClient, endpoint: Endpoint) -> str:
        admin = {"Authorization": f"Bearer {self._tokens[self._cast.administrator]}"}
        return client.get(self.address(endpoint), headers=admin).headers.get("ETag", "none")

    def status(
        self, endpoint: Endpoint, address: str, query: str = "", form: Any = None
    ) -> tuple[int, str]:
        """What the platform's administrator gets for an address, query and form of any kind."""
        if endpoint.method == "GET":
            return self._status(endpoint, address, query, form)
        outcome = (0, "")
        with contextlib.suppress(_RolledBack), self._services.database.transaction():
            outcome = self._status(endpoint, address, query, form)
            raise _RolledBack
        return outcome

    def _status(self, endpoint: Endpoint, address: str, query: str, form: Any) -> tuple[int, str]:
        client: FlaskClient = self._app.test_client()
        headers = {"Authorization": f"Bearer {self._tokens[self._cast.administrator]}"}
        response = client.open(
            address, method=endpoint.method, headers=headers, query_string=query, data=form
        )
        with response:
            streams = response.mimetype == "text/event-stream"
            return response.status_code, "" if streams else response.get_data().decode(
                errors="replace"
            )

    def address(self, endpoint: Endpoint) -> str:
        """The endpoint's address with the ids of real things in it."""
        parts, noun = [], ""
        for part in endpoint.rule.rule.split("/"):
            parts.append(self._things.ids[noun] if part.startswith("<") else part)
            noun = part
        return "/".join(parts)

    def leaks(self, text: str) -> list[str]:
        """The ids in an answer that only department A may know of."""
        return sorted(one for one in self._things.owned if one.partition("_")[2] in text)


def replaced(value: Any, instead: Mapping[str, str]) -> Any:
    """A text or JSON value with other texts in place of some."""
    text = json.dumps(value, ensure_ascii=False)
    for old, new in instead.items():
        text = text.replace(old, new)
    return json.loads(text)


def _outcome(status: int, location: str) -> str:
    if location.startswith("/sign-in?next="):
        return "401"
    passed = {409, 412}  # let in, and the state of the thing forbids it
    return "yes" if status < 400 or status in passed else str(status)


def _outside() -> None:
    raise ReachedOutside("this is where the outside would be called")
