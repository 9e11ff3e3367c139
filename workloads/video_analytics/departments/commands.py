"""``borough-video department``."""

import click

from foundation.surface import cli

_COLUMNS = (
    cli.Column("ID", "id"),
    cli.Column("PATH", "path"),
    cli.Column("NAME", "name"),
    cli.Column("EXTERNAL", "external", wide=True),
)


@click.group()
def department() -> None:
    """Departments: cameras, people and their roles belong to one."""


@department.command("list")
@cli.console(api="GET /api/v1/departments", web="/departments")
def list_(console: cli.Console) -> None:
    """List the departments that you may see."""
    console.rows(console.client.items("/departments"), _COLUMNS)


@department.command()
@click.argument("slug")
@click.option("--parent", default="/", help="Id or path of the one above; / for a topmost one.")
@click.option("--name", required=True, help="Its name in English.")
@click.option("--name-zh", help="Its name in Chinese; the English one if left out.")
@click.option("--external", default="", help="Its id on the platform that sold this service.")
@cli.console(api="POST /api/v1/departments", web="/departments")
def create(
    console: cli.Console, slug: str, parent: str, name: str, name_zh: str | None, external: str
) -> None:
    """Add a department to the tree."""
    body = {
        "slug": slug, "parent": parent, "external": external,
        "name": {"en": name, "zh": name_zh or name},
    }  # fmt: skip
    console.one(console.client.post("/departments", body), _COLUMNS)


@department.command()
@click.argument("department_id", shell_complete=cli.complete("/departments"))
@cli.console(api="DELETE /api/v1/departments/{id}", web="/departments")
def remove(console: cli.Console, department_id: str) -> None:
    """Remove a department that has nothing below it and owns nothing."""
    console.client.delete(f"/departments/{department_id}")
