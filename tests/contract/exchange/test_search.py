"""Search on a real database: both languages, facets, ranks, pages, and what people try."""

from dataclasses import replace
from datetime import timedelta

import pytest

from foundation.kernel.errors import Invalid
from foundation.kernel.paging import Page, PageRequest, everything
from foundation.kernel.text import Text
from tests.conftest import SettableClock
from tests.harness.directory import AUTHOR, READER, dataset, published, service
from tests.harness.exchange import CIVIL, HOUSING
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.directory.index import CANDIDATES, COUNTED
from workloads.data_exchange.directory.model import Entry, EntryId, Kind
from workloads.data_exchange.directory.searching import Order, Query, Search
from workloads.data_exchange.directory.store import PostgresEntries

pytestmark = pytest.mark.usefixtures("agencies")
_PAGE = PageRequest()


@pytest.fixture
def search(exchange: Exchange, clock: SettableClock) -> Search:
    for en, zh, about, changes in (
        ("Water permits", "取水许可信息", "许可证的发放", {"themes": ("ENVI", "city:water")}),
        ("River levels", "河道水位监测数据", "各水文站的水位", {"themes": ("ENVI",)}),
        ("Housing fund", "住房公积金缴存信息", "缴存与提取", {"access": "NON_PUBLIC"}),
        ("Real estate", "不动产登记信息", "房屋与土地，与住房公积金核对", {}),
        ("Café licences", "餐饮服务许可证", "食品经营", {"frequency": "WEEKLY"}),
    ):
        body = dataset(en, zh, description=Text(f"About {en.lower()}.", about), **changes)
        published(exchange, body, agency=HOUSING if "ous" in en else CIVIL)
        clock.advance(minutes=1)
    return exchange.cataloguing.search


def titles(page: Page[Entry]) -> list[str]:
    return [one.shown.title.en for one in page.items if one.shown]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("许可", {"Water permits", "Café licences"}),
        ("取水许可", {"Water permits"}),
        ("水位", {"River levels"}),
        ("水", {"Water permits", "River levels"}),
        ("公积金", {"Housing fund", "Real estate"}),
        ("登记 土地", {"Real estate"}),
        ("permit", {"Water permits"}),
        ("PERMITS water", {"Water permits"}),
        ("house", {"Housing fund"}),
        ("cafe", {"Café licences"}),
        ("water 许可", {"Water permits"}),
        ("ｗａｔｅｒ", {"Water permits"}),
        ("许水", set()),
        ("nowhere", set()),
    ],
)
def test_words_of_both_languages(search: Search, words: str, found: set[str]) -> None:
    assert set(titles(search.find(READER, Query(words), _PAGE))) == found
    assert search.count(READER, Query(words)).total == len(found)


def test_what_has_it_in_its_title_comes_first(search: Search) -> None:
    # Published earlier, and yet before the one that only mentions it.
    assert titles(search.find(READER, Query("公积金"), _PAGE)) == ["Housing fund", "Real estate"]


def test_facets_filter_and_are_counted(search: Search) -> None:
    counts = search.count(READER, Query())
    assert (counts.total, counts.exact) == (5, True)
    facets = {name: dict(values) for name, values in counts.facets.items()}
    assert facets["theme"] == {"ENVI": 2, "SOCI": 3, "city:social-aid": 3, "city:water": 1}
    assert facets["access"] == {"RESTRICTED": 4, "NON_PUBLIC": 1}
    assert facets["agency"] == {"/city/": 5, "/city/civil-affairs/": 4, "/city/housing/": 1}
    assert facets["format"] == {"CSV": 5}
    wet = Query(chosen={"theme": ["ENVI"], "agency": ["/city/"]})
    assert titles(search.find(READER, wet, _PAGE)) == ["River levels", "Water permits"]
    either = Query("信息", {"access": ["NON_PUBLIC", "RESTRICTED"], "agency": [HOUSING]})
    assert titles(search.find(READER, either, _PAGE)) == ["Housing fund"]
    none = Query("信息", {"format": ["PDF"]})
    assert search.find(READER, none, _PAGE).items == ()
    assert search.count(READER, none).total == 0


def test_pages_follow_each_other(search: Search) -> None:
    for query in (Query("信息"), Query(), Query("信息", order=Order.MODIFIED)):

        def some(page: PageRequest, query: Query = query) -> Page[Entry]:
            return search.find(READER, query, PageRequest(page.cursor, 1))

        found = [one.id for one in everything(some)]
        whole = [one.id for one in search.find(READER, query, _PAGE).items]
        assert found == whole
        assert len(set(found)) == len(found) >= 3


def test_what_is_withdrawn_is_not_found(exchange: Exchange, search: Search) -> None:
    directory = exchange.cataloguing.directory
    [found] = search.find(READER, Query("取水"), _PAGE).items
    directory.withdraw(AUTHOR, found.id, "wrong")
    assert search.find(READER, Query("取水"), _PAGE).items == ()
    directory.change(AUTHOR, found.id, dataset("Wells", "地下水井"))
    assert search.find(READER, Query("水井"), _PAGE).items == ()  # not before its review


