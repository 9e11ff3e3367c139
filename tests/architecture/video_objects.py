"""One of each kind of thing of Borough Video, for the test of authorisation.

A new feature adds its things to ``make``: the id under the noun of their addresses in ``ids``, into
``owned`` when only their department may know of them, and to ``bodies`` what a request needs.
"""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from foundation.kernel.actor import Actor
from foundation.kernel.text import Text
from tests.architecture.accounts import account_bodies, make_accounts
from tests.architecture.harness import Things
from tests.architecture.video_happenings import make_happenings
from workloads.video_analytics.bootstrap import Video
from workloads.video_analytics.cameras.model import Device, Place, Settings, SourceKind
from workloads.video_analytics.cameras.service import SourceWish
from workloads.video_analytics.rules.model import Wish
from workloads.video_analytics.rules.service import PermitWish
from workloads.video_analytics.vision.model import Point, RuleKind
from workloads.video_analytics.watchlists.model import Wish as Watch

#: The department that owns the things, and another one.
A, B = "/city/water/", "/city/health/"
#: Actions of features that are made elsewhere; each leaves this set with its endpoints.
ELSEWHERE: frozenset[str] = frozenset()

_SYSTEM = Actor.system("test")
_TEXT = {"en": "Test", "zh": "测试"}
_LINE = [[0.1, 0.5], [0.9, 0.5]]
_JPEG = b"\xff\xd8\xff\xd9"


def make(video: Video) -> Things:
    """Two departments, and one of each kind of thing of department A."""
    for parent, slug in (("/", "city"), ("/city/", "water"), ("/city/", "health")):
        video.departments.create(_SYSTEM, parent=parent, slug=slug, name=Text(slug, slug))
    empty = video.departments.create(_SYSTEM, parent=A, slug="empty", name=Text("e", "空"))
    device = Device("http://10.1.2.3/onvif/device_service", "P1")
    source = SourceWish(SourceKind.RTSP, "rtsp://10.1.2.3/s", "viewer", "secret", device)
    camera = video.cameras.create(
        _SYSTEM,
        Settings(Text("Bridge", "桥"), A, groups=("gates",), place=Place("", 31.2, 120.6)),
        source,
    )
    video.cameras.create(
        _SYSTEM, Settings(Text("Gate", "门"), A, groups=("gates",)), replace(source, device=None)
    )
    _picture(video, camera.id)
    line = Wish(RuleKind.LINE_CROSSING, Text("L", "线"), (Point(0.1, 0.5), Point(0.9, 0.5)))
    rule = video.rules.create(_SYSTEM, camera.id, line)
    square = (Point(0.1, 0.1), Point(0.9, 0.1), Point(0.9, 0.9))
    site = video.rules.create(
        _SYSTEM, camera.id, Wish(RuleKind.CONSTRUCTION, Text("S", "工地"), square)
    )
    permit = video.rules.grant_permit(
        _SYSTEM, site.id, PermitWish("N-1", date(2026, 11, 1), date(2026, 11, 30))
    )
    things = {
        "departments": empty.id,
        "cameras": camera.id,
        "rules": rule.id,
        "permits": permit.id,
    }
    things |= make_accounts(video.people, video.base, "video_viewer", A)
    things |= _watched(video)
    happened, sent = make_happenings(video, camera.id, rule.id)
    things |= happened
    bodies = _bodies(camera.id, site.id, things["service-accounts"]) | sent | _lists(video)
    shared = {"operations", "retention"}
    owned = frozenset(one for noun, one in things.items() if noun not in shared)
    return Things(things | {"video": "video.css"}, owned, bodies, _queries(camera.id), {})


def _picture(video: Video, camera_id: str) -> None:
    folder = video.settings.home / "live"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / f"{camera_id}.jpg").write_bytes(_JPEG)


