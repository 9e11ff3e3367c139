"""Reads YAML documents of a kind, a name and a spec, and knows the line of everything in them."""

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from foundation.surface.cli.exits import USAGE, Failure

_FIELDS = ("kind", "name", "spec")
_ENDINGS = (".yaml", ".yml", ".json")
_LARGEST = 4 * 1024 * 1024


class Secret(str):
    """A value that ``!env`` or ``!file`` brought: it is sent and never shown."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Document:
    """One declared thing.

    Attributes:
        file: as it was named; ``-`` for standard input.
        index: its place in the file, from 1.
        folder: what its relative paths start from.
        lines: the line of each field by its dotted path.
    """

    file: str
    index: int
    kind: str
    name: str
    spec: Mapping[str, Any]
    folder: Path
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """How messages call it."""
        return f"{self.kind} {self.name}"

    def where(self, path: str) -> str:
        """Where a field stands, or would stand: file, line and document."""
        return _where(self.file, self.index, self.lines, path)

    def secrets(self) -> frozenset[str]:
        """The values in it that are never shown."""
        return frozenset(_secrets(self.spec))


def _where(file: str, index: int, lines: Mapping[str, int], path: str) -> str:
    steps = path.split(".")
    known = (".".join(steps[:end]) for end in range(len(steps), -1, -1))
    line = next((lines[name] for name in known if name in lines), 1)
    return f"{file}:{line} (document {index})"


def _secrets(value: object) -> Iterable[str]:
    if isinstance(value, Secret):
        yield str(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _secrets(item)
    elif isinstance(value, list):
        for item in value:
            yield from _secrets(item)


class Wrong:
    """Gathers what is wrong with all documents, so that a person learns it at once."""

    def __init__(self) -> None:
        self._found: list[str] = []
        self._hidden: set[str] = set()

    def hide(self, document: Document) -> None:
        """Show no secret of a document in a message."""
        self._hidden |= {secret for secret in document.secrets() if secret}

    def add(self, place: str, path: str, message: str) -> None:
        """Note something at a place."""
        for secret in self._hidden:
            message = message.replace(secret, "********")
        self._found.append(f"{place} {path or '(document)'}: {message}")

    def at(self, document: Document, path: str, message: str) -> None:
        """Note something in a document; ``path`` is dotted."""
        self.add(document.where(path), path, message)

    def __bool__(self) -> bool:
        return bool(self._found)

    def finish(self) -> None:
        """Raise a failure that names everything, if there is anything."""
        if not self._found:
            return
        count = len(self._found)
        head = f"{count} thing{'s are' if count > 1 else ' is'} wrong, nothing was done:"
        raise Failure("\n".join([head, *(f"  {one}" for one in self._found)]), USAGE)


def read_documents(
    paths: Iterable[str], kinds: Iterable[str], environment: Mapping[str, str]
) -> list[Document]:
    """All documents of files and folders, in the order of their names.

    Args:
        paths: files, folders (their .yaml, .yml and .json files), ``-`` for standard input.
        kinds: those that the command takes.
        environment: where ``!env`` looks.

    Raises:
        Failure: names everything that is wrong with any of them.
    """
    wrong = Wrong()
    known = tuple(kinds)
    found: list[Document] = []
    for file, text, folder in _texts(paths, wrong):
        found += _parse(file, text, folder, environment, wrong)
    for document in found:
        if document.kind not in known:
            wrong.at(document, "kind", f"must be one of {', '.join(known)}")
    _refuse_twice(found, wrong)
    if not found and not wrong:
        wrong.add("-", "", "there is no document")
    wrong.finish()
    return found


def _refuse_twice(documents: list[Document], wrong: Wrong) -> None:
    first: dict[tuple[str, str, str], Document] = {}
    for document in documents:
        # Services of one name may be in several tenancies and regions.
        rest = "/".join(str(document.spec.get(part, "")) for part in ("tenancy", "region"))
        key = (document.kind, document.name, rest if document.kind == "Service" else "")
        other = first.setdefault(key, document)
        if other is not document:
            wrong.at(document, "name", f"is declared at {other.where('name')} already")


def _texts(paths: Iterable[str], wrong: Wrong) -> Iterable[tuple[str, str, Path]]:
    for path in paths:
        if path == "-":
            yield "-", sys.stdin.read(_LARGEST + 1), Path()
            continue
        files = [Path(path)]
        if files[0].is_dir():
            files = sorted(f for f in files[0].iterdir() if f.suffix in _ENDINGS and f.is_file())
            if not files:
                wrong.add(path, "", f"has no file that ends in {', '.join(_ENDINGS)}")
        for file in files:
            try:
                yield str(file), file.read_text("utf-8"), file.parent
            except OSError as error:
                wrong.add(str(file), "", str(error.strerror))
            except UnicodeDecodeError:
                wrong.add(str(file), "", "is not text")


def _parse(
    file: str, text: str, folder: Path, environment: Mapping[str, str], wrong: Wrong
) -> list[Document]:
    if len(text) > _LARGEST:
        wrong.add(file, "", "is too large")
        return []
    found = []
    loader = _loader(folder, environment)(text)
    try:
        index = 0
        while loader.check_node():
            node = loader.get_node()
            if node is None or _empty(node):
                continue
            index += 1
            made = _document(file, index, node, loader, folder, wrong)
            if made is not None:
                found.append(made)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        wrong.add(f"{file}:{line}", "", f"is no YAML: {error.problem}")
    except (yaml.YAMLError, RecursionError) as error:
        wrong.add(file, "", f"is no YAML: {type(error).__name__}")
    finally:
        loader.dispose()
    return found


def _empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _document(
    file: str,
    index: int,
    node: yaml.Node,
    loader: yaml.SafeLoader,
    folder: Path,
    wrong: Wrong,
) -> Document | None:
    lines: dict[str, int] = {}
    place = f"{file}:{node.start_mark.line + 1} (document {index})"
    if not isinstance(node, yaml.MappingNode):
        wrong.add(place, "", "must be a mapping with kind, name and spec")
        return None
    _walk(node, "", lines, lambda path, text: wrong.add(
        _where(file, index, lines, path), path, text
    ))  # fmt: skip
    try:
        value = loader.construct_document(node)
    except _Missing as error:
        wrong.add(f"{file}:{error.line} (document {index})", error.tag, error.message)
        return None
    before = bool(wrong)
    for name in value:
        if name not in _FIELDS:
            wrong.add(_where(file, index, lines, str(name)), str(name), "is not kind, name or spec")
    for name, kind, words in (("kind", str, "a text"), ("name", str, "a text"),
                              ("spec", dict, "a mapping")):  # fmt: skip
        if not isinstance(value.get(name), kind) or not value[name]:
            message = "is required" if value.get(name) in (None, "", {}) else f"must be {words}"
            wrong.add(_where(file, index, lines, name), name, message)
    if any(not isinstance(value.get(n), k) for n, k in (("kind", str), ("name", str))) or (
        not isinstance(value.get("spec"), dict)
        or (bool(wrong) and not before and not value["spec"])
    ):
        return None
    return Document(file, index, value["kind"], value["name"], value["spec"], folder, lines)


def _walk(
    node: yaml.Node, path: str, lines: dict[str, int], told: Callable[[str, str], None]
) -> None:
    """Note the line of every field, and every name that is given twice."""
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            inner = f"{path}.{name}" if path else name
            lines[inner] = key.start_mark.line + 1
            if name in seen and name != "<<":
                told(inner, "is given twice")
            seen.add(name)
            _walk(value, inner, lines, told)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            inner = f"{path}.{number}"
            lines[inner] = value.start_mark.line + 1
            _walk(value, inner, lines, told)


class _Missing(Exception):
    """A secret that is not there."""

    def __init__(self, line: int, tag: str, message: str) -> None:
        super().__init__(message)
        self.line, self.tag, self.message = line, tag, message


def _loader(folder: Path, environment: Mapping[str, str]) -> type[yaml.SafeLoader]:
    class Loader(yaml.SafeLoader):
        """YAML without times (the API reads them), with secrets from outside of the file."""

    Loader.yaml_implicit_resolvers = {
        first: [(tag, rule) for tag, rule in rules if tag != "tag:yaml.org,2002:timestamp"]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def from_environment(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Secret:
        name = str(loader.construct_scalar(node))
        if not environment.get(name):
            raise _Missing(node.start_mark.line + 1, "!env", f"{name} is not set")
        return Secret(environment[name])

    def from_file(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Secret:
        path = str(loader.construct_scalar(node))
        try:
            return Secret((folder / path).expanduser().read_text("utf-8").rstrip("\n"))
        except OSError as error:
            message = f"{path}: {error.strerror}"
        except UnicodeDecodeError:
            message = f"{path}: is not text"
        raise _Missing(node.start_mark.line + 1, "!file", message)

    Loader.add_constructor("!env", from_environment)
    Loader.add_constructor("!file", from_file)
    return Loader
