"""What is given is never more than what was asked for; and how terms are said."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from foundation.kernel.errors import Collector
from workloads.data_exchange.agreements import ask as asks
from workloads.data_exchange.agreements import purposes
from workloads.data_exchange.agreements.ask import Ask, AskedField, AskedRows
from workloads.data_exchange.agreements.terms import Field, Limits, Operator, RowFilter, Terms
from workloads.data_exchange.agreements.words import said
from workloads.data_exchange.directory.elements import Masking

NOW = datetime(2026, 11, 3, tzinfo=UTC)
NAMES = st.sampled_from(["a", "b", "c"])
SMALL = st.integers(0, 4)
LIMIT = st.none() | st.integers(1, 5)


@st.composite
def row_conditions(draw: st.DrawFn) -> AskedRows:
    operator = draw(st.sampled_from(Operator))
    most = 3 if operator is Operator.ANY_OF else 1
    return AskedRows(draw(NAMES), operator, tuple(draw(st.lists(SMALL, min_size=1, max_size=most))))


@st.composite
def an_ask(draw: st.DrawFn) -> Ask:
    begins = NOW + timedelta(days=draw(SMALL))
    return Ask(
        draw(st.frozensets(st.sampled_from(["dpv:A", "dpv:B", "dpv:C"]), min_size=1)),
        tuple(
            draw(
                st.lists(
                    st.builds(AskedField, NAMES, st.booleans()), min_size=1,
                    unique_by=lambda one: one.name,
                )
            )
        ),
        tuple(draw(st.lists(row_conditions(), max_size=2))),
        draw(st.builds(Limits, LIMIT, LIMIT, LIMIT, LIMIT, LIMIT)),
        begins,
        begins + timedelta(days=1 + draw(SMALL)),
    )  # fmt: skip


_HOW = {
    Operator.EQ: lambda one, v: one == v[0],
    Operator.NEQ: lambda one, v: one != v[0],
    Operator.LT: lambda one, v: one < v[0],
    Operator.LTEQ: lambda one, v: one <= v[0],
    Operator.GT: lambda one, v: one > v[0],
    Operator.GTEQ: lambda one, v: one >= v[0],
    Operator.ANY_OF: lambda one, v: one in v,
}


def lets_through(ask: Ask, row: dict[str, int]) -> bool:
    return all(_HOW[one.operator](row[one.name], one.values) for one in ask.rows)


@given(an_ask(), an_ask(), st.fixed_dictionaries({"a": SMALL, "b": SMALL, "c": SMALL}))
def test_what_narrows_allows_nothing_more(asked: Ask, given_: Ask, row: dict[str, int]) -> None:
    found = Collector()
    asks.narrows(found, given_, asked)
    if found.problems:
        return
    assert not lets_through(given_, row) or lets_through(asked, row)
    assert given_.purposes <= asked.purposes
    shown = {one.name: one.whole for one in asked.fields}
    assert all(one.name in shown and shown[one.name] >= one.whole for one in given_.fields)
    for limit in fields(Limits):
        most, now = getattr(asked.limits, limit.name), getattr(given_.limits, limit.name)
        assert most is None or (now is not None and now <= most)
    assert asked.begins <= given_.begins < given_.ends <= asked.ends


@given(an_ask())
def test_the_same_is_no_more(asked: Ask) -> None:
    found = Collector()
    asks.narrows(found, asked, asked)
    assert found.problems == []
    asks.narrows(found, replace(asked, limits=Limits(1, 1, 1, 1, 1)), asked)
    assert found.problems == []
    assert asks.read(asked.as_json()) == asked


def test_purposes_have_a_place_and_two_languages() -> None:
    known = purposes.titles()
    assert len(known) == 95
    assert purposes.above("dpv:CounterMoneyLaundering") == {
        "dpv:FraudPreventionAndDetection", "dpv:MisusePreventionAndDetection",
        "dpv:EnforceSecurity",
    }  # fmt: skip
    assert all(one.en and one.zh and one.en != one.zh for one in known.values())


def test_every_term_is_said() -> None:
    terms = Terms(
        "agr_1", "", "dst_1", "svc_1", "/city/tax/", "/city/housing/",
        frozenset({"dpv:ServiceProvision"}),
        (Field("name", "/name"), Field("id", "/id", Masking.PSEUDONYM)),
        (RowFilter("/open", Operator.EQ, (True,)),), "", Limits(1, 2, 3, 4, 5000), NOW,
        NOW + timedelta(days=1),
    )  # fmt: skip
    english = " ".join(one.en for one in said(terms))
    for part in (
        "/city/housing/", "dst_1", "/city/tax/", "svc_1", "Service provision", "name (in full)",
        "id (as a pseudonym of this agreement)", "/open is true", "1 calls in all", "2 calls a day",
        "3 calls a minute", "4 rows in all", "5,000 rows a call", "2026-11-03 00:00:00 UTC",
        "2026-11-04 00:00:00 UTC",
    ):  # fmt: skip
        assert part in english
    chinese = " ".join(one.zh for one in said(terms))
    for part in ("提供服务", "完整值", "本协议专用假名", "5,000 行", "2026-11-04 00:00:00 UTC"):
        assert part in chinese
    free = replace(terms, limits=Limits(), rows=())
    assert "Without a limit of calls or rows." in [one.en for one in said(free)]
    assert "All records." in [one.en for one in said(free)]
