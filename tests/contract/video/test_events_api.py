"""Events and the timeline over HTTP, in the real application on a real database."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.database import Database
from foundation.kernel.text import Text
from foundation.surface.auth import Identity
from tests.fakes.video import FakeFences, person, picture, signal
from workloads.video_analytics.bootstrap import build
from workloads.video_analytics.cameras.model import Settings as CameraSettings
from workloads.video_analytics.cameras.model import SourceKind
from workloads.video_analytics.cameras.service import SourceWish
from workloads.video_analytics.entrypoints.app import create_app
from workloads.video_analytics.entrypoints.serve import parts
from workloads.video_analytics.events.model import CLIP, JPEG, EvidenceRef, Reported
from workloads.video_analytics.happenings import build_happenings
from workloads.video_analytics.rules.model import Wish
from workloads.video_analytics.settings import Settings
from workloads.video_analytics.timeline.model import DailyCover, Kept
from workloads.video_analytics.vision.model import Box, Phase, Point, RuleKind, Signal, TrackPiece

NOW = datetime.now(UTC)  # noqa: TID251 - the application's own clock is the machine's
WATER, ROADS = "/city/water/", "/city/roads/"
SYSTEM = Actor.system("test")


PEOPLE = {
    "chief": person("chief", "video_administrator", "/"),
    "wang": person("wang", "video_operator", WATER),
    "li": person("li", "video_viewer", WATER),
    "zhao": person("zhao", "video_operator", ROADS),
}


class Known:
    """People who show their name as their token or cookie."""

    def by_token(self, secret: str) -> Identity:
        return Identity(PEOPLE[secret], token_id=secret)

    def by_session(self, secret: str) -> Identity | None:
        return Identity(PEOPLE[secret], "csrf", secret) if secret in PEOPLE else None

    def may_somewhere(self, actor: Actor, action: str) -> bool:
        return bool(policy.visible_paths(actor, action))


@dataclass
class Product:
    """The application with two departments, a camera and a rule in each, and people."""

    client: FlaskClient
    happenings: Any
    fence: Any
    cameras: dict[str, str] = field(default_factory=dict)
    rules: dict[str, str] = field(default_factory=dict)

    def __call__(self, who: str, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {who}", **options.pop("headers", {})}
        options.setdefault("buffered", True)
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **options)

    def report(self, where: str = "water", **more: Any) -> str:
        shot = self.happenings.files.put(more.pop("content", picture()), JPEG)
        began = more.pop("began", NOW - timedelta(hours=1))
        told = signal(self.rules[where], began=began, **more)
        [ref] = self.happenings.events.report(
            self.fence, self.cameras[where], [Reported(told, shot)]
        )
        return str(ref.id)

    def page(self, who: str, path: str, status: int = 200, *, form: Any = None) -> str:
        client = self.client.application.test_client()
        client.set_cookie("borough_video_session", who)
        if form is None:
            answer = client.get(path)
        else:
            answer = client.post(path, data={**form, "csrf_token": "csrf"}, follow_redirects=True)
        assert answer.status_code == status, answer.text
        return answer.text


@pytest.fixture
def product(database: Database, tmp_path: Path) -> Iterator[Product]:
    settings = Settings(home=tmp_path / "home")
    video = build(settings, database)
    names = {"city": "/", "water": "/city/", "roads": "/city/"}
    for slug, parent in names.items():
        video.departments.create(SYSTEM, parent=parent, slug=slug, name=Text(slug, f"{slug}局"))
    fences = FakeFences(database)
    happenings = build_happenings(
        settings, video.base, video.cameras, video.devices, video.rules,
        video.happenings.timeline._departments, fences,  # type: ignore[arg-type]  # noqa: SLF001
    )  # fmt: skip
    served = replace(parts(video), authenticator=Known())
    with create_app(served, settings).test_client() as client:
        made = Product(client, happenings, fences.take(7))
        for slug, path in (("water", WATER), ("roads", ROADS)):
            wish = SourceWish(SourceKind.RTSP, f"rtsp://192.0.2.1/{slug}")
            camera = video.cameras.create(
                SYSTEM, CameraSettings(Text(f"{slug} gate", f"{slug}闸"), path), wish
            )
            rule = video.rules.create(
                SYSTEM, camera.id, Wish(RuleKind.MOTION, Text("Motion", "移动"))
            )
            made.cameras[slug], made.rules[slug] = camera.id, rule.id
        yield made


def test_events_are_listed_read_and_acknowledged(product: Product) -> None:
    event_id = product.report()
    theirs = product.report("roads")
    [event] = product("li", "GET", "/events").json["items"]
    assert (event["id"], event["camera"], event["kind"]) == (event_id, "water gate", "motion")
    assert product("li", "GET", f"/events/{theirs}").status_code == 404
    assert len(product("chief", "GET", "/events?kind=motion&kind=face").json["items"]) == 2
    assert product("li", "GET", "/events?kind=nonsense&limit=0").status_code == 422
    assert product("li", "POST", f"/events/{event_id}/acknowledge", json={}).status_code == 403
    done = product("wang", "POST", f"/events/{event_id}/judge",
                   json={"verdict": "false_alarm", "note": "a bird"})  # fmt: skip
    assert (done.json["verdict"], done.json["judged"]["text"]) == ("false_alarm", "a bird")
    [rate] = product("wang", "GET", "/events/rates").json["items"]
    assert (rate["events"], rate["rate"]) == (1, 1.0)
    history = product("li", "GET", f"/events/{event_id}/history").json["items"]
    assert [e["change"] for e in history] == ["active", "evidence", "judged"]


def test_evidence_comes_in_parts_and_is_audited(product: Product) -> None:
    event_id = product.report()
    ref: EvidenceRef = product.happenings.files.put(bytes(range(256)) * 40, CLIP)
    product.happenings.events.attach(product.fence, event_id, ref)
    path = f"/events/{event_id}/evidence/{ref.sha256}"
    whole = product("wang", "GET", path)
    assert (whole.status_code, whole.mimetype, len(whole.data)) == (200, "video/mp4", 10240)
    assert whole.headers["Accept-Ranges"] == "bytes"
    part = product("wang", "GET", path, headers={"Range": "bytes=100-109"})
    assert (part.status_code, part.data) == (206, bytes(range(100, 110)))
    assert part.headers["Content-Range"] == "bytes 100-109/10240"
    beyond = product("wang", "GET", path, headers={"Range": "bytes=99999-"})
    assert beyond.status_code == 416
    assert "no-store" in whole.headers["Cache-Control"]
    assert product("li", "GET", path).status_code == 403
    assert product("zhao", "GET", path).status_code == 404
    assert product("wang", "GET", f"/events/{event_id}/evidence/..").status_code == 404
    checks = product("wang", "GET", f"/events/{event_id}/verification").json["items"]
    assert [c["intact"] for c in checks] == [True, True]
    audit = product("chief", "GET", "/audit-entries?action=evidence.view")
    if audit.status_code == 200:
        assert len(audit.json["items"]) == 3


def test_changes_are_streamed(product: Product) -> None:
    begin = product("li", "GET", "/events/changes").json["next"]
    event_id = product.report()
    page = product("li", "GET", f"/events/changes?after={begin}").json
    assert [(i["event_id"], i["change"]) for i in page["items"]] == [
        (event_id, "active"), (event_id, "evidence"),
    ]  # fmt: skip
    assert product("zhao", "GET", f"/events/changes?after={begin}").json["items"] == []
    stream = product("li", "GET", "/events/changes", headers={
        "Accept": "text/event-stream", "Last-Event-ID": begin,
    }, buffered=False)  # fmt: skip
    chunks = stream.iter_encoded()
    text = "".join(next(chunks).decode() for _ in range(3))
    stream.close()
    assert f"id: {page['items'][0]['cursor']}\nevent: active\n" in text
    assert product("li", "GET", "/events/changes?after=x").status_code == 422


def test_receivers_show_their_secret_once(product: Product) -> None:
    hours = {"start": "18:00", "end": "06:00"}
    body = {"path": WATER, "name": "Duty", "kind": "webhook", "target": "https://x.example/hook",
            "wanted": {"severities": ["critical"], "hours": hours}}  # fmt: skip
    made = product("wang", "POST", "/receivers", json=body)
    assert made.status_code == 201
    assert made.json["secret"].startswith("whsec_")
    [shown] = product("wang", "GET", "/receivers").json["items"]
    assert "secret" not in shown
    assert shown["wanted"]["hours"]["timezone"] == "Asia/Shanghai"
    path = f"/receivers/{shown['id']}"
    assert product("wang", "PATCH", path, json={"enabled": False}).status_code == 428
    tag = product("wang", "GET", path).headers["ETag"]
    changed = product("wang", "PATCH", path, json={"enabled": False}, headers={"If-Match": tag})
    assert changed.json["enabled"] is False
    assert product("zhao", "GET", path).status_code == 404
    wrong = product("wang", "POST", "/receivers", json={**body, "target": "ftp://x", "kind": "mail",
                    "wanted": {"hours": {"start": "99:00", "end": "06:00"}}})  # fmt: skip
    assert wrong.status_code == 422
    assert product("wang", "GET", "/deliveries?state=dead").json["items"] == []
    assert product("wang", "DELETE", path).status_code == 204


def test_linkages_and_incidents_over_http(product: Product) -> None:
    event_id = product.report()
    body = {"path": WATER, "name": "Open", "then": [{"kind": "incident", "title": "Look"}]}
    made = product("wang", "POST", "/linkages", json=body)
    assert made.status_code == 201, made.text
    for schedule in product.happenings.schedules():
        if schedule.name in {"operations.relay", "video.link"}:
            schedule.work()
    [deed] = product("li", "GET", f"/events/{event_id}/actions").json["items"]
    assert deed["outcome"] == "done"
    [incident] = product("li", "GET", "/incidents").json["items"]
    step = product("wang", "POST", f"/incidents/{incident['id']}/steps",
                   json={"state": "assigned", "assigned_to": "patrol"})  # fmt: skip
    assert step.json["state"] == "assigned"
    assert product("zhao", "GET", f"/incidents/{incident['id']}").status_code == 404
    off = product("wang", "POST", f"/linkages/{made.json['id']}/switch", json={"enabled": False})
    assert off.json["enabled"] is False


def test_exports_over_http(product: Product) -> None:
    event_id = product.report()
    made = product("wang", "POST", "/exports", json={"events": [event_id], "reason": "case 12"})
    assert made.status_code == 201, made.text
    path = f"/exports/{made.json['id']}"
    assert product("wang", "POST", f"{path}/decision", json={"approve": True}).status_code == 403
    assert product("wang", "GET", f"{path}/archive").status_code == 409
    approved = product("chief", "POST", f"{path}/decision", json={"approve": True})
    assert approved.json["state"] == "approved"
    product.happenings.exports.make_approved()
    archive = product("wang", "GET", f"{path}/archive")
    assert (archive.status_code, archive.mimetype) == (200, "application/zip")
    assert "attachment" in archive.headers["Content-Disposition"]
    assert product("zhao", "GET", path).status_code == 404
    periods = product("chief", "GET", "/retention").json["items"]
    assert {p["data_class"] for p in periods} == {"public", "internal", "sensitive"}
    body = {"evidence": 20, "tracks": 10, "reads": 10}
    assert product("chief", "PUT", "/retention/public", json=body).json["evidence"] == 20
    assert product("wang", "PUT", "/retention/public", json=body).status_code == 403


def _pass(product: Product, track: str = "t1") -> None:
    began = NOW - timedelta(minutes=30)
    path = tuple((began + timedelta(seconds=5 * n), Point(0.1 + 0.4 * n, 0.5)) for n in range(3))
    piece = TrackPiece(track, path, 0.01, "red", "person", 70, True, Box(0, 0, 0.1, 0.1))
    shot = product.happenings.files.put(picture(), JPEG)
    product.happenings.timeline.keep(product.fence, product.cameras["water"], [Kept(piece, shot)])


def test_the_timeline_is_searched_over_http(product: Product) -> None:
    _pass(product)
    body = {"since": (NOW - timedelta(hours=2)).isoformat(), "until": NOW.isoformat(),
            "cameras": [product.cameras["water"]], "line": [[0.4, 0.1], [0.4, 0.9]],
            "direction": "right_to_left", "shortest": 60}  # fmt: skip
    found = product("wang", "POST", "/timeline/search", json=body)
    assert found.status_code == 200, found.text
    [track] = found.json["items"]
    assert track["crossing"]["direction"] == "right_to_left"
    assert found.json["next"] is None
    thumb = product("wang", "GET", f"/timeline/thumbnails/{track['thumbnail']}")
    assert (thumb.status_code, thumb.data) == (200, picture())
    assert product("zhao", "GET", f"/timeline/thumbnails/{track['thumbnail']}").status_code == 404
    assert product("wang", "GET", "/timeline/thumbnails/x").status_code == 422
    assert product("wang", "GET", f"/timeline/tracks/{track['id']}").json["track"] == "t1"
    assert product("li", "POST", "/timeline/search", json=body).status_code == 403
    wrong = product("wang", "POST", "/timeline/search", json={**body, "line": [[2, 0]]})
    assert wrong.status_code == 422


def test_reads_are_pushed_and_searched_over_http(product: Product) -> None:
    read = {"source": "gate/rfid", "number": "1", "at": NOW.isoformat(), "kind": "id_card",
            "subject": "11010519491231002X", "sent_at": NOW.isoformat()}  # fmt: skip
    push = product("wang", "POST", "/reads", json={"path": WATER, "reads": [read]})
    assert push.json == {"new": 1, "known": 0}
    again = product("wang", "POST", "/reads", json={"path": WATER, "reads": [read]})
    assert again.json == {"new": 0, "known": 1}
    window = {"since": (NOW - timedelta(hours=1)).isoformat(),
              "until": (NOW + timedelta(hours=1)).isoformat()}  # fmt: skip
    found = product("wang", "POST", "/reads/search", json={**window, "subject": read["subject"]})
    [shown] = found.json["items"]
    assert shown["subject"] == "002X"
    assert "digest" not in shown
    assert (
        product("zhao", "POST", "/reads", json={"path": WATER, "reads": [read]}).status_code == 404
    )
    wrong = product("wang", "POST", "/reads", json={"path": WATER, "reads": [read, {}]})
    assert {e["field"].rsplit(".", 1)[0] for e in wrong.json["errors"]} == {"reads.1"}


def test_signals_of_an_unknown_version_are_refused(product: Product) -> None:
    told = Signal(product.rules["water"], 99, "k", Phase.ACTIVE, NOW, NOW)
    with pytest.raises(Exception, match="rule"):
        product.happenings.events.report(product.fence, product.cameras["water"], [Reported(told)])
    assert re.match("evt_", product.report())


def test_pages_show_what_happened_and_what_may_be_done(product: Product) -> None:
    event_id = product.report()
    theirs = product.report("roads")
    _pass(product)
    listed = product.page("wang", "/events?kind=motion&acknowledged=no")
    assert event_id in listed
    assert theirs not in listed
    assert "water闸" in product.page("wang", "/events?lang=zh")
    shown = product.page("wang", f"/events/{event_id}")
    assert "<img" in shown
    assert "/judge" in shown
    assert "/judge" not in product.page("li", f"/events/{event_id}")
    product.page("zhao", f"/events/{event_id}", 404)
    judged = product.page("wang", f"/events/{event_id}/judge", form={"verdict": "false_alarm"})
    assert "bo-state--warn" in judged
    product.page("wang", f"/events/{event_id}/acknowledge", form={"note": "seen"})
    assert "100 %" in product.page("wang", "/events/rates")
    wrong = product.page("wang", f"/events/{event_id}/export", 422, form={"reason": ""})
    assert 'role="alert"' in wrong
    product.page("wang", f"/events/{event_id}/export", form={"reason": "case", "blurred": "on"})
    assert "/decide" in product.page("chief", "/exports")
    assert "/decide" not in product.page("wang", "/exports")
    product.page("wang", f"/events/{event_id}/incident", form={})
    incidents = product.page("wang", "/incidents")
    incident = re.findall(r"/incidents/(inc_\w+)", incidents)[0]
    product.page("wang", f"/incidents/{incident}/step", 422, form={"state": "closed"})
    product.page("wang", f"/incidents/{incident}/step", form={"state": "assigned",
                 "assigned_to": "patrol"})  # fmt: skip
    product.page("wang", "/receivers", 422, form={"kind": "webhook", "start": "9"})
    made = product.page("wang", "/receivers", form={
        "path": WATER, "name": "Duty", "kind": "webhook", "target": "https://x.example/",
        "start": "18:00", "end": "06:00",
    })  # fmt: skip
    assert "whsec_" in made
    assert "whsec_" not in product.page("wang", "/receivers")


def test_pages_of_search_water_and_nights(product: Product) -> None:
    _pass(product)
    since = (NOW - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M")
    until = (NOW + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M")
    found = product.page("wang", f"/search?since={since}&until={until}&colour=red&shortest=60")
    track = re.findall(r"/search/tracks/(trk_[\w]+)", found)[0]
    assert "/search/thumbnails/" in found
    product.page("wang", f"/search/tracks/{track}")
    product.page("zhao", f"/search/tracks/{track}", 404)
    wrong = product.page("wang", f"/search?since={since}&until={since}&line=x", 422)
    assert 'role="alert"' in wrong
    product.page("wang", "/search")
    for n in range(20):
        day = (NOW - timedelta(days=20 - n)).date().isoformat()
        data = {"day": day, "cover": None if n == 5 else 0.05 * 1.08**n, "frames": 30}
        if n == 19:
            data |= {"forecast": 0.35, "forecast_low": 0.3, "forecast_high": 0.4,
                     "threshold": 0.3}  # fmt: skip
        product.happenings.timeline.keep_cover(
            product.fence, product.cameras["water"], product.rules["water"],
            (NOW - timedelta(days=20 - n)).date(), _cover(data),
        )  # fmt: skip
    water = product.page("li", "/water")
    assert water.count("<circle") == 19
    assert "bv-band" in water
    assert "insufficient data" in water
    assert "<circle" not in product.page("zhao", "/water")
    assert "bv-calendar" in product.page("li", "/nights?month=2026-11")
    product.page("li", "/nights?month=nonsense")


def _cover(data: dict[str, Any]) -> Any:
    rest = {k: v for k, v in data.items() if k not in {"day", "cover", "frames"}}
    return DailyCover("", "", NOW.date(), data["cover"], data["frames"], rest)
