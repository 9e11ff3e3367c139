"""On OpenStack: servers with a volume each, a security group, a load balancer."""

import pulumi
import pulumi_openstack as osk
from platform_context import Context
from pulumi import ResourceOptions

PORT = 80

#: Makes a fresh server answer, until the application is deployed onto it.
USER_DATA = """#cloud-config
write_files:
  - path: /srv/borough/index.html
    content: |
      <!doctype html><meta charset="utf-8"><title>{name}</title><h1>{name}</h1>
  - path: /etc/systemd/system/borough-placeholder.service
    content: |
      [Unit]
      Description=Placeholder page until the application is deployed
      After=network-online.target
      [Service]
      ExecStart=/usr/bin/python3 -m http.server {port} --directory /srv/borough
      DynamicUser=yes
      AmbientCapabilities=CAP_NET_BIND_SERVICE
      Restart=always
      [Install]
      WantedBy=multi-user.target
runcmd:
  - systemctl daemon-reload
  - systemctl enable --now borough-placeholder.service
"""


def declare(context: Context) -> None:
    """Declare the application in the project of its tenancy."""
    place = context.deployment["tenancy_outputs"]
    options = ResourceOptions(provider=_tenant(context, place))
    group = _security_group(context, options)
    volume = _volume(context, options)
    # A volume cannot grow while a server that has it is resized, so servers wait for it.
    after = ResourceOptions.merge(options, ResourceOptions(depends_on=[volume]))
    servers = [
        _server(context, place, group, number, after)
        for number in range(1, context.inputs["servers"] + 1)
    ]
    _attach(context, volume, servers, options)
    balancer = _balancer(context, place, servers, options)
    address = _address(context, balancer, options)
    pulumi.export("address", address)
    pulumi.export("url", address.apply(lambda ip: f"http://{ip}/"))
    pulumi.export("server_ids", [server.id for server in servers])
    pulumi.export("server_addresses", [server.access_ip_v4 for server in servers])
    pulumi.export("load_balancer_id", balancer.id)


def _tenant(context: Context, place: dict[str, str]) -> osk.Provider:
    facts = context.facts("openstack")
    return osk.Provider(
        "tenant",
        auth_url=facts["auth_url"],
        region=facts.get("region_name"),
        user_name=place["user_name"],
        user_domain_name=facts.get("domain", "Default"),
        password=context.secret("tenancy", "user_password"),
        tenant_id=place["project_id"],
    )


def _security_group(context: Context, options: ResourceOptions) -> osk.networking.SecGroup:
    group = osk.networking.SecGroup(
        "web",
        name=f"{context.name}-web",
        description=context.describe("Who may reach the application"),
        tags=context.tags("web"),
        opts=options,
    )
    everybody = context.inputs["exposure"] == "internet"
    osk.networking.SecGroupRule(
        "web-http",
        direction="ingress",
        ethertype="IPv4",
        protocol="tcp",
        port_range_min=PORT,
        port_range_max=PORT,
        remote_ip_prefix="0.0.0.0/0"
        if everybody
        else context.facts("openstack").get("city_cidr", "10.0.0.0/8"),
        description=context.describe("The application"),
        security_group_id=group.id,
        opts=options,
    )
    return group


def _server(
    context: Context,
    place: dict[str, str],
    group: osk.networking.SecGroup,
    number: int,
    options: ResourceOptions,
) -> osk.compute.Instance:
    return osk.compute.Instance(
        f"server-{number}",
        name=f"{context.name}-{number}",
        flavor_id=context.flavor(context.inputs["size"]),
        image_id=context.image(),
        networks=[{"uuid": place["network_id"]}],
        security_groups=[group.name],
        user_data=USER_DATA.format(name=context.name, port=PORT),
        metadata=context.marks(f"server-{number}"),
        opts=options,
    )


def _volume(context: Context, options: ResourceOptions) -> osk.blockstorage.Volume:
    facts = context.facts("openstack")
    return osk.blockstorage.Volume(
        "data",
        name=f"{context.name}-data",
        description=context.describe("Data of the application"),
        size=context.inputs["volume_gb"],
        volume_type=facts.get("shared_volume_type") or facts.get("volume_type"),
        enable_online_resize=True,
        metadata=context.marks("data"),
        opts=options,
    )


def _attach(
    context: Context,
    volume: osk.blockstorage.Volume,
    servers: list[osk.compute.Instance],
    options: ResourceOptions,
) -> None:
    """Attach the data volume: to every server where the region's volumes can be shared."""
    shared = context.facts("openstack").get("shared_volume_type")
    for number, server in enumerate(servers if shared else servers[:1], start=1):
        osk.compute.VolumeAttach(
            f"data-{number}",
            instance_id=server.id,
            volume_id=volume.id,
            multiattach=bool(shared) or None,
            opts=options,
        )


def _balancer(
    context: Context,
    place: dict[str, str],
    servers: list[osk.compute.Instance],
    options: ResourceOptions,
) -> osk.loadbalancer.LoadBalancer:
    balancer = osk.loadbalancer.LoadBalancer(
        "balancer",
        name=f"{context.name}-balancer",
        description=context.describe("Load balancer of the application"),
        vip_subnet_id=place["subnet_id"],
        tags=context.tags("balancer"),
        opts=options,
    )
    listener = osk.loadbalancer.Listener(
        "http",
        name=f"{context.name}-http",
        loadbalancer_id=balancer.id,
        protocol="HTTP",
        protocol_port=PORT,
        tags=context.tags("http"),
        opts=options,
    )
    pool = osk.loadbalancer.Pool(
        "servers",
        name=f"{context.name}-servers",
        listener_id=listener.id,
        protocol="HTTP",
        lb_method="ROUND_ROBIN",
        opts=options,
    )
    for number, server in enumerate(servers, start=1):
        osk.loadbalancer.Member(
            f"member-{number}",
            name=f"{context.name}-{number}",
            pool_id=pool.id,
            address=server.access_ip_v4,
            protocol_port=PORT,
            subnet_id=place["subnet_id"],
            opts=options,
        )
    osk.loadbalancer.Monitor(
        "health",
        name=f"{context.name}-health",
        pool_id=pool.id,
        type="HTTP",
        url_path="/",
        expected_codes="200-399",
        delay=10,
        timeout=5,
        max_retries=3,
        opts=options,
    )
    return balancer


def _address(
    context: Context, balancer: osk.loadbalancer.LoadBalancer, options: ResourceOptions
) -> pulumi.Output[str]:
    """Return where the application is reached: inside, or a public address where there are any."""
    pool = context.facts("openstack").get("external_network_name")
    if context.inputs["exposure"] != "internet" or not pool:
        return balancer.vip_address
    public = osk.networking.FloatingIp(
        "public-address",
        pool=pool,
        port_id=balancer.vip_port_id,
        description=context.describe("Public address of the application"),
        tags=context.tags("public-address"),
        opts=options,
    )
    return public.address
