"""Texts that PostgreSQL can hold, and those that it cannot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.kernel.errors import Invalid
from foundation.kernel.text import check_keepable, keepable


@pytest.mark.parametrize("text", ["", "plain", "政务云", "\U0001f642", "\x1f\x7f", "\ud7ff\ue000"])
def test_what_people_write_can_be_kept(text: str) -> None:
    assert keepable(text)


@pytest.mark.parametrize("text", ["\0", "a\0b", "中\0", "\ud800", "x\udfff"])
def test_nul_and_halves_of_pairs_cannot_be_kept(text: str) -> None:
    assert not keepable(text)


@given(st.text(st.characters(codec=None), max_size=20))
def test_it_is_what_utf8_and_postgresql_say(text: str) -> None:
    try:
        held = b"\0" not in text.encode()
    except UnicodeEncodeError:
        held = False
    assert keepable(text) is held


def test_every_field_that_holds_one_is_named() -> None:
    given = [("reason", "a\0"), ("name", "fine"), ("note", "\ud800"), ("bad\0name", "x")]
    with pytest.raises(Invalid) as error:
        check_keepable(given)
    assert [p.field for p in error.value.problems] == ["reason", "note", ""]
    check_keepable([("reason", "because"), ("原因", "无")])
