"""Pages of playbooks: what there is, a deployment's servers with a form, and a run live."""

from typing import Any

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from control_plane.provisioning.model import Deployment
from control_plane.provisioning.playbooks.model import Control, Host, Playbook, Run, Server
from control_plane.provisioning.playbooks.service import PlaybookRuns, Wish
from control_plane.provisioning.service import Provisioning
from foundation.access import policy
from foundation.kernel.errors import Conflict, Invalid, Problem
from foundation.kernel.paging import PageRequest
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web import forms
from foundation.surface.web.forms import Field, Form, Option
from foundation.surface.web.i18n import N_, local, say_problem
from foundation.surface.web.pages import Crumb, Pages, go, show

pages = Pages("playbooks", __name__)
pages.navigation(N_("Playbooks"), "playbooks", action="playbook_run.view", order=55)
pages.subjects["pbr"] = "playbooks_pages.run"
pages.notices["playbook.approved"] = N_("It begins in its turn.")
pages.notices["playbook.cancel"] = N_("The run was asked to stop.")
pages.notices["playbook.access"] = N_("Let the servers trust the key before the next run.")
pages.notices["playbook.forgotten"] = N_("The next run learns the key that the server shows then.")

_INPUTS = "inputs"
_RECENT = 20


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {
        "playbook_title": playbook_title,
        "runs_of": runs_of,
        "form_of": form_of,
        "default_of": default_of,
        "waves_in_words": waves_in_words,
    }


def playbook_title(name: str) -> str:
    """What a playbook is called, in the request's language; its name when it is gone."""
    found = {p.name: p for p in use(PlaybookRuns).playbooks(current_actor())}
    return local(found[name].title) if name in found else name


def runs_of(deployment_id: str) -> list[Run]:
    """The newest runs on a deployment, for its page."""
    page = PageRequest(limit=3)
    return list(
        use(PlaybookRuns).runs(current_actor(), page, {"deployment_id": deployment_id}).items
    )


def form_of(field: Field) -> str:
    """What an input takes, in words: its choices, its limits, ``yes or no``, ``one a line``."""
    if field.options:
        return ", ".join(o.label for o in field.options)
    if field.kind == "checkbox":
        return str(gettext("yes or no"))
    if field.kind == "lines":
        return str(gettext("one a line"))
    return field.limits


def default_of(field: Field) -> str:
    """What holds when an input is not given, as it would be typed; empty when nothing does."""
    if field.kind == "checkbox":
        return str(gettext("yes") if field.value else gettext("no"))
    if field.options:
        return next((o.label for o in field.options if o.value == field.value), "")
    if field.value in (None, []):
        return ""
    return ", ".join(str(field.value).splitlines()) if field.kind == "lines" else str(field.value)


def waves_in_words(waves: tuple[str, ...]) -> str:
    """In which order servers are taken: ``1 server, then 10%, then the rest``."""
    words: list[str] = []
    for wave in waves:
        if wave == "rest":
            words.append(gettext("the rest") if words else gettext("all at once"))
        elif wave.isdigit():
            words.append(ngettext("%(num)d server", "%(num)d servers", int(wave)))
        else:
            words.append(wave)
    return str(gettext(", then ")).join(words)


def _home(*more: Crumb) -> list[Crumb]:
    return [
        Crumb(gettext("Home"), "/"),
        Crumb(gettext("Playbooks"), url_for("playbooks_pages.playbooks")),
        *more,
    ]


@pages.get("/playbooks")
@requires("playbook.view")
def playbooks() -> ResponseReturnValue:
    """What can be run, and the newest runs."""
    service, actor = use(PlaybookRuns), current_actor()
    return show(
        "playbooks/playbooks.html",
        playbooks=service.playbooks(actor),
        recent=service.runs(actor, PageRequest(limit=_RECENT)).items,
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Playbooks"))],
    )


@pages.get("/playbooks/<name>")
@requires("playbook.view")
def playbook(name: str) -> ResponseReturnValue:
    """One playbook and what it asks for."""
    found = use(PlaybookRuns).playbook(current_actor(), name)
    return show(
        "playbooks/playbook.html",
        playbook=found,
        fields=forms.draw(found.schema, {}),
        crumbs=_home(Crumb(local(found.title))),
    )


@pages.get("/playbook-runs")
@requires("playbook_run.view")
def runs() -> ResponseReturnValue:
    """All runs that one may see."""
    page = use(PlaybookRuns).runs(current_actor(), PageRequest(request.args.get("cursor")))
    return show("playbooks/runs.html", page=page, crumbs=_home(Crumb(gettext("Runs"))))


