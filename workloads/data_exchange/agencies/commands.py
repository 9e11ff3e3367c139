"""``borough-exchange agency``."""

import click

from foundation.surface import cli
from workloads.data_exchange.agencies.model import Level

_COLUMNS = (
    cli.Column("ID", "id"),
    cli.Column("PATH", "path"),
    cli.Column("NAME", "name"),
    cli.Column("LEVEL", "level"),
    cli.Column("CODE", "code", wide=True),
    cli.Column("EXTERNAL", "external", wide=True),
)


@click.group()
def agency() -> None:
    """Agencies: data, people and their roles belong to one."""


@agency.command("list")
@cli.console(api="GET /api/v1/agencies", web="/agencies")
def list_(console: cli.Console) -> None:
    """List the agencies."""
    console.rows(console.client.items("/agencies"), _COLUMNS)


@agency.command()
@click.argument("slug")
@click.option("--parent", default="/", help="Id or path of the one above; / for a topmost one.")
@click.option("--name", required=True, help="Its name in English.")
@click.option("--name-zh", help="Its name in Chinese; the English one if left out.")
@click.option(
    "--level", type=click.Choice([one.value for one in Level]), default=Level.MUNICIPAL.value,
    show_default=True,
)  # fmt: skip
@click.option("--code", default="", help="Its unified social credit code.")
@click.option("--external", default="", help="Its id on the platform that sold this service.")
@cli.console(api="POST /api/v1/agencies", web="/agencies")
def create(
    console: cli.Console,
    slug: str,
    parent: str,
    name: str,
    name_zh: str | None,
    level: str,
    code: str,
    external: str,
) -> None:
    """Add an agency to the tree."""
    body = {
        "slug": slug, "parent": parent, "external": external, "level": level, "code": code,
        "name": {"en": name, "zh": name_zh or name},
    }  # fmt: skip
    console.one(console.client.post("/agencies", body), _COLUMNS)


@agency.command()
@click.argument("agency_id", shell_complete=cli.complete("/agencies"))
@cli.console(api="DELETE /api/v1/agencies/{id}", web="/agencies")
def remove(console: cli.Console, agency_id: str) -> None:
    """Remove an agency that has nothing below it and owns nothing."""
    console.client.delete(f"/agencies/{agency_id}")
