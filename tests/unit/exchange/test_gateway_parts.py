"""Parts of the gateway that need nobody: JSON of strangers, masks, rows, paths, counts, sources."""

import ipaddress
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.kernel.actor import Actor
from foundation.kernel.errors import NotFound
from tests.harness.exchange_gateway import AGREEMENT, CONSUMER, SERVICE, terms
from tests.harness.loops import run as run_alone
from workloads.data_exchange.agreements.terms import Field, Limits, Operator, RowFilter, Terms
from workloads.data_exchange.directory.elements import Masking
from workloads.data_exchange.directory.interface import (
    Authentication,
    AuthenticationKind,
    Credentials,
)
from workloads.data_exchange.entrypoints.gateway import options
from workloads.data_exchange.gateway.addresses import Address, Paths
from workloads.data_exchange.gateway.counts import Allowance
from workloads.data_exchange.gateway.credentials import Seen
from workloads.data_exchange.gateway.documents import NotJson, read
from workloads.data_exchange.gateway.model import WINDOW, Provider, Refusal
from workloads.data_exchange.gateway.offered import OfferedServices
from workloads.data_exchange.gateway.ports import CountingFailed
from workloads.data_exchange.gateway.shaping import Shaper, generalised, partial, pseudonym
from workloads.data_exchange.gateway.sources import Reading
from workloads.data_exchange.gateway.upstream import Upstream
from workloads.data_exchange.keys.model import Key
from workloads.data_exchange.settings import Settings

AT = datetime(2026, 11, 21, 15, 59, tzinfo=UTC)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False,
    allow_infinity=False) | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
)  # fmt: skip


@given(VALUES)
def test_json_of_strangers_is_read_as_it_is(value: Any) -> None:
    try:
        text = json.dumps(value).encode()
    except UnicodeEncodeError:
        return
    assert read(text) == value


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"[1,]", b'{"a":1,"a":2}', b"[NaN]", b"[Infinity]", b"[1e999]", b"[" + b"9" * 200
        + b"]", b"\xff", b"[" * 65 + b"]" * 65, b"[" * 100_000, b'{"a":' * 65 + b"1" + b"}" * 65,
        b"[" + b"1," * 1_000_001 + b"1]", b"\xef\xbb\xbf{}",
    ],
)  # fmt: skip
def test_json_that_is_not_taken(text: bytes) -> None:
    with pytest.raises(NotJson):
        read(text)


def test_brackets_in_texts_are_not_deep() -> None:
    assert read(json.dumps(["[" * 100, '"{' * 100]).encode()) == ["[" * 100, '"{' * 100]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("王小明", "王****明"), ("李四", "****"), ("310101199001011234", "310****234"),
        ("13800138000", "1****0"), ("", "****"), (12345678, "1****8"), (True, None), (None, None),
        ([1], None),
    ],
)  # fmt: skip
def test_part_of_a_text(value: Any, shown: str | None) -> None:
    assert _masked(partial(value)) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("1990-01-31", "1990"), ("19900131", "1990"), ("1990-01-31T10:00:00Z", "1990"),
        ("上海市浦东新区世纪大道1号", "上海市浦东新区"), ("杭州市西湖区文三路", "杭州市西湖区"),
        (35210, "30000-39999"), (7, "0-9"), (0, "0-9"), (-35, "-(30-39)"), (99.5, "90-99"),
        ("a secret", None), (True, None), (None, None), ({"a": 1}, None),
    ],
)  # fmt: skip
def test_something_more_general(value: Any, shown: str | None) -> None:
    assert _masked(generalised(value)) == shown


def _masked(value: Any) -> Any:
    return value if isinstance(value, str) else None


@given(st.text() | st.integers() | st.floats(allow_nan=False))
def test_a_pseudonym_is_of_its_key(value: Any) -> None:
    one, other = pseudonym(value, b"1" * 32), pseudonym(value, b"2" * 32)
    assert one == pseudonym(value, b"1" * 32) != other
    assert len(one) == 43


@given(st.text(min_size=1))
def test_a_mask_shows_at_most_a_third_of_long_texts(value: str) -> None:
    shown = partial(value).replace("****", "", 1)
    assert len(shown) <= max(2, len(value) / 3)


ROWS = [
    {"a": {"b": 1}, "t": "x"},
    {"a": {"b": 2.5}},
    {"a": {}},
    {"a": {"b": "2"}},
    {"a": {"b": True}},
]


