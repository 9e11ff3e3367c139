"""``borough organisation``, ``system``, ``tenancy`` and ``quota``."""

from collections.abc import Mapping
from typing import Any

import click

from foundation.surface import cli

_ORGANISATION = (
    cli.Column("ID", "id"),
    cli.Column("PATH", "path"),
    cli.Column("NAME", "name"),
    cli.Column("KIND", "kind"),
    cli.Column("CREATED", "created_at", wide=True),
)
_SYSTEM = (
    cli.Column("ID", "id"),
    cli.Column("PATH", "path"),
    cli.Column("SLUG", "slug"),
    cli.Column("NAME", "name"),
    cli.Column("DATA", "data_class"),
    cli.Column("CONTACT", "contact", wide=True),
)
_TENANCY = (
    cli.Column("ID", "id"),
    cli.Column("SLUG", "slug"),
    cli.Column("PATH", "path"),
    cli.Column("NAME", "name"),
    cli.Column("DATA", "data_class"),
    cli.Column("STATE", "state"),
    cli.Column("SYSTEM", "system_id", wide=True),
)
_QUOTA = (
    cli.Column("LEVEL", "level"),
    cli.Column("RESOURCE", "resource"),
    cli.Column("LIMIT", "limit", right=True),
    cli.Column("RESERVED", "reserved", right=True),
    cli.Column("USED", "used", right=True),
    cli.Column("FREE", "free", right=True),
)


def _text(en: str, zh: str | None) -> dict[str, str]:
    return {"en": en, "zh": zh or en}


@click.group()
def organisation() -> None:
    """Organisations: the city, its bureaus, districts and offices."""


@organisation.command("list")
@cli.console(api="GET /api/v1/organisations", web="/organisations")
def organisation_list(console: cli.Console) -> None:
    """List the organisations that you may see."""
    console.rows(console.client.items("/organisations"), _ORGANISATION)


@organisation.command("show")
@click.argument("organisation_id", shell_complete=cli.complete("/organisations"))
@cli.console(api="GET /api/v1/organisations/{id}", web="/organisations/{id}")
def organisation_show(console: cli.Console, organisation_id: str) -> None:
    """Show one organisation."""
    console.one(console.client.get(f"/organisations/{organisation_id}"), _ORGANISATION)


@organisation.command("create")
@click.argument("slug")
@click.option("--parent", help="Id or path of the one above; none for the city.")
@click.option("--kind", required=True, help="city, bureau, district or office.")
@click.option("--name", required=True, help="Its name in English.")
@click.option("--name-zh", help="Its name in Chinese; the English one if left out.")
@cli.console(api="POST /api/v1/organisations", web="/organisations")
def organisation_create(
    console: cli.Console, slug: str, parent: str | None, kind: str, name: str, name_zh: str | None
) -> None:
    """Add an organisation to the tree."""
    body = {"slug": slug, "parent": parent, "kind": kind, "name": _text(name, name_zh)}
    console.one(console.client.post("/organisations", body), _ORGANISATION)


@click.group()
def system() -> None:
    """Systems: what the organisations run."""


@system.command("list")
@cli.console(api="GET /api/v1/systems", web="/organisations/{id}")
def system_list(console: cli.Console) -> None:
    """List the register of systems."""
    console.rows(console.client.items("/systems"), _SYSTEM)


@system.command("create")
@click.argument("slug")
@click.option("--organisation", required=True, help="Id or path.")
@click.option("--data-class", required=True, help="public, internal or sensitive.")
@click.option("--name", required=True, help="Its name in English.")
@click.option("--name-zh", help="Its name in Chinese; the English one if left out.")
@click.option("--contact", default="", help="Who answers for it.")
@cli.console(api="POST /api/v1/systems", web="/organisations/{id}")
def system_create(console: cli.Console, /, slug: str, **given: str | None) -> None:
    """Enter a system into the register."""
    body = {
        "slug": slug,
        "organisation": given["organisation"],
        "data_class": given["data_class"],
        "name": _text(str(given["name"]), given["name_zh"]),
        "contact": given["contact"],
    }
    console.one(console.client.post("/systems", body), _SYSTEM)


