"""Reads a folder of playbooks: ``catalogue.yaml`` and the argument specs of the roles.

Ansible's argument specs (https://docs.ansible.com/ansible/latest/playbook_guide/
playbooks_reuse_roles.html#specification-format) become a JSON Schema, so that inputs are checked
and forms are drawn as those of blueprints are; the catalogue adds what they have no word for.
Ansible checks the same specs once more when the role begins.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from control_plane.provisioning.inputs import checked, schema_problems
from control_plane.provisioning.playbooks.model import Playbook
from foundation.kernel import yaml_text
from foundation.kernel.errors import Collector, Invalid, Problem
from foundation.kernel.text import Text

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_ROLE = re.compile(r"[a-z][a-z0-9_]*")
_LONGEST_TEXT = 10_000
_MOST_ENTRIES = 1000
_TYPES: Mapping[str, Mapping[str, Any]] = {
    "str": {"type": "string", "maxLength": _LONGEST_TEXT},
    "path": {"type": "string", "maxLength": 500},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "list": {"type": "array", "maxItems": _MOST_ENTRIES},
    "dict": {"type": "object"},
    "raw": {},
}
_SKIPPED = {"__pycache__", ".ansible"}
#: What stands here for reading by people, and changes nothing of what is run.
_UNCOUNTED = {"README.md", ".ansible-lint", "ansible.cfg"}


class Catalogue:
    """The playbooks of a folder; implements ``Playbooks``. It is read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def all(self) -> Mapping[str, Playbook]:
        """See the port.

        Raises:
            Invalid: names everything that is wrong in the folder.
        """
        return self._all

    def problems_of(self, named: Sequence[Any]) -> list[Problem]:
        """What is wrong with the playbooks that a blueprint names, each a name or name and inputs.

        No person is there after an apply, so what needs a secret cannot be named.
        """
        problems = []
        for index, each in enumerate(named):
            field = f"blueprint.yaml.playbooks.{index}"
            name = each if isinstance(each, str) else each["name"]
            inputs = {} if isinstance(each, str) else each.get("inputs", {})
            found = self.all().get(name)
            if found is None:
                problems.append(Problem(field, f"{name} is not a playbook", "unknown"))
                continue
            try:
                checked(found.schema, inputs, f"{field}.inputs")
            except Invalid as error:
                problems.extend(error.problems)
            problems.extend(
                Problem(f"{field}.inputs.{secret}", "is a secret and cannot stand in a blueprint")
                for secret in sorted(found.secrets & inputs.keys())
            )
        return problems

    @cached_property
    def _all(self) -> Mapping[str, Playbook]:
        said = yaml_text.read((self.folder / "catalogue.yaml").read_text("utf-8"))
        digest = content_digest(self.folder)
        found, problems = {}, Collector()
        for name, each in said["playbooks"].items():
            try:
                found[name] = _playbook(self.folder, name, each, digest)
            except Invalid as error:
                problems.include(error, f"playbooks.{name}")
        problems.finish()
        return dict(sorted(found.items()))


def content_digest(folder: Path) -> str:
    """``sha256:…`` over each file that a run reads and its path, sorted by path."""
    total = hashlib.sha256(b"borough playbooks 1\n")
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if not path.is_file() or _SKIPPED.intersection(relative.parts):
            continue
        if relative.as_posix() in _UNCOUNTED:
            continue
        name, data = relative.as_posix().encode(), path.read_bytes()
        total.update(len(name).to_bytes(8) + name + len(data).to_bytes(8) + data)
    return "sha256:" + total.hexdigest()


def _playbook(folder: Path, name: str, said: Mapping[str, Any], digest: str) -> Playbook:
    found = Collector()
    found.check(_NAME.fullmatch(name), "name", "does not have the form of a name")
    found.check((folder / f"{name}.yml").is_file(), "name", f"there is no {name}.yml")
    roles = tuple(said["roles"])
    for index, role in enumerate(roles):
        found.check(_ROLE.fullmatch(role), f"roles.{index}", "is not a name of a role")
    found.finish()
    specs = _specs(folder, roles)
    properties = {short: _schema(short, spec) for short, (_, spec) in specs.items()}
    more = said.get("inputs", {})
    for short, extra in more.items():
        if found.check(short in properties, f"inputs.{short}", "is not an option of its roles"):
            properties[short] = _merged(properties[short], extra)
    for order, short in enumerate([*more, *(p for p in properties if p not in more)]):
        if short in properties:
            properties[short]["x-order"] = order
    schema = {
        "type": "object", "additionalProperties": False, "properties": properties,
        "required": [short for short, (_, spec) in specs.items() if spec.get("required")],
    }  # fmt: skip
    found.problems.extend(schema_problems(schema, "inputs"))
    found.finish()
    return Playbook(
        name=name,
        title=Text(said["title"]["en"], said["title"]["zh"]),
        description=Text(said["description"]["en"], said["description"]["zh"]),
        roles=roles,
        schema=schema,
        variables={short: option for short, (option, _) in specs.items()},
        secrets=frozenset(n for n, p in properties.items() if p.get("x-secret")),
        approval=bool(said.get("approval", False)),
        report=bool(said.get("report", False)),
        waves=tuple(said.get("waves", ("rest",))),
        digest=digest,
    )


def _specs(folder: Path, roles: Sequence[str]) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """By the name of each input: Ansible's name, and its spec."""
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for index, role in enumerate(roles):
        for option, spec in _options(folder, role).items():
            found[option.removeprefix(f"{role}_") if index == 0 else option] = (option, spec)
    return found


def _options(folder: Path, role: str) -> dict[str, Any]:
    path = folder / "roles" / role / "meta" / "argument_specs.yml"
    read = yaml_text.read(path.read_text("utf-8"))
    found: dict[str, Any] = read["argument_specs"]["main"].get("options", {})
    return found


def _schema(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """JSON Schema of one option of an argument spec."""
    kind = spec.get("type", "str")
    schema: dict[str, Any] = dict(_TYPES.get(kind, _TYPES["str"]))
    if kind == "list":
        inner = {"type": spec.get("elements", "raw"), "options": spec.get("options")}
        schema["items"] = _schema("", inner)
    if kind == "dict" and spec.get("options"):
        options: Mapping[str, Any] = spec["options"]
        schema |= {
            "properties": {n: _schema(n, s) for n, s in options.items()},
            "required": [n for n, s in options.items() if s.get("required")],
            "additionalProperties": False,
        }
    if "choices" in spec:
        schema["enum"] = list(spec["choices"])
    if "default" in spec:
        schema["default"] = spec["default"]
    if spec.get("required") and kind in {"str", "path"}:
        schema["minLength"] = 1
    if spec.get("no_log"):
        schema |= {"x-secret": True, "x-widget": "password"}
    if name:
        schema["title"] = _title(name)
        schema["description"] = " ".join(_lines(spec.get("description", "")))
    return schema


_SPELLED = {"url": "URL", "ca": "CA", "sha256": "SHA-256", "tls": "TLS", "mb": "(MB)"}


def _title(name: str) -> str:
    words = [_SPELLED.get(word, word) for word in name.split("_")]
    return words[0][:1].upper() + " ".join(words)[1:]


def _lines(text: Any) -> Iterator[str]:  # noqa: ANN401 - a text or a list of them
    yield from ([text] if isinstance(text, str) else map(str, text))


def _merged(schema: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with what the catalogue adds, also within lists and objects."""
    merged = dict(schema)
    for key, value in extra.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = _merged(below, value)
        else:
            merged[key] = value
    return merged
