"""Borough Video: every endpoint × (no one, another department, each role)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from apiflask import APIFlask

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.surface.api import limits
from tests.architecture import video_objects as objects
from tests.architecture.authorisation import Authorisation
from tests.architecture.harness import PUBLIC, Asker, Cast, Services, Things
from tests.harness.video import video_database
from workloads.video_analytics.bootstrap import Video, open_video
from workloads.video_analytics.entrypoints.app import create_app
from workloads.video_analytics.entrypoints.serve import parts
from workloads.video_analytics.settings import Settings


@pytest.fixture(scope="module")
def golden() -> Path:
    return Path(__file__).with_name("video_authorisation.golden.yaml")


@pytest.fixture(scope="module")
def video(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Video]:
    with video_database(postgres) as url:
        settings = Settings(home=tmp_path_factory.mktemp("home"), database_url=url)
        with open_video(settings, upgrade=False) as video:
            yield video


@pytest.fixture(scope="module")
def app(video: Video) -> APIFlask:
    plenty = limits.Rate(1e6, 1_000_000)
    app = create_app(parts(video), video.settings, rate_limits=limits.Limits(plenty, plenty))
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app


@pytest.fixture(scope="module")
def things(video: Video) -> Things:
    return objects.make(video)


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast(
        "workloads.video_analytics",
        "video_administrator",
        objects.A,
        objects.B,
        frozenset({*PUBLIC, "GET /video/<filename>"}),
        asked_by_services=objects.ELSEWHERE,
    )


@pytest.fixture(scope="module")
def asker(app: APIFlask, video: Video, things: Things, cast: Cast) -> Asker:
    services = Services(video.people, video.base.gate, video.base.database)
    return Asker(app, services, things, cast)


class TestVideo(Authorisation):
    """The shared checks."""
