"""What every command shares.

A feature's ``commands.py`` looks like this::

    import click
    from foundation.surface import cli

    COLUMNS = (
        cli.Column("ID", "id"),
        cli.Column("NAME", "name"),                  # {"en":…, "zh":…} shows the person's language
        cli.Column("MONTHLY", "price.month", right=True),   # {"amount":…, "currency":…} too
        cli.Column("CREATED", "created_at", wide=True),
    )

    @click.group()
    def order() -> None:
        \"\"\"Orders: what a department asks for.\"\"\"

    @order.command("list")
    @click.option("--state", help="Only orders in this state.")
    @cli.console(api="GET /api/v1/orders", web="/orders")
    def list_(console: cli.Console, state: str | None) -> None:
        \"\"\"List orders, newest first.\"\"\"
        console.rows(console.client.items("/orders", state=state), COLUMNS)

    @order.command()
    @click.argument("order_id", shell_complete=cli.complete("/orders"))
    @cli.console(api="POST /api/v1/orders/{id}/submit", web="/orders/{id}", waits=True)
    def submit(console: cli.Console, order_id: str) -> None:
        \"\"\"Ask for the plan and the approval.\"\"\"
        operation = console.client.post(f"/orders/{order_id}/submit")     # 202, an Operation
        console.follow(operation)                                         # --wait / --no-wait
        console.one(console.client.get(f"/orders/{order_id}"), COLUMNS)

Problems of the API become messages and exit codes by themselves; raise ``cli.Failure(message,
code)`` for anything else. Commands import click and this package, never a service or a store.
``control_plane/entrypoints/cli/main.py`` lists every group by name.
"""

from foundation.surface.cli.client import Answer, Client
from foundation.surface.cli.console import Console, complete, console
from foundation.surface.cli.contexts import Context, Contexts
from foundation.surface.cli.documents import pairs, read
from foundation.surface.cli.exits import (
    CONFLICT,
    FAILED,
    NEEDS_APPROVAL,
    NOT_ALLOWED,
    NOT_FOUND,
    OK,
    USAGE,
    WAIT_TIMED_OUT,
    ApiProblem,
    Failure,
)
from foundation.surface.cli.output import Column
from foundation.surface.cli.program import program_name

__all__ = [
    "CONFLICT",
    "FAILED",
    "NEEDS_APPROVAL",
    "NOT_ALLOWED",
    "NOT_FOUND",
    "OK",
    "USAGE",
    "WAIT_TIMED_OUT",
    "Answer",
    "ApiProblem",
    "Client",
    "Column",
    "Console",
    "Context",
    "Contexts",
    "Failure",
    "complete",
    "console",
    "pairs",
    "program_name",
    "read",
]
