"""Policies, packs and waivers over HTTP."""

from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import Field

from control_plane.provisioning.api.blueprints import BlueprintFiles, ProblemOut
from control_plane.provisioning.api.schemas import Filter, FindingOut, Json
from control_plane.provisioning.model import Severity
from control_plane.provisioning.policies.model import (
    Pack,
    SubjectKind,
    Use,
    Waiver,
    WaiverRequest,
    WaiverState,
)
from control_plane.provisioning.policies.service import Policies
from control_plane.provisioning.service import Provisioning
from foundation.kernel.paging import Page
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    TextBody,
    created,
    current_actor,
    idempotent,
    idempotent_outside,
    rehearsable,
    requires,
    use,
)

api = ApiBlueprint("policies", __name__, tag="Policies")

Name = Annotated[str, Field(max_length=100)]


class PolicyUseOut(Schema):
    """How a pack weighs a policy."""

    pack: str
    version: int
    enabled: bool
    severity: Severity
    settings: Json
    paths: Annotated[list[str], Field(description="For these parts of the city; empty for all.")]
    data_classes: Annotated[list[str], Field(description="For these data; empty for all.")]


class PolicyInfoOut(Schema):
    """One policy, and the packs that have it."""

    id: str
    title: TextBody
    meaning: TextBody
    rule: Annotated[bool, Field(description="It is a rule of a pack, written as data.")]
    settings: Annotated[Json, Field(description="JSON Schema of its settings.")]
    packs: list[PolicyUseOut]


class PolicyListOut(Schema):
    """All policies."""

    items: list[PolicyInfoOut]


class PackOut(Schema):
    """A version of a pack."""

    name: str
    version: int
    title: TextBody
    description: TextBody
    enabled: Annotated[bool, Field(description="Whether plans are held to it.")]
    bundled: Annotated[bool, Field(description="It is as it came with the platform.")]
    paths: list[str]
    data_classes: list[str]
    document: Annotated[Json, Field(description="The pack as it was published.")]
    published_at: Instant | None
    published_by: str


class PackListOut(Schema):
    """Packs, or the versions of one."""

    items: list[PackOut]


class PackQuery(Input):
    """Which version of a pack."""

    version: Annotated[int, Field(strict=False, ge=1, le=1_000_000)] | None = None


class PackInput(Input):
    """A pack of policies."""

    pack: Annotated[Json, Field(description="As pack.schema.json describes it.")]


class PolicyTestInput(BlueprintFiles):
    """A blueprint, and what to try it with."""

    inputs: Annotated[Json, Field(description="Null tries its samples.")] | None = None
    data_classes: Annotated[list[Name], Field(max_length=3)] = Field(default_factory=list)
    region: Annotated[Name, Field(description="Empty: a made-up one.")] = ""
    path: Annotated[
        str, Field(max_length=400, description="An organisation; its packs and waivers count.")
    ] = ""


class PolicyTryOut(Schema):
    """What the policies say of one sample with data of one class."""

    sample: str
    data_class: str
    findings: list[FindingOut]


class PolicyTestOut(Schema):
    """What the policies say of a blueprint."""

    name: str
    version: str
    blocked: Annotated[bool, Field(description="Something would forbid approval.")]
    problems: list[ProblemOut]
    tries: list[PolicyTryOut]


class WaiverInput(Input):
    """What is to be waived; exactly one of deployment, tenancy and path."""

    policy: Name
    deployment: Name = ""
    tenancy: Name = ""
    path: Annotated[str, Field(max_length=400)] = ""
    resource: Annotated[
        str, Field(max_length=200, description="Pattern of names of resources; * for all.")
    ] = "*"
    owner: Annotated[Name, Field(description="Id or login of who answers for it.")]
    reason: Annotated[str, Field(max_length=2000)]
    ends_at: Annotated[Instant, Field(description="At most a year ahead.")]


class RevokeInput(Input):
    """Why a waiver ends before its day."""

    reason: Annotated[str, Field(max_length=2000)]


class WaiverQuery(PageQuery):
    """Which waivers."""

    state: Annotated[
        WaiverState | None, Field(strict=False, description="Left out: those of all states.")
    ] = None
    policy: Filter | None = None
    subject: Filter | None = None
    owner: Filter | None = None


class WaiverOut(Schema):
    """A finding that may pass until a day."""

    id: str
    policy: str
    kind: SubjectKind
    subject: Annotated[str, Field(description="Id of a deployment or tenancy, or a path.")]
    path: str
    resource: str
    owner: str
    owner_name: str
    reason: str
    state: WaiverState
    ends_at: Instant
    granted_at: Instant
    granted_by: str
    granted_by_name: str
    revoked_at: Instant | None
    revoked_by: str
    revoked_by_name: str
    revoked_because: str


# Policies and packs ------------------------------------------------------------------------------


@api.get("/policies")
@requires("policy.view")
@api.output(PolicyListOut)
def list_policies() -> dict[str, Any]:
    """All policies: what each asks for, and how the packs weigh it."""
    return {"items": [_policy(found) for found in use(Policies).policies(current_actor())]}


