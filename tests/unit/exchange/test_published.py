"""What the directory offers can be asked for, and nothing else."""

from dataclasses import dataclass, field, replace

import pytest

from foundation.kernel.text import Text
from tests.fakes.catalogue import households
from workloads.data_exchange.agreements.published import Published
from workloads.data_exchange.directory.elements import Element

FIELDS = households("/city/a/").elements


@dataclass(frozen=True)
class Interface:
    records: str = "/records"
    answers: dict[str, object] | None = None


@dataclass(frozen=True)
class Entry:
    id: str
    path: str = "/city/a/"
    title: Text = Text("T", "题")  # noqa: RUF009 - frozen
    elements: tuple[Element, ...] = ()
    serves: tuple[str, ...] = ()
    interface: Interface | None = None
    available: bool = True


@dataclass
class Offers:
    """A directory in memory."""

    entries: dict[str, Entry] = field(default_factory=dict)

    def find(self, entry_id: str) -> Entry | None:
        return self.entries.get(entry_id)


DATASET = Entry("dst", elements=FIELDS)
SERVICE = Entry("svc", serves=("dst", "other"), interface=Interface(answers={"type": "object"}))


def test_a_data_set_by_its_service() -> None:
    found = Published(Offers({"dst": DATASET, "svc": SERVICE})).offered("dst", "svc")
    assert found is not None
    assert (found.provider, found.records, found.elements) == ("/city/a/", "/records", FIELDS)
    assert found.answers == {"type": "object"}


@pytest.mark.parametrize(
    ("dataset", "service"),
    [
        (replace(DATASET, available=False), SERVICE),
        (DATASET, replace(SERVICE, available=False)),
        (DATASET, replace(SERVICE, serves=("other",))),
        (DATASET, replace(SERVICE, interface=None)),
        (DATASET, replace(SERVICE, path="/city/b/")),
        (replace(DATASET, elements=()), SERVICE),
        (SERVICE, SERVICE),
        (DATASET, None),
    ],
)
def test_what_is_not_offered_so(dataset: Entry, service: Entry | None) -> None:
    entries = {"dst": dataset} if service is None else {"dst": dataset, "svc": service}
    assert Published(Offers(entries)).offered("dst", "svc") is None
