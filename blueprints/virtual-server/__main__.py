"""A virtual server, or a group of equal ones, with what belongs to them."""

import pulumi
import pulumi_openstack as osk
import reach
import servers
from platform_context import Context
from pulumi import ResourceOptions

context = Context()
facts = context.facts("openstack")
if "openstack" not in context.region["kinds"]:
    raise ValueError(f"the region has {', '.join(context.region['kinds'])}, and not openstack")
place = context.deployment["tenancy_outputs"]
tenant = osk.Provider(
    "tenant",
    auth_url=facts["auth_url"],
    region=facts.get("region_name"),
    user_name=place["user_name"],
    user_domain_name=facts.get("domain", "Default"),
    password=context.secret("tenancy", "user_password"),
    tenant_id=place["project_id"],
)
options = ResourceOptions(provider=tenant)

group = reach.firewall(context, options)
ports = reach.ports(context, group, options)
made = servers.declare(context, ports, options)
inside = [port.all_fixed_ips.apply(lambda found: found[0]) for port in ports]
pulumi.export("server_ids", [server.id for server in made])
pulumi.export("server_addresses", inside)
address = inside[0]
if context.inputs["load_balancer"]:
    balancer = reach.balancer(context, inside, options)
    pulumi.export("load_balancer_id", balancer.id)
    address = balancer.vip_address
    doors = {"public-address": balancer.vip_port_id}
else:
    doors = {f"public-address-{n}": port.id for n, port in enumerate(ports, start=1)}
if context.inputs["public_address"]:
    public = reach.public_addresses(context, doors, options)
    pulumi.export("public_addresses", public)
    address = public[0]
pulumi.export("address", address)
