"""How the servers are reached: ports, security group, balancer, public addresses."""

from collections.abc import Mapping

import pulumi
import pulumi_openstack as osk
from platform_context import Context
from pulumi import ResourceOptions

ANYWHERE = "0.0.0.0/0"
SSH = 22


def firewall(context: Context, options: ResourceOptions) -> osk.networking.SecGroup:
    """Declare who may reach the servers: each other, the open ports, and the city by SSH."""
    # Only words, that cannot change in place: a rule that was imported keeps its own.
    rule = ResourceOptions.merge(options, ResourceOptions(ignore_changes=["description"]))
    group = osk.networking.SecGroup(
        "servers",
        name=f"{context.name}-servers",
        description=context.describe("Who may reach the servers"),
        tags=context.tags("servers"),
        opts=options,
    )
    osk.networking.SecGroupRule(
        "servers-inside",
        direction="ingress",
        ethertype="IPv4",
        remote_group_id=group.id,
        security_group_id=group.id,
        description=context.describe("The servers of the group, each other"),
        opts=rule,
    )
    city = context.facts("openstack").get("city_cidr", "10.0.0.0/8")
    everybody = context.inputs["exposure"] == "internet"
    wanted = dict.fromkeys(context.inputs["ports"], ANYWHERE if everybody else city)
    if context.inputs["ssh_public_key"]:
        wanted.setdefault(SSH, city)
    for port, sender in sorted(wanted.items()):
        osk.networking.SecGroupRule(
            f"servers-tcp-{port}",
            direction="ingress",
            ethertype="IPv4",
            protocol="tcp",
            port_range_min=port,
            port_range_max=port,
            remote_ip_prefix=sender,
            description=context.describe(f"TCP {port}"),
            security_group_id=group.id,
            opts=rule,
        )
    return group


def ports(
    context: Context, group: osk.networking.SecGroup, options: ResourceOptions
) -> list[osk.networking.Port]:
    """Declare the servers' ports: what keeps an address when its server is replaced."""
    place = context.deployment["tenancy_outputs"]
    return [
        osk.networking.Port(
            f"port-{number}",
            name=f"{context.name}-{number}",
            description=context.describe("Port of a server"),
            network_id=place["network_id"],
            admin_state_up=True,
            fixed_ips=[{"subnet_id": place["subnet_id"]}],
            security_group_ids=[group.id],
            tags=context.tags(f"port-{number}"),
            opts=options,
        )
        for number in range(1, context.inputs["servers"] + 1)
    ]


def balancer(
    context: Context, addresses: list[pulumi.Output[str]], options: ResourceOptions
) -> osk.loadbalancer.LoadBalancer:
    """Declare one address that shares every open port among the servers."""
    subnet = context.deployment["tenancy_outputs"]["subnet_id"]
    made = osk.loadbalancer.LoadBalancer(
        "balancer",
        name=f"{context.name}-balancer",
        description=context.describe("Load balancer of the servers"),
        vip_subnet_id=subnet,
        tags=context.tags("balancer"),
        opts=options,
    )
    for port in sorted(context.inputs["ports"]):
        listener = osk.loadbalancer.Listener(
            f"listener-{port}",
            name=f"{context.name}-{port}",
            loadbalancer_id=made.id,
            protocol="TCP",
            protocol_port=port,
            tags=context.tags(f"listener-{port}"),
            opts=options,
        )
        pool = osk.loadbalancer.Pool(
            f"pool-{port}",
            name=f"{context.name}-{port}",
            listener_id=listener.id,
            protocol="TCP",
            lb_method="ROUND_ROBIN",
            opts=options,
        )
        for number, address in enumerate(addresses, start=1):
            osk.loadbalancer.Member(
                f"member-{port}-{number}",
                name=f"{context.name}-{number}",
                pool_id=pool.id,
                address=address,
                protocol_port=port,
                subnet_id=subnet,
                opts=options,
            )
        osk.loadbalancer.Monitor(
            f"health-{port}",
            name=f"{context.name}-{port}",
            pool_id=pool.id,
            type="TCP",
            delay=10,
            timeout=5,
            max_retries=3,
            opts=options,
        )
    return made


def public_addresses(
    context: Context, doors: Mapping[str, pulumi.Input[str]], options: ResourceOptions
) -> list[pulumi.Output[str]]:
    """Declare an address on the internet for each port of the network."""
    pool = context.facts("openstack").get("external_network_name")
    if not pool:
        raise ValueError("the region has no public addresses")
    return [
        osk.networking.FloatingIp(
            name,
            pool=pool,
            port_id=port,
            description=context.describe("Public address of the servers"),
            tags=context.tags(name),
            opts=options,
        ).address
        for name, port in doors.items()
    ]
