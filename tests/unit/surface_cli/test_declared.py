"""Declared documents: reading, lines, secrets, and everything that is wrong at once."""

from pathlib import Path

import pytest

from foundation.surface.cli.declared import Document, Secret, read_documents
from foundation.surface.cli.exits import USAGE, Failure

KINDS = ("Region", "Quota")


def read(path: Path | str, **environment: str) -> list[Document]:
    return read_documents([str(path)], KINDS, environment)


def wrong(path: Path | str, **environment: str) -> list[str]:
    with pytest.raises(Failure) as told:
        read(path, **environment)
    assert told.value.exit_code == USAGE
    return told.value.message.splitlines()[1:]


def test_documents_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(
        "# city\nkind: Region\nname: east\nspec:\n  title: {en: East}\n  at: 2026-01-01T00:00:00Z\n"
        "---\n---\nkind: Quota\nname: /city/\nspec:\n  limits:\n    vcpus: '3'\n"
    )
    east, city = read(file)
    assert (east.kind, east.name, east.index, city.index) == ("Region", "east", 1, 2)
    assert east.spec == {"title": {"en": "East"}, "at": "2026-01-01T00:00:00Z"}
    assert east.where("spec.title.en") == f"{file}:5 (document 1)"
    assert city.where("spec.limits.vcpus") == f"{file}:13 (document 2)"
    assert city.where("spec.limits.ram") == f"{file}:12 (document 2)", "where it would stand"


def test_a_folder_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yaml", "c.json", "d.txt"):
        (tmp_path / name).write_text(
            f'{{"kind": "Region", "name": "{name[0]}", "spec": {{"a": 1}}}}'
        )
    assert [one.name for one in read(tmp_path)] == ["a", "b", "c"]


def test_secrets_come_from_outside_and_are_known(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from a file\n")
    file = tmp_path / "a.yaml"
    file.write_text("kind: Region\nname: e\nspec: {a: !env TOKEN, b: [!file key], c: plain}\n")
    (one,) = read(file, TOKEN="from outside")
    assert one.spec == {"a": "from outside", "b": ["from a file"], "c": "plain"}
    assert isinstance(one.spec["a"], Secret)
    assert one.secrets() == {"from outside", "from a file"}
    assert wrong(file) == [f"  {file}:3 (document 1) !env: TOKEN is not set"]
    file.write_text("kind: Region\nname: e\nspec:\n  a: !file nowhere\n")
    (told,) = wrong(file)
    assert told == f"  {file}:4 (document 1) !file: nowhere: No such file or directory"


def test_everything_that_is_wrong_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(
        "kind: Moon\nname: a\nspec: {x: 1}\n---\nkind: Region\nspec: {x: 1}\ncolour: red\n---\n"
        "- a list\n---\nkind: Region\nname: twice\nspec:\n  x: 1\n  x: 2\n---\n"
        "kind: Region\nname: twice\nspec: {y: 1}\n---\nkind: Region\nname: none\nspec: {}\n"
    )
    told = wrong(file)
    for line, document, text in (
        (1, 1, "kind: must be one of Region, Quota"),
        (5, 2, "name: is required"),
        (7, 2, "colour: is not kind, name or spec"),
        (9, 3, "(document): must be a mapping with kind, name and spec"),
        (15, 4, "spec.x: is given twice"),
        (18, 5, f"name: is declared at {file}:12 (document 4) already"),
        (23, 6, "spec: is required"),
    ):
        assert f"  {file}:{line} (document {document}) {text}" in told, "\n".join(told)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("kind: [", "is no YAML"),
        ("kind: !!python/object/apply:os.system ['true']", "is no YAML"),
        ("&a [*a]", "must be a mapping"),
        ("", "there is no document"),
        ("a: b: c", "is no YAML"),
        ("kind: Region\nname: 7\nspec: 3", "must be a text"),
    ],
)
def test_what_is_no_document(tmp_path: Path, text: str, part: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    assert part in "\n".join(wrong(file))


def test_files_that_are_not_there(tmp_path: Path) -> None:
    assert "No such file" in wrong(tmp_path / "a.yaml")[0]
    assert "has no file" in wrong(tmp_path)[0]
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe")
    assert "is not text" in wrong(tmp_path)[0]
