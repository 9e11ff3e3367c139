"""Object storage: containers with a limit, and a key to them."""

import keys
import pulumi
import pulumi_openstack as osk
from platform_context import Context
from pulumi import ResourceOptions

#: Bytes of a GB, as OpenStack counts them for volumes.
GB = 1024**3

context = Context()
facts = context.facts("openstack")
if "openstack" not in context.region["kinds"]:
    raise ValueError(f"the region has {', '.join(context.region['kinds'])}, and not openstack")
store = facts.get("object_storage")
if store is None:
    raise ValueError("the region has no object storage")
ordered = context.inputs
kind = ordered["storage_class"]
policies = store.get("policies") or {}
if kind != "standard" and kind not in policies:
    names = ", ".join(sorted({"standard", *policies}))
    raise ValueError(f"the region has no storage of the kind {kind!r}; it has {names}")
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
for name in ordered["containers"]:
    osk.objectstorage.Container(
        f"container-{name}",
        name=f"{context.name}-{name}",
        storage_policy=policies.get(kind),
        versioning=ordered["versioning"],
        container_read=".r:*" if ordered["public_read"] else None,
        force_destroy=ordered["delete_content"],
        # Swift keeps metadata as headers, and headers are words with hyphens.
        metadata={
            "Quota-Bytes": str(ordered["size_gb"] * GB),
            **{
                name.title().replace(".", "-"): value
                for name, value in context.marks(f"container-{name}").items()
            },
        },
        opts=options,
    )
pulumi.export("containers", [f"{context.name}-{name}" for name in ordered["containers"]])
if ordered["access"] == "s3":
    keys.for_s3(context, store, options)
else:
    keys.for_openstack(context, options)
