"""The use case of trying policies on a blueprint that nobody has published."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from control_plane.provisioning import content as contents
from control_plane.provisioning.content import Content
from control_plane.provisioning.graph import Graph
from control_plane.provisioning.model import DATA_CLASSES, Finding, Region
from control_plane.provisioning.policies.model import Holder
from control_plane.provisioning.ports import RegionAccess
from control_plane.provisioning.service.blueprints import (
    Blueprints,
    Validation,
    sample_region,
    sample_subject,
)
from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector, Problem


@dataclass(frozen=True, slots=True)
class PolicyTry:
    """What the policies say of one sample with data of one class."""

    sample: str
    data_class: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class PolicyTest:
    """What the policies say of a blueprint.

    Attributes:
        problems: what is wrong with the blueprint itself; then nothing was tried.
    """

    name: str
    version: str
    problems: tuple[Problem, ...]
    tries: tuple[PolicyTry, ...]

    @property
    def blocked(self) -> bool:
        """Whether something would forbid approval, or the blueprint is wrong."""
        return bool(self.problems) or any(f.blocks for t in self.tries for f in t.findings)


class PolicyTests(Blueprints):
    """Trying policies."""

    def try_policies(
        self,
        actor: Actor,
        content: Content,
        *,
        inputs: Mapping[str, Any] | None = None,
        data_classes: Iterable[str] = (),
        region: str = "",
        path: str = "",
    ) -> PolicyTest:
        """What plans of a blueprint would be held to; nothing is kept.

        Args:
            actor: who asks.
            content: the blueprint's files.
            inputs: to try instead of its samples.
            data_classes: to try; none takes those that the blueprint may carry.
            region: id or slug of one that it would go into; empty takes a made-up one that may
                keep all data.
            path: an organisation, by path or id, so that its own packs and waivers count.

        Raises:
            Invalid: the files cannot be a blueprint at all, a class that is not known, or inputs
                that the blueprint does not take.
            NotFound: no such region, or a path that is none of the actor's business.
            ProgramError: the program did not end well with these inputs.
        """
        policy.require(actor, "blueprint.validate", policy.ROOT)
        chosen = _classes(data_classes)
        files = contents.check(content)
        with self._db.transaction():
            if path:
                path = self._with.tenancy.organisation_in_transaction(path).path
                policy.require(actor, "waiver.view", path, "organisation")
            where = self._region(region) if region else None
        validation = self._validate(files, lambda _: ())
        tries: list[PolicyTry] = []
        if not validation.problems:
            for sample, graph in self._graphs(validation, files, inputs, where):
                for data_class in chosen or validation.document["data_classes"]:
                    found = self._tried(graph, validation, data_class, where, path)
                    tries.append(PolicyTry(sample, data_class, found))
        return PolicyTest(validation.name, validation.version, validation.problems, tuple(tries))

    def _graphs(
        self,
        validation: Validation,
        files: Content,
        inputs: Mapping[str, Any] | None,
        region: Region | None,
    ) -> list[tuple[str, Graph]]:
        """What the program declares, by the name of the sample; ``inputs`` for the given ones."""
        if inputs is None and region is None:
            return [(sample.name, sample.graph) for sample in validation.samples]
        document = validation.document
        place = self._sample_place(document)
        folder = contents.materialise(files, validation.digest, self._with.cache)
        given = (
            [(sample["name"], sample["inputs"]) for sample in document["samples"]]
            if inputs is None
            else [("inputs", inputs)]
        )
        found = []
        for name, values in given:
            run = self._sample_run(validation.digest, document, folder, values, place)
            if region is not None:
                run = replace(run, region=_facts_alone(region))
            self._db.assert_no_transaction()
            found.append((name, self._any_engine().evaluate(run)))
        return found

    def _tried(
        self,
        graph: Graph,
        validation: Validation,
        data_class: str,
        region: Region | None,
        path: str,
    ) -> tuple[Finding, ...]:
        subject = sample_subject(graph, validation.document, data_class)
        holder = Holder(subject.holder.deployment, "", path, data_class)
        subject = replace(subject, holder=holder)
        if region is not None:
            subject = replace(subject, facts=region.config, region_data_classes=region.data_classes)
        return self._with.policies.judge(subject)


def _facts_alone(region: Region) -> RegionAccess:
    """A region as a program nobody has published may know it: its credentials are made up."""
    return replace(sample_region(), id=region.id, kinds=region.kinds, config=region.config)


def _classes(wanted: Iterable[str]) -> list[str]:
    found = Collector()
    chosen = list(dict.fromkeys(wanted))
    for index, name in enumerate(chosen):
        message = f"must be one of {', '.join(DATA_CLASSES)}"
        found.check(name in DATA_CLASSES, f"data_classes.{index}", message)
    found.finish()
    return chosen
