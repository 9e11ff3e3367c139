"""Keys to the containers, made as the tenancy's own user."""

from typing import Any

import pulumi
import pulumi_openstack as osk
from platform_context import Context
from pulumi import ResourceOptions


def for_s3(context: Context, store: dict[str, Any], options: ResourceOptions) -> None:
    """Declare a key pair for the S3 interface; Keystone makes both halves up."""
    facts = context.facts("openstack")
    place = context.deployment["tenancy_outputs"]
    made = osk.identity.Ec2CredentialV3(
        f"s3-key-{context.inputs['key_generation']}",
        project_id=place["project_id"],
        opts=options,
    )
    pulumi.export("s3_endpoint", store.get("s3_url") or "")
    pulumi.export("s3_region", facts.get("region_name") or "")
    pulumi.export("access_key", made.access)
    pulumi.export("secret_key", pulumi.Output.secret(made.secret))


def for_openstack(context: Context, options: ResourceOptions) -> None:
    """Declare an application credential; its secret follows from the deployment's seed."""
    facts = context.facts("openstack")
    number = context.inputs["key_generation"]
    secret = context.derive(f"application credential {number}")
    made = osk.identity.ApplicationCredential(
        f"credential-{number}",
        name=f"{context.name}-{number}",
        description=context.describe("Key to the object storage"),
        # Not the other roles of the user: the key is for what is stored.
        roles=["member"],
        secret=secret,
        opts=options,
    )
    pulumi.export("auth_url", facts["auth_url"])
    pulumi.export("credential_id", made.id)
    pulumi.export("credential_secret", secret)
