"""A blueprint's content: which files count, their digest, their archive, and secrets among them."""

import hashlib
import io
import math
import os
import re
import shutil
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from foundation.kernel.errors import Collector, Invalid, Problem

Content = Mapping[str, bytes]
"""Relative POSIX path → bytes."""

MOST_FILES = 500
MOST_BYTES = 5 * 1024 * 1024
_LONGEST_PATH = 255
_CACHES = {
    "__pycache__", ".git", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".venv", "node_modules",
    ".DS_Store",
}  # fmt: skip
_CACHE_SUFFIXES = (".pyc", ".pyo")


def read_folder(folder: Path) -> dict[str, bytes]:
    """Read what counts of a folder: everything but caches, sorted by path.

    Raises:
        Invalid: no such folder, a link, or more than a blueprint may have.
    """
    if not folder.is_dir():
        raise Invalid([Problem("path", f"{folder} is not a folder")])
    found: dict[str, bytes] = {}
    size = 0
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        name = relative.as_posix()
        if is_cache(name):
            continue
        if path.is_symlink():
            raise Invalid([Problem(name, "is a link; a blueprint holds its own files")])
        if path.is_dir():
            continue
        size += path.stat().st_size
        if size > MOST_BYTES or len(found) >= MOST_FILES:
            raise Invalid(
                [Problem("path", f"holds more than {MOST_FILES} files or {MOST_BYTES >> 20} MiB")]
            )
        found[name] = path.read_bytes()
    return check(found)


def is_cache(name: str) -> bool:
    """Whether a path is one that a tool left behind, and counts for nothing."""
    return bool(_CACHES.intersection(PurePosixPath(name).parts)) or name.endswith(_CACHE_SUFFIXES)


def check(content: Content) -> dict[str, bytes]:
    """The content sorted by path, when it is one.

    Raises:
        Invalid: names every path that is not relative and plain, and what is too much.
    """
    found = Collector()
    found.check(len(content) <= MOST_FILES, "files", f"are more than {MOST_FILES}")
    size = sum(len(data) for data in content.values())
    found.check(size <= MOST_BYTES, "files", f"are larger than {MOST_BYTES >> 20} MiB together")
    folders = {str(above) for name in content for above in PurePosixPath(name).parents}
    for name in content:
        path = PurePosixPath(name)
        plain = name == path.as_posix() and not path.is_absolute() and ".." not in path.parts
        plain = plain and name not in folders and len(name.encode()) <= _LONGEST_PATH
        found.check(plain and "\0" not in name and name != ".", name, "is not a plain path")
    found.finish()
    return dict(sorted(content.items()))


def digest(content: Content) -> str:
    """``sha256:…`` over each path and its bytes, both with their lengths, sorted by path."""
    total = hashlib.sha256(b"borough blueprint 1\n")
    for name, data in sorted(content.items()):
        encoded = name.encode()
        total.update(len(encoded).to_bytes(8) + encoded + len(data).to_bytes(8) + data)
    return "sha256:" + total.hexdigest()


