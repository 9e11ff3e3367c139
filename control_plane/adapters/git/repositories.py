"""Reads the blueprints of a repository at one commit, without ever checking it out.

Objects are listed and read by their names, so that nothing of the repository is run or written as
a file: no hook, no filter, no link, no path. A submodule is never followed.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

from control_plane.adapters.git.addresses import Reach, Resolve, check_url, target
from control_plane.adapters.git.confined import Bounds, Git, workspace
from control_plane.provisioning import content
from control_plane.provisioning.registry.model import ReferenceKind
from control_plane.provisioning.registry.ports import (
    Checkout,
    Folder,
    SourceAccess,
    SourceError,
)

_HEAD = "refs/borough/head"
_GOOD = re.compile(r'Good "git" signature for (\S+) with (\S+) key (SHA256:\S+)')
_MOST_ENTRIES = 20_000
_MOST_FOLDERS = 100
_LINK, _SUBMODULE, _FILES = "120000", "160000", {"100644", "100755"}
_WHAT = {_LINK: "is a link; a blueprint holds its own files",
         _SUBMODULE: "is a submodule; a blueprint holds its own files"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Entry:
    mode: str
    name: str
    size: int
    path: str


class GitRepositories:
    """Implements ``Repositories``."""

    def __init__(
        self, reach: Reach, bounds: Bounds | None = None, resolve: Resolve | None = None
    ) -> None:
        self._reach = reach
        self._bounds = bounds or Bounds()
        self._resolve = resolve

    def check(self, url: str) -> None:
        """See the port."""
        check_url(url)

    def read(self, source: SourceAccess) -> Checkout:
        """See the port."""
        where = target(source.url, self._reach, self._resolve)
        credentials = {"user": source.user, "password": source.password}
        with workspace(self._bounds, where.protocol, credentials, source.allowed_signers) as git:
            pin = ("-c", f"http.curloptResolve={where.pinned}") if where.pinned else ()
            git.run(
                *pin, "fetch", "-q", "--depth=1", "--no-tags", "--no-recurse-submodules",
                where.url, f"+{_wanted(source)}:{_HEAD}", patient=True,
            )  # fmt: skip
            shown = git.run("show", "-s", "--format=%H %ct", f"{_HEAD}^{{commit}}").decode()
            commit, committed = shown.split()
            signer, signed = _signature(git, commit, source)
            entries = list(_entries(git, commit, source.folder))
            return Checkout(
                commit,
                datetime.fromtimestamp(int(committed), UTC),
                signer,
                signed,
                tuple(_read(git, entries, folder) for folder in _folders(entries, source.folder)),
            )


def _wanted(source: SourceAccess) -> str:
    prefix = {ReferenceKind.BRANCH: "refs/heads/", ReferenceKind.TAG: "refs/tags/"}
    return prefix.get(source.kind, "") + source.reference


def _signature(git: Git, commit: str, source: SourceAccess) -> tuple[str, str]:
    """Who signed the commit or its tag, and which of them; empty when nobody known did.

    Raises:
        SourceError: a signature is demanded and there is none of an allowed signer.
    """
    asked = [("verify-commit", commit, "commit")]
    if source.kind is ReferenceKind.TAG:
        asked.insert(0, ("verify-tag", _HEAD, "tag"))
    for command, name, what in asked if source.allowed_signers.strip() else ():
        status, _, said = git.attempt(command, "--raw", name)
        found = _GOOD.search(said)
        if status == 0 and found:
            return f"{found[1]} ({found[2]} {found[3]})", what
    if source.signed:
        raise SourceError(f"the commit {commit[:12]} is not signed by an allowed signer")
    return "", ""


def _entries(git: Git, commit: str, folder: str) -> Iterator[_Entry]:
    """Everything in and below a folder of a commit."""
    below = ("--", f"{folder}/") if folder else ()
    listed = git.run("ls-tree", "-r", "-z", "-l", "--full-tree", commit, *below)
    lines = listed.split(b"\0")[:-1]
    if len(lines) > _MOST_ENTRIES:
        raise SourceError(f"the repository holds more than {_MOST_ENTRIES} files")
    for line in lines:
        facts, _, path = line.partition(b"\t")
        mode, _kind, name, size = facts.decode().split()
        yield _Entry(mode, name, 0 if size == "-" else int(size), path.decode(errors="replace"))


def _folders(entries: Iterable[_Entry], below: str) -> list[str]:
    """The folders of blueprints; what lies inside of one belongs to it.

    Raises:
        SourceError: there is none, or there are too many.
    """
    with_one = sorted(
        str(PurePosixPath(e.path).parent)
        for e in entries
        if PurePosixPath(e.path).name == "blueprint.yaml"
    )
    found: list[str] = []
    for folder in with_one:
        if not any(_inside(folder, outer) for outer in found):
            found.append(folder)
    if not found:
        raise SourceError(f"there is no blueprint.yaml in {below or 'the repository'}")
    if len(found) > _MOST_FOLDERS:
        raise SourceError(f"there are more than {_MOST_FOLDERS} blueprints in the repository")
    return found


def _inside(path: str, folder: str) -> bool:
    return folder in {".", path} or path.startswith(f"{folder}/")


def _read(git: Git, entries: Iterable[_Entry], folder: str) -> Folder:
    """A blueprint's files, or why they cannot be one."""
    files = [e for e in entries if _inside(e.path, folder)]
    files = [e for e in files if not content.is_cache(_relative(e.path, folder))]
    for each in files:
        if each.mode not in _FILES:
            problem = _WHAT.get(each.mode, "is no plain file")
            return Folder(folder, {}, f"{_relative(each.path, folder)}: {problem}")
    if len(files) > content.MOST_FILES or sum(e.size for e in files) > content.MOST_BYTES:
        size = f"{content.MOST_FILES} files or {content.MOST_BYTES >> 20} MiB"
        return Folder(folder, {}, f"holds more than {size}")
    return Folder(folder, dict(_contents(git, files, folder)))


def _relative(path: str, folder: str) -> str:
    return path if folder == "." else path[len(folder) + 1 :]


def _contents(git: Git, files: list[_Entry], folder: str) -> Iterator[tuple[str, bytes]]:
    asked = "".join(f"{e.name}\n" for e in files).encode()
    data = git.run("cat-file", "--batch", stdin=asked)
    at = 0
    for each in files:
        end = data.index(b"\n", at)
        size = int(data[at:end].split()[2])
        yield _relative(each.path, folder), data[end + 1 : end + 1 + size]
        at = end + 1 + size + 1
