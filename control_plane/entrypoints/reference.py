"""The reference in ``docs/reference``, made from the settings, commands, endpoints and metrics.

    python -m control_plane.entrypoints.reference

writes its pages anew; a test holds that they are current.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from control_plane.entrypoints.app import Parts, create_app
from control_plane.entrypoints.cli.main import borough
from control_plane.entrypoints.serve import gauges
from control_plane.settings import PROGRAM, Settings
from foundation.serving import metrics, reference

FOLDER = Path(__file__).parents[2] / "docs" / "reference"


def source() -> reference.Source:
    """What the pages are made of; it needs no platform."""
    nothing: Any = object()
    return reference.Source(
        "control_plane.entrypoints.reference",
        PROGRAM,
        Settings,
        "`borough serve`, `worker`, `demo` and `db`",
        borough,
        reference.description_of(create_app(Parts(nothing, nothing, ()), Settings())),
        described_metrics(),
    )


def pages() -> dict[str, str]:
    """All pages: file name to content."""
    return reference.pages(source())


def commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, by its words without ``borough``."""
    return reference.commands(borough)


def described_metrics() -> list[metrics.Described]:
    """Every metric of ``/metrics``."""
    nothing: Any = object()
    return metrics.describe(gauges(nothing))


if __name__ == "__main__":
    reference.write(source(), FOLDER)
