"""Physical servers of the region's register, on the tenancy's network."""

import hashlib
from typing import Any

import pulumi
import pulumi_openstack as osk
from platform_context import Context
from pulumi import ResourceOptions

context = Context()
facts = context.facts("openstack")
ordered = context.inputs


def registered() -> dict[str, Any]:
    """Return the region's register entry of the model.

    Raises:
        ValueError: The region has none of it, or not as many.
    """
    if "openstack" not in context.region["kinds"]:
        raise ValueError(f"the region has {', '.join(context.region['kinds'])}, and not openstack")
    known = facts.get("bare_servers") or {}
    found = known.get(ordered["model"])
    if found is None:
        names = ", ".join(sorted(known)) or "none"
        raise ValueError(f"the region has no physical servers {ordered['model']!r}; it has {names}")
    most = found.get("registered")
    if most is not None and ordered["servers"] > most:
        raise ValueError(f"the region has registered {most} physical servers {ordered['model']!r}")
    return found


def image(entry: dict[str, Any]) -> str:
    """Return the id of the image that was asked for, or of the usual one for the model."""
    images = facts["images"]
    known = images if isinstance(images, dict) else {name: name for name in images}
    wanted = ordered["image"] or entry.get("image") or ""
    if not wanted:
        return context.image()
    if wanted not in known:
        names = ", ".join(sorted(known))
        raise ValueError(f"the region has no image {wanted!r}; it has {names}")
    return known[wanted]


entry = registered()
place = context.deployment["tenancy_outputs"]
options = ResourceOptions(
    provider=osk.Provider(
        "tenant",
        auth_url=facts["auth_url"],
        region=facts.get("region_name"),
        user_name=place["user_name"],
        user_domain_name=facts.get("domain", "Default"),
        password=context.secret("tenancy", "user_password"),
        tenant_id=place["project_id"],
    )
)
# A machine holds its port, and there may be no second machine: the old one goes first.
# Nova would resize to another model; a machine cannot be resized.
first_out = ResourceOptions.merge(
    options,
    ResourceOptions(delete_before_replace=True, replace_on_changes=["flavorId"]),
)
key = None
if ordered["ssh_public_key"]:
    # Its name follows from the key, so that another key means other servers.
    short = hashlib.sha256(ordered["ssh_public_key"].encode()).hexdigest()[:8]
    key = osk.compute.Keypair(
        "key",
        name=f"{context.name}-{short}-{context.deployment['id']}",
        public_key=ordered["ssh_public_key"],
        opts=options,
    )
ids, addresses = [], []
for number in range(1, ordered["servers"] + 1):
    port = osk.networking.Port(
        f"port-{number}",
        name=f"{context.name}-{number}",
        description=context.describe("Port of a physical server"),
        network_id=place["network_id"],
        admin_state_up=True,
        fixed_ips=[{"subnet_id": place["subnet_id"]}],
        tags=context.tags(f"port-{number}"),
        opts=options,
    )
    server = osk.compute.Instance(
        f"server-{number}",
        name=f"{context.name}-{number}",
        # The flavor stands for the model: its resource class is that of the machines.
        flavor_id=entry["id"],
        image_id=image(entry),
        key_pair=key.name if key else None,
        networks=[{"port": port.id}],
        config_drive=True,
        user_data=ordered["user_data"] or None,
        metadata={**context.marks(f"server-{number}"), "borough.model": ordered["model"]},
        opts=first_out,
    )
    ids.append(server.id)
    addresses.append(port.all_fixed_ips.apply(lambda found: found[0]))
pulumi.export("server_ids", ids)
pulumi.export("server_addresses", addresses)