@click.group()
def tenancy() -> None:
    """Tenancies: the rooms in the cloud that systems live in."""


@tenancy.command("list")
@click.option("--system", "system_id", help="Only those of a system.")
@cli.console(api="GET /api/v1/tenancies", web="/organisations/{id}")
def tenancy_list(console: cli.Console, system_id: str | None) -> None:
    """List the tenancies that you may see."""
    console.rows(console.client.items("/tenancies", system=system_id), _TENANCY)


@tenancy.command("show")
@click.argument("tenancy_id", shell_complete=cli.complete("/tenancies"))
@cli.console(api="GET /api/v1/tenancies/{id}", web="/tenancies/{id}")
def tenancy_show(console: cli.Console, tenancy_id: str) -> None:
    """Show one tenancy, by id or slug."""
    console.one(console.client.get(f"/tenancies/{tenancy_id}"), _TENANCY)


@tenancy.command("create")
@click.argument("slug")
@click.option("--organisation", required=True, help="Id or path.")
@click.option("--system", help="Id of the system that it serves.")
@click.option("--data-class", help="public, internal or sensitive; else the system's.")
@click.option("--name", required=True, help="Its name in English.")
@click.option("--name-zh", help="Its name in Chinese; the English one if left out.")
@cli.console(api="POST /api/v1/tenancies", web="/organisations/{id}")
def tenancy_create(console: cli.Console, /, slug: str, **given: str | None) -> None:
    """Open a tenancy."""
    body = {
        "slug": slug,
        "organisation": given["organisation"],
        "system": given["system"],
        "data_class": given["data_class"],
        "name": _text(str(given["name"]), given["name_zh"]),
    }
    console.one(console.client.post("/tenancies", body), _TENANCY)


@tenancy.command("close")
@click.argument("tenancy_id", shell_complete=cli.complete("/tenancies"))
@cli.console(api="POST /api/v1/tenancies/{id}/close", web="/tenancies/{id}")
def tenancy_close(console: cli.Console, tenancy_id: str) -> None:
    """Let nothing new into a tenancy that is empty."""
    console.one(console.client.post(f"/tenancies/{tenancy_id}/close"), _TENANCY)


@click.group()
def quota() -> None:
    """Quotas: what each level of the city may use."""


def _address(tenancy_id: str | None, organisation_id: str | None) -> str:
    if (tenancy_id is None) == (organisation_id is None):
        raise click.UsageError("give either --tenancy or --organisation")
    return f"/tenancies/{tenancy_id}" if tenancy_id else f"/organisations/{organisation_id}"


def _rows(overview: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {**row, "level": f"{level['kind']} {level['slug']}"}
        for level in overview["levels"]
        for row in level["quotas"]
    ]


@quota.command("show")
@click.option("--tenancy", "tenancy_id", help="Id or slug.")
@click.option("--organisation", "organisation_id", help="Id.")
@cli.console(api="GET /api/v1/tenancies/{id}/quota", web="/tenancies/{id}")
def quota_show(console: cli.Console, tenancy_id: str | None, organisation_id: str | None) -> None:
    """Show limits, reservations and use from the city down."""
    address = _address(tenancy_id, organisation_id)
    console.rows(_rows(console.client.get(f"{address}/quota")), _QUOTA, name="resource")


@quota.command("set")
@click.argument("limits", nargs=-1, required=True, metavar="RESOURCE=LIMIT…")
@click.option("--tenancy", "tenancy_id", help="Id or slug.")
@click.option("--organisation", "organisation_id", help="Id.")
@cli.console(api="PATCH /api/v1/tenancies/{id}/quota", web="/tenancies/{id}")
def quota_set(
    console: cli.Console,
    limits: tuple[str, ...],
    tenancy_id: str | None,
    organisation_id: str | None,
) -> None:
    """Set limits, such as `vcpus=64 ram_gb=256`; `vcpus=none` lifts one."""
    address = _address(tenancy_id, organisation_id)
    given = dict(part.partition("=")[::2] for part in limits)
    body = {"limits": {name: None if text == "none" else text for name, text in given.items()}}
    answer = console.client.request("PATCH", f"{address}/quota", body=body)
    console.rows(_rows(answer.body), _QUOTA, name="resource")
