"""``borough statement``: a department's bills, and why each line is what it is."""

from collections.abc import Mapping
from typing import Any

import click

from foundation.surface import cli

_HEADS = (
    cli.Column("ID", "id"),
    cli.Column("ACCOUNT", "path"),
    cli.Column("PERIOD", "period"),
    cli.Column("STATE", "state"),
    cli.Column("NUMBER", "number"),
    cli.Column("TOTAL", lambda item: f"{item['total']} {item['currency']}", right=True),
    cli.Column("RATED", "rated_at", wide=True),
)
_LINES = (
    cli.Column("LINE", "id"),
    cli.Column("RESOURCE", "key.resource_id"),
    cli.Column("METER", "key.meter"),
    cli.Column("DIMENSIONS", "key.dimensions"),
    cli.Column("QUANTITY", "quantity", right=True),
    cli.Column("PRICE", "key.unit_price", right=True),
    cli.Column("AMOUNT", "amount", right=True),
    cli.Column("MONTH OF USE", "key.charge_month", wide=True),
    cli.Column("UNROUNDED", "cost", wide=True, right=True),
    cli.Column("CONTRACT", "key.contract_id", wide=True),
)
_OPERATION = (
    cli.Column("ID", "id"),
    cli.Column("STATE", "state"),
    cli.Column("RESULT", "result"),
)


@click.group()
def statement() -> None:
    """Statements: what a department pays, line by line."""


@statement.command("list")
@click.option("--period", metavar="YYYY-MM", help="Only of this month.")
@cli.console(api="GET /api/v1/statements", web="/usage")
def list_(console: cli.Console, period: str | None) -> None:
    """List statements, newest month first."""
    console.rows(console.client.items("/statements", limit=None, period=period), _HEADS)


@statement.command()
@click.argument("statement_id", shell_complete=cli.complete("/statements"))
@cli.console(api="GET /api/v1/statements/{id}", web="/statements/{id}")
def show(console: cli.Console, statement_id: str) -> None:
    """Show a statement with its lines."""
    _show(console, console.client.get(f"/statements/{statement_id}"))


@statement.command()
@click.argument("statement_id", shell_complete=cli.complete("/statements"))
@cli.console(api="POST /api/v1/statements/{id}/issue", web="/statements/{id}")
def issue(console: cli.Console, statement_id: str) -> None:
    """Issue a month's statement: it is numbered and never changes again."""
    _show(console, console.client.post(f"/statements/{statement_id}/issue"))


def _show(console: cli.Console, found: Mapping[str, Any]) -> None:
    if console.form in {"json", "yaml", "name"}:
        console.one(found, _HEADS)
        return
    state = f"issued as {found['number']}" if found["number"] else "open: it still moves"
    console.say(f"{found['path']} · {found['period']} · {state}")
    console.rows(found["lines"], _LINES)
    console.say(f"Total: {found['total']} {found['currency']}")
    for item in found["unpriced"]:
        console.say(f"Not priced: {item['quantity']} of {item['meter']} ({item['path']})")


@statement.command()
@click.argument("period", metavar="YYYY-MM")
@cli.console(api="POST /api/v1/rating-runs", waits=True)
def rate(console: cli.Console, period: str) -> None:
    """Rate a month now: charge what was used, correct what was charged otherwise before."""
    started = console.client.post("/rating-runs", {"period": period})
    console.one(console.follow(started), _OPERATION)


@statement.command()
@click.argument("line_id")
@cli.console(api="GET /api/v1/statement-lines/{id}/explanation", web="/statement-lines/{id}")
def explain(console: cli.Console, line_id: str) -> None:
    """Walk a line back: charges, hours, events, resource, order, contract, approvals."""
    told = console.client.get(f"/statement-lines/{line_id}/explanation")
    console.text(_staircase(told), told)


def _staircase(told: Mapping[str, Any]) -> str:
    line, price, origin = told["line"], told["price"], told["origin"]
    key, currency = line["key"], told["statement"]["currency"]
    charges, evidence = told["charges"], told["evidence"]
    steps = [
        (
            f"line      {line['amount']} {currency} ({line['cost']} before rounding) "
            f"= {line['quantity']} × {key['unit_price']}"
        ),
        (
            f"price     {price['id']}: {price['meter']} {_dimensions(price['dimensions'])}"
            f"list {price['unit_price']} from {price['starts']}, contracted {key['unit_price']}"
        ),
        f"charges   {told['charge_count']} hours rated{_span(charges, told['charge_count'])}",
        (
            f"records   {told['evidence_count']} of {told['evidence_quantity']} in all"
            f"{_span(evidence, told['evidence_count'])}"
        ),
        f"events    {', '.join(sorted({_event(e) for e in evidence})[:3]) or '-'}",
        f"resource  {_pairs(origin['resource'])}",
        f"deployed  {_pairs(origin['deployment'])}",
        f"order     {_pairs(origin['order'])}",
        f"contract  {_pairs(origin['contract'])}",
        *(f"approval  {_pairs(approval)}" for approval in origin["approvals"]),
    ]
    return "\n".join("  " * index + ("└ " if index else "") + s for index, s in enumerate(steps))


def _dimensions(dimensions: Mapping[str, str]) -> str:
    """``flavor=m `` for a text, or nothing."""
    return "".join(f"{name}={value} " for name, value in dimensions.items())


def _span(rows: list[Mapping[str, Any]], count: int) -> str:
    if not rows:
        return ""
    more = "" if count == len(rows) else f", first {len(rows)} shown"
    return f", {rows[0]['hour']} … {rows[-1]['hour']}{more}"


def _event(row: Mapping[str, Any]) -> str:
    return f"{row['event_source']} {row['event_id']}"


def _pairs(item: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in item.items() if value) or "unknown"
