"""Where sources and devices may lie; what a network's address may be is ``foundation``'s.

Files may lie below the folders of the settings, and nowhere else.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from foundation.kernel.addresses import (
    LONGEST,
    Network,
    NetworkPolicy,
    Opened,
    networks_of,
    parts_of,
    wrong,
)
from foundation.kernel.errors import Collector, Invalid
from workloads.video_analytics.cameras.model import SourceKind

SCHEMES = {
    SourceKind.RTSP: ("rtsp",),
    SourceKind.MJPEG: ("http", "https"),
    SourceKind.HLS: ("http", "https"),
    SourceKind.FILE: ("file",),
}


@dataclass(frozen=True, slots=True)
class AddressPolicy(NetworkPolicy):
    """Which addresses may be opened.

    Attributes:
        folders: below which files may lie; none for no files at all.
    """

    folders: tuple[Path, ...] = ()

    @staticmethod
    def of(networks: str, folders: str) -> "AddressPolicy":
        """A policy of settings: networks (CIDR) and folders, each separated by commas.

        Raises:
            Invalid: names the setting that is wrong.
        """
        found = Collector()
        nets: tuple[Network, ...] = ()
        try:
            nets = networks_of(networks, "camera_networks")
        except Invalid as error:
            found.include(error)
        paths = [Path(text) for text in parts_of(folders)]
        for path in paths:
            found.check(path.is_absolute(), "camera_folders", f"{path} is not an absolute path")
        found.finish()
        return AddressPolicy(nets, folders=tuple(paths))

    def check_kept(self, kind: SourceKind, url: str, name: str = "source.url") -> None:
        """Whether a source may be kept; names are not resolved.

        Args:
            kind: of the source.
            url: of the network, or of a file its path or a ``file:`` address.
            name: of the field, for problems.

        Raises:
            Invalid: it may not, or is no address of this kind.
        """
        if kind is SourceKind.FILE:
            self._file(url, name)
        else:
            self.check_url(url, SCHEMES[kind], name)

    def open(self, kind: SourceKind, url: str, name: str = "source.url") -> Opened:
        """A source about to be opened; what its name resolves to now is looked at.

        Raises:
            Invalid: it may not be opened.
            Unavailable: its name cannot be resolved at present.
        """
        if kind is SourceKind.FILE:
            return Opened(str(self._file(url, name)))
        return self.open_url(url, SCHEMES[kind], name)

    def _file(self, url: str, name: str) -> Path:
        path = _file_path(url, name)
        # strict: what a link points to counts, and a file that is not there has no folder.
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError, ValueError):
            real = None
        inside = real is not None and any(
            real.is_relative_to(folder.resolve()) for folder in self.folders
        )
        # One answer for all: who types paths does not learn what else this machine has.
        if real is None or not inside or not real.is_file() or not os.access(real, os.R_OK):
            raise wrong(name, "is not a file below a folder in which camera files may lie")
        return real


def _file_path(url: str, name: str) -> Path:
    text = url
    if not text.strip():
        raise wrong(name, "is required", "required")
    if "\0" in text or len(text) > LONGEST:
        raise wrong(name, "is not a path")
    if text.startswith("file:"):
        parts = urlsplit(text)
        if parts.netloc not in {"", "localhost"}:
            raise wrong(name, "names another machine")
        text = unquote(parts.path)
    path = Path(text)
    if not path.is_absolute():
        raise wrong(name, "must be an absolute path")
    return path
