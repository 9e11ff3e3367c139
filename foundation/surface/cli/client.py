"""The API, spoken by the command line: JSON, problems, paging, retries that double nothing."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from foundation.surface.cli.exits import ApiProblem, Failure

if TYPE_CHECKING:
    from http.client import HTTPMessage

    from foundation.surface.cli.transport import Response, Transport

API = "/api/v1"
_PAGE = 200
_OK = 200
#: What may be sent again after a broken connection: the rest would report its own first success
#: as a failure (412, 404). POST carries an Idempotency-Key.
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "POST"})
_UNEXPECTED = "the answer is not Borough's: is the address right?"


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful response."""

    status: int
    headers: "HTTPMessage"
    body: Any

    @property
    def etag(self) -> str:
        """The version of the thing, for ``If-Match``; empty when it has none."""
        return self.headers.get("ETag", "")


class Client:
    """A client of one platform.

    Args:
        url: its address, without ``/api/v1``.
        token: an API token; may be empty for what everybody may see.
        observe: called with each request (method, address, body) before it is sent.
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        observe: Callable[[str, str, bytes | None], None] | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self._observe = observe
        self._transport: Transport | None = None

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, object] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and read its answer.

        Args:
            method: GET, POST, …
            path: below ``/api/v1``, or an address of this platform that the API itself gave.
            params: query; None values are left out, lists are repeated.
            body: sent as JSON; bytes are sent as they are (give their Content-Type in headers).
            headers: more headers.

        Raises:
            ApiProblem: the API answered with an error.
            Failure: the platform does not answer, or something else does.
        """
        sent = {"Accept": "application/json", "User-Agent": "borough-cli", **(headers or {})}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        if method == "POST":
            # Made once per call: a repeated POST is recognised as the same one.
            sent.setdefault("Idempotency-Key", str(uuid.uuid4()))
        data = body if isinstance(body, bytes) else None
        if body is not None and data is None:
            data = json.dumps(body, ensure_ascii=False, default=str).encode()
            sent.setdefault("Content-Type", "application/json")
        address = self._address(path, params)
        if self._observe:
            self._observe(method, address, data)
        return _read(self._send(method, address, data, sent))

    def get(self, path: str, /, **params: object) -> Any:  # noqa: ANN401 - JSON
        """The JSON of a resource."""
        return self.request("GET", path, params=params).body

    def post(self, path: str, /, body: object = None, **params: object) -> Any:  # noqa: ANN401
        """Create or do something; answers the JSON of it."""
        return self.request("POST", path, body=body, params=params).body

    def change(self, method: str, path: str, body: object, etag: str) -> Any:  # noqa: ANN401
        """PUT or PATCH the version that ``etag`` names."""
        return self.request(method, path, body=body, headers={"If-Match": etag}).body

    def delete(self, path: str, /, **params: object) -> Any:  # noqa: ANN401
        """Delete something."""
        return self.request("DELETE", path, params=params).body

    def items(self, path: str, /, *, limit: int | None = None, **params: object) -> Iterator[Any]:
        """The items of a list, page after page, ``limit`` at most."""
        left = limit
        cursor: str | None = None
        while left is None or left > 0:
            size = _PAGE if left is None else min(left, _PAGE)
            page = self.get(path, **{**params, "cursor": cursor, "limit": size})
            found = page["items"] if left is None else page["items"][:left]
            yield from found
            cursor = page.get("next")
            if not cursor:
                return
            left = None if left is None else left - len(found)

    def download(self, path: str, /, **params: object) -> bytes:
        """The bytes of a file.

        Raises:
            ApiProblem: the API answered with an error.
            Failure: the platform does not answer.
        """
        address = self._address(path, params)
        if self._observe:
            self._observe("GET", address, None)
        sent = {"Accept": "*/*", "User-Agent": "borough-cli"}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        answer = self._send("GET", address, None, sent)
        if answer.status != _OK:
            _read(answer)
            raise Failure(f"{_UNEXPECTED} (status {answer.status})")
        return answer.body

    def _address(self, path: str, params: Mapping[str, object] | None) -> str:
        base = self.url if path.startswith(("/api/", "/healthz", "/readyz")) else self.url + API
        given = {key: _texts(value) for key, value in (params or {}).items() if value is not None}
        query = urlencode(given, doseq=True)
        return f"{base}{path}" + (f"?{query}" if query else "")

    def _send(
        self, method: str, address: str, data: bytes | None, headers: Mapping[str, str]
    ) -> "Response":
        # 0.03 s that `--help` does not pay.
        from foundation.surface.cli.transport import NoAnswerError, Transport  # noqa: PLC0415

        try:
            if self._transport is None:
                self._transport = Transport(self.url)
            target = urlunsplit(("", "", *urlsplit(address)[2:4], ""))
            return self._transport.send(
                method, target, data, headers, repeatable=method in _REPEATABLE
            )
        except NoAnswerError as error:
            raise Failure(f"{self.url} does not answer: {error}") from None


def _texts(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return list(value) if isinstance(value, tuple | set) else value


def _read(response: "Response") -> Answer:
    raw = response.body
    kind = response.headers.get("Content-Type", "")
    failed = response.status >= 300  # noqa: PLR2004 - HTTP; we follow no redirects
    if "json" not in kind:
        if failed or raw:
            raise Failure(f"{_UNEXPECTED} (status {response.status}, {kind or 'no content type'})")
        return Answer(response.status, response.headers, None)
    try:
        body = json.loads(raw) if raw else None
    except ValueError:
        raise Failure(_UNEXPECTED) from None
    if failed:
        raise ApiProblem(body if isinstance(body, dict) else {"status": response.status})
    return Answer(response.status, response.headers, body)
