"""``borough demo``: a city on this machine, and the story of one order in it."""

from control_plane.entrypoints.demo.command import demo

__all__ = ["demo"]
