"""What OpenStack says of its objects, in the words of Pulumi's types."""

from control_plane.adapters.openstack import finder
from control_plane.provisioning.imports import model


def test_a_server_with_its_ports() -> None:
    found = finder.server(
        {
            "id": "s", "name": "web", "tenant_id": "p", "flavor": {"id": "1"},
            "image": {"id": "i"}, "key_name": "k", "status": "ACTIVE",
        },
        ["port"],
    )  # fmt: skip
    assert (found.type, found.id, found.project) == (model.SERVER, "s", "p")
    assert found.inputs["networks"] == [{"port": "port"}]
    assert (found.inputs["imageId"], found.inputs["keyPair"]) == ("i", "k")


def test_a_server_from_a_volume_has_no_image() -> None:
    found = finder.server(
        {"id": "s", "name": "", "tenant_id": "p", "flavor": {"id": "1"}, "image": ""}, []
    )
    assert "imageId" not in found.inputs


def test_an_attachment_is_known_by_both_and_only_to_living_servers() -> None:
    raw = {"id": "v", "attachments": [{"server_id": "s"}, {"server_id": "gone"}]}
    (found,) = finder.attachments(raw, {"s": "p"})
    assert (found.id, found.project) == ("s/v", "p")


def test_a_routers_port_is_its_interface_and_a_gateways_is_none() -> None:
    ports = [
        {"id": "1", "device_owner": "network:router_interface", "device_id": "r",
         "fixed_ips": [{"subnet_id": "n"}], "project_id": "p"},
        {"id": "2", "device_owner": "network:router_gateway", "device_id": "r",
         "fixed_ips": [{"subnet_id": "n"}], "project_id": ""},
        {"id": "3", "device_owner": "network:router_interface", "device_id": "r", "fixed_ips": []},
    ]  # fmt: skip
    (found,) = finder.interfaces(ports)
    assert (found.id, found.inputs) == ("1", {"routerId": "r", "subnetId": "n"})


def test_a_rule_says_only_what_is_there() -> None:
    found = finder.rule(
        {"id": "r", "security_group_id": "g", "direction": "ingress", "ethertype": "IPv4",
         "protocol": "tcp", "port_range_min": 80, "port_range_max": 80,
         "remote_ip_prefix": None, "remote_group_id": None, "project_id": "p"}
    )  # fmt: skip
    assert set(found.inputs) == {
        "securityGroupId", "direction", "ethertype", "protocol", "portRangeMin", "portRangeMax"
    }  # fmt: skip
