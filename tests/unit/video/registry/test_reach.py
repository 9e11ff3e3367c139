"""Where what is opened may lead."""

import ipaddress

import pytest

from workloads.video_analytics.cameras.reach import Reach
from workloads.video_analytics.workers import sources
from workloads.video_analytics.workers.model import Feed
from workloads.video_analytics.workers.sources import Limits, Unwatchable


def reach(*addresses: str, networks: tuple[str, ...] = (), only: bool = False) -> Reach:
    return Reach(
        tuple(ipaddress.ip_address(one) for one in addresses),
        tuple(ipaddress.ip_network(one) for one in networks), only,
    )  # fmt: skip


def allows(one: Reach, address: str, port: int = 80) -> bool:
    return one.allows(ipaddress.ip_address(address), port)


def test_without_networks_a_stream_reaches_its_host_and_the_public() -> None:
    one = reach("10.1.2.3")
    assert allows(one, "10.1.2.3")
    assert allows(one, "::ffff:10.1.2.3")
    assert allows(one, "8.8.8.8")
    for inside in ("10.1.2.4", "192.168.0.1", "127.0.0.1", "169.254.169.254", "::1", "fe80::1",
                   "::ffff:10.0.0.1", "64:ff9b::a00:1", "224.0.0.1"):  # fmt: skip
        assert not allows(one, inside), inside


def test_networks_bound_everything_even_the_host_itself() -> None:
    one = reach("10.1.2.3", networks=("10.1.0.0/16",))
    assert allows(one, "10.1.9.9")
    assert not allows(one, "10.2.0.1")
    assert not allows(one, "8.8.8.8")
    assert not allows(reach("10.2.0.1", networks=("10.1.0.0/16",)), "10.2.0.1")
    assert allows(reach(networks=("127.0.0.0/8",)), "127.0.0.1")


def test_over_rtsp_only_the_host_is_reached() -> None:
    one = reach("10.1.2.3", networks=("10.0.0.0/8",), only=True)
    assert allows(one, "10.1.2.3", 554)
    assert not allows(one, "10.1.2.4", 554)


@pytest.mark.parametrize("port", [22, 25, 5432, 6379])
def test_ports_of_other_services_are_reached_on_no_host(port: int) -> None:
    assert not allows(reach("10.1.2.3"), "10.1.2.3", port)


def test_it_goes_through_json() -> None:
    for one in (reach("10.1.2.3", "fd00::1", networks=("10.0.0.0/8",)), reach(only=True)):
        assert Reach.of(one.plain()) == one


def test_nothing_of_the_network_is_opened_where_the_gate_does_not_hold() -> None:
    # This process has no gate, as a decoder on a kernel that knows none.
    feed = Feed("http://127.0.0.1:1/x", "mjpeg", reach=reach(networks=("127.0.0.0/8",)))
    with pytest.raises(Unwatchable, match="confine"):
        sources.open_feed(feed, Limits(1, 1))
    with pytest.raises(OSError, match="refused"):
        sources.open_feed(feed, Limits(1, 1, confine=False))
