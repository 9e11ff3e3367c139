"""Playbooks over HTTP: what there is to run, the ways in, and runs."""

from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import Field

from control_plane.provisioning.playbooks.model import (
    MOST_MINUTES,
    Access,
    ControlState,
    HostState,
    Playbook,
    Run,
    RunState,
)
from control_plane.provisioning.playbooks.service import PlaybookRuns, Wish
from foundation.kernel.errors import NotFound
from foundation.kernel.paging import Page
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    current_actor,
    idempotent,
    requires,
    use,
)

api = ApiBlueprint("playbooks", __name__, tag="Playbooks")

_Reference = Annotated[str, Field(max_length=100)]
_Name = Annotated[str, Field(min_length=1, max_length=60)]


class PlaybookTextOut(Schema):
    """A text in two languages."""

    en: str
    zh: str


class PlaybookOut(Schema):
    """Something that can be run on servers."""

    name: str
    title: PlaybookTextOut
    description: PlaybookTextOut
    approval: Annotated[bool, Field(description="Another person approves what is no check.")]
    report: Annotated[bool, Field(description="Its tasks are controls of a compliance report.")]
    waves: list[str]
    inputs: Annotated[dict[str, Any], Field(description="JSON Schema 2020-12.")]
    secrets: Annotated[list[str], Field(description="Inputs that are sealed and never shown.")]
    digest: Annotated[str, Field(description="Of all content that runs.")]


class PlaybookListOut(Schema):
    """All playbooks."""

    items: list[PlaybookOut]


class PlaybookServerOut(Schema):
    """A server on which playbooks run."""

    name: str
    alias: Annotated[str, Field(description="What its host key is kept under.")]
    address: str
    user: str
    port: int
    known: Annotated[list[str], Field(description="Its host keys as they were learned.")]


class PlaybookServersOut(Schema):
    """The servers of a deployment."""

    items: list[PlaybookServerOut]


class PlaybookAccessIn(Input):
    """How the platform signs in to the servers of a tenancy."""

    user: Annotated[str, Field(max_length=32)]
    port: Annotated[int, Field(ge=1, le=65535)] = 22
    become: Annotated[bool, Field(description="The user becomes root by sudo.")] = True
    reach: Annotated[str, Field(max_length=20, description="inside or public addresses.")] = (
        "inside"
    )
    private_key: Annotated[
        str,
        Field(max_length=20_000, description="Your own (OpenSSH, no passphrase); else one is made"),
    ] = ""
    renew: Annotated[bool, Field(description="Make another key.")] = False


class PlaybookAccessOut(Schema):
    """How the platform signs in to the servers of a tenancy."""

    tenancy_id: str
    user: str
    port: int
    become: bool
    reach: str
    public_key: Annotated[str, Field(description="What the servers must trust.")]
    changed_by: str
    changed_at: Instant


class PlaybookRunIn(Input):
    """What is to be run."""

    playbook: _Name
    inputs: dict[str, Any] = Field(default_factory=dict)
    check: Annotated[bool, Field(description="Change nothing and say what would be.")] = False
    servers: Annotated[list[_Name], Field(max_length=1000, description="None takes all.")] = Field(
        default_factory=list
    )
    waves: Annotated[
        list[str], Field(max_length=20, description="A number, a share such as 10%, or a last rest")
    ] = Field(default_factory=list)
    minutes: Annotated[
        int, Field(ge=0, le=MOST_MINUTES, description="Of a wave; 0 takes the platform's.")
    ] = 0


class PlaybookRunOut(Schema):
    """A playbook on the servers of a deployment."""

    id: str
    deployment_id: str
    tenancy_id: str
    path: str
    playbook: str
    content: str
    inputs: dict[str, Any]
    check: bool
    waves: list[str]
    minutes: int
    cause: Annotated[str, Field(description="apply:PLAN:N or retry:RUN; else empty.")]
    digest: Annotated[str, Field(description="What an approval stands for.")]
    state: RunState
    why: str
    operation: Annotated[str, Field(description="Empty until its turn comes.")]
    approved_by: str
    created_by: str
    created_at: Instant
    started_at: Instant | None
    ended_at: Instant | None


class PlaybookControlOut(Schema):
    """What a run found of a control."""

    id: str
    title: str
    state: ControlState
    message: str


class PlaybookHostOut(Schema):
    """A server in a run, with its tasks by how they ended."""

    name: str
    address: str
    wave: int
    state: HostState
    ok: int
    changed: int
    failed: int
    skipped: int
    message: str
    controls: list[PlaybookControlOut]


class PlaybookRunDetailOut(PlaybookRunOut):
    """A run with its servers."""

    hosts: list[PlaybookHostOut]


class PlaybookRunQuery(PageQuery):
    """Which runs."""

    deployment: _Reference | None = None
    playbook: _Reference | None = None
    state: Annotated[RunState, Field(strict=False)] | None = None


class PlaybookApproval(Input):
    """What is approved."""

    digest: Annotated[str, Field(max_length=80)]


@api.get("/playbooks")
@requires("playbook.view")
@api.output(PlaybookListOut)
def list_playbooks() -> Answer:
    """What can be run on servers, by name."""
    return {"items": [_playbook(p) for p in use(PlaybookRuns).playbooks(current_actor())]}