def pack(content: Content) -> bytes:
    """The content as a compressed archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in sorted(content.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def unpack(archive: bytes) -> dict[str, bytes]:
    """The content of an archive that ``pack`` made.

    Raises:
        Invalid: it is damaged or holds something else than files.
    """
    found: dict[str, bytes] = {}
    size = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            for entry in tar:
                data = tar.extractfile(entry) if entry.isreg() else None
                size += entry.size
                if data is None or size > MOST_BYTES or len(found) >= MOST_FILES:
                    raise Invalid([Problem("archive", "holds what a blueprint may not hold")])
                found[entry.name] = data.read()
    except (tarfile.TarError, OSError, EOFError):
        raise Invalid([Problem("archive", "is damaged")]) from None
    return check(found)


def materialise(content: Content, expected: str, cache: Path) -> Path:
    """A folder with the content, named by its digest and readable by everybody.

    A folder that is there is checked and made again when it does not hold what it should.

    Raises:
        Invalid: the content is not what the digest says.
    """
    if digest(content) != expected:
        raise Invalid([Problem("digest", "the stored content is not what its digest says")])
    target = cache / expected.removeprefix("sha256:")
    if target.is_dir():
        if _holds(target, expected):
            return target
        shutil.rmtree(target, ignore_errors=True)
    cache.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".new-", dir=cache))
    _write(content, draft)
    try:
        os.rename(draft, target)  # noqa: PTH104 - must fail, not merge, when another was faster
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        if not target.is_dir():
            raise
    return target


def _holds(folder: Path, expected: str) -> bool:
    try:
        return digest(read_folder(folder)) == expected
    except (Invalid, OSError):
        return False


def _write(content: Content, folder: Path) -> None:
    for name, data in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


# Secrets -----------------------------------------------------------------------------------------

#: A longer line is looked at piece by piece, and no pattern repeats without bound: what anybody
#: may send must not take time that grows with the square of its length.
_PIECE, _OVERLAP = 1000, 200
#: Forms of credentials that their issuers document, and so are no guess.
_KNOWN_SECRETS = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY-----"),
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60})"),
    "a GitLab token": re.compile(r"\bglpat-[A-Za-z0-9_-]{20}"),
    "a Slack token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10}"),
    "a JSON web token": re.compile(
        r"\beyJ[A-Za-z0-9_-]{10,400}\.eyJ[A-Za-z0-9_-]{10,400}\.[A-Za-z0-9_-]{10}"
    ),
    "a Pulumi token": re.compile(r"\bpul-[0-9a-f]{40}\b"),
    "a password in an address": re.compile(
        r"\b[a-z][a-z0-9+.-]{0,20}://[^\s/:@'\"{}]{1,100}:[^\s/@'\"{}]{1,100}@"
    ),
}
#: A name that promises a secret, given a literal.
_ASSIGNED = re.compile(
    r"""(?ix) (?:password|passwd|secret|token|api_?key|access_?key|credential)[\w.-]{0,60}
    ["']? \s{0,20} [:=] \s{0,20} ["']?
    (?P<value> [A-Za-z0-9+/=_\-.!@\#$%^&*]{8,400}) ["']? \s{0,20} [,;}]? \s{0,20} $""",
    re.MULTILINE,
)
_WORD = re.compile(r"[A-Za-z0-9+=_-]{32,}")
#: Shannon entropy, bits per character: random base 64 of 32 characters has about 4.5, English
#: words and identifiers below 4, hexadecimal at most 4.
_RANDOM_BITS = 4.3
_ASSIGNED_BITS = 2.75


def _entropy(text: str) -> float:
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts)


def _pieces(line: str) -> Iterator[str]:
    for start in range(0, max(len(line) - _OVERLAP, 1), _PIECE - _OVERLAP):
        yield line[start : start + _PIECE]


def _looks_secret(line: str) -> str:
    for what, pattern in _KNOWN_SECRETS.items():
        if pattern.search(line):
            return what
    given = _ASSIGNED.search(line)
    if given and _kinds(given["value"]) > 1 and _entropy(given["value"]) >= _ASSIGNED_BITS:
        return "a secret given in clear"
    for word in _WORD.findall(line):
        if _kinds(word) == len(_KINDS) and _entropy(word) >= _RANDOM_BITS:
            return "a random text as keys and tokens are"
    return ""


_KINDS = (str.isupper, str.islower, str.isdigit)


def _kinds(word: str) -> int:
    return sum(any(kind(c) for c in word) for kind in _KINDS)


def secrets_in(content: Content) -> list[Problem]:
    """Every place of a text file that looks like a credential; values are not repeated."""
    problems = []
    for name, data in sorted(content.items()):
        try:
            text = data.decode()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            what = next(filter(None, map(_looks_secret, _pieces(line))), "")
            if what:
                problems.append(Problem(f"{name}:{number}", f"looks like {what}", "secret"))
    return problems
