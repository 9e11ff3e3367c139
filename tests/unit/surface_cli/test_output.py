import json

import pytest
import yaml

from foundation.surface.cli.exits import Failure
from foundation.surface.cli.output import Column, cell, document, table, write_one, write_rows

COLUMNS = (
    Column("ID", "id"),
    Column("NAME", "name"),
    Column("MONTH", "price.month", right=True),
    Column("MADE", "made", wide=True),
)
ITEMS = [
    {"id": "a", "name": {"en": "Web", "zh": "网站应用"},
     "price": {"month": {"amount": "1200.5", "currency": "CNY"}}, "made": "today"},
    {"id": "bcd", "name": {"en": "Database", "zh": "数据库"}, "price": None, "made": None},
]  # fmt: skip


def test_a_table_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(ITEMS, COLUMNS, "table")
    assert capsys.readouterr().out == (
        "ID   NAME           MONTH\n"
        "a    Web       1200.5 CNY\n"
        "bcd  Database           -\n"
    )  # fmt: skip


def test_what_strangers_wrote_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    bad = "a\x1b]0;root\x07b\x9b2Jc\u202ed\x7f\r"
    item = {"id": bad, "name": {"en": bad, "zh": bad}, "more": [{bad: bad}]}
    columns = (*COLUMNS[:2], Column("MORE", "more"))
    for form in ("table", "wide", "json", "yaml", "name"):
        write_rows([item], columns, form)
        write_one(item, columns, form)
    shown = capsys.readouterr().out + str(Failure(bad).format_message())
    assert not {*shown} & {"\x1b", "\x07", "\x9b", "\u202e", "\x7f", "\r"}
    assert json.loads(document(item, "json")) == item
    # Nor does a line of a table become two.
    split = table([{"id": "a\nb  forged"}], COLUMNS[:1], "en")
    assert split.splitlines() == ["ID", "a b  forged"]
    assert cell("a\nb") == "a\nb"


def test_chinese_characters_take_two_cells() -> None:
    assert table(ITEMS, COLUMNS[:2], "zh").splitlines() == [
        "ID   NAME",
        "a    网站应用",
        "bcd  数据库",
    ]
    both = (Column("NAME", "name"), Column("ID", "id"))
    assert table(ITEMS, both, "zh").splitlines() == [
        "NAME      ID",
        "网站应用  a",
        "数据库    bcd",
    ]


def test_wide_shows_all(capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(ITEMS, COLUMNS, "wide")
    assert capsys.readouterr().out.splitlines()[0].endswith("MADE")


def test_json_yaml_and_names_are_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(ITEMS, COLUMNS, "json")
    assert json.loads(capsys.readouterr().out) == ITEMS
    write_rows(ITEMS, COLUMNS, "yaml")
    assert yaml.safe_load(capsys.readouterr().out) == ITEMS
    write_rows(ITEMS, COLUMNS, "name")
    assert capsys.readouterr().out == "a\nbcd\n"
    write_rows([], COLUMNS, "json")
    assert capsys.readouterr().out == "[]\n"


def test_nothing_is_said_beside_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    write_rows([], COLUMNS, "table")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "Nothing found.\n")


def test_one_thing_shows_all_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    write_one(ITEMS[0], COLUMNS, "table")
    assert capsys.readouterr().out == (
        "ID:    a\nNAME:  Web\nMONTH: 1200.5 CNY\nMADE:  today\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"), ("", "-"), (True, "yes"), (False, "no"), (0, "0"), ([], "-"),
        ([1, "b"], "1, b"), ({"a": 1, "b": None}, "a=1, b=-"),
        ({"amount": "3", "currency": "CNY"}, "3 CNY"), ({"en": "x", "zh": "y"}, "x"),
    ],
)  # fmt: skip
def test_cells(value: object, text: str) -> None:
    assert cell(value) == text
