"""``borough apply`` and ``borough diff``: what there shall be, in files."""

from control_plane.entrypoints.cli.apply.commands import apply, diff

__all__ = ["apply", "diff"]
