from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from control_plane.provisioning import content
from control_plane.provisioning.service import Provisioning
from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from foundation.kernel.paging import PageRequest
from tests.contract.provisioning.conftest import BLUEPRINTS, BUNDLED, PLATFORM, World, person

PROGRAM = """
import pulumi
import pulumi_kubernetes as k8s
config = pulumi.Config()
deployment = config.require_object("deployment")
inputs = config.require_object("inputs")
k8s.core.v1.ConfigMap("note", metadata={"labels": {"borough": deployment["id"]}},
                      data={"text": inputs["text"]})
pulumi.export("text", inputs["text"])
"""
DOCUMENT: dict[str, Any] = {
    "name": "note",
    "version": "1.0.0",
    "title": {"en": "Note", "zh": "便笺"},
    "description": {"en": "A note.", "zh": "一张便笺。"},
    "owner": "Test",
    "category": "compute",
    "kinds": ["kubernetes"],
    "scope": "region",
    "data_classes": ["public"],
    "inputs": {
        "type": "object",
        "required": ["text"],
        "properties": {"text": {"type": "string", "title": "Text", "x-zh": {"title": "文字"}}},
    },
    "outputs": {"type": "object", "properties": {}},
    "samples": [{"name": "short", "inputs": {"text": "hello"}}],
}


def folder(program: str = PROGRAM, **changed: Any) -> dict[str, bytes]:
    document = {**DOCUMENT, **changed}
    return {
        "blueprint.yaml": yaml.safe_dump(document, allow_unicode=True).encode(),
        "Pulumi.yaml": b"name: note\nruntime: python\n",
        "README.md": b"# Note\n",
        "__main__.py": program.encode(),
    }


@pytest.fixture
def service(empty: dict[str, Any]) -> Provisioning:
    found: Provisioning = empty["service"]
    return found


def fields(service: Provisioning, files: dict[str, bytes]) -> dict[str, str]:
    found = service.validate_blueprint(PLATFORM, files)
    assert not found.ok
    with pytest.raises(Invalid) as caught:
        service.publish(PLATFORM, files)
    assert caught.value.problems
    with pytest.raises(NotFound):
        service.find_revision(found.digest)
    return {p.field: p.message for p in found.problems}


def test_a_blueprint_is_published_once_under_its_digest(service: Provisioning) -> None:
    made = service.publish(PLATFORM, folder())
    assert made.digest == content.digest(folder())
    assert service.publish(PLATFORM, folder()) == made
    assert service.revision(PLATFORM, "note") == made
    assert [b.name for b in service.blueprints(PLATFORM, PageRequest()).items] == ["note"]


def test_a_version_stands_for_one_content(service: Provisioning) -> None:
    service.publish(PLATFORM, folder())
    other = folder(PROGRAM + "# other\n")
    with pytest.raises(Conflict, match="another content needs another version"):
        service.publish(PLATFORM, other)
    newer = service.publish(PLATFORM, folder(PROGRAM + "# other\n", version="1.10.0"))
    service.publish(PLATFORM, folder(version="1.9.0"))
    assert service.find_revision("note") == newer
    versions = [r.version for r in service.revisions(PLATFORM, "note", PageRequest(limit=2)).items]
    assert versions == ["1.10.0", "1.9.0"]
    second = service.revisions(PLATFORM, "note", PageRequest(limit=2))
    rest = service.revisions(PLATFORM, "note", PageRequest(second.next, 2))
    assert [r.version for r in rest.items] == ["1.0.0"]


def test_ten_at_once_publish_one_revision(service: Provisioning) -> None:
    with ThreadPoolExecutor(10) as pool:
        made = list(pool.map(lambda _: service.publish(PLATFORM, folder()), range(10)))
    assert len({r.digest for r in made}) == 1
    assert len({r.published_at for r in made}) == 1
    assert len(service.revisions(PLATFORM, "note", PageRequest()).items) == 1


def test_every_mistake_in_the_document_is_named(service: Provisioning) -> None:
    wrong = fields(service, folder(version="1.0", colour="red", kinds=["moon"], samples=[]))
    assert set(wrong) == {
        "blueprint.yaml.version",
        "blueprint.yaml.colour",
        "blueprint.yaml.kinds.0",
        "blueprint.yaml.samples",
    }


@pytest.mark.parametrize(
    ("kinds", "field"),
    [
        ({"any_of": ["kubernetes", "moon"]}, "kinds.any_of.1"),
        ({"any_of": ["kubernetes"]}, "kinds.any_of"),
        ({"all_of": ["kubernetes"]}, "kinds.all_of"),
        ({}, "kinds.any_of"),
        ([], "kinds"),
        ("kubernetes", "kinds"),
    ],
)
def test_kinds_that_say_nothing_are_refused(
    service: Provisioning, kinds: object, field: str
) -> None:
    wrong = fields(service, folder(kinds=kinds))
    assert f"blueprint.yaml.{field}" in wrong


