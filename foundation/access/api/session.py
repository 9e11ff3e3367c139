"""Signing in, the own account and API tokens over HTTP."""

from typing import Annotated

from flask import request
from pydantic import Field

from foundation.access import policy
from foundation.access.api.fields import Days, GrantBody, Password, Scope
from foundation.access.model import (
    SignInBlocked,
    Token,
)
from foundation.access.service import Gate
from foundation.kernel.actor import ActorKind
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    Line,
    PageOut,
    PageQuery,
    Schema,
    created,
    current_actor,
    idempotent,
    problems,
    public,
    signed_in,
    use,
)
from foundation.surface.auth import identity

# Too many attempts are the caller's doing, not an outage.
problems.STATUS[SignInBlocked] = 429

api = ApiBlueprint("session", __name__, tag="Signing in")


class LoginIn(Input):
    """A name and a password, for an API token."""

    login: Annotated[str, Field(max_length=200)]
    password: Annotated[str, Field(max_length=1000, json_schema_extra={"format": "password"})]
    name: Annotated[Line, Field(description="What the token is called in the list.")] = "login"
    days: Days = 30
    scopes: list[Scope] | None = None


class AccountOut(Schema):
    """Who asks."""

    id: str
    kind: ActorKind
    name: str
    grants: list[GrantBody]
    scopes: Annotated[
        list[str] | None, Field(description="What the token is limited to; null for no limit.")
    ]
    actions: Annotated[
        list[str], Field(description="All that the account may do on at least one path.")
    ]


class TokenOut(Schema):
    """An API token, without its secret."""

    id: str
    principal_id: str
    name: str
    hint: Annotated[str, Field(description="How the secret begins.")]
    scopes: list[str] | None
    created_at: Instant
    expires_at: Instant
    last_used_at: Instant | None
    revoked_at: Instant | None


class TokenMade(TokenOut):
    """A new API token; its secret is not kept and is shown only now."""

    secret: str


@api.post("/login")
@public
@api.input(LoginIn)
@api.output(TokenMade, 201)
def login(json_data: LoginIn) -> Answer:
    """Sign in with a name and a password, for an API token.

    The web pages begin a session instead.
    """
    token, secret = use(Gate).token_by_password(
        json_data.login,
        json_data.password,
        address=request.remote_addr or "",
        name=json_data.name,
        days=json_data.days,
        scopes=json_data.scopes,
    )
    return _token_made(token, secret)


@api.post("/logout")
@signed_in
@api.output({}, 204)
def logout() -> Answer:
    """End the token that this request carries, or the session of its cookie."""
    found = identity()
    if found is not None and found.token_id is not None:
        use(Gate).end_token(found.actor, found.token_id)
    elif found is not None and found.session_id is not None:
        use(Gate).end_session(found.actor, found.session_id)
    return ""


@api.get("/me")
@signed_in
@api.output(AccountOut)
def get_me() -> Answer:
    """Who asks, and what they may do."""
    actor = current_actor()
    allowed = [a for a in sorted(policy.table().all_actions()) if policy.may_somewhere(actor, a)]
    return {
        "id": actor.id,
        "kind": actor.kind,
        "name": actor.name,
        "grants": [{"role": grant.role, "path": grant.path} for grant in actor.grants],
        "scopes": None if actor.scopes is None else sorted(actor.scopes),
        "actions": allowed,
    }


class PasswordChange(Input):
    """The present password and the one to come."""

    present: Annotated[str, Field(max_length=1000, json_schema_extra={"format": "password"})]
    new: Password


@api.put("/me/password")
@signed_in
@api.input(PasswordChange)
@api.output({}, 204)
def change_my_password(json_data: PasswordChange) -> Answer:
    """Change one's own password; all other sessions end."""
    found = identity()
    use(Gate).change_password(
        current_actor(),
        present=json_data.present,
        new=json_data.new,
        address=request.remote_addr or "",
        session_id=None if found is None else found.session_id,
    )
    return ""


class TokenCreate(Input):
    """A token for oneself, or for a service account that one manages."""

    name: Line
    days: Days = 30
    scopes: Annotated[
        list[Scope] | None, Field(min_length=1, description="Null for all that the owner may do.")
    ] = None
    principal_id: Annotated[str | None, Field(description="Null for oneself.")] = None


class TokenQuery(PageQuery):
    """Whose tokens."""

    principal_id: str | None = None


@api.get("/tokens")
@signed_in
@api.input(TokenQuery, location="query")
@api.output(PageOut[TokenOut])
def list_tokens(query_data: TokenQuery) -> Answer:
    """One's own tokens, or those of an account that one manages; newest first."""
    return use(Gate).tokens(
        current_actor(), query_data.page(), principal_id=query_data.principal_id
    )


@api.post("/tokens")
@signed_in
@idempotent
@api.input(TokenCreate)
@api.output(TokenMade, 201)
def create_token(json_data: TokenCreate) -> Answer:
    """Make a token. Its secret is in this answer only."""
    token, secret = use(Gate).create_token(
        current_actor(),
        name=json_data.name,
        days=json_data.days,
        scopes=json_data.scopes,
        principal_id=json_data.principal_id,
    )
    return _token_made(token, secret)


@api.delete("/tokens/<token_id>")
@signed_in
@api.output({}, 204)
def revoke_token(token_id: str) -> Answer:
    """End a token at once; once more is no error."""
    use(Gate).revoke_token(current_actor(), token_id)
    return ""


def _token_made(token: Token, secret: str) -> Answer:
    body = TokenOut.model_validate(token).model_dump() | {"secret": secret}
    return created(body, f"/api/v1/tokens/{token.id}")
