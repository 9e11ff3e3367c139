"""The bundled playbooks: their inputs as schemas, and what they may be made of."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from control_plane.provisioning.inputs import checked
from control_plane.provisioning.playbooks.catalogue import Catalogue, content_digest
from control_plane.provisioning.playbooks.model import Playbook
from foundation.kernel.errors import Invalid

FOLDER = Path(__file__).parents[3] / "playbooks"
BUNDLED = Catalogue(FOLDER)


@pytest.fixture(params=sorted(BUNDLED.all()))
def playbook(request: pytest.FixtureRequest) -> Playbook:
    return BUNDLED.all()[request.param]


def test_the_city_has_what_it_needs_on_day_two() -> None:
    assert sorted(BUNDLED.all()) == [
        "application-deployment", "base-hardening", "certificate-renewal", "log-shipping",
        "patching", "postgresql-backup", "postgresql-restore", "user-access",
    ]  # fmt: skip
    assert {p.name for p in BUNDLED.all().values() if p.approval} == {
        "patching",
        "postgresql-restore",
    }
    assert BUNDLED.all()["postgresql-backup"].secrets == {"password"}
    assert BUNDLED.all()["certificate-renewal"].variables["private_key"] == (
        "certificate_renewal_private_key"
    )
    assert "health_gate_url" in BUNDLED.all()["patching"].variables


def test_every_input_has_both_languages_and_a_bound(playbook: Playbook) -> None:
    for name, rule in playbook.schema["properties"].items():
        assert rule["title"], name
        assert rule["description"], name
        assert rule["x-zh"]["title"], name
        assert rule["x-zh"]["description"], name
        if rule.get("type") == "string" and "enum" not in rule:
            assert "maxLength" in rule or "pattern" in rule, name
        if rule.get("type") == "integer":
            assert {"minimum", "maximum"} <= rule.keys(), name


def test_every_task_is_of_the_builtin_collection(playbook: Playbook) -> None:
    words = {
        "name", "when", "loop", "loop_control", "vars", "register", "notify", "block", "rescue",
        "always", "no_log", "changed_when", "failed_when", "check_mode", "environment", "until",
        "retries", "delay", "ignore_errors",
    }  # fmt: skip

    def modules(tasks: list[dict[str, Any]]) -> set[str]:
        found: set[str] = set()
        for task in tasks:
            for part in ("block", "rescue", "always"):
                found |= modules(task.get(part, []))
            found |= task.keys() - words
        return found

    for role in playbook.roles:
        for path in (FOLDER / "roles" / role).glob("*/*.yml"):
            if path.parent.name in {"tasks", "handlers"}:
                for module in modules(yaml.safe_load(path.read_text())):
                    assert re.fullmatch(r"ansible\.builtin\.[a-z_]+", module), (path, module)


def test_secrets_are_hidden_by_the_task_that_writes_them() -> None:
    for path in FOLDER.glob("roles/*/tasks/*.yml"):
        specs = yaml.safe_load((path.parents[1] / "meta" / "argument_specs.yml").read_text())
        options = specs["argument_specs"]["main"].get("options", {})
        secret = [name for name, spec in options.items() if spec.get("no_log")]
        for task in yaml.safe_load(path.read_text()):
            for each in [*task.get("block", []), task] if "block" in task else [task]:
                arguments = {k: v for k, v in each.items() if k.startswith("ansible.builtin")}
                if any(name in str(arguments) for name in secret) and "block" not in each:
                    assert each.get("no_log") is True, (path, each["name"])


def test_every_wrong_field_is_named() -> None:
    schema = BUNDLED.all()["user-access"].schema
    wrong = {
        "users": [{"name": "Li Ming", "keys": ["no key"], "sudo": "yes"}, {"keys": []}],
        "removed": ["root; id"],
        "other": 1,
    }
    with pytest.raises(Invalid) as caught:
        checked(schema, wrong)
    assert {p.field for p in caught.value.problems} == {
        "inputs.users.0.name", "inputs.users.0.keys.0", "inputs.users.0.sudo",
        "inputs.users.1.name", "inputs.removed.0", "inputs.other",
    }  # fmt: skip
    with pytest.raises(Invalid) as caught:
        checked(BUNDLED.all()["postgresql-backup"].schema, {"port": 0, "host": "-h x"})
    assert {p.field for p in caught.value.problems} == {
        "inputs.database", "inputs.host", "inputs.port",
    }  # fmt: skip


def test_a_blueprint_names_what_is_there_and_no_secret() -> None:
    problems = BUNDLED.problems_of(
        [
            "base-hardening",
            {"name": "log-shipping", "inputs": {"host": "logs.example"}},
            "nonesuch",
            {"name": "log-shipping", "inputs": {"port": 0}},
            {"name": "postgresql-backup", "inputs": {"database": "app", "password": "x"}},
        ]
    )
    assert [p.field for p in problems] == [
        "blueprint.yaml.playbooks.2",
        "blueprint.yaml.playbooks.3.inputs.host",
        "blueprint.yaml.playbooks.3.inputs.port",
        "blueprint.yaml.playbooks.4.inputs.password",
    ]


def test_the_digest_is_of_what_runs(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("a")
    before = content_digest(tmp_path)
    (tmp_path / "README.md").write_text("words for people")
    assert content_digest(tmp_path) == before
    (tmp_path / "a.yml").write_text("b")
    assert content_digest(tmp_path) != before


def test_a_folder_that_is_wrong_says_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "roles" / "one" / "meta").mkdir(parents=True)
    (tmp_path / "roles" / "one" / "meta" / "argument_specs.yml").write_text(
        "argument_specs: {main: {options: {one_x: {type: int, default: no number}}}}"
    )
    (tmp_path / "catalogue.yaml").write_text(
        "playbooks: {one: {roles: [one], title: {en: a, zh: b}, description: {en: a, zh: b}, "
        "inputs: {y: {maxLength: 3}}}}"
    )
    with pytest.raises(Invalid) as caught:
        Catalogue(tmp_path).all()
    fields = {p.field for p in caught.value.problems}
    assert fields == {"playbooks.one.name"}
    (tmp_path / "one.yml").write_text("- hosts: servers")
    with pytest.raises(Invalid) as caught:
        Catalogue(tmp_path).all()
    fields = {p.field for p in caught.value.problems}
    assert fields == {"playbooks.one.inputs.y", "playbooks.one.inputs.properties.x.default"}
