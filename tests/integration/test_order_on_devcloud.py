"""One order on real clouds, through the running product: ordered, approved, made, metered, billed,
returned; each result is looked up in OpenStack and Kubernetes themselves."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import kubernetes
import pytest
from openstack.connection import Connection

from foundation.surface.cli.client import Client
from foundation.surface.cli.exits import CONFLICT, ApiProblem
from foundation.surface.cli.waiting import Waiting
from tests.functional.conftest import Product, running_product
from tests.integration.conftest import Devcloud

_PATIENCE = 900.0
_SIZES = {"s": "city.small", "m": "city.medium", "l": "city.large"}
_SECOND = Decimal(1) / 3600


@pytest.fixture(scope="module")
def product(devcloud: Devcloud) -> Iterator[Product]:
    with running_product(
        BOROUGH_PULUMI_PATH=str(devcloud.home / "bin"), BOROUGH_PULUMI_INSTALL="false"
    ) as made:
        yield made


@pytest.fixture(scope="module")
def region(product: Product, devcloud: Devcloud, osdev: Connection) -> str:
    """A region of the product that is the devcloud."""
    known = {f.name: f for f in osdev.compute.flavors()}
    external = osdev.network.find_network("external")
    image = osdev.image.find_image("debian-12")
    flavors = {
        size: {
            "id": known[name].id,
            "name": name,
            "vcpus": known[name].vcpus,
            "ram_gb": known[name].ram // 1024,
            "disk_gb": known[name].disk,
        }
        for size, name in _SIZES.items()
    }
    body = {
        "slug": "devcloud",
        "title": {"en": "Devcloud", "zh": "开发云"},
        "kinds": ["openstack", "kubernetes"],
        "engine": "pulumi",
        "config": {
            "openstack": {
                "auth_url": devcloud.auth_url,
                "region_name": devcloud.region,
                "domain": "Default",
                "roles": {r.name: r.id for r in osdev.identity.roles()},
                "external_network_id": external.id,
                "external_network_name": external.name,
                "images": {"default": image.id},
                "flavors": flavors,
            },
            "kubernetes": {"storage_class": "standard"},
        },
        "credentials": {
            "openstack": {
                "user_name": "admin", "password": "admin-secret", "project_name": "admin",
            },
            "kubernetes": {"kubeconfig": devcloud.kubeconfig.read_text()},
        },
        "data_classes": ["public", "internal"],
    }  # fmt: skip
    made = product.api("admin").post("/regions", body)
    assert made["simulated"] is False
    assert "admin-secret" not in str(made)
    return str(made["id"])


@pytest.fixture
def tenancy(product: Product, region: str) -> Iterator[tuple[str, str]]:
    """Name and id of a new tenancy; what a failed test leaves in it is returned."""
    assert region
    slug = f"order-{uuid.uuid4().hex[:6]}"
    body = {
        "organisation": "/city/health/",
        "slug": slug,
        "name": {"en": "On the devcloud", "zh": "开发云租户"},
        "data_class": "internal",
    }
    made = product.api("health.administrator").post("/tenancies", body)
    yield slug, made["id"]
    admin = product.api("admin")
    left = [
        d
        for d in admin.items("/deployments", tenancy=made["id"])
        if d["state"] not in {"pending", "destroyed"}
    ]
    for each in sorted(left, key=lambda d: d["blueprint"] == "tenancy"):
        body = {"force": True, "reason": "the test has ended"}
        follow(admin, admin.post(f"/deployments/{each['id']}/destroy", body))


def follow(client: Client, operation: str | Mapping[str, Any]) -> dict[str, Any]:
    operation_id = operation if isinstance(operation, str) else str(operation["id"])
    return Waiting(timeout=_PATIENCE, quiet=True).follow(client, operation_id)


def ordered(product: Product, wish: Mapping[str, Any]) -> dict[str, Any]:
    """Order, have it approved by its digest, and wait until it is done."""
    client = product.api("health.requester")
    draft = client.post("/orders", wish)
    follow(client, client.post(f"/orders/{draft['id']}/submit"))
    order = client.get(f"/orders/{draft['id']}")
    assert order["state"] == "in_approval", order
    approver = product.api("finance.approver")
    approver.post(f"/approvals/{order['id']}/approve", {"digest": order["digest"]})
    decided = client.get(f"/orders/{order['id']}")
    follow(client, decided["operation_id"])
    done: dict[str, Any] = client.get(f"/orders/{order['id']}")
    return done


def eventually(found: Callable[[], object], seconds: float = 60) -> bool:
    """Whether something becomes true: clouds finish deletions in their own time."""
    end = time.monotonic() + seconds
    while not found():
        if time.monotonic() > end:
            return False
        time.sleep(1)
    return True


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def created_at(osdev: Connection, server: str) -> datetime:
    """When Nova had built a server, in its own account of actions."""
    answer = osdev.compute.get(f"/servers/{server}/os-instance-actions", microversion="2.58")
    actions = {a["action"]: a for a in answer.json()["instanceActions"]}
    return instant(actions["create"]["updated_at"])


def collected(product: Product, region: str, tenancy: str) -> tuple[Decimal, datetime]:
    """Collect; answers the tenancy's server hours and until when they are known."""
    operator = product.api("operator")
    follow(operator, operator.post("/usage-collections", {"region": region}))
    marks = operator.get("/usage-watermarks")["items"]
    (until,) = [m["collected_until"] for m in marks if m["region_id"] == region]
    assert [m["error"] for m in marks if m["region_id"] == region] == [None]
    usage = operator.get("/usage", tenancy=tenancy, meter="server.instance_hours")["items"]
    hours = sum((Decimal(item["quantity"]) for item in usage), Decimal(0))
    return hours, datetime.fromisoformat(until)


