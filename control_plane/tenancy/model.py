"""Organisations, systems, tenancies and quotas: values and their rules."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, NewType

from foundation.kernel.errors import Collector, Invalid, Problem
from foundation.kernel.text import Text

OrganisationId = NewType("OrganisationId", str)
SystemId = NewType("SystemId", str)
TenancyId = NewType("TenancyId", str)

#: Names in paths, project names and DNS labels: providers take 40 characters of them.
SLUG = re.compile(r"(?=.{1,40}$)[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
SLUG_RULE = "must be 1 to 40 lower-case letters, digits and single inner hyphens, a letter first"

#: Amounts of quota carry this many decimals at most (half a CPU, a quarter of a GiB).
_AMOUNT_STEP = Decimal("0.001")
_MAX_AMOUNT = Decimal(10) ** 12


class OrganisationKind(StrEnum):
    """What level of the city an organisation is."""

    CITY = "city"
    BUREAU = "bureau"
    DISTRICT = "district"
    OFFICE = "office"


#: What kind of organisation may stand under which; districts have bureaus of their own.
PARENTS: Mapping[OrganisationKind, frozenset[OrganisationKind]] = {
    OrganisationKind.CITY: frozenset(),
    OrganisationKind.BUREAU: frozenset({OrganisationKind.CITY, OrganisationKind.DISTRICT}),
    OrganisationKind.DISTRICT: frozenset({OrganisationKind.CITY}),
    OrganisationKind.OFFICE: frozenset({OrganisationKind.BUREAU, OrganisationKind.DISTRICT}),
}


class DataClass(StrEnum):
    """How far data may travel, from the least to the most protected."""

    PUBLIC = "public"
    INTERNAL = "internal"
    SENSITIVE = "sensitive"

    @property
    def rank(self) -> int:
        """Greater for data that need more protection."""
        return list(DataClass).index(self)


class TenancyState(StrEnum):
    """Whether anything new may be put into a tenancy."""

    ACTIVE = "active"
    CLOSED = "closed"


class ReservationState(StrEnum):
    """How far a reservation of quota has come."""

    RESERVED = "reserved"
    CONSUMED = "consumed"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that a quota limits.

    Attributes:
        unit: as people read it beside a number; empty for things that are counted.
    """

    name: str
    title: Text
    unit: str = ""


#: The resources that quotas limit, by name.
RESOURCES: Mapping[str, Resource] = {
    r.name: r
    for r in (
        Resource("bare_servers", Text("Physical servers", "物理服务器")),
        Resource("floating_ips", Text("Public addresses", "公网地址")),
        Resource("instances", Text("Servers", "云服务器")),
        Resource("k8s_cpu", Text("Container CPUs", "容器 CPU"), "CPU"),
        Resource("k8s_memory_gb", Text("Container memory", "容器内存"), "GiB"),
        Resource("load_balancers", Text("Load balancers", "负载均衡")),
        Resource("namespaces", Text("Namespaces", "命名空间")),
        Resource("object_gb", Text("Object storage", "对象存储"), "GB"),
        Resource("ram_gb", Text("Memory", "内存"), "GiB"),
        Resource("vcpus", Text("Virtual CPUs", "虚拟 CPU"), "vCPU"),
        Resource("volume_gb", Text("Block storage", "块存储"), "GB"),
    )
}


@dataclass(frozen=True, slots=True)
class Organisation:
    """A part of the city's administration.

    Attributes:
        path: the slugs from the root, such as ``/city/health/``.
    """

    id: OrganisationId
    parent_id: OrganisationId | None
    slug: str
    name: Text
    kind: OrganisationKind
    path: str
    created_at: datetime

    @property
    def depth(self) -> int:
        """0 for the city."""
        return depth_of(self.path)


