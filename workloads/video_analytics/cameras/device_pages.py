"""Pages of ONVIF devices: searched, asked, and their profiles entered as cameras.

What a device is entered with goes through three requests and stands on no page: it lies sealed in
the form, bound to the visitor, for a quarter of an hour.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.kernel.errors import (
    BoroughError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Problem,
    Unavailable,
)
from foundation.kernel.secretbox import SecretError
from foundation.kernel.text import Text
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.runtime import Runtime
from foundation.surface.web.forms import Field, Form, Option
from foundation.surface.web.i18n import N_, local
from foundation.surface.web.pages import Crumb, Pages, go, show
from workloads.video_analytics.cameras.devices import DeviceLogin, Devices
from workloads.video_analytics.cameras.model import Settings
from workloads.video_analytics.cameras.onvif.model import Found, Profile, Report
from workloads.video_analytics.departments.pages import all_departments

pages = Pages("devices", __name__)
pages.notices["device.late"] = N_("That was too long ago: ask the device once more.")
pages.notices["device.imported"] = N_("The camera was entered; its form has the rest.")

_KEPT = timedelta(minutes=15)


@pages.get("/devices")
@requires("camera.manage")
def devices() -> ResponseReturnValue:
    """Where devices are searched for, and asked."""
    return _show(address=request.args.get("address", ""))


@pages.post("/devices/discover")
@requires("camera.manage")
def discover() -> ResponseReturnValue:
    """Ask who is there; takes three seconds."""
    host = request.form.get("host", "").strip()
    try:
        found = use(Devices).discover(current_actor(), host)
    except Invalid as error:
        return _show(problems=error.problems, status=422, host=host)
    except Unavailable as error:
        return _show(wrong=error.message, status=503, host=host)
    return _show(found=found, host=host)


@pages.post("/devices/report")
@requires("camera.manage")
def report() -> ResponseReturnValue:
    """Ask a device for all that is needed to enter it."""
    sent = request.form
    login = DeviceLogin(
        sent.get("address", "").strip(), sent.get("username", ""), sent.get("password", "")
    )  # fmt: skip
    try:
        found = use(Devices).report(current_actor(), login)
    except Invalid as error:
        return _show(problems=error.problems, status=422, address=login.address)
    except (Conflict, Unavailable) as error:
        return _show(wrong=error.message, status=_status(error), address=login.address)
    return _report(found, login)


@pages.post("/devices/import")
@requires("camera.manage")
def import_profile() -> ResponseReturnValue:
    """Enter a profile as a camera, or say what is wrong."""
    sent = request.form
    login = _opened(sent.get("login", ""))
    if login is None:
        return go("devices_pages.devices", notice="device.late")
    settings = Settings(
        Text(sent.get("name.en", "").strip(), sent.get("name.zh", "").strip()),
        sent.get("path", ""), sent.get("code", "").strip(),
    )  # fmt: skip
    devices, actor = use(Devices), current_actor()
    try:
        made = devices.import_profile(actor, login, sent.get("profile", ""), settings)
    except (Invalid, NotFound, Forbidden) as error:
        wrong = [Problem("path", "is not a department of yours")]
        problems = error.problems if isinstance(error, Invalid) else wrong
        return _report(devices.report(actor, login), login, problems, 422)
    except (Conflict, Unavailable) as error:
        return _show(wrong=error.message, status=_status(error), address=login.address)
    return go("cameras_pages.edit", id=made.id, notice="device.imported")


def _status(error: BoroughError) -> int:
    return 503 if isinstance(error, Unavailable) else 409


def _show(
    *, found: Sequence[Found] | None = None, problems: Sequence[Problem] = (), wrong: str = "",
    status: int = 200, host: str = "", address: str = "",
) -> ResponseReturnValue:  # fmt: skip
    search = [
        Field("host", gettext("Address or name"), value=host, max_length=253,
              help=gettext("Empty: everybody on the configured interfaces is asked.")),
    ]  # fmt: skip
    ask = [
        Field("address", gettext("Address of the device service"), value=address, required=True,
              max_length=2000, help=gettext("Such as http://10.1.2.3/onvif/device_service.")),
        Field("username", gettext("User name"), autocomplete="off",
              value=request.form.get("username", ""), max_length=500),
        Field("password", gettext("Password"), "password", autocomplete="new-password",
              max_length=500, help=gettext("Kept sealed; it is never shown again.")),
    ]  # fmt: skip
    return show(
        "devices/devices.html", status, found=found, wrong=wrong,
        search=Form.of(search, problems), ask=Form.of(ask, problems), crumbs=_way(),
    )  # fmt: skip


def _report(
    found: Report, login: DeviceLogin, problems: Sequence[Problem] = (), status: int = 200
) -> ResponseReturnValue:
    sent = request.form
    profiles = tuple(
        Option(one.token, f"{one.name or one.token} · {one.encoding} {_size(one)}")
        for one in found.profiles if one.url
    )  # fmt: skip
    places = tuple(Option(d.path, f"{local(d.name)} ({d.path})") for d in all_departments())
    name = f"{found.information.manufacturer} {found.information.model}".strip()
    fields = [
        Field("profile", gettext("Profile"), "radio",
              sent.get("profile") or (profiles[0].value if profiles else ""), required=True,
              options=profiles),
        Field("name.en", gettext("Name in English"), value=sent.get("name.en", name),
              required=True, max_length=200),
        Field("name.zh", gettext("Name in Chinese"), value=sent.get("name.zh", name),
              required=True, max_length=200),
        Field("path", gettext("Department"), "select", sent.get("path", ""), required=True,
              options=places),
        Field("code", gettext("Code in the city's list"), value=sent.get("code", ""),
              max_length=64),
    ]  # fmt: skip
    return show(
        "devices/report.html", status, report=found, login=_sealed(login),
        form=Form.of(fields, problems), profiles=profiles,
        crumbs=[*_way(), Crumb(name or found.address)],
    )  # fmt: skip


def _size(one: Profile) -> str:
    return f"{one.width}×{one.height}" if one.width and one.height else ""


def _sealed(login: DeviceLogin) -> str:
    runtime = use(Runtime)
    until = (runtime.clock.now() + _KEPT).isoformat()
    plain = json.dumps([login.address, login.username, login.password, until])
    return runtime.secrets.seal(plain.encode(), _context())


def _opened(sealed: str) -> DeviceLogin | None:
    """What was sealed for this visitor a little while ago; None for all else."""
    runtime = use(Runtime)
    try:
        address, username, password, until = json.loads(
            runtime.secrets.open(sealed, _context())
        )  # fmt: skip
    except (SecretError, ValueError):
        return None
    if runtime.clock.now() > datetime.fromisoformat(until):
        return None
    return DeviceLogin(address, username, password)


def _context() -> str:
    return f"video_onvif_form:{current_actor().id}"


def _way() -> list[Crumb]:
    return [
        Crumb(gettext("Home"), "/"), Crumb(gettext("Wall"), url_for("cameras_pages.wall")),
        Crumb(gettext("ONVIF devices"), url_for("devices_pages.devices")),
    ]  # fmt: skip
