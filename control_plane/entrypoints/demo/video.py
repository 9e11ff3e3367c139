"""The chapter on video: a department orders it, gives it two cameras, and events arrive and cost.

The region is simulated, the service is not: it runs as processes of this machine and sees what the
sample clips show.
"""

from collections.abc import Mapping
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from control_plane.demonstration.model import StoryCamera, VideoStory
from control_plane.entrypoints.demo.cast import Cast, Stage
from control_plane.entrypoints.demo.narrator import Narrator, StoryFailedError
from control_plane.entrypoints.demo.workload import WorkloadChapter
from foundation.surface.cli.client import Client

_SAMPLES = "workloads.video_analytics.samples"
_EVENT_SECONDS = 120.0


def play(stage: Stage, narrator: Narrator, cast: Cast) -> None:
    """Play the chapter.

    Raises:
        StoryFailedError: a result is not what it must be.
        Failure: the platform or the service refused something.
    """
    if stage.city.story is None or stage.city.story.video is None:
        raise StoryFailedError("this city has no story about video")
    _Video(stage, narrator, cast, stage.city.story.video).run()


class _Video(WorkloadChapter):
    def __init__(self, stage: Stage, narrator: Narrator, cast: Cast, story: VideoStory) -> None:
        super().__init__(stage, narrator, cast, "Video", story.order, story.meter)
        self._story = story

    def run(self) -> None:
        service = self.ordered()
        video = self.begun(service, "transport.administrator")
        cameras = self._connected(video)
        self._watched(video, cameras)
        self.charged(service, "camera hours")

    def _connected(self, video: Client) -> dict[str, StoryCamera]:
        department = self._stage.city.department_of(
            next(t.organisation for t in self._stage.city.tenancies
                 if t.slug == self._story.order.tenancy)
        )  # fmt: skip
        with self._say.chapter("Video: two cameras, played from sample clips, and a rule for each"):
            made = video.post(
                "/departments",
                {"parent": "/", "slug": department.slug, "name": department.name.as_json()},
            )
            found = {}
            for camera in self._story.cameras:
                entered = video.post("/cameras", _camera(camera, made["path"]))
                video.post("/rules", _rule(camera, entered["id"]))
                found[entered["id"]] = camera
                self._say.tell(f"{camera.name.en}: {camera.rule.en}")
        return found

    def _watched(self, video: Client, cameras: Mapping[str, StoryCamera]) -> None:
        with self._say.chapter("Video: what they saw"):
            for camera_id, camera in cameras.items():
                events = self.until(
                    camera.rule.en, _EVENT_SECONDS, partial(self._events, video, camera_id)
                )
                pictures = [each for each in events if each["evidence"]]
                self._say.check_that(f"with a picture: {len(pictures)} of {len(events)}", pictures)

    def _events(self, video: Client, camera_id: str) -> list[dict[str, Any]] | None:
        items: list[dict[str, Any]] = video.get("/events", camera=camera_id)["items"]
        return items if len(items) >= self._story.events else None


def _camera(camera: StoryCamera, path: str) -> dict[str, Any]:
    clip = Path(str(resources.files(_SAMPLES))) / camera.clip
    return {
        "name": camera.name.as_json(),
        "code": camera.code,
        "path": path,
        "source": {"kind": "file", "url": str(clip)},
        "tier": "low_rate",
    }


def _rule(camera: StoryCamera, camera_id: str) -> dict[str, Any]:
    return {
        "camera": camera_id,
        "kind": camera.kind,
        "name": camera.rule.as_json(),
        "points": [list(point) for point in camera.points],
        "parameters": dict(camera.parameters),
    }
