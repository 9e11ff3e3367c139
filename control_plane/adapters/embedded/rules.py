"""How kinds of resources behave: what forces a replacement, and what the cloud adds.

Source of the replacing properties: ``ForceNew`` in terraform-provider-openstack 1.54.1, and the
immutable fields of Kubernetes' API. Property names are Pulumi's.
"""

import base64
import binascii
import hashlib
import ipaddress
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from control_plane.provisioning.graph import Json, is_unknown

_ALL = ("",)
_PLACED = ("region", "tenantId")

_REPLACING: Mapping[str, tuple[str, ...]] = {
    "openstack:identity/project:Project": ("domainId", "parentId", "isDomain", "region"),
    "openstack:identity/user:User": ("region",),
    "openstack:identity/roleAssignment:RoleAssignment": _ALL,
    "openstack:compute/quotaSetV2:QuotaSetV2": ("projectId", "region"),
    "openstack:blockstorage/quoteSetV3:QuoteSetV3": ("projectId", "region"),
    "openstack:networking/quotaV2:QuotaV2": ("projectId", "region"),
    "openstack:loadbalancer/quota:Quota": ("projectId", "region"),
    "openstack:networking/network:Network": (*_PLACED, "segments", "availabilityZoneHints"),
    "openstack:networking/subnet:Subnet": (
        *_PLACED,
        *("networkId", "cidr", "ipVersion", "prefixLength", "subnetpoolId"),
    ),
    "openstack:networking/secGroup:SecGroup": _PLACED,
    "openstack:networking/secGroupRule:SecGroupRule": _ALL,
    "openstack:networking/router:Router": (*_PLACED, "availabilityZoneHints"),
    "openstack:networking/routerInterface:RouterInterface": _ALL,
    "openstack:networking/floatingIp:FloatingIp": (*_PLACED, "pool", "address", "subnetId"),
    "openstack:networking/port:Port": (*_PLACED, "networkId", "macAddress"),
    "openstack:compute/instance:Instance": (
        # Another image rebuilds the server in place, another flavor resizes it.
        *("region", "networks", "userData", "schedulerHints", "keyPair"),
        *("availabilityZone", "blockDevices", "personalities", "configDrive"),
    ),
    "openstack:compute/keypair:Keypair": _ALL,
    "openstack:compute/serverGroup:ServerGroup": _ALL,
    "openstack:objectstorage/container:Container": (
        *("region", "name", "storagePolicy", "storageClass"),
    ),
    "openstack:identity/applicationCredential:ApplicationCredential": _ALL,
    "openstack:identity/ec2CredentialV3:Ec2CredentialV3": _ALL,
    "openstack:blockstorage/volume:Volume": (
        *("region", "volumeType", "snapshotId", "imageId", "sourceVolId", "availabilityZone"),
    ),
    "openstack:compute/volumeAttach:VolumeAttach": _ALL,
    "openstack:loadbalancer/loadBalancer:LoadBalancer": (
        *_PLACED,
        *("vipSubnetId", "vipNetworkId", "vipPortId", "vipAddress", "flavorId"),
        *("loadbalancerProvider", "availabilityZone"),
    ),
    "openstack:loadbalancer/listener:Listener": (
        *_PLACED,
        *("loadbalancerId", "protocol", "protocolPort"),
    ),
    "openstack:loadbalancer/pool:Pool": (
        *_PLACED,
        *("listenerId", "loadbalancerId", "protocol"),
    ),
    "openstack:loadbalancer/member:Member": (
        *_PLACED,
        *("poolId", "address", "protocolPort", "subnetId"),
    ),
    "openstack:loadbalancer/monitor:Monitor": (*_PLACED, "poolId", "type"),
    "kubernetes:apps/v1:Deployment": ("spec.selector",),
    "kubernetes:apps/v1:StatefulSet": (
        *("spec.selector", "spec.serviceName", "spec.volumeClaimTemplates"),
    ),
    "kubernetes:batch/v1:Job": ("spec.selector", "spec.template"),
    "kubernetes:core/v1:Service": ("spec.clusterIP",),
    "kubernetes:core/v1:PersistentVolumeClaim": (
        *("spec.accessModes", "spec.storageClassName", "spec.volumeName", "spec.selector"),
    ),
    "kubernetes:core/v1:Secret": ("type", "immutable"),
    "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding": ("roleRef",),
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding": ("roleRef",),
}
#: Groups of the Kubernetes API that every cluster has; objects of all their kinds can be kept.
_API_GROUPS = frozenset(
    {
        *("core", "apps", "batch", "autoscaling", "policy"),
        *("networking.k8s.io", "rbac.authorization.k8s.io", "storage.k8s.io"),
        *("scheduling.k8s.io", "discovery.k8s.io", "coordination.k8s.io"),
    }
)
_KUBERNETES = ("apiVersion", "kind", "metadata.name", "metadata.namespace")

