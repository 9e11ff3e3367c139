"""For what data may be used: the purposes of the Data Privacy Vocabulary (DPV 2.0, W3C DPVCG).

``purposes.json`` holds every purpose of its module "purposes" (https://w3id.org/dpv/purposes), with
its English label, a Chinese one of ours, and the purposes above it. They are written ``dpv:Name``,
which is ``https://w3id.org/dpv#Name``.
"""

import functools
import json
from collections.abc import Iterable
from importlib import resources

from foundation.kernel.errors import Collector
from foundation.kernel.text import Text

PREFIX = "dpv:"
NAMESPACE = "https://w3id.org/dpv#"


@functools.cache
def titles() -> dict[str, Text]:
    """Each purpose (``dpv:…``) with its title, by name."""
    return {name: title for name, (title, _) in _known().items()}


def above(purpose: str) -> frozenset[str]:
    """The purposes above a purpose, all the way up; empty for a topmost one.

    Raises:
        LookupError: there is no such purpose.
    """
    direct = _known()[purpose][1]
    return direct.union(*(above(one) for one in direct))


def check(found: Collector, purposes: Iterable[str], field: str) -> None:
    """Note the purposes that there are not."""
    for n, one in enumerate(purposes):
        found.check(one in _known(), f"{field}.{n}", "is no purpose of the DPV", "unknown")


@functools.cache
def _known() -> dict[str, tuple[Text, frozenset[str]]]:
    text = resources.files(__package__).joinpath("purposes.json").read_text("utf-8")
    return {
        PREFIX + name: (
            Text(of["en"], of["zh"]),
            frozenset(PREFIX + one for one in of["broader"]),
        )
        for name, of in json.loads(text).items()
    }
