"""Blueprints and their revisions over HTTP."""

import base64
import binascii
from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import Field

from control_plane.provisioning.api.schemas import (
    FindingOut,
    Json,
    MeterQuantityOut,
    Reference,
)
from control_plane.provisioning.model import (
    Blueprint,
    Revision,
)
from control_plane.provisioning.service import Provisioning
from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.paging import Page
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    DecimalText,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    TextBody,
    created,
    current_actor,
    idempotent_outside,
    requires,
    use,
)

blueprints = ApiBlueprint("blueprints", __name__, tag="Blueprints")


class BlueprintFiles(Input):
    """The files of a blueprint's folder."""

    files: Annotated[
        dict[str, str],
        Field(description="Bytes in base64 by relative path.", min_length=1, max_length=500),
    ]

    def content(self) -> dict[str, bytes]:
        """The bytes by path.

        Raises:
            Invalid: names every file that is not base64.
        """
        problems, content = [], {}
        for name, text in self.files.items():
            try:
                content[name] = base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError):
                problems.append(Problem(f"files.{name}", "is not base64"))
        if problems:
            raise Invalid(problems)
        return content


class BlueprintOut(Schema):
    """A blueprint as its newest revision describes it."""

    name: str
    title: TextBody
    description: TextBody
    owner: str
    category: str
    latest_version: str
    latest_digest: str
    published_at: Instant


class RevisionOut(Schema):
    """One immutable content of a blueprint."""

    digest: str
    blueprint: str
    version: str
    title: TextBody
    document: Annotated[Json, Field(description="blueprint.yaml as JSON.")]
    published_at: Instant
    published_by: str


class ProblemOut(Schema):
    """Something that is wrong, and where."""

    field: str
    message: str
    code: str


class SampleOut(Schema):
    """A sample that was tried."""

    name: str
    resources: int


class ValidationOut(Schema):
    """What publishing would say."""

    ok: bool
    digest: str
    name: str
    version: str
    problems: list[ProblemOut]
    findings: list[FindingOut]
    samples: list[SampleOut]


class EvaluateInput(Input):
    """Inputs, as far as they are filled in."""

    inputs: Json = Field(default_factory=dict)
    region: Reference
    version: Annotated[str, Field(max_length=40, description="Null takes the highest.")] | None = (
        None
    )
    data_class: Annotated[str, Field(max_length=20)] = ""


class PlannedResourceOut(Schema):
    """A resource that would be made."""

    type: str
    name: str


class EstimateOut(Schema):
    """What inputs come to; no region was asked."""

    revision: str
    inputs: Json
    resources: list[PlannedResourceOut]
    quota: dict[str, DecimalText]
    hourly: list[MeterQuantityOut]
    findings: list[FindingOut]


@blueprints.get("/blueprints")
@requires("blueprint.view")
@blueprints.input(PageQuery, location="query")
@blueprints.output(PageOut[BlueprintOut])
def list_blueprints(query_data: PageQuery) -> Page[Blueprint]:
    """The newest version of each blueprint."""
    return use(Provisioning).blueprints(current_actor(), query_data.page())


@blueprints.post("/blueprints")
@requires("blueprint.publish")
@idempotent_outside
@blueprints.input(BlueprintFiles)
@blueprints.output(RevisionOut, 201)
def publish_blueprint(json_data: BlueprintFiles) -> ResponseReturnValue:
    """Publish a blueprint; the same content again answers the revision that is there."""
    made = use(Provisioning).publish(current_actor(), json_data.content())
    return created(made, f"/api/v1/blueprints/{made.blueprint}/revisions/{made.version}")


@blueprints.post("/blueprint-validations")
@requires("blueprint.validate")
@idempotent_outside
@blueprints.input(BlueprintFiles)
@blueprints.output(ValidationOut)
def validate_blueprint(json_data: BlueprintFiles) -> Answer:
    """Look at a blueprint's files and try its program; nothing is kept."""
    return use(Provisioning).validate_blueprint(current_actor(), json_data.content())


@blueprints.get("/blueprints/<name>")
@requires("blueprint.view")
@blueprints.output(RevisionOut)
def get_blueprint(name: str) -> Revision:
    """The newest revision of a blueprint."""
    return use(Provisioning).revision(current_actor(), name)


@blueprints.get("/blueprints/<name>/revisions")
@requires("blueprint.view")
@blueprints.input(PageQuery, location="query")
@blueprints.output(PageOut[RevisionOut])
def list_blueprint_revisions(name: str, query_data: PageQuery) -> Page[Revision]:
    """All versions of a blueprint, the highest first."""
    return use(Provisioning).revisions(current_actor(), name, query_data.page())


@blueprints.get("/blueprints/<name>/revisions/<version>")
@requires("blueprint.view")
@blueprints.output(RevisionOut)
def get_blueprint_revision(name: str, version: str) -> Revision:
    """One version of a blueprint."""
    return use(Provisioning).revision(current_actor(), name, version)


@blueprints.post("/blueprints/<name>/evaluate")
@requires("blueprint.view")
@idempotent_outside
@blueprints.input(EvaluateInput)
@blueprints.output(EstimateOut)
def evaluate_blueprint(name: str, json_data: EvaluateInput) -> dict[str, Any]:
    """What inputs come to: resources, quota, usage per hour and findings. Nothing is made."""
    found = use(Provisioning).evaluate(
        current_actor(),
        blueprint=name,
        inputs=json_data.inputs,
        region=json_data.region,
        version=json_data.version,
        data_class=json_data.data_class,
    )
    return {
        "revision": found.revision,
        "inputs": found.inputs,
        "resources": [{"type": kind, "name": name} for kind, name in found.resources],
        "quota": found.quota,
        "hourly": found.hourly,
        "findings": found.findings,
    }
