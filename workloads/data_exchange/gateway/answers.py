"""Answers of records: read strictly, held against their description, kept for a while."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from workloads.data_exchange.gateway.book import Ruling
from workloads.data_exchange.gateway.documents import NotJson, read
from workloads.data_exchange.gateway.model import Refusal
from workloads.data_exchange.gateway.server import Request
from workloads.data_exchange.gateway.shaping import get, tokens
from workloads.data_exchange.gateway.upstream import Answer

#: Bytes of answers that are kept, as they came from providers.
_MOST = 67_108_864


def records(ruling: Ruling, answer: Answer, data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """The value of an answer that is as the directory describes it.

    Raises:
        Refusal: it is not; nothing of it is said.
    """
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        raise _lies()
    try:
        value = read(data)
    except NotJson:
        raise _lies() from None
    if ruling.valid is not None and not ruling.valid(value):
        raise _lies()
    found = get(value, tokens(ruling.terms.records))
    rows = found if isinstance(found, list) else [found]
    if not all(isinstance(row, dict) for row in rows):
        raise _lies()
    return value


def _lies() -> Refusal:
    return Refusal(502, "schema", "the provider did not answer as it is described")


@dataclass(frozen=True, slots=True)
class _Kept:
    value: Any
    until: datetime
    size: int


class Cache:
    """Answers that may be given again; masked and filtered anew for each call.

    What the interface allows counts, and ``Cache-Control: no-store`` or ``private`` of an answer.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._size = 0
        self._kept: OrderedDict[tuple[str, str, bytes, str], _Kept] = OrderedDict()

    def find(self, ruling: Ruling, request: Request, now: datetime) -> Any:  # noqa: ANN401
        """The kept answer to the same request, or None."""
        if not ruling.provider.cache_seconds or request.method != "GET":
            return None
        key = _key(ruling, request)
        found = self._kept.get(key)
        if found is None:
            return None
        if now >= found.until:
            self._drop(key)
            return None
        return found.value

    def keep(
        self, ruling: Ruling, request: Request, answer: Answer, value: Any, now: datetime,  # noqa: ANN401
        size: int,
    ) -> None:  # fmt: skip
        """Keep an answer, if its interface allows that."""
        seconds = ruling.provider.cache_seconds
        told = answer.headers.get("cache-control", "").lower()
        if not seconds or request.method != "GET" or "no-store" in told or "private" in told:
            return
        key = _key(ruling, request)
        self._drop(key)
        self._kept[key] = _Kept(value, now + timedelta(seconds=seconds), size)
        self._size += size
        while self._size > self._most:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: tuple[str, str, bytes, str]) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self._size -= found.size


def _key(ruling: Ruling, request: Request) -> tuple[str, str, bytes, str]:
    """An answer is of its service, address and form; and of the description it was held against."""
    form = f"{request.headers.get('accept', '')} {request.headers.get('accept-language', '')}"
    return (ruling.provider.service, ruling.terms.digest, request.target, form)
