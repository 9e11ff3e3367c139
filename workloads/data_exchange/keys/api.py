"""Keys over HTTP."""

from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import Field

from foundation.kernel.paging import Page
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    created,
    current_actor,
    idempotent,
    public,
    requires,
    use,
)
from foundation.surface.runtime import Runtime
from workloads.data_exchange.keys.model import Key, KeyState
from workloads.data_exchange.keys.service import Keys

api = ApiBlueprint("keys", __name__, tag="Keys")


class KeyCreate(Input):
    """A new key: with ``jwk`` the agency's own, without one it is made and kept here."""

    agency: Annotated[
        str, Field(min_length=1, max_length=500, description="Id or path; / for the exchange.")
    ]
    jwk: Annotated[
        dict[str, Any] | None, Field(description="The public key, kty OKP, crv Ed25519 (RFC 8037).")
    ] = None
    possession: Annotated[
        str,
        Field(
            max_length=10_000,
            description="With jwk: a JWS of typ exchange-key+jws made with it over "
            '{"agency": id, "kid": thumbprint}.',
        ),
    ] = ""


class KeyRevoke(Input):
    """Why a key must not be trusted, and from when on."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]
    since: Annotated[
        Instant | None, Field(description="From when on it may have been in other hands; now.")
    ] = None


class KeyOut(Schema):
    """A key; the private half is never shown."""

    kid: Annotated[str, Field(description="Its thumbprint (RFC 7638).")]
    path: Annotated[str, Field(description="Whose it is; / is the exchange itself.")]
    jwk: dict[str, Any]
    hosted: Annotated[bool, Field(description="Whether its private half is kept here, sealed.")]
    state: KeyState
    created_at: Instant
    not_after: Instant | None
    revoked_at: Instant | None
    reason: str


class KeyQuery(PageQuery):
    """Whose keys: all without ``agency``."""

    agency: Annotated[str, Field(max_length=500)] = ""


class JwkSet(Schema):
    """A JWK set (RFC 7517); also keys that sign no more, for what they signed in their time."""

    keys: list[dict[str, Any]]


def _out(key: Key) -> dict[str, Any]:
    return {
        "kid": key.kid, "path": key.path, "jwk": key.jwk(), "hosted": key.hosted,
        "state": key.state(use(Runtime).clock.now()), "created_at": key.created_at,
        "not_after": key.not_after, "revoked_at": key.revoked_at, "reason": key.reason,
    }  # fmt: skip


@api.get("/keys")
@requires("key.view")
@api.input(KeyQuery, location="query")
@api.output(PageOut[KeyOut])
def list_keys(query_data: KeyQuery) -> Answer:
    """The keys of an agency, or of all, newest first."""
    found = use(Keys).keys(current_actor(), query_data.agency, query_data.page())
    return Page(tuple(_out(one) for one in found.items), found.next)


@api.post("/keys")
@requires("key.manage")
@idempotent
@api.input(KeyCreate)
@api.output(KeyOut, 201)
def create_key(json_data: KeyCreate) -> ResponseReturnValue:
    """Take an agency's own public key, or make one that is kept here and replaces the last."""
    keys, actor = use(Keys), current_actor()
    if json_data.jwk is None:
        made = keys.generate(actor, json_data.agency)
    else:
        made = keys.register(actor, json_data.agency, json_data.jwk, json_data.possession)
    return created(_out(made), f"/api/v1/keys/{made.kid}")


@api.get("/keys/<kid>")
@requires("key.view")
@api.output(KeyOut)
def get_key(kid: str) -> Answer:
    """One key."""
    return _out(use(Keys).key(current_actor(), kid))


@api.post("/keys/<kid>/revoke")
@requires("key.manage")
@api.input(KeyRevoke)
@api.output(KeyOut)
def revoke_key(kid: str, json_data: KeyRevoke) -> Answer:
    """Say that a key is in other hands; what it signed before still counts."""
    return _out(
        use(Keys).revoke(current_actor(), kid, reason=json_data.reason, since=json_data.since)
    )


@api.get("/jwks")
@public
@api.output(JwkSet)
def get_jwks() -> Answer:
    """The exchange's own keys, with which it signs grants, receipts and checkpoints."""
    return use(Keys).jwks("/")


@api.get("/agencies/<agency_id>/jwks")
@public
@api.output(JwkSet)
def get_agency_jwks(agency_id: str) -> Answer:
    """The keys of an agency, for whoever verifies what it signed."""
    return use(Keys).jwks(agency_id)
