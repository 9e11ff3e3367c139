"""``borough-video evaluate``: runs here, needs no service."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from foundation.kernel.errors import Invalid
from foundation.surface import cli
from workloads.video_analytics.evaluate.places import opened

if TYPE_CHECKING:
    from workloads.video_analytics.evaluate.cdnet import Video
    from workloads.video_analytics.vision.model import Image

R = TypeVar("R")

_FOLDER = click.Path(exists=True, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _figure(title: str, name: str, places: int = 4) -> cli.Column:
    """A column with a number of a few places."""

    def show(item: Mapping[str, object]) -> object:
        value = item.get(name)
        return f"{value:.{places}f}" if isinstance(value, float) else value

    return cli.Column(title, show, right=True)


_CHANGE = (
    cli.Column("CATEGORY", "category"),
    cli.Column("VIDEO", "name"),
    cli.Column("FRAMES", "frames", right=True), cli.Column("MISSING", "missing", right=True),
    _figure("RE", "recall"), _figure("SP", "specificity"), _figure("FPR", "fpr"),
    _figure("FNR", "fnr"), _figure("PWC", "pwc"), _figure("F", "f_measure"),
    _figure("PR", "precision"),
)  # fmt: skip

_TRACKING = (
    cli.Column("SEQUENCE", "name"),
    _figure("MOTA", "mota"), _figure("MOTP", "motp"), _figure("IDF1", "idf1"),
    *(cli.Column(name.upper(), name, right=True) for name in ("idsw", "fp", "fn", "mt", "ml")),
)  # fmt: skip

_EVENTS = (
    cli.Column("KIND", "kind"),
    *(
        cli.Column(name.upper(), name, right=True)
        for name in ("labels", "events", "hits", "missed", "false", "repeated")
    ),
    _figure("PRECISION", "precision"), _figure("RECALL", "recall"), _figure("F1", "f1"),
    _figure("DELAY s", "delay_seconds", 1),
)  # fmt: skip


_WATCH = (
    cli.Column("CLIP", "clip"), cli.Column("KIND", "kind"), _figure("AT s", "at", 1),
    _figure("BEGAN s", "began_at", 1),
)  # fmt: skip


@click.group()
def evaluate() -> None:
    """How good the analysis is, on labelled material of your own or of public benchmarks."""


@evaluate.command()
@click.argument("folder", type=_FOLDER)
@click.option("--rate", default=25.0, type=click.FloatRange(0.1, 240), show_default=True,
              help="Frames per second of the videos; the layout does not say it.")  # fmt: skip
@click.option("--grey", is_flag=True, help="Brightness alone, as below the full tier.")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path),
              help="Write the masks there, as CATEGORY/VIDEO/bin000001.png.")  # fmt: skip
@cli.console()
def change(
    console: cli.Console, folder: Path, rate: float, *, grey: bool, keep: Path | None
) -> None:
    """Change detection against masks in the layout of CDnet 2014.

    FOLDER is one video (input/, groundtruth/, temporalROI.txt, ROI.bmp), a category of them, or a
    data set of categories; or a zip archive of any of these. Averages are those of CDnet: of
    videos, then of categories.
    """
    from workloads.video_analytics.evaluate import cdnet  # noqa: PLC0415 - loads OpenCV
    from workloads.video_analytics.evaluate import change as work  # noqa: PLC0415 - loads OpenCV

    writes = _writer(keep) if keep is not None else None
    results = []
    for video in _checked(lambda: cdnet.find(opened(folder))):
        console.say(f"{video.category}/{video.name}: {len(video.frames)} frames")
        for note in video.notes:
            console.say(f"  {note}")
        results.append(
            _checked(lambda video=video: work.measure(video, rate, colour=not grey, keep=writes))  # type: ignore[misc]
        )
    rows = [result.as_json() for result in (*results, *work.averages(results))]
    console.rows(rows, _CHANGE, name="name")


@evaluate.command()
@click.argument("folder", type=_FOLDER)
@click.option("--fill", default=1.0, type=click.FloatRange(0, 10), show_default=True,
              help="Fill gaps of a track of up to so many seconds, as tracks are written when they "
                   "have ended; 0: only what was known at each frame.")  # fmt: skip
@click.option(
    "--least", type=float, help="Take no detections with a lower score, as det.txt has it."
)
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path),
              help="Write the tracks there, as SEQUENCE.txt of MOTChallenge.")  # fmt: skip
@cli.console()
def tracking(
    console: cli.Console, folder: Path, fill: float, least: float | None, keep: Path | None
) -> None:
    """The tracker on given detections, in the layout of MOTChallenge.

    FOLDER is one sequence (seqinfo.ini, det/det.txt, gt/gt.txt), a folder of them, or a zip archive
    of either. Sequences without a truth are named and left out.
    """
    from workloads.video_analytics.evaluate import matching, motchallenge  # noqa: PLC0415 - SciPy
    from workloads.video_analytics.evaluate import tracking as work  # noqa: PLC0415 - loads SciPy

    total, rows = matching.Tally(), []
    sequences, untold = _checked(lambda: motchallenge.find(opened(folder)))
    for place in untold:
        console.say(f"{place}: no gt/, not measured")
    for sequence in sequences:
        tracks = work.track(sequence, fill=fill, least=least)
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            lines = (f"{f:.0f},{i:.0f},{x:.2f},{y:.2f},{w:.2f},{h:.2f},1,-1,-1,-1"
                     for f, i, x, y, w, h in tracks)  # fmt: skip
            (keep / f"{sequence.name}.txt").write_text("\n".join(lines) + "\n", encoding="ascii")
        one = matching.tally(motchallenge.comparable(sequence, tracks))
        total += one
        rows.append({"name": sequence.name, **one.measures()})
    rows.append({"name": "overall", **total.measures()})
    console.rows(rows, _TRACKING, name="name")


@evaluate.command()
@click.argument("clips", type=_FILE, nargs=-1, required=True)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    help="A kind of rule, with its usual parameters, for the whole picture.",
)
@click.option(
    "--rules", type=_FILE, help="Rules, YAML or JSON: a list of kind, points and parameters."
)
@click.option("--rate", default=5.0, type=click.FloatRange(0.1, 240), show_default=True,
              help="Frames per second that are looked at, at most.")  # fmt: skip
@cli.console()
def watch(
    console: cli.Console,
    clips: tuple[Path, ...],
    kinds: tuple[str, ...],
    rules: Path | None,
    rate: float,
) -> None:
    """What rules tell of films, in seconds of each: with -o json what `events` takes as FOUND.

    Rules that need a model tell nothing here.
    """
    from workloads.video_analytics.evaluate import watching  # noqa: PLC0415 - loads OpenCV

    specs = _checked(lambda: [
        *watching.usual(kinds), *(watching.read_rules(rules) if rules is not None else [])
    ])  # fmt: skip
    if not specs:
        raise cli.Failure("name a rule: --kind or --rules", cli.USAGE)
    found = []
    for clip in clips:
        told = _checked(lambda clip=clip: list(watching.watch(clip, specs, rate)))  # type: ignore[misc]
        console.say(f"{clip.name}: {len(told)} events")
        found += [each.as_json() for each in told]
    console.rows(found, _WATCH, name="clip")


@evaluate.command()
@click.argument("labels", type=_FILE)
@click.argument("found", type=_FILE)
@click.option("--tolerance", default=2.0, type=click.FloatRange(0, 3600), show_default=True,
              help="So many seconds before and after a label an event still meets it.")  # fmt: skip
@cli.console()
def events(console: cli.Console, labels: Path, found: Path, tolerance: float) -> None:
    """Events against labelled intervals.

    LABELS and FOUND are CSV with a heading or a JSON list: kind, begin and end of a label, kind and
    at of an event, and the clip of both where there are several. Times are seconds or ISO 8601.
    """
    from workloads.video_analytics.evaluate import intervals  # noqa: PLC0415 - loads SciPy

    truth = _checked(lambda: intervals.read_labels(labels))
    reported = _checked(lambda: intervals.read_events(found))
    scores = intervals.compare(truth, reported, tolerance)
    console.rows([score.as_json() for score in scores], _EVENTS, name="kind")


def _checked(work: Callable[[], R]) -> R:
    """Do it; what is wrong with files becomes a message with each of them."""
    try:
        return work()
    except Invalid as error:
        lines = [f"  {problem.field}: {problem.message}" for problem in error.problems]
        raise cli.Failure("\n".join(["wrong:", *lines]), cli.USAGE) from None


def _writer(folder: Path) -> "Callable[[Video, int, Image], None]":
    import cv2  # noqa: PLC0415 - takes its time

    def write(video: "Video", number: int, mask: "Image") -> None:
        place = folder / video.category / video.name
        place.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(place / f"bin{number:06d}.png"), mask)

    return write