@pages.get("/deployments/<id>/playbooks")
@requires("playbook_run.view")
def deployment(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """A deployment's servers, the way in, and a form for a run."""
    return _show_deployment(id)


def _show_deployment(
    deployment_id: str,
    chosen: str = "",
    values: dict[str, Any] | None = None,
    problems: tuple[Problem, ...] = (),
    status: int = 200,
) -> ResponseReturnValue:
    service, actor = use(PlaybookRuns), current_actor()
    there = use(Provisioning).deployment(actor, deployment_id)
    servers: tuple[Server, ...] = ()
    known: frozenset[str] = frozenset()
    reason = ""
    try:
        servers, keys = service.servers(actor, there.id)
        known = frozenset(k.alias for k in keys)
    except Conflict as error:
        reason = error.message
    every = service.playbooks(actor)
    name = chosen or request.args.get("playbook", "")
    found = next((p for p in every if p.name == name), None)
    return show(
        "playbooks/deployment.html",
        status,
        deployment=there,
        region=use(Provisioning).region(actor, there.region_id),
        servers=servers,
        known=known,
        reason=reason,
        playbooks=every,
        chosen=found,
        form=_form(found, servers, values or {}, problems) if found else None,
        access=service.access(actor, there.tenancy_id),
        manages=policy.allows(actor, "playbook_access.manage", there.path),
        creates=policy.allows(actor, "playbook_run.create", there.path),
        runs=service.runs(actor, PageRequest(limit=_RECENT), {"deployment_id": there.id}).items,
        crumbs=_deployment_crumbs(there),
    )


def _deployment_crumbs(there: Deployment) -> list[Crumb]:
    return [
        Crumb(gettext("Home"), "/"),
        Crumb(gettext("Deployments"), url_for("provisioning_pages.deployments")),
        Crumb(there.name, url_for("provisioning_pages.deployment", id=there.id)),
        Crumb(gettext("Playbooks")),
    ]


def _form(
    chosen: Playbook,
    servers: tuple[Server, ...],
    values: dict[str, Any],
    problems: tuple[Problem, ...],
) -> Form:
    # What was typed as a secret is not sent back to the page.
    typed = values.get(_INPUTS, {})
    inputs = {n: v for n, v in typed.items() if n not in chosen.secrets}
    fields = [
        *forms.draw(chosen.schema, inputs, _INPUTS),
        Field(
            "servers", gettext("Only these servers; none for all"), "checkboxes",
            values.get("servers", []), options=tuple(Option(s.name, s.name) for s in servers),
        ),
        Field(
            "waves", gettext("Waves by commas: a number, a share, or a last rest each"), "text",
            values.get("waves", ", ".join(chosen.waves)),
        ),
        Field(
            "minutes", gettext("Minutes that a wave may take; 0 for the platform's own"), "number",
            values.get("minutes", 0), minimum=0, maximum=1440, step=1,
        ),
        Field(
            "check", gettext("Check: change nothing and say what would be"), "checkbox",
            values.get("check", True),
        ),
    ]  # fmt: skip
    return Form.of(fields, problems)


@pages.post("/deployments/<id>/playbooks")
@requires("playbook_run.create")
def create(id: str) -> ResponseReturnValue:  # noqa: A002
    """Begin a run, or say what is wrong."""
    service, actor = use(PlaybookRuns), current_actor()
    chosen = service.playbook(actor, request.form.get("playbook", ""))
    schema = {"properties": {_INPUTS: chosen.schema}}
    minutes = request.form.get("minutes", "0").strip()
    waves = tuple(w.strip() for w in request.form.get("waves", "").split(",") if w.strip())
    wish = Wish(
        chosen.name,
        forms.read(schema, request.form)[_INPUTS],
        check=request.form.getlist("check")[-1:] == ["on"],
        servers=tuple(request.form.getlist("servers")),
        waves=waves,
        minutes=int(minutes) if minutes.isdecimal() and len(minutes) < 6 else -1,  # noqa: PLR2004
    )
    try:
        made = service.start(actor, id, wish)
    except Invalid as error:
        values = {
            _INPUTS: wish.inputs, "servers": list(wish.servers), "waves": ", ".join(wish.waves),
            "minutes": minutes, "check": wish.check,
        }  # fmt: skip
        return _show_deployment(id, chosen.name, values, error.problems, 422)
    return go("playbooks_pages.run", id=made.id)


@pages.post("/deployments/<id>/playbook-access")
@requires("playbook_access.manage")
def set_access(id: str) -> ResponseReturnValue:  # noqa: A002
    """Say how the platform signs in to the servers of a deployment's tenancy."""
    actor = current_actor()
    there = use(Provisioning).deployment(actor, id)
    sent = request.form
    port = sent.get("port", "").strip()
    try:
        use(PlaybookRuns).set_access(
            actor,
            there.tenancy_id,
            user=sent.get("user", "").strip(),
            port=int(port) if port.isdecimal() and len(port) < 6 else 0,  # noqa: PLR2004
            become="become" in sent,
            reach=sent.get("reach", ""),
            private_key=sent.get("private_key", "").strip(),
            renew="renew" in sent,
        )
    except Invalid as error:
        text = "; ".join(f"{p.field}: {say_problem(p)}" for p in error.problems)
        return _with_access_problem(id, text)
    return go("playbooks_pages.deployment", id=id, notice="playbook.access")


def _with_access_problem(deployment_id: str, text: str) -> ResponseReturnValue:
    service, actor = use(PlaybookRuns), current_actor()
    there = use(Provisioning).deployment(actor, deployment_id)
    return show(
        "playbooks/access.html",
        422,
        deployment=there,
        problem=text,
        access=service.access(actor, there.tenancy_id),
        crumbs=_deployment_crumbs(there),
    )


@pages.post("/deployments/<id>/servers/<server>/forget")
@requires("playbook_access.manage")
def forget(id: str, server: str) -> ResponseReturnValue:  # noqa: A002
    """Forget a server's host key."""
    use(PlaybookRuns).forget_host_key(current_actor(), id, server)
    return go("playbooks_pages.deployment", id=id, notice="playbook.forgotten")


@pages.get("/playbook-runs/<id>")
@requires("playbook_run.view")
def run(id: str) -> ResponseReturnValue:  # noqa: A002
    """One run: its servers live, what waits for approval, and the compliance report."""
    actor = current_actor()
    found, hosts = use(PlaybookRuns).run(actor, id)
    part = request.args.get("part") == "live"
    return show(
        "playbooks/live.html" if part else "playbooks/run.html",
        run=found,
        hosts=hosts,
        controls=_by_control(hosts),
        report_columns=[(h.name, "") for h in hosts],
        inputs={n: v for n, v in found.inputs.items() if v not in ("", [], None)},
        approves=policy.allows(actor, "playbook_run.approve", found.path)
        and found.created_by != actor.id,
        cancels=policy.allows(actor, "playbook_run.cancel", found.path),
        creates=policy.allows(actor, "playbook_run.create", found.path),
        crumbs=_home(
            Crumb(gettext("Runs"), url_for("playbooks_pages.runs")),
            Crumb(playbook_title(found.playbook)),
        ),
    )


def _by_control(hosts: list[Host]) -> list[tuple[str, str, dict[str, Control]]]:
    """Each control with its title and what was found on each server."""
    found: dict[str, tuple[str, dict[str, Control]]] = {}
    for host in hosts:
        for control in host.controls:
            found.setdefault(control.id, (control.title, {}))[1][host.name] = control
    return [(name, title, by_host) for name, (title, by_host) in sorted(found.items())]


@pages.post("/playbook-runs/<id>/approve")
@requires("playbook_run.approve")
def approve(id: str) -> ResponseReturnValue:  # noqa: A002
    """Let a run begin, as it was shown."""
    use(PlaybookRuns).approve(current_actor(), id, request.form.get("digest", ""))
    return go("playbooks_pages.run", id=id, notice="playbook.approved")


@pages.post("/playbook-runs/<id>/cancel")
@requires("playbook_run.cancel")
def cancel(id: str) -> ResponseReturnValue:  # noqa: A002
    """Stop a run."""
    use(PlaybookRuns).cancel(current_actor(), id)
    return go("playbooks_pages.run", id=id, notice="playbook.cancel")


@pages.post("/playbook-runs/<id>/retry")
@requires("playbook_run.create")
def retry(id: str) -> ResponseReturnValue:  # noqa: A002
    """Run again on the servers alone that did not succeed."""
    made = use(PlaybookRuns).retry(current_actor(), id)
    return go("playbooks_pages.run", id=made.id)
