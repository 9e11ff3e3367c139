"""Files and folders of the platform's own: nobody else of the machine reads them."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

_FILE = 0o600
_FOLDER = 0o700
#: Others may pass through and see nothing: processes that root starts as other users must.
_PASSAGE = 0o711


def own_folder(path: Path) -> Path:
    """A folder that only this user reads; it is made when it is missing, with those above it.

    One that is there keeps whether others may pass through: the embedded database's user must.
    """
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=_PASSAGE if each != path and os.geteuid() == 0 else _FOLDER, exist_ok=True)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & ~_PASSAGE and path.stat().st_uid == os.geteuid():
        path.chmod(mode & _PASSAGE)
    return path


def own_file(path: Path, *, append: bool = False) -> BinaryIO:
    """Open a file to write that only this user reads, whatever the umask and its mode before."""
    begin = os.O_APPEND if append else os.O_TRUNC
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | begin, _FILE)
    os.fchmod(handle, _FILE)
    return os.fdopen(handle, "ab" if append else "wb")
