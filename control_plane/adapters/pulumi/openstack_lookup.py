"""Finds objects in OpenStack whose creation was never confirmed.

An object carries its deployment's id and its own logical name as tags or metadata where OpenStack
has them, and else in its description or name; what has neither is found by what makes it unique in
its parent. The search is made with the same credentials that made the object.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from control_plane.adapters.pulumi.recovery import Pending

if TYPE_CHECKING:
    from openstack.connection import Connection


def find_openstack(pending: Pending) -> str | None:
    """Return the id of an object that was made for a pending creation; None when there is none.

    Raises:
        openstack.exceptions.SDKException: The cloud does not answer.
    """
    search = _SEARCHES.get(pending.type)
    if search is None:
        # Quotas and role assignments: ordering them again changes nothing.
        return None
    with connect(pending.provider) as cloud:
        return search(cloud, pending)


def explain_openstack(failed: Pending, physical_id: str) -> str:
    """Return what Nova says of a server that failed; Pulumi only says "unexpected state".

    Servers that are booted together can pass the quota check together; the late one then ends in
    ERROR, and only its fault tells why.

    Raises:
        openstack.exceptions.SDKException: The cloud does not answer.
    """
    if failed.type != "openstack:compute/instance:Instance":
        return ""
    with connect(failed.provider) as cloud:
        server = cloud.compute.find_server(physical_id)
        fault = getattr(server, "fault", None) or {}
        return str(fault.get("message") or "")


def connect(provider: Mapping[str, Any]) -> "Connection":
    """Return a connection with the inputs of a provider, in clear."""
    import openstack  # noqa: PLC0415 - half a second, and hardly ever needed

    names = {
        "auth_url": "authUrl",
        "username": "userName",
        "password": "password",
        "user_domain_name": "userDomainName",
        "project_id": "tenantId",
        "project_name": "tenantName",
        "project_domain_name": "projectDomainName",
    }
    given = {ours: provider[theirs] for ours, theirs in names.items() if provider.get(theirs)}
    if "project_name" in given:
        given.setdefault("project_domain_name", "Default")
    return openstack.connect(
        region_name=provider.get("region"), auth=given, load_yaml_config=False, load_envvars=False
    )


def _mine(candidates: Iterable[Any], pending: Pending) -> str | None:
    """Return the id of the candidate that carries the marks of the deployment."""
    for found in candidates:
        if str(found.id) in pending.known:
            continue
        metadata = getattr(found, "metadata", None) or {}
        if (
            metadata.get("borough.deployment") == pending.deployment
            and metadata.get("borough.resource") == pending.name
        ):
            return str(found.id)
        tags = set(getattr(found, "tags", None) or ())
        if {
            f"borough.deployment={pending.deployment}",
            f"borough.resource={pending.name}",
        } <= tags:
            return str(found.id)
        if pending.deployment in (getattr(found, "description", None) or ""):
            return str(found.id)
    return None


def _named(listing: str) -> Callable[["Connection", Pending], str | None]:
    """Search a listing by name, and take what carries the marks."""
    service, _, kind = listing.partition(".")

    def search(cloud: "Connection", pending: Pending) -> str | None:
        proxy = getattr(cloud, service)
        return _mine(getattr(proxy, kind)(name=pending.inputs.get("name")), pending)

    return search


def _unique(
    listing: str, *properties: tuple[str, str]
) -> Callable[["Connection", Pending], str | None]:
    """Search a listing by what makes a thing unique: (the SDK's name, Pulumi's name)."""
    service, _, kind = listing.partition(".")

    def search(cloud: "Connection", pending: Pending) -> str | None:
        query = {
            theirs: pending.inputs[ours] for theirs, ours in properties if ours in pending.inputs
        }
        for found in getattr(getattr(cloud, service), kind)(**query):
            return str(found.id)
        return None

    return search


def _called(listing: str, identity: str = "id") -> Callable[["Connection", Pending], str | None]:
    """Search a listing that cannot be asked by name for a name that holds the deployment's id."""
    service, _, kind = listing.partition(".")

    def search(cloud: "Connection", pending: Pending) -> str | None:
        for found in getattr(getattr(cloud, service), kind)():
            physical = str(getattr(found, identity))
            if found.name == pending.inputs.get("name") and physical not in pending.known:
                return physical
        return None

    return search


