import base64
import itertools
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.settings import PROGRAM, from_environment
from foundation.kernel import canonical, ids, settings
from foundation.kernel.errors import Invalid
from foundation.kernel.money import Money
from foundation.kernel.paging import PageRequest, page_of
from foundation.kernel.secretbox import SecretBox, SecretError, load_ring, parse_ring
from foundation.kernel.text import Text
from foundation.kernel.time import Interval, hours_between, month, parse_instant

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)


def test_ids_sort_by_time_and_do_not_repeat() -> None:
    made = [ids.new("ord") for _ in range(1000)]
    assert len(set(made)) == 1000
    assert [i[:14] for i in made] == sorted(i[:14] for i in made)
    assert all(len(i) == 30 and i.startswith("ord_") for i in made)


def test_money_of_two_currencies_does_not_mix() -> None:
    assert Money(Decimal("0.1")) + Money(Decimal("0.2")) == Money(Decimal("0.3"))
    for combine in (lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a < b):
        with pytest.raises(Invalid, match="do not combine"):
            combine(Money(Decimal(1)), Money(Decimal(1), "EUR"))
    with pytest.raises(Invalid):
        Money(Decimal("NaN"))
    with pytest.raises(Invalid):
        Money(Decimal(1), "yuan")


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.integers(0, 10**6), st.integers(1, 10**6))
def test_intervals_are_half_open(a: int, la: int, b: int, lb: int) -> None:
    one = Interval(NOON + timedelta(seconds=a), NOON + timedelta(seconds=a + la))
    two = Interval(NOON + timedelta(seconds=b), NOON + timedelta(seconds=b + lb))
    shared = one.intersection(two)
    assert one.overlaps(two) == two.overlaps(one) == (shared is not None)
    assert one.contains(one.start)
    assert one.end is not None
    assert not one.contains(one.end)
    if shared is not None:
        assert shared == two.intersection(one)
        assert one.contains(shared.start)
        assert two.contains(shared.start)


def test_hours_cover_an_interval_without_gap() -> None:
    end = NOON + timedelta(hours=3, minutes=10)
    parts = hours_between(NOON - timedelta(minutes=5), end)
    assert parts[0].start == NOON - timedelta(minutes=5)
    assert parts[-1].end == end
    assert all(a.end == b.start for a, b in itertools.pairwise(parts))
    assert len(parts) == 5


def test_months_and_instants_are_read_strictly() -> None:
    assert month("2026-12").end == datetime(2027, 1, 1, tzinfo=UTC)
    for wrong in ("2026-13", "2026", "x", "2026-1-1", "9999-12"):
        with pytest.raises(Invalid):
            month(wrong)
    assert parse_instant("2026-10-01T20:00:00+08:00") == NOON
    for wrong in ("2026-10-01T12:00:00", "noon", "0001-01-01T00:00:00+14:00"):
        with pytest.raises(Invalid):
            parse_instant(wrong)


def test_equal_values_have_equal_digests() -> None:
    one = {"b": Decimal("1.50"), "a": [NOON, Text("x", "甲"), None, True]}
    two = {
        "a": [NOON.astimezone(), {"zh": "甲", "en": "x"}, None, True],
        "b": Decimal("1.5"),
    }
    assert canonical.digest(one) == canonical.digest(two)
    assert canonical.digest(one) != canonical.digest({**one, "b": Decimal("1.51")})
    assert canonical.dumps({"n": Decimal("1E+3")}) == '{"n":"1000"}'
    with pytest.raises(TypeError):
        canonical.dumps({"x": object()})


#: Cursors with what PostgreSQL cannot hold: a NUL, and half of a surrogate pair.
NUL = base64.b64encode(rb'["\u0000"]').decode()
HALF = base64.b64encode(rb'["\ud800"]').decode()


def test_a_page_knows_whether_there_is_more() -> None:
    rows = list(range(4))
    first = page_of(rows, PageRequest(limit=3), lambda n: (str(n),))
    assert first.items == (0, 1, 2)
    assert PageRequest(first.next).key(1) == ("2",)
    assert page_of(rows[3:], PageRequest(first.next, 3), lambda n: (str(n),)).next is None
    for wrong in ("rubbish!", "e30", base64.b64encode(b'["a","b"]').decode(), NUL, HALF):
        with pytest.raises(Invalid):
            PageRequest(wrong).key(1)
    with pytest.raises(Invalid):
        PageRequest(limit=0)


def test_a_secret_opens_in_its_context_with_any_key_of_the_ring() -> None:
    old, new = os.urandom(32), os.urandom(32)
    sealed = SecretBox([old]).seal(b"password", "row 1")
    assert b"password" not in sealed.encode()
    rotated = SecretBox([new, old])
    assert rotated.open(sealed, "row 1") == b"password"
    assert rotated.stale(sealed)
    assert not rotated.stale(rotated.seal(b"password", "row 1"))
    assert rotated.derive("x") == SecretBox([old]).derive("x") != rotated.derive("y")
    tampered = sealed[:-3] + ("A" if sealed[-3] != "A" else "B") + sealed[-2:]
    for box, text, context in (
        (rotated, sealed, "row 2"),
        (SecretBox([new]), sealed, "row 1"),
        (rotated, tampered, "row 1"),
        (rotated, "nonsense", "row 1"),
    ):
        with pytest.raises(SecretError):
            box.open(text, context)


def test_a_ring_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "ring"
    made = load_ring(path)
    assert load_ring(path) == made
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(ValueError, match="32 bytes"):
        parse_ring("YWJj")


def test_settings_name_every_mistake_at_once() -> None:
    with pytest.raises(Invalid) as wrong:
        from_environment(
            {"BOROUGH_PORT": "eighty", "BOROUGH_COOKIE_SECURE": "perhaps", "BOROUGH_PROT": "1"}
        )
    assert {p.field for p in wrong.value.problems} == {
        "BOROUGH_PORT", "BOROUGH_COOKIE_SECURE", "BOROUGH_PROT",
    }  # fmt: skip


def test_settings_are_shown_without_secrets() -> None:
    made = from_environment(
        {"BOROUGH_DATABASE_URL": "postgresql://u:hidden@h/d", "BOROUGH_PORT": "81"}
    )
    shown = settings.describe(made, PROGRAM)
    assert "hidden" not in str(shown)
    assert ("BOROUGH_PORT", "81") in [(name, value) for name, value, _ in shown]
    assert all(doc for _, _, doc in shown)
