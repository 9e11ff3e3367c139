"""Two processes test on one devcloud: what each does in its turn, and what of it people read.

``pytest -n 2 tests/integration`` gives whole files to its processes, the longest first. Clouds make
most of the tests wait, so two files at once take little longer than one. Files whose pods fill the
cluster's one node come one after the other: they are one unit.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from tests.integration import lives

#: In this order; what is not named comes last.
LONGEST = (
    "test_blueprint_lives",
    "test_services",
    "test_pods",
    "test_service_lives",
    "test_engine_blueprints",
    "test_faults_on_devcloud",
    "test_order_on_devcloud",
    "test_import_on_devcloud",
    "test_kills_on_devcloud",
    "test_drift_on_devcloud",
)
PODS = {"test_services", "test_pods", "test_service_lives"}


def rank(path: Path) -> int:
    """Where a file comes among all of them."""
    return LONGEST.index(path.stem) if path.stem in LONGEST else len(LONGEST)


class Turns(LoadFileScheduling):  # type: ignore[misc]  # xdist gives it no type
    """Whole files; those of one node's pods together."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "pods" if Path(file).stem in PODS else file


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """What is made only when it is missing is made by one process at a time."""
    with Path(os.environ["BOROUGH_DEVCLOUD_HOME"], "tests.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def told() -> dict[str, Any]:
    """What this process has to say in the summary, as JSON."""
    return {"records": [asdict(one) for one in lives.RECORDS], "lacks": lives.LACKS}


def hear(other: dict[str, Any]) -> None:
    """Take up what another process had to say."""
    lives.RECORDS.extend(lives.Phase(**one) for one in other["records"])
    lives.LACKS.update(other["lacks"])


class Summary:
    """Brings what the processes say to the one that writes; for pytest's plugin manager."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        if "borough_lives" in getattr(node, "workeroutput", {}):
            hear(node.workeroutput["borough_lives"])

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["borough_lives"] = told()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        return Turns(config, log)