_NO_GROWING_BACK = {
    "openstack:blockstorage/volume:Volume": "size",
    "kubernetes:core/v1:PersistentVolumeClaim": "spec.resources.requests.storage",
}
"""Sizes that can only grow."""


def forces(type_: str, declared: tuple[str, ...] = ()) -> Callable[[str], bool]:
    """Return which property paths of a type cannot change in place.

    Args:
        type_: Pulumi type token.
        declared: What the program itself declares to be replacing (``replace_on_changes``).
    """
    if type_.startswith("pulumi:"):
        return lambda _path: False
    known = _REPLACING.get(type_, ())
    if type_.startswith("kubernetes:"):
        known = (*known, *_KUBERNETES)
    replacing = (*known, *declared)

    def decide(path: str) -> bool:
        return any(not r or path == r or path.startswith((f"{r}.", f"{r}[")) for r in replacing)

    return decide


def refusal(type_: str, kinds: Collection[str]) -> str:
    """Return why the simulated region cannot make a type of resource; empty when it can.

    Args:
        type_: Pulumi type token.
        kinds: The kinds of the region: packages whose types it has.
    """
    package, _, rest = type_.partition(":")
    if package not in kinds:
        return f"the simulated region has no {package}, so it cannot make {type_}"
    known = True
    if package == "openstack":
        known = type_ in _REPLACING
    elif package == "kubernetes":
        group, _, version = rest.partition(":")[0].partition("/")
        known = bool(version) and group in _API_GROUPS
    return "" if known else f"the simulated region does not know {type_}"


def shrinks(type_: str, path: str) -> bool:
    """Tell whether a property is a size that can only grow."""
    return _NO_GROWING_BACK.get(type_) == path


@dataclass(slots=True)
class Surroundings:
    """What the region offers to a new object.

    Attributes:
        deployment, urn, generation: What its ids are derived from, so that a repeated order
            gives the same ones.
        subnet: Finds id and range of a subnet, by its id or by its network's id.
        taken: Addresses that are in use in a pool (a subnet's id, or another name).
        port: Finds the address of a port by its id; empty when there is none.
        pool, allocated: The address that was given to it, and from where; empty when none.
    """

    deployment: str
    urn: str
    generation: int
    subnet: Callable[[str], tuple[str, str] | None]
    taken: Callable[[str], frozenset[str]]
    port: Callable[[str], str] = lambda _id: ""
    pool: str = ""
    allocated: str = ""

    def id(self, purpose: str = "") -> str:
        """Return an id that is always the same for this object and purpose."""
        text = f"{self.deployment}|{self.urn}|{self.generation}|{purpose}"
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"borough:{text}"))

    def address(self, pool: str, cidr: str) -> str:
        """Give it the lowest free address of a range, after the first ten.

        Raises:
            LookupError: The range is full.
        """
        taken = self.taken(pool)
        for number, host in enumerate(ipaddress.ip_network(cidr, strict=False).hosts()):
            if number >= _RESERVED and str(host) not in taken:
                self.pool, self.allocated = pool, str(host)
                return self.allocated
        raise LookupError(f"No more IP addresses available on network {cidr}.")

    def address_in(self, reference: object) -> str:
        """Give it an address of a subnet, or of a network's subnet.

        Raises:
            LookupError: The range is full.
        """
        # A network of another engine or of before has no subnet here; it gets a range of its own.
        return self.address(*(self.subnet(str(reference)) or (str(reference), _DEFAULT_RANGE)))

    def mac(self) -> str:
        """Return a MAC address in Neutron's default range."""
        digits = hashlib.sha256(self.id("mac").encode()).hexdigest()
        return "fa:16:3e:" + ":".join(digits[n : n + 2] for n in (0, 2, 4))


_RESERVED = 10
_DEFAULT_RANGE = "10.0.0.0/24"
FLOATING_RANGE = "203.0.113.0/24"
"""Range for documentation (RFC 5737): public addresses of the simulated region."""
SERVICE_RANGE = "10.96.0.0/16"
BALANCER_RANGE = "198.51.100.0/24"


