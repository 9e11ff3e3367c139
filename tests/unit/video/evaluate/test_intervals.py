import json
from pathlib import Path

import pytest

from foundation.kernel.errors import Invalid
from workloads.video_analytics.evaluate.intervals import (
    Event,
    Label,
    compare,
    read_events,
    read_labels,
)


def test_hits_misses_repeats_and_delay() -> None:
    labels = [Label("a", "bag", 10, 20), Label("a", "bag", 50, 60), Label("b", "bag", 10, 20)]
    events = [Event("a", "bag", 13), Event("a", "bag", 15), Event("a", "bag", 90),
              Event("b", "bag", 9), Event("a", "fight", 55)]  # fmt: skip
    bag, fight, overall = (s.as_json() for s in compare(labels, events, 2))
    assert (bag["hits"], bag["missed"], bag["false"], bag["repeated"]) == (2, 1, 2, 1)
    assert bag["precision"] == 0.5
    assert bag["recall"] == pytest.approx(2 / 3)
    assert bag["f1"] == pytest.approx(4 / 7)
    assert bag["delay_seconds"] == 1.0  # of 3 and −1
    assert (fight["labels"], fight["recall"], fight["precision"]) == (0, None, 0.0)
    assert (overall["kind"], overall["hits"], overall["events"]) == ("overall", 2, 5)


def test_each_event_meets_one_label_and_as_many_as_possible() -> None:
    labels = [Label("", "x", 0, 10), Label("", "x", 8, 20)]
    (score, _) = compare(labels, [Event("", "x", 9), Event("", "x", 9.5)], 0)
    assert (score.hits, score.repeated) == (2, 0)


def test_files_of_both_kinds(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("clip,kind,begin,end\na,bag,2026-11-21T12:00:00Z,2026-11-21T12:00:10+00:00\n")
    document = tmp_path / "found.json"
    event = {"camera": "a", "kind": "bag", "began_at": "2026-11-21T20:00:03+08:00"}
    document.write_text(json.dumps({"items": [event]}))
    (score, _) = compare(read_labels(table), read_events(document), 0)
    assert score.delays == (3.0,)


def test_every_wrong_row_is_named(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("kind,begin,end\n,1,2\nbag,soon,2\nbag,5,nan\nbag,9,3\n")
    with pytest.raises(Invalid) as caught:
        read_labels(table)
    assert [problem.field.rpartition(":")[2] for problem in caught.value.problems] == [
        "1.kind", "2.begin", "3.end", "4.end",
    ]  # fmt: skip
    for text in ("[1]", "{", '{"items": 3}'):
        table.write_text(text)
        with pytest.raises(Invalid):
            read_events(table)
    with pytest.raises(Invalid, match="is missing"):
        read_events(tmp_path / "nothing")


def test_clocks_within_a_clip_and_tables_of_other_programs(tmp_path: Path) -> None:
    table = tmp_path / "my labels.csv"
    table.write_bytes(
        b"\xef\xbb\xbfClip; Kind ;Begin;End\r\na b;bag;1:05;0:01:20.5\r\na b;bag;120:00;7260\r\n"
    )
    assert read_labels(table) == [
        Label("a b", "bag", 65, 80.5), Label("a b", "bag", 7200, 7260),
    ]  # fmt: skip
    (tmp_path / "none.csv").write_text("")
    assert read_labels(tmp_path / "none.csv") == []