def _credential(cloud: "Connection", pending: Pending) -> str | None:
    identity: Any = cloud.identity  # typed as either version of it; the older has none
    listed = identity.application_credentials(user=cloud.current_user_id or "")
    return _mine((c for c in listed if c.name == pending.inputs.get("name")), pending)


def _floating_ip(cloud: "Connection", pending: Pending) -> str | None:
    return _mine(cloud.network.ips(), pending)


def _interface(cloud: "Connection", pending: Pending) -> str | None:
    subnet = pending.inputs.get("subnetId")
    for port in cloud.network.ports(device_id=pending.inputs.get("routerId")):
        if any(ip["subnet_id"] == subnet for ip in port.fixed_ips):
            return str(port.id)
    return None


def _attachment(cloud: "Connection", pending: Pending) -> str | None:
    server, volume = str(pending.inputs["instanceId"]), str(pending.inputs["volumeId"])
    for found in cloud.compute.volume_attachments(server):
        if found.volume_id == volume:
            return f"{server}/{volume}"
    return None


def _pool(cloud: "Connection", pending: Pending) -> str | None:
    listener = pending.inputs.get("listenerId")
    for found in cloud.load_balancer.pools(name=pending.inputs.get("name")):
        if any(one["id"] == listener for one in found.listeners or ()):
            return str(found.id)
    return None


def _member(cloud: "Connection", pending: Pending) -> str | None:
    pool = str(pending.inputs["poolId"])
    for found in cloud.load_balancer.members(pool, name=pending.inputs.get("name")):
        return f"{pool}/{found.id}"
    return None


def _health_monitor(cloud: "Connection", pending: Pending) -> str | None:
    pool = pending.inputs.get("poolId")
    for found in cloud.load_balancer.health_monitors():
        if any(p["id"] == pool for p in found.pools or ()):
            return str(found.id)
    return None


_SEARCHES: Mapping[str, Callable[["Connection", Pending], str | None]] = {
    "openstack:identity/project:Project": _named("identity.projects"),
    "openstack:identity/user:User": _named("identity.users"),
    "openstack:networking/network:Network": _named("network.networks"),
    "openstack:networking/subnet:Subnet": _named("network.subnets"),
    "openstack:networking/router:Router": _named("network.routers"),
    "openstack:networking/secGroup:SecGroup": _named("network.security_groups"),
    "openstack:networking/secGroupRule:SecGroupRule": _unique(
        "network.security_group_rules",
        ("security_group_id", "securityGroupId"),
        ("direction", "direction"),
        ("ether_type", "ethertype"),
        ("protocol", "protocol"),
        ("port_range_min", "portRangeMin"),
        ("port_range_max", "portRangeMax"),
        ("remote_ip_prefix", "remoteIpPrefix"),
        ("remote_group_id", "remoteGroupId"),
    ),
    "openstack:networking/routerInterface:RouterInterface": _interface,
    "openstack:networking/floatingIp:FloatingIp": _floating_ip,
    "openstack:networking/port:Port": _named("network.ports"),
    "openstack:compute/instance:Instance": _named("compute.servers"),
    "openstack:compute/keypair:Keypair": _called("compute.keypairs", "name"),
    "openstack:compute/serverGroup:ServerGroup": _called("compute.server_groups"),
    # A second creation of a container of one's own changes nothing; an S3 key has no name.
    "openstack:identity/applicationCredential:ApplicationCredential": _credential,
    "openstack:compute/volumeAttach:VolumeAttach": _attachment,
    "openstack:blockstorage/volume:Volume": _named("block_storage.volumes"),
    "openstack:loadbalancer/loadBalancer:LoadBalancer": _named("load_balancer.load_balancers"),
    "openstack:loadbalancer/listener:Listener": _named("load_balancer.listeners"),
    "openstack:loadbalancer/pool:Pool": _pool,
    "openstack:loadbalancer/member:Member": _member,
    "openstack:loadbalancer/monitor:Monitor": _health_monitor,
}
