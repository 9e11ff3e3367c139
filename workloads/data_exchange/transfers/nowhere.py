"""No store: an exchange that was given no place for files takes none, and says so."""

from collections.abc import Iterator
from datetime import datetime

from workloads.data_exchange.transfers.ports import StoreFailed

WHY = "this exchange has no store for files: transfers are switched off here"


class Nowhere:
    """Keeps nothing; what was kept elsewhere before cannot be read."""

    def put(self, key: str, data: bytes) -> None:  # noqa: ARG002
        raise StoreFailed(WHY)

    def get(self, key: str) -> bytes:  # noqa: ARG002
        raise StoreFailed(WHY)

    def delete(self, key: str) -> None: ...

    def kept(self) -> Iterator[tuple[str, datetime]]:
        return iter(())

    def free(self) -> int | None:
        return 0

    def why_not(self) -> str:
        return WHY
