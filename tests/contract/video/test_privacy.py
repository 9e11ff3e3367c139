"""Exports, masks, blurring, watermarks, retention and legal hold."""

import hashlib
import io
import json
import os
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from tests.conftest import SettableClock
from tests.fakes.video import NOON, EventWorld, person, picture, signal
from tests.harness.models import FOLDER, clip_or_skip, models_or_skip
from workloads.video_analytics.events.model import CLIP, Change, Reported
from workloads.video_analytics.events.privacy import pictures
from workloads.video_analytics.events.privacy.faces import FolderFaces
from workloads.video_analytics.events.privacy.model import ExportState, Retention, common_path
from workloads.video_analytics.events.privacy.pictures import Treatment
from workloads.video_analytics.vision.model import Box, Phase, Point, RuleKind

CORNER = (Point(0, 0), Point(0.2, 0), Point(0.2, 0.2), Point(0, 0.2))


def _clip(path: Path, frames: int = 20) -> Path:
    """A striped figure that walks over a textured ground."""
    ground = np.random.default_rng(3).integers(60, 120, (180, 320, 3), np.uint8)
    ground = cv2.GaussianBlur(ground, (5, 5), 0)
    with av.open(str(path), "w", format="mp4") as out:
        stream: Any = out.add_stream("libvpx-vp9", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.options = {"deadline": "realtime", "cpu-used": "8", "crf": "20"}
        for n in range(frames):
            image = ground.copy()
            image[60:120, 20 + 12 * n : 50 + 12 * n : 4] = 255
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        out.mux(stream.encode(None))
    return path


def _decoded(jpeg: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


def _treat(**more: Any) -> Treatment:
    line = "王 · 2026-11-03 · 案件"
    values: dict[str, Any] = {"masks": (), "subject": None, "faces": None, "blurred": False,
                              "line": line, "name": "exp_1", **more}  # fmt: skip
    return Treatment(values.pop("masks"), values.pop("subject"), values.pop("faces"), **values)


def test_masks_are_black_and_the_rest_is_not() -> None:
    made, _ = _treat(masks=(CORNER,)).picture(picture(120))
    image = _decoded(made)
    assert image[4:28, 4:56].mean() < 12
    assert image[60:100, 100:300].mean() > 60


def test_a_blurred_subject_cannot_be_told_and_the_rest_can() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (180, 320, 3), np.uint8)
    content = cv2.imencode(".png", noise)[1].tobytes()
    made, said = _treat(blurred=True, subject=Box(0.4, 0.2, 0.2, 0.4)).picture(content)
    image = _decoded(made)
    inside, outside = image[40:105, 130:190], image[20:100, 10:90]
    assert said == pictures.FIGURES
    assert inside.std() < 0.5 * outside.std()
    _, said = _treat(blurred=True).picture(content)
    assert said == pictures.WHOLE


def test_the_embedded_mark_outlives_saving_again() -> None:
    photo = cv2.GaussianBlur(
        np.random.default_rng(2).integers(0, 255, (360, 640, 3), np.uint8), (9, 9), 0
    )
    made, _ = _treat().picture(cv2.imencode(".png", photo)[1].tobytes())
    image = _decoded(made)
    again = _decoded(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 75])[1].tobytes())
    for found in (image, again):
        assert pictures.carries(found, "exp_1") > 0.95
        assert pictures.carries(found, "exp_2") < 0.8
    assert pictures.carries(photo, "exp_1") < 0.8
    assert b"exp_1" in made[:400]
    difference = np.abs(image[:300].astype(int) - photo[:300].astype(int)).mean()
    assert difference < 12  # people see no difference that matters


