"""Pages of the registry: what revisions change, who runs them, and a blueprint's life."""

from datetime import UTC, datetime
from functools import partial

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from control_plane.provisioning.differences import shown
from control_plane.provisioning.graph import is_secret, is_unknown
from control_plane.provisioning.registry.service import Registry
from control_plane.provisioning.service import Provisioning
from foundation.access import policy
from foundation.kernel import canonical
from foundation.kernel.errors import Invalid, NotFound, Problem
from foundation.kernel.paging import PageRequest, everything
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.i18n import N_, local, say_problem
from foundation.surface.web.pages import Crumb, Pages, go, show

pages = Pages("registry", __name__)
pages.navigation(
    N_("Blueprint sources"), "sources", action="source.view", group="platform", order=35
)
pages.subjects["src"] = "registry_pages.source"
pages.notices["source.add"] = N_("The source is registered; read it to publish its blueprints.")
pages.notices["source.remove"] = N_("The source is removed; what it published stays.")
pages.notices["blueprint.deprecate"] = N_("The blueprint is deprecated.")
pages.notices["blueprint.retire"] = N_("The blueprint is retired.")
pages.notices["blueprint.reinstate"] = N_("The blueprint is published again.")

_PARTS = {
    "document": N_("the blueprint"),
    "inputs": N_("input"),
    "outputs": N_("output"),
}
_OUTCOMES = {
    "problem": N_("cannot take it"),
    "replace": N_("replaces or deletes resources"),
    "change": N_("changes"),
    "same": N_("nothing changes"),
}
_LONGEST = 120


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {"part_word": part_word, "outcome_word": outcome_word, "plain_value": plain_value}


def part_word(part: object) -> str:
    """A part of a blueprint's document in the request's language."""
    return str(gettext(_PARTS[str(part)]))


def outcome_word(outcome: str) -> str:
    """What becomes of a deployment, in the request's language."""
    return str(gettext(_OUTCOMES[outcome]))


