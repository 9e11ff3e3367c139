"""Use cases of blueprints: look at them, try them, publish them."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from control_plane.provisioning import content as contents
from control_plane.provisioning.compatibility import (
    document_changes,
    lowest_version,
    version_key,
)
from control_plane.provisioning.content import Content
from control_plane.provisioning.graph import Graph, Json
from control_plane.provisioning.inputs import checked, schema_problems
from control_plane.provisioning.model import (
    DATA_CLASSES,
    TENANCY_BLUEPRINT,
    Blueprint,
    EngineKind,
    Finding,
    Revision,
    Severity,
)
from control_plane.provisioning.policies.model import Holder, Subject
from control_plane.provisioning.ports import (
    DeploymentContext,
    Engine,
    EngineError,
    Program,
    ProgramError,
    RegionAccess,
    Run,
    StackRef,
)
from control_plane.provisioning.service.core import Core, Place, pending_place
from foundation.access import policy
from foundation.kernel import yaml_text
from foundation.kernel.actor import Actor
from foundation.kernel.canonical import plain
from foundation.kernel.errors import Conflict, Invalid, NotFound, Problem
from foundation.kernel.paging import Page, PageRequest, everything

Judge = Callable[[Subject], Iterable[Finding]]
_FILES = ("blueprint.yaml", "Pulumi.yaml", "__main__.py", "README.md")
#: The reader takes seconds for a megabyte.
_MOST_YAML = 256 * 1024
_SAMPLE_ID = "dep_sample00000000000000000000000"
_SIZES = {"s": (1, 2), "m": (2, 4), "l": (4, 8), "xl": (8, 16)}


@dataclass(frozen=True, slots=True)
class Sample:
    """How a program did with one sample.

    Attributes:
        resources: how many it declares.
        graph: all that it declares.
    """

    name: str
    resources: int
    graph: Graph = field(repr=False)


@dataclass(frozen=True, slots=True)
class Validation:
    """What publishing would say of a folder.

    Attributes:
        problems: every mistake; none may be left.
        findings: of the policies, over all samples; mandatory ones forbid publishing.
        samples: those that could be tried.
    """

    digest: str
    name: str
    version: str
    document: Mapping[str, Any]
    problems: tuple[Problem, ...]
    findings: tuple[Finding, ...]
    samples: tuple[Sample, ...]

    @property
    def ok(self) -> bool:
        """Whether it may be published."""
        return not self.problems and not any(
            f.severity is Severity.MANDATORY for f in self.findings
        )


class Blueprints(Core):
    """What can be deployed."""

    def validate_blueprint(self, actor: Actor, content: Content) -> Validation:
        """Look at a blueprint's files and try its program; nothing is kept.

        Raises:
            Invalid: the files cannot be a blueprint at all (paths, size).
        """
        policy.require(actor, "blueprint.validate", policy.ROOT)
        return self._validate(contents.check(content), self._with.policies.judge)

    def publish(self, actor: Actor, content: Content) -> Revision:
        """Keep a blueprint for ever under the digest of its content.

        The same content again answers the revision that is there.

        Raises:
            Invalid: names everything that validation found.
            Conflict: the version stands for another content.
        """
        policy.require(actor, "blueprint.publish", policy.ROOT)
        return self._publish(actor, content, self._with.policies.judge)

    def _publish(
        self, actor: Actor, content: Content, judge: Judge, *, tried: bool = False
    ) -> Revision:
        files = contents.check(content)
        digest = contents.digest(files)
        with self._db.transaction():
            there = self._store.revision(digest)
        if there is not None:
            return there
        found = self._validate(files, judge, tried=tried)
        if not found.ok:
            reasons = _reasons(found)
            listed = "; ".join(f"{p.field}: {p.message}" for p in reasons)
            raise Invalid(reasons, f"the blueprint cannot be published: {listed}")
        return self._keep(actor, found, files)

    def _keep(self, actor: Actor, found: Validation, files: Content) -> Revision:
        revision = Revision(
            found.digest, found.name, found.version, plain(found.document), self._clock.now(),
            actor.id,
        )  # fmt: skip
        with self._db.transaction():
            if self._store.add_revision(revision, contents.pack(files)):
                details = {"blueprint": found.name, "version": found.version}
                self._note(actor, "blueprint.publish", found.digest, policy.ROOT, details)
                return revision
            there = self._store.revision(found.digest)
        if there is None:
            raise Conflict(
                f"{found.name} {found.version} is published with another content; "
                "another content needs another version",
            )
        return there

    def publish_bundled(self, folders: Iterable[Path], *, tried: bool = False) -> list[Revision]:
        """Publish blueprints that come with the platform; those that are known stay as they are.

        They are held to the bundled packs: a pack of the city's own never keeps the platform from
        starting, and plans are held to it anyway.

        Args:
            folders: of the blueprints.
            tried: they are those of the release itself: its tests have published each of them
                whole, and its start does not run their samples again.

        Raises:
            Invalid: one of them cannot be published.
            Conflict: a bundled version's content differs from the published one.
        """
        actor = Actor.system("bundled-blueprints")
        files = [contents.read_folder(folder) for folder in folders]
        # The tenancy's outputs are what the samples of the others run with.
        files.sort(key=lambda f: f"name: {TENANCY_BLUEPRINT}\n".encode() not in f["blueprint.yaml"])
        judge = self._with.policies.judge_bundled
        return [self._publish(actor, each, judge, tried=tried) for each in files]

    def blueprints(self, actor: Actor, request: PageRequest) -> Page[Blueprint]:
        """The newest version of each blueprint, by name."""
        policy.require(actor, "blueprint.view", policy.ROOT)
        with self._db.transaction():
            return self._store.blueprints(request)

    def revisions(self, actor: Actor, blueprint: str, request: PageRequest) -> Page[Revision]:
        """All versions of a blueprint, the highest first.

        Raises:
            NotFound: no such blueprint.
        """
        policy.require(actor, "blueprint.view", policy.ROOT)
        with self._db.transaction():
            if self._store.revision_of(blueprint, None) is None:
                raise NotFound(f"there is no blueprint {blueprint}")
            return self._store.revisions(blueprint, request)

    def revision(self, actor: Actor, reference: str, version: str | None = None) -> Revision:
        """A revision by digest, or by the blueprint's name and version (None: the highest).

        Raises:
            NotFound: there is none.
        """
        policy.require(actor, "blueprint.view", policy.ROOT)
        return self.find_revision(reference, version)

    def find_revision(self, reference: str, version: str | None = None) -> Revision:
        """The same for features above; they have authorised."""
        with self._db.transaction():
            if reference.startswith("sha256:"):
                return self._revision(reference)
            found = self._store.revision_of(reference, version)
        if found is None:
            raise NotFound(f"there is no blueprint {' '.join(filter(None, (reference, version)))}")
        return found

    def _validate(self, files: Content, judge: Judge, *, tried: bool = False) -> Validation:
        digest = contents.digest(files)
        problems = [Problem(name, "is missing") for name in _FILES if name not in files]
        problems.extend(contents.secrets_in(files))
        document = _read_document(files, problems)
        name, version = str(document.get("name", "")), str(document.get("version", ""))
        wrong = _document_problems(document, files)
        problems.extend(wrong or self._version_problems(document))
        if not wrong:
            problems.extend(self._with.playbooks(document.get("playbooks", ())))
        samples: list[Sample] = []
        if not problems and not tried:
            self._try_samples(digest, document, files, problems, samples)
        findings = {f for each in samples for f in judge(sample_subject(each.graph, document))}
        unique = sorted(findings, key=lambda f: (f.severity != "mandatory", f.policy, f.subject))
        return Validation(
            digest, name, version, document, tuple(problems), tuple(unique), tuple(samples)
        )

    @staticmethod
    def name_of(content: Content) -> str:
        """What a blueprint's files call it; empty when they cannot be read. For features above."""
        return str(_read_document(content, []).get("name", ""))

    def predecessor(self, blueprint: str, version: str) -> Revision | None:
        """The published revision with the highest version below another; for features above."""
        with self._db.transaction():
            for each in everything(partial(self._store.revisions, blueprint)):
                if version_key(each.version) < version_key(version):
                    return each
        return None

    def _version_problems(self, document: Mapping[str, Any]) -> list[Problem]:
        """A change that breaks what its predecessor took needs a higher first number."""
        if not document:
            return []
        name, version = document["name"], document["version"]
        before = self.predecessor(name, version)
        if before is None:
            return []
        least = lowest_version(before.version)
        if version_key(version) >= version_key(least):
            return []
        return [
            Problem(
                f"blueprint.yaml.{change.part.value}.{change.name}",
                f"{change.message.en} That breaks what {before.version} promised: publish it as "
                f"{least} or higher",
                "breaking",
            )
            for change in document_changes(before.document, document)
            if change.breaking
        ]

    def _try_samples(
        self,
        digest: str,
        document: Mapping[str, Any],
        files: Content,
        problems: list[Problem],
        samples: list[Sample],
    ) -> None:
        self._db.assert_no_transaction()
        place = self._sample_place(document)
        folder = contents.materialise(files, digest, self._with.cache)
        for index, sample in enumerate(document["samples"]):
            run = self._sample_run(digest, document, folder, sample["inputs"], place)
            try:
                graph = self._any_engine().evaluate(run)
            except (ProgramError, EngineError) as error:
                text = "\n".join(
                    filter(None, (error.message, str(error.details.get("output", ""))))
                )
                problems.append(Problem(f"samples.{index}", text, error.code))
                continue
            samples.append(Sample(sample["name"], len(graph.resources), graph))

    def _any_engine(self) -> Engine:
        """Engines evaluate alike; the embedded one needs nothing else."""
        kinds = [EngineKind.EMBEDDED, EngineKind.PULUMI]
        return self._engine(next((k for k in kinds if k in self._with.engines), kinds[0]))

    def _sample_place(self, document: Mapping[str, Any]) -> Place:
        if document.get("scope", "tenancy") != "tenancy":
            return Place()
        with self._db.transaction():
            landing = self._store.revision_of(TENANCY_BLUEPRINT, None)
        if landing is None:
            raise Conflict("publish the tenancy blueprint first: this one goes into tenancies")
        return pending_place(landing)

    def _sample_run(
        self,
        digest: str,
        document: Mapping[str, Any],
        folder: Path,
        inputs: Mapping[str, Any],
        place: Place,
    ) -> Run:
        name = document["name"]
        return Run(
            stack=StackRef(_SAMPLE_ID, name, _SAMPLE_ID),
            program=Program(folder, digest),
            inputs=checked(document["inputs"], inputs),
            region=sample_region(),
            deployment=DeploymentContext(
                _SAMPLE_ID, "sample", "sample", {}, "sample-" * 6, place.outputs, place.secrets
            ),
            limits=self._with.limits,
        )


