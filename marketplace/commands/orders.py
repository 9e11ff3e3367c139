"""``borough order``."""

from collections.abc import Mapping
from typing import Any

import click

from foundation.surface import cli
from marketplace.commands.drawing import quoted

_ORDER = (
    cli.Column("ID", "id"),
    cli.Column("KIND", "kind"),
    cli.Column("NAME", "name"),
    cli.Column("OFFERING", "offering"),
    cli.Column("PLAN", "plan"),
    cli.Column("STATE", "state"),
    cli.Column("REQUESTED BY", "requester_name"),
    cli.Column("CREATED", "created_at"),
    cli.Column("DIGEST", "digest", wide=True),
    cli.Column("PATH", "path", wide=True),
    cli.Column("SERVICE", "service", wide=True),
    cli.Column("OPERATION", "operation_id", wide=True),
    cli.Column("FAILURE", "failure.detail", wide=True),
)
ORDER_DETAIL = (
    *_ORDER,
    cli.Column("INPUTS", "inputs"),
    cli.Column("JUSTIFICATION", "justification"),
    cli.Column("UNTIL", "ends_at"),
)
_HISTORY = (
    cli.Column("AT", "at"),
    cli.Column("STATE", "after"),
    cli.Column("BY", "by_name"),
    cli.Column("WHY", "why"),
)
_STATES = (
    "draft", "submitted", "planning", "in_approval", "approved", "provisioning", "active",
    "rejected", "withdrawn", "failed", "stuck", "expired",
)  # fmt: skip


@click.group()
def order() -> None:
    """Orders: what a department asks for."""


_one_order = click.argument("order_id", shell_complete=cli.complete("/orders"))


@order.command("create")
@click.argument("offering", required=False)
@click.argument("inputs", nargs=-1, metavar="[INPUT=VALUE]…")
@click.option("--plan", help="Slug of the plan.")
@click.option("--tenancy", help="Id or slug.")
@click.option("--region", help="Id or slug.")
@click.option("--name", help="What the service is called.")
@click.option("--why", "justification", help="The justification that the approvers read.")
@click.option("--system", help="Id or slug of the system that it serves.")
@click.option("--contract", help="Number; else the one that is in force.")
@click.option("--until", "ends_at", help="RFC 3339; else as long as the contract.")
@click.option("--change", "changed", metavar="SERVICE", help="Change this service.")
@click.option("--delete", "deleted", metavar="SERVICE", help="Return this service.")
@click.option("-f", "--file", "path", help="Read the wish from a YAML or JSON file, - for stdin.")
@click.option("--quote", is_flag=True, help="Only say what it would cost; keep nothing.")
@click.option("--submit", is_flag=True, help="Submit it as well, and wait for its plan.")
@cli.console(api="POST /api/v1/orders", web="/orders/new", waits=True)
def order_create(
    console: cli.Console,
    /,
    offering: str | None,
    inputs: tuple[str, ...],
    **given: Any,  # noqa: ANN401
) -> None:
    """Save a draft order, such as `order create web-application servers=3 --plan m …`."""
    body = _wish(offering, inputs, given)
    if given["quote"]:
        quote = console.client.post("/orders/quote", body)
        console.text(quoted(quote), quote)
        return
    made = console.client.post("/orders", body)
    if given["submit"]:
        made = _submitted(console, made["id"])
    console.one(made, ORDER_DETAIL)


def _wish(
    offering: str | None, inputs: tuple[str, ...], given: Mapping[str, Any]
) -> dict[str, Any]:
    body: dict[str, Any] = dict(cli.read(given["path"]) or {}) if given["path"] else {}
    if given["changed"] and given["deleted"]:
        raise click.UsageError("--change and --delete exclude each other")
    if given["changed"] or given["deleted"]:
        body["kind"] = "change" if given["changed"] else "delete"
        body["service"] = given["changed"] or given["deleted"]
    named = (
        "plan", "tenancy", "region", "name", "justification", "system", "contract", "ends_at",
    )  # fmt: skip
    wished = {"offering": offering, **{name: given[name] for name in named}}
    body.update({name: value for name, value in wished.items() if value is not None})
    if inputs:
        body["inputs"] = {**body.get("inputs", {}), **cli.pairs(inputs)}
    return body


def _submitted(console: cli.Console, order_id: str) -> Any:  # noqa: ANN401 - JSON
    console.follow(console.client.post(f"/orders/{order_id}/submit"))
    return console.client.get(f"/orders/{order_id}")


@order.command("list")
@click.option("--state", type=click.Choice(_STATES), help="Only orders in this state.")
@click.option("--kind", type=click.Choice(("apply", "change", "delete")), help="Only this kind.")
@click.option("--service", help="Only orders of this service.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most.")
@cli.console(api="GET /api/v1/orders", web="/orders")
def order_list(
    console: cli.Console, state: str | None, kind: str | None, service: str | None, limit: int
) -> None:
    """List the orders that you may see, newest first."""
    items = console.client.items("/orders", limit=limit, state=state, kind=kind, service=service)
    console.rows(items, _ORDER)


@order.command("show")
@_one_order
@cli.console(api="GET /api/v1/orders/{id}", web="/orders/{id}")
def order_show(console: cli.Console, order_id: str) -> None:
    """Show one order."""
    console.one(console.client.get(f"/orders/{order_id}"), ORDER_DETAIL)


@order.command("history")
@_one_order
@cli.console(api="GET /api/v1/orders/{id}/history", web="/orders/{id}")
def order_history(console: cli.Console, order_id: str) -> None:
    """Show who did what to an order, when and why."""
    console.rows(console.client.get(f"/orders/{order_id}/history")["items"], _HISTORY, name="seq")


@order.command("submit")
@_one_order
@cli.console(api="POST /api/v1/orders/{id}/submit", web="/orders/{id}", waits=True)
def order_submit(console: cli.Console, order_id: str) -> None:
    """Ask for the plan and then the approval of a draft."""
    console.one(_submitted(console, order_id), ORDER_DETAIL)


@order.command("retry")
@_one_order
@cli.console(api="POST /api/v1/orders/{id}/retry", web="/orders/{id}", waits=True)
def order_retry(console: cli.Console, order_id: str) -> None:
    """Plan a failed order anew."""
    console.follow(console.client.post(f"/orders/{order_id}/retry"))
    console.one(console.client.get(f"/orders/{order_id}"), ORDER_DETAIL)


@order.command("withdraw")
@_one_order
@click.option("--why", "reason", default="", help="The reason, for the history.")
@cli.console(api="POST /api/v1/orders/{id}/withdraw", web="/orders/{id}")
def order_withdraw(console: cli.Console, order_id: str, reason: str) -> None:
    """Take an order back before it is approved."""
    console.one(
        console.client.post(f"/orders/{order_id}/withdraw", {"reason": reason}), ORDER_DETAIL
    )


@order.command("reopen")
@_one_order
@cli.console(api="POST /api/v1/orders/{id}/reopen", web="/orders/{id}")
def order_reopen(console: cli.Console, order_id: str) -> None:
    """Make a rejected, withdrawn, expired or failed order a draft again."""
    console.one(console.client.post(f"/orders/{order_id}/reopen"), ORDER_DETAIL)
