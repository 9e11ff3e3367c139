"""Finds what is in an OpenStack region, whoever made it.

Every list is asked once for the whole region, as its administrator; what is in one project is
chosen from it, so that a project costs what a region costs. Words are those of the Pulumi types,
ids those with which the provider imports.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from control_plane.provisioning.graph import Json
from control_plane.provisioning.imports import model
from control_plane.provisioning.imports.model import Found
from control_plane.provisioning.ports import RegionAccess

if TYPE_CHECKING:
    from control_plane.adapters.openstack.reader import CloudReader

Raw = Mapping[str, Any]
_INTERFACES = ("network:router_interface", "network:ha_router_replicated_interface")
_PLACE = "RegionOne"


class OpenStackFinder:
    """Asks Keystone, Nova, Neutron, Cinder and Octavia."""

    def find(self, region: RegionAccess, project: str = "") -> Sequence[Found]:
        """See the port."""
        from control_plane.adapters.openstack.reader import (  # noqa: PLC0415 - see the collector
            CloudReader,
        )

        config: Any = region.config.get("openstack") or {}
        reader = CloudReader(region)
        try:
            found = [f for f in _everything(reader) if not project or f.project == project]
            if project and any(f.type == model.PROJECT for f in found):
                found += _quotas(reader, project, config.get("region_name") or _PLACE)
        finally:
            reader.close()
        return sorted(found, key=lambda f: (f.type, f.id))


def _everything(reader: "CloudReader") -> Iterator[Found]:
    yield from (project(raw) for raw in reader.projects())
    services = reader.services()
    networks = reader.listing("network", "/networks", "networks")
    pools = {n["id"]: n["name"] for n in networks}
    for path, name, read in _NETWORKING:
        yield from (read(raw) for raw in reader.listing("network", path, name))
    ports = reader.listing("network", "/ports", "ports")
    yield from (port(raw) for raw in ports if str(raw.get("device_owner")).startswith("compute:"))
    yield from interfaces(ports)
    yield from (
        rule(raw)
        for raw in reader.listing("network", "/security-group-rules", "security_group_rules")
        if not _is_usual(raw)
    )
    yield from (address(raw, pools) for raw in reader.floating_ips())
    of_server: dict[str, str] = {}
    for raw in reader.servers():
        of_server[raw["id"]] = raw["tenant_id"]
        yield server(raw, [p["id"] for p in ports if p.get("device_id") == raw["id"]])
    if services & {"block-storage", "volumev3", "volume"}:
        for raw in reader.volumes():
            yield volume(raw)
            yield from attachments(raw, of_server)


def project(raw: Raw) -> Found:
    """A project of Keystone."""
    said = {"name": raw["name"], "description": raw.get("description") or ""}
    return Found(model.PROJECT, raw["id"], raw["name"], raw["id"], said)


def network(raw: Raw) -> Found:
    """A network of Neutron."""
    external = bool(raw.get("router:external"))
    said: dict[str, Json] = {"name": raw["name"], "external": external}
    return Found(model.NETWORK, raw["id"], raw["name"], _project(raw), said)


def subnet(raw: Raw) -> Found:
    """A subnet of Neutron."""
    said: dict[str, Json] = {
        "name": raw["name"], "networkId": raw["network_id"], "cidr": raw["cidr"],
        "ipVersion": raw["ip_version"],
    }  # fmt: skip
    return Found(model.SUBNET, raw["id"], raw["name"], _project(raw), said)


def router(raw: Raw) -> Found:
    """A router of Neutron."""
    gateway = raw.get("external_gateway_info") or {}
    said: dict[str, Json] = {"name": raw["name"], "externalNetworkId": gateway.get("network_id")}
    return Found(model.ROUTER, raw["id"], raw["name"], _project(raw), said)


def group(raw: Raw) -> Found:
    """A security group of Neutron."""
    return Found(model.GROUP, raw["id"], raw["name"], _project(raw), {"name": raw["name"]})


def rule(raw: Raw) -> Found:
    """A rule of a security group."""
    said: dict[str, Json] = {
        "securityGroupId": raw["security_group_id"],
        "direction": raw["direction"],
        "ethertype": raw["ethertype"],
        "protocol": raw.get("protocol"),
        "portRangeMin": raw.get("port_range_min"),
        "portRangeMax": raw.get("port_range_max"),
        "remoteIpPrefix": raw.get("remote_ip_prefix"),
        "remoteGroupId": raw.get("remote_group_id"),
    }
    return Found(model.RULE, raw["id"], "", _project(raw), _present(said))


def port(raw: Raw) -> Found:
    """A port of a server."""
    said: dict[str, Json] = {
        "name": raw["name"],
        "networkId": raw["network_id"],
        "deviceId": raw.get("device_id"),
        "securityGroupIds": list(raw.get("security_groups") or ()),
        "fixedIps": [{"subnetId": ip["subnet_id"]} for ip in raw.get("fixed_ips") or ()],
    }
    return Found(model.PORT, raw["id"], raw["name"], _project(raw), said)


def interfaces(ports: Iterable[Raw]) -> Iterator[Found]:
    """The ports by which routers are in subnets."""
    for raw in ports:
        owner = str(raw.get("device_owner"))
        subnets = [ip["subnet_id"] for ip in raw.get("fixed_ips") or ()]
        if owner in _INTERFACES and raw.get("device_id") and subnets:
            said: dict[str, Json] = {"routerId": raw["device_id"], "subnetId": subnets[0]}
            yield Found(model.INTERFACE, raw["id"], "", _project(raw), said)


def address(raw: Raw, pools: Mapping[str, str]) -> Found:
    """A floating address."""
    said: dict[str, Json] = {
        "pool": pools.get(raw["floating_network_id"]),
        "portId": raw.get("port_id"),
        "address": raw["floating_ip_address"],
    }
    return Found(
        model.ADDRESS, raw["id"], raw["floating_ip_address"], _project(raw), _present(said)
    )


def server(raw: Raw, ports: Sequence[str]) -> Found:
    """A server of Nova."""
    image = raw.get("image") or {}
    said: dict[str, Json] = {
        "name": raw["name"],
        "flavorId": (raw.get("flavor") or {}).get("id"),
        "imageId": image.get("id") if isinstance(image, Mapping) else None,
        "keyPair": raw.get("key_name"),
        "networks": [{"port": each} for each in ports],
        "status": raw.get("status"),
    }
    return Found(model.SERVER, raw["id"], raw["name"], raw["tenant_id"], _present(said))


def volume(raw: Raw) -> Found:
    """A volume of Cinder."""
    said: dict[str, Json] = {
        "name": raw.get("name") or "", "size": raw["size"], "volumeType": raw.get("volume_type"),
    }  # fmt: skip
    owner = str(raw.get("os-vol-tenant-attr:tenant_id") or "")
    return Found(model.VOLUME, raw["id"], str(said["name"]), owner, said)


def attachments(raw: Raw, of_server: Mapping[str, str]) -> Iterator[Found]:
    """Where a volume is attached."""
    for each in raw.get("attachments") or ():
        holder = each.get("server_id")
        if holder in of_server:
            said: dict[str, Json] = {"instanceId": holder, "volumeId": raw["id"]}
            yield Found(model.ATTACHMENT, f"{holder}/{raw['id']}", "", of_server[holder], said)


def _quotas(reader: "CloudReader", project_id: str, place: str) -> list[Found]:
    """The limits of a project, as far as its services have any."""
    services = reader.services()
    found = []
    for type_, service, path, within, names in _QUOTAS:
        if not services & _NAMES_OF.get(service, {service}):
            continue
        said = reader.one(service, path.format(project_id), within)
        inputs: dict[str, Json] = {
            ours: said[theirs] for ours, theirs in names.items() if theirs in said
        }
        found.append(
            Found(
                type_, f"{project_id}/{place}", "", project_id,
                {**inputs, "projectId": project_id},
            )
        )  # fmt: skip
    return found


def _is_usual(raw: Raw) -> bool:
    """Neutron's own rules: everything may leave."""
    return (
        raw["direction"] == "egress"
        and not raw.get("protocol")
        and not raw.get("remote_ip_prefix")
        and not raw.get("remote_group_id")
    )


