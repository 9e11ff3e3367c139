"""The descriptions that the product ships say something that may be published."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from foundation.kernel.addresses import NetworkPolicy
from workloads.data_exchange import directory
from workloads.data_exchange.directory.checks import check, check_shown
from workloads.data_exchange.directory.model import Kind
from workloads.data_exchange.directory.store import body_of

SAMPLES = sorted((Path(next(iter(directory.__path__))) / "samples").glob("*.yaml"))


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.stem)
def test_a_sample_may_be_published(file: Path) -> None:
    body = body_of(yaml.safe_load(file.read_text()))
    kind = Kind.SERVICE if body.interface else Kind.DATASET
    check(body, kind, NetworkPolicy().check_url)
    if file.stem == "household-query":
        body = replace(body, serves=("dst_of_the_data_set",))
    check_shown(body, kind)


def test_there_is_one_of_each() -> None:
    assert len(SAMPLES) == 3
