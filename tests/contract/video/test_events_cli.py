"""``borough-video`` against the real application on loopback."""

import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.contract.video.test_events_api import NOW, PEOPLE, WATER, Product, _pass, product
from tests.harness.serving import served
from workloads.video_analytics.entrypoints.cli import video

__all__ = ["product"]


@pytest.fixture
def run(product: Product, tmp_path: Path) -> Iterator[Callable[..., Result]]:
    with served(product.client.application) as url:  # type: ignore[arg-type]

        def run(who: str, *arguments: str, stdin: str | None = None) -> Result:
            environment = {
                "BOROUGH_VIDEO_URL": url, "BOROUGH_VIDEO_TOKEN": who,
                "BOROUGH_VIDEO_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path),
            }  # fmt: skip
            return CliRunner().invoke(video, arguments, env=environment, input=stdin)

        yield run


def test_the_verbs_of_events_and_the_timeline(
    product: Product,
    run: Callable[..., Result],
    tmp_path: Path,
) -> None:
    event_id = product.report()
    _pass(product)

    def answer(who: str, *arguments: str, stdin: str | None = None) -> object:
        result = run(who, *arguments, "-o", "json", stdin=stdin)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    assert event_id in run("wang", "event", "list", "--kind", "motion").output
    assert run("zhao", "event", "show", event_id).exit_code == 3
    assert run("li", "event", "acknowledge", event_id).exit_code == 4
    run("wang", "event", "judge", event_id, "false_alarm", "--note", "a bird")
    assert "false_alarm" in run("wang", "event", "show", event_id).output
    assert "judged" in run("wang", "event", "history", event_id).output
    assert "1" in run("wang", "event", "rates").output
    assert run("wang", "evidence", "verify", event_id).exit_code == 0
    made = run("wang", "receiver", "add", "https://x.example/", "--path", WATER, "--name", "Duty")
    assert "whsec_" in made.output
    assert run("wang", "receiver", "deliveries", "--state", "dead").exit_code == 0
    opened = answer("wang", "incident", "open", event_id)
    assert isinstance(opened, dict)
    stepped = run("wang", "incident", "step", opened["id"], "assigned", "--to", "patrol")
    assert "patrol" in stepped.output
    assert run("wang", "incident", "step", opened["id"], "closed").exit_code != 0
    rule = {"path": WATER, "name": "Open", "then": [{"kind": "incident"}]}
    document = tmp_path / "rule.json"
    document.write_text(json.dumps(rule))
    assert run("wang", "linkage", "add", str(document)).exit_code == 0
    assert "Open" in run("wang", "linkage", "list").output
    since, until = (NOW - timedelta(hours=2)).isoformat(), NOW.isoformat()
    found = run("wang", "search", "--since", since, "--until", until, "--colour", "red",
                "--line", "0.4,0.1 0.4,0.9", "--camera", product.cameras["water"])  # fmt: skip
    assert "trk_" in found.output, found.output
    read = [{"source": "gate/rfid", "number": "1", "at": NOW.isoformat(), "kind": "rfid",
             "subject": "E280"}]  # fmt: skip
    document.write_text(json.dumps(read))
    assert "1 new" in run("wang", "read", "push", str(document), "--path", WATER).output
    later = (NOW + timedelta(hours=1)).isoformat()
    shown = run("wang", "read", "search", "--since", since, "--until", later, "--subject-stdin",
                stdin="e280\n")  # fmt: skip
    assert "E280" in shown.output, shown.output
    assert run("wang", "cover").exit_code == 0


def test_a_picture_that_got_out_is_traced_to_its_export(
    product: Product,
    run: Callable[..., Result],
    tmp_path: Path,
) -> None:
    photo = np.random.default_rng(5).integers(0, 255, (360, 640, 3), np.uint8)
    content = cv2.imencode(".jpg", cv2.GaussianBlur(photo, (9, 9), 0))[1].tobytes()
    event_id = product.report(content=content)
    request = ("export", "request", event_id, "--reason", "case", "--as-recorded")
    asked = json.loads(run("wang", *request, "-o", "json").stdout)
    run("chief", "export", "decide", asked["id"], "approve")
    product.happenings.exports.make_approved()
    ready, file = product.happenings.exports.download(PEOPLE["chief"], asked["id"])
    with file, zipfile.ZipFile(file) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".jpg"))
        target = tmp_path / "leaked.jpg"
        target.write_bytes(archive.read(name))
    traced = run("wang", "export", "trace", str(target))
    assert ready.id in traced.output, traced.output
    other = tmp_path / "other.jpg"
    other.write_bytes(content)
    assert run("wang", "export", "trace", str(other)).exit_code == 3
