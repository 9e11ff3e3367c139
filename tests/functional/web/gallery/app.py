"""The gallery: a Flask application with the kit and no feature."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from flask import Flask, request

from control_plane.provisioning.graph import Change, Op, PropertyChange
from foundation import products
from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.database import Database
from foundation.kernel.errors import NotFound, Problem, Unauthenticated
from foundation.kernel.money import Money
from foundation.kernel.paging import Page
from foundation.kernel.secretbox import SecretBox
from foundation.surface import auth
from foundation.surface.api import headers, problems
from foundation.surface.auth import Identity, public, requires
from foundation.surface.registry import provide
from foundation.surface.runtime import Runtime
from foundation.surface.web import forms
from foundation.surface.web.install import Theme, install
from foundation.surface.web.pages import Crumb, Pages, go, show

NOW = datetime(2026, 11, 21, 9, 12, 33, tzinfo=UTC)

SCHEMA = {
    "type": "object",
    "required": ["servers", "exposure"],
    "properties": {
        "name": {
            "type": "string",
            "title": "Name",
            "x-borough-title": {"zh": "名称"},
            "description": "Lower case letters and digits.",
            "maxLength": 40,
        },
        "servers": {
            "type": "integer",
            "title": "Servers",
            "x-borough-title": {"zh": "服务器"},
            "description": "Each has 2 vCPU and 4 GB.",
            "minimum": 1,
            "maximum": 8,
            "default": 2,
        },
        "volume_gb": {
            "type": "integer",
            "title": "Volume",
            "x-borough-title": {"zh": "云硬盘"},
            "minimum": 10,
            "maximum": 2000,
            "multipleOf": 10,
            "default": 100,
            "x-borough-unit": "GB",
        },
        "exposure": {
            "type": "string",
            "enum": ["city", "internet"],
            "title": "Open to",
            "x-borough-title": {"zh": "开放范围"},
            "x-borough-enum": {
                "city": {"en": "city network", "zh": "政务网"},
                "internet": {"en": "internet", "zh": "互联网"},
            },
            "x-borough-note": {
                "en": "Internet needs a security review.",
                "zh": "互联网开放需安全审查。",
            },
        },
        "backup": {
            "type": "boolean",
            "title": "Back up every night",
            "x-borough-title": {"zh": "每晚备份"},
        },
        "cidrs": {
            "type": "array",
            "items": {"type": "string"},
            "title": "Allowed networks",
            "x-borough-title": {"zh": "允许的网段"},
            "description": "One a line.",
        },
    },
}


class FixedClock:
    """Always the same instant."""

    def now(self) -> datetime:
        return NOW


class OpenDoor:
    """One person with every permission; ``?stranger`` sends nobody."""

    def __init__(self) -> None:
        grant = Grant("platform_administrator", "/city/")
        actor = Actor(PrincipalId("per_1"), "Lin Wei", ActorKind.PERSON, (grant,))
        self.person = Identity(actor, csrf_token="gallery", session_id="ses_1")

    def by_token(self, secret: str) -> Identity:
        raise Unauthenticated(f"{secret} is not a token")

    def by_session(self, secret: str) -> Identity | None:
        return self.person if secret == "gallery" else None

    def may_somewhere(self, actor: Actor, action: str) -> bool:
        return bool(actor.grants) and action != "never"


pages = Pages("gallery", __name__)
pages.notices["done"] = "Signed out."
pages.navigation("Home", "gallery", order=1)
pages.navigation("Audit", "missing", group="platform")
pages.navigation("Nothing", "gallery", action="never")


def _changes() -> list[Change]:
    def prop(path: str, before: object, after: object, *, forces: bool = False) -> PropertyChange:
        return PropertyChange(path, before, after, forces)  # type: ignore[arg-type]

    return [
        Change(
            "u1",
            "openstack:compute/instance:Instance",
            "web-1",
            Op.CREATE,
            (
                prop("flavorName", None, "m1.medium"),
                prop("adminPass", None, {"$secret": "x"}),
                prop("network", None, {"$unknown": True}),
            ),
        ),
        Change(
            "u2",
            "openstack:blockstorage/volume:Volume",
            "data",
            Op.UPDATE,
            (prop("size", 100, 200),),
        ),
        Change(
            "u3",
            "openstack:loadbalancer/loadBalancer:LoadBalancer",
            "front",
            Op.REPLACE,
            (prop("vipSubnetId", "a", "b", forces=True),),
        ),
        Change(
            "u4",
            "openstack:networking/secGroupRule:SecGroupRule",
            "ssh",
            Op.DELETE,
            (prop("cidr", "10.0.0.0/8", None),),
        ),
        Change("u5", "openstack:networking/network:Network", "net", Op.SAME),
    ]


@pages.get("/")
@requires("gallery.view")
def gallery() -> object:
    fields = [
        forms.Field(
            "system",
            "System",
            "select",
            "sys_1",
            required=True,
            options=(forms.Option("sys_1", "Appointments"), forms.Option("sys_2", "Records")),
        ),
        *forms.draw(SCHEMA, {"servers": 12, "exposure": "city"}, "inputs"),
        forms.Field("why", "Why", "textarea", "", required=True, max_length=2000),
        forms.Field("until", "Until", "date", "2027-11-30"),
    ]
    wrong = (
        [
            Problem("inputs.servers", "must be at most 8"),
            Problem("why", "is required"),
            Problem("", "the contract has ended"),
        ]
        if "wrong" in request.args
        else []
    )
    return show(
        "gallery.html",
        form=forms.Form.of(fields, wrong),
        changes=_changes(),
        crumbs=[Crumb("Home", "/"), Crumb("Gallery")],
        page=Page((1, 2), "abc"),
        money=Money(Decimal("1284.0049")),
        small=Money(Decimal("0.000123")),
        at=NOW - timedelta(minutes=3),
        later=NOW + timedelta(days=30),
        states=["draft", "planning", "in_approval", "active", "failed", "stuck", "withdrawn"],
        steps=[
            SimpleNamespace(
                title="plan",
                state="succeeded",
                at=NOW - timedelta(minutes=5),
                detail="12 resources",
                url="",
            ),
            SimpleNamespace(title="apply", state="running", at=NOW, detail="", url="/missing"),
            SimpleNamespace(title="verify", state="pending", at=None, detail="", url=""),
        ],
    )


@pages.post("/")
@requires("gallery.view")
def post() -> object:
    return go("gallery_pages.gallery", notice="done")


@pages.get("/missing")
@requires("gallery.view")
def missing() -> object:
    raise NotFound("there is no such order")


@pages.get("/broken")
@public
def broken() -> object:
    raise RuntimeError("secret detail")


def create(theme: Theme | None = None) -> Flask:
    """The application."""
    app = Flask(
        "gallery", template_folder=str(Path(__file__).parent / "templates"), static_folder=None
    )
    auth.install(app, OpenDoor(), products.declared_by("control_plane"))
    problems.install(app)
    headers.install(app)
    runtime = Runtime(cast("Database", None), FixedClock(), cast("SecretBox", None))
    provide(app, runtime)
    install(app, theme)
    door = Pages("access", "control_plane")
    door.add_url_rule("/sign-in", "sign_in", public(lambda: ("sign in", 200)))
    app.register_blueprint(door)
    app.register_blueprint(pages)
    return app


if __name__ == "__main__":
    create().run(port=8099)
