"""Workers and usage as people see them: API, page, metrics."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from control_plane.metering.model import parse_event
from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.database import Database
from foundation.serving.base import add_first_administrator
from tests.harness.leases import one
from tests.harness.video import video_database
from workloads.video_analytics.bootstrap import Video, build
from workloads.video_analytics.entrypoints.app import create_app
from workloads.video_analytics.entrypoints.serve import parts
from workloads.video_analytics.events.ports import Fence
from workloads.video_analytics.settings import Settings
from workloads.video_analytics.usage.service import TOPIC
from workloads.video_analytics.vision.model import Tier
from workloads.video_analytics.workers.store import PostgresShards

PASSWORD = "a long pass phrase"


@pytest.fixture
def video(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[Video]:
    with video_database(postgres) as url:
        database = Database(url)
        settings = Settings(
            home=tmp_path, administrator="ada", administrator_password=PASSWORD,
            platform_resource="res_1",
        )  # fmt: skip
        made = build(settings, database)
        add_first_administrator(made.people, made.base.database, made.settings)
        yield made
        database.close()


@pytest.fixture
def client(video: Video) -> FlaskClient:
    client = create_app(parts(video), video.settings).test_client()
    form = client.get("/sign-in").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', form)
    sent = {"login": "ada", "password": PASSWORD, "csrf_token": token[1] if token else ""}
    done = client.post("/sign-in", data=sent)
    assert done.status_code == 303, done.text
    return client


@pytest.fixture
def shards(video: Video) -> PostgresShards:
    shards = PostgresShards(video.base.database, lease_seconds=3600)
    shards.beat(one("a"))
    shards.take("wrk_a", range(500))
    return shards


@pytest.mark.usefixtures("shards")
def test_workers_and_shards_over_http(client: FlaskClient) -> None:
    found = client.get("/api/v1/camera-workers").get_json()
    assert [(w["name"], w["shards"], w["capacity"]) for w in found["items"]] == [("a", 500, 2.0)]
    assert found["free_shards"] == 12
    shards = client.get("/api/v1/shards").get_json()["items"]
    assert len(shards) == 500
    assert {(s["holder"], s["token"]) for s in shards} == {("wrk_a", 1)}


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        ("en", ("Workers", "12 shards are held by nobody")),
        ("zh", ("工作进程", "12 个分片无人持有")),
    ],
)
@pytest.mark.usefixtures("shards")
def test_the_page_of_workers(client: FlaskClient, language: str, texts: tuple[str, ...]) -> None:
    page = client.get("/workers", headers={"Accept-Language": language})
    assert page.status_code == 200
    assert all(text in page.text for text in texts)


def test_the_page_says_so_when_nobody_watches(client: FlaskClient) -> None:
    assert "No worker lives" in client.get("/workers").text


@pytest.mark.usefixtures("shards")
def test_metrics_name_workers(client: FlaskClient) -> None:
    assert 'borough_video_worker_cameras{worker="a"} 0.0' in client.get("/metrics").text


@pytest.mark.usefixtures("shards")
def test_usage_over_http_and_as_the_platform_takes_it(client: FlaskClient, video: Video) -> None:
    now = video.base.clock.now()
    start = now - timedelta(minutes=30)
    video.usage.note_hours(Fence(1, 1), "cam_1", Tier.FULL, start, now)
    video.usage.note_alarm("evt_1", now)
    items = client.get("/api/v1/usage").get_json()["items"]
    assert {(i["meter"], i["tier"]) for i in items} == {
        ("video.camera_hours", "advanced"), ("video.alarms", ""),
    }  # fmt: skip
    assert sum(float(i["quantity"]) for i in items if i["tier"]) == pytest.approx(0.5, abs=1e-8)
    assert client.get("/api/v1/usage?start=2026-01-01T00:00:00Z").status_code == 422

    assert video.usage.tell() >= 2
    with video.base.database.transaction():
        messages = video.base.database.execute(
            sa.text("SELECT payload FROM kernel_outbox WHERE topic = :t"),
            {"t": TOPIC},
        ).scalars()
        events = [parse_event(payload) for payload in messages]
    assert {event.meter for event in events} == {"video.camera_hours", "video.alarms"}
    assert {event.resource for event in events} == {"res_1"}
