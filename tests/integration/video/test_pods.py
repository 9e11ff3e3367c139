"""Borough Video as real pods: its image built here, deployed by its blueprint, renewed."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.lives import eventually
from tests.integration.services import Service
from tests.integration.test_services import Place, place, timed

__all__ = ["place"]

SMALL: dict[str, Any] = {
    "cameras": 2, "workers_most": 1, "worker_size": "xs", "evidence_gb": 1, "database_gb": 1,
    "reach": "tenancy",
}  # fmt: skip
CLIP = "/app/workloads/video_analytics/samples/one-by-one-person-detection.mp4"
#: Speaks to the API from inside its own pod: nothing else may reach it.
ASK = """
import base64, json, urllib.request
given = json.loads(base64.b64decode(GIVEN))
url = "http://127.0.0.1:8090" + given["path"]
body = None if given["body"] is None else json.dumps(given["body"]).encode()
headers = {"Content-Type": "application/json"}
if given["token"]:
    headers["Authorization"] = "Bearer " + given["token"]
request = urllib.request.Request(url, body, headers, method=given["method"])
with urllib.request.urlopen(request, timeout=30) as answer:
    print(base64.b64encode(answer.read()).decode())
"""


class Video:
    """The service, asked from inside one of its pods."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._token = ""

    def sign_in(self) -> None:
        assert self._service.made is not None
        made = self._service.made
        body = {
            "login": made.outputs["administrator"], "days": 1,
            "password": made.secret_outputs["administrator_password"],
        }  # fmt: skip
        self._token = self.post("/login", body)["secret"]

    def raw(self, method: str, path: str, body: Any = None) -> bytes:
        asked = {"method": method, "path": path, "body": body, "token": self._token}
        text = base64.b64encode(json.dumps(asked).encode()).decode()
        # No standard input goes through: what is asked is part of the program.
        program = ASK.replace("GIVEN", repr(text))
        return base64.b64decode(self._service.execute("api", ["python3", "-c", program]))

    def post(self, path: str, body: Any) -> Any:
        return json.loads(self.raw("POST", f"/api/v1{path}", body))

    def get(self, path: str) -> Any:
        return json.loads(self.raw("GET", f"/api/v1{path}"))

    def events(self) -> dict[str, Any]:
        return {each["id"]: each for each in self.get("/events?limit=200")["items"]}


@pytest.fixture
def service(place: Place, video_image: str) -> Iterator[Service]:
    facts = {**place.where.config["kubernetes"], "video_image": video_image}
    where = replace(place.where, config={"kubernetes": facts})
    it = replace(place, where=where).service("video-analytics")
    try:
        yield it
    finally:
        it.destroy()


def names(service: Service) -> set[str]:
    return {pod.metadata.name for part in ("api", "worker") for pod in service.pods(part)}


def test_it_sees_in_pods_and_is_renewed_without_losing_an_event(service: Service) -> None:
    timed("video: created", lambda: service.apply(**SMALL))
    video = Video(service)
    video.sign_in()
    department = video.post("/departments", {"slug": "hall", "name": {"en": "Hall", "zh": "大厅"}})
    camera = video.post(
        "/cameras",
        {"name": {"en": "Entrance", "zh": "入口"}, "path": department["path"],
         "source": {"kind": "file", "url": CLIP}},
    )  # fmt: skip
    video.post(
        "/rules",
        {"camera": camera["id"], "kind": "field_entry", "name": {"en": "Entry", "zh": "进入"},
         "points": [[0.2, 0.2], [0.8, 0.2], [0.8, 0.98], [0.2, 0.98]]},
    )  # fmt: skip
    assert timed("video: first event", lambda: eventually(video.events, seconds=180))
    before = video.events()
    first = next(iter(before.values()))
    assert first["evidence"], first
    file = min(first["evidence"], key=lambda each: each["size"])
    picture = video.raw("GET", f"/api/v1/events/{first['id']}/evidence/{file['sha256']}")
    assert picture[:3] == b"\xff\xd8\xff"

    old = names(service)
    timed("video: renewed", lambda: service.apply(**{**SMALL, "cameras": 3}))
    assert eventually(lambda: not old & names(service), seconds=120)
    video.sign_in()
    kept = video.events()
    assert before.keys() <= kept.keys()
    more = eventually(lambda: video.events().keys() > kept.keys(), seconds=180)
    assert timed("video: next event", lambda: more)
    after = list(video.events().values())
    lives = {(each["rule"], each["key"], each["began"]) for each in after}
    assert len(lives) == len(after), "no event twice"
