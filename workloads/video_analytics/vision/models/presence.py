"""Which models a folder holds, for whoever sees no pictures: rules and pages."""

from pathlib import Path

from workloads.video_analytics.vision.models import folder as shelves
from workloads.video_analytics.vision.models.catalogue import (
    EMBEDDING,
    FACES,
    OBJECTS,
    PLATES,
    READING,
    ModelFile,
)

_PURPOSES = {"classes": (OBJECTS,), "faces": (FACES, EMBEDDING), "plates": (PLATES, READING)}


class FolderModels:
    """Tells which models are there; a file is read again only when it was changed.

    Args:
        folder: where they are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, tuple[int, int, bool]] = {}

    def present(self, name: str) -> bool:
        """Whether the model of this purpose (``classes``, ``faces``, ``plates``) is installed."""
        files = _PURPOSES.get(name, ())
        return bool(files) and all(self._there(model) for model in files)

    def _there(self, model: ModelFile) -> bool:
        try:
            found = (self._folder / model.file).stat()
        except OSError:
            return False
        known = self._known.get(model.file)
        if known is None or known[:2] != (found.st_mtime_ns, found.st_size):
            there = shelves.state(self._folder, model) is shelves.State.THERE
            known = (found.st_mtime_ns, found.st_size, there)
            self._known[model.file] = known
        return known[2]
