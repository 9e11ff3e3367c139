"""Pages of bindings: those of one deployment, and the one answer that shows a credential."""

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from control_plane.provisioning.bindings.model import LONGEST_OVERLAP_HOURS, Binding
from control_plane.provisioning.bindings.service import DEFAULT_OVERLAP_HOURS, Bindings
from foundation.kernel.errors import Invalid, Problem
from foundation.surface import auth
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Field, Form, Option
from foundation.surface.web.i18n import N_
from foundation.surface.web.pages import Crumb, Pages, go, show

pages = Pages("bindings", __name__)
pages.subjects["bnd"] = "bindings_pages.binding"

#: What one may be allowed to do, as blueprints name it.
ACCESS = {
    "owner": N_("everything, also tables"),
    "readwrite": N_("read and write"),
    "readonly": N_("read"),
}


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {"binding_access": access_name, "bindings_of": bindings_of}


def access_name(access: str) -> str:
    """What a kind of access is called; its own name where a blueprint has another."""
    return str(gettext(ACCESS[access])) if access in ACCESS else access


def bindings_of(deployment_id: str) -> list[Binding] | None:
    """The bindings of a deployment that offers some, for its page; else None."""
    if not auth.may("binding.view"):
        return None
    _, offer, found = use(Bindings).offer(current_actor(), deployment_id)
    return found if offer is not None else None


@pages.get("/bindings/<id>")
@requires("binding.view")
def binding(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """Go to the deployment of a binding."""
    found = use(Bindings).binding(current_actor(), id)
    return go("bindings_pages.bindings", id=found.deployment_id)


@pages.get("/deployments/<id>/bindings")
@requires("binding.view")
def bindings(id: str) -> ResponseReturnValue:  # noqa: A002
    """The bindings of a deployment, and how to make one."""
    return _show(id)


def _show(
    deployment_id: str, problems: tuple[Problem, ...] = (), status: int = 200
) -> ResponseReturnValue:
    there, offer, found = use(Bindings).offer(current_actor(), deployment_id)
    targets = there.inputs.get(offer.targets) if offer else None
    listed = [str(t) for t in targets] if isinstance(targets, list) else []
    sent = {name: request.form.get(name, "") for name in ("name", "target", "access")}
    fields = (
        Field("name", gettext("Name"), "text", sent["name"], required=True, max_length=40,
              help=gettext("Lower-case letters and digits, parts joined by underscores.")),
        Field("target", gettext("Database"), "select", sent["target"] or next(iter(listed), ""),
              options=tuple(Option(t, t) for t in listed)),
        Field("access", gettext("May do"), "select",
              sent["access"] or (offer.access[0] if offer else ""),
              options=tuple(Option(a, access_name(a)) for a in (offer.access if offer else ()))),
    )  # fmt: skip
    return show(
        "bindings/bindings.html",
        status,
        deployment=there,
        offered=offer is not None,
        bindings=found,
        form=Form.of(fields, problems),
        overlap=DEFAULT_OVERLAP_HOURS,
        longest=LONGEST_OVERLAP_HOURS,
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Deployments"), url_for("provisioning_pages.deployments")),
            Crumb(there.name, url_for("provisioning_pages.deployment", id=there.id)),
            Crumb(gettext("Bindings")),
        ],
    )


@pages.post("/deployments/<id>/bindings")
@requires("binding.create")
def create(id: str) -> ResponseReturnValue:  # noqa: A002
    """Have a user made, or say what is wrong."""
    wish = {name: request.form.get(name, "").strip() for name in ("name", "target", "access")}
    try:
        made = use(Bindings).create(current_actor(), id, **wish)
    except Invalid as error:
        return _show(id, error.problems, 422)
    return go("operations_pages.operation", id=made.operation)


@pages.post("/bindings/<id>/rotate")
@requires("binding.rotate")
def rotate(id: str) -> ResponseReturnValue:  # noqa: A002
    """Have a new credential made."""
    sent = request.form.get("overlap_hours", "")
    hours = int(sent) if sent.isdecimal() and len(sent) < 5 else -1  # noqa: PLR2004
    changed = use(Bindings).rotate(current_actor(), id, overlap_hours=hours)
    return go("operations_pages.operation", id=changed.operation)


@pages.post("/bindings/<id>/retry")
@requires("binding.rotate")
def retry(id: str) -> ResponseReturnValue:  # noqa: A002
    """Try again what failed."""
    changed = use(Bindings).retry(current_actor(), id)
    return go("operations_pages.operation", id=changed.operation)


@pages.post("/bindings/<id>/delete")
@requires("binding.delete")
def delete(id: str) -> ResponseReturnValue:  # noqa: A002
    """Have a user taken away."""
    changed = use(Bindings).delete(current_actor(), id)
    return go("operations_pages.operation", id=changed.operation)


@pages.post("/bindings/<id>/reveal")
@requires("binding.reveal")
def reveal(id: str) -> ResponseReturnValue:  # noqa: A002
    """Show the newest credential in this one answer."""
    service, actor = use(Bindings), current_actor()
    shown = service.reveal(actor, id)
    found = service.binding(actor, id)
    return show(
        "bindings/credential.html",
        binding=found,
        credential=shown,
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Bindings"), url_for("bindings_pages.bindings", id=found.deployment_id)),
            Crumb(found.name),
        ],
    )
