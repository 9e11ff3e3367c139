"""Trusted issuers, rules and the exchange of tokens over HTTP."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from flask import request
from pydantic import Field

from foundation.access.api.fields import OrganisationPath, Scope
from foundation.access.workload_identity.model import Issuer, Rule
from foundation.access.workload_identity.service import RuleWish, WorkloadIdentity
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    Slug,
    created,
    current_actor,
    idempotent,
    public,
    requires,
    use,
)

api = ApiBlueprint("workload_identity", __name__, tag="Workload identity")

_TOKEN_TYPE = "urn:ietf:params:oauth:token-type"  # noqa: S105 - a name (RFC 8693, section 3)
_Reference = Annotated[str, Field(min_length=1, max_length=100, description="An id or a slug.")]
_Url = Annotated[str, Field(min_length=1, max_length=500, examples=["https://gitlab.city.example"])]


class IdentityIssuerCreate(Input):
    """Somebody whose tokens are to be believed."""

    slug: Slug
    url: Annotated[_Url, Field(description="The iss claim of its tokens, exactly.")]
    audience: Annotated[
        str, Field(min_length=1, max_length=500, description="What aud must contain.")
    ]
    keys: Annotated[
        dict[str, Any] | None,
        Field(description="A JWK set; null finds the keys by OpenID Connect discovery."),
    ] = None


class IdentityIssuerOut(Schema):
    """An issuer whose tokens are believed."""

    id: str
    slug: str
    url: str
    audience: str
    pinned: Annotated[bool, Field(description="Its keys were given by hand.")]
    created_by: str
    created_at: Instant


class IdentityIssuerKeysOut(Schema):
    """What an issuer answered."""

    key_ids: list[str]


class IdentityRuleCreate(Input):
    """Which workloads are let in, and what they may do."""

    slug: Slug
    issuer: _Reference
    match: Annotated[
        dict[str, Annotated[str, Field(min_length=1, max_length=500)]],
        Field(
            min_length=1,
            max_length=20,
            description="Claims and what they must be; * is anything but / and :, ** is anything.",
            examples=[{"repository": "city/health", "ref": "refs/heads/main"}],
        ),
    ]
    path: OrganisationPath
    roles: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=100)]],
        Field(min_length=1, max_length=10, examples=[["member"]]),
    ]
    scopes: Annotated[
        list[Scope] | None,
        Field(min_length=1, description="Null for all that the roles allow."),
    ] = None
    minutes: Annotated[int, Field(ge=1, le=15, description="Life of its tokens.")] = 15


class IdentityRuleOut(Schema):
    """Which workloads are let in, and what they may do."""

    id: str
    slug: str
    issuer_id: str
    match: dict[str, str]
    account_id: Annotated[str, Field(description="The service account that they act as.")]
    path: str
    roles: list[str]
    scopes: list[str] | None
    minutes: int
    created_by: str
    created_at: Instant


class ExchangeIn(Input):
    """A token of a workload, to be exchanged (RFC 8693, section 2.1)."""

    grant_type: Annotated[
        Literal["urn:ietf:params:oauth:grant-type:token-exchange"] | None,
        Field(description="May be left out."),
    ] = None
    subject_token: Annotated[str, Field(min_length=1, max_length=16_384)]
    subject_token_type: Literal[
        "urn:ietf:params:oauth:token-type:id_token", "urn:ietf:params:oauth:token-type:jwt"
    ]
    requested_token_type: Annotated[
        Literal["urn:ietf:params:oauth:token-type:access_token"] | None,
        Field(description="May be left out."),
    ] = None
    audience: Annotated[
        str, Field(max_length=500, description="Refused when it is not the issuer's; may be empty.")
    ] = ""
    rule: Annotated[
        str, Field(max_length=100, description="Slug of the rule wanted, when several fit.")
    ] = ""


class ExchangeOut(Schema):
    """A token of the platform (RFC 8693, section 2.2.1)."""

    access_token: str
    issued_token_type: str
    token_type: str
    expires_in: Annotated[int, Field(description="Seconds.")]
    expires_at: Instant
    scope: Annotated[str, Field(description="What it is limited to; empty for no limit.")]
    rule: str


@api.get("/identity-issuers")
@requires("identity_issuer.view")
@api.input(PageQuery, location="query")
@api.output(PageOut[IdentityIssuerOut])
def list_identity_issuers(query_data: PageQuery) -> Answer:
    """The issuers that are trusted, by slug."""
    return use(WorkloadIdentity).issuers(current_actor(), query_data.page()).map(_issuer)


@api.post("/identity-issuers")
@requires("identity_issuer.manage")
@idempotent
@api.input(IdentityIssuerCreate)
@api.output(IdentityIssuerOut, 201)
def add_identity_issuer(json_data: IdentityIssuerCreate) -> Answer:
    """Trust an issuer; rules say whom of its workloads."""
    made = use(WorkloadIdentity).add_issuer(
        current_actor(),
        slug=json_data.slug,
        url=json_data.url,
        audience=json_data.audience,
        keys=json_data.keys,
    )
    return created(_issuer(made), f"/api/v1/identity-issuers/{made.id}")


@api.get("/identity-issuers/<issuer_id>")
@requires("identity_issuer.view")
@api.output(IdentityIssuerOut)
def get_identity_issuer(issuer_id: str) -> Answer:
    """One issuer."""
    return _issuer(use(WorkloadIdentity).issuer(current_actor(), issuer_id))


@api.get("/identity-issuers/<issuer_id>/keys")
@requires("identity_issuer.manage")
@api.output(IdentityIssuerKeysOut)
def get_identity_issuer_keys(issuer_id: str) -> Answer:
    """Ask an issuer for its keys now: whether it can be reached and understood."""
    return {"key_ids": use(WorkloadIdentity).check_issuer(current_actor(), issuer_id)}


@api.delete("/identity-issuers/<issuer_id>")
@requires("identity_issuer.manage")
@api.output({}, 204)
def remove_identity_issuer(issuer_id: str) -> Answer:
    """Trust an issuer no more."""
    use(WorkloadIdentity).remove_issuer(current_actor(), issuer_id)
    return ""


@api.get("/identity-rules")
@requires("identity_rule.view")
@api.input(PageQuery, location="query")
@api.output(PageOut[IdentityRuleOut])
def list_identity_rules(query_data: PageQuery) -> Answer:
    """The rules that you may see, by slug."""
    return use(WorkloadIdentity).rules(current_actor(), query_data.page()).map(_rule)


@api.post("/identity-rules")
@requires("identity_rule.manage")
@idempotent
@api.input(IdentityRuleCreate)
@api.output(IdentityRuleOut, 201)
def add_identity_rule(json_data: IdentityRuleCreate) -> Answer:
    """Let workloads in; the rule gets a service account of its own."""
    wish = RuleWish(
        slug=json_data.slug,
        issuer=json_data.issuer,
        match=json_data.match,
        path=json_data.path,
        roles=json_data.roles,
        scopes=json_data.scopes,
        life=timedelta(minutes=json_data.minutes),
    )
    made = use(WorkloadIdentity).add_rule(current_actor(), wish)
    return created(_rule(made), f"/api/v1/identity-rules/{made.id}")


@api.get("/identity-rules/<rule_id>")
@requires("identity_rule.view")
@api.output(IdentityRuleOut)
def get_identity_rule(rule_id: str) -> Answer:
    """One rule."""
    return _rule(use(WorkloadIdentity).rule(current_actor(), rule_id))


@api.delete("/identity-rules/<rule_id>")
@requires("identity_rule.manage")
@api.output({}, 204)
def remove_identity_rule(rule_id: str) -> Answer:
    """Let nobody in by it any more; its tokens end at once."""
    use(WorkloadIdentity).remove_rule(current_actor(), rule_id)
    return ""


@api.post("/token-exchange")
@public
@api.input(ExchangeIn, location="form_or_json")
@api.output(ExchangeOut)
def exchange_token(json_data: ExchangeIn) -> Answer:
    """Exchange the OIDC token of a workload for a token of 15 minutes at most (RFC 8693).

    The body is JSON or a form (application/x-www-form-urlencoded). A token with an id (jti) is
    exchanged once.
    """
    made = use(WorkloadIdentity).exchange(
        json_data.subject_token,
        audience=json_data.audience,
        rule=json_data.rule,
        address=request.remote_addr or "",
    )
    life = made.token.expires_at - made.token.created_at
    body = {
        "access_token": made.secret,
        "issued_token_type": f"{_TOKEN_TYPE}:access_token",
        "token_type": "Bearer",
        "expires_in": int(life.total_seconds()),
        "expires_at": made.token.expires_at,
        "scope": " ".join(made.token.scopes or ()),
        "rule": made.rule.slug,
    }
    return body, 200, {"Cache-Control": "no-store"}


def _issuer(issuer: Issuer) -> dict[str, Any]:
    own = {name: getattr(issuer, name, None) for name in IdentityIssuerOut.model_fields}
    return own | {"pinned": issuer.keys is not None}


def _rule(rule: Rule) -> dict[str, Any]:
    own = {name: getattr(rule, name, None) for name in IdentityRuleOut.model_fields}
    return own | {"minutes": int(rule.life.total_seconds() // 60)}