def physical_id(type_: str, inputs: Mapping[str, Any], around: Surroundings) -> str:
    """Return the id that the cloud gives an object, in the cloud's own form."""
    if type_.startswith("kubernetes:"):
        meta = inputs.get("metadata") or {}
        name = meta.get("name") or around.urn.rpartition("::")[2]
        # Pulumi's ids leave the kind out, and are not unique in a namespace; metering needs that.
        kind = type_.rpartition(":")[2].lower()
        return "/".join(str(p) for p in (kind, meta.get("namespace"), name) if p)
    if type_ in {
        "openstack:identity/project:Project",
        "openstack:identity/user:User",
    }:
        return around.id().replace("-", "")
    if type_.endswith(("quotaSetV2:QuotaSetV2", "quoteSetV3:QuoteSetV3", "quotaV2:QuotaV2")):
        return f"{inputs.get('projectId')}/{inputs.get('region') or 'RegionOne'}"
    if type_ == "openstack:compute/volumeAttach:VolumeAttach":
        return f"{inputs.get('instanceId')}/{inputs.get('volumeId')}"
    if type_ == "openstack:compute/keypair:Keypair":
        return str(inputs.get("name"))
    return around.id()


def computed(type_: str, inputs: Mapping[str, Any], around: Surroundings) -> dict[str, Json]:
    """Return what the cloud adds to what was asked for.

    Raises:
        LookupError: It has no address left to give.
    """
    if type_.startswith("kubernetes:"):
        return _KUBERNETES_ADDS.get(type_, _object)(inputs, around)
    add = _OPENSTACK_ADDS.get(type_)
    return add(inputs, around) if add else {}


def _object(inputs: Mapping[str, Any], around: Surroundings) -> dict[str, Json]:
    given = inputs.get("metadata") or {}
    name = given.get("name") or around.urn.rpartition("::")[2]
    return {"metadata": {"uid": around.id("uid"), "name": name, "generation": 1}}


