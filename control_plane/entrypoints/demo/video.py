"""The chapter on video: a department orders it, gives it two cameras, and events arrive and cost.

The region is simulated, the service is not: it runs as processes of this machine and sees what the
sample clips show.
"""

import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from control_plane.demonstration.model import StoryCamera, VideoStory
from control_plane.entrypoints.demo.cast import Cast, Stage
from control_plane.entrypoints.demo.narrator import Narrator, StoryFailedError
from foundation.surface.cli.client import Client
from foundation.surface.cli.exits import Failure

T = TypeVar("T")

_SAMPLES = "workloads.video_analytics.samples"
_START_SECONDS = 90.0
_EVENT_SECONDS = 120.0
_USAGE_SECONDS = 90.0
_PAUSE = 0.5


def play(stage: Stage, narrator: Narrator, cast: Cast) -> None:
    """Play the chapter.

    Raises:
        StoryFailedError: a result is not what it must be.
        Failure: the platform or the service refused something.
    """
    if stage.city.story is None or stage.city.story.video is None:
        raise StoryFailedError("this city has no story about video")
    _Video(stage, narrator, cast, stage.city.story.video).run()


class _Video:
    def __init__(self, stage: Stage, narrator: Narrator, cast: Cast, story: VideoStory) -> None:
        self._stage = stage
        self._say = narrator
        self._cast = cast
        self._story = story

    def run(self) -> None:
        service = self._ordered()
        video = self._begun(service)
        cameras = self._connected(video)
        self._watched(video, cameras)
        self._charged(service)

    def _ordered(self) -> dict[str, Any]:
        wanted = self._story.order
        who = self._cast.name(wanted.requester)
        with self._say.chapter(f"Video: {who} orders video analytics"):
            order = self._cast.approve(wanted, self._cast.order(wanted))
            return self._cast.provision(wanted, order)

    def _begun(self, service: Mapping[str, Any]) -> Client:
        with self._say.chapter("Video: it starts as processes of this machine (not simulated)"):
            url = str(service["outputs"]["url"]).rstrip("/")
            administrator = self._cast.client("transport.administrator")
            shown = administrator.post(f"/deployments/{service['deployment_id']}/outputs")[
                "outputs"
            ]
            stranger = Client(url)
            token = self._until(
                "the service answers",
                _START_SECONDS,
                lambda: _attempt(
                    lambda: stranger.post(
                        "/login",
                        {
                            "login": service["outputs"]["administrator"],
                            "password": shown["administrator_password"],
                            "days": 1,
                        },
                    )
                ),
            )
            self._say.tell(f"its pages: {url}/ (administrator; the password is an output)")
            return Client(url, token["secret"])

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
                events = self._until(
                    camera.rule.en, _EVENT_SECONDS, partial(self._events, video, camera_id)
                )
                pictures = [each for each in events if each["evidence"]]
                self._say.check_that(f"with a picture: {len(pictures)} of {len(events)}", pictures)

    def _events(self, video: Client, camera_id: str) -> list[dict[str, Any]] | None:
        items: list[dict[str, Any]] = video.get("/events", camera=camera_id)["items"]
        return items if len(items) >= self._story.events else None

    def _charged(self, service: Mapping[str, Any]) -> None:
        finance = self._cast.client(self._stage.city.story.statement_by)  # type: ignore[union-attr]
        period = f"{self._stage.now:%Y-%m}"
        with self._say.chapter("Video: its use arrives at the platform and is charged"):
            used = self._until(
                "camera hours have arrived",
                _USAGE_SECONDS,
                lambda: [
                    each for each in finance.get("/usage", period=period)["items"]
                    if each["meter"] == self._story.meter and each["resource_id"] == service["id"]
                ],
            )  # fmt: skip
            hours = sum((Decimal(each["quantity"]) for each in used), Decimal(0))
            self._cast.follow(finance, finance.post("/rating-runs", {"period": period}))
            self._say.check_that(f"{hours:.4f} camera hours are charged", hours > 0)

    def _until(self, what: str, seconds: float, ask: Callable[[], T | None]) -> T:
        end = time.monotonic() + seconds
        while True:
            found = ask()
            if found:
                self._say.check_that(what, ok=True)
                return found
            if time.monotonic() > end:
                raise StoryFailedError(f"{what}: not within {seconds:.0f} s")
            time.sleep(_PAUSE)


def _attempt(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except Failure:
        return None


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