@dataclass(frozen=True, slots=True)
class System:
    """An information system that an organisation answers for.

    Attributes:
        path: of its organisation.
        contact: who answers for it: a function or an address, never a private person's data.
    """

    id: SystemId
    organisation_id: OrganisationId
    path: str
    slug: str
    name: Text
    data_class: DataClass
    contact: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Tenancy:
    """A room in the cloud: what is ordered runs in one, and is metered and limited by it.

    Attributes:
        slug: unique in the city; regions name projects and namespaces by it.
        path: of its organisation.
        data_class: the most protected data that it may hold.
    """

    id: TenancyId
    organisation_id: OrganisationId
    system_id: SystemId | None
    slug: str
    path: str
    name: Text
    data_class: DataClass
    state: TenancyState
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Quota:
    """How one resource stands at one level.

    Attributes:
        limit: None when this level does not limit it.
        reserved: what approved orders will take once they are carried out.
        used: what is there.
    """

    resource: str
    limit: Decimal | None
    reserved: Decimal
    used: Decimal

    @property
    def free(self) -> Decimal | None:
        """What may still be taken at this level; None without a limit."""
        return None if self.limit is None else self.limit - self.reserved - self.used


@dataclass(frozen=True, slots=True)
class QuotaLevel:
    """All quotas of one level.

    Attributes:
        scope_id: the organisation or the tenancy.
        kind: ``city``, ``bureau``, ``district``, ``office`` or ``tenancy``.
        path: of the organisation; for a tenancy, of the one that it belongs to.
    """

    scope_id: str
    kind: str
    slug: str
    name: Text
    path: str
    quotas: tuple[Quota, ...]


@dataclass(frozen=True, slots=True)
class Reservation:
    """Quota that is held for something under a key.

    Attributes:
        amounts: by resource; negative for what is given back when it is consumed.
    """

    key: str
    tenancy_id: TenancyId
    amounts: Mapping[str, Decimal]
    state: ReservationState

    def effect(self) -> dict[str, tuple[Decimal, Decimal]]:
        """What it adds to (reserved, used) at each level, by resource."""
        zero = Decimal(0)
        if self.state is ReservationState.RESERVED:
            return {name: (max(amount, zero), zero) for name, amount in self.amounts.items()}
        if self.state is ReservationState.CONSUMED:
            return {name: (zero, amount) for name, amount in self.amounts.items()}
        return dict.fromkeys(self.amounts, (zero, zero))


def depth_of(path: str) -> int:
    """How far below the root a path is: 0 for ``/city/``."""
    return path.count("/") - 2


def ancestors(path: str) -> tuple[str, ...]:
    """The path itself and all above it, from the root."""
    parts = path.strip("/").split("/")
    return tuple("/" + "/".join(parts[: count + 1]) + "/" for count in range(len(parts)))


def check_slug(found: Collector, slug: str, field: str = "slug") -> None:
    """Note a problem when the text cannot be a slug."""
    found.check(SLUG.fullmatch(slug), field, SLUG_RULE)


def parse_amount(value: Any, field: str) -> Decimal:  # noqa: ANN401 - outside data
    """An amount of quota.

    Raises:
        Invalid: not a finite number, negative, too large, or finer than a thousandth.
    """
    amount = _decimal(value)
    if amount is None:
        raise Invalid([Problem(field, "must be a number")])
    problem = _amount_problem(amount) or ("must not be negative" if amount < 0 else "")
    if problem:
        raise Invalid([Problem(field, problem)])
    return amount


def check_amounts(amounts: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """The amounts of a reservation without zeros; they may be negative.

    Raises:
        Invalid: names every unknown resource and every amount that cannot be.
    """
    found = Collector()
    for name, amount in amounts.items():
        field = f"amounts.{name}"
        if found.check(name in RESOURCES, field, "is not a resource that quotas know", "unknown"):
            problem = _amount_problem(amount)
            found.check(not problem, field, problem)
    found.finish()
    return {name: amounts[name] for name in sorted(amounts) if amounts[name]}


def _decimal(value: Any) -> Decimal | None:  # noqa: ANN401 - outside data
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _amount_problem(amount: Decimal) -> str:
    if not amount.is_finite():
        return "must be a finite number"
    if abs(amount) > _MAX_AMOUNT:
        return f"must be at most {_MAX_AMOUNT}"
    if amount != amount.quantize(_AMOUNT_STEP):
        return "has more than 3 decimals"
    return ""
