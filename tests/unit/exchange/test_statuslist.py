"""Status lists by the vectors of draft-ietf-oauth-status-list (4.1, C.1)."""

import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from workloads.data_exchange.proofs import jws, statuslist
from workloads.data_exchange.proofs.keys import PrivateKey, ProofError, encoded
from workloads.data_exchange.proofs.statuslist import Status, StatusList

AT = datetime(2026, 11, 3, tzinfo=UTC)
KEY, URI = PrivateKey(b"k" * 32), "https://civil.example/status/1"
#: C.1, of 2^20 entries with one bit each; the bytes of its CBOR form.
LONG = encoded(
    bytes.fromhex(
        "78daeddc010dc0200c0041a88249400ad2903e0f4b"
        "ba00bd93f002beb7a2a2010000a91e09000000000000000000000000000000807296"
        "04000000000000000000000000000000000000000000000000000000000000000000"
        "000000000000005c6f4800000000000000fc2c240000000000000000000000be1b12"
        "000000000000000000ecaa4b000000000000000000000000000000009b0b09000000"
        "00000000000038de9400000000000000002a30cc010000000080642f0bd8011b"
    )
)
SET = (
    0, 1993, 25460, 159495, 495669, 554353, 645645, 723232, 854545, 934534, 1000345,
)  # fmt: skip


def test_the_short_vectors() -> None:
    one, two = StatusList(16, 1), StatusList(12, 2)
    for index, value in enumerate((1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1)):
        one[index] = value
    for index, value in enumerate((1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3)):
        two[index] = value
    for made, bits, text, raw in (
        (one, 1, "eNrbuRgAAhcBXQ", b"\xb9\xa3"), (two, 2, "eNo76fITAAPfAgc", b"\xc9\x44\xf9"),
    ):  # fmt: skip
        assert StatusList.of_claim({"bits": bits, "lst": text}).claim() == made.claim()
        assert zlib.decompress(statuslist.decoded(made.claim()["lst"])) == raw


def test_the_long_vector() -> None:
    found = StatusList.of_claim({"bits": 1, "lst": LONG})
    assert tuple(n for n in range(2**20) if found[n]) == SET
    with pytest.raises(ProofError):
        found[2**20]


def test_a_status_is_looked_up() -> None:
    statuses = StatusList(100)
    statuses[7], statuses[8] = Status.INVALID, Status.SUSPENDED
    day = timedelta(days=1)
    token = statuslist.signed(statuses, KEY, uri=URI, at=AT, lasts=day, ttl=day)

    def claims(index: object, uri: str = URI) -> dict[str, Any]:
        return {"status": {"status_list": {"idx": index, "uri": uri}}}

    assert [statuslist.status_of(claims(n), token, KEY.public, AT) for n in (6, 7, 8)] == [0, 1, 2]
    for bad, at in (
        (claims(100), AT), (claims(-1), AT), (claims("7"), AT), (claims(True), AT), ({}, AT),
        (claims(7, "https://elsewhere.example"), AT), ({"status": {}}, AT), (claims(7), AT + day),
    ):  # fmt: skip
        with pytest.raises(ProofError):
            statuslist.status_of(bad, token, KEY.public, at)
    told = {"sub": URI, "iat": 1, "status_list": statuses.claim()}
    for changes, typ in (
        ({}, "jwt"), ({"iat": "1"}, statuslist.TYP), ({"exp": "x"}, statuslist.TYP),
        ({"status_list": 1}, statuslist.TYP), ({"status_list": {}}, statuslist.TYP),
        ({"ttl": 0}, statuslist.TYP), ({"ttl": "1"}, statuslist.TYP),
        ({"ttl": True}, statuslist.TYP),
        ({"iat": int(AT.timestamp()) + 301}, statuslist.TYP), ({"exp": 2**53 - 1}, statuslist.TYP),
    ):  # fmt: skip
        with pytest.raises(ProofError):
            statuslist.status_of(claims(7), jws.sign({**told, **changes}, KEY, typ), KEY.public, AT)


def test_lists_that_are_none() -> None:
    bomb = encoded(zlib.compress(bytes(statuslist.LONGEST + 1), 9))
    for claim in (
        {"bits": 3, "lst": LONG}, {"bits": 1, "lst": LONG[:-4]}, {"bits": 1, "lst": bomb},
        {"bits": 1, "lst": "AAAA"}, {"bits": True, "lst": LONG}, {"bits": 1, "lst": 5}, {},
    ):  # fmt: skip
        with pytest.raises(ProofError):
            StatusList.of_claim(claim)
    with pytest.raises(ProofError):
        StatusList(8, 1)[0] = 2


def test_a_list_says_how_old_it_may_get() -> None:
    token = statuslist.signed(
        StatusList(8), KEY, uri=URI, at=AT, lasts=timedelta(days=1), ttl=timedelta(minutes=5)
    )
    found = statuslist.opened(token, KEY.public, uri=URI, at=AT)
    assert (found.at, found.until) == (AT, AT + timedelta(days=1))
    assert not found.stale(AT + timedelta(minutes=5))
    assert found.stale(AT + timedelta(minutes=6))
