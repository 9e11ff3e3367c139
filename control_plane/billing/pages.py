"""Pages of billing: what was used and what it cost, statements, and the staircase of a line."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from control_plane.billing.model import Statement, StatementHead, StatementLine, StatementState
from control_plane.billing.service import Billing
from control_plane.metering.model import Meter
from control_plane.metering.service import Metering
from control_plane.tenancy.service import TenancyService
from foundation.kernel.errors import NotFound
from foundation.kernel.money import Money
from foundation.kernel.time import month
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.runtime import Runtime
from foundation.surface.web.i18n import N_, local
from foundation.surface.web.pages import Crumb, Pages, go, show
from foundation.surface.web.show import amount

pages = Pages("billing", __name__)
pages.navigation(N_("Usage and cost"), "usage", action="statement.view", order=40)
pages.notices["issued"] = N_("The statement was issued; it never changes again.")
pages.subjects["stm"] = "billing_pages.statement"

_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Column:
    """One month of the chart, by meter."""

    period: str
    costs: dict[str, Decimal]


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {"account_name": account_name, "of": Money}


def account_name(path: str) -> str:
    """The organisation that an account's path stands for, or the path."""
    try:
        found = use(TenancyService).organisation(current_actor(), path)
    except NotFound:
        return path
    return local(found.name)


def meters() -> dict[str, Meter]:
    """All meters by name."""
    return {meter.name: meter for meter in use(Metering).meters(current_actor())}


@pages.get("/usage")
@requires("statement.view")
def usage() -> ResponseReturnValue:
    """Cost by month and meter, the statements behind it, and this month's use."""
    actor = current_actor()
    heads = use(Billing).statements(actor)
    periods = sorted({head.period for head in heads})[-_MONTHS:]
    statements = [use(Billing).statement(actor, h.id) for h in heads if h.period in periods]
    this_month = f"{use(Runtime).clock.now():%Y-%m}"
    shown = request.args.get("period") or this_month
    return show(
        "billing/usage.html",
        heads=heads,
        columns=_columns(periods, statements),
        meters=meters(),
        shown=shown,
        periods=sorted({*periods, this_month}, reverse=True),
        used=use(Metering).usage(actor, month(shown)),
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Usage and cost"))],
    )


def _columns(periods: Iterable[str], statements: Iterable[Statement]) -> list[Column]:
    costs: dict[str, dict[str, Decimal]] = {period: defaultdict(Decimal) for period in periods}
    for statement in statements:
        for line in statement.lines:
            costs[statement.head.period][line.key.meter] += line.amount
    return [Column(period, dict(by_meter)) for period, by_meter in costs.items()]


@pages.get("/statements/<id>")
@requires("statement.view")
def statement(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """One statement: its lines, and what could not be priced."""
    found = use(Billing).statement(current_actor(), id)
    name = statement_name(found.head)
    return show(
        "billing/statement.html",
        statement=found,
        head=found.head,
        name=name,
        meters=meters(),
        groups=_by_resource(found.lines),
        issuable=_issuable(found.head),
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Usage and cost"), url_for("billing_pages.usage")),
            Crumb(name),
        ],
    )


def _issuable(head: StatementHead) -> bool:
    end = month(head.period).end
    over = end is not None and end <= use(Runtime).clock.now()
    return over and head.state is StatementState.OPEN


def statement_name(head: StatementHead) -> str:
    """What a statement is called: its number, or its account and month while it is open."""
    return head.number or f"{account_name(head.path)} · {head.period}"


def _by_resource(lines: Iterable[StatementLine]) -> list[tuple[str, list[StatementLine], Decimal]]:
    groups: dict[str, list[StatementLine]] = {}
    for line in lines:
        groups.setdefault(line.key.resource_id, []).append(line)
    return [
        (resource, group, sum((line.amount for line in group), Decimal(0)))
        for resource, group in groups.items()
    ]


@pages.post("/statements/<id>/issue")
@requires("statement.issue")
def issue(id: str) -> ResponseReturnValue:  # noqa: A002
    """Issue a statement."""
    use(Billing).issue(current_actor(), id)
    return go("billing_pages.statement", id=id, notice="issued")


@pages.get("/statement-lines/<id>")
@requires("statement.view")
def explanation(id: str) -> ResponseReturnValue:  # noqa: A002
    """The staircase: a line back to its charges, hours, events, order, contract and approval."""
    found = use(Billing).explain(current_actor(), id)
    meter = meters().get(found.line.key.meter)
    title = local(meter.title) if meter else found.line.key.meter
    return show(
        "billing/explanation.html",
        why=found,
        line=found.line,
        meter=meter,
        title=title,
        cost=amount(Money(found.line.amount, found.statement.currency)),
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Usage and cost"), url_for("billing_pages.usage")),
            Crumb(
                statement_name(found.statement),
                url_for("billing_pages.statement", id=found.statement.id),
            ),
            Crumb(title),
        ],
    )