def test_moving_figures_of_a_clip_are_blurred_in_every_frame(tmp_path: Path) -> None:
    source, target = _clip(tmp_path / "a.mp4"), tmp_path / "b.mp4"
    said = _treat(blurred=True, masks=(CORNER,)).clip(source, target)
    assert said == pictures.FIGURES

    def stripes(path: Path) -> list[float]:
        with av.open(str(path)) as read:
            frames = [f.to_ndarray(format="gray") for f in read.decode(video=0)]
        # How strong the pattern of the figure is where it is.
        return [
            float(np.abs(np.diff(f[70:110, 20 + 12 * n : 50 + 12 * n].astype(int), axis=1)).mean())
            for n, f in enumerate(frames)
        ]

    before, after = stripes(source), stripes(target)
    assert len(before) == len(after) == 20
    assert all(b < 0.35 * a for a, b in zip(before, after, strict=True))


class _Faces:
    """A model that sees the faces that a test says; None for no model."""

    def __init__(self, *faces: Box, there: bool = True) -> None:
        self.faces = faces
        self.there = there

    def find(self, image: Any) -> Sequence[Box] | None:
        del image
        return list(self.faces) if self.there else None


def _noise() -> bytes:
    noise = np.random.default_rng(1).integers(0, 255, (180, 320, 3), np.uint8)
    return cv2.imencode(".png", noise)[1].tobytes()


PERSON = Box(0.4, 0.1, 0.2, 0.7)
FACE = Box(0.47, 0.13, 0.05, 0.1)


def _sharpness(subject: Box | None, faces: _Faces) -> tuple[float, float, str]:
    """Of the head and of the legs of a figure, as parts of what is around it; and what is said."""
    made, said = _treat(blurred=True, subject=subject, faces=faces).picture(_noise())
    image = _decoded(made)
    around = image[20:100, 10:90].std()
    return image[26:38, 152:166].std() / around, image[100:140, 140:180].std() / around, said


def test_of_a_figure_with_a_face_the_face_is_blurred() -> None:
    head, legs, said = _sharpness(PERSON, _Faces(FACE))
    assert head < 0.5
    assert legs > 0.8
    assert said == pictures.FACES


@pytest.mark.parametrize("faces", [
    _Faces(),  # turned away
    _Faces(there=False),  # no model
    _Faces(Box(0.1, 0.1, 0.05, 0.1)),  # somebody else's
    _Faces(Box(0.47, 0.65, 0.05, 0.1)),  # at its feet: no head of this figure
    _Faces(Box(0.47, 0.13, 0.02, 0.04)),  # so wide a figure is more than one person
])  # fmt: skip
def test_a_figure_whose_face_is_not_found_is_blurred_as_a_whole(faces: _Faces) -> None:
    head, legs, _ = _sharpness(PERSON, faces)
    assert head < 0.5
    assert legs < 0.5


def test_where_no_figure_is_known_all_is_blurred_whatever_a_model_finds() -> None:
    made, said = _treat(blurred=True, faces=_Faces(FACE)).picture(_noise())
    assert _decoded(made)[20:100, 10:90].std() < 30
    assert said == pictures.WHOLE


def test_moving_figures_of_a_clip_without_faces_are_blurred_beside_a_model(tmp_path: Path) -> None:
    source, target = _clip(tmp_path / "a.mp4"), tmp_path / "b.mp4"
    assert _treat(blurred=True, faces=_Faces()).clip(source, target) == pictures.FACES
    with av.open(str(target)) as read:
        frames = [f.to_ndarray(format="gray") for f in read.decode(video=0)]
    for n, frame in enumerate(frames):
        figure = frame[70:110, 20 + 12 * n : 50 + 12 * n].astype(int)
        assert np.abs(np.diff(figure, axis=1)).mean() < 20


