"""Where a source may lead."""

import ipaddress
from pathlib import Path

import pytest

from control_plane.adapters.git.addresses import Reach, check_url, target
from control_plane.provisioning.registry.ports import SourceError
from foundation.kernel.errors import Invalid


@pytest.mark.parametrize(
    "url",
    [
        "", "git.example/x", "ssh://git@host/x", "git@host:x", "ext::sh -c id", "-u https://x",
        "https://", "https://user:secret@host/x", "https://user@host/x", "https://host/x?y=1",
        "https://host/x#y", "file://host/x", "file:///a/../b", "https://ho st/x",
        "https://host/\nx", "https://host:99999/x", "ftp://host/x", "https://host\\@evil/x",
        "https://" + "h" * 600,
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_repository(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_url(url)
    assert [p.field for p in caught.value.problems] == ["url"]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.1", "::1", "fe80::1", "fd00:ec2::254", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
        "64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1", "ff02::1",
    ],
)  # fmt: skip
def test_what_is_not_public_is_not_asked(address: str) -> None:
    with pytest.raises(SourceError, match="not a public address"):
        target("https://git.example/x", Reach(), lambda _h, _p: ["93.184.216.34", address])


def test_a_public_address_is_pinned() -> None:
    found = target("https://git.example/x", Reach(), lambda _h, _p: ["93.184.216.34"])
    assert (found.protocol, found.pinned) == ("https", "git.example:443:93.184.216.34")
    both = target(
        "https://git.example:8443/x", Reach(), lambda _h, _p: ["93.184.216.34", "2606:4700::1"]
    )
    assert both.pinned == "git.example:8443:93.184.216.34,[2606:4700::1]"


def test_networks_that_the_settings_name_are_asked() -> None:
    reach = Reach.of("10.20.0.0/16, fd12::/16", "")
    inside = target("http://git.city/x", reach, lambda _h, _p: ["10.20.3.4"])
    assert inside.protocol == "http"
    with pytest.raises(SourceError, match="not a public address"):
        target("https://git.city/x", reach, lambda _h, _p: ["10.21.0.1"])
    with pytest.raises(SourceError, match="http is only taken"):
        target("http://git.example/x", reach, lambda _h, _p: ["93.184.216.34"])
    with pytest.raises(SourceError, match="no address"):
        target("https://git.example/x", reach, lambda _h, _p: [])


def test_settings_that_are_wrong_are_all_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        Reach.of("10.0.0.1/8, moon", "relative:/srv")
    assert len(caught.value.problems) == 3
    good = Reach.of("127.0.0.0/8", f"{tmp_path}")
    assert good == Reach((ipaddress.ip_network("127.0.0.0/8"),), (tmp_path.resolve(),))