def _deployment(inputs: Mapping[str, Any], around: Surroundings) -> dict[str, Json]:
    replicas = (inputs.get("spec") or {}).get("replicas", 1)
    status = {"replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas}
    return {**_object(inputs, around), "status": dict[str, Json](status)}


def _service(inputs: Mapping[str, Any], around: Surroundings) -> dict[str, Json]:
    spec = inputs.get("spec") or {}
    found = _object(inputs, around)
    added: dict[str, Json] = {}
    if spec.get("clusterIP") != "None":
        added["clusterIP"] = around.address("services", SERVICE_RANGE)
    if spec.get("type") == "NodePort":
        added["ports"] = _node_ports(spec, around)
    if added:
        found["spec"] = added
    if spec.get("type") == "LoadBalancer":
        found["status"] = {
            "loadBalancer": {"ingress": [{"ip": around.address("balancers", BALANCER_RANGE)}]}
        }
    return found


def _node_ports(spec: Mapping[str, Any], around: Surroundings) -> list[Json]:
    """Return the ports of a Service with those on the nodes, 30000 to 32767 as Kubernetes has it.

    A bundled workload listens there for real, so they come from an id that is its own.
    """
    first = uuid.UUID(around.id("node-port")).int
    return [
        {**port, "nodePort": port.get("nodePort") or 30000 + (first + number) % 2768}
        for number, port in enumerate(spec.get("ports") or [])
    ]


def _claim(inputs: Mapping[str, Any], around: Surroundings) -> dict[str, Json]:
    return {**_object(inputs, around), "status": {"phase": "Bound"}}


def _namespace(inputs: Mapping[str, Any], around: Surroundings) -> dict[str, Json]:
    return {**_object(inputs, around), "status": {"phase": "Active"}}


def _instance(inputs: Mapping[str, Any], around: Surroundings) -> dict[str, Json]:
    networks = [n for n in inputs.get("networks") or [] if isinstance(n, dict)]
    first = networks[0] if networks else {}
    fixed = first.get("fixedIpV4")
    if first.get("port"):
        fixed = around.port(str(first["port"])) or fixed
    if not fixed or is_unknown(fixed):
        fixed = around.address_in(first.get("uuid"))
    attached: dict[str, Json] = {
        "uuid": first.get("uuid", ""),
        "fixedIpV4": fixed,
        "mac": around.mac(),
        "port": first.get("port") or around.id("port"),
    }
    return {
        "accessIpV4": fixed,
        "powerState": "active",
        "networks": [attached, *networks[1:]],
        "availabilityZone": inputs.get("availabilityZone") or "nova",
    }


def _subnet(inputs: Mapping[str, Any], _around: Surroundings) -> dict[str, Json]:
    hosts = ipaddress.ip_network(str(inputs.get("cidr") or _DEFAULT_RANGE), strict=False)
    first, last = hosts[1], hosts[-2]
    pool: dict[str, Json] = {"start": str(hosts[2]), "end": str(last)}
    return {"gatewayIp": str(first), "allocationPools": [pool], "enableDhcp": True}


def _balancer(inputs: Mapping[str, Any], around: Surroundings) -> dict[str, Json]:
    return {
        "vipAddress": around.address_in(inputs.get("vipSubnetId")),
        "vipPortId": around.id("port"),
        "loadbalancerProvider": "amphora",
    }


def _floating_ip(_inputs: Mapping[str, Any], around: Surroundings) -> dict[str, Json]:
    return {"address": around.address("floating", FLOATING_RANGE)}


def _port(inputs: Mapping[str, Any], around: Surroundings) -> dict[str, Json]:
    address = around.address_in(inputs.get("networkId"))
    return {"allFixedIps": [address], "macAddress": around.mac()}


def _key(inputs: Mapping[str, Any], _around: Surroundings) -> dict[str, Json]:
    """Return the fingerprint of an SSH key: MD5 of what it says in base 64, as Nova has it."""
    try:
        blob = base64.b64decode(str(inputs.get("publicKey")).split()[1], validate=True)
    except (IndexError, binascii.Error):
        raise LookupError("Keypair data is invalid: failed to generate fingerprint") from None
    digits = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    pairs = [digits[n : n + 2] for n in range(0, len(digits), 2)]
    return {"fingerprint": ":".join(pairs)}


def _group(_inputs: Mapping[str, Any], _around: Surroundings) -> dict[str, Json]:
    return {"members": []}


def _credential(_inputs: Mapping[str, Any], around: Surroundings) -> dict[str, Json]:
    return {"projectId": around.id("project").replace("-", "")}


def _s3_key(inputs: Mapping[str, Any], around: Surroundings) -> dict[str, Json]:
    return {
        "access": around.id("access").replace("-", ""),
        "userId": str(inputs.get("userId") or around.id("user").replace("-", "")),
    }


def given_secrets(type_: str, physical_id: str) -> dict[str, Json]:
    """Return secrets that a cloud makes up with an object; they are not kept.

    They open nothing: the region is simulated. They are the same as long as the object is, and are
    marked as secret, so that they are treated as those of a real cloud are.
    """
    if type_ != "openstack:identity/ec2CredentialV3:Ec2CredentialV3":
        return {}
    text = f"simulated secret of {physical_id}"
    return {"secret": {"$clear": hashlib.sha256(text.encode()).hexdigest()[:32]}}


def _volume(_inputs: Mapping[str, Any], _around: Surroundings) -> dict[str, Json]:
    return {"availabilityZone": "nova", "attachments": []}


def _attachment(_inputs: Mapping[str, Any], _around: Surroundings) -> dict[str, Json]:
    return {"device": "/dev/vdb"}


def _interface(_inputs: Mapping[str, Any], around: Surroundings) -> dict[str, Json]:
    return {"portId": around.id("port")}


Adds = Callable[[Mapping[str, Any], Surroundings], dict[str, Json]]

_OPENSTACK_ADDS: Mapping[str, Adds] = {
    "openstack:compute/instance:Instance": _instance,
    "openstack:networking/subnet:Subnet": _subnet,
    "openstack:networking/port:Port": _port,
    "openstack:networking/floatingIp:FloatingIp": _floating_ip,
    "openstack:networking/routerInterface:RouterInterface": _interface,
    "openstack:loadbalancer/loadBalancer:LoadBalancer": _balancer,
    "openstack:blockstorage/volume:Volume": _volume,
    "openstack:compute/keypair:Keypair": _key,
    "openstack:compute/serverGroup:ServerGroup": _group,
    "openstack:identity/applicationCredential:ApplicationCredential": _credential,
    "openstack:identity/ec2CredentialV3:Ec2CredentialV3": _s3_key,
    "openstack:compute/volumeAttach:VolumeAttach": _attachment,
}
_KUBERNETES_ADDS: Mapping[str, Adds] = {
    "kubernetes:core/v1:Namespace": _namespace,
    "kubernetes:core/v1:Service": _service,
    "kubernetes:core/v1:PersistentVolumeClaim": _claim,
    "kubernetes:apps/v1:Deployment": _deployment,
    "kubernetes:apps/v1:StatefulSet": _deployment,
}