def _project(raw: Raw) -> str:
    return str(raw.get("project_id") or raw.get("tenant_id") or "")


def _present(said: Mapping[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in said.items() if value is not None}


_NETWORKING: tuple[tuple[str, str, Callable[[Raw], Found]], ...] = (
    ("/networks", "networks", network),
    ("/subnets", "subnets", subnet),
    ("/routers", "routers", router),
    ("/security-groups", "security_groups", group),
)
_NAMES_OF: Mapping[str, set[str]] = {"block-storage": {"block-storage", "volumev3", "volume"}}
_QUOTAS: tuple[tuple[str, str, str, str, Mapping[str, str]], ...] = (
    (
        model.COMPUTE_QUOTA, "compute", "/os-quota-sets/{}", "quota_set",
        {"cores": "cores", "ram": "ram", "instances": "instances"},
    ),
    (
        model.STORAGE_QUOTA, "block-storage", "/os-quota-sets/{}", "quota_set",
        {"gigabytes": "gigabytes", "volumes": "volumes"},
    ),
    (
        model.NETWORK_QUOTA, "network", "/quotas/{}", "quota",
        {"floatingip": "floatingip", "network": "network", "router": "router"},
    ),
    (
        model.BALANCER_QUOTA, "load-balancer", "/lbaas/quotas/{}", "quota",
        {"loadbalancer": "load_balancer"},
    ),
)  # fmt: skip
