"""``borough catalog``."""

import click

from foundation.surface import cli
from marketplace.commands.drawing import inputs_of, lead_time_of

_OFFERING = (
    cli.Column("SLUG", "slug"),
    cli.Column("NAME", "name"),
    cli.Column("CATEGORY", "category"),
    cli.Column("MATURITY", "maturity"),
    cli.Column("AVAILABILITY", "availability"),
    cli.Column("PLANS", lambda item: ", ".join(plan["slug"] for plan in item["plans"])),
    cli.Column("DATA", "data_classes", wide=True),
    cli.Column("NOTE", "availability_note", wide=True),
)
_OFFERING_DETAIL = (
    *_OFFERING,
    cli.Column("DESCRIPTION", "description"),
    cli.Column("SERVICE LEVEL", "service_level"),
    cli.Column("SUPPORT", "support"),
    cli.Column("INPUTS", inputs_of),
    cli.Column("LEAD TIME", lambda item: lead_time_of(item["lead_time"])),
    cli.Column("ACTIVE", "active"),
    cli.Column("REVISION", "revision"),
)


@click.group()
def catalog() -> None:
    """The catalogue: offerings and plans."""


@catalog.command("list")
@click.argument("words", nargs=-1)
@click.option("--category", help="Only those of a category.")
@click.option("--data-class", help="Only those that may hold such data.")
@click.option("--orderable", is_flag=True, help="Only those that can be ordered now.")
@cli.console(api="GET /api/v1/offerings", web="/catalogue")
def catalog_list(
    console: cli.Console,
    words: tuple[str, ...],
    category: str | None,
    data_class: str | None,
    orderable: bool,  # noqa: FBT001 - a flag
) -> None:
    """List offerings; WORDS must occur in them."""
    found = console.client.get(
        "/offerings",
        words=" ".join(words) or None,
        category=category,
        data_class=data_class,
        availability="orderable" if orderable else None,
    )
    console.rows(found["items"], _OFFERING, name="slug")


@catalog.command("show")
@click.argument("slug")
@cli.console(api="GET /api/v1/offerings/{slug}", web="/catalogue/{slug}")
def catalog_show(console: cli.Console, slug: str) -> None:
    """Show an offering, its inputs (* is required) and its measured lead time."""
    console.one(console.client.get(f"/offerings/{slug}"), _OFFERING_DETAIL, name="slug")
