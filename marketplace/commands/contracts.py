"""``borough contract`` and ``borough service``."""

import click

from foundation.surface import cli

_CONTRACT = (
    cli.Column("NUMBER", "number"),
    cli.Column("PATH", "path"),
    cli.Column("NAME", "name"),
    cli.Column("VERSION", "version", right=True),
    cli.Column("IN FORCE", "in_force"),
    cli.Column("UNTIL", "term.end"),
    cli.Column("CEILING", "balance.ceiling", right=True),
    cli.Column("ENCUMBERED", "balance.encumbered", right=True),
    cli.Column("COMMITTED", "balance.committed", right=True),
    cli.Column("REMAINING", "balance.remaining", right=True),
    cli.Column("FRAMEWORK", "framework", wide=True),
    cli.Column("ID", "id", wide=True),
)
_LEDGER = (
    cli.Column("AT", "at"),
    cli.Column("ENTRY", "entry"),
    cli.Column("ORDER", "order_id"),
    cli.Column("ENCUMBERED", "encumbered", right=True),
    cli.Column("COMMITTED", "committed", right=True),
    cli.Column("KEY", "key", wide=True),
)
_SERVICE = (
    cli.Column("ID", "id"),
    cli.Column("NAME", "name"),
    cli.Column("OFFERING", "offering"),
    cli.Column("PLAN", "plan"),
    cli.Column("STATE", "state"),
    cli.Column("MONTH", "monthly", right=True),
    cli.Column("UNTIL", "ends_at"),
    cli.Column("PATH", "path", wide=True),
    cli.Column("OUTPUTS", "outputs", wide=True),
    cli.Column("ORDER", "latest_order_id", wide=True),
)


@click.group()
def contract() -> None:
    """Contracts: terms, ceilings and what is left of them."""


@contract.command("list")
@cli.console(api="GET /api/v1/contracts")
def contract_list(console: cli.Console) -> None:
    """List the contracts that you may see."""
    console.rows(console.client.items("/contracts"), _CONTRACT, name="number")


@contract.command("show")
@click.argument("number")
@cli.console(api="GET /api/v1/contracts/{id}")
def contract_show(console: cli.Console, number: str) -> None:
    """Show one contract and how its money stands."""
    console.one(console.client.get(f"/contracts/{number}"), _CONTRACT, name="number")


@contract.command("ledger")
@click.argument("number")
@cli.console(api="GET /api/v1/contracts/{id}/ledger")
def contract_ledger(console: cli.Console, number: str) -> None:
    """Show what was encumbered, committed and given back, newest first."""
    console.rows(console.client.items(f"/contracts/{number}/ledger"), _LEDGER, name="key")


@click.group()
def service() -> None:
    """Services: what a department has."""


@service.command("list")
@click.option("--state", help="Only those in this state.")
@click.option("--offering", help="Only those of this offering.")
@cli.console(api="GET /api/v1/services", web="/services")
def service_list(console: cli.Console, state: str | None, offering: str | None) -> None:
    """List the services that you may see."""
    console.rows(console.client.items("/services", state=state, offering=offering), _SERVICE)


@service.command("show")
@click.argument("service_id", shell_complete=cli.complete("/services"))
@cli.console(api="GET /api/v1/services/{id}", web="/services/{id}")
def service_show(console: cli.Console, service_id: str) -> None:
    """Show one service: its outputs, cost and resources."""
    console.one(console.client.get(f"/services/{service_id}"), _SERVICE)
