"""Policies of the budget: how much one service may take and cost."""

from collections.abc import Iterator
from decimal import Decimal

from control_plane.provisioning import usage_map
from control_plane.provisioning.policies.checks.settings import mapping, settings
from control_plane.provisioning.policies.model import Issue, Policy, Priced, Settings, Subject
from control_plane.tenancy.model import RESOURCES
from foundation.kernel.canonical import decimal_text
from foundation.kernel.text import Text

_AMOUNT = {"type": "string", "pattern": r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,3})?$"}


def quantities(subject: Subject, settings_: Settings) -> Iterator[Issue]:
    """One service takes no more of a resource than is foreseen for one."""
    taken = usage_map.quota_of(subject.graph, subject.facts)
    for name, most in sorted(settings_["most"].items()):
        amount, limit = taken.get(name, Decimal(0)), Decimal(most)
        if amount > limit:
            title = RESOURCES[name].title
            asked, allowed = decimal_text(amount), decimal_text(limit)
            yield Issue(
                "",
                Text(
                    f"{title.en}: takes {asked}; the budget of one service is {allowed}.",
                    f"{title.zh}：需要 {asked}，单个服务的预算为 {allowed}。",
                ),
            )


def price(priced: Priced, settings_: Settings) -> Iterator[Issue]:
    """One service costs no more a month than is foreseen for one."""
    ceiling = settings_["monthly"].get(priced.month.currency)
    if ceiling is None or priced.month.amount <= Decimal(ceiling):
        return
    cost = f"{priced.month.amount:,.2f} {priced.month.currency}"
    most = f"{Decimal(ceiling):,.2f} {priced.month.currency}"
    yield Issue(
        "",
        Text(
            f"Costs {cost} a month; the budget of one service is {most}.",
            f"每月费用 {cost}，单个服务的预算为 {most}。",
        ),
    )


POLICIES = (
    Policy(
        "budget.price",
        Text("Budget: price", "预算：价格"),
        Text(
            "One service costs no more a month than the budget foresees. It is judged where the "
            "price is known: in quotes and orders.",
            "单个服务的月费用不得超出预算。在已知价格的报价与订单中检查。",
        ),
        settings(
            {
                "monthly": mapping(
                    Text("At most a month, by currency", "每月上限（按币种）"),
                    {"pattern": "^[A-Z]{3}$"},
                    _AMOUNT,
                )
            }
        ),
        price=price,
    ),
    Policy(
        "budget.quantity",
        Text("Budget: quantities", "预算：数量"),
        Text(
            "One service takes no more processors, memory, storage and so on than the budget "
            "foresees, also where nobody prices it.",
            "单个服务占用的处理器、内存、存储等不得超出预算，未计价的场合同样适用。",
        ),
        settings(
            {
                "most": mapping(
                    Text("At most of each resource", "各类资源上限"),
                    {"enum": list(RESOURCES)},
                    _AMOUNT,
                )
            }
        ),
        graph=quantities,
    ),
)
