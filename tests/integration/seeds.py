"""What the devcloud's OpenStack has from its operator: sizes, an image and a way out."""

from openstack.connection import Connection

FLAVORS = {  # name: virtual processors, memory in MiB, disk in GiB
    "city.small": (1, 1024, 10),
    "city.medium": (2, 4096, 20),
    "city.large": (4, 8192, 40),
    # Stand for models of physical servers: there is no Ironic.
    "metal.general": (2, 2048, 20),
    "metal.storage": (2, 3072, 20),
}
IMAGE = "debian-12"
OTHER_IMAGE = "debian-13"
EXTERNAL_NETWORK = "external"


def seed(connection: Connection) -> None:
    """Make what is missing; what is there is kept, so that it may be called at any time."""
    sizes = {flavor.name for flavor in connection.compute.flavors()}
    for name, (vcpus, ram, disk) in FLAVORS.items():
        if name not in sizes:
            connection.compute.create_flavor(name=name, vcpus=vcpus, ram=ram, disk=disk)
    for name in (IMAGE, OTHER_IMAGE):
        if not list(connection.image.images(name=name)):
            connection.image.create_image(
                name=name,
                disk_format="raw",
                container_format="bare",
                visibility="public",
                data=b"\0" * 65536,  # the devcloud's hypervisor boots nothing
            )
    if not list(connection.network.networks(name=EXTERNAL_NETWORK)):
        network = connection.network.create_network(
            name=EXTERNAL_NETWORK,
            is_router_external=True,
            provider_network_type="flat",
            provider_physical_network="public4",
        )
        connection.network.create_subnet(
            network_id=network.id, ip_version=4, cidr="198.51.100.0/24", enable_dhcp=False
        )
