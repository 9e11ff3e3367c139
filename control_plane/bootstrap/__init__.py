"""The composition root: the one place that knows which adapter stands behind which port."""

from control_plane.bootstrap.platform import Platform, empty_embedded, open_platform

__all__ = ["Platform", "empty_embedded", "open_platform"]
