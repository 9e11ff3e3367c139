"""The digest of what was read: that of canonical JSON, and one for what canonical JSON has not."""

from hypothesis import given
from hypothesis import strategies as st

from foundation.kernel import canonical
from foundation.kernel.text import Text
from workloads.data_exchange.directory.interface import Interface, Protocol
from workloads.data_exchange.directory.model import Body, Contact, Distribution, Kind
from workloads.data_exchange.harvesting.model import Found
from workloads.data_exchange.harvesting.reading import digest_of

_WORDS = st.text(st.characters(codec="utf-8"), max_size=30)


_CALLED = st.sampled_from([None, Interface("https://p.example", Protocol.RTSP)])


@given(_WORDS, _WORDS, st.integers(0, 2**53 - 1), _CALLED)
def test_it_is_that_of_canonical_json(
    one: str, other: str, size: int, called: Interface | None
) -> None:
    body = Body(
        Text(one, other), Text(other, one), keywords=(one, other), contact=Contact(one),
        distributions=(Distribution("d1", Text(one, other), "CSV", other, byte_size=size),),
        serves=(one,), interface=called,
    )  # fmt: skip
    found = Found(one, Kind.SERVICE, body, other, one, other)
    assert digest_of(found) == canonical.digest([body, other, one, other])


def test_sizes_may_be_larger_than_canonical_json_has() -> None:
    large, larger = (
        Found("u", Kind.DATASET, Body(Text("a", "b"), Text("c", "d"), distributions=(one,)))
        for one in (
            Distribution("d1", Text("a", "b"), "CSV", byte_size=size) for size in (2**60, 2**61)
        )
    )
    assert digest_of(large) != digest_of(larger)
