from decimal import Decimal

import pytest

from control_plane.tenancy.model import System, Tenancy, TenancyState
from control_plane.tenancy.service import TenancyService
from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded
from foundation.kernel.paging import PageRequest
from tests.contract.tenancy.conftest import PLATFORM, person, text
from tests.fakes.audit import FakeAudit

Tenancies = dict[str, Tenancy]


def fields(error: pytest.ExceptionInfo[Invalid]) -> list[str]:
    return [problem.field for problem in error.value.problems]


def at(
    service: TenancyService, scope: str, resource: str
) -> tuple[Decimal | None, Decimal, Decimal]:
    (row,) = [q for q in service.quota_view(PLATFORM, scope)[-1].quotas if q.resource == resource]
    return row.limit, row.reserved, row.used


def lookup(service: TenancyService, reference: str, near: str) -> System:
    with service._db.transaction():  # noqa: SLF001 - as a feature above would
        return service.system_in_transaction(reference, near=near)


@pytest.mark.usefixtures("city")
def test_paths_follow_the_tree(service: TenancyService) -> None:
    page = service.organisations(PLATFORM, PageRequest())
    assert [o.path for o in page.items] == [
        "/city/", "/city/health/", "/city/health/clinics/", "/city/water/",
    ]  # fmt: skip
    assert [o.depth for o in page.items] == [0, 1, 2, 1]


@pytest.mark.usefixtures("city")
def test_lists_page_without_loss(service: TenancyService) -> None:
    seen, cursor = [], None
    while True:
        page = service.tenancies(PLATFORM, PageRequest(cursor, limit=2))
        seen += [t.slug for t in page.items]
        if (cursor := page.next) is None:
            break
    assert sorted(seen) == ["appointments", "duckweed", "records"]


def test_the_same_again_is_the_same(
    service: TenancyService, city: Tenancies, audit: FakeAudit
) -> None:
    before = len(audit.entries)
    again = service.create_tenancy(
        PLATFORM, organisation="/city/water/", slug="duckweed", name=text("duckweed")
    )
    assert again == city["duckweed"]
    health = service.organisation(PLATFORM, "/city/health/")
    assert health == service.create_organisation(
        PLATFORM, parent="/city/", slug="health", name=text("health"), kind="bureau"
    )
    assert len(audit.entries) == before


@pytest.mark.usefixtures("city")
def test_another_under_the_same_name_is_a_conflict(service: TenancyService) -> None:
    with pytest.raises(Conflict):
        service.create_tenancy(
            PLATFORM, organisation="/city/health/", slug="duckweed", name=text("duckweed")
        )
    with pytest.raises(Conflict):
        service.create_organisation(
            PLATFORM, parent="/city/", slug="health", name=text("Other"), kind="bureau"
        )
    with pytest.raises(Conflict, match="city already"):
        service.create_organisation(
            PLATFORM, parent=None, slug="town", name=text("Town"), kind="city"
        )


@pytest.mark.usefixtures("city")
def test_every_wrong_field_is_named_at_once(service: TenancyService) -> None:
    with pytest.raises(Invalid) as error:
        service.create_organisation(
            PLATFORM, parent="/city/", slug="No Slug", name=text("x"), kind="office"
        )
    assert fields(error) == ["slug", "kind"]
    with pytest.raises(Invalid) as error:
        service.create_tenancy(
            PLATFORM, organisation="/city/", slug="-", name=text("x"), data_class="secret",
            system="sys_none",
        )  # fmt: skip
    assert fields(error) == ["slug", "system", "data_class"]
    with pytest.raises(Invalid) as error:
        service.set_quota(
            PLATFORM, scope="/city/", limits={"vcpus": "many", "gold": 1, "ram_gb": -1}
        )
    assert fields(error) == ["limits.vcpus", "limits.gold", "limits.ram_gb"]


@pytest.mark.usefixtures("city")
def test_a_tenancy_protects_at_least_as_its_system(service: TenancyService) -> None:
    system = service.register_system(
        PLATFORM, organisation="/city/health/", slug="records", name=text("Records"),
        data_class="sensitive",
    )  # fmt: skip
    with pytest.raises(Invalid) as error:
        service.create_tenancy(
            PLATFORM, organisation="/city/health/", slug="archive", name=text("Archive"),
            system=system.id, data_class="internal",
        )  # fmt: skip
    assert fields(error) == ["data_class"]
    made = service.create_tenancy(
        PLATFORM, organisation="/city/health/", slug="archive", name=text("Archive"),
        system=system.id,
    )  # fmt: skip
    assert made.data_class.value == "sensitive"
    with pytest.raises(Invalid) as error:  # another department's system is unknown
        service.create_tenancy(
            PLATFORM, organisation="/city/water/", slug="other", name=text("x"), system=system.id
        )
    assert fields(error) == ["system"]


