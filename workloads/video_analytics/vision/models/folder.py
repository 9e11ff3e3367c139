"""The folder of models: what is there is told by hash, and what is not exactly it is not there."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from workloads.video_analytics.vision.models.catalogue import MODELS, ModelFile


class State(StrEnum):
    """How a model's file is."""

    THERE = "there"
    ABSENT = "absent"
    WRONG = "wrong"  # there is a file, and it is another


@dataclass(frozen=True, slots=True)
class Shelf:
    """A model's place in a folder."""

    model: ModelFile
    state: State


def look(folder: Path, models: Sequence[ModelFile] = MODELS) -> list[Shelf]:
    """What a folder holds of the catalogue; every file is read whole."""
    return [Shelf(model, state(folder, model)) for model in models]


def state(folder: Path, model: ModelFile) -> State:
    """How one file is."""
    if not (folder / model.file).is_file():
        return State.ABSENT
    return State.WRONG if content(folder, model) is None else State.THERE


def content(folder: Path, model: ModelFile) -> bytes | None:
    """The bytes of a model, or None when they are not exactly those of the catalogue.

    The hash is of what is returned, so a file that is exchanged meanwhile is not loaded.
    """
    try:
        with (folder / model.file).open("rb") as file:
            found = file.read(model.size + 1)
    except OSError:
        return None
    fits = len(found) == model.size and hashlib.sha256(found).hexdigest() == model.sha256
    return found if fits else None