def _watched(video: Video) -> dict[str, str]:
    until = video.base.clock.now() + timedelta(days=30)
    plates = video.watchlists.create(_SYSTEM, Watch("plates", "Stolen", A, "Order 1", until))
    entry = video.watchlists.add_plate(_SYSTEM, plates.id, label="Case 1", pattern="苏A12345")
    return {"watchlists": plates.id, "entries": entry.id}


def _bodies(camera: str, site: str, robot: str) -> dict[str, Any]:
    permit = {"rule": site, "number": "N-2", "first": "2026-11-01", "last": "2026-11-30"}
    settings = {"name": _TEXT, "path": A}
    source = {"kind": "rtsp", "url": "rtsp://10.1.2.4/s"}
    line = {"kind": "line_crossing", "name": _TEXT, "points": _LINE}
    login = {"address": "http://10.1.2.3/onvif/device_service"}
    form = {"name.en": "Test", "name.zh": "测试"}
    csv = f"name,path,kind,url\nBridge,{A},rtsp,rtsp://10.1.2.9/s\n"
    return {
        "POST /api/v1/departments": {"parent": A, "slug": "test", "name": _TEXT},
        "PATCH /api/v1/departments/<department_id>": {"name": _TEXT},
        "POST /departments": {"parent": A, "slug": "test", **form},
        "POST /api/v1/cameras": {**settings, "source": source},
        "PUT /api/v1/cameras/<camera_id>": settings,
        "POST /api/v1/cameras/import": {"form": "csv", "content": csv},
        "POST /api/v1/cameras/<camera_id>/turn": {"preset": "1"},
        "POST /api/v1/onvif/discover": {"host": "10.1.2.3"},
        "POST /api/v1/onvif/report": login,
        "POST /api/v1/onvif/import": {**settings, "device": login, "profile": "P1"},
        "POST /cameras": {
            **form, "path": A, "source.kind": "rtsp", "source.url": "rtsp://10.1.2.4/s",
        },
        "POST /cameras/<id>/edit": {**form, "path": A, "source.kind": "rtsp"},
        "POST /cameras/import": {"form": "csv", "content": csv},
        "POST /devices/discover": {"host": "10.1.2.3"},
        "POST /devices/report": login,
        "POST /devices/import": {"profile": "P1", "path": A},
        "POST /api/v1/rules": {**line, "camera": camera},
        "PUT /api/v1/rules/<rule_id>": line,
        "POST /api/v1/rules/<rule_id>/copy": {"group": "gates"},
        "POST /rules": {
            **form, "camera": camera, "kind": "line_crossing", "points": "0.1, 0.5\n0.9, 0.5",
        },
        "POST /rules/<id>": {**form, "points": "0.1, 0.5\n0.9, 0.4"},
        "POST /rules/<id>/switch": {"enabled": "false"},
        "POST /rules/<id>/copy": {"group": "gates"},
        "POST /api/v1/permits": permit,
        "POST /permits": {**permit, "start": "22:00", "end": "06:00"},
        **account_bodies(robot, "video_viewer", A),
    }  # fmt: skip


def _lists(video: Video) -> dict[str, Any]:
    until = video.base.clock.now() + timedelta(days=30)
    plates = {"kind": "plates", "name": "More", "path": A, "legal_basis": "Order 2"}
    plate = {"label": "Case 2", "pattern": "苏A54321"}
    return {
        "POST /api/v1/watchlists": {**plates, "ends_at": f"{until:%Y-%m-%dT%H:%M:%SZ}"},
        "POST /watchlists/new": {**plates, "ends_on": f"{until:%Y-%m-%d}"},
        "POST /api/v1/watchlists/<watchlist_id>/faces": {"label": "Case 3", "picture": "/9j/2Q=="},
        "POST /api/v1/watchlists/<watchlist_id>/plates": plate,
        "POST /api/v1/watchlists/<watchlist_id>/close": {"reason": "found"},
        "POST /watchlists/<id>/entries": plate,
        "POST /watchlists/<id>/close": {"reason": "found"},
    }


def _queries(camera: str) -> dict[str, dict[str, str]]:
    return {"GET /rules/new": {"camera": camera, "kind": "line_crossing"}}