def test_another_department_sees_nothing(service: TenancyService, city: Tenancies) -> None:
    member = person("member", "/city/water/")
    assert [t.slug for t in service.tenancies(member, PageRequest()).items] == ["duckweed"]
    assert [o.slug for o in service.organisations(member, PageRequest()).items] == ["water"]
    with pytest.raises(NotFound):
        service.tenancy(member, city["records"].id)
    with pytest.raises(NotFound):
        service.quota_view(member, "/city/health/")
    with pytest.raises(Forbidden):
        service.create_tenancy(member, organisation="/city/water/", slug="x1", name=text("x"))


@pytest.mark.usefixtures("city")
def test_a_department_shares_out_its_quota_and_never_widens_it(service: TenancyService) -> None:
    administrator = person("department_administrator", "/city/health/")
    service.set_quota(administrator, scope="/city/health/clinics/", limits={"vcpus": 8})
    service.set_quota(administrator, scope="records", limits={"vcpus": 4})
    with pytest.raises(Forbidden):
        service.set_quota(administrator, scope="/city/health/", limits={"vcpus": 800})
    with pytest.raises(NotFound):
        service.set_quota(administrator, scope="/city/water/", limits={"vcpus": 8})


def test_a_reservation_holds_at_every_level(service: TenancyService, city: Tenancies) -> None:
    for scope, limit in (("/city/", 10), ("/city/health/", 6), ("/city/health/clinics/", 4)):
        service.set_quota(PLATFORM, scope=scope, limits={"vcpus": limit})
    service.reserve("a", city["appointments"].id, {"vcpus": Decimal(3), "ram_gb": Decimal("0.5")})
    assert at(service, "/city/", "vcpus") == (10, 3, 0)
    assert at(service, "appointments", "vcpus") == (None, 3, 0)
    assert at(service, "/city/water/", "vcpus") == (None, 0, 0)
    service.consume("a")
    service.consume("a")
    assert at(service, "/city/health/", "vcpus") == (6, 0, 3)
    assert at(service, "/city/health/", "ram_gb") == (None, 0, Decimal("0.5"))
    service.release("a")
    service.release("a")
    assert at(service, "/city/", "vcpus") == (10, 0, 0)


def test_what_was_given_back_later_is_released_with_what_was_taken(
    service: TenancyService, city: Tenancies
) -> None:
    for key, amount in (("a", 10), ("b", -4), ("c", 2)):
        service.reserve(key, city["records"].id, {"vcpus": Decimal(amount)})
        service.consume(key)
    service.reserve("other", city["duckweed"].id, {"vcpus": Decimal(1)})
    # One by one there is no order that does: 8 are used, and there is no room for 4 more.
    service.set_quota(PLATFORM, scope="records", limits={"vcpus": 8})
    with pytest.raises(Conflict, match="more vcpus would be given back than are used"):
        service.release("a")
    with pytest.raises(QuotaExceeded):
        service.release("b")
    with pytest.raises(NotFound):
        service.release_together(["a", "b", "c", "d"])
    assert at(service, "records", "vcpus") == (8, 0, 8)
    for _ in "12":
        service.release_together(["a", "b", "c", "other"])
        assert at(service, "records", "vcpus") == (8, 0, 0)
        assert at(service, "/city/", "vcpus") == (None, 0, 0)


def test_a_refusal_names_every_level(service: TenancyService, city: Tenancies) -> None:
    service.set_quota(PLATFORM, scope="/city/", limits={"vcpus": 5})
    service.set_quota(PLATFORM, scope="/city/health/", limits={"vcpus": 4, "ram_gb": 100})
    service.reserve("a", city["records"].id, {"vcpus": Decimal(3)})
    with pytest.raises(QuotaExceeded) as error:
        service.reserve("b", city["appointments"].id, {"vcpus": Decimal(4), "ram_gb": Decimal(8)})
    exceeded = error.value.details["exceeded"]
    assert [
        (e["level"], e["resource"], e["limit"], e["reserved"], e["asked"]) for e in exceeded
    ] == [
        ("city", "vcpus", 5, 3, 4),
        ("bureau", "vcpus", 4, 3, 4),
    ]
    assert "City has 2 of 5 virtual cpus left, 4 are asked for" in error.value.message
    assert at(service, "appointments", "ram_gb") == (None, 0, 0)


def test_a_key_stands_for_one_thing(service: TenancyService, city: Tenancies) -> None:
    first = service.reserve("a", city["records"].id, {"vcpus": Decimal(3), "ram_gb": Decimal(0)})
    assert service.reserve("a", city["records"].id, {"vcpus": Decimal(3)}) == first
    assert at(service, "/city/", "vcpus") == (None, 3, 0)
    with pytest.raises(Conflict):
        service.reserve("a", city["records"].id, {"vcpus": Decimal(4)})
    with pytest.raises(Conflict):
        service.reserve("a", city["duckweed"].id, {"ram_gb": Decimal(3)})
    service.release("a")
    for attempt in (
        lambda: service.reserve("a", city["records"].id, {"vcpus": Decimal(3)}),
        lambda: service.consume("a"),
    ):
        with pytest.raises(Conflict):
            attempt()
    with pytest.raises(NotFound):
        service.consume("b")


