"""Segments in a folder of this machine, or of a file system that several machines share."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from foundation.kernel import ids
from foundation.kernel.files import own_file, own_folder
from workloads.data_exchange.transfers.ports import Missing, StoreFailed

_KEY = re.compile(r"[A-Za-z0-9_-]{1,80}(/[A-Za-z0-9_-]{1,80}){0,4}", re.ASCII)
#: Of a file that is not whole yet; no key has a dot.
_DRAFT = ".new"
_OLD_SECONDS = 6 * 3_600


class FolderStore:
    """A folder.

    Args:
        folder: only this user reads it; it is made when it is missing.
        reserve: bytes of its file system that stay free.
    """

    def __init__(self, folder: Path, reserve: int = 0) -> None:
        self._folder = folder
        self._reserve = reserve

    def put(self, key: str, data: bytes) -> None:
        path = self._path(key)
        draft = path.with_name(f"{path.name}-{ids.new('new')}{_DRAFT}")
        try:
            own_folder(path.parent)
            with own_file(draft) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
            _sync(path.parent)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise StoreFailed(error.strerror or "the folder cannot be written") from None

    def get(self, key: str) -> bytes:
        path = self._path(key)
        try:
            # A link in place of a segment leads nowhere.
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(handle, "rb") as file:
                return file.read()
        except FileNotFoundError:
            raise Missing(key) from None
        except OSError as error:
            raise StoreFailed(error.strerror or "the folder cannot be read") from None

    def delete(self, key: str) -> None:
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as error:
            raise StoreFailed(error.strerror or "the folder cannot be written") from None

    def kept(self) -> Iterator[tuple[str, datetime]]:
        try:
            for folder, _, names in os.walk(self._folder):
                for name in names:
                    path = Path(folder, name)
                    try:
                        kept = datetime.fromtimestamp(
                            path.stat(follow_symlinks=False).st_mtime, UTC
                        )
                    except FileNotFoundError:
                        continue
                    key = path.relative_to(self._folder).as_posix()
                    if _KEY.fullmatch(key):
                        yield key, kept
                    elif name.endswith(_DRAFT) and time.time() - kept.timestamp() > _OLD_SECONDS:
                        path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreFailed(error.strerror or "the folder cannot be read") from None

    def free(self) -> int | None:
        try:
            return max(0, shutil.disk_usage(own_folder(self._folder)).free - self._reserve)
        except OSError:
            return 0

    def why_not(self) -> str:
        return ""

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise StoreFailed("not a key")
        return self._folder.joinpath(*key.split("/"))


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
