"""Policies of tags: what resources say of themselves."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from control_plane.provisioning.graph import ResourceNode
from control_plane.provisioning.policies.checks.settings import (
    PATTERN,
    listed,
    mapping,
    none,
    settings,
)
from control_plane.provisioning.policies.model import Issue, Policy, Settings, Subject
from foundation.kernel.text import Text

#: Resources that clouds let carry a tag, metadata, label or description.
_MARKED = {
    "openstack:compute/instance:Instance",
    "openstack:blockstorage/volume:Volume",
    "openstack:networking/network:Network",
    "openstack:networking/subnet:Subnet",
    "openstack:networking/router:Router",
    "openstack:networking/floatingIp:FloatingIp",
    "openstack:networking/secGroup:SecGroup",
    "openstack:loadbalancer/loadBalancer:LoadBalancer",
    "openstack:identity/project:Project",
    "openstack:networking/port:Port",
    "openstack:objectstorage/container:Container",
}
#: Those that have a name alone, and carry the deployment's id in it, or a description.
_NAMED = {
    "openstack:compute/keypair:Keypair",
    "openstack:compute/serverGroup:ServerGroup",
    "openstack:identity/applicationCredential:ApplicationCredential",
}


def of_deployment(subject: Subject, settings_: Settings) -> Iterator[Issue]:
    """Every resource that can say whose it is does so, or an orphan could never be found."""
    del settings_
    named = (n for n in subject.graph.resources if n.type in _NAMED)
    for node in (*_markable(subject), *named):
        where: Any = node.inputs.get("metadata") if node.kind == "kubernetes" else node.inputs
        if not _mentions(where, subject.holder.deployment):
            yield Issue(
                node.logical_name,
                Text(
                    "Does not carry the deployment's id as tag, label, metadata, description or "
                    "in its name.",
                    "未通过标签、元数据、描述或名称携带部署编号。",
                ),
            )


def required(subject: Subject, settings_: Settings) -> Iterator[Issue]:
    """Resources carry the tags that the city accounts by."""
    allowed: Mapping[str, list[str]] = settings_["values"]
    for node in _markable(subject):
        marks = marks_of(node)
        for name in settings_["required"]:
            value = marks.get(name)
            if value is None:
                yield Issue(
                    node.logical_name,
                    Text(f"Does not carry the tag {name}.", f"缺少标签 {name}。"),
                )
        for name, patterns in sorted(allowed.items()):
            value = marks.get(name)
            if value is not None and not any(fnmatchcase(value, p) for p in patterns):
                yield Issue(
                    node.logical_name,
                    Text(
                        f"Its tag {name} is {value}, which is not one of {', '.join(patterns)}.",
                        f"其标签 {name} 为 {value}，不在允许的取值 {'、'.join(patterns)} 之内。",
                    ),
                )


def marks_of(node: ResourceNode) -> dict[str, str]:
    """What a resource says of itself, by name; ``borough.dev/x`` counts as ``borough.x``."""
    inputs = node.inputs
    metadata = inputs.get("metadata")
    pairs: list[tuple[Any, Any]] = []
    if isinstance(metadata, Mapping):
        if node.kind == "kubernetes":
            for part in (metadata.get("annotations"), metadata.get("labels")):
                pairs += part.items() if isinstance(part, Mapping) else ()
        else:
            pairs += metadata.items()
    tags = inputs.get("tags")
    for tag in tags if isinstance(tags, list | tuple) else ():
        name, _, value = str(tag).partition("=")
        pairs.append((name, value))
    return {_spelled(str(name)): str(value) for name, value in pairs}


def _spelled(name: str) -> str:
    """A mark's name: Kubernetes has ``borough.dev/x`` of it, Swift's headers ``Borough-X``."""
    if name.startswith("Borough-"):
        name = name.lower().replace("borough-", "borough.", 1)
    return name.replace("borough.dev/", "borough.")


def _markable(subject: Subject) -> Iterator[ResourceNode]:
    for node in subject.graph.resources:
        if node.kind == "kubernetes" or node.type in _MARKED:
            yield node


def _mentions(value: Any, text: str) -> bool:  # noqa: ANN401 - JSON
    if isinstance(value, Mapping):
        return any(_mentions(item, text) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_mentions(item, text) for item in value)
    return isinstance(value, str) and text in value


POLICIES = (
    Policy(
        "tags.deployment",
        Text("Whose a resource is", "资源归属标识"),
        Text(
            "Every resource that can say whose it is carries the deployment's id: what is left "
            "behind could not be found otherwise.",
            "凡可标识归属的资源均须携带部署编号，否则遗留资源将无从查找。",
        ),
        none(),
        graph=of_deployment,
    ),
    Policy(
        "tags.required",
        Text("Required tags", "必需标签"),
        Text(
            "Resources carry the tags that the city accounts by, with the values that it knows.",
            "资源须携带全市核算所用的标签，且取值在允许范围内。",
        ),
        settings(
            {
                "required": listed(
                    Text("Tags", "标签"), ["borough.deployment", "borough.tenancy"]
                ),
                "values": mapping(
                    Text("Allowed values (patterns)", "允许的取值（通配）"),
                    {"pattern": PATTERN},
                    {"type": "array", "items": {"type": "string", "pattern": PATTERN},
                     "minItems": 1, "maxItems": 100},
                ),
            }
        ),
        graph=required,
    ),
)  # fmt: skip
