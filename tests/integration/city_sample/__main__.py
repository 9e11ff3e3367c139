"""A little of both clouds: things that are made in a moment, and things that take their time."""

import base64
import json

import pulumi
import pulumi_kubernetes as k8s
import pulumi_openstack as osk
from pulumi import ResourceOptions

config = pulumi.Config()
inputs = config.require_object("inputs")
region = config.require_object("region")
deployment = config.require_object("deployment")
credentials = config.require_secret("credentials").apply(json.loads)
name = deployment["name"]


def marks(resource: str) -> dict[str, str]:
    """What every resource carries."""
    return {"borough.deployment": deployment["id"], "borough.resource": resource}


def tags(resource: str) -> list[str]:
    """The marks as tags of OpenStack."""
    return sorted(f"{key}={value}" for key, value in marks(resource).items())


def words(resource: str) -> str:
    """The mark in words. OpenStack's networks get their tags by a call of its own, later."""
    return f"{resource} ({deployment['id']})"


def metadata(resource: str, namespace: object = None) -> dict[str, object]:
    """The marks as labels of Kubernetes."""
    labels = {key.replace("borough.", "borough.dev/"): v for key, v in marks(resource).items()}
    place = {"namespace": namespace} if namespace is not None else {}
    return {"name": name if namespace is None else resource, "labels": labels, **place}


admin = ResourceOptions(
    provider=osk.Provider(
        "administrator",
        auth_url=region["openstack"]["auth_url"],
        region=region["openstack"]["region_name"],
        user_name="admin",
        user_domain_name="Default",
        tenant_name="admin",
        project_domain_name="Default",
        password=credentials.apply(lambda c: c["region"]["openstack"]["password"]),
    )
)
cluster = ResourceOptions(
    provider=k8s.Provider(
        "cluster",
        kubeconfig=credentials.apply(lambda c: c["region"]["kubernetes"]["kubeconfig"]),
        enable_patch_force=True,
    )
)

network = osk.networking.Network(
    "network",
    name=name,
    description=words("network"),
    admin_state_up=True,
    tags=tags("network"),
    opts=admin,
)
subnet = osk.networking.Subnet(
    "subnet",
    name=name,
    description=words("subnet"),
    network_id=network.id,
    ip_version=4,
    cidr="10.99.0.0/24",
    tags=tags("subnet"),
    opts=admin,
)
group = osk.networking.SecGroup(
    "group", name=name, description=words("group"), tags=tags("group"), opts=admin
)
osk.networking.SecGroupRule(
    "rule",
    direction="ingress",
    ethertype="IPv4",
    protocol="tcp",
    port_range_min=443,
    port_range_max=443,
    security_group_id=group.id,
    opts=admin,
)
osk.blockstorage.Volume("volume", name=name, size=1, metadata=marks("volume"), opts=admin)
osk.compute.Instance(
    "server",
    name=name,
    flavor_id=region["openstack"]["flavor_id"],
    image_id=region["openstack"]["image_id"],
    networks=[{"uuid": network.id}],
    metadata=marks("server"),
    opts=ResourceOptions(provider=admin.provider, depends_on=[subnet]),
)

namespace = k8s.core.v1.Namespace("namespace", metadata=metadata("namespace"), opts=cluster)
place = namespace.metadata.name
for number in range(inputs.get("maps", 3)):
    k8s.core.v1.ConfigMap(
        f"map-{number}",
        metadata=metadata(f"map-{number}", place),
        data={"number": str(number)},
        opts=cluster,
    )
k8s.core.v1.Secret(
    "secret",
    metadata=metadata("secret", place),
    data={"word": base64.b64encode(b"of no worth").decode()},
    opts=cluster,
)
k8s.core.v1.ServiceAccount("account", metadata=metadata("account", place), opts=cluster)
pulumi.export("network_id", network.id)
