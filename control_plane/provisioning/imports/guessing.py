"""Which blueprint, with which inputs, describes what is in a project."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from control_plane.provisioning.graph import Json
from control_plane.provisioning.imports import model
from control_plane.provisioning.imports.model import Found
from foundation.kernel.text import Text

ANYWHERE = "0.0.0.0/0"
_CITY = "10.0.0.0/8"
_LONGEST = 40
_MOST_PORTS = 10
_MOST_SERVERS = 16


@dataclass(slots=True)
class Guess:
    """A blueprint with inputs, for some objects of a project."""

    blueprint: str
    name: str
    inputs: dict[str, Json]
    objects: list[Found]
    against: list[Text] = field(default_factory=list)


def guesses(
    objects: Sequence[Found], facts: Mapping[str, Any], schemas: Mapping[str, Mapping[str, Any]]
) -> list[Guess]:
    """What the objects of one project might be.

    Args:
        objects: those that no deployment owns.
        facts: of the region's OpenStack.
        schemas: the inputs of the blueprints that may be proposed, by name.
    """
    found: list[Guess] = []
    if "tenancy" in schemas and any(o.type == model.PROJECT for o in objects):
        found.append(tenancy(objects, schemas["tenancy"]))
    if "virtual-server" in schemas:
        found += servers(objects, facts)
    return found


def tenancy(objects: Sequence[Found], schema: Mapping[str, Any]) -> Guess:
    """The project with its quotas and its first network."""
    project = next(o for o in objects if o.type == model.PROJECT)
    limits = {o.type: o.inputs for o in objects if o.type in model.QUOTAS}
    compute, storage = limits.get(model.COMPUTE_QUOTA, {}), limits.get(model.STORAGE_QUOTA, {})
    ram = compute.get("ram")
    wanted: dict[str, Json] = {
        "vcpus": compute.get("cores"),
        "ram_gb": -(-ram // 1024) if isinstance(ram, int) and ram > 0 else ram,
        "instances": compute.get("instances"),
        "volume_gb": storage.get("gigabytes"),
        "load_balancers": limits.get(model.BALANCER_QUOTA, {}).get("loadbalancer"),
        "floating_ips": limits.get(model.NETWORK_QUOTA, {}).get("floatingip"),
    }
    inputs: dict[str, Json] = {"platforms": ["openstack"]}
    for name, value in wanted.items():
        inner = schema["properties"].get(name)
        if inner is not None and isinstance(value, int):
            inputs[name] = _within(value, inner)
    subnets = [o for o in objects if o.type == model.SUBNET and o.inputs.get("ipVersion") != 6]  # noqa: PLR2004
    against = []
    if subnets:
        inputs["network_cidr"] = subnets[0].inputs["cidr"]
    if len(subnets) > 1:
        against.append(
            Text(
                "It has several subnets: the blueprint describes one, the others stay as they are.",
                "该项目有多个子网：蓝图只描述一个，其余保持原样。",
            )
        )
    purpose = project.inputs.get("description")
    if isinstance(purpose, str) and purpose and len(purpose) <= 200:  # noqa: PLR2004 - as the blueprint
        inputs["description"] = purpose
    kinds = {
        model.PROJECT, *model.QUOTAS, model.NETWORK, model.SUBNET, model.ROUTER, model.INTERFACE,
    }  # fmt: skip
    mine = [o for o in objects if o.type in kinds]
    used = {g for s in objects if s.type == model.PORT for g in _ids(s, "securityGroupIds")}
    # A group that no server uses may be the tenancy's own; those of servers go with them.
    mine += [
        o for o in objects if o.type == model.GROUP and o.id not in used and o.name != "default"
    ]
    groups = {o.id for o in mine if o.type == model.GROUP}
    mine += [
        o for o in objects if o.type == model.RULE and o.inputs.get("securityGroupId") in groups
    ]
    return Guess("tenancy", slug(project.name), inputs, mine, against)


def servers(objects: Sequence[Found], facts: Mapping[str, Any]) -> list[Guess]:
    """Groups of equal servers, with what hangs on each."""
    by_type: dict[str, list[Found]] = {}
    for each in objects:
        by_type.setdefault(each.type, []).append(each)
    groups: dict[tuple[Any, ...], list[_Server]] = {}
    for found in by_type.get(model.SERVER, ()):
        server = _gather(found, by_type)
        groups.setdefault(server.shape(), []).append(server)
    taken: set[str] = set()
    made = []
    for key in sorted(groups, key=str):
        for start in range(0, len(groups[key]), _MOST_SERVERS):
            some = groups[key][start : start + _MOST_SERVERS]
            made.append(_guess(some, by_type, facts, taken))
    return made


@dataclass(slots=True)
class _Server:
    """A server with what hangs on it."""

    itself: Found
    ports: list[Found]
    volumes: list[Found]
    attachments: list[Found]
    addresses: list[Found]

    def shape(self) -> tuple[Any, ...]:
        """What servers of one deployment have in common."""
        inputs = self.itself.inputs
        return (
            inputs.get("flavorId"),
            inputs.get("imageId"),
            inputs.get("keyPair"),
            tuple(sorted(g for p in self.ports for g in _ids(p, "securityGroupIds"))),
            tuple(v.inputs.get("size") for v in self.volumes),
            len(self.addresses),
        )


def _gather(server: Found, by_type: Mapping[str, list[Found]]) -> _Server:
    named = server.refers()
    ports = [
        p for p in by_type.get(model.PORT, ())
        if p.inputs.get("deviceId") == server.id or p.id in named
    ]  # fmt: skip
    mine = {p.id for p in ports}
    attachments = [
        a for a in by_type.get(model.ATTACHMENT, ()) if a.inputs.get("instanceId") == server.id
    ]
    held = {a.inputs.get("volumeId") for a in attachments}
    return _Server(
        server,
        ports,
        [v for v in by_type.get(model.VOLUME, ()) if v.id in held],
        attachments,
        [a for a in by_type.get(model.ADDRESS, ()) if a.inputs.get("portId") in mine],
    )


def _guess(
    group: list[_Server],
    by_type: Mapping[str, list[Found]],
    facts: Mapping[str, Any],
    taken: set[str],
) -> Guess:
    first = group[0]
    inputs: dict[str, Json] = {"servers": len(group), "placement": "anywhere"}
    against = _own(first, inputs, facts)
    security = {g for p in first.ports for g in _ids(p, "securityGroupIds")}
    mine = [
        g for g in by_type.get(model.GROUP, ())
        if g.id in security and g.id not in taken and g.name != "default"
    ][:1]  # fmt: skip
    if not mine:
        against.append(
            Text(
                "It has no security group of its own: one is made, and it leaves the others.",
                "没有专属的安全组：将新建一个，并脱离现有的安全组。",
            )
        )
    elif len(security) > 1:
        against.append(
            Text(
                "It is in several security groups: it stays in the first and leaves the others.",
                "它属于多个安全组：将只保留第一个，脱离其余安全组。",
            )
        )
    taken |= {g.id for g in mine}
    rules = [
        r for r in by_type.get(model.RULE, ())
        if mine and r.inputs.get("securityGroupId") == mine[0].id
    ]  # fmt: skip
    _doors(rules, inputs, facts)
    objects = [*mine, *rules]
    for one in group:
        objects += [
            one.itself, *one.ports[:1], *one.volumes[:1], *one.attachments[:1], *one.addresses[:1],
        ]  # fmt: skip
    inputs["public_address"] = any(s.addresses for s in group)
    return Guess("virtual-server", slug(first.itself.name), inputs, objects, against)


def _own(server: _Server, inputs: dict[str, Json], facts: Mapping[str, Any]) -> list[Text]:
    """Fill in what the server itself says; answers why the blueprint does not describe it."""
    against = []
    said = server.itself.inputs
    flavors: Mapping[str, Any] = facts.get("flavors") or {}
    sizes = [
        size for size, f in flavors.items() if str(f.get("id", size)) == str(said.get("flavorId"))
    ]
    if sizes:
        inputs["size"] = sizes[0]
    else:
        against.append(
            Text("Its flavor is none of the region's sizes.", "其规格不在资源区登记的规格之内。")
        )
    images: Any = facts.get("images") or {}
    known = images if isinstance(images, Mapping) else {n: n for n in images}
    names = [name for name, image in known.items() if str(image) == str(said.get("imageId"))]
    if not said.get("imageId"):
        against.append(
            Text(
                "It starts from a volume, which no input describes.",
                "它从云硬盘启动，没有输入项可以描述。",
            )
        )
    elif names:
        inputs["image"] = "" if "default" in names else names[0]
    else:
        against.append(
            Text("Its image is none of the region's images.", "其镜像不在资源区登记的镜像之内。")
        )
    if said.get("keyPair"):
        inputs["key_name"] = said["keyPair"]
    size = server.volumes[0].inputs.get("size") if server.volumes else 0
    inputs["volume_gb"] = size
    if len(server.volumes) > 1 or len(server.ports) > 1 or len(server.addresses) > 1:
        against.append(
            Text(
                "It has several ports, volumes or addresses: the blueprint describes one of each.",
                "它有多个端口、卷或公网地址：蓝图对每种只描述一个。",
            )
        )
    if not server.ports:
        against.append(Text("It has no port.", "它没有网络端口。"))
    return against


def _doors(rules: Iterable[Found], inputs: dict[str, Json], facts: Mapping[str, Any]) -> None:
    """The open ports, and to whom."""
    city = facts.get("city_cidr", _CITY)
    open_to: dict[str, list[int]] = {ANYWHERE: [], city: []}
    for rule in rules:
        said = rule.inputs
        port = said.get("portRangeMin")
        single = isinstance(port, int) and port == said.get("portRangeMax")
        sender = str(said.get("remoteIpPrefix") or "")
        if said.get("protocol") == "tcp" and single and sender in open_to:
            open_to[sender].append(int(str(port)))
    who = max(open_to, key=lambda sender: len(open_to[sender]))
    inputs["ports"] = list[Json](sorted(set(open_to[who]))[:_MOST_PORTS])
    inputs["exposure"] = "internet" if who == ANYWHERE and open_to[who] else "city"


def slug(name: str) -> str:
    """A name that a deployment may have, from whatever something is called."""
    found = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    found = re.sub(r"^[^a-z]+", "", found)[:_LONGEST].strip("-")
    return found or "imported"


def _ids(found: Found, name: str) -> list[str]:
    value = found.inputs.get(name)
    return [str(v) for v in value] if isinstance(value, list) else []


def _within(value: int, schema: Mapping[str, Any]) -> int:
    low, high = int(schema.get("minimum", 0)), int(schema.get("maximum", 2**31 - 1))
    return high if value < 0 else max(low, min(high, value))
