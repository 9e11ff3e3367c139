"""Rules over HTTP."""

from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import Field

from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    TextBody,
    check_match,
    created,
    current_actor,
    etag,
    idempotent,
    rehearsable,
    requires,
    requires_match,
    use,
    with_etag,
)
from workloads.video_analytics.cameras.api.fields import Points, points_of
from workloads.video_analytics.rules.model import DAYS, MODELS, Hours, Rule, Wish
from workloads.video_analytics.rules.ports import RuleQuery
from workloads.video_analytics.rules.service import Rules
from workloads.video_analytics.vision.model import RuleKind
from workloads.video_analytics.vision.parameters import PARAMETERS

api = ApiBlueprint("rules", __name__, tag="Rules")

Day = Annotated[str, Field(json_schema_extra={"enum": list(DAYS)})]
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="HH:MM")]


class HoursBody(Schema):
    """Hours of some days, in the camera's time zone; an end before the start is the next day's."""

    days: Annotated[list[Day], Field(min_length=1, max_length=7)]
    start: Clock
    end: Clock

    def value(self) -> Hours:
        """The model's; a day that is none becomes none, which the model refuses."""
        numbers = [DAYS.index(day) if day in DAYS else -1 for day in self.days]
        return Hours(frozenset(numbers), self.start, self.end)


class RuleSettings(Input):
    """What is looked for, and where."""

    kind: Annotated[RuleKind, Field(strict=False)]
    name: TextBody
    points: Points = Field(default_factory=list)
    parameters: Annotated[
        dict[str, Any], Field(description="As `GET /rule-kinds` says; the rest takes defaults.")
    ] = Field(default_factory=dict)
    schedule: Annotated[
        list[HoursBody], Field(max_length=14, description="Empty: always in force.")
    ] = Field(default_factory=list)

    def wish(self) -> Wish:
        """The model's."""
        return Wish(
            self.kind, self.name.value(), points_of(self.points), self.parameters,
            tuple(hours.value() for hours in self.schedule),
        )  # fmt: skip


class RuleCreate(RuleSettings):
    """A new rule."""

    camera: Annotated[str, Field(max_length=40)]


class RuleChange(RuleSettings):
    """A rule as it shall be; its kind stays."""


class RuleCopy(Input):
    """Where to."""

    group: Annotated[str, Field(min_length=1, max_length=63, description="A group of cameras.")]


class RuleOut(Schema):
    """A version of a rule."""

    id: str
    camera_id: str
    path: str
    version: int
    kind: RuleKind
    name: TextBody
    points: list[list[float]]
    parameters: dict[str, Any]
    schedule: list[HoursBody]
    enabled: bool
    missing_model: Annotated[str, Field(description="A model that it needs and that is not there.")]
    at: Annotated[Instant, Field(description="When this version was made.")]
    by: str
    note: str


class RuleVersions(Schema):
    """The newest first."""

    items: list[RuleOut]


class RulesMade(Schema):
    """New rules."""

    items: list[RuleOut]


class RuleKindOut(Schema):
    """What can be looked for."""

    kind: RuleKind
    draw: Annotated[str, Field(description="line, field, field?, line|field or empty.")]
    model: Annotated[str, Field(description="What it cannot do without; empty: nothing.")]
    missing_model: str
    parameters: Annotated[dict[str, Any], Field(description="JSON Schema 2020-12.")]


class RuleKindsOut(Schema):
    """All kinds."""

    items: list[RuleKindOut]


class RulesQuery(PageQuery):
    """Which rules."""

    camera: Annotated[str, Field(max_length=40)] | None = None
    kind: Annotated[RuleKind, Field(strict=False)] | None = None
    enabled: bool | None = None


@api.get("/rules")
@requires("rule.view")
@api.input(RulesQuery, location="query")
@api.output(PageOut[RuleOut])
def list_rules(query_data: RulesQuery) -> Answer:
    """The rules that you may see."""
    query = RuleQuery(query_data.camera, query_data.kind, query_data.enabled)
    return use(Rules).rules(current_actor(), query, query_data.page()).map(_out)


