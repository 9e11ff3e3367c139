"""Each policy of the catalogue, on resources that it finds and on ones that it does not."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from control_plane.provisioning.graph import UNKNOWN, Graph, ResourceNode, secret_marker
from control_plane.provisioning.inputs import schema_problems
from control_plane.provisioning.model import Severity
from control_plane.provisioning.policies import judging
from control_plane.provisioning.policies.checks import CATALOGUE
from control_plane.provisioning.policies.model import Entry, Holder, Pack, Priced, Subject
from control_plane.provisioning.policies.reading import bundled, pack_from
from foundation.kernel.money import Money
from foundation.kernel.text import Text

DEPLOYMENT = "dep_01"
RULE = "openstack:networking/secGroupRule:SecGroupRule"
SERVER = "openstack:compute/instance:Instance"
VOLUME = "openstack:blockstorage/volume:Volume"
LISTENER = "openstack:loadbalancer/listener:Listener"
CONTAINER = "openstack:objectstorage/container:Container"
CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"
GATEWAY = "kubernetes:gateway.networking.k8s.io/v1:Gateway"
SECRET = "kubernetes:core/v1:Secret"
NETWORK_POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
ALL = frozenset({"public", "internal", "sensitive"})
FACTS: Mapping[str, Any] = {
    "openstack": {
        "encrypted_volume_types": ["luks-*"],
        "flavors": {"s": {"id": "1", "vcpus": 1, "ram_gb": 2}, "gpu": {"id": "9", "vcpus": 8}},
    },
    "kubernetes": {"encrypted_storage_classes": ["sealed"]},
}


def node(type_: str, inputs: Mapping[str, Any], name: str = "thing", **more: Any) -> ResourceNode:
    return ResourceNode(f"urn::{type_}::{name}", name, type_, inputs, **more)


def pack(
    policy: str, settings: Mapping[str, Any] | None = None, severity: str = "waivable"
) -> Pack:
    entry = {"severity": severity, "settings": settings or {}}
    text = {"en": "Test", "zh": "测试"}
    return pack_from(
        {"name": "test", "version": 1, "title": text, "description": text,
         "policies": {policy: entry}}
    )  # fmt: skip


def subject(*nodes: ResourceNode, data_class: str = "sensitive", **more: Any) -> Subject:
    about: dict[str, Any] = {
        "graph": Graph(nodes),
        "holder": Holder(DEPLOYMENT, "ten_01", "/city/health/", data_class),
        "facts": FACTS,
        "region_data_classes": ALL,
        "blueprint_data_classes": ALL,
        **more,
    }
    return Subject(**about)


def says(
    policy: str,
    *nodes: ResourceNode,
    settings: Mapping[str, Any] | None = None,
    **more: Any,
) -> list[str]:
    found = judging.judge([pack(policy, settings)], subject(*nodes, **more))
    assert {f.policy for f in found} <= {policy}
    assert all(f.message.zh for f in found)
    return [f.message.en for f in found]


# The catalogue --------------------------------------------------------------------------------


def test_every_policy_is_described_and_looks_at_something() -> None:
    for name, policy in CATALOGUE.items():
        assert name == policy.id
        assert (policy.graph is None) != (policy.price is None)
        assert schema_problems(policy.settings, name) == []
        for schema in policy.settings["properties"].values():
            assert "default" in schema
            assert schema["x-zh"]["title"]


def test_every_policy_is_in_a_bundled_pack() -> None:
    used = {entry.policy for each in bundled().values() for entry in each.entries}
    assert used == set(CATALOGUE)


# Ports and addresses --------------------------------------------------------------------------


def rule(**inputs: Any) -> ResourceNode:
    return node(RULE, {"direction": "ingress", "protocol": "tcp", **inputs})


def ports(low: int, high: int | None = None) -> dict[str, int]:
    return {"portRangeMin": low, "portRangeMax": high or low}


@pytest.mark.parametrize(
    ("resource", "guarded", "exposed"),
    [
        (rule(remoteIpPrefix="0.0.0.0/0", **ports(443)), [], ["443"]),
        (rule(remoteIpPrefix="::/0", **ports(80)), [], ["80"]),
        (rule(remoteIpPrefix="0.0.0.0/0", **ports(22)), ["SSH"], ["22"]),
        (rule(remoteIpPrefix="0.0.0.0/0", **ports(5000, 6000)), ["PostgreSQL, VNC"], ["5000–6000"]),
        (rule(), ["SSH, Telnet"], ["1–65535"]),
        (rule(remoteIpPrefix="10.0.0.0/8", **ports(22)), [], []),
        (rule(remoteGroupId="group"), [], []),
        (rule(remoteIpPrefix=UNKNOWN, **ports(22)), [], []),
        (rule(direction="egress", remoteIpPrefix="0.0.0.0/0"), [], []),
    ],
)
def test_ports_that_the_internet_reaches(
    resource: ResourceNode, guarded: list[str], exposed: list[str]
) -> None:
    found = says("network.guarded_port", resource)
    assert len(found) == len(guarded)
    assert all(f"Opens {names}" in text for names, text in zip(guarded, found, strict=True))
    assert says("network.public_exposure", resource) == [
        f"Port {port} can be reached from the whole internet." for port in exposed
    ]


def test_guarded_and_expected_ports_are_settings() -> None:
    web = rule(remoteIpPrefix="0.0.0.0/0", **ports(8080))
    assert says("network.guarded_port", web) == []
    found = says("network.guarded_port", web, settings={"ports": ["8080 the old portal"]})
    assert found == ["Opens the old portal to the whole internet."]
    assert says("network.public_exposure", web, settings={"expected_ports": ["8080"]}) == []


def network_policy(sender: list[dict[str, Any]], **port: Any) -> ResourceNode:
    allowed = {"from": sender, **({"ports": [port]} if port else {})}
    return node(NETWORK_POLICY, {"spec": {"ingress": [allowed]}})


ANYWHERE = [{"ipBlock": {"cidr": "0.0.0.0/0"}}]


@pytest.mark.parametrize(
    ("resource", "guarded", "exposed"),
    [
        (network_policy(ANYWHERE, port=8080), 0, 1),
        (network_policy(ANYWHERE, port=5432), 1, 1),
        (network_policy(ANYWHERE), 1, 1),
        (network_policy(ANYWHERE, port="http"), 1, 1),
        (network_policy([{"podSelector": {}}]), 0, 0),
    ],
)
def test_pods_that_the_internet_reaches(resource: ResourceNode, guarded: int, exposed: int) -> None:
    assert len(says("network.guarded_port", resource)) == guarded
    assert len(says("network.public_exposure", resource)) == exposed


@pytest.mark.parametrize(
    ("resource", "count"),
    [
        (node("openstack:networking/floatingIp:FloatingIp", {"pool": "external"}), 1),
        (node("kubernetes:core/v1:Service", {"spec": {"type": "LoadBalancer"}}), 1),
        (node("kubernetes:core/v1:Service", {"spec": {"type": "ClusterIP"}}), 0),
        (node(SERVER, {}), 0),
    ],
)
def test_public_addresses_are_shown(resource: ResourceNode, count: int) -> None:
    assert len(says("network.public_address", resource)) == count


@pytest.mark.parametrize(
    ("inputs", "count"), [({"containerRead": ".r:*"}, 1), ({"containerRead": "p:u"}, 0), ({}, 0)]
)
def test_objects_that_anyone_may_read_are_shown(inputs: dict[str, str], count: int) -> None:
    box = node(CONTAINER, inputs)
    said = says("network.public_exposure", box)
    assert said == ["Anyone may read it without a key."] * count


# Encryption -----------------------------------------------------------------------------------


def stateful_set(storage_class: str | None, **labels: str) -> ResourceNode:
    spec = {"storageClassName": storage_class} if storage_class else {}
    template = {"metadata": {"name": "data", "labels": labels}, "spec": spec}
    return node("kubernetes:apps/v1:StatefulSet", {"spec": {"volumeClaimTemplates": [template]}})


@pytest.mark.parametrize(
    ("resource", "fine"),
    [
        (node(VOLUME, {"volumeType": "luks-fast"}), True),
        (node(VOLUME, {"volumeType": "standard"}), False),
        (node(VOLUME, {}), False),
        (node(VOLUME, {"volumeType": UNKNOWN}), False),
        (node(CLAIM, {"spec": {"storageClassName": "sealed"}}), True),
        (node(CLAIM, {"spec": {"storageClassName": "standard"}}), False),
        (node(CLAIM, {"spec": {}}), False),
        (stateful_set("sealed"), True),
        (stateful_set(None), False),
        (node(SERVER, {"blockDevices": [{"destinationType": "volume", "sourceType": "image"}]}),
         False),
        (node(SERVER, {"blockDevices": [{"destinationType": "volume", "sourceType": "volume"}]}),
         True),
        (node(SERVER, {}), True),
    ],
)  # fmt: skip
def test_disks_are_encrypted(resource: ResourceNode, fine: bool) -> None:  # noqa: FBT001
    assert (says("encryption.volumes", resource) == []) is fine


def test_which_data_need_encrypted_disks_is_a_setting() -> None:
    volume = node(VOLUME, {"volumeType": "standard"})
    assert says("encryption.volumes", volume, data_class="internal") == []
    for settings in ({"data_classes": ["internal"]}, {"data_classes": ["internal"], "types": []}):
        assert says("encryption.volumes", volume, data_class="internal", settings=settings)
    known = {"types": ["standard"]}
    assert says("encryption.volumes", volume, settings=known) == []


def test_secrets_are_kept_where_they_are_encrypted() -> None:
    secret = node(SECRET, {"stringData": {"password": secret_marker("ab")}})
    assert len(says("encryption.cluster_secrets", secret)) == 1
    assert says("encryption.cluster_secrets", secret, data_class="internal") == []
    sealed = {"kubernetes": {"secrets_encrypted": True}}
    assert says("encryption.cluster_secrets", secret, facts=sealed) == []
    assert says("encryption.cluster_secrets", node(CLAIM, {})) == []


@pytest.mark.parametrize(
    ("resource", "fine"),
    [
        (node(LISTENER, {"protocol": "HTTP"}), False),
        (node(LISTENER, {"protocol": "TERMINATED_HTTPS"}), True),
        (node(INGRESS, {"spec": {"rules": []}}), False),
        (node(INGRESS, {"spec": {"tls": [{"secretName": "c"}]}}), True),
        (node(GATEWAY, {"spec": {"listeners": [{"protocol": "HTTP"}]}}), False),
        (node(GATEWAY, {"spec": {"listeners": [{"protocol": "HTTPS"}]}}), True),
        (node(INGRESS, {}), True),
    ],
)
def test_what_is_reached_is_reached_with_tls(resource: ResourceNode, fine: bool) -> None:  # noqa: FBT001
    assert (says("encryption.transport", resource, data_class="internal") == []) is fine
    assert says("encryption.transport", resource, data_class="public") == []


def test_a_listener_that_only_sends_people_on_is_fine() -> None:
    plain = node(LISTENER, {"protocol": "HTTP"}, "http")
    on = node(
        "openstack:loadbalancer/l7Policy:L7Policy", {"action": "REDIRECT_TO_URL"}, "on",
        depends_on=(plain.urn,),
    )  # fmt: skip
    assert says("encryption.transport", plain, on) == []
    off = node(on.type, {"action": "REJECT"}, "off", depends_on=(plain.urn,))
    assert len(says("encryption.transport", plain, off)) == 1


# Tags -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resource", "fine"),
    [
        (node(SERVER, {"name": "web"}), False),
        (node(VOLUME, {"metadata": {"borough.deployment": "dep_99"}}), False),
        (node("kubernetes:apps/v1:Deployment",
              {"metadata": {"labels": {}}, "spec": {"a": DEPLOYMENT}}), False),
        (node(SERVER, {"metadata": {"borough.deployment": DEPLOYMENT}}), True),
        (node("openstack:loadbalancer/member:Member", {"address": "10.0.0.1"}), True),
        (node("kubernetes:core/v1:ConfigMap", {"metadata": {"labels": {"x": DEPLOYMENT}}}), True),
        (node(CONTAINER, {"metadata": {"Quota-Bytes": "1"}}), False),
        (node(CONTAINER, {"metadata": {"Borough-Deployment": DEPLOYMENT}}), True),
        (node("openstack:compute/keypair:Keypair", {"name": "key"}), False),
        (node("openstack:compute/keypair:Keypair", {"name": f"key-{DEPLOYMENT}"}), True),
    ],
)  # fmt: skip
def test_resources_say_whose_they_are(resource: ResourceNode, fine: bool) -> None:  # noqa: FBT001
    assert (says("tags.deployment", resource) == []) is fine


@pytest.mark.parametrize(
    ("resource", "missing"),
    [
        (node(SERVER, {"metadata": {"borough.tenancy": "t", "borough.deployment": "d"}}), []),
        (node(SERVER, {"metadata": {"borough.tenancy": "t"}}), ["borough.deployment"]),
        (node("openstack:networking/network:Network",
              {"tags": ["borough.tenancy=t", "borough.deployment=d"]}), []),
        (node("kubernetes:core/v1:ConfigMap",
              {"metadata": {"labels": {"borough.dev/tenancy": "t"},
                            "annotations": {"borough.dev/deployment": "d"}}}), []),
        (node("kubernetes:core/v1:ConfigMap", {"metadata": {}}),
         ["borough.deployment", "borough.tenancy"]),
        (node("openstack:loadbalancer/member:Member", {}), []),
        (node(CONTAINER, {"metadata": {"Borough-Tenancy": "t", "Borough-Deployment": "d"}}), []),
    ],
)  # fmt: skip
def test_required_tags_are_there(resource: ResourceNode, missing: list[str]) -> None:
    assert says("tags.required", resource) == [f"Does not carry the tag {m}." for m in missing]


def test_tags_have_allowed_values() -> None:
    settings = {"required": ["centre"], "values": {"centre": ["C-*", "none"]}}
    right = node(SERVER, {"metadata": {"centre": "C-17"}})
    wrong = node(SERVER, {"metadata": {"centre": "17"}})
    assert says("tags.required", right, settings=settings) == []
    assert says("tags.required", wrong, settings=settings) == [
        "Its tag centre is 17, which is not one of C-*, none."
    ]


# Placement ------------------------------------------------------------------------------------


def test_data_stay_where_their_class_may_be_kept() -> None:
    only = frozenset({"public"})
    assert says("residency.region", region_data_classes=only) == [
        "The region may not keep sensitive data."
    ]
    assert says("residency.blueprint", blueprint_data_classes=only) == [
        "The blueprint may not carry sensitive data."
    ]
    for policy in ("residency.region", "residency.blueprint"):
        assert says(policy) == []
        nowhere = {"region_data_classes": only, "blueprint_data_classes": only}
        assert says(policy, data_class="", **nowhere) == []


@pytest.mark.parametrize(
    ("flavor", "fine"),
    [({"flavorId": "1"}, True), ({"flavorName": "s"}, True), ({"flavorId": "9"}, False),
     ({"flavorId": "unheard-of"}, False), ({}, False), ({"flavorId": "own-1"}, True)],
)  # fmt: skip
def test_data_run_on_the_sizes_named_for_them(flavor: dict[str, str], fine: bool) -> None:  # noqa: FBT001
    settings = {"allowed": {"sensitive": ["s", "m", "own-*"]}}
    server = node(SERVER, flavor)
    assert (says("flavors.data_class", server, settings=settings) == []) is fine
    assert says("flavors.data_class", server, settings=settings, data_class="internal") == []


def test_sizes_are_found_in_a_list_of_facts_too() -> None:
    facts = {"openstack": {"flavors": [{"size": "s", "id": "1"}]}}
    settings = {"allowed": {"sensitive": ["s"]}}
    assert says("flavors.data_class", node(SERVER, {"flavorId": "1"}), settings=settings,
                facts=facts) == []  # fmt: skip


def test_models_of_physical_servers_are_told_apart_from_sizes() -> None:
    facts = {"openstack": {"bare_servers": {"s": {"id": "metal"}}}}
    machine = node(SERVER, {"flavorId": "metal"})
    for allowed, fine in (("s", False), ("physical-*", True)):
        settings = {"allowed": {"sensitive": [allowed]}}
        assert (says("flavors.data_class", machine, settings=settings, facts=facts) == []) is fine


# Budget ---------------------------------------------------------------------------------------


def test_a_service_takes_no_more_than_its_budget() -> None:
    servers = [node(SERVER, {"flavorId": "1"}, f"server-{n}") for n in range(3)]
    assert says("budget.quantity", *servers, settings={"most": {"instances": "3"}}) == []
    assert says("budget.quantity", *servers, settings={"most": {"instances": "2"}}) == [
        "Servers: takes 3; the budget of one service is 2."
    ]
    assert says("budget.quantity", *servers) == []


@pytest.mark.parametrize(
    ("amount", "currency", "fine"),
    [("1000", "CNY", True), ("1000.01", "CNY", False), ("5000", "EUR", True)],
)
def test_a_service_costs_no_more_than_its_budget(
    amount: str,
    currency: str,
    fine: bool,  # noqa: FBT001
) -> None:
    packs = [pack("budget.price", {"monthly": {"CNY": "1000"}})]
    found = judging.judge_price(packs, Priced(Holder(), Money(Decimal(amount), currency)))
    assert (found == ()) is fine
    if found:
        assert found[0].message.en == (
            "Costs 1,000.01 CNY a month; the budget of one service is 1,000.00 CNY."
        )


# Backups, secrets, rights -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resource", "fine"),
    [
        (node(VOLUME, {"metadata": {"borough.backup": "daily"}}), True),
        (node(VOLUME, {"metadata": {"borough.backup": "none"}}), False),
        (node(VOLUME, {}), False),
        (node(CLAIM, {"metadata": {"labels": {"borough.dev/backup": "weekly"}}}), True),
        (node(CLAIM, {"metadata": {"labels": {}}}), False),
        (stateful_set(None, **{"borough.dev/backup": "daily"}), True),
        (stateful_set(None), False),
        (node(SERVER, {}), True),
    ],
)
def test_disks_say_how_they_are_backed_up(resource: ResourceNode, fine: bool) -> None:  # noqa: FBT001
    assert (says("backups.declared", resource) == []) is fine
    assert says("backups.declared", resource, data_class="public") == []


def test_a_secret_in_clear_and_one_that_is_marked() -> None:
    plain = node(SECRET, {"stringData": {"password": "open"}})
    marked = node(SECRET, {"stringData": {"password": secret_marker("ab12")}})
    whole = node(SECRET, {"stringData": secret_marker("ab12")})
    assert len(says("secrets.plain", plain)) == 1
    assert says("secrets.plain", marked) == []
    assert says("secrets.plain", whole) == []


@pytest.mark.parametrize(
    ("spec", "fine"),
    [
        ({"hostNetwork": True}, False),
        ({"containers": [{"securityContext": {"privileged": True}}]}, False),
        ({"volumes": [{"name": "x", "hostPath": {"path": "/"}}]}, False),
        ({"containers": [{"securityContext": {"privileged": False}}]}, True),
    ],
)
def test_pods_ask_for_nothing_of_their_node(spec: dict[str, Any], fine: bool) -> None:  # noqa: FBT001
    pods = node("kubernetes:apps/v1:Deployment", {"spec": {"template": {"spec": spec}}})
    assert (says("workload.node_access", pods) == []) is fine


# Together -------------------------------------------------------------------------------------


def test_several_packs_make_one_finding_of_the_heaviest_weight() -> None:
    volume = node(VOLUME, {})
    light = pack("encryption.volumes", severity="advisory")
    heavy = pack("encryption.volumes", severity="mandatory")
    for packs in ([light, heavy], [heavy, light]):
        found = judging.judge(packs, subject(volume))
        assert [f.severity for f in found] == [Severity.MANDATORY]


def test_the_weightiest_come_first_whatever_the_order_of_resources() -> None:
    rules = tuple(
        node(RULE, {"direction": "ingress", "remoteIpPrefix": "0.0.0.0/0", **ports(port)}, name)
        for port, name in ((80, "b"), (22, "a"))
    )
    packs = list(bundled().values())
    ways = [judging.judge(packs, subject(*order)) for order in (rules, rules[::-1])]
    assert ways[0] == ways[1]
    weights = [f.severity for f in ways[0]]
    assert weights == sorted(weights, key=["mandatory", "waivable", "advisory"].index)
    assert weights[0] is Severity.MANDATORY


@pytest.mark.parametrize(
    ("scope", "concerned"),
    [
        ({}, True),
        ({"paths": ["/city/health/"]}, True),
        ({"paths": ["/city/"]}, True),
        ({"paths": ["/city/water/"]}, False),
        ({"data_classes": ["sensitive"]}, True),
        ({"data_classes": ["internal"]}, False),
        ({"paths": ["/city/health/"], "data_classes": ["internal"]}, False),
    ],
)
def test_a_pack_is_for_a_part_of_the_city(scope: dict[str, Any], concerned: bool) -> None:  # noqa: FBT001
    made = pack_from({**pack("encryption.volumes").document, "scope": scope})
    assert bool(judging.judge([made], subject(node(VOLUME, {})))) is concerned


def test_an_entry_of_a_pack_has_all_settings() -> None:
    entry = pack("backups.declared", {"tag": "kept"}).entries[0]
    assert entry == Entry(
        "backups.declared", Severity.WAIVABLE, {"data_classes": ["sensitive"], "tag": "kept"}
    )
    assert bundled()["city"].title == Text("The city's baseline", "全市基线")