@pytest.mark.parametrize(
    ("operator", "values", "kept"),
    [
        (Operator.EQ, (1,), [0]), (Operator.EQ, ("2",), [3]), (Operator.EQ, (True,), [4]),
        (Operator.NEQ, (1,), [1]), (Operator.LT, (2,), [0]), (Operator.LTEQ, (2.5,), [0, 1]),
        (Operator.GT, (1,), [1]), (Operator.GTEQ, (1,), [0, 1]), (Operator.GT, ("1",), [3]),
        (Operator.ANY_OF, (1, "2"), [0, 3]), (Operator.ANY_OF, (), []),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_compared_stay_behind(
    operator: Operator, values: tuple[Any, ...], kept: list[int]
) -> None:
    rows = (RowFilter("/a/b", operator, values),)
    shaper = Shaper("/d~1e/x", (Field("b", "/a/b"),), rows, b"k" * 32)
    found = shaper.shape({"d/e": {"x": ROWS, "y": "no"}, "z": 1})
    assert found.value == {"d/e": {"x": [{"a": ROWS[n]["a"]} for n in kept]}}
    assert (found.rows, found.left_out) == (len(kept), 5 - len(kept))


def test_one_record_is_handed_out_or_none() -> None:
    shaper = Shaper("", (Field("a", "/a"),), (RowFilter("/a", Operator.EQ, (1,)),), b"k" * 32)
    assert shaper.shape({"a": 1, "b": 2}).value == {"a": 1}
    assert shaper.shape({"a": 2}).value is None
    masked = Shaper("", (Field("b", "/x/b", Masking.PARTIAL), Field("a", "/a")), (), b"k" * 32)
    assert masked.shape({"a": 1, "x": {"b": "Zhang San", "c": 1}}).value == {
        "x": {"b": "Z****n"}, "a": 1,
    }  # fmt: skip


def test_paths_of_an_interface() -> None:
    paths = Paths(("/people", "/people/{id}", "/a.b/{x}/c"))
    assert paths.match("/people") == "/people"
    assert paths.match("/people/1") == "/people/{id}"
    assert paths.match("/a.b/1/c") == "/a.b/{x}/c"
    for wrong in ("/people/", "/people/1/2", "/axb/1/c", "/", "/people/1\n"):
        assert paths.match(wrong) is None
    found = Address(b"/services/svc_1/people/1?a=%2F..")
    assert (found.service, found.rest, found.query) == ("svc_1", "/people/1", "?a=%2F..")


def test_what_was_seen_is_forgotten_and_bounded() -> None:
    seen = Seen(3)
    for n in range(3):
        seen.take("k", str(n), AT, AT)
    with pytest.raises(Refusal, match="came before"):
        seen.take("k", "0", AT, AT)
    with pytest.raises(Refusal, match="too many"):
        seen.take("k", "3", AT, AT)
    seen.take("k", "3", AT, AT + 3 * WINDOW)


@dataclass
class FakeCounter:
    """Counts in memory; held to the contract of ``ports.Counter``."""

    used: dict[tuple[str, str, str], int] = field(default_factory=dict)
    away: bool = False
    asked: int = 0

    async def take(self, agreement: str, what: str, want: int, limit: int, *periods: str) -> int:
        if self.away:
            raise CountingFailed
        self.asked += 1
        used = sum(self.used.get((agreement, what, period), 0) for period in periods)
        given = max(0, min(want, limit - used))
        key = (agreement, what, periods[0])
        self.used[key] = self.used.get(key, 0) + given
        return given

    async def give_back(self, agreement: str, what: str, amount: int, period: str) -> None:
        self.used[agreement, what, period] -= amount


def test_days_begin_at_the_citys_midnight_and_minutes_anywhere() -> None:
    async def run() -> None:
        counter = FakeCounter()
        one = Allowance(counter, ZoneInfo("Asia/Shanghai"))
        day = Limits(calls_per_day=1)
        await one.call("a", day, AT)
        with pytest.raises(Refusal):
            await one.call("a", day, AT + timedelta(seconds=59))
        await one.call("a", day, AT + timedelta(seconds=60))
        minute = Limits(calls_per_minute=2)
        for second in (0, 55):
            await one.call("b", minute, AT + timedelta(seconds=second))
        for second in (56, 59, 60):
            with pytest.raises(Refusal):
                await one.call("b", minute, AT + timedelta(seconds=second))
        await one.call("b", minute, AT + timedelta(seconds=75))

    run_alone(run())


def test_blocks_are_a_hundredth_and_never_pass_the_limit() -> None:
    async def run() -> None:
        counter = FakeCounter()
        gateways = [Allowance(counter, ZoneInfo("UTC")) for _ in range(3)]
        limits, passed = Limits(calls=1000), 0
        for n in range(1100):
            try:
                await gateways[n % 3].call("a", limits, AT)
                passed += 1
            except Refusal:
                continue
        assert passed == 1000
        assert counter.asked < 500
        counter.away = True
        with pytest.raises(Refusal, match="cannot be counted"):
            await gateways[0].rows("a", Limits(rows=5), 1)

    run_alone(run())


@dataclass
class FakeAgreements:
    """Terms that change; asked as ``sources.Agreements``."""

    changed: list[Terms]
    position: int = 0
    terms: tuple[Terms, ...] = ()

    def in_force(self) -> "FakeAgreements":
        return FakeAgreements([], len(self.changed), tuple(self.changed))

    def changes(self, since: int) -> "FakeAgreements":
        return FakeAgreements([], len(self.changed), tuple(self.changed[since:]))


class FakeKeys:
    """One key, which is replaced when the test says so."""

    def __init__(self) -> None:
        self.key_there = Key("/city/", CONSUMER.public, False, AT)

    def jwks(self, agency: str) -> dict[str, Any]:
        assert agency == "/"
        return {"keys": [{"kty": "OKP"}]}

    def key(self, actor: object, kid: str) -> Key:
        assert isinstance(actor, Actor)
        if kid != CONSUMER.kid:
            raise NotFound("no")
        return self.key_there


class Services:
    def provider(self, service: str) -> Provider | None:
        return Provider(service, "http://x") if service == SERVICE else None


class At:
    def now(self) -> datetime:
        return AT


def test_agreements_are_read_once_and_then_what_changed() -> None:
    agreements, keys = FakeAgreements([terms()]), FakeKeys()
    source = Reading(agreements, Services(), keys, At())
    found = source.read([AGREEMENT, "agr_0"], [CONSUMER.kid, "other"])
    assert set(found.terms) == {AGREEMENT}
    assert set(found.providers) == {SERVICE}
    assert found.dead == {"other"}
    agreements.changed.append(terms(revoked_at=AT))
    keys.key_there = Key("/city/", CONSUMER.public, False, AT, not_after=AT)
    found = source.read([AGREEMENT], [CONSUMER.kid])
    assert found.terms[AGREEMENT].revoked_at == AT
    assert found.dead == {CONSUMER.kid}


@dataclass
class Video:
    video: bool = False


@dataclass
class FakeInterface:
    endpoint: str = "https://water.test/api"
    protocol: Video = field(default_factory=Video)
    methods: tuple[str, ...] = ("GET",)
    paths: tuple[str, ...] = ("/a",)
    records: str = "/records"
    connect_seconds: float = 1.0
    read_seconds: float = 2.0
    cache_seconds: int = 3
    repeatable: bool = False


@dataclass
class Life:
    shown: bool = True


@dataclass
class FakeOffered:
    interface: FakeInterface | None = field(default_factory=FakeInterface)
    state: Life = field(default_factory=Life)
    harvested: bool = False


@dataclass
class FakeDirectory:
    """One service; asked as ``offers.Offers``."""

    there: FakeOffered | None
    given: Credentials | None = None

    def find(self, entry_id: str) -> FakeOffered | None:
        assert entry_id == "s"
        return self.there

    def credentials(self, service_id: str) -> Credentials | None:
        assert service_id == "s"
        return self.given


@pytest.mark.parametrize(
    ("way", "headers"),
    [
        (Authentication(), {}),
        (Authentication(AuthenticationKind.BEARER), {"authorization": "Bearer s3cret"}),
        (
            Authentication(AuthenticationKind.BASIC, "me"),
            {"authorization": "Basic bWU6czNjcmV0"},
        ),
        (Authentication(AuthenticationKind.HEADER, header="X-Key"), {"x-key": "s3cret"}),
    ],
)  # fmt: skip
def test_providers_are_asked_as_the_directory_says(
    way: Authentication, headers: dict[str, str]
) -> None:
    known = Credentials(way, "s3cret")
    found = OfferedServices(FakeDirectory(FakeOffered(), known)).provider("s")
    assert found is not None
    assert (found.headers, found.records, found.repeatable) == (headers, "/records", False)
    assert (found.connect_seconds, found.read_seconds, found.cache_seconds) == (1.0, 2.0, 3)
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(
    "there",
    [
        None, FakeOffered(None), FakeOffered(state=Life(False)), FakeOffered(harvested=True),
        FakeOffered(FakeInterface("rtsp://camera.test/1")),
    ],
)  # fmt: skip
def test_what_is_not_offered_here_is_not_asked(there: FakeOffered | None) -> None:
    assert OfferedServices(FakeDirectory(there)).provider("s") is None


@pytest.mark.parametrize(
    ("networks", "local", "address", "asked"),
    [
        ("", False, "10.1.2.3", True),
        ("", False, "93.184.216.34", True),
        ("", False, "127.0.0.1", False),
        ("", True, "127.0.0.1", True),
        ("", True, "::ffff:127.0.0.1", True),
        ("", True, "169.254.169.254", False),
        ("", False, "::ffff:169.254.169.254", False),
        ("", False, "64:ff9b::a9fe:a9fe", False),
        ("", False, "2002:a9fe:a9fe::1", False),
        ("10.1.0.0/16", False, "10.1.2.3", True),
        # What the administrator did not name is not asked, whoever publishes it.
        ("10.1.0.0/16", False, "10.2.0.1", False),
        ("10.1.0.0/16", False, "93.184.216.34", False),
        ("10.1.0.0/16", True, "127.0.0.1", True),
        ("10.1.0.0/16", True, "10.2.0.1", False),
    ],
)
def test_providers_lie_where_the_administrator_says(
    networks: str, *, local: bool, address: str, asked: bool
) -> None:
    settings = Settings(provider_networks=networks, local_providers=local)
    chosen = options(settings, "postgresql://nowhere/x")
    upstream = Upstream(local=chosen.local, networks=chosen.networks)
    assert upstream.permitted(ipaddress.ip_address(address)) is asked
