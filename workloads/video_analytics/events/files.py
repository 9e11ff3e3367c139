"""The evidence store: a folder of files named by the SHA-256 of their content.

A file is written beside its place, synced, and linked into it; then its folder is synced. So a name
always stands for whole content, whatever process dies when. Many processes may put and remove at
once: a lock on the folder makes putting a file that is there and removing it exclude each other.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

from foundation.kernel.errors import NotFound
from foundation.kernel.files import own_folder
from workloads.video_analytics.events.model import KINDS, EvidenceRef

_NAME = re.compile(r"[0-9a-f]{64}", re.ASCII)
_BLOCK = 1024 * 1024
_DRAFTS = "drafts"
_LOCK = ".lock"


class FolderEvidence:
    """Implements ``EvidenceFiles`` in a folder of this machine, or one that machines share.

    Args:
        root: the folder; it is made when it is missing.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, content: bytes | Path, kind: str) -> EvidenceRef:
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is no kind of evidence")
        own_folder(self._root)
        drafts = own_folder(self._root / _DRAFTS)
        with tempfile.NamedTemporaryFile(dir=drafts, delete=False) as draft:
            name = Path(draft.name)
            try:
                digest, size = _copy(content, draft.file)
                draft.flush()
                os.fsync(draft.fileno())
                self._place(name, digest, size)
            finally:
                name.unlink(missing_ok=True)
        return EvidenceRef(digest, size, kind)

    def open(self, sha256: str) -> BinaryIO:
        try:
            return self._path(sha256).open("rb")
        except FileNotFoundError:
            raise NotFound("the evidence is not there any more") from None

    def remove(self, sha256: str, *, untouched_for: float = 0.0) -> bool:
        path = self._path(sha256)
        if not path.exists():
            return False
        with _alone(path.parent):
            try:
                touched = path.stat().st_mtime
                if untouched_for and time.time() - touched < untouched_for:
                    return False
                path.unlink()
            except FileNotFoundError:
                return False
            _sync_folder(path.parent)
        return True

    def matches(self, sha256: str) -> bool:
        """Whether the file is there and its content is what its name says."""
        try:
            with self.open(sha256) as file:
                return _digest(file) == sha256
        except NotFound:
            return False

    def names(self) -> Iterator[str]:
        """All files, in no order."""
        if self._root.is_dir():
            for folder in self._root.iterdir():
                if folder.name != _DRAFTS and folder.is_dir():
                    yield from (p.name for p in folder.iterdir() if _NAME.fullmatch(p.name))

    def forget_drafts(self, older_than_seconds: float) -> int:
        """Take away what a killed process left half written; answers how many."""
        gone = 0
        drafts = self._root / _DRAFTS
        for path in drafts.iterdir() if drafts.is_dir() else ():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > older_than_seconds:
                    path.unlink()
                    gone += 1
        return gone

    def _place(self, draft: Path, digest: str, size: int) -> None:
        path = self._path(digest)
        if not path.parent.exists():
            own_folder(path.parent)
            _sync_folder(self._root)
        with _alone(path.parent):
            if path.exists() and path.stat().st_size == size:
                os.utime(path)  # so that who removes what nobody uses leaves it alone
                return
            # A file of another size was damaged: the whole one takes its place.
            draft.replace(path)
            _sync_folder(path.parent)

    def _path(self, sha256: str) -> Path:
        if not _NAME.fullmatch(sha256):
            raise NotFound("the evidence is not there any more")
        return self._root / sha256[:2] / sha256


def _copy(content: bytes | Path, target: IO[bytes]) -> tuple[str, int]:
    digest = hashlib.sha256()
    if isinstance(content, bytes):
        target.write(content)
        digest.update(content)
        return digest.hexdigest(), len(content)
    size = 0
    with content.open("rb") as source:
        while block := source.read(_BLOCK):
            target.write(block)
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
