"""The OpenStack part: project, user, quotas, network."""

import pulumi
import pulumi_openstack as osk
from platform_context import Context
from pulumi import ResourceOptions

#: Roles that the tenancy's user gets where the region has them.
ROLES = ("member", "load-balancer_member")


def declare(context: Context) -> None:
    """Declare the project and all that belongs to it."""
    admin = ResourceOptions(provider=_administrator(context))
    project = osk.identity.Project(
        "project",
        name=context.name,
        description=context.describe(context.inputs.get("description") or context.name),
        tags=context.tags("project"),
        opts=admin,
    )
    quotas = _quotas(context, project, admin)
    user = osk.identity.User(
        "user",
        name=f"{context.name}-user",
        description=context.describe("User of the tenancy's deployments"),
        password=context.derive("openstack user"),
        default_project_id=project.id,
        opts=admin,
    )
    grants = [
        osk.identity.RoleAssignment(
            f"role-{name}", user_id=user.id, project_id=project.id, role_id=role, opts=admin
        )
        for name, role in _roles(context, admin).items()
    ]
    # A tenant's network belongs to the tenant: the administrator may not make parts of it.
    tenant = osk.Provider(
        "tenant",
        auth_url=context.facts("openstack")["auth_url"],
        region=context.facts("openstack").get("region_name"),
        user_name=user.name,
        user_domain_name=context.facts("openstack").get("domain", "Default"),
        password=context.derive("openstack user"),
        tenant_id=project.id,
        opts=ResourceOptions(depends_on=grants),
    )
    _network(context, ResourceOptions(provider=tenant, depends_on=quotas))
    pulumi.export("project_id", project.id)
    pulumi.export("project_name", project.name)
    pulumi.export("user_name", user.name)
    pulumi.export("user_password", context.derive("openstack user"))


def _administrator(context: Context) -> osk.Provider:
    facts = context.facts("openstack")
    return osk.Provider(
        "administrator",
        auth_url=facts["auth_url"],
        region=facts.get("region_name"),
        user_name=context.secret("region", "openstack", "user_name"),
        password=context.secret("region", "openstack", "password"),
        tenant_name=context.secret("region", "openstack", "project_name"),
        user_domain_name=context.secret(
            "region", "openstack", "user_domain_name", default="Default"
        ),
        project_domain_name=context.secret(
            "region", "openstack", "project_domain_name", default="Default"
        ),
    )


def _roles(context: Context, admin: ResourceOptions) -> dict[str, pulumi.Input[str]]:
    known = context.facts("openstack").get("roles")
    if known:
        return {name: known[name] for name in ROLES if name in known}
    found = osk.identity.get_role_output(
        name=ROLES[0], opts=pulumi.InvokeOptions(provider=admin.provider)
    )
    return {ROLES[0]: found.id}


def _quotas(
    context: Context, project: osk.identity.Project, admin: ResourceOptions
) -> list[pulumi.Resource]:
    """Declare every limit: what is left out would become 0."""
    ordered = context.inputs
    instances = ordered.get("instances") or ordered["vcpus"]
    volumes = instances * 2
    return [
        osk.compute.QuotaSetV2(
            "compute-quota",
            project_id=project.id,
            cores=ordered["vcpus"],
            ram=ordered["ram_gb"] * 1024,
            instances=instances,
            key_pairs=20,
            metadata_items=128,
            server_groups=20,
            server_group_members=20,
            injected_files=5,
            injected_file_content_bytes=10240,
            injected_file_path_bytes=255,
            opts=admin,
        ),
        osk.blockstorage.QuoteSetV3(
            "storage-quota",
            project_id=project.id,
            gigabytes=ordered["volume_gb"],
            volumes=volumes,
            per_volume_gigabytes=-1,
            snapshots=volumes,
            backups=volumes,
            backup_gigabytes=ordered["volume_gb"],
            groups=0,
            opts=admin,
        ),
        osk.networking.QuotaV2(
            "network-quota",
            project_id=project.id,
            network=2,
            subnet=4,
            router=1,
            port=instances * 2 + ordered["load_balancers"] * 2 + 10,
            floatingip=ordered["floating_ips"],
            security_group=40,
            security_group_rule=400,
            subnetpool=1,
            rbac_policy=10,
            opts=admin,
        ),
        osk.loadbalancer.Quota(
            "balancer-quota",
            project_id=project.id,
            loadbalancer=ordered["load_balancers"],
            listener=ordered["load_balancers"] * 4,
            pool=ordered["load_balancers"] * 4,
            health_monitor=ordered["load_balancers"] * 4,
            member=ordered["load_balancers"] * 4 * 16,
            l7_policy=ordered["load_balancers"] * 4,
            l7_rule=ordered["load_balancers"] * 4,
            opts=admin,
        ),
    ]


def _network(context: Context, tenant: ResourceOptions) -> None:
    network = osk.networking.Network(
        "network",
        name=f"{context.name}-network",
        description=context.describe("Network of the tenancy"),
        admin_state_up=True,
        tags=context.tags("network"),
        # Nova tells a server's addresses by its network's name and learns of another name late;
        # until then a refresh finds the server in no network. An imported one keeps its name.
        opts=ResourceOptions.merge(tenant, ResourceOptions(ignore_changes=["name"])),
    )
    subnet = osk.networking.Subnet(
        "subnet",
        name=f"{context.name}-subnet",
        description=context.describe("Subnet of the tenancy"),
        network_id=network.id,
        ip_version=4,
        cidr=context.inputs["network_cidr"],
        dns_nameservers=context.facts("openstack").get("dns_servers") or [],
        tags=context.tags("subnet"),
        opts=tenant,
    )
    pulumi.export("network_id", network.id)
    pulumi.export("subnet_id", subnet.id)
    group = osk.networking.SecGroup(
        "inside",
        name=f"{context.name}-inside",
        description=context.describe("Anything between servers of the tenancy"),
        tags=context.tags("inside"),
        opts=tenant,
    )
    osk.networking.SecGroupRule(
        "inside-any",
        direction="ingress",
        ethertype="IPv4",
        description=context.describe("From members of the same group"),
        security_group_id=group.id,
        remote_group_id=group.id,
        # Only words, that cannot change in place: a rule that was imported keeps its own.
        opts=ResourceOptions.merge(tenant, ResourceOptions(ignore_changes=["description"])),
    )
    pulumi.export("inside_group_id", group.id)
    external = context.facts("openstack").get("external_network_id")
    if not external:
        return
    router = osk.networking.Router(
        "router",
        name=f"{context.name}-router",
        description=context.describe("Way out of the tenancy"),
        admin_state_up=True,
        external_network_id=external,
        tags=context.tags("router"),
        opts=tenant,
    )
    osk.networking.RouterInterface(
        "router-subnet", router_id=router.id, subnet_id=subnet.id, opts=tenant
    )
    pulumi.export("router_id", router.id)
