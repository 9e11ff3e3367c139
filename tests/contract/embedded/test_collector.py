"""The use of the simulated region's objects, from its log of actions on real PostgreSQL."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from control_plane.adapters.embedded.collector import EmbeddedCollector
from control_plane.adapters.embedded.region import OUTSIDE
from control_plane.adapters.embedded.tables import ACTION
from control_plane.provisioning.model import (
    DeploymentId,
    InventoryState,
    RegionId,
    Resource,
    ResourceId,
)
from foundation.kernel.database import Database
from foundation.kernel.time import Interval

START = datetime(2026, 10, 1, tzinfo=UTC)
VOLUME = "openstack:blockstorage/volume:Volume"
ROW = Resource(
    ResourceId("res_1"), DeploymentId("dep_1"), RegionId("reg_1"), "ten_1", "/city/", "urn:data",
    VOLUME, "data", "phys-1", InventoryState.CREATED, "", (), START,
)  # fmt: skip


class Region:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.inventory = [ROW]
        self.collector = EmbeddedCollector(
            database, lambda _: {"openstack": {"volume_type": "standard"}},
            lambda _region, _since: self.inventory,
        )  # fmt: skip

    def act(self, action: str, hour: float, size: int, deployment: str = "dep_1") -> None:
        with self.database.transaction():
            self.database.execute(
                sa.insert(ACTION).values(
                    region="reg_1", deployment=deployment, urn="urn:data", type=VOLUME, name="data",
                    physical_id="phys-1", action=action, inputs={"size": size},
                    at=START + timedelta(hours=hour),
                )
            )  # fmt: skip

    def used(self, begin: float, end: float) -> Mapping[str, Decimal]:
        window = Interval(START + timedelta(hours=begin), START + timedelta(hours=end))
        found: dict[str, Decimal] = {}
        for seen in self.collector.observe("reg_1", window):
            inside = seen.interval.intersection(window)
            length: Any = inside.duration() if inside else timedelta(0)
            hours = Decimal(length // timedelta(seconds=1)) / 3600
            found[seen.resource] = found.get(seen.resource, Decimal(0)) + seen.per_hour * hours
        return found


@pytest.fixture
def region(database: Database) -> Region:
    made = Region(database)
    made.act("create", 1, 10)
    made.act("change", 3, 30)
    made.act("delete", 6, 30)
    return made


def test_a_change_counts_from_its_instant_until_the_end(region: Region) -> None:
    assert region.used(0, 10) == {"res_1": Decimal(2 * 10 + 3 * 30)}


@pytest.mark.parametrize("cut", [0.5, 1, 2, 3, 5, 6, 9])
def test_two_windows_give_what_one_gives(region: Region, cut: float) -> None:
    parts = region.used(0, cut).get("res_1", 0) + region.used(cut, 10).get("res_1", 0)
    assert parts == Decimal(110)


def test_what_is_gone_before_the_window_is_not_there(region: Region) -> None:
    assert region.used(6, 10) == {}


def test_in_the_middle_of_an_operation_an_object_is_known_by_its_place(region: Region) -> None:
    region.inventory = [replace(ROW, physical_id="", state=InventoryState.PLANNED)]
    assert region.used(0, 10) == {"res_1": Decimal(110)}


def test_what_nobody_owns_is_not_told_of_until_it_is_imported(database: Database) -> None:
    region = Region(database)
    region.act("create", 1, 10, deployment=OUTSIDE)
    known, region.inventory = region.inventory, []
    assert region.used(0, 10) == {}
    region.inventory = known
    region.act("change", 4, 20)
    assert region.used(0, 10) == {"res_1": Decimal(3 * 10 + 6 * 20)}
    # The import was given up.
    region.inventory = []
    assert region.used(0, 10) == {}
