"""``borough approval``."""

import click

from foundation.surface import cli
from marketplace.commands.drawing import reviewed
from marketplace.commands.orders import ORDER_DETAIL

_APPROVAL = (
    cli.Column("ORDER", "order.id"),
    cli.Column("NAME", "order.name"),
    cli.Column("KIND", "order.kind"),
    cli.Column("REQUESTED BY", "order.requester_name"),
    cli.Column("MONTH", "price.month", right=True),
    cli.Column("NEXT", lambda item: item["missing"][0]["name"] if item["missing"] else None),
    cli.Column("YOURS", "may_decide"),
    cli.Column("DIGEST", "digest"),
)

_one_order = click.argument("order_id", shell_complete=cli.complete("/orders"))


@click.group()
def approval() -> None:
    """Approvals: decide orders by plan and price."""


@approval.command("list")
@click.option("--mine", is_flag=True, help="Only those that you could decide now.")
@cli.console(api="GET /api/v1/approvals", web="/approvals")
def approval_list(console: cli.Console, mine: bool) -> None:  # noqa: FBT001 - a flag
    """List the orders that wait for approval."""
    console.rows(console.client.items("/approvals", mine=mine or None), _APPROVAL, name="order.id")


@approval.command("show")
@_one_order
@cli.console(api="GET /api/v1/approvals/{id}", web="/approvals/{id}")
def approval_show(console: cli.Console, order_id: str) -> None:
    """Show what would be made, its price, quota and findings, and the digest to approve."""
    review = console.client.get(f"/approvals/{order_id}")
    console.text(reviewed(review), {"id": order_id, **review})


@approval.command("approve")
@_one_order
@click.option("--digest", required=True, help="Of the plan that you have looked at.")
@cli.console(api="POST /api/v1/approvals/{id}/approve", web="/approvals/{id}", waits=True)
def approval_approve(console: cli.Console, order_id: str, digest: str) -> None:
    """Approve one digest of an order; after the last approval it is carried out."""
    made = console.client.post(f"/approvals/{order_id}/approve", {"digest": digest})
    if made["state"] == "approved":
        console.follow(made["operation_id"])
        made = console.client.get(f"/orders/{order_id}")
    console.one(made, ORDER_DETAIL)


@approval.command("reject")
@_one_order
@click.option("--digest", required=True, help="Of the plan that you have looked at.")
@click.option("--why", "reason", required=True, help="The requester reads this.")
@cli.console(api="POST /api/v1/approvals/{id}/reject", web="/approvals/{id}")
def approval_reject(console: cli.Console, order_id: str, digest: str, reason: str) -> None:
    """Refuse one digest of an order."""
    body = {"digest": digest, "reason": reason}
    console.one(console.client.post(f"/approvals/{order_id}/reject", body), ORDER_DETAIL)
