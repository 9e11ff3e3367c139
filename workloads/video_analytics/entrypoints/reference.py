"""The reference in ``docs/reference/video``.

    python -m workloads.video_analytics.entrypoints.reference

writes its pages anew; a test holds that they are current.
"""

from pathlib import Path
from typing import Any

from foundation.serving import metrics, reference
from foundation.serving.app import Parts
from workloads.video_analytics.entrypoints.app import create_app
from workloads.video_analytics.entrypoints.cli import video
from workloads.video_analytics.settings import PROGRAM, Settings

FOLDER = Path(__file__).parents[3] / "docs" / "reference" / "video"


def source() -> reference.Source:
    """What the pages are made of; it needs no database."""
    nothing: Any = object()
    return reference.Source(
        "workloads.video_analytics.entrypoints.reference",
        PROGRAM,
        Settings,
        "`borough-video serve` and `db`",
        video,
        reference.description_of(create_app(Parts(nothing, nothing, ()), Settings())),
        metrics.describe(()),
    )


if __name__ == "__main__":
    reference.write(source(), FOLDER)
