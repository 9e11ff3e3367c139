"""The composition root: the one place that knows which adapter stands behind which port."""

from control_plane.bootstrap.platform import (
    Platform,
    add_administrator,
    database_is_current,
    empty_embedded,
    open_platform,
    upgrade_database,
)

__all__ = [
    "Platform",
    "add_administrator",
    "database_is_current",
    "empty_embedded",
    "open_platform",
    "upgrade_database",
]
