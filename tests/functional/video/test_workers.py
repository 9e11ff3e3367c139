"""Real worker processes: one is killed, another goes on; nothing twice, nothing lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.database import Database
from foundation.kernel.text import Text
from tests.harness.clips import film
from tests.harness.video import person, video_database
from workloads.video_analytics.bootstrap import Video, build
from workloads.video_analytics.cameras.model import Settings as Camera
from workloads.video_analytics.cameras.model import SourceKind
from workloads.video_analytics.cameras.service import SourceWish
from workloads.video_analytics.rules.service import Wish
from workloads.video_analytics.settings import Settings
from workloads.video_analytics.vision.model import RuleKind

ADMIN = person("administrator")
ROOT = Path(__file__).parents[3]


class Workers:
    def __init__(self, url: str, home: Path, films: Path) -> None:
        self.database = Database(url)
        self.settings = Settings(
            home=home, database_url=url.replace("postgresql+psycopg", "postgresql"),
            camera_folders=str(films),
        )  # fmt: skip
        self.video: Video = build(self.settings, self.database)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._log = (home / "workers.log").open("ab")
        self._environment = {
            **os.environ, "PYTHONPATH": str(ROOT), "BOROUGH_VIDEO_HOME": str(home),
            "BOROUGH_VIDEO_DATABASE_URL": self.settings.database_url,
            "BOROUGH_VIDEO_CAMERA_FOLDERS": str(films), "BOROUGH_VIDEO_LANES": "1",
            "BOROUGH_VIDEO_FILE_PACE": "once", "BOROUGH_VIDEO_CLIP_SECONDS": "1",
        }  # fmt: skip

    def start(self, name: str) -> None:
        command = [sys.executable, "-m", "tests.harness.periodic_worker"]
        environment = {**self._environment, "BOROUGH_VIDEO_WORKER_ID": name}
        self.processes[name] = subprocess.Popen(
            command, cwd=ROOT, env=environment, stderr=self._log, stdout=self._log
        )

    def rows(self, statement: str) -> list[Any]:
        with self.database.engine.connect() as connection:
            return list(connection.execute(sa.text(statement)))

    def wait(self, condition: Callable[[], Any], seconds: float) -> float:
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < seconds, (
                self.settings.home / "workers.log"
            ).read_text()[-3000:]
            time.sleep(0.1)
        return time.monotonic() - began

    def held(self) -> dict[str, int]:
        found = self.rows(
            "SELECT w.name, count(*) FROM video_shard s JOIN video_worker w ON w.id = s.holder "
            "WHERE s.until > clock_timestamp() GROUP BY 1"
        )
        return {row[0]: row[1] for row in found}

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()
        self._log.close()
        self.database.close()


@pytest.fixture
def workers(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[Workers]:
    home, films = tmp_path / "home", tmp_path / "films"
    home.mkdir()
    films.mkdir()
    with video_database(postgres) as url:
        found = Workers(url, home, films)
        yield found
        found.close()


@pytest.mark.rehearsal
def test_another_worker_takes_over_within_ten_seconds_and_no_event_comes_twice(
    workers: Workers,
) -> None:
    seconds = 120
    path = film(Path(workers.settings.camera_folders) / "film.mp4", seconds=seconds)
    video = workers.video
    video.departments.create(ADMIN, parent="/", slug="city", name=Text("City", "城市"))
    names = {}
    for n in range(4):
        wish = SourceWish(SourceKind.FILE, str(path))
        camera = video.cameras.create(ADMIN, Camera(Text(f"C{n}", f"{n}号"), "/city/"), wish)
        rule = video.rules.create(ADMIN, camera.id, Wish(RuleKind.MOTION, Text("Motion", "移动")))
        names[camera.id] = rule.id
    workers.start("one")
    workers.wait(lambda: workers.held() == {"one": 512}, 120)
    workers.wait(lambda: len(workers.rows("SELECT 1 FROM video_event")) >= 8, 60)
    workers.start("two")
    workers.wait(lambda: min(workers.held().values()) > 150 and len(workers.held()) == 2, 180)
    assert sum(workers.held().values()) == 512

    before = {row[0] for row in workers.rows("SELECT id FROM video_event")}
    workers.processes["one"].send_signal(signal.SIGKILL)
    taken = workers.wait(lambda: workers.held() == {"two": 512}, 20)
    print(f"all shards taken over after {taken:.1f} s")
    assert taken <= 10
    workers.wait(
        lambda: len(workers.rows(
            "SELECT 1 FROM video_memory WHERE (progress->>'ended')::bool"
        )) == 4, 180,
    )  # fmt: skip
    rows = workers.rows("SELECT camera_id, rule, key, began, state, id FROM video_event")
    assert before <= {row.id for row in rows}
    assert len({(r.camera_id, r.rule, r.key) for r in rows}) == len(rows)
    for camera in names:
        mine = sorted(int(r.key) for r in rows if r.camera_id == camera)
        # A period each: none is missing between the first and the last.
        assert mine == list(range(mine[0], mine[-1] + 1))
        assert len(mine) in {seconds // 2, seconds // 2 + 1}
    alarms = workers.rows("SELECT count(*) FROM video_usage_alarm")[0][0]
    assert alarms == len(rows)

    workers.processes["two"].send_signal(signal.SIGTERM)
    assert workers.processes["two"].wait(30) == 0
    assert workers.held() == {}
    hours = workers.rows("SELECT sum(milliseconds) FROM video_usage_hour")[0][0]
    # Up to a minute of each camera is not counted where its worker was killed; never too much.
    assert hours <= 4 * (seconds + 15) * 1000