def sample_subject(graph: Graph, document: Mapping[str, Any], data_class: str = "") -> Subject:
    """What policies look at of a sample; its region may keep everything."""
    return Subject(
        graph,
        Holder(deployment=_SAMPLE_ID, data_class=data_class),
        sample_region().config,
        frozenset(DATA_CLASSES),
        frozenset(document["data_classes"]),
    )


def sample_region() -> RegionAccess:
    """A made-up region of both kinds, for trying programs."""
    flavors: dict[str, Json] = {
        spelled: {"id": f"flavor-{size}", "vcpus": cpus, "ram_gb": ram, "ram_mb": ram * 1024,
                  "disk_gb": 20}
        for size, (cpus, ram) in _SIZES.items()
        for spelled in (size, size.upper())
    }  # fmt: skip
    openstack: dict[str, Json] = {
        "auth_url": "https://identity.region.example/v3",
        "region_name": "sample",
        "domain": "Default",
        "external_network_id": "sample-external",
        "external_network_name": "external",
        "images": {"default": "sample-image"},
        "flavors": flavors,
        "volume_type": "standard",
        "volume_types": {"standard": "standard", "fast": "fast"},
        "object_storage": {
            "s3_url": "https://objects.region.example",
            "policies": {"standard": "standard", "archive": "archive"},
        },
        "bare_servers": {
            model: {"id": f"bare-{model}", "cores": 64, "memory_gb": 512, "registered": 100}
            for model in ("general", "storage")
        },
        "roles": {"member": "role-member", "load-balancer_member": "role-balancer"},
    }
    return RegionAccess(
        "reg_sample",
        frozenset({"openstack", "kubernetes"}),
        {
            "openstack": openstack,
            "kubernetes": {"storage_class": "standard", "load_balancers": True},
        },
        {
            "openstack": {
                "user_name": "sample", "password": "sample-password", "project_name": "sample",
            },
            "kubernetes": {"kubeconfig": "sample-kubeconfig"},
        },
    )  # fmt: skip