def test_what_is_given_back_is_free_once_it_is_consumed(
    service: TenancyService, city: Tenancies
) -> None:
    service.set_quota(PLATFORM, scope="/city/", limits={"vcpus": 4})
    service.reserve("a", city["records"].id, {"vcpus": Decimal(4)})
    service.consume("a")
    service.reserve("smaller", city["records"].id, {"vcpus": Decimal(-2)})
    with pytest.raises(QuotaExceeded):
        service.reserve("b", city["records"].id, {"vcpus": Decimal(1)})
    service.consume("smaller")
    service.reserve("b", city["records"].id, {"vcpus": Decimal(1)})
    service.reserve("too-much", city["duckweed"].id, {"vcpus": Decimal(-1)})
    with pytest.raises(Conflict):
        service.consume("too-much")


def test_amounts_change_by_their_difference(service: TenancyService, city: Tenancies) -> None:
    service.set_quota(PLATFORM, scope="/city/health/", limits={"vcpus": 4})
    service.reserve("a", city["records"].id, {"vcpus": Decimal(3)})
    service.change("a", {"vcpus": Decimal(4), "ram_gb": Decimal(1)})
    assert at(service, "/city/", "vcpus") == (None, 4, 0)
    service.consume("a")
    service.change("a", {"vcpus": Decimal(2)})
    assert at(service, "/city/", "vcpus") == (None, 0, 2)
    assert at(service, "/city/", "ram_gb") == (None, 0, 0)
    with pytest.raises(QuotaExceeded):
        service.change("a", {"vcpus": Decimal(5)})


def test_a_limit_is_never_below_what_is_there(service: TenancyService, city: Tenancies) -> None:
    service.reserve("a", city["records"].id, {"vcpus": Decimal(3)})
    with pytest.raises(Invalid) as error:
        service.set_quota(PLATFORM, scope="/city/", limits={"vcpus": 2, "ram_gb": 0})
    assert fields(error) == ["limits.vcpus"]
    service.set_quota(PLATFORM, scope="/city/", limits={"vcpus": 3, "ram_gb": 0})
    service.set_quota(PLATFORM, scope="/city/", limits={"vcpus": None})
    assert at(service, "/city/", "vcpus") == (None, 3, 0)


def test_a_tenancy_closes_when_it_is_empty(service: TenancyService, city: Tenancies) -> None:
    service.reserve("a", city["records"].id, {"vcpus": Decimal(3)})
    with pytest.raises(Conflict):
        service.close_tenancy(PLATFORM, "records")
    service.release("a")
    assert service.close_tenancy(PLATFORM, "records").state is TenancyState.CLOSED
    assert service.tenancy(PLATFORM, "records").state is TenancyState.CLOSED
    with pytest.raises(Conflict):
        service.reserve("b", city["records"].id, {"vcpus": Decimal(1)})


@pytest.mark.usefixtures("city")
def test_changes_are_written_down(service: TenancyService, audit: FakeAudit) -> None:
    service.set_quota(PLATFORM, scope="/city/", limits={"vcpus": 2})
    last = audit.entries[-1]
    assert (last["action"], last["path"]) == ("quota.set", "/city/")
    assert last["details"] == {"before": {"vcpus": None}, "after": {"vcpus": 2}}


@pytest.mark.usefixtures("city")
def test_a_new_name_leaves_the_path(service: TenancyService, audit: FakeAudit) -> None:
    renamed = service.rename_organisation(PLATFORM, "/city/water/", text("Rivers"))
    assert (renamed.path, renamed.name) == ("/city/water/", text("Rivers"))
    assert service.organisation(PLATFORM, renamed.id) == renamed
    assert audit.entries[-1]["action"] == "organisation.update"
    administrator = person("department_administrator", "/city/water/")
    with pytest.raises(Forbidden):
        service.rename_organisation(administrator, renamed.id, text("Seas"))


@pytest.mark.usefixtures("city")
def test_a_system_is_known_by_its_slug_near_its_department(service: TenancyService) -> None:
    made = {
        path: service.register_system(
            PLATFORM, organisation=path, slug="web", name=text("Web"), data_class="public"
        )
        for path in ("/city/health/", "/city/water/")
    }
    for near in ("/city/health/", "/city/health/clinics/"):
        found = lookup(service, "web", near)
        assert found == made["/city/health/"]
    assert lookup(service, made["/city/water/"].id, "/city/health/") == made["/city/water/"]
    with pytest.raises(NotFound):  # two of that name
        lookup(service, "web", "/city/")
