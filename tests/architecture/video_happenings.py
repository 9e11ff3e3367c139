"""One of each kind of thing of events and the timeline, for the test of authorisation."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from tests.fakes.video import FakeFences, picture, signal
from workloads.video_analytics.bootstrap import Video
from workloads.video_analytics.departments.store import PostgresDepartments
from workloads.video_analytics.events.linkage.model import Action, ActionKind
from workloads.video_analytics.events.model import JPEG, Reported
from workloads.video_analytics.events.notification.model import (
    PAUSES,
    DeliveryState,
    Matching,
    ReceiverKind,
)
from workloads.video_analytics.events.notification.store import PostgresReceivers
from workloads.video_analytics.happenings import build_happenings
from workloads.video_analytics.timeline.model import Kept
from workloads.video_analytics.vision.model import Box, Point, TrackPiece

A = "/city/water/"
NOW = datetime.now(UTC)  # noqa: TID251 - the application's own clock is the machine's
SOMEBODY = Actor(
    PrincipalId("per_asker"), "Asker", ActorKind.PERSON, (Grant("video_administrator", "/"),)
)


def make_happenings(
    video: Video, camera: str, rule: str
) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    """An event with evidence, a track, and what follows; the things and the bodies of requests."""
    fences = FakeFences(video.base.database)
    made = build_happenings(
        video.settings, video.base, video.cameras, video.devices, video.rules,
        PostgresDepartments(video.base.database), fences,
    )  # fmt: skip
    fence, shot = fences.take(7), made.files.put(picture(), JPEG)
    began = NOW - timedelta(hours=1)
    [ref] = made.events.report(fence, camera, [Reported(signal(rule, began=began), shot)])
    piece = TrackPiece("t", ((began, Point(0.5, 0.5)),), 0.1, "", "", 1, True, Box(0, 0, 1, 1))
    made.timeline.keep(fence, camera, [Kept(piece, shot)])
    system = Actor.system("test")
    hook, _ = made.receivers.add(
        system, A, "Duty", ReceiverKind.WEBHOOK, "https://x.example/", Matching()
    )
    linkage = made.linkages.add(system, A, "Open", Matching(), [Action(ActionKind.INCIDENT)])
    incident = made.linkages.open(system, ref.id)
    export = made.exports.request(SOMEBODY, [ref.id], "case")
    micros = (began - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    things = {
        "events": ref.id, "evidence": shot.sha256, "receivers": hook.id,
        "deliveries": _dead(video, hook.id, ref.id), "linkages": linkage.id,
        "incidents": incident.id, "exports": export.id, "retention": "public",
        "tracks": f"trk_1_{micros}_t", "thumbnails": shot.sha256,
    }  # fmt: skip
    return things, _bodies(ref.id)


def _dead(video: Video, receiver_id: str, event_id: str) -> str:
    store = PostgresReceivers(video.base.database)
    with video.base.database.transaction():
        store.queue(receiver_id, "k", event_id, "active", {}, NOW)
        found = store.claim(NOW, NOW)
        assert found is not None
        store.settle(replace(found, state=DeliveryState.DEAD, attempts=len(PAUSES) + 1))
    return found.id


def _bodies(event: str) -> dict[str, dict[str, Any]]:
    window = {"since": (NOW - timedelta(hours=2)).isoformat(), "until": NOW.isoformat()}
    read = {"source": "gate/rfid", "number": "1", "at": NOW.isoformat(), "kind": "rfid",
            "subject": "E280"}  # fmt: skip
    receiver = {"path": A, "name": "Duty", "kind": "webhook", "target": "https://x.example/"}
    return {
        "POST /api/v1/events/<id>/acknowledge": {},
        "POST /api/v1/events/<id>/judge": {"verdict": "true"},
        "POST /events/<id>/judge": {"verdict": "true"},
        "POST /api/v1/events/<id>/hold": {"reason": "court"},
        "POST /events/<id>/export": {"reason": "case"},
        "POST /api/v1/receivers": receiver,
        "POST /receivers": receiver,
        "PATCH /api/v1/receivers/<id>": {"name": "Other"},
        "POST /receivers/<id>/switch": {"enabled": "on"},
        "POST /api/v1/linkages": {"path": A, "name": "Open", "then": [{"kind": "incident"}]},
        "POST /api/v1/linkages/<id>/switch": {"enabled": True},
        "PUT /api/v1/linkages/<id>": {"name": "Other", "then": [{"kind": "incident"}]},
        "POST /linkages": {
            "path": A,
            "name": "Open",
            "pause_seconds": "60",
            "then.0.kind": "incident",
        },
        "POST /linkages/<id>": {
            "name": "Other",
            "pause_seconds": "60",
            "then.0.kind": "incident",
        },
        "POST /linkages/<id>/switch": {"enabled": "on"},
        "POST /api/v1/incidents": {"event": event},
        "POST /api/v1/incidents/<id>/steps": {"state": "assigned", "assigned_to": "patrol"},
        "POST /incidents/<id>/step": {"state": "assigned", "assigned_to": "patrol"},
        "POST /api/v1/exports": {"events": [event], "reason": "case"},
        "POST /api/v1/exports/<id>/decision": {"approve": False},
        "POST /exports/<id>/decide": {"decision": "refuse"},
        "PUT /api/v1/retention/<data_class>": {"evidence": 10, "tracks": 10, "reads": 10},
        "POST /api/v1/timeline/search": window,
        "POST /api/v1/reads": {"path": A, "reads": [read]},
        "POST /api/v1/reads/search": window,
    }