def test_the_region_answers(product: Product, region: str) -> None:
    ran = product.cli("admin", "region", "show", "devcloud", "--check")
    assert ran.status == 0, ran.err
    assert "signed in as admin of admin" in ran.out
    answers = product.api("admin").post(f"/regions/{region}/check")["items"]
    assert {a["kind"]: a["ok"] for a in answers} == {"openstack": True, "kubernetes": True}


def test_an_order_lives_on_the_devcloud(  # noqa: PLR0915 - one life from beginning to end
    product: Product,
    region: str,
    tenancy: tuple[str, str],
    osdev: Connection,
    kube: kubernetes.client.ApiClient,
) -> None:
    slug, tenancy_id = tenancy
    core = kubernetes.client.CoreV1Api(kube)
    admin, requester = product.api("admin"), product.api("health.requester")
    wish = {
        "kind": "apply",
        "offering": "web-application",
        "plan": "s",
        "tenancy": slug,
        "region": "devcloud",
        "name": f"{slug}-web",
        "inputs": {"servers": 2, "volume_gb": 10},
        "justification": "It must work on real clouds.",
    }
    quote = requester.post("/orders/quote", wish)
    assert Decimal(quote["price"]["month"]["amount"]) > 0

    # Nothing is there before it is approved, and it is all there afterwards.
    assert osdev.identity.find_project(slug) is None
    order = ordered(product, wish)
    assert order["state"] == "active", order
    service = requester.get(f"/services/{order['service']}")
    deployment = service["deployment_id"]
    project = osdev.identity.find_project(slug)
    assert project is not None
    servers = list(osdev.compute.servers(all_projects=True, project_id=project.id))
    assert sorted(s.status for s in servers) == ["ACTIVE", "ACTIVE"]
    assert {s.metadata["borough.deployment"] for s in servers} == {deployment}
    (volume,) = [v for v in osdev.block_storage.volumes(all_projects=True)
                 if v.project_id == project.id]  # fmt: skip
    assert volume.size == 10
    balancers = [b for b in osdev.load_balancer.load_balancers() if b.project_id == project.id]
    assert [b.provisioning_status for b in balancers] == ["ACTIVE"]
    namespace = core.read_namespace(slug)
    assert namespace.status.phase == "Active"
    assert core.read_namespaced_resource_quota("tenancy", slug).spec.hard["pods"]
    known = {r["physical_id"] for r in service["resources"]}
    assert {s.id for s in servers} <= known

    # A second plan of the same finds nothing to do.
    again = admin.post(f"/deployments/{deployment}/plan", {})
    assert set(again["counts"]) == {"same"}, again["counts"]

    # It is metered from Nova's own times, to the second.
    builds = [created_at(osdev, s.id) for s in servers]
    hours, until = collected(product, region, tenancy_id)
    expected = sum((Decimal((until - b) / timedelta(hours=1)) for b in builds), Decimal(0))
    assert abs(hours - expected) < _SECOND / 100
    meters = {
        u["meter"] for u in product.api("operator").get("/usage", tenancy=tenancy_id)["items"]
    }
    assert {"server.instance_hours", "volume.gb_hours", "load_balancer.hours"} <= meters

    # It is billed, and a line leads back to the approval.
    finance = product.api("finance.approver")
    period = f"{until:%Y-%m}"
    follow(finance, finance.post("/rating-runs", {"period": period}))
    heads = finance.get("/statements", period=period)["items"]
    (head,) = [h for h in heads if h["path"] == "/city/health/"]
    statement = finance.get(f"/statements/{head['id']}")
    lines = [n for n in statement["lines"] if n["key"]["meter"] == "server.instance_hours"]
    assert lines
    told = finance.get(f"/statement-lines/{lines[0]['id']}/explanation")
    assert told["origin"]["order"]["id"] == order["id"]
    assert {a["digest"] for a in told["origin"]["approvals"]} == {order["digest"]}

    # It is returned through an order; the tenancy's own deployment waits until then.
    page = admin.get("/deployments", tenancy=tenancy_id, blueprint="tenancy")
    (landing,) = page["items"]
    with pytest.raises(ApiProblem) as refused:
        admin.post(f"/deployments/{landing['id']}/destroy", {})
    assert refused.value.exit_code == CONFLICT
    with pytest.raises(ApiProblem) as refused:
        admin.post(f"/deployments/{deployment}/destroy", {})
    assert refused.value.exit_code == CONFLICT
    returned = ordered(product, {
        "kind": "delete", "service": order["service"], "justification": "It has worked.",
    })  # fmt: skip
    assert returned["state"] == "active", returned
    assert list(osdev.compute.servers(all_projects=True, project_id=project.id)) == []

    # What ran until the end was metered until the end.
    gone = {
        s["id"]: instant(s["OS-SRV-USG:terminated_at"])
        for s in osdev.compute.get(
            f"/servers/detail?all_tenants=1&changes-since={min(builds).isoformat()[:19]}Z"
        ).json()["servers"]
        if s["id"] in known
    }
    assert set(gone) == {s.id for s in servers}
    hours, _ = collected(product, region, tenancy_id)
    lived = zip(servers, builds, strict=True)
    whole = sum((Decimal((gone[s.id] - b) / timedelta(hours=1)) for s, b in lived), Decimal(0))
    assert abs(hours - whole) < _SECOND / 100

    # And nothing is left.
    ran = product.cli("admin", "deployment", "destroy", landing["id"], "--yes", timeout=_PATIENCE)
    assert ran.status == 0, ran.err
    assert osdev.identity.find_project(slug) is None
    assert eventually(lambda: slug not in {n.metadata.name for n in core.list_namespace().items})
    for things in (
        osdev.network.networks(project_id=project.id),
        osdev.network.routers(project_id=project.id),
        [b for b in osdev.load_balancer.load_balancers() if b.project_id == project.id],
        [v for v in osdev.block_storage.volumes(all_projects=True) if v.project_id == project.id],
    ):
        assert list(things) == []
    left = admin.get("/inventory", tenancy=tenancy_id)
    assert left["items"] == []
