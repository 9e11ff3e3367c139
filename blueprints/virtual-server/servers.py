"""The servers, their key, their distribution over hosts, and their volumes."""

import hashlib

import pulumi_openstack as osk
from platform_context import Context
from pulumi import ResourceOptions

#: What Nova calls the choices of ``placement``.
POLICIES = {"apart": "soft-anti-affinity", "strictly-apart": "anti-affinity"}


def declare(
    context: Context, ports: list[osk.networking.Port], options: ResourceOptions
) -> list[osk.compute.Instance]:
    """Declare a server for each port, with its volume.

    A port is in use as long as its server stands, so a server that must be replaced goes before
    the new one comes; address and volume stay. A volume cannot grow while its server is resized,
    so the server waits for the volume.
    """
    key = _key(context, options)
    apart = _apart(context, options)
    made = []
    for number, port in enumerate(ports, start=1):
        volume = _volume(context, number, options)
        own = ResourceOptions(delete_before_replace=True, depends_on=[volume] if volume else [])
        server = osk.compute.Instance(
            f"server-{number}",
            name=f"{context.name}-{number}",
            flavor_id=context.flavor(context.inputs["size"]),
            image_id=_image(context),
            key_pair=key.name if key else context.inputs["key_name"] or None,
            networks=[{"port": port.id}],
            user_data=context.inputs["user_data"] or None,
            scheduler_hints=[{"group": apart.id}] if apart else None,
            metadata=context.marks(f"server-{number}"),
            opts=ResourceOptions.merge(options, own),
        )
        if volume:
            osk.compute.VolumeAttach(
                f"attached-{number}", instance_id=server.id, volume_id=volume.id, opts=options
            )
        made.append(server)
    return made


def _key(context: Context, options: ResourceOptions) -> osk.compute.Keypair | None:
    """Declare the key; its name follows from it, so that another key means other servers."""
    key = context.inputs["ssh_public_key"]
    if not key:
        return None
    short = hashlib.sha256(key.encode()).hexdigest()[:8]
    return osk.compute.Keypair(
        "key",
        name=f"{context.name}-{short}-{context.deployment['id']}",
        public_key=key,
        opts=options,
    )


def _apart(context: Context, options: ResourceOptions) -> osk.compute.ServerGroup | None:
    policy = POLICIES.get(context.inputs["placement"])
    if policy is None:
        return None
    return osk.compute.ServerGroup(
        "apart",
        name=f"{context.name}-{context.deployment['id']}",
        policies=policy,
        opts=options,
    )


def _image(context: Context) -> str:
    wanted = context.inputs["image"]
    if not wanted:
        return context.image()
    images = context.facts("openstack")["images"]
    known = images if isinstance(images, dict) else {name: name for name in images}
    if wanted not in known:
        names = ", ".join(sorted(known))
        raise ValueError(f"the region has no image {wanted!r}; it has {names}")
    return known[wanted]


def _volume_type(context: Context) -> str | None:
    facts = context.facts("openstack")
    kinds = facts.get("volume_types") or {}
    wanted = context.inputs["storage"]
    if wanted in kinds:
        return kinds[wanted]
    if wanted != "standard":
        names = ", ".join(sorted({"standard", *kinds}))
        raise ValueError(f"the region has no volumes of the kind {wanted!r}; it has {names}")
    return facts.get("volume_type")


def _volume(
    context: Context, number: int, options: ResourceOptions
) -> osk.blockstorage.Volume | None:
    if not context.inputs["volume_gb"]:
        return None
    return osk.blockstorage.Volume(
        f"data-{number}",
        name=f"{context.name}-data-{number}",
        description=context.describe("Data of a server"),
        size=context.inputs["volume_gb"],
        volume_type=_volume_type(context),
        enable_online_resize=True,
        metadata=context.marks(f"data-{number}"),
        opts=options,
    )