def test_the_real_model_leaves_no_face_of_the_sample_clip_to_be_found(tmp_path: Path) -> None:
    """Judged by the model itself, on frames that were encoded anew."""
    model = models_or_skip(RuleKind.FACE).faces
    assert model is not None
    source, target = tmp_path / "a.mp4", tmp_path / "b.mp4"
    with av.open(str(clip_or_skip("one-by-one-person-detection.mp4"))) as read:
        stream = read.streams.video[0]
        with av.open(str(source), "w") as write:
            made: Any = write.add_stream("libvpx-vp9", rate=12)
            made.width, made.height, made.pix_fmt = stream.width, stream.height, "yuv420p"
            made.options = {"deadline": "realtime", "cpu-used": "8", "crf": "20"}
            for n, frame in enumerate(read.decode(stream)):
                if n > 1190:  # where the model finds faces at all: of two who stand at the table
                    break
                if n >= 980 and n % 3 == 0:
                    frame.pts = None
                    write.mux(made.encode(frame.reformat(format="yuv420p")))
            write.mux(made.encode(None))

    def seen(path: Path) -> int:
        with av.open(str(path)) as read:
            frames = [f.to_ndarray(format="bgr24") for f in read.decode(video=0)]
        return sum(len(model.detect(frame)) for frame in frames)

    said = _treat(blurred=True, faces=FolderFaces(FOLDER)).clip(source, target)
    before, after = seen(source), seen(target)
    print(f"faces in the clip: {before}, in the export: {after}; {said}")
    assert pictures.FACES in said
    assert before >= 3
    assert after == 0


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xd8\xff\xe0" + b"\0" * 40])
def test_broken_files_are_said_to_be(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(pictures.Unreadable):
        _treat().picture(content or b"x")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(content)
    with pytest.raises(pictures.Unreadable):
        _treat().clip(broken, tmp_path / "out.mp4")


def test_an_export_needs_a_reason_a_second_person_and_shows_what_it_holds(
    world: EventWorld, tmp_path: Path, clock: SettableClock
) -> None:
    event_id = world.happen()
    world.events.attach(world.fence, event_id, world.files.put(_clip(tmp_path / "c.mp4"), CLIP))
    broken = world.happen(key="b", picture=b"no picture at all")
    with pytest.raises(Invalid) as wrong:
        world.exports.request(world.operator, [], " ")
    assert {p.field for p in wrong.value.problems} == {"events", "reason"}
    with pytest.raises(NotFound):
        world.exports.request(world.neighbour, [event_id], "x")
    with pytest.raises(Forbidden):
        world.exports.request(world.viewer, [event_id], "x")
    export = world.exports.request(world.operator, [event_id, broken], "police case 12/26")
    assert world.exports.make_approved() == 0
    with pytest.raises(Conflict):
        world.exports.download(world.operator, export.id)
    with pytest.raises(Forbidden):
        world.exports.decide(world.operator, export.id, approve=True)
    with pytest.raises(NotFound):
        world.exports.decide(world.neighbour, export.id, approve=True)
    world.exports.decide(world.chief, export.id, approve=True)
    with pytest.raises(Conflict):
        world.exports.decide(world.chief, export.id, approve=False)
    assert world.exports.make_approved() == 1
    ready, file = world.exports.download(world.operator, export.id)
    with file:
        content = file.read()
    assert ready.state is ExportState.READY
    assert hashlib.sha256(content).hexdigest() == ready.archive
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        manifest = archive.read("manifest.json")
        assert hashlib.sha256(manifest).hexdigest() == ready.manifest
        told = json.loads(manifest)
        files = [f for f in told["files"] if "file" in f]
        assert [f["kind"] for f in files] == ["image/jpeg", "video/mp4"]
        for entry in files:
            data = archive.read(entry["file"])
            assert hashlib.sha256(data).hexdigest() == entry["sha256"]
            assert entry["blurred"] == pictures.FIGURES
            assert entry["source_intact"]
        image = _decoded(archive.read(files[0]["file"]))
    assert [f["left_out"] for f in told["files"] if "left_out" in f] == ["it is no picture"]
    assert (told["reason"], told["approved_by"]) == ("police case 12/26", "chen")
    assert pictures.carries(image, export.id) > pictures.carries(image, "exp_other")
    assert image[4:28, 4:56].mean() < 30  # the camera's mask
    changes = [e.change for e in world.events.history(world.viewer, event_id)]
    assert Change.EXPORTED in changes
    assert [len(world.audited(f"export.{a}")) for a in ("request", "decide", "download")] == [1] * 3
    clock.advance(days=8)
    assert world.exports.expire() == 1
    with pytest.raises(Conflict):
        world.exports.download(world.operator, export.id)


def test_nobody_approves_their_own_request_by_another_role(world: EventWorld) -> None:
    event_id = world.happen()
    export = world.exports.request(world.chief, [event_id], "x")
    with pytest.raises(Forbidden, match="second person"):
        world.exports.decide(world.chief, export.id, approve=True)
    other = person("sun", "video_administrator", "/city/")
    refused = world.exports.decide(other, export.id, approve=False, note="no grounds")
    assert refused.state is ExportState.REFUSED
    assert world.exports.make_approved() == 0


def test_an_export_of_two_departments_needs_both(world: EventWorld) -> None:
    mine, theirs = world.happen(), world.happen(camera="cam_road", key="r")
    export = world.exports.request(world.chief, [mine, theirs], "x")
    assert export.path == "/city/"
    local = person("sun", "video_administrator", "/city/water/")
    with pytest.raises(NotFound):
        world.exports.decide(local, export.id, approve=True)
    assert common_path(["/city/water/", "/city/water/east/"]) == "/city/water/"
    assert common_path(["/city/water/", "/town/"]) == "/"


def _age(world: EventWorld, seconds: float) -> None:
    for path in world.files._root.rglob("*"):  # noqa: SLF001 - as time would
        if path.is_file():
            os.utime(path, (time.time() - seconds, time.time() - seconds))


def test_retention_erases_by_data_class_and_spares_what_is_held(
    world: EventWorld, clock: SettableClock
) -> None:
    clock.set(NOON)
    world.cameras.add("cam_weir", "/city/water/", data_class="sensitive")
    old = world.happen(picture=picture(10))
    held = world.happen(key="b", picture=picture(20))
    open_one = world.happen(key="c", picture=picture(30))
    strict = world.happen(key="d", camera="cam_weir", picture=picture(10))
    for key in "abd":
        camera = "cam_weir" if key == "d" else "cam_gate"
        ended = signal(phase=Phase.ENDED, after=5, key=key)
        world.events.report(world.fence, camera, [Reported(ended)])
    world.events.hold(world.chief, held, "court")
    clock.advance(days=31)
    _age(world, 7200)
    assert world.retaining.sweep() == {"events": 1, "files": 0}
    gone = world.events.event(world.chief, strict)
    assert (gone.evidence, gone.erased_at) == ((), clock.now())
    assert len(world.events.event(world.chief, old).evidence) == 1  # the same content, still used
    clock.advance(days=60)
    assert world.retaining.sweep()["events"] == 1
    assert world.events.event(world.chief, old).erased_at is not None
    for kept in (held, open_one):
        assert len(world.events.event(world.chief, kept).evidence) == 1
    names = set(world.files.names())
    assert names == {
        e.sha256
        for kept in (held, open_one)
        for e in world.events.event(world.chief, kept).evidence
    }
    world.events.release(world.chief, held)
    assert world.retaining.sweep()["events"] == 1
    assert len(world.audited("evidence.erase")) == 3
    assert world.retaining.sweep()["events"] == 0


def test_files_that_nobody_refers_to_go_after_a_while(world: EventWorld) -> None:
    """A worker died between evidence and event."""
    orphan = world.files.put(b"orphan", CLIP)
    kept = world.happen()
    assert world.retaining.clean() == 0  # its worker may still be about to tell
    _age(world, 7200)
    assert world.retaining.clean() == 1
    assert not world.files.matches(orphan.sha256)
    assert [ok for _, ok in world.events.verify(world.operator, kept)] == [True]


def test_periods_are_set_by_those_who_may(world: EventWorld) -> None:
    root = person("sun", "video_administrator", "/")
    with pytest.raises(Forbidden):
        world.retaining.set_period(world.chief, Retention("public", 10, 10, 10))
    with pytest.raises(Invalid) as wrong:
        world.retaining.set_period(root, Retention("secret", 0, 10, 99999))
    assert {p.field for p in wrong.value.problems} == {"data_class", "evidence", "reads"}
    world.retaining.set_period(root, Retention("public", 10, 11, 12))
    assert {r.data_class: r.evidence for r in world.retaining.periods(root)}["public"] == 10