@api.post("/rules")
@requires("rule.manage")
@rehearsable
@idempotent
@api.input(RuleCreate)
@api.output(RuleOut, 201)
def create_rule(json_data: RuleCreate) -> ResponseReturnValue:
    """Watch a camera for something."""
    made = use(Rules).create(current_actor(), json_data.camera, json_data.wish())
    return created(_out(made), f"/api/v1/rules/{made.id}", _tag(made))


@api.get("/rules/<rule_id>")
@requires("rule.view")
@api.output(RuleOut)
def get_rule(rule_id: str) -> Answer:
    """One rule, as it is now."""
    found = use(Rules).rule(current_actor(), rule_id)
    return with_etag(_out(found), _tag(found))


@api.put("/rules/<rule_id>")
@requires("rule.manage")
@rehearsable
@requires_match
@api.input(RuleChange)
@api.output(RuleOut)
def change_rule(rule_id: str, json_data: RuleChange) -> Answer:
    """Make a new version of a rule; the older ones stay readable."""
    rules, actor = use(Rules), current_actor()
    seen = rules.rule(actor, rule_id)
    check_match(_tag(seen))
    changed = rules.change(actor, rule_id, json_data.wish(), version=seen.version)
    return with_etag(_out(changed), _tag(changed))


@api.delete("/rules/<rule_id>")
@requires("rule.manage")
@api.output({}, status_code=204)
def remove_rule(rule_id: str) -> ResponseReturnValue:
    """Take a rule away; its versions stay readable for its events."""
    use(Rules).remove(current_actor(), rule_id)
    return "", 204


@api.post("/rules/<rule_id>/enable")
@requires("rule.manage")
@idempotent
@api.output(RuleOut)
def enable_rule(rule_id: str) -> Answer:
    """Switch a rule on."""
    return _out(use(Rules).enable(current_actor(), rule_id, enabled=True))


@api.post("/rules/<rule_id>/disable")
@requires("rule.manage")
@idempotent
@api.output(RuleOut)
def disable_rule(rule_id: str) -> Answer:
    """Switch a rule off."""
    return _out(use(Rules).enable(current_actor(), rule_id, enabled=False))


@api.post("/rules/<rule_id>/copy")
@requires("rule.manage")
@idempotent
@api.input(RuleCopy)
@api.output(RulesMade)
def copy_rule(rule_id: str, json_data: RuleCopy) -> Answer:
    """Copy a rule to the cameras of a group that have none like it."""
    made = use(Rules).copy(current_actor(), rule_id, group=json_data.group)
    return {"items": [_out(one) for one in made]}


@api.get("/rules/<rule_id>/versions")
@requires("rule.view")
@api.output(RuleVersions)
def list_rule_versions(rule_id: str) -> Answer:
    """All versions of a rule; of one that was removed too."""
    return {"items": [_out(one) for one in use(Rules).versions(current_actor(), rule_id)]}


@api.get("/rule-kinds")
@requires("rule.view")
@api.output(RuleKindsOut)
def list_rule_kinds() -> Answer:
    """What can be looked for, with its parameters."""
    return {
        "items": [
            {
                "kind": kind,
                "draw": PARAMETERS[kind].get("x-points", ""),
                "model": MODELS.get(kind, ""),
                "missing_model": use(Rules).missing(kind),
                "parameters": PARAMETERS[kind],
            }
            for kind in use(Rules).kinds()
        ]
    }


def _out(one: Rule) -> dict[str, Any]:
    names = (
        "id", "camera_id", "path", "version", "kind", "name", "enabled", "at", "by", "note",
    )  # fmt: skip
    return {
        **{name: getattr(one, name) for name in names},
        "points": [list(point) for point in one.points],
        "parameters": dict(one.parameters),
        "schedule": [
            {"days": [DAYS[day] for day in sorted(h.days)], "start": h.start, "end": h.end}
            for h in one.schedule
        ],
        "missing_model": use(Rules).missing(one.kind),
    }


def _tag(one: Rule) -> str:
    return etag(one.id, one.version)
