"""Cities as large as real ones, for benchmarks: synthetic, seeded, the same for the same seed.

A generated city has the demonstration city's catalogue, meters, prices and frameworks, and its own
organisations, systems, contracts, tenancies and quotas. What would be long (servers, entries of the
data directory) comes as an iterator and is never held in memory. Sources of the figures: Guangzhou
and Nanjing as described in the design (240 departments, 900 systems and 4,717 servers; 127
organisations, 1,216 systems and 172,654 directory entries).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from random import Random
from typing import TypeVar

from control_plane.demonstration.files import load_city
from control_plane.demonstration.model import (
    Account,
    City,
    Contract,
    Criticality,
    DataClass,
    Organisation,
    OrganisationKind,
    Quota,
    Role,
    RoleGrant,
    System,
    Tenancy,
    Term,
)
from foundation.kernel.text import Text


@dataclass(frozen=True, slots=True)
class Size:
    """How large a city is.

    Attributes:
        departments: bureaus and districts directly below the city.
        offices: organisations below the departments.
        systems, virtual_servers, physical_servers, directory_entries: how many of each.
    """

    name: str
    departments: int
    offices: int
    systems: int
    virtual_servers: int
    physical_servers: int
    directory_entries: int

    def __post_init__(self) -> None:
        """Refuse a size that no city can have.

        Raises:
            ValueError: no department, or a negative number.
        """
        counts = (
            self.offices,
            self.systems,
            self.virtual_servers,
            self.physical_servers,
            self.directory_entries,
        )
        if self.departments < 1 or min(counts) < 0:
            raise ValueError("a city has at least one department and no negative number of things")
        if (
            self.virtual_servers + self.physical_servers + self.directory_entries
            and not self.systems
        ):
            raise ValueError("servers and directory entries need systems that they belong to")

    @property
    def servers(self) -> int:
        """Virtual and physical ones."""
        return self.virtual_servers + self.physical_servers


#: 240 departments run 900 systems on 3,860 virtual and 857 physical servers (2017). No number of
#: directory entries is published.
GUANGZHOU = Size("guangzhou", 240, 0, 900, 3_860, 857, 0)
#: 127 organisations, 1,216 systems and 172,654 directory entries. How many of the organisations are
#: departments, and two servers for each system, are assumed.
NANJING = Size("nanjing", 40, 87, 1_216, 2_432, 0, 172_654)


class ServerKind(StrEnum):
    """Whether a server is a machine of its own."""

    VIRTUAL = "virtual"
    PHYSICAL = "physical"


class DirectoryLevel(StrEnum):
    """Whose directory an entry is from."""

    NATIONAL = "national"
    PROVINCIAL = "provincial"
    MUNICIPAL = "municipal"
    VIDEO = "video"


@dataclass(frozen=True, slots=True)
class Server:
    """A server of a generated city.

    Attributes:
        flavor: a region's size for a virtual one, a model for a physical one.
        volume_gb: of the standard type.
    """

    name: str
    kind: ServerKind
    system: str
    organisation: str
    tenancy: str
    flavor: str
    volume_gb: int


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """An entry of the data directory of a generated city."""

    number: str
    name: Text
    organisation: str
    system: str
    level: DirectoryLevel
    data_class: DataClass


_BUREAUS = (
    ("Health", "卫生健康"), ("Education", "教育"), ("Civil Affairs", "民政"), ("Transport", "交通"),
    ("Water", "水务"), ("Environment", "环境"), ("Housing", "住房"), ("Culture", "文化"),
    ("Commerce", "商务"), ("Agriculture", "农业"), ("Planning", "规划"), ("Archives", "档案"),
    ("Sports", "体育"), ("Emergency", "应急"), ("Statistics", "统计"), ("Gardens", "园林"),
)  # fmt: skip
_SYSTEMS = (
    ("Register", "登记系统"), ("Permits", "许可系统"), ("Statistics", "统计系统"),
    ("Inspection", "检查系统"), ("Service Hall", "办事系统"), ("Documents", "公文系统"),
    ("Case Handling", "办案系统"), ("Public Site", "门户网站"),
)  # fmt: skip
_SUBJECTS = (
    ("permits issued", "许可信息"), ("persons registered", "登记信息"), ("inspections", "检查记录"),
    ("facilities", "设施信息"), ("payments", "缴费记录"), ("notices", "公告信息"),
    ("monthly figures", "月度指标"), ("locations", "位置信息"),
)  # fmt: skip
_LEVELS = (
    (DirectoryLevel.MUNICIPAL, 60),
    (DirectoryLevel.VIDEO, 20),
    (DirectoryLevel.PROVINCIAL, 15),
    (DirectoryLevel.NATIONAL, 5),
)
_DATA_CLASSES = ((DataClass.PUBLIC, 20), (DataClass.INTERNAL, 50), (DataClass.SENSITIVE, 30))
_CRITICALITIES = (
    (Criticality.ORDINARY, 60),
    (Criticality.IMPORTANT, 30),
    (Criticality.CRITICAL, 10),
)
_FLAVORS = (("s", 40), ("m", 35), ("l", 18), ("xl", 7))
_MODELS = (("general", 70), ("storage", 30))
_VOLUMES = (50, 100, 200, 500)
_DISTRICT_EVERY = 12
_T = TypeVar("_T")
_CONTRACT_CEILING = Decimal(2_000_000)
_TENANCY_LIMITS = {"vcpus": 1024, "ram_gb": 2048, "volume_gb": 102_400, "instances": 512}


@dataclass(frozen=True)
class GeneratedCity:
    """A city of a size; ``city`` is held, the rest is told one by one and each time the same."""

    size: Size
    seed: int

    @cached_property
    def city(self) -> City:
        """Its organisations, systems, accounts, contracts, tenancies and quotas."""
        own = load_city()
        root = replace(own.root, name=Text(f"Generated City {self.seed}", f"生成城市{self.seed}"))
        departments = [_department(index) for index in range(self.size.departments)]
        offices = [
            _office(index, departments[index % len(departments)])
            for index in range(self.size.offices)
        ]
        contracts = tuple(_contract(own, one) for one in departments)
        ceiling = sum((one.ceiling for one in contracts), Decimal(0))
        frameworks = tuple(
            replace(one, ceiling=max(one.ceiling, ceiling)) for one in own.frameworks
        )
        tenancies = tuple(_tenancy(own, one) for one in departments)
        capacity = {name: limit * len(departments) for name, limit in _TENANCY_LIMITS.items()}
        region = own.regions[0]
        return replace(
            own,
            name=root.name,
            organisations=(root, *departments, *offices),
            systems=tuple(self._systems([*departments, *offices])),
            accounts=(*_central(own), *(_requester(one) for one in departments)),
            frameworks=frameworks,
            contracts=contracts,
            regions=(replace(region, capacity={**region.capacity, **capacity}),),
            tenancies=tenancies,
            quotas=tuple(Quota(_TENANCY_LIMITS, tenancy=one.slug) for one in tenancies),
            story=None,
            migration=None,
        )

    def servers(self) -> Iterator[Server]:
        """All servers, virtual ones first; every system has one before any has a second."""
        chance = self._chance("servers")
        city = self.city
        tenancies = {one.organisation: one.slug for one in city.tenancies}
        for index in range(self.size.servers):
            kind = ServerKind.VIRTUAL if index < self.size.virtual_servers else ServerKind.PHYSICAL
            system = city.systems[index % len(city.systems)]
            department = city.department_of(system.organisation).slug
            yield Server(
                name=f"{kind.value}-{index + 1:06d}",
                kind=kind,
                system=system.slug,
                organisation=system.organisation,
                tenancy=tenancies[department],
                flavor=_pick(chance, _FLAVORS if kind is ServerKind.VIRTUAL else _MODELS),
                volume_gb=_VOLUMES[_below(chance, len(_VOLUMES))],
            )

    def directory(self) -> Iterator[DirectoryEntry]:
        """All entries of the data directory."""
        chance = self._chance("directory")
        city = self.city
        for index in range(self.size.directory_entries):
            system = city.systems[_below(chance, len(city.systems))]
            subject, subject_zh = _SUBJECTS[_below(chance, len(_SUBJECTS))]
            yield DirectoryEntry(
                number=f"D{index + 1:07d}",
                name=Text(f"{system.name.en}: {subject}", f"{system.name.zh}：{subject_zh}"),
                organisation=system.organisation,
                system=system.slug,
                level=_pick(chance, _LEVELS),
                data_class=system.data_class,
            )

    def _systems(self, owners: list[Organisation]) -> Iterator[System]:
        chance = self._chance("systems")
        for index in range(self.size.systems):
            # Everyone gets one before anyone gets a second; after that at random.
            turn = index if index < len(owners) else _below(chance, len(owners))
            owner = owners[turn]
            name, name_zh = _SYSTEMS[_below(chance, len(_SYSTEMS))]
            yield System(
                slug=f"system-{index + 1:05d}",
                name=Text(
                    f"{owner.name.en} {name} {index + 1}", f"{owner.name.zh}{name_zh}{index + 1}"
                ),
                organisation=owner.slug,
                data_class=_pick(chance, _DATA_CLASSES),
                criticality=_pick(chance, _CRITICALITIES),
            )

    def _chance(self, what: str) -> Random:
        """A stream of its own for each kind of thing, so that one never moves another."""
        return Random(f"{self.size.name}/{self.seed}/{what}")  # noqa: S311 - not a secret


def generate(size: Size, seed: int = 1) -> GeneratedCity:
    """A city of that size; the same size and seed always give the same city."""
    return GeneratedCity(size, seed)


def _department(index: int) -> Organisation:
    number = index + 1
    if index % _DISTRICT_EVERY == _DISTRICT_EVERY - 1:
        name = Text(f"District {number}", f"第{number}区")
        return Organisation(f"district-{number:04d}", OrganisationKind.DISTRICT, name, "city")
    subject, subject_zh = _BUREAUS[index % len(_BUREAUS)]
    name = Text(f"{subject} Bureau {number}", f"{subject_zh}局{number}")
    return Organisation(f"bureau-{number:04d}", OrganisationKind.BUREAU, name, "city")


def _office(index: int, above: Organisation) -> Organisation:
    number = index + 1
    name = Text(f"{above.name.en}, Office {number}", f"{above.name.zh}第{number}处")
    return Organisation(f"office-{number:04d}", OrganisationKind.OFFICE, name, above.slug)


def _contract(own: City, department: Organisation) -> Contract:
    framework = own.frameworks[0]
    return Contract(
        number=f"CT-{department.slug.upper()}",
        framework=framework.number,
        organisation=department.slug,
        name=Text(
            f"{department.name.en}: basic cloud services", f"{department.name.zh}基础云服务合同"
        ),
        term=Term(-3, 13),
        ceiling=_CONTRACT_CEILING,
        service_level=own.contracts[0].service_level,
    )


def _tenancy(own: City, department: Organisation) -> Tenancy:
    return Tenancy(
        slug=f"{department.slug}-production",
        name=Text(f"{department.name.en} production", f"{department.name.zh}生产环境"),
        organisation=department.slug,
        region=own.regions[0].slug,
        data_class=DataClass.SENSITIVE,
    )


def _central(own: City) -> Iterator[Account]:
    """The accounts of the whole city; their offices do not exist in a generated one."""
    for account in own.accounts:
        if all(grant.organisation == own.root.slug for grant in account.grants):
            yield replace(account, organisation=own.root.slug)


def _requester(department: Organisation) -> Account:
    login = f"{department.slug}.requester"
    return Account(
        login=login,
        name=Text(f"{department.name.en} systems officer", f"{department.name.zh}系统管理员"),
        email=f"{login}@city.example",
        organisation=department.slug,
        grants=(RoleGrant(Role.MEMBER, department.slug),),
    )


def _below(chance: Random, count: int) -> int:
    """A number from 0 to ``count`` - 1; of ``random()`` alone, whose sequence Python promises."""
    return int(chance.random() * count)


def _pick(chance: Random, weighted: tuple[tuple[_T, int], ...]) -> _T:
    at = _below(chance, sum(weight for _, weight in weighted))
    for value, weight in weighted:
        at -= weight
        if at < 0:
            return value
    raise AssertionError("weights are positive")
