"""Text as the index takes it: nothing that people type is syntax."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.data_exchange.directory import words
from workloads.data_exchange.directory.checks import is_address, is_pointer
from workloads.data_exchange.directory.interface import (
    Authentication,
    AuthenticationKind,
    Credentials,
)
from workloads.data_exchange.directory.model import Kind
from workloads.data_exchange.harvesting import plain
from workloads.data_exchange.harvesting.model import entry_id


def test_chinese_becomes_characters_and_pairs() -> None:
    assert words.indexed("水务局A许") == ["水", "务", "局", "水务", "务局", "许"]
    assert words.sought("水务局 许") == ["水务", "务局", "许"]
    assert words.sought("water") == []
    assert words.latin("ＡＢＣ水务Café-9") == "abc cafe 9"
    assert words.vector(["水", "务", "水"], "A") == "'水':1A,3A '务':2A"


@given(st.text(max_size=50))
def test_what_is_sought_is_found_where_it_stands(text: str) -> None:
    assert set(words.sought(text)) <= set(words.indexed(f"前{text}后"))


@given(st.text(max_size=50), st.text(max_size=50))
def test_quoted_lexemes_end_where_they_end(name: str, value: str) -> None:
    inside = words.quoted(words.facet(name, value))[1:-1].replace("\\\\", "").replace("''", "")
    assert "'" not in inside
    assert "\\" not in inside


@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_each_lexeme_of_a_query_is_looked_for_in_titles(lexemes: list[str]) -> None:
    query = words.all_of(lexemes)
    assert words.in_title(query) == " & ".join(f"{words.quoted(one)}:A" for one in lexemes)


@given(st.text())
def test_what_strangers_wrote_is_made_to_fit(text: str) -> None:
    line = plain.line(text)
    assert len(line) <= 200
    assert "\n" not in line
    assert "\0" not in line
    assert plain.address(text) == "" or is_address(text.strip())
    assert plain.frequency(text)
    assert plain.format_of(text)
    title = plain.title([("", text)], "otherwise")
    assert title.en.strip()
    assert title.zh.strip()


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("", True), ("/", True), ("/a/0/~0~1", True), ("a", False), ("/~2", False), ("/a\n", False),
    ],
)  # fmt: skip
def test_pointers(text: str, right: bool) -> None:  # noqa: FBT001
    assert is_pointer(text) is right


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "http://",
        "https://a b/",
        "https://a/<b>",
        "ftp://a/",
        "//a",
        "http://[",
    ],
)
def test_what_is_no_address(text: str) -> None:
    assert not is_address(text)


def test_a_harvested_entry_has_the_same_id_each_time() -> None:
    one = entry_id("cat_1", Kind.DATASET, "https://p.example/1")
    assert one == entry_id("cat_1", Kind.DATASET, "https://p.example/1")
    assert one.startswith("dst_")
    others = {
        entry_id("cat_2", Kind.DATASET, "https://p.example/1"),
        entry_id("cat_1", Kind.SERVICE, "https://p.example/1"),
        entry_id("cat_1", Kind.DATASET, "https://p.example/2"),
    }
    assert one not in others
    assert len(others) == 3


def test_how_a_provider_is_told_who_asks() -> None:
    basic = Authentication(AuthenticationKind.BASIC, "gateway")
    assert Credentials(basic, "密").headers() == {"Authorization": "Basic Z2F0ZXdheTrlr4Y="}
    header = Authentication(AuthenticationKind.HEADER, header="X-Key")
    assert Credentials(header, "k").headers() == {"X-Key": "k"}
    assert Credentials(Authentication(), "").headers() == {}
