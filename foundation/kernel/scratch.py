"""Folders for the time being, which are gone afterwards even when their owner was killed.

``tempfile.TemporaryDirectory`` removes its folder when its process ends in good order. Here a
process holds a lock on its folder, which the kernel lets go however the process ends, and whoever
makes the next folder of the same name removes those that nobody holds.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

#: Part of the name of each: a folder that something else made, or a version of ours that held no
#: lock, may be in use and is never removed.
_MARK = "held-"
#: A folder is made and then locked: one so young is left alone.
_YOUNG_SECONDS = 60.0


class Scratch:
    """A folder of mode 0700 below the system's folder for such things.

    Forked children hold it too: it counts as in use until the last of them has ended.

    Args:
        prefix: what its name begins with; says whose it is, for instance ``borough-git-``.
        place: where it is made; the system's folder without it.
    """

    def __init__(self, prefix: str, place: Path | None = None) -> None:
        above = place or Path(tempfile.gettempdir())
        _sweep(above, prefix)
        self.path = Path(tempfile.mkdtemp(prefix=f"{prefix}{_MARK}", dir=above))
        self._handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._handle, fcntl.LOCK_SH)

    def close(self) -> None:
        """Remove it with all that is in it; what cannot be removed now, the next one removes."""
        if self._handle < 0:
            return
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._handle)
        self._handle = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _sweep(above: Path, prefix: str) -> None:
    """Remove the folders of that name that are ours and that no process holds."""
    for path in above.glob(f"{prefix}{_MARK}*"):
        with contextlib.suppress(OSError):
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                found = os.fstat(handle)
                if found.st_uid != os.geteuid() or time.time() - found.st_mtime < _YOUNG_SECONDS:
                    continue
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(handle)
