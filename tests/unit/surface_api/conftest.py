"""A small application with one feature, on a real database."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from flask import Response
from flask.testing import FlaskClient
from pydantic import Field

from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.database import Database
from foundation.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NeedsApproval,
    NotFound,
    PreconditionFailed,
    Problem,
    QuotaExceeded,
    Unauthenticated,
    Unavailable,
)
from foundation.kernel.secretbox import SecretBox
from foundation.kernel.time import Clock
from foundation.products import Product
from foundation.surface import auth, registry
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    DecimalText,
    Input,
    Instant,
    Line,
    MoneyBody,
    PageOut,
    PageQuery,
    Schema,
    Slug,
    check_match,
    created,
    current_actor,
    etag,
    headers,
    idempotency_key,
    idempotent,
    idempotent_outside,
    limits,
    openapi,
    problems,
    public,
    rehearsable,
    requires,
    requires_match,
    signed_in,
    with_etag,
)
from foundation.surface.runtime import Runtime

ERRORS = {
    "invalid": Invalid([Problem("a.b", "is wrong"), Problem("c", "is missing", "required")]),
    "unauthenticated": Unauthenticated("who?"),
    "forbidden": Forbidden("no"),
    "not_found": NotFound("none"),
    "conflict": Conflict("not now"),
    "quota_exceeded": QuotaExceeded("too much", level="/c/", limit="5"),
    "needs_approval": NeedsApproval("it changed", difference={"add": ["x"]}),
    "precondition_failed": PreconditionFailed("changed"),
    "unavailable": Unavailable("later", retry_after=7.2),
}


class ThingCreate(Input):
    name: Line
    count: int = 1
    price: MoneyBody | None = None
    tags: Annotated[list[Slug], Field(default_factory=list)]
    at: Instant | None = None
    ratio: DecimalText | None = None


class ThingOut(Schema):
    name: str
    number: int


class ThingQuery(PageQuery):
    state: str | None = None
    tags: Annotated[list[str], Field(default_factory=list)]
    archived: bool = False


class Things:
    """What the views work on: rows in a real table, and doors to hold a request at."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.entered = threading.Event()
        self.leave = threading.Event()
        self.leave.set()
        self.calls = 0
        self.fail: Exception | None = None

    def add(self, name: str) -> int:
        self.calls += 1
        with self.database.transaction():
            self.database.execute(sa.text("INSERT INTO thing (name) VALUES (:n)"), {"n": name})
            number = self.count()
        self.entered.set()
        assert self.leave.wait(10)
        if self.fail is not None:
            raise self.fail
        return number

    def count(self) -> int:
        with self.database.transaction():
            return self.database.execute(sa.text("SELECT count(*) FROM thing")).scalar_one()


@dataclass
class FakeAuthenticator:
    """Tokens are names; the name ``stranger`` is unknown. One session, ``cookie``."""

    actions: dict[str, set[str]] = field(
        default_factory=lambda: {"ann": {"thing.view", "thing.create"}, "bob": {"thing.view"}}
    )

    def by_token(self, secret: str) -> auth.Identity:
        if secret not in self.actions:
            raise Unauthenticated("the token is not valid")
        return auth.Identity(self._actor(secret), token_id="tok")

    def by_session(self, secret: str) -> auth.Identity | None:
        if secret != "cookie":
            return None
        return auth.Identity(self._actor("ann"), csrf_token="proof", session_id="ses")

    def may_somewhere(self, actor: Actor, action: str) -> bool:
        return action in self.actions[actor.name]

    @staticmethod
    def _actor(name: str) -> Actor:
        return Actor(PrincipalId(name), name, ActorKind.PERSON, (Grant("member", "/c/"),))


def _blueprint(things: Things) -> ApiBlueprint:
    api = ApiBlueprint("things", __name__, tag="Things")

    @api.get("/things")
    @requires("thing.view")
    @api.input(ThingQuery, location="query")
    @api.output(PageOut[ThingOut])
    def list_things(query_data: ThingQuery) -> Answer:
        """List things."""
        return {"items": [{"name": query_data.model_dump_json(), "number": 1}], "next": None}

    @api.post("/things")
    @requires("thing.create")
    @rehearsable
    @idempotent
    @api.input(ThingCreate)
    @api.output(ThingOut, 201)
    def create_thing(json_data: ThingCreate) -> Answer:
        """Create a thing."""
        number = things.add(json_data.name)
        return created({"name": json_data.name, "number": number}, f"/api/v1/things/{number}")

    @api.post("/slow-things")
    @requires("thing.create")
    @idempotent_outside
    @api.input(ThingCreate)
    @api.output(ThingOut, 201)
    def create_slow_thing(json_data: ThingCreate) -> Answer:
        """Create a thing with the help of the outside."""
        things.database.assert_no_transaction()
        return {"name": idempotency_key() or "", "number": things.add(json_data.name)}

    @api.patch("/things/<int:number>")
    @requires("thing.create")
    @requires_match
    @api.output(ThingOut)
    def change_thing(number: int) -> Answer:
        """Change a thing."""
        check_match(etag(number))
        return with_etag({"name": "x", "number": number}, etag(number))

    @api.get("/things/<int:number>")
    @requires("thing.view")
    @api.output(ThingOut)
    def get_thing(number: int) -> Answer:
        """One thing."""
        return with_etag({"name": "x", "number": number}, etag(number))

    @api.get("/me")
    @signed_in
    @api.output(ThingOut)
    def get_me() -> Answer:
        """Who asks."""
        return {"name": current_actor().name, "number": 0}

    @api.get("/errors/<code>")
    @public
    @api.doc(hide=True)
    def get_error(code: str) -> Answer:
        """An error."""
        raise ERRORS[code]

    return api


@pytest.fixture
def things(database: Database) -> Things:
    with database.transaction():
        database.execute(sa.text("CREATE TABLE thing (name text NOT NULL)"))
    return Things(database)


@pytest.fixture
def app(things: Things, database: Database, clock: Clock) -> APIFlask:
    app = APIFlask("t", title="T", version="1", spec_path=openapi.SPEC_PATH, docs_path=None)
    app.config["MAX_CONTENT_LENGTH"] = 10_000
    registry.provide(app, Runtime(database, clock, SecretBox([b"k" * 32])))
    problems.install(app)
    headers.install(app)
    auth.install(
        app,
        FakeAuthenticator(),
        Product("tests", title="Tests", program="borough", cookie="borough_session"),
    )
    limits.install(app, limits.Limits(limits.Rate(50, 1000), limits.Rate(1, 100)))
    openapi.configure(app)
    app.register_blueprint(_blueprint(things))

    @app.post("/page")
    @signed_in
    def page() -> Response:
        return Response("page")

    return app


@pytest.fixture
def client(app: APIFlask) -> Iterator[FlaskClient]:
    with app.test_client() as client:
        yield client


@pytest.fixture
def ann() -> dict[str, str]:
    return {"Authorization": "Bearer ann"}
