"""Rules that need a model, on models that see what the test says."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from tests.fakes.video_models import FakeFaces, FakeObjects, FakePlates, person
from workloads.video_analytics.vision.analyser import CameraAnalyser
from workloads.video_analytics.vision.model import (
    Box,
    CameraView,
    Frame,
    Phase,
    Point,
    RuleKind,
    RuleSpec,
    Signal,
    Tier,
)
from workloads.video_analytics.vision.models.detectors import Looker, detector, missing
from workloads.video_analytics.vision.models.detectors.lives import within
from workloads.video_analytics.vision.models.detectors.looking import kinds_of
from workloads.video_analytics.vision.models.load import NONE, Models
from workloads.video_analytics.vision.models.ports import (
    Face,
    FaceList,
    Found,
    Plate,
    PlateList,
    Watched,
    WatchedFace,
)
from workloads.video_analytics.vision.ports import Detector, Sight, Tracked

START = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
VIEW = CameraView("cam_1")
LEFT, RIGHT = Box(0.1, 0.4, 0.1, 0.3), Box(0.7, 0.4, 0.1, 0.3)
FAR = START + timedelta(days=1)


def sight(
    seconds: float,
    *moving: Box,
    tracks: Sequence[Tracked] = (),
    gate: bool = True,
    colour: bool = True,
) -> Sight:
    """A frame in which these places move; with ``gate`` off nothing does."""
    foreground = np.zeros((180, 320), np.uint8)
    for box in moving:
        foreground[
            int(box.y * 180) : int((box.y + box.height) * 180),
            int(box.x * 320) : int((box.x + box.width) * 320),
        ] = 255
    picture = np.full((720, 1280, 3), 90, np.uint8)
    frame = Frame(START + timedelta(seconds=seconds), picture[:, :, 0], picture if colour else None)
    return Sight(frame, np.zeros((180, 320), np.uint8), foreground, gate, tracks)


def rule(kind: RuleKind, points: Sequence[Point] = (), **parameters: Any) -> RuleSpec:
    return RuleSpec("rul_1", 3, kind, tuple(points), parameters)


def judge(
    kind: RuleKind,
    models: Models,
    *,
    view: CameraView = VIEW,
    watched: Watched | None = None,
    points: Sequence[Point] = (),
    **parameters: Any,
) -> Detector:
    made = detector(
        rule(kind, points, **parameters), Looker(models, view), lambda: watched or Watched()
    )
    assert made is not None
    return made


def phases(signals: Sequence[Signal]) -> list[Phase]:
    return [signal.phase for signal in signals]


def track(name: str, box: Box) -> Tracked:
    return Tracked(name, box, seen=True, began=START, velocity=Point(0, 0), still_seconds=0)


# Without a model -----------------------------------------------------------------------------


def test_without_a_model_nothing_is_said_but_that_there_is_none() -> None:
    kinds = (RuleKind.OBJECT_CLASS, RuleKind.FACE, RuleKind.PLATE, RuleKind.MOTION)
    rules = [rule(kind) for kind in kinds]
    assert [detector(each, Looker(NONE, VIEW)) for each in rules] == [None] * 4
    said = ("no model: face", "no model: object_class", "no model: plate")
    assert missing(rules, NONE, VIEW) == said
    assert missing(rules, Models(FakeObjects(), FakeFaces(), FakePlates()), VIEW) == ()


def test_a_camera_that_looks_straight_down_claims_no_classes() -> None:
    models, view = (
        Models(objects=FakeObjects(Found(LEFT, "car", 0.9))),
        replace(VIEW, overhead=True),
    )
    wanted = rule(RuleKind.OBJECT_CLASS, classes=["car"])
    assert detector(wanted, Looker(models, view)) is None
    assert missing([wanted], models, view) == ("no classes: the camera looks straight down",)


# Classes -------------------------------------------------------------------------------------


def test_a_thing_is_an_event_from_the_second_look_until_it_is_gone() -> None:
    model = FakeObjects(Found(LEFT, "person", 0.7))
    judged = judge(RuleKind.OBJECT_CLASS, Models(objects=model), classes=["person"])
    first, second = judged.look(sight(0, LEFT)), judged.look(sight(0.5, LEFT))
    assert phases(first) == [Phase.CANDIDATE]
    assert phases(second) == [Phase.ACTIVE]
    assert second[0].data == {"class": "person", "looks": 2}
    assert (second[0].rule, second[0].version, second[0].began) == ("rul_1", 3, START)
    assert second[0].box == LEFT
    assert second[0].score == pytest.approx(0.7)
    model.things = []
    assert judged.look(sight(5.4, LEFT)) == []
    ended = judged.look(sight(5.6, gate=False))
    assert phases(ended) == [Phase.ENDED]
    assert ended[0].key == second[0].key


def test_what_was_seen_once_is_never_told() -> None:
    model = FakeObjects(Found(LEFT, "person", 0.7))
    judged = judge(RuleKind.OBJECT_CLASS, Models(objects=model))
    assert phases(judged.look(sight(0, LEFT))) == [Phase.CANDIDATE]
    model.things = []
    assert judged.look(sight(10, LEFT)) == []
    assert judged.close(START) == []


def test_furniture_does_not_fire() -> None:
    model = FakeObjects(Found(LEFT, "person", 0.9))
    judged = judge(RuleKind.OBJECT_CLASS, Models(objects=model))
    assert [judged.look(sight(n, RIGHT)) for n in range(5)] == [[]] * 5


def test_no_motion_asks_no_model_and_no_colour_neither() -> None:
    model = FakeObjects(Found(LEFT, "person", 0.9))
    judged = judge(RuleKind.OBJECT_CLASS, Models(objects=model))
    judged.look(sight(0, gate=False))
    judged.look(sight(1, LEFT, colour=False))
    assert model.asked == 0


def test_the_model_is_asked_no_more_often_than_the_rule_says() -> None:
    model = FakeObjects(Found(LEFT, "person", 0.9))
    judged = judge(RuleKind.OBJECT_CLASS, Models(objects=model), every_seconds=0.4)
    for frame in range(25):
        judged.look(sight(frame / 25, LEFT))
    assert model.asked == 3


def test_rules_of_a_camera_share_what_a_model_saw() -> None:
    model = FakeObjects(Found(LEFT, "person", 0.9), Found(RIGHT, "car", 0.9))
    looker = Looker(Models(objects=model), VIEW)
    judged = [
        detector(rule(RuleKind.OBJECT_CLASS, classes=[kind]), looker) for kind in ("person", "car")
    ]
    seen = sight(0, LEFT, RIGHT)
    boxes = [each.look(seen)[0].box for each in judged if each]
    assert boxes == [LEFT, RIGHT]
    assert model.asked == 1


def test_other_classes_unsure_ones_ignored_places_and_outside_the_field() -> None:
    model = FakeObjects(
        Found(LEFT, "dog", 0.9), Found(RIGHT, "person", 0.35),
        Found(Box(0.4, 0, 0.1, 0.2), "person", 0.9),
        Found(Box(0.4, 0.5, 0.1, 0.2), "person", 0.9),
    )  # fmt: skip
    lower = [Point(0, 0.5), Point(1, 0.5), Point(1, 1), Point(0, 1)]
    judged = judge(
        RuleKind.OBJECT_CLASS, Models(objects=model), points=lower, ignored=[[0.4, 0.5, 0.1, 0.21]]
    )
    everywhere = Box(0, 0, 1, 1)
    assert judged.look(sight(0, everywhere)) == []


def test_two_things_are_two_events_and_keep_apart_while_they_move() -> None:
    model = FakeObjects()
    judged = judge(RuleKind.OBJECT_CLASS, Models(objects=model))
    keys = set()
    for step in range(6):
        one = Box(0.1 + step * 0.05, 0.4, 0.1, 0.3)
        other = Box(0.8 - step * 0.05, 0.4, 0.1, 0.3)
        model.things = [Found(one, "person", 0.8), Found(other, "person", 0.7)]
        keys |= {
            (s.key, round(s.began.timestamp())) for s in judged.look(sight(step / 2, one, other))
        }
    assert len(keys) == 2


def test_what_is_followed_stays_the_same_however_far_it_goes() -> None:
    model = FakeObjects(Found(LEFT, "car", 0.8))
    judged = judge(RuleKind.OBJECT_CLASS, Models(objects=model), classes=["car", "truck"])
    judged.look(sight(0, tracks=[track("trk_1", LEFT)]))
    model.things = [Found(RIGHT, "truck", 0.9)]
    judged.look(sight(0.5, tracks=[track("trk_1", RIGHT)]))
    model.things = [Found(RIGHT, "truck", 0.9)]
    told = judged.look(sight(1, tracks=[track("trk_1", RIGHT)]))
    assert [(s.phase, s.data["class"], s.track) for s in told] == [(Phase.ACTIVE, "truck", "trk_1")]
    assert told[0].began == START


class _Maker:
    """Makes detectors as a lane does, on models of a test."""

    def __init__(self, models: Models, view: CameraView) -> None:
        self._looker = Looker(models, view)

    def make(self, rule: RuleSpec) -> Detector | None:
        return detector(rule, self._looker)

    def missing(self, rules: Sequence[RuleSpec], tier: Tier) -> Sequence[str]:
        del rules, tier
        return ()


def test_masked_places_are_black_before_a_model_sees_them() -> None:
    model = FakeObjects()
    half = (Point(0, 0), Point(0.5, 0), Point(0.5, 1), Point(0, 1))
    view = replace(VIEW, masks=(half,))
    wanted = rule(RuleKind.OBJECT_CLASS)
    analyser = CameraAnalyser(
        view, [wanted], Tier.FULL, maker=_Maker(Models(objects=model), view)
    )  # fmt: skip
    for n in range(60):
        picture = np.full((360, 640, 3), 90, np.uint8)
        picture[100:260, 20 + 8 * n : 80 + 8 * n] = 220  # walks out of the masked half
        analyser.feed(Frame(START + timedelta(seconds=n / 10), picture[:, :, 0].copy(), picture))
    assert model.asked
    assert model.picture is not None
    assert (model.picture[:, :315] == 0).all()
    assert model.picture[:, 330:].min() == 90
    assert (picture[300:, 330:] == 90).all()


def test_a_rule_that_is_watched_no_more_ends_what_is_active() -> None:
    judged = judge(RuleKind.OBJECT_CLASS, Models(objects=FakeObjects(Found(LEFT, "person", 0.9))))
    judged.look(sight(0, LEFT))
    judged.look(sight(1, LEFT))
    ended = judged.close(START + timedelta(seconds=2))
    assert phases(ended) == [Phase.ENDED]
    assert judged.close(START) == []


def test_another_worker_goes_on_with_the_same_event() -> None:
    models = Models(objects=FakeObjects(Found(LEFT, "person", 0.9)))
    first, second = judge(RuleKind.OBJECT_CLASS, models), judge(RuleKind.OBJECT_CLASS, models)
    first.look(sight(0, LEFT))
    told = first.look(sight(1, LEFT))[0]
    second.recall(first.memory())
    later = second.look(sight(7.5, LEFT))
    assert [(s.phase, s.key, s.began) for s in later] == [(Phase.UPDATED, told.key, told.began)]


@pytest.mark.parametrize("memory", [{}, {"active": 3}, {"active": [{"key": "a"}]}, {"active": [1]}])
def test_a_memory_of_nonsense_is_ignored(memory: dict[str, object]) -> None:
    judged = judge(RuleKind.OBJECT_CLASS, Models(objects=FakeObjects(Found(LEFT, "person", 0.9))))
    judged.recall(memory)
    assert phases(judged.look(sight(0, LEFT))) == [Phase.CANDIDATE]


def test_a_crowd_of_things_is_bounded() -> None:
    things = [
        Found(Box(x / 20, y / 20, 0.01, 0.01), "person", 0.9) for x in range(20) for y in range(20)
    ]
    judged = judge(RuleKind.OBJECT_CLASS, Models(objects=FakeObjects(*things)))
    assert len(judged.look(sight(0, Box(0, 0, 1, 1)))) == 64


def test_tracks_get_the_class_of_what_a_model_saw_there() -> None:
    seen = sight(0, tracks=[track("trk_1", LEFT), track("trk_2", RIGHT)])
    found = [Found(LEFT, "person", 0.8), Found(LEFT, "dog", 0.5), Found(RIGHT, "car", 0.2)]
    assert kinds_of(seen, found, 0.4) == {"trk_1": ("person", 0.8)}


# Faces ---------------------------------------------------------------------------------------

KNOWN, UNKNOWN = Face(LEFT, 0.9, ()), Face(RIGHT, 0.95, ())


def _who(face: Face) -> np.ndarray:
    return person(1, apart=0.3) if face == KNOWN else person(2)


def _list(*, until: datetime = FAR, space: str = "fake", id: str = "wal_1") -> FaceList:  # noqa: A002
    return FaceList(
        id, space, until, [WatchedFace("wle_1", person(1)), WatchedFace("wle_9", person(9))]
    )


def faces(watched: Watched, **parameters: Any) -> tuple[Detector, FakeFaces]:
    model = FakeFaces(KNOWN, UNKNOWN, who=_who)
    given = {"watchlists": ["wal_1"], **parameters}
    return judge(RuleKind.FACE, Models(faces=model), watched=watched, **given), model


def test_a_face_of_the_list_is_told_and_of_others_nothing_is() -> None:
    judged, _ = faces(Watched([_list()]))
    told = [
        *judged.look(sight(0, LEFT)),
        *judged.look(sight(1, LEFT)),
        *judged.look(sight(2, LEFT)),
    ]
    assert phases(told) == [Phase.CANDIDATE, Phase.ACTIVE]
    assert {signal.key for signal in told} == {"wal_1/wle_1"}
    data = {"entry": "wle_1", "looks": 2, "watchlist": "wal_1", "distance": 0.3}
    assert told[1].data == data
    assert told[1].box == LEFT
    assert "wle_9" not in repr(judged.memory())


def test_somebody_unknown_leaves_no_trace() -> None:
    judged, model = faces(Watched([_list()]))
    model.faces = [UNKNOWN]
    for second in range(5):
        assert judged.look(sight(second, RIGHT)) == []
    assert judged.memory() == {"active": []}
    assert model.embedded == 5


@pytest.mark.parametrize(
    "watched",
    [
        Watched(),
        Watched([_list(id="wal_2")]),
        Watched([_list(until=START)]),
        Watched([_list(space="another model")]),
    ],
    ids=["no list", "of another rule", "ended", "of another model"],
)
def test_without_a_list_in_force_no_face_is_even_embedded(watched: Watched) -> None:
    judged, model = faces(watched)
    assert judged.look(sight(0, LEFT)) == []
    assert model.embedded == 0


def test_a_list_that_ends_while_watching_counts_no_more() -> None:
    judged, _ = faces(Watched([_list(until=START + timedelta(seconds=1))]))
    assert phases(judged.look(sight(0, LEFT))) == [Phase.CANDIDATE]
    assert judged.look(sight(1, LEFT)) == []


def test_how_alike_and_how_large_a_face_must_be() -> None:
    stricter, _ = faces(Watched([_list()]), maximum_distance=0.25)
    assert stricter.look(sight(0, LEFT)) == []
    larger, model = faces(Watched([_list()]), minimum_pixels=200)
    assert larger.look(sight(0, LEFT)) == []
    assert model.embedded == 0


# Plates --------------------------------------------------------------------------------------


def plate(text: str, score: float = 0.95, box: Box = LEFT) -> Plate:
    corners = (Point(0.1, 0.4), Point(0.2, 0.4), Point(0.2, 0.7), Point(0.1, 0.7))
    return Plate(text, box, corners, score)


def test_the_text_that_most_looks_read_is_told() -> None:
    model = FakePlates()
    judged = judge(RuleKind.PLATE, Models(plates=model), every_seconds=0.1)
    told: list[Signal] = []
    for n, text in enumerate(["苏A12B45", "苏A12345", "苏A12345", "苏A12345"]):
        model.plates = [plate(text)]
        told += judged.look(sight(n / 2, LEFT))
    assert [(s.phase, s.data["text"]) for s in told] == [
        (Phase.CANDIDATE, "苏A12B45"),
        (Phase.ACTIVE, "苏A12345"),
    ]
    assert told[1].began == START
    assert told[1].data["corners"] == [[0.1, 0.4], [0.2, 0.4], [0.2, 0.7], [0.1, 0.7]]


def test_another_text_that_takes_the_lead_is_told_again() -> None:
    model = FakePlates()
    judged = judge(RuleKind.PLATE, Models(plates=model), every_seconds=0.1, looks=1)
    told: list[Signal] = []
    for n, text in enumerate(["苏A12B45", "苏A12345", "苏A12345"]):
        model.plates = [plate(text)]
        told += judged.look(sight(n / 2, LEFT))
    assert [(s.phase, s.data["text"]) for s in told if s.phase is not Phase.CANDIDATE] == [
        (Phase.ACTIVE, "苏A12B45"),
        (Phase.UPDATED, "苏A12345"),
    ]
    assert len({s.key for s in told}) == 1


def test_a_rule_of_lists_tells_their_plates_alone() -> None:
    model = FakePlates(plate("苏A12345"), plate("京B99999", box=RIGHT))
    lists = Watched(plates=[PlateList("wal_1", FAR, [("wle_1", "苏A?23*")])])
    judged = judge(RuleKind.PLATE, Models(plates=model), watched=lists, watchlists=["wal_1"])
    judged.look(sight(0, LEFT, RIGHT))
    told = judged.look(sight(1, LEFT, RIGHT))
    assert [(s.data["text"], s.data["watchlist"], s.data["entry"]) for s in told] == [
        ("苏A12345", "wal_1", "wle_1")
    ]
    ended = Watched(plates=[PlateList("wal_1", START, [("wle_1", "*")])])
    judged = judge(RuleKind.PLATE, Models(plates=model), watched=ended, watchlists=["wal_1"])
    assert judged.look(sight(0, LEFT, RIGHT)) == []


def test_unsure_plates_and_those_of_parked_cars_are_not_told() -> None:
    model = FakePlates(plate("苏A12345", 0.7), plate("京B99999", box=RIGHT))
    judged = judge(RuleKind.PLATE, Models(plates=model))
    assert judged.look(sight(0, LEFT)) == []


def test_points_are_within_polygons() -> None:
    triangle = [Point(0, 0), Point(1, 0), Point(0, 1)]
    assert within(Point(0.2, 0.2), triangle)
    assert not within(Point(0.8, 0.8), triangle)
    assert within(Point(0.8, 0.8), [])


def test_what_stands_still_goes_on_for_a_while() -> None:
    model = FakeObjects(Found(LEFT, "person", 0.9))
    judged = judge(RuleKind.OBJECT_CLASS, Models(objects=model), still_seconds=20)
    told = [*judged.look(sight(0, LEFT)), *judged.look(sight(1, LEFT))]
    for second in range(2, 40):
        told += judged.look(sight(second, gate=False))
    ends = [(s.phase, (s.at - START).total_seconds()) for s in told if s.phase is not Phase.UPDATED]
    assert ends[:2] == [(Phase.CANDIDATE, 0), (Phase.ACTIVE, 1)]
    assert ends[2][0] is Phase.ENDED
    assert 21 <= ends[2][1] <= 27
    assert model.asked <= 2 + 11


def test_what_stands_still_does_not_begin() -> None:
    model = FakeObjects(Found(LEFT, "person", 0.9))
    judged = judge(RuleKind.OBJECT_CLASS, Models(objects=model))
    judged.look(sight(0, LEFT))
    judged.look(sight(1, LEFT))
    model.things.append(Found(RIGHT, "person", 0.8))
    told = [signal for second in range(2, 9) for signal in judged.look(sight(second, LEFT))]
    assert {signal.box for signal in told} == {LEFT}
