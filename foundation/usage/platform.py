"""The platform that this service was ordered from: its intake of usage over HTTP."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import urllib3

from foundation.kernel.errors import Unavailable
from foundation.kernel.settings import OrderedSettings

_BATCH = "application/cloudevents-batch+json"
_TIMEOUT = urllib3.Timeout(connect=5, read=30)
_OK = 200
_CONFLICT = 409


def platform_of(settings: OrderedSettings) -> "HttpPlatform | None":
    """The platform that the settings name; None when the service was not ordered from one."""
    if not settings.platform_url or not settings.platform_resource:
        return None
    file = settings.platform_token_file
    return HttpPlatform(settings.platform_url, Path(file) if file else settings.platform_token)


class HttpPlatform:
    """``POST /api/v1/usage-events`` with a bearer token.

    Args:
        url: of the platform.
        token: that is shown to it, or a file with it, read each time so that it can be changed.
    """

    def __init__(self, url: str, token: Path | str) -> None:
        self._url = f"{url.rstrip('/')}/api/v1/usage-events"
        self._given = token
        self._pool = urllib3.PoolManager(retries=False, maxsize=1)

    def push(self, events: Sequence[Mapping[str, object]]) -> Mapping[str, str]:
        try:
            given = self._given
            token = given.read_text().strip() if isinstance(given, Path) else given
        except OSError as error:
            raise Unavailable(
                f"the token of the platform cannot be read: {error.strerror}"
            ) from None
        try:
            answer = self._pool.request(
                "POST", self._url, body=json.dumps(list(events)).encode(), timeout=_TIMEOUT,
                redirect=False,
                headers={"Authorization": f"Bearer {token}", "Content-Type": _BATCH},
            )  # fmt: skip
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"the platform does not answer: {type(error).__name__}") from None
        # 409: some conflict with events of the same id; the answer says which, the rest was taken.
        if answer.status not in {_OK, _CONFLICT}:
            raise Unavailable(f"the platform refused usage with status {answer.status}")
        try:
            body = json.loads(answer.data)
            items = body["details"]["items"] if answer.status == _CONFLICT else body["items"]
            return {str(item["id"]): str(item["outcome"]) for item in items}
        except (ValueError, KeyError, TypeError):
            raise Unavailable("the platform's answer is none") from None