@pytest.mark.parametrize(
    "words",
    [
        "'; DROP TABLE exchange_entry; --",
        "水' | '位",
        "a & b | !c <-> d:*",
        "\\",
        "'",
        "''",
        "水\\'位",
        "%",
        "_",
        "(((",
        ":*",
        "!!",
        "a" * 200,
        "水" * 200,
        "the of and",
        "\t\n",
        "\u200b",
        "💧",
        "水位:A",
        "$1",
        ":said",
        "%(words)s",
        "{chosen}",
    ],
)
def test_what_people_type_is_never_syntax(search: Search, words: str) -> None:
    search.find(READER, Query(words, {"theme": [words], "agency": [words]}), _PAGE)
    search.find(READER, Query(words), _PAGE)
    search.count(READER, Query(words, {"format": [words]}))
    assert search.count(READER, Query("取水")).total == 1


def test_what_cannot_be_asked_is_said(search: Search) -> None:
    with pytest.raises(Invalid) as caught:
        search.find(READER, Query("a" * 201, {"colour": ["x"], "theme": ["x" * 501]}), _PAGE)
    assert {one.field for one in caught.value.problems} == {"q", "colour", "theme"}
    for cursor in ("WyJ4Il0", "WyJ4IiwieSJd", "WyItMWU5OTkiLCJ5Il0"):
        for order in Order:
            query = Query("信息", order=order)
            try:
                assert search.find(READER, query, PageRequest(cursor)).items == ()
            except Invalid as error:
                assert {one.field for one in error.problems} == {"cursor"}  # noqa: PT017


def test_the_counts_of_the_whole_are_a_minute_old_at_most(
    exchange: Exchange, search: Search, clock: SettableClock
) -> None:
    assert search.count(READER, Query()).total == 5
    data = published(exchange, dataset("New", "新"))
    published(exchange, service(data.id), Kind.SERVICE, secret="x")
    assert search.count(READER, Query()).total == 5
    clock.advance(seconds=timedelta(seconds=61).total_seconds())
    assert search.count(READER, Query()).total == 7


def test_counts_are_of_a_part_when_more_fit(exchange: Exchange, clock: SettableClock) -> None:
    database, search = exchange.base.database, exchange.cataloguing.search
    like = published(exchange, dataset("Wells", "地下水井"))
    more = [replace(like, id=EntryId(f"dst_more{n:04}")) for n in range(COUNTED)]
    with database.transaction():
        PostgresEntries(database).put_all(more)
    counts = search.count(READER, Query("水井"))
    assert (counts.total, counts.exact) == (COUNTED, False)
    assert dict(counts.facets["kind"]) == {"dataset": COUNTED}
    few = Query("水井", {"agency": ["/nowhere/"]})
    assert (search.count(READER, few).total, search.count(READER, few).exact) == (0, True)
    # The whole directory is counted to its end.
    clock.advance(seconds=61)
    assert search.count(READER, Query()).total == COUNTED + 1
    # Pages go on behind the candidates of which the best were chosen.
    cursor: str | None = None
    found: list[str] = []
    while len(found) <= CANDIDATES:
        page = search.find(READER, Query("水井", order=Order.MODIFIED), PageRequest(cursor, 200))
        found, cursor = [*found, *(one.id for one in page.items)], page.next
    assert len(set(found)) == len(found)


def test_filters_and_words_are_looked_for_in_titles_and_behind_them(search: Search) -> None:
    both = Query("公积金", {"agency": [HOUSING, CIVIL]})
    assert titles(search.find(READER, both, _PAGE)) == ["Housing fund", "Real estate"]
    behind = Query("公积金", {"agency": [CIVIL]})
    assert titles(search.find(READER, behind, _PAGE)) == ["Real estate"]
    named = Query("公积金", {"agency": [HOUSING]})
    assert titles(search.find(READER, named, _PAGE)) == ["Housing fund"]
    # In the text alone, and no entry twice when some of the words stand in the title.
    assert titles(search.find(READER, Query("登记 公积金"), _PAGE)) == ["Real estate"]
    assert titles(search.find(READER, Query("about real estate"), _PAGE)) == ["Real estate"]


def test_the_phrase_and_then_the_shorter_title_come_first(exchange: Exchange) -> None:
    for en, zh in (
        ("Register of lamps of streets", "路灯登记"),
        ("Street lamps", "路灯"),
        ("Lamps in the street and on squares of the old town", "老城广场路灯"),
    ):
        published(exchange, dataset(en, zh))
    search = exchange.cataloguing.search
    assert titles(search.find(READER, Query("street lamps"), _PAGE)) == [
        "Street lamps", "Register of lamps of streets",
        "Lamps in the street and on squares of the old town",
    ]  # fmt: skip
