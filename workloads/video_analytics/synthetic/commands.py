"""``borough-video synthesize``: scenes with known truth as files."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from foundation.surface.cli.exits import CONFLICT, USAGE, Failure

if TYPE_CHECKING:
    from workloads.video_analytics.synthetic.scene import Scene

_SETS = ("objects", "trials", "sites", "rivers")


@click.command()
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--set",
    "set_",
    type=click.Choice(_SETS),
    default="objects",
    show_default=True,
    help="Things left and taken; the same by chance; building sites; rivers with duckweed.",
)
@click.option("--only", multiple=True, metavar="NAME", help="These clips of the set alone.")
@click.option("--masks", is_flag=True, help="Also frames and masks in the layout of CDnet.")
@click.option("--names", is_flag=True, help="Print the names of the clips, and write nothing.")
def synthesize(
    folder: Path | None, set_: str, only: tuple[str, ...], *, masks: bool, names: bool
) -> None:
    """Write scenes with known truth into FOLDER, which must not hold anything yet.

    Each clip is an MP4 with a JSON beside it: the rule it is about, and the events that the rule
    should tell, with their seconds; labels.csv has those of all clips. A river is a folder of
    pictures named by their UTC time.
    """
    # Loaded only when they are needed: with them comes OpenCV.
    from workloads.video_analytics.synthetic import rivers  # noqa: PLC0415

    known = list(rivers.RIVERS if set_ == "rivers" else _clips(set_))
    if unknown := sorted(set(only) - set(known)):
        raise Failure(f"no such clips in {set_}: {', '.join(unknown)}; see --names", USAGE)
    if names:
        click.echo("\n".join(known))
        return
    if folder is None:
        raise Failure("name a folder to write into", USAGE)
    if folder.exists() and any(folder.iterdir()):
        raise Failure(f"{folder} holds something already", CONFLICT)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if set_ == "rivers":
            _write_rivers(only or known, folder)
        else:
            _write_clips(set_, only or known, folder, masks=masks)
    except OSError as error:
        raise Failure(f"cannot write: {error}") from None


def _clips(set_: str) -> "Mapping[str, Callable[[], Scene]]":
    from workloads.video_analytics.synthetic import sets, sites, trials  # noqa: PLC0415

    return {"objects": sets.CLIPS, "trials": trials.CLIPS, "sites": sites.CLIPS}[set_]


def _write_clips(set_: str, names: Sequence[str], folder: Path, *, masks: bool) -> None:
    from workloads.video_analytics.synthetic import writing  # noqa: PLC0415

    clips = _clips(set_)
    writing.write_labels({name: clips[name]() for name in names}, folder / "labels.csv")
    for name in names:
        click.echo(name, err=True)
        writing.write_clip(clips[name](), name, folder, masks=masks)


def _write_rivers(names: Sequence[str], folder: Path) -> None:
    from workloads.video_analytics.synthetic import rivers, writing  # noqa: PLC0415

    for name in names:
        click.echo(name, err=True)
        writing.write_river(rivers.RIVERS[name], folder / name)