@api.get("/policies/<policy_id>")
@requires("policy.view")
@api.output(PolicyInfoOut)
def get_policy(policy_id: str) -> dict[str, Any]:
    """One policy."""
    return _policy(use(Policies).policy(current_actor(), policy_id))


@api.get("/policy-packs")
@requires("policy.view")
@api.output(PackListOut)
def list_policy_packs() -> dict[str, Any]:
    """The newest version of every pack."""
    return {"items": use(Policies).packs(current_actor())}


@api.post("/policy-packs")
@requires("policy.manage")
@rehearsable
@idempotent
@api.input(PackInput)
@api.output(PackOut, 201)
def publish_policy_pack(json_data: PackInput) -> ResponseReturnValue:
    """Publish a version of a pack; the same again changes nothing."""
    made = use(Policies).publish_pack(current_actor(), json_data.pack)
    return created(made, f"/api/v1/policy-packs/{made.name}?version={made.version}")


@api.get("/policy-packs/<pack_name>")
@requires("policy.view")
@api.input(PackQuery, location="query")
@api.output(PackOut)
def get_policy_pack(pack_name: str, query_data: PackQuery) -> Pack:
    """A pack in its newest version, or in another."""
    return use(Policies).pack(current_actor(), pack_name, query_data.version)


@api.get("/policy-packs/<pack_name>/versions")
@requires("policy.view")
@api.output(PackListOut)
def list_policy_pack_versions(pack_name: str) -> dict[str, Any]:
    """All versions of a pack, the newest first."""
    return {"items": use(Policies).pack_versions(current_actor(), pack_name)}


@api.post("/policy-packs/<pack_name>/enable")
@requires("policy.manage")
@idempotent
@api.output(PackOut)
def enable_policy_pack(pack_name: str) -> Answer:
    """Hold plans to a pack."""
    return use(Policies).switch_pack(current_actor(), pack_name, enabled=True)


@api.post("/policy-packs/<pack_name>/disable")
@requires("policy.manage")
@idempotent
@api.output(PackOut)
def disable_policy_pack(pack_name: str) -> Answer:
    """Hold plans to a pack no more; the platform's own safety stays on."""
    return use(Policies).switch_pack(current_actor(), pack_name, enabled=False)


@api.post("/policy-tests")
@requires("blueprint.validate")
@idempotent_outside
@api.input(PolicyTestInput)
@api.output(PolicyTestOut)
def run_policy_test(json_data: PolicyTestInput) -> Answer:
    """What the policies say of a blueprint's files; nothing is kept."""
    return use(Provisioning).try_policies(
        current_actor(),
        json_data.content(),
        inputs=json_data.inputs,
        data_classes=json_data.data_classes,
        region=json_data.region,
        path=json_data.path,
    )


# Waivers -----------------------------------------------------------------------------------------


@api.get("/waivers")
@requires("waiver.view")
@api.input(WaiverQuery, location="query")
@api.output(PageOut[WaiverOut])
def list_waivers(query_data: WaiverQuery) -> Page[dict[str, Any]]:
    """The waivers that you may see, the first to end first."""
    given = {"policy": query_data.policy, "subject": query_data.subject, "owner": query_data.owner}
    filters = {name: value for name, value in given.items() if value is not None}
    found = use(Policies).waivers(
        current_actor(), query_data.page(), state=query_data.state, filters=filters
    )
    return found.map(_waiver)


@api.post("/waivers")
@requires("policy.waive")
@idempotent
@api.input(WaiverInput)
@api.output(WaiverOut, 201)
def grant_waiver(json_data: WaiverInput) -> ResponseReturnValue:
    """Let a policy's findings pass until a day; somebody else than you answers for it."""
    made = use(Policies).waive(current_actor(), WaiverRequest(**dict(json_data)))
    return created(_waiver(made), f"/api/v1/waivers/{made.id}")


@api.get("/waivers/<waiver_id>")
@requires("waiver.view")
@api.output(WaiverOut)
def get_waiver(waiver_id: str) -> dict[str, Any]:
    """One waiver."""
    return _waiver(use(Policies).waiver(current_actor(), waiver_id))


@api.post("/waivers/<waiver_id>/revoke")
@requires("policy.waive")
@idempotent
@api.input(RevokeInput)
@api.output(WaiverOut)
def revoke_waiver(waiver_id: str, json_data: RevokeInput) -> Answer:
    """End a waiver before its day."""
    return _waiver(use(Policies).revoke(current_actor(), waiver_id, json_data.reason))


def _policy(found: Use) -> dict[str, Any]:
    return {
        "id": found.id,
        "title": found.title,
        "meaning": found.meaning,
        "rule": found.rule,
        "settings": found.settings,
        "packs": [
            {
                "pack": pack.name,
                "version": pack.version,
                "enabled": pack.enabled,
                "severity": pack.severity_of(found.id),
                "settings": pack.settings_of(found.id),
                "paths": list(pack.paths),
                "data_classes": list(pack.data_classes),
            }
            for pack in found.packs
        ],
    }


def _waiver(found: Waiver) -> dict[str, Any]:
    names = [name for name in WaiverOut.model_fields if name != "state"]
    values = {name: getattr(found, name) for name in names}
    return {**values, "state": use(Policies).waiver_state(found)}
