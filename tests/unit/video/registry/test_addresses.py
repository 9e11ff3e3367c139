"""Where sources may lie."""

import ipaddress
from pathlib import Path

import pytest

from foundation.kernel.addresses import joined, separate, shown
from foundation.kernel.errors import Invalid
from workloads.video_analytics.cameras.addresses import AddressPolicy
from workloads.video_analytics.cameras.model import SourceKind

ANY = AddressPolicy()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f.0.0.1", "017700000001", "localhost",
        "LOCALHOST.", "cam.localhost", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0",  # noqa: S104
        "[::]", "169.254.169.254", "[fe80::1]", "[fe80::1%25eth0]", "224.0.0.1", "[ff02::1]",
        "255.255.255.255", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]",
    ],
)  # fmt: skip
def test_this_machine_and_its_like_are_refused_however_they_are_written(host: str) -> None:
    with pytest.raises(Invalid):
        ANY.check_kept(SourceKind.RTSP, f"rtsp://{host}/stream")


@pytest.mark.parametrize(
    "host", ["10.1.2.3", "192.168.1.64:8554", "cam-7.city.example", "[2001:db9::5]"]
)
def test_a_citys_own_networks_are_let_in(host: str) -> None:
    ANY.check_kept(SourceKind.RTSP, f"rtsp://admin:pw@{host}/stream")


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        (SourceKind.RTSP, "http://10.0.0.1/"), (SourceKind.HLS, "file:///etc/passwd"),
        (SourceKind.HLS, "concat:http://10.0.0.1/"), (SourceKind.MJPEG, "http:///x"),
        (SourceKind.RTSP, "rtsp://10.0.0.1:22/"), (SourceKind.RTSP, "rtsp://10.0.0.1:99999/"),
        (SourceKind.RTSP, "rtsp://10.0.0.1/\r\nDESCRIBE"), (SourceKind.RTSP, "rtsp://10.0.0.1/a b"),
        (SourceKind.RTSP, "rtsp://[::1/"), (SourceKind.RTSP, ""), (SourceKind.RTSP, "rtsp://10.0.0.1\\@x/"),
        (SourceKind.FILE, "relative.mp4"), (SourceKind.FILE, "file://host/x.mp4"),
        (SourceKind.RTSP, "rtsp://10.0.0.1/" + "x" * 2000),
    ],
)  # fmt: skip
def test_what_is_no_address_of_its_kind(kind: SourceKind, url: str) -> None:
    with pytest.raises(Invalid):
        ANY.check_kept(kind, url)


def test_a_name_that_leads_astray_is_not_opened() -> None:
    there = AddressPolicy(resolver=lambda _host, _port: [ipaddress.ip_address("127.0.0.1")])
    there.check_kept(SourceKind.RTSP, "rtsp://innocent.example/")
    with pytest.raises(Invalid):
        there.open(SourceKind.RTSP, "rtsp://innocent.example/")
    both = ["10.0.0.1", "169.254.169.254"]
    mixed = AddressPolicy(resolver=lambda *_: [ipaddress.ip_address(one) for one in both])
    with pytest.raises(Invalid):
        mixed.open(SourceKind.RTSP, "rtsp://innocent.example/")


def test_listed_networks_are_the_only_ones() -> None:
    listed = AddressPolicy.of("127.0.0.0/8, 10.20.0.0/16", "")
    listed.check_kept(SourceKind.RTSP, "rtsp://127.0.0.1/")
    listed.check_kept(SourceKind.RTSP, "rtsp://10.20.3.4/")
    with pytest.raises(Invalid):
        listed.check_kept(SourceKind.RTSP, "rtsp://10.21.0.1/")
    with pytest.raises(Invalid) as caught:
        AddressPolicy.of("10.0.0.1/8, nonsense", "relative")
    assert [one.field for one in caught.value.problems] == [
        "camera_networks", "camera_networks", "camera_folders",
    ]  # fmt: skip


def test_files_lie_below_the_folders_and_links_count_where_they_lead(tmp_path: Path) -> None:
    clips, secret = tmp_path / "clips", tmp_path / "secret.mp4"
    clips.mkdir()
    (clips / "a.mp4").write_bytes(b"x")
    secret.write_bytes(b"x")
    (clips / "link.mp4").symlink_to(secret)
    policy = AddressPolicy(folders=(clips,))
    assert policy.open(SourceKind.FILE, f"file://{clips}/a.mp4").url == str(clips / "a.mp4")
    policy.check_kept(SourceKind.FILE, str(clips / "a.mp4"))
    refused = [clips / "link.mp4", secret, clips / ".." / "secret.mp4", clips / "no.mp4", clips]
    told = set()
    for path in refused:
        with pytest.raises(Invalid) as caught:
            policy.check_kept(SourceKind.FILE, str(path))
        told.add(caught.value.problems[0].message)
    assert len(told) == 1  # who types paths does not learn what there is
    with pytest.raises(Invalid):
        ANY.check_kept(SourceKind.FILE, str(clips / "a.mp4"))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("rtsp://u:p@10.0.0.1/s", "rtsp://10.0.0.1/s"),
        ("rtsp://10.0.0.1/s?user=a&password=b&x=1", "rtsp://10.0.0.1/s?user=…&password=…&x=1"),
        ("rtsp://10.0.0.1/user=a_password=b_channel=1", "rtsp://10.0.0.1/user=…"),
        ("http://10.0.0.1/a.m3u8?Token=abc#t=1", "http://10.0.0.1/a.m3u8?Token=…#t=1"),
    ],
)
def test_nothing_secret_is_shown(url: str, expected: str) -> None:
    assert shown(url) == expected


def test_credentials_survive_every_character() -> None:
    odd = "p@ss:/?#[]%& 密码"
    url = joined("rtsp://10.0.0.1:554/s", "ad:min", odd)
    assert separate(url) == ("rtsp://10.0.0.1:554/s", "ad:min", odd)