def plain_value(value: object) -> str:
    """A property's value in a few words."""
    if value is None or is_secret(value) or is_unknown(value):
        return shown(value)  # type: ignore[arg-type]
    text = value if isinstance(value, str) else canonical.dumps(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _crumbs(name: str, last: str) -> list[Crumb]:
    revision = use(Provisioning).revision(current_actor(), name)
    return [
        Crumb(gettext("Home"), "/"),
        Crumb(gettext("Blueprints"), url_for("provisioning_pages.blueprints")),
        Crumb(local(revision.title), url_for("provisioning_pages.blueprint", name=name)),
        Crumb(last),
    ]


def _versions(name: str) -> list[str]:
    read = partial(use(Provisioning).revisions, current_actor(), name)
    return [revision.version for revision in everything(read)]


@pages.get("/blueprints/<name>/compare")
@requires("blueprint.view")
def compare(name: str) -> ResponseReturnValue:
    """Two versions side by side, and what the newer one would change of what runs."""
    actor, service = current_actor(), use(Registry)
    found = service.compare(
        actor, name, new=request.args.get("new", ""), old=request.args.get("old", "")
    )
    impact = rows = None
    publishes = policy.allows(actor, "blueprint.publish", policy.ROOT)
    if publishes:
        try:
            impact = service.impact(actor, name, found.new_version)
            asked = PageRequest(request.args.get("cursor"))
            rows = service.impact_rows(actor, name, found.new_version, asked)
        except NotFound:
            impact = None  # nobody has asked
    return show(
        "registry/compare.html",
        name=name,
        found=found,
        versions=_versions(name),
        publishes=publishes,
        impact=impact,
        rows=rows,
        crumbs=_crumbs(name, gettext("What changed")),
    )


@pages.post("/blueprints/<name>/revisions/<version>/impact")
@requires("blueprint.publish")
def work_out(name: str, version: str) -> ResponseReturnValue:
    """Start working out what a version would change of what runs."""
    started = use(Registry).request_impact(current_actor(), name, version)
    return go("operations_pages.operation", id=started.id)


@pages.get("/blueprints/<name>/deployments")
@requires("blueprint.view")
def users(name: str) -> ResponseReturnValue:
    """The deployments of a blueprint that the visitor may see."""
    version = request.args.get("version", "")
    asked = PageRequest(request.args.get("cursor"))
    return show(
        "registry/users.html",
        name=name,
        version=version,
        versions=_versions(name),
        page=use(Registry).users(current_actor(), name, asked, version=version),
        crumbs=_crumbs(name, gettext("Who runs it")),
    )


@pages.post("/blueprints/<name>/deprecate")
@requires("blueprint.retire")
def deprecate(name: str) -> ResponseReturnValue:
    """Nothing new from a day on."""
    try:
        until = datetime.strptime(request.form.get("until", ""), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise Invalid([Problem("until", "must be a date")]) from None
    use(Provisioning).deprecate(
        current_actor(), name, ends_at=until, successor=request.form.get("successor", ""),
        reason=request.form.get("reason", ""),
    )  # fmt: skip
    return go("provisioning_pages.blueprint", name=name, notice="blueprint.deprecate")


@pages.post("/blueprints/<name>/retire")
@requires("blueprint.retire")
def retire(name: str) -> ResponseReturnValue:
    """Nothing new from now on."""
    use(Provisioning).retire(
        current_actor(), name, successor=request.form.get("successor", ""),
        reason=request.form.get("reason", ""),
    )  # fmt: skip
    return go("provisioning_pages.blueprint", name=name, notice="blueprint.retire")


@pages.post("/blueprints/<name>/reinstate")
@requires("blueprint.retire")
def reinstate(name: str) -> ResponseReturnValue:
    """Take that back."""
    use(Provisioning).reinstate(current_actor(), name)
    return go("provisioning_pages.blueprint", name=name, notice="blueprint.reinstate")


# Where blueprints come from -----------------------------------------------------------------------


@pages.get("/blueprint-sources")
@requires("source.view")
def sources() -> ResponseReturnValue:
    """All sources, with how their last reading went."""
    return _sources({}, [], 200)


def _sources(form: dict[str, str], problems: list[Problem], status: int) -> ResponseReturnValue:
    actor = current_actor()
    return show(
        "registry/sources.html",
        status,
        page=use(Registry).sources(actor, PageRequest(request.args.get("cursor"))),
        manages=policy.allows(actor, "source.manage", policy.ROOT),
        form=form,
        problems=[(p.field, say_problem(p)) for p in problems],
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Blueprint sources"))],
    )


@pages.post("/blueprint-sources")
@requires("source.manage")
def add_source() -> ResponseReturnValue:
    """Register a repository."""
    form = {name: value.strip() for name, value in request.form.items()}
    minutes = form.get("minutes") or "0"
    texts = ("slug", "url", "kind", "reference", "folder", "user", "password", "allowed_signers")
    try:
        made = use(Registry).add_source(
            current_actor(),
            **{name: form.get(name, "") for name in texts},
            signed=bool(form.get("signed")),
            minutes=int(minutes) if minutes.isdecimal() else -1,
        )
    except Invalid as error:
        return _sources({**form, "password": ""}, list(error.problems), 422)
    return go("registry_pages.source", id=made.id, notice="source.add")


@pages.get("/blueprint-sources/<id>")
@requires("source.view")
def source(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """One source, and what its last reading found."""
    actor = current_actor()
    found = use(Registry).source(actor, id)
    return show(
        "registry/source.html",
        source=found,
        manages=policy.allows(actor, "source.manage", policy.ROOT),
        syncs=policy.allows(actor, "source.sync", policy.ROOT),
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Blueprint sources"), url_for("registry_pages.sources")),
            Crumb(found.slug),
        ],
    )


@pages.post("/blueprint-sources/<id>/sync")
@requires("source.sync")
def sync(id: str) -> ResponseReturnValue:  # noqa: A002
    """Read a source now."""
    started = use(Registry).request_sync(current_actor(), id)
    return go("operations_pages.operation", id=started.id)


@pages.post("/blueprint-sources/<id>/remove")
@requires("source.manage")
def remove_source(id: str) -> ResponseReturnValue:  # noqa: A002
    """Forget a source."""
    use(Registry).remove_source(current_actor(), id)
    return go("registry_pages.sources", notice="source.remove")