@cache
def document_schema() -> dict[str, Any]:
    """JSON Schema of blueprint.yaml."""
    package = resources.files("control_plane.provisioning")
    found: dict[str, Any] = json.loads(package.joinpath("blueprint.schema.json").read_text("utf-8"))
    return found


def _read_yaml(data: bytes) -> Any:  # noqa: ANN401 - outside data
    if len(data) > _MOST_YAML:
        raise ValueError(f"is larger than {_MOST_YAML >> 10} KiB")
    return yaml_text.read_strangers(data.decode())


def _read_document(files: Content, problems: list[Problem]) -> dict[str, Any]:
    if "blueprint.yaml" not in files:
        return {}
    try:
        read = _read_yaml(files["blueprint.yaml"])
        document = json.loads(json.dumps(read))
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, ValueError, RecursionError) as error:
        problems.append(Problem("blueprint.yaml", f"cannot be read: {error}"))
        return {}
    if not isinstance(document, dict):
        problems.append(Problem("blueprint.yaml", "must be an object"))
        return {}
    return document


def _document_problems(document: Mapping[str, Any], files: Content) -> list[Problem]:
    if not document:
        return []
    try:
        checked(document_schema(), document, "blueprint.yaml")
    except Invalid as error:
        return list(error.problems)
    problems = [
        *schema_problems(document["inputs"], "blueprint.yaml.inputs"),
        *schema_problems(document["outputs"], "blueprint.yaml.outputs"),
    ]
    if problems:
        return problems
    return [
        *_title_problems(document),
        *_reference_problems(document),
        *_sample_problems(document),
        *_project_problems(document, files),
    ]


