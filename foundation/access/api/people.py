"""People, service accounts and what they are granted, over HTTP."""

from typing import Annotated, Any

from pydantic import Field

from foundation.access import policy
from foundation.access.api.fields import (
    Email,
    GrantBody,
    Login,
    OrganisationPath,
    Password,
)
from foundation.access.model import (
    ACCOUNT,
    Principal,
    PrincipalState,
)
from foundation.access.service import People
from foundation.kernel.actor import Actor, ActorKind
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    Line,
    PageOut,
    PageQuery,
    Schema,
    TextBody,
    check_match,
    created,
    current_actor,
    etag,
    idempotent,
    requires,
    requires_match,
    signed_in,
    use,
    with_etag,
)

api = ApiBlueprint("people", __name__, tag="People and roles")


class PrincipalOut(Schema):
    """A person or a service account."""

    id: str
    kind: ActorKind
    login: str
    name: str
    email: str
    path: Annotated[str, Field(description="The organisation whose administrators manage it.")]
    state: PrincipalState
    created_at: Instant
    grants: list[GrantBody]


class PrincipalQuery(PageQuery):
    """Part of a login or a name, in any case."""

    q: Annotated[str, Field(max_length=200)] = ""


class PersonCreate(Input):
    """A new person; without a password they cannot sign in yet."""

    login: Login
    name: Line
    path: OrganisationPath
    email: Email = ""
    password: Password | None = None


class ServiceAccountCreate(Input):
    """A new service account; it acts by tokens."""

    login: Login
    name: Line
    path: OrganisationPath


class PrincipalChange(Input):
    """What changes; fields that are left out stay."""

    name: Line | None = None
    email: Email | None = None
    path: OrganisationPath | None = None
    state: PrincipalState | None = None


class PasswordSet(Input):
    """Another password."""

    password: Password


@api.get("/people")
@requires("person.view")
@api.input(PrincipalQuery, location="query")
@api.output(PageOut[PrincipalOut])
def list_people(query_data: PrincipalQuery) -> Answer:
    """The people whom you manage, by login."""
    return _list(ActorKind.PERSON, query_data)


@api.post("/people")
@requires("person.create")
@idempotent
@api.input(PersonCreate)
@api.output(PrincipalOut, 201)
def create_person(json_data: PersonCreate) -> Answer:
    """Add a person."""
    person = use(People).create_person(
        current_actor(),
        login=json_data.login,
        name=json_data.name,
        path=json_data.path,
        email=json_data.email,
        password=json_data.password,
    )
    return _created(person, "people")


@api.get("/people/<principal_id>")
@requires("person.view")
@api.output(PrincipalOut)
def get_person(principal_id: str) -> Answer:
    """One person."""
    return _one(ActorKind.PERSON, principal_id)


@api.patch("/people/<principal_id>")
@requires("person.update")
@requires_match
@api.input(PrincipalChange)
@api.output(PrincipalOut)
def change_person(principal_id: str, json_data: PrincipalChange) -> Answer:
    """Change a person; disabling ends their sessions and refuses their tokens."""
    return _change(ActorKind.PERSON, principal_id, json_data)


@api.put("/people/<principal_id>/password")
@requires("person.update")
@api.input(PasswordSet)
@api.output({}, 204)
def set_password(principal_id: str, json_data: PasswordSet) -> Answer:
    """Give a person another password and end their sessions."""
    _get(ActorKind.PERSON, principal_id)
    use(People).set_password(current_actor(), principal_id, json_data.password)
    return ""


@api.get("/service-accounts")
@requires("service_account.view")
@api.input(PrincipalQuery, location="query")
@api.output(PageOut[PrincipalOut])
def list_service_accounts(query_data: PrincipalQuery) -> Answer:
    """The service accounts that you manage, by login."""
    return _list(ActorKind.SERVICE, query_data)


@api.post("/service-accounts")
@requires("service_account.create")
@idempotent
@api.input(ServiceAccountCreate)
@api.output(PrincipalOut, 201)
def create_service_account(json_data: ServiceAccountCreate) -> Answer:
    """Add a service account."""
    account = use(People).create_service_account(
        current_actor(), login=json_data.login, name=json_data.name, path=json_data.path
    )
    return _created(account, "service-accounts")


