import pytest

from control_plane.tenancy.model import Tenancy
from control_plane.tenancy.service import TenancyService
from control_plane.tenancy.store import PostgresTenancy
from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.database import Database
from foundation.kernel.text import Text
from foundation.kernel.time import Clock
from tests.fakes.audit import FakeAudit

PLATFORM = Actor(
    PrincipalId("per_admin"),
    "Platform",
    ActorKind.PERSON,
    (Grant("platform_administrator", "/"),),
)


def person(role: str, path: str) -> Actor:
    return Actor(PrincipalId(f"per_{role}"), role, ActorKind.PERSON, (Grant(role, path),))


def text(name: str) -> Text:
    return Text(name, f"{name}（中）")


def build_city(tenancies: TenancyService) -> dict[str, Tenancy]:
    """A city with two bureaus, an office, and a tenancy in each of them."""
    tenancies.create_organisation(
        PLATFORM, parent=None, slug="city", name=text("City"), kind="city"
    )
    for slug in ("health", "water"):
        tenancies.create_organisation(
            PLATFORM, parent="/city/", slug=slug, name=text(slug), kind="bureau"
        )
    tenancies.create_organisation(
        PLATFORM, parent="/city/health/", slug="clinics", name=text("Clinics"), kind="office"
    )
    return {
        slug: tenancies.create_tenancy(PLATFORM, organisation=path, slug=slug, name=text(slug))
        for slug, path in (
            ("appointments", "/city/health/clinics/"),
            ("records", "/city/health/"),
            ("duckweed", "/city/water/"),
        )
    }


@pytest.fixture
def audit() -> FakeAudit:
    return FakeAudit()


@pytest.fixture
def service(database: Database, clock: Clock, audit: FakeAudit) -> TenancyService:
    return TenancyService(PostgresTenancy(database), database, clock, audit)


@pytest.fixture
def city(service: TenancyService) -> dict[str, Tenancy]:
    return build_city(service)