def _title_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    for part in ("inputs", "outputs"):
        for name, schema in document[part].get("properties", {}).items():
            field = f"blueprint.yaml.{part}.properties.{name}"
            if not schema.get("title"):
                yield Problem(f"{field}.title", "is required")
            chinese = schema.get("x-zh")
            if not (isinstance(chinese, Mapping) and chinese.get("title")):
                yield Problem(f"{field}.x-zh.title", "is required")
            if part == "inputs" and schema.get("x-secret"):
                yield Problem(
                    f"{field}.x-secret",
                    "inputs are never secret; derive secrets from the deployment's seed",
                )


def _reference_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Outputs that do not exist."""
    outputs = set(document["outputs"].get("properties", {}))
    for index, each in enumerate(document.get("health_checks", [])):
        if each["output"] not in outputs:
            field = f"blueprint.yaml.health_checks.{index}.output"
            yield Problem(field, f"{each['output']} is not an output")


def _sample_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    for index, sample in enumerate(document["samples"]):
        try:
            checked(document["inputs"], sample["inputs"], f"blueprint.yaml.samples.{index}.inputs")
        except Invalid as error:
            yield from error.problems


def _project_problems(document: Mapping[str, Any], files: Content) -> Iterator[Problem]:
    try:
        project = _read_yaml(files["Pulumi.yaml"])
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, ValueError, RecursionError):
        yield Problem("Pulumi.yaml", "cannot be read")
        return
    if not isinstance(project, Mapping) or project.get("name") != document["name"]:
        yield Problem("Pulumi.yaml", f"must name the project {document['name']}")
    runtime = project.get("runtime") if isinstance(project, Mapping) else None
    name = runtime.get("name") if isinstance(runtime, Mapping) else runtime
    if name != "python":
        yield Problem("Pulumi.yaml", "must have the runtime python")


def _reasons(found: Validation) -> list[Problem]:
    return [
        *found.problems,
        *(
            Problem(f.subject or f.policy, f.message.en, f.policy)
            for f in found.findings
            if f.severity is Severity.MANDATORY
        ),
    ]