@api.get("/playbooks/<name>")
@requires("playbook.view")
@api.output(PlaybookOut)
def get_playbook(name: str) -> Answer:
    """One playbook with the schema of its inputs."""
    return _playbook(use(PlaybookRuns).playbook(current_actor(), name))


def _playbook(found: Playbook) -> dict[str, Any]:
    return {
        "name": found.name,
        "title": found.title.as_json(),
        "description": found.description.as_json(),
        "approval": found.approval,
        "report": found.report,
        "waves": list(found.waves),
        "inputs": dict(found.schema),
        "secrets": sorted(found.secrets),
        "digest": found.digest,
    }


@api.get("/tenancies/<reference>/playbook-access")
@requires("playbook_run.view")
@api.output(PlaybookAccessOut)
def get_playbook_access(reference: str) -> Access:
    """How the platform signs in to a tenancy's servers, and the key that they must trust."""
    found = use(PlaybookRuns).access(current_actor(), reference)
    if found is None:
        raise NotFound("the platform has no key for the servers of this tenancy yet")
    return found


@api.put("/tenancies/<reference>/playbook-access")
@requires("playbook_access.manage")
@api.input(PlaybookAccessIn)
@api.output(PlaybookAccessOut)
def set_playbook_access(reference: str, json_data: PlaybookAccessIn) -> Access:
    """Say how the platform signs in; without a key of your own it makes one."""
    return use(PlaybookRuns).set_access(current_actor(), reference, **json_data.model_dump())


@api.get("/deployments/<deployment_id>/servers")
@requires("playbook_run.view")
@api.output(PlaybookServersOut)
def list_servers(deployment_id: str) -> Answer:
    """The servers on which playbooks would run."""
    found, keys = use(PlaybookRuns).servers(current_actor(), deployment_id)
    return {
        "items": [
            {
                "name": s.name, "alias": s.alias, "address": s.address, "user": s.user,
                "port": s.port, "known": [k.line for k in keys if k.alias == s.alias],
            }
            for s in found
        ]
    }  # fmt: skip


@api.delete("/deployments/<deployment_id>/servers/<server>/host-key")
@requires("playbook_access.manage")
def forget_host_key(deployment_id: str, server: str) -> ResponseReturnValue:
    """Forget a server's host key: the next run learns the one that it shows then."""
    use(PlaybookRuns).forget_host_key(current_actor(), deployment_id, server)
    return "", 204


@api.post("/deployments/<deployment_id>/playbook-runs")
@requires("playbook_run.create")
@idempotent
@api.input(PlaybookRunIn)
@api.output(PlaybookRunOut, 202)
def create_playbook_run(deployment_id: str, json_data: PlaybookRunIn) -> Answer:
    """Run a playbook on a deployment's servers, or check what it would do."""
    wish = Wish(
        json_data.playbook, json_data.inputs, json_data.check, tuple(json_data.servers),
        tuple(json_data.waves), json_data.minutes,
    )  # fmt: skip
    return use(PlaybookRuns).start(current_actor(), deployment_id, wish)


@api.get("/playbook-runs")
@requires("playbook_run.view")
@api.input(PlaybookRunQuery, location="query")
@api.output(PageOut[PlaybookRunOut])
def list_playbook_runs(query_data: PlaybookRunQuery) -> Page[Run]:
    """The runs that you may see, newest first."""
    given = {
        "deployment_id": query_data.deployment,
        "playbook": query_data.playbook,
        "state": query_data.state.value if query_data.state else None,
    }
    filters = {name: value for name, value in given.items() if value is not None}
    return use(PlaybookRuns).runs(current_actor(), query_data.page(), filters)


@api.get("/playbook-runs/<run_id>")
@requires("playbook_run.view")
@api.output(PlaybookRunDetailOut)
def get_playbook_run(run_id: str) -> dict[str, Any]:
    """One run, its servers, and what it found of each control."""
    run, hosts = use(PlaybookRuns).run(current_actor(), run_id)
    fields = {name: getattr(run, name) for name in PlaybookRunOut.model_fields}
    return {**fields, "hosts": hosts}


@api.post("/playbook-runs/<run_id>/approve")
@requires("playbook_run.approve")
@idempotent
@api.input(PlaybookApproval)
@api.output(PlaybookRunOut, 202)
def approve_playbook_run(run_id: str, json_data: PlaybookApproval) -> Answer:
    """Let a run begin, as it was shown."""
    return use(PlaybookRuns).approve(current_actor(), run_id, json_data.digest)


@api.post("/playbook-runs/<run_id>/cancel")
@requires("playbook_run.cancel")
@idempotent
@api.output(PlaybookRunOut, 202)
def cancel_playbook_run(run_id: str) -> Answer:
    """Stop a run: what is under way is ended, and no further wave begins."""
    return use(PlaybookRuns).cancel(current_actor(), run_id)


@api.post("/playbook-runs/<run_id>/retry")
@requires("playbook_run.create")
@idempotent
@api.output(PlaybookRunOut, 202)
def retry_playbook_run(run_id: str) -> Answer:
    """Run again on the servers alone that did not succeed."""
    return use(PlaybookRuns).retry(current_actor(), run_id)