def test_what_is_missing_is_named(service: Provisioning) -> None:
    assert set(fields(service, {"a.txt": b"x"})) == {
        "blueprint.yaml",
        "Pulumi.yaml",
        "README.md",
        "__main__.py",
    }


def test_a_document_that_unfolds_without_bound_is_refused(service: Provisioning) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    for name in ("blueprint.yaml", "Pulumi.yaml"):
        found = service.validate_blueprint(PLATFORM, {**folder(), name: "\n".join(lines).encode()})
        assert name in [problem.field for problem in found.problems]
    large = service.validate_blueprint(
        PLATFORM, {**folder(), "blueprint.yaml": b"# " + b"x" * 300_000}
    )
    assert "KiB" in str(large.problems)


def test_samples_titles_and_secret_inputs_are_checked(service: Provisioning) -> None:
    inputs = {
        "type": "object",
        "properties": {"text": {"type": "string", "x-secret": True}, "n": {"default": 1}},
    }
    wrong = fields(service, folder(inputs=inputs, samples=[{"name": "x", "inputs": {"text": 1}}]))
    assert set(wrong) == {
        "blueprint.yaml.inputs.properties.text.title",
        "blueprint.yaml.inputs.properties.text.x-zh.title",
        "blueprint.yaml.inputs.properties.text.x-secret",
        "blueprint.yaml.inputs.properties.n.title",
        "blueprint.yaml.inputs.properties.n.x-zh.title",
        "blueprint.yaml.samples.0.inputs.text",
    }


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("raise ValueError('no such thing')", "no such thing"),
        ("import sys; sys.exit(3)", ""),
        ("import os\nos.fork()", ""),
        ("x = [0] * 10**10", ""),
    ],
)
def test_a_program_that_misbehaves_costs_only_its_own_publication(
    service: Provisioning, program: str, says: str
) -> None:
    wrong = fields(service, folder(program))
    assert set(wrong) == {"samples.0"}
    assert says in wrong["samples.0"]
    assert service.publish(PLATFORM, folder()).version == "1.0.0"


def test_policies_and_the_search_for_secrets_forbid_publishing(service: Provisioning) -> None:
    unmarked = PROGRAM.replace('metadata={"labels": {"borough": deployment["id"]}},', "")
    found = service.validate_blueprint(PLATFORM, folder(unmarked))
    severe = [f.policy for f in found.findings if f.severity == "mandatory"]
    assert severe == ["tags.deployment"]
    with pytest.raises(Invalid, match="deployment's id"):
        service.publish(PLATFORM, folder(unmarked))
    leaked = PROGRAM + "KEY = '" + "AKIA" + "IOSFODNN7EXAMPLE" + "'\n"
    wrong = fields(service, folder(leaked))
    assert list(wrong.values()) == ["looks like an AWS access key"]


def test_who_may_publish_and_who_may_look(service: Provisioning) -> None:
    for role in ("member", "approver", "finance"):
        with pytest.raises(Forbidden):
            service.publish(person(role), folder())
    service.publish(person("operator"), folder())
    assert service.revision(person("member", "/city/"), "note").version == "1.0.0"
    assert service.validate_blueprint(person("member", "/"), folder()).ok


def test_bundled_blueprints_are_published_at_every_start(service: Provisioning) -> None:
    """Each of the release whole: a platform's start relies on it and runs no sample again."""
    every = sorted(p.parent for p in BLUEPRINTS.glob("*/blueprint.yaml"))
    first = service.publish_bundled(every[::-1])
    assert sorted(r.blueprint for r in first) == [folder.name for folder in every]
    again = service.publish_bundled(every, tried=True)
    assert {r.digest for r in again} == {r.digest for r in first}


def test_a_start_that_runs_no_sample_publishes_the_same(service: Provisioning) -> None:
    found = service.publish_bundled(BUNDLED, tried=True)
    assert [r.blueprint for r in found] == ["tenancy", "web-application"]
    assert service.revision(PLATFORM, "tenancy").digest == found[0].digest


def test_a_blueprint_for_tenancies_needs_the_blueprint_of_tenancies(service: Provisioning) -> None:
    with pytest.raises(Conflict, match="tenancy"):
        service.validate_blueprint(PLATFORM, folder(scope="tenancy"))


def test_content_that_was_tampered_with_in_the_database_does_not_run(world: World) -> None:
    evil = content.pack({**content.read_folder(BUNDLED[1]), "__main__.py": b"print('evil')\n"})
    with world.database.transaction():
        world.database.execute(
            sa.text("UPDATE provisioning_revision SET archive = :a WHERE blueprint = :b"),
            {"a": evil, "b": "web-application"},
        )
    with pytest.raises(Invalid, match="digest"):
        world.plan()
