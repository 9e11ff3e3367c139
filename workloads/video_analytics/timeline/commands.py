"""``borough-video search``, ``read`` and ``cover``."""

import sys
from typing import Any

import click

from foundation.surface import cli

_TRACK = (
    cli.Column("ID", "id"),
    cli.Column("CAMERA", "camera"),
    cli.Column("BEGAN", "began"),
    cli.Column("DWELL", "dwell_seconds", right=True),
    cli.Column("SIZE", "size", right=True),
    cli.Column("COLOUR", "colour"),
    cli.Column("KIND", "kind"),
    cli.Column("CROSSED", "crossing.at"),
    cli.Column("EVENT", "event_id", wide=True),
)
_READ = (
    cli.Column("AT", "at"),
    cli.Column("KIND", "kind"),
    cli.Column("SUBJECT", "subject"),
    cli.Column("SOURCE", "source"),
    cli.Column("CAMERA", "camera_id"),
)
_COVER = (
    cli.Column("DAY", "day"),
    cli.Column("RULE", "rule"),
    cli.Column("COVER", "cover", right=True),
    cli.Column("FRAMES", "frames", right=True),
)


def _line(text: str) -> list[list[float]]:
    try:
        pairs = [pair.split(",") for pair in text.split()]
        return [[float(x), float(y)] for x, y in pairs]
    except ValueError:
        raise click.BadParameter("must be points such as '0.5,0.1 0.5,0.9'") from None


@click.command()
@click.option("--since", required=True, help="RFC 3339.")
@click.option("--until", required=True, help="RFC 3339.")
@click.option("--camera", "cameras", multiple=True)
@click.option("--group", default="")
@click.option("--line", default="", help="Points of the picture: '0.5,0.1 0.5,0.9'.")
@click.option(
    "--direction", type=click.Choice(("any", "left_to_right", "right_to_left")), default="any"
)
@click.option("--smallest", type=float, help="Least size, a part of the frame.")
@click.option("--largest", type=float, help="Greatest size.")
@click.option("--shortest", type=float, help="Least dwell in seconds.")
@click.option("--colour", "colours", multiple=True)
@click.option("--kind", "kinds", multiple=True)
@click.option("--limit", type=int, default=25, show_default=True)
@cli.console(api="POST /api/v1/timeline/search", web="/search")
def search(console: cli.Console, /, **asked: Any) -> None:  # noqa: ANN401 - options by name
    """Search what moved where and when, the latest first."""
    body = {k: list(v) if isinstance(v, tuple) else v for k, v in asked.items() if v is not None}
    body["line"] = _line(asked["line"])
    found = console.client.post("/timeline/search", body)
    console.rows(found["items"], _TRACK)
    if found["next"]:
        console.say(f"Searched back to {found['searched_to']}; there may be more before.")


@click.group()
def read() -> None:
    """Reads of plates, RFID tags and ID cards."""


@read.command("push")
@click.argument("document", metavar="FILE")
@click.option("--path", required=True, help="The department that the readers belong to.")
@cli.console(api="POST /api/v1/reads", web="/search")
def push_reads(console: cli.Console, document: str, path: str) -> None:
    """Send a list of reads (YAML or JSON); - reads standard input."""
    reads: Any = cli.read(document)
    done = console.client.post("/reads", {"path": path, "reads": reads})
    console.text(f"{done['new']} new, {done['known']} known", done)


@read.command("search")
@click.option("--since", required=True, help="RFC 3339.")
@click.option("--until", required=True, help="RFC 3339.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(("plate", "rfid", "id_card")))
@click.option("--begins", default="", help="How a plate or tag begins.")
@click.option("--subject-stdin", is_flag=True, help="Read a whole number from standard input.")
@cli.console(api="POST /api/v1/reads/search", web="/search")
def search_reads(
    console: cli.Console, since: str, until: str, kinds: tuple[str, ...], begins: str, *,
    subject_stdin: bool,
) -> None:  # fmt: skip
    """Search reads, the latest first."""
    body: dict[str, Any] = {"since": since, "until": until, "kinds": list(kinds), "begins": begins}
    if subject_stdin:
        body["subject"] = sys.stdin.readline().strip()
    found = console.client.post("/reads/search", body)
    console.rows(found["items"], _READ, name="number")


@click.command()
@click.option("--rule", help="Only of this rule.")
@cli.console(api="GET /api/v1/timeline/cover", web="/water")
def cover(console: cli.Console, rule: str | None) -> None:
    """Show how much of each water was covered, by day."""
    found = console.client.get("/timeline/cover", rule=rule)
    console.rows(found["items"], _COVER, name="day")