@api.get("/service-accounts/<principal_id>")
@requires("service_account.view")
@api.output(PrincipalOut)
def get_service_account(principal_id: str) -> Answer:
    """One service account."""
    return _one(ActorKind.SERVICE, principal_id)


@api.patch("/service-accounts/<principal_id>")
@requires("service_account.update")
@requires_match
@api.input(PrincipalChange)
@api.output(PrincipalOut)
def change_service_account(principal_id: str, json_data: PrincipalChange) -> Answer:
    """Change a service account; disabling refuses its tokens."""
    return _change(ActorKind.SERVICE, principal_id, json_data)


def _list(kind: ActorKind, query: PrincipalQuery) -> Answer:
    actor = current_actor()
    page = use(People).principals(actor, kind, query.page(), text=query.q)
    return page.map(lambda principal: _body(actor, principal))


def _get(kind: ActorKind, principal_id: str) -> Principal:
    principal = use(People).principal(current_actor(), principal_id)
    if principal.kind is not kind:
        raise policy.unknown(ACCOUNT)
    return principal


def _one(kind: ActorKind, principal_id: str) -> Answer:
    principal = _get(kind, principal_id)
    return with_etag(_body(current_actor(), principal), _tag(principal))


def _created(principal: Principal, where: str) -> Answer:
    body = _body(current_actor(), principal)
    return created(body, f"/api/v1/{where}/{principal.id}", _tag(principal))


def _change(kind: ActorKind, principal_id: str, change: PrincipalChange) -> Answer:
    before = _get(kind, principal_id)
    check_match(_tag(before))
    after = use(People).update(
        current_actor(), principal_id, version=before.version, **change.model_dump()
    )
    return with_etag(_body(current_actor(), after), _tag(after))


def _tag(principal: Principal) -> str:
    return etag(principal.id, principal.version)


def _body(actor: Actor, principal: Principal) -> dict[str, Any]:
    """A principal with those of its grants that the actor may see."""
    grants = use(People).grants_seen(actor, principal)
    fields = ("id", "kind", "login", "name", "email", "path", "state", "created_at")
    return {name: getattr(principal, name) for name in fields} | {"grants": grants}


class GrantOut(Schema):
    """A role that a principal has on an organisation and all below it."""

    id: str
    principal_id: str
    role: str
    path: str
    granted_by: str
    created_at: Instant


class GrantCreate(Input):
    """A role to give."""

    principal_id: Annotated[str, Field(min_length=1, max_length=100)]
    role: Annotated[str, Field(min_length=1, max_length=100, examples=["member"])]
    path: OrganisationPath


class GrantQuery(PageQuery):
    """Whose grants; all that you may see without it."""

    principal_id: str | None = None


@api.get("/grants")
@requires("grant.view")
@api.input(GrantQuery, location="query")
@api.output(PageOut[GrantOut])
def list_grants(query_data: GrantQuery) -> Answer:
    """The grants on the paths that you manage, oldest first."""
    return use(People).grants(
        current_actor(), query_data.page(), principal_id=query_data.principal_id
    )


@api.post("/grants")
@requires("grant.create")
@idempotent
@api.input(GrantCreate)
@api.output(GrantOut, 201)
def create_grant(json_data: GrantCreate) -> Answer:
    """Give a role; none that allows what you may not do yourself."""
    given = use(People).grant(
        current_actor(),
        principal_id=json_data.principal_id,
        role=json_data.role,
        path=json_data.path,
    )
    return created(given, f"/api/v1/grants/{given.id}")


@api.delete("/grants/<grant_id>")
@requires("grant.revoke")
@api.output({}, 204)
def revoke_grant(grant_id: str) -> Answer:
    """Take a role away."""
    use(People).revoke(current_actor(), grant_id)
    return ""


class RoleOut(Schema):
    """A role and what it allows."""

    name: str
    title: TextBody
    actions: list[str]


class RolesOut(Schema):
    """The table of roles."""

    items: list[RoleOut]


@api.get("/roles")
@signed_in
@api.output(RolesOut)
def list_roles() -> Answer:
    """The roles and what each allows."""
    table = policy.table()
    return {
        "items": [
            {"name": name, "title": titles, "actions": sorted(table.actions_of(name))}
            for name, titles in sorted(table.roles.items())
        ]
    }
