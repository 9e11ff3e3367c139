"""The newest picture of each camera, as its worker leaves it while somebody looks.

A worker writes ``<home>/live/<camera id>.jpg`` (renamed into place, so it is always whole) while
``<camera id>.want`` was touched within the last ten seconds; this touches and reads.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flask import Response
from werkzeug.http import http_date

from foundation.access import policy
from foundation.kernel.files import own_folder
from workloads.video_analytics.cameras.model import Camera

_LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG and when it was taken."""

    content: bytes
    at: datetime

    def response(self) -> Response:
        """For a browser: it keeps none of it."""
        answer = Response(self.content, mimetype="image/jpeg")
        answer.headers["Last-Modified"] = http_date(self.at)
        answer.headers["Cache-Control"] = "no-store"
        return answer


class LivePictures:
    """Reads pictures, and says to workers that somebody looks.

    Args:
        folder: shared with the workers.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def want(self, camera: Camera) -> None:
        """Somebody looks at it."""
        own_folder(self._folder)
        (self._folder / f"{camera.id}.want").touch(mode=0o600)

    def newest(self, camera: Camera) -> Picture | None:
        """What there is of a camera, fresh or not; None for nothing. Somebody looks at it."""
        self.want(camera)
        try:
            with (self._folder / f"{camera.id}.jpg").open("rb") as file:
                taken = os.fstat(file.fileno()).st_mtime
                content = file.read(_LARGEST + 1)
        except OSError:
            return None
        if len(content) > _LARGEST or not content.startswith(b"\xff\xd8"):
            return None
        return Picture(content, datetime.fromtimestamp(taken, UTC))

    def taken(self, camera: Camera) -> datetime | None:
        """When the newest picture was taken; None without one. Somebody looks at it."""
        self.want(camera)
        try:
            return datetime.fromtimestamp((self._folder / f"{camera.id}.jpg").stat().st_mtime, UTC)
        except OSError:
            return None

    def required(self, camera: Camera) -> Picture:
        """What there is of a camera.

        Raises:
            NotFound: there is no picture of it (yet).
        """
        found = self.newest(camera)
        if found is None:
            raise policy.unknown("picture")
        return found
