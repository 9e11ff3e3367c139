"""Policies of placement: where data may be, and what may run them."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from control_plane.provisioning.model import DATA_CLASSES
from control_plane.provisioning.policies.checks.settings import PATTERN, mapping, none, settings
from control_plane.provisioning.policies.model import Issue, Policy, Settings, Subject
from foundation.kernel.text import Text


def region(subject: Subject, settings_: Settings) -> Iterator[Issue]:
    """Data of a class stay where that class may be kept."""
    del settings_
    wanted = subject.data_class
    if wanted and wanted not in subject.region_data_classes:
        yield Issue(
            "",
            Text(
                f"The region may not keep {wanted} data.", f"该资源区不允许存放 {wanted} 级数据。"
            ),
        )


def blueprint(subject: Subject, settings_: Settings) -> Iterator[Issue]:
    """Data of a class are carried by what was made for that class."""
    del settings_
    wanted = subject.data_class
    if wanted and wanted not in subject.blueprint_data_classes:
        yield Issue(
            "",
            Text(
                f"The blueprint may not carry {wanted} data.", f"该蓝图不允许承载 {wanted} 级数据。"
            ),
        )


def flavors(subject: Subject, settings_: Settings) -> Iterator[Issue]:
    """Data of a class run on the sizes that the city has named for them."""
    allowed = settings_["allowed"].get(subject.data_class)
    if allowed is None:
        return
    facts = subject.facts_of("openstack")
    models = _sizes(facts.get("bare_servers"))
    sizes = {
        **_sizes(facts.get("flavors")),
        # Models of physical servers are told apart from sizes of virtual ones.
        **{given: [f"physical-{name}" for name in names] for given, names in models.items()},
    }
    for node in subject.graph.resources:
        if node.type != "openstack:compute/instance:Instance":
            continue
        given = str(node.inputs.get("flavorId") or node.inputs.get("flavorName") or "")
        names = [*sizes.get(given, ()), given]
        if not any(fnmatchcase(name, pattern) for name in names for pattern in allowed):
            yield Issue(
                node.logical_name,
                Text(
                    f"The size {names[0]} may not run {subject.data_class} data; "
                    f"{', '.join(allowed)} may.",
                    f"规格 {names[0]} 不允许运行 {subject.data_class} 级数据；"
                    f"允许的规格：{'、'.join(allowed)}。",
                ),
            )


def _sizes(facts: Any) -> Mapping[str, list[str]]:  # noqa: ANN401 - JSON
    """The names of sizes by the cloud's own id of each."""
    pairs = (
        facts.items()
        if isinstance(facts, Mapping)
        else [(f.get("size"), f) for f in facts or () if isinstance(f, Mapping)]
    )
    found: dict[str, list[str]] = {}
    for size, about in pairs:
        own = about.get("id", size) if isinstance(about, Mapping) else size
        found.setdefault(str(own), []).append(str(size))
    return found


POLICIES = (
    Policy(
        "residency.region",
        Text("Residency: the region", "数据驻留：资源区"),
        Text(
            "Data of a class stay in regions that may keep that class.",
            "各分级的数据只存放在允许该分级的资源区。",
        ),
        none(),
        graph=region,
    ),
    Policy(
        "residency.blueprint",
        Text("Residency: the blueprint", "数据驻留：蓝图"),
        Text(
            "Data of a class are carried by blueprints that may carry that class.",
            "各分级的数据只由允许该分级的蓝图承载。",
        ),
        none(),
        graph=blueprint,
    ),
    Policy(
        "flavors.data_class",
        Text("Sizes by class of data", "按数据分级限定规格"),
        Text(
            "Servers with data of a class are of the sizes that are named for it; a class that is "
            "not named may use any.",
            "承载某分级数据的云主机须使用为该分级指定的规格；未指定的分级不受限。",
        ),
        settings(
            {
                "allowed": mapping(
                    Text("Sizes (patterns) by class of data", "各数据分级允许的规格（通配）"),
                    {"enum": list(DATA_CLASSES)},
                    {"type": "array", "items": {"type": "string", "pattern": PATTERN},
                     "maxItems": 100},
                ),
            }
        ),
        graph=flavors,
    ),
)  # fmt: skip
