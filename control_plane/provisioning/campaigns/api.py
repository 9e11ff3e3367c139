"""Campaigns over HTTP."""

from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import Field

from control_plane.provisioning.campaigns.model import (
    Beyond,
    Campaign,
    CampaignState,
    MemberState,
)
from control_plane.provisioning.campaigns.service import Campaigns, Wish
from foundation.kernel.paging import Page
from foundation.operations.api import OperationOut
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    accepted,
    created,
    current_actor,
    idempotent,
    requires,
    use,
)

api = ApiBlueprint("campaigns", __name__, tag="Campaigns")


class CampaignCreate(Input):
    """Which deployments get which version, and how."""

    title: str
    blueprint: Annotated[str, Field(max_length=60)]
    version: Annotated[str, Field(max_length=40, description="Empty takes the highest.")] = ""
    versions: Annotated[
        list[str], Field(max_length=50, description="Only what runs one of them; none: any other.")
    ] = Field(default_factory=list)
    path: Annotated[str, Field(description="Only of this organisation and below.")] = "/"
    region: Annotated[str, Field(description="Only in this region (id).")] = ""
    waves: Annotated[
        list[str], Field(description="A number, a share such as 10%, or a last rest, each.")
    ] = Field(default_factory=lambda: ["1", "10%", "rest"])
    automatic: Annotated[
        bool, Field(description="One approval for all waves; a healthy one is followed by the next")
    ] = False


class CampaignOut(Schema):
    """A newer revision for many deployments."""

    id: str
    title: str
    blueprint: str
    revision: str
    version: str
    waves: list[str]
    automatic: bool
    state: CampaignState
    wave: Annotated[int, Field(description="Which comes next or is worked on; from 0.")]
    approved_by: str
    approved_digest: str
    operation: str
    why: Annotated[str, Field(description="Why it stopped.")]
    created_at: Instant
    created_by: str
    updated_at: Instant


class MemberOut(Schema):
    """One deployment of a campaign."""

    deployment: str
    name: str
    path: str
    owner: str
    wave: int
    version: Annotated[str, Field(description="What it ran when the campaign was made.")]
    state: MemberState
    plan: str
    digest: str
    counts: dict[str, int] | None
    beyond: Annotated[list[Beyond], Field(description="Why the department has to order it.")]
    reason: str


class CampaignDetailOut(CampaignOut):
    """A campaign with its deployments."""

    digest: Annotated[str, Field(description="What the next approval stands for.")]
    members: list[MemberOut]


class CampaignApproval(Input):
    """What is approved."""

    digest: Annotated[str, Field(max_length=80)]


@api.get("/campaigns")
@requires("campaign.view")
@api.input(PageQuery, location="query")
@api.output(PageOut[CampaignOut])
def list_campaigns(query_data: PageQuery) -> Page[Campaign]:
    """All campaigns, the newest first."""
    return use(Campaigns).campaigns(current_actor(), query_data.page())


@api.post("/campaigns")
@requires("campaign.create")
@idempotent
@api.input(CampaignCreate)
@api.output(CampaignOut, 201)
def create_campaign(json_data: CampaignCreate) -> ResponseReturnValue:
    """Choose the deployments and start planning; nothing of them is changed."""
    given = json_data.model_dump()
    wish = Wish(**{**given, "versions": tuple(given["versions"]), "waves": tuple(given["waves"])})
    made = use(Campaigns).create(current_actor(), wish)
    return created(made, f"/api/v1/campaigns/{made.id}")


@api.get("/campaigns/<campaign_id>")
@requires("campaign.view")
@api.output(CampaignDetailOut)
def get_campaign(campaign_id: str) -> Answer:
    """A campaign, its deployments, and the digest that its next approval stands for."""
    return _detail(campaign_id)


def _detail(campaign_id: str) -> dict[str, Any]:
    found, members, digest = use(Campaigns).campaign(current_actor(), campaign_id)
    shown = CampaignOut.model_validate(found).model_dump()
    return {**shown, "digest": digest, "members": members}


@api.post("/campaigns/<campaign_id>/approve")
@requires("campaign.approve")
@idempotent
@api.input(CampaignApproval)
@api.output(OperationOut, 202)
def approve_campaign(campaign_id: str, json_data: CampaignApproval) -> ResponseReturnValue:
    """Let the next wave begin (of an automatic campaign all that are left), as planned."""
    started = use(Campaigns).approve(current_actor(), campaign_id, json_data.digest)
    return accepted(started, started.id)


@api.post("/campaigns/<campaign_id>/stop")
@requires("campaign.stop")
@idempotent
@api.output(CampaignOut)
def stop_campaign(campaign_id: str) -> Answer:
    """Begin no further deployment; the one that is worked on is finished."""
    return use(Campaigns).stop(current_actor(), campaign_id)


@api.post("/campaigns/<campaign_id>/retry")
@requires("campaign.create")
@idempotent
@api.output(CampaignOut)
def retry_campaign(campaign_id: str) -> Answer:
    """Plan anew what failed, was overtaken or had no plan; then it waits for approval."""
    return use(Campaigns).retry(current_actor(), campaign_id)
