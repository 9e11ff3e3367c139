"""The build hook: a wheel and a source archive carry the web pages' assets.

They are fetched with npm when they are missing or old (see
``control_plane/surface/web/build_assets.py``). An editable installation runs from the checkout,
where ``./dev assets`` builds them.
"""

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PROGRAM = Path("control_plane", "surface", "web", "build_assets.py")


class AssetsHook(BuildHookInterface[Any]):
    """Builds the assets before the files of a distribution are collected."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the assets, and name them as files that the archive holds.

        Args:
            version: ``standard`` or ``editable``.
            build_data: what hatchling collects; git ignores the assets, so they are named here.
        """
        if version == "editable":
            return
        runpy.run_path(str(Path(self.root) / PROGRAM))["build"]()
        build_data["artifacts"].append("/control_plane/surface/web/static/vendor/")
