import pytest

from control_plane.tenancy.migration.service import Migration
from control_plane.tenancy.migration.store import PostgresMigration
from control_plane.tenancy.model import System
from control_plane.tenancy.service import TenancyService
from control_plane.tenancy.store import PostgresTenancy
from foundation.kernel.database import Database
from foundation.kernel.time import Clock
from tests.contract.tenancy.conftest import PLATFORM, build_city, text
from tests.fakes.audit import FakeAudit


@pytest.fixture
def audit() -> FakeAudit:
    return FakeAudit()


@pytest.fixture
def tenancies(database: Database, clock: Clock, audit: FakeAudit) -> TenancyService:
    made = TenancyService(PostgresTenancy(database), database, clock, audit)
    build_city(made)
    return made


@pytest.fixture
def migration(
    database: Database, clock: Clock, audit: FakeAudit, tenancies: TenancyService
) -> Migration:
    return Migration(PostgresMigration(database), tenancies, database, clock, audit)


@pytest.fixture
def systems(tenancies: TenancyService) -> list[System]:
    """Two systems of the health bureau, one of its clinics, one of the water bureau."""
    return [
        tenancies.register_system(
            PLATFORM, organisation=path, slug=slug, name=text(slug), data_class="internal"
        )
        for path, slug in (
            ("/city/health/", "records"),
            ("/city/health/", "beds"),
            ("/city/health/clinics/", "queue"),
            ("/city/water/", "rivers"),
        )
    ]
