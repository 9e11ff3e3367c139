"""The first page: a department's day, or the administrator's.

It stands here because it looks at every feature; each figure links to the page behind it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from flask.typing import ResponseReturnValue
from flask_babel import gettext

from control_plane.billing.service import Billing
from control_plane.metering.model import Watermark
from control_plane.metering.service import Metering
from control_plane.provisioning.model import Region
from control_plane.provisioning.service import Provisioning
from foundation.kernel.errors import BoroughError
from foundation.kernel.money import Money
from foundation.kernel.paging import MAX_LIMIT, PageRequest, everything
from foundation.operations.model import Operation, OperationState, WorkerInfo
from foundation.operations.service import Operations
from foundation.surface.auth import current_actor, may, signed_in
from foundation.surface.registry import use
from foundation.surface.runtime import Runtime
from foundation.surface.web.i18n import N_
from foundation.surface.web.pages import Crumb, Pages, show
from marketplace.model import Instance, InstanceState, OrderState
from marketplace.service import ContractView, Marketplace, Review

pages = Pages("home", __name__)
pages.navigation(N_("Home"), "home", order=0)

_SOON = timedelta(days=30)
_LATE = timedelta(hours=2)
_SHOWN = 10
_FIRST = ("vcpus", "ram_gb", "volume_gb")


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for the visitor.

    Attributes:
        approvals: orders that they could approve now.
        drafts: their own orders that were not submitted.
        expiring: services that end within thirty days.
    """

    approvals: int
    drafts: int
    expiring: int


@dataclass(frozen=True, slots=True)
class Collection:
    """How far the usage of a region is collected, and whether that is late."""

    region: Region
    mark: Watermark | None
    late: bool


@pages.get("/")
@signed_in
def home() -> ResponseReturnValue:
    """The administrator's home for those who keep regions, a department's for all others."""
    return _administrator() if may("region.add") else _department()


# --- a department


def _department() -> ResponseReturnValue:
    now = use(Runtime).clock.now()
    living = [one for one in _instances() if one.state is not InstanceState.DELETED]
    return show(
        "home/department.html",
        instances=living[:_SHOWN],
        total=len(living),
        by_state=Counter(one.state.value for one in living),
        month=_this_month(now),
        running=_sum([one.monthly for one in living if one.state is InstanceState.ACTIVE]),
        contracts=_contracts(now),
        waiting=_waiting(living, now),
        crumbs=[Crumb(gettext("Home"))],
    )


def _instances() -> Sequence[Instance]:
    if not may("instance.view"):
        return ()
    return list(everything(partial(use(Marketplace).instances, current_actor())))


def _this_month(now: datetime) -> Money | None:
    """What was charged in this month so far, in everything that the visitor may see."""
    if not may("statement.view"):
        return None
    heads = use(Billing).statements(current_actor(), f"{now:%Y-%m}")
    return _sum([Money(head.total, head.currency) for head in heads])


def _sum(amounts: Sequence[Money]) -> Money | None:
    if not amounts:
        return None
    return sum(amounts[1:], amounts[0])


def _contracts(now: datetime) -> list[ContractView]:
    if not may("contract.view"):
        return []
    page = use(Marketplace).contracts(current_actor(), PageRequest())
    return [view for view in page.items if view.contract.in_force(now)]


def _waiting(living: Sequence[Instance], now: datetime) -> Waiting:
    actor, service = current_actor(), use(Marketplace)
    approvals = 0
    if may("approval.decide"):
        approvals = len(service.approvals(actor, PageRequest(None, MAX_LIMIT), mine=True).items)
    drafts = 0
    if may("order.create"):
        mine = {"state": OrderState.DRAFT.value, "requester_id": str(actor.id)}
        drafts = len(service.orders(actor, PageRequest(), mine).items)
    ends = [one.ends_at for one in living if one.ends_at is not None]
    return Waiting(approvals, drafts, sum(end <= now + _SOON for end in ends))


# --- the administrator


def _administrator() -> ResponseReturnValue:
    actor = current_actor()
    now = use(Runtime).clock.now()
    regions = list(everything(partial(use(Provisioning).regions, actor)))
    reviews = use(Marketplace).approvals(actor, PageRequest(None, MAX_LIMIT)).items
    return show(
        "home/administrator.html",
        regions=[(region, _bars(region)) for region in regions],
        running=_operations(OperationState.RUNNING) + _operations(OperationState.QUEUED),
        stuck=_operations(OperationState.STUCK),
        reviews=reviews,
        overdue=_overdue(reviews, now),
        collections=_collections(regions, now),
        workers=[w for w in _workers() if w.stopped_at is None],
        crumbs=[Crumb(gettext("Home"))],
    )


def _bars(region: Region) -> list[tuple[str, Decimal, Decimal | None]]:
    held = use(Provisioning).held(current_actor(), region.id)
    return [(name, held.get(name, Decimal(0)), region.capacity.get(name)) for name in _FIRST]


def _operations(state: OperationState) -> list[Operation]:
    page = use(Operations).list(current_actor(), PageRequest(None, _SHOWN), state=state)
    return list(page.items)


def _overdue(reviews: Sequence[Review], now: datetime) -> int:
    deadlines = [review.order.deadline for review in reviews]
    return sum(deadline is not None and deadline < now for deadline in deadlines)


def _collections(regions: Sequence[Region], now: datetime) -> list[Collection]:
    marks = {mark.region_id: mark for mark in use(Metering).watermarks(current_actor())}
    found = []
    for region in regions:
        mark = marks.get(region.id)
        seen = mark.collected_until if mark else None
        found.append(Collection(region, mark, seen is not None and now - seen > _LATE))
    return found


def _workers() -> list[WorkerInfo]:
    try:
        return list(use(Operations).workers(current_actor()))
    except BoroughError:  # only those who may stop operations everywhere see them
        return []
