"""An audit log in memory."""

from collections.abc import Mapping
from typing import Any

from foundation.kernel.actor import Actor


class FakeAudit:
    """Keeps what was recorded, in order; the same key twice is one entry."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def record(
        self,
        actor: Actor,
        action: str,
        *,
        subject: str,
        path: str,
        details: Mapping[str, Any],
        key: str | None = None,
    ) -> None:
        if key is not None and any(entry["key"] == key for entry in self.entries):
            return
        self.entries.append(
            {
                "actor": actor.id, "action": action, "subject": subject, "path": path,
                "details": details, "key": key,
            }
        )  # fmt: skip
