"""Git repositories as people make them, and as nobody should."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path


class Repository:
    """A repository with a working folder, made by the program ``git``.

    Args:
        folder: of its own; made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    @property
    def url(self) -> str:
        return self.folder.as_uri()

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b.example",
            "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b.example",
        }  # fmt: skip
        done = subprocess.run(
            ["git", "-c", "protocol.file.allow=always", *arguments], cwd=self.folder,
            env=environment, input=stdin, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def write(self, files: Mapping[str, bytes], below: str = "") -> None:
        for name, data in files.items():
            path = self.folder / below / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def commit(self, files: Mapping[str, bytes] | None = None, below: str = "", *more: str) -> str:
        """Commit files (and what stands there already); answers the commit."""
        self.write(files or {}, below)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "change", *more)
        return self.git("rev-parse", "HEAD")

    def tree(self, entries: str) -> str:
        """Commit a tree of ``mode type name\\tpath`` lines as it is, plausible or not."""
        tree = self.git("mktree", "--missing", stdin=entries.encode())
        commit = self.git("commit-tree", tree, "-m", "odd")
        self.git("update-ref", "refs/heads/main", commit)
        return commit

    def blob(self, data: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", stdin=data)

    def key(self, name: str) -> tuple[Path, str]:
        """A new key of a person: its file, and their line of allowed signers."""
        path = self.folder.parent / f"{name}.key"
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)], check=True
        )
        kind, public, _ = path.with_suffix(".key.pub").read_text().split()
        return path, f"{name}@city.example {kind} {public}\n"

    def signing(self, key: Path) -> None:
        """Sign from now on."""
        self.git("config", "gpg.format", "ssh")
        self.git("config", "user.signingkey", str(key))
