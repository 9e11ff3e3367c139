"""Borough Video as it runs: its server on loopback, two departments, cameras with pictures."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.actor import Actor
from foundation.kernel.text import Text
from foundation.surface.api import limits
from tests.harness.serving import served
from tests.harness.video import video_database
from workloads.video_analytics.bootstrap import Video, open_video
from workloads.video_analytics.cameras.model import (
    Camera,
    Health,
    HealthState,
    Settings,
    SourceKind,
)
from workloads.video_analytics.cameras.service import SourceWish
from workloads.video_analytics.entrypoints.app import create_app
from workloads.video_analytics.entrypoints.serve import parts
from workloads.video_analytics.settings import Settings as ProgramSettings

SYSTEM = Actor.system("test")
PASSWORD = "-demo-only"


@dataclass(frozen=True)
class Running:
    """The product and what is in it."""

    url: str
    video: Video
    gate: Camera
    token: str


def picture() -> bytes:
    """A JPEG of a street, drawn."""
    frame = np.full((360, 640, 3), 90, np.uint8)
    cv2.line(frame, (0, 300), (640, 300), (200, 200, 200), 4)
    cv2.rectangle(frame, (200, 180), (320, 300), (40, 80, 180), -1)
    return bytes(cv2.imencode(".jpg", frame)[1].tobytes())


@pytest.fixture(scope="module")
def running(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("home")
    with (
        video_database(postgres) as url,
        # A device of the tests is on loopback; everything else must not even be asked.
        open_video(
            ProgramSettings(
                home=home, database_url=url, camera_networks="127.0.0.0/8,10.1.2.0/24",
                city_name="Harbour cloud", city_name_zh="港城云", city_accent="#204080",
            ),
            upgrade=False,
        ) as video,
    ):  # fmt: skip
        gate, token = furnish(video, home)
        plenty = limits.Rate(1e6, 1_000_000)
        app = create_app(parts(video), video.settings, rate_limits=limits.Limits(plenty, plenty))
        with served(app) as address:
            yield Running(address, video, gate, token)


def furnish(video: Video, home: Path) -> tuple[Camera, str]:
    """Departments, cameras in several states, and an administrator; answers one and a token."""
    for parent, slug, zh in (("/", "city", "市"), ("/city/", "water", "水务局")):
        video.departments.create(SYSTEM, parent=parent, slug=slug, name=Text(slug.title(), zh))
    made = []
    for name, zh in (("West gate", "西门"), ("Bridge", "桥"), ("Harbour", "港口")):
        made.append(
            video.cameras.create(
                SYSTEM,
                Settings(Text(name, zh), "/city/water/", groups=("gates",)),
                SourceWish(SourceKind.RTSP, "rtsp://10.1.2.3/s", "viewer", "s3cret"),
            )
        )
    now = video.base.clock.now()
    video.cameras.note_health(made[0].id, Health(HealthState.ONLINE, now, fps=5.0))
    video.cameras.note_health(made[1].id, Health(HealthState.NO_SIGNAL, now, "no answer"))
    (home / "live").mkdir(mode=0o700)
    (home / "live" / f"{made[0].id}.jpg").write_bytes(picture())
    person = video.people.create_person(
        SYSTEM, login="operator", name="Operator", path="/", password=f"operator{PASSWORD}"
    )
    video.people.grant(SYSTEM, principal_id=person.id, role="video_administrator", path="/")
    actor = Actor(person.id, person.name, person.kind)
    return made[0], video.base.gate.create_token(actor, name="test")[1]
