"""``borough-video watchlist`` and ``models`` against a running service and a folder."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from tests.contract.video.watchlists.conftest import TRAFFIC, World
from tests.contract.video.watchlists.test_surfaces import client_of
from tests.harness.serving import served
from workloads.video_analytics.entrypoints.cli import video

Run = Callable[..., Result]


@pytest.fixture
def client(world: World) -> FlaskClient:
    return client_of(world)


@pytest.fixture
def run(client: FlaskClient) -> Iterator[Run]:
    with served(client.application) as address:

        def call(who: str, *arguments: str) -> Result:
            environment = {"BOROUGH_VIDEO_URL": address, "BOROUGH_VIDEO_TOKEN": who}
            return CliRunner().invoke(video, arguments, env=environment, prog_name="borough-video")

        yield call


def test_the_life_of_a_list_by_commands(run: Run, tmp_path: Path) -> None:
    picture = tmp_path / "case.jpg"
    picture.write_bytes(b"person 3")
    created = run(
        "ann", "watchlist", "create", "Missing", "--kind", "faces", "--path", TRAFFIC,
        "--legal-basis", "Order 12", "--until", "2026-12-01", "-o", "json",
    )  # fmt: skip
    assert created.exit_code == 0, created.output
    made = json.loads(created.stdout)
    assert made["ends_at"] == "2026-12-02T00:00:00Z"
    here = made["id"]
    added = run("ann", "watchlist", "add-face", here, str(picture), "--label", "Case 7")
    assert added.exit_code == 0, added.output
    assert run("ann", "watchlist", "approve", here, "--yes").exit_code == 4
    assert run("ben", "watchlist", "approve", here, "--yes").exit_code == 0
    assert "active" in run("auditor", "watchlist", "list", "--kind", "faces").stdout
    entry = json.loads(run("auditor", "watchlist", "entries", here, "-o", "json").stdout)[0]
    assert run("ann", "watchlist", "remove", here, entry["id"], "--yes").exit_code == 0
    assert "active" in run("ann", "watchlist", "show", here).stdout
    closed = run("ann", "watchlist", "close", here, "--reason", "found", "--yes")
    assert "closed" in closed.stdout


def test_plates_by_commands(run: Run) -> None:
    made = run(
        "ann", "watchlist", "create", "Stolen", "--kind", "plates", "--path", TRAFFIC,
        "--legal-basis", "Order 13", "--until", "2026-12-01", "-o", "json",
    )  # fmt: skip
    here = json.loads(made.stdout)["id"]
    assert run("ann", "watchlist", "add-plate", here, "苏A123?5", "--label", "x").exit_code == 0
    wrong = run("ann", "watchlist", "add-plate", here, "*", "--label", "x")
    assert wrong.exit_code == 2
    assert "at least 3" in wrong.output


def test_models_of_a_folder_are_listed(tmp_path: Path) -> None:
    shown = CliRunner().invoke(video, ["models", "list", "--into", str(tmp_path), "-o", "json"])
    rows = json.loads(shown.stdout)
    assert {row["state"] for row in rows} == {"absent"}
    assert [row["name"] for row in rows] == ["objects", "faces", "embedding", "plates", "reading"]
    assert all(row["code_licence"] and row["weights_licence"] and row["sha256"] for row in rows)


def test_an_unknown_model_is_not_fetched(tmp_path: Path) -> None:
    refused = CliRunner().invoke(
        video, ["models", "fetch", "--only", "minds", "--into", str(tmp_path)]
    )
    assert refused.exit_code == 2
    assert list(tmp_path.iterdir()) == []
