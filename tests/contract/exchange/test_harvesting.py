"""Harvesting over HTTP on loopback: pages, changes, ends, crashes, and what strangers try."""

import ipaddress
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from rdflib import Graph

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.addresses import NetworkPolicy
from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from foundation.kernel.paging import PageRequest, everything
from foundation.kernel.text import Text
from tests.conftest import SettableClock
from tests.fakes.catalogues import Answer, Platform, platform
from tests.harness.directory import AUTHOR, READER, dataset, published, service
from tests.harness.dripping import dripping
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM, furnish, opened
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.directory.model import Entry, Kind, State
from workloads.data_exchange.directory.ports import EntryQuery
from workloads.data_exchange.directory.rdf.forms import TURTLE, written
from workloads.data_exchange.directory.rdf.names import Names
from workloads.data_exchange.directory.searching import Query
from workloads.data_exchange.harvesting import ckan
from workloads.data_exchange.harvesting.fetch import HttpFetcher
from workloads.data_exchange.harvesting.model import Run, Source, SourceProtocol
from workloads.data_exchange.harvesting.ports import Refused

HEAD = """@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> . @prefix hydra: <http://www.w3.org/ns/hydra/core#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> . @base <https://province.example/> .
<catalog> a dcat:Catalog ; dct:title "Province"@en, "省目录"@zh .
"""


def entry(n: int, title: str = "") -> str:
    title = title or f"Set {n}"
    return f"""<set/{n}> a dcat:Dataset ; dct:title "{title}"@en, "数据集{n}"@zh-Hans ;
      dct:description "About {n}"@en ; dcat:keyword "水务" ; dct:identifier "P-{n}" ;
      dcat:theme <http://publications.europa.eu/resource/authority/data-theme/ENVI> ;
      dct:accrualPeriodicity <http://publications.europa.eu/resource/authority/frequency/DAILY> ;
      dct:publisher [ a foaf:Agent ; foaf:name "Province water office"@en ] ;
      dcat:distribution [ a dcat:Distribution ; dcat:accessURL <https://province.example/{n}.csv> ;
        dct:format <http://publications.europa.eu/resource/authority/file-type/CSV> ;
        dcat:byteSize "123"^^xsd:nonNegativeInteger ] .
    """


def document(numbers: range, following: str = "") -> bytes:
    link = (
        f"<> hydra:view [ a hydra:PartialCollectionView ; hydra:next <{following}> ] ."
        if following
        else ""
    )
    return (HEAD + link + "".join(entry(n) for n in numbers)).encode()


@pytest.fixture
def exchange(
    postgres: EmbeddedPostgres, tmp_path: Path, clock: SettableClock
) -> Iterator[Exchange]:
    with opened(postgres, tmp_path, clock, provider_networks="127.0.0.0/8") as exchange:
        furnish(exchange)
        yield exchange


@pytest.fixture
def there() -> Iterator[Platform]:
    with platform() as found:
        yield found


def mounted(
    exchange: Exchange, url: str, protocol: SourceProtocol = SourceProtocol.DCAT, **more: str
) -> Source:
    return exchange.cataloguing.harvesting.mount(
        AUTHOR, agency=CIVIL, protocol=protocol, url=url, title=Text("Province", "省"), **more
    )


def read(exchange: Exchange, source: Source, *, accepts_loss: bool = False) -> Run:
    """One whole run, as the worker does it."""
    harvesting, reading = exchange.cataloguing.harvesting, exchange.cataloguing.reading
    run = harvesting.start(AUTHOR, source.id, accepts_loss=accepts_loss)
    try:
        reading.read(run.id)
        reading.withdraw(run.id)
    except (Refused, Unavailable) as error:
        harvesting.end(run.id, error)
        raise
    ended = harvesting.end(run.id, None)
    assert ended is not None
    return ended


def shown(exchange: Exchange) -> dict[str, Entry]:
    search = exchange.cataloguing.search
    found = everything(lambda page: search.find(READER, Query(), page))
    return {one.origin.uri.rpartition("/")[2]: one for one in found if one.origin}


def test_a_catalogue_in_parts_appears_below_an_agency_with_where_it_is_from(
    exchange: Exchange, there: Platform
) -> None:
    there.answers["/c.ttl"] = Answer(document(range(3), f"{there.url}/c2.ttl"))
    there.answers["/c2.ttl"] = Answer(document(range(3, 5)))
    source = mounted(exchange, f"{there.url}/c.ttl")
    run = read(exchange, source)
    assert (run.pages, run.found, run.changed, run.withdrawn) == (2, 5, 5, 0)
    found = shown(exchange)
    assert sorted(found) == ["0", "1", "2", "3", "4"]
    one = found["3"]
    assert one.shown is not None
    assert one.origin is not None
    assert (one.path, one.origin.publisher) == (CIVIL, "Province water office")
    assert (one.shown.title.en, one.shown.title.zh) == ("Set 3", "数据集3")
    assert (one.shown.themes, one.shown.frequency) == (("ENVI",), "DAILY")
    [form] = one.shown.distributions
    assert (form.format, form.byte_size) == ("CSV", 123)
    [catalog] = exchange.cataloguing.catalogue.catalogs(READER)
    assert catalog.id == source.catalog
    offered = exchange.cataloguing.directory.find(one.id)
    assert offered is not None
    assert not offered.available  # another platform's: it is not called through this one
    with pytest.raises(Conflict, match="another platform"):
        exchange.cataloguing.directory.withdraw(AUTHOR, one.id, "mine now")


def test_only_what_changed_is_written_and_what_is_gone_is_withdrawn(
    exchange: Exchange, there: Platform, clock: SettableClock
) -> None:
    there.answers["/c.ttl"] = Answer(document(range(4)), etag='"1"')
    source = mounted(exchange, f"{there.url}/c.ttl")
    read(exchange, source)
    before = shown(exchange)
    clock.advance(days=1)
    # The same document: not read again, and nothing is lost.
    run = read(exchange, source)
    assert (run.found, run.changed, run.unchanged, run.withdrawn) == (4, 0, 4, 0)
    assert shown(exchange) == before
    clock.advance(days=1)
    text = HEAD + entry(0) + entry(1, "Renamed") + entry(3)
    there.answers["/c.ttl"] = Answer(text.encode(), etag='"2"')
    run = read(exchange, source)
    assert (run.found, run.changed, run.withdrawn) == (3, 1, 1)
    after = shown(exchange)
    assert sorted(after) == ["0", "1", "3"]
    assert after["1"].id == before["1"].id
    assert (after["1"].version, after["1"].state) == (2, State.REVISED)
    assert after["0"] == before["0"]
    gone = exchange.cataloguing.directory.entry(SYSTEM, before["2"].id)
    assert (gone.state, gone.note) == (State.WITHDRAWN, "it is not at its source any more")
    there.answers["/c.ttl"] = Answer(document(range(4)), etag='"3"')
    read(exchange, source)
    assert shown(exchange)["2"].id == before["2"].id


def test_that_most_is_gone_is_believed_only_when_somebody_says_so(
    exchange: Exchange, there: Platform
) -> None:
    there.answers["/c.ttl"] = Answer(document(range(30)))
    source = mounted(exchange, f"{there.url}/c.ttl")
    read(exchange, source)
    there.answers["/c.ttl"] = Answer(document(range(2)))
    with pytest.raises(Refused, match="28 of 30"):
        read(exchange, source)
    assert len(shown(exchange)) == 30
    assert read(exchange, source, accepts_loss=True).withdrawn == 28
    assert len(shown(exchange)) == 2


def test_a_run_goes_on_where_it_was_killed(exchange: Exchange, there: Platform) -> None:
    there.answers["/1"] = Answer(document(range(2), f"{there.url}/2"))
    there.answers["/2"] = Answer(status=503)
    there.answers["/3"] = Answer(document(range(4, 6)))
    source = mounted(exchange, f"{there.url}/1")
    harvesting, reading = exchange.cataloguing.harvesting, exchange.cataloguing.reading
    run = harvesting.start(AUTHOR, source.id)
    with pytest.raises(Unavailable):
        reading.read(run.id)
    assert len(shown(exchange)) == 2
    with pytest.raises(Conflict, match="already"):
        harvesting.start(AUTHOR, source.id)
    assert harvesting.start_due() == 0
    there.answers["/2"] = Answer(document(range(2, 4), f"{there.url}/3"))
    there.asked.clear()

    class Killed(BaseException):
        """As SIGKILL: nothing of the open transaction is kept."""

    def die() -> None:
        raise Killed

    with pytest.raises(Killed):
        reading.read(run.id, fence=die)
    assert len(shown(exchange)) == 2
    done = reading.read(run.id)
    assert [path for path, _ in there.asked] == ["/2", "/2", "/3"]
    assert (done.pages, done.found, done.changed) == (3, 6, 6)
    assert len(shown(exchange)) == 6
    assert reading.read(run.id) == done  # the step again: nothing


def test_a_run_that_loses_its_pages_withdraws_nothing(exchange: Exchange, there: Platform) -> None:
    there.answers["/c"] = Answer(document(range(5)))
    source = mounted(exchange, f"{there.url}/c")
    read(exchange, source)
    there.answers["/c"] = Answer(status=404)
    with pytest.raises(Refused, match="404"):
        read(exchange, source)
    assert len(shown(exchange)) == 5
    [failed, _] = exchange.cataloguing.harvesting.runs(AUTHOR, source.id, PageRequest()).items
    assert failed.message == "it answered 404"


def test_each_form_says_the_same(exchange: Exchange, there: Platform) -> None:
    graph = Graph().parse(data=document(range(3)), format="turtle")
    forms = (
        ("turtle", "text/turtle"), ("xml", "application/rdf+xml"),
        ("json-ld", "application/ld+json"),
    )  # fmt: skip
    bodies = []
    for name, media_type in forms:
        there.answers[f"/{name}"] = Answer(
            graph.serialize(format=name, encoding="utf-8"), f"{media_type}; charset=utf-8"
        )
        source = mounted(exchange, f"{there.url}/{name}")
        assert read(exchange, source).found == 3
        found = exchange.cataloguing.directory.entries(
            SYSTEM, EntryQuery(catalog=source.catalog), PageRequest()
        )
        bodies.append(sorted(str(one.shown) for one in found.items))
    assert bodies[0] == bodies[1] == bodies[2]


def test_what_this_exchange_publishes_can_be_harvested(exchange: Exchange, there: Platform) -> None:
    data = published(exchange, dataset())
    published(exchange, service(data.id), Kind.SERVICE, secret="x")
    part = exchange.cataloguing.catalogue.whole(
        READER, Names("https://data.city.example"), PageRequest()
    )
    there.answers["/catalog"] = Answer(written(part.graph, TURTLE))
    run = read(exchange, mounted(exchange, f"{there.url}/catalog"))
    assert (run.found, run.refused) == (2, 0)
    found = shown(exchange)
    assert found[data.id].shown is not None
    assert found[data.id].shown.title == Text("Households", "家庭户籍登记信息")
    [copied] = [one for one in found.values() if one.kind is Kind.SERVICE]
    assert copied.shown is not None
    assert copied.shown.serves == (found[data.id].id,)


# --- CKAN


def package(n: int, **more: object) -> dict[str, object]:
    return {
        "id": f"p{n}", "name": f"set-{n}", "title": f"人口数据 {n}", "notes": "About people",
        "metadata_modified": "2026-01-01T00:00:00", "license_id": "cc-by-4.0", "state": "active",
        "tags": [{"name": "population"}], "organization": {"title": "统计局"},
        "extras": [{"key": "frequency", "value": "R/P1M"}, {"key": "theme", "value": "SOCI"}],
        "resources": [{"id": "r", "name": "file", "format": "csv", "url": "https://c.example/f"}],
        **more,
    }  # fmt: skip


def answer_packages(there: Platform, packages: list[object], count: int | None = None) -> None:
    for path in [path for path in there.answers if "package_search" in path]:
        del there.answers[path]
    for start in range(0, max(len(packages), 1), ckan.ROWS):
        result = {"count": count or len(packages), "results": packages[start : start + ckan.ROWS]}
        body = json.dumps({"success": True, "result": result}).encode()
        path = ckan.search_address("", start)
        there.answers[path] = Answer(body, "application/json")


def test_ckan_is_read_in_parts_and_asked_again_for_what_is_gone(
    exchange: Exchange, there: Platform
) -> None:
    answer_packages(there, [package(n) for n in range(250)])
    source = mounted(exchange, there.url, SourceProtocol.CKAN, token="s3cret")
    run = read(exchange, source)
    assert (run.pages, run.found) == (3, 250)
    assert {token for _, token in there.asked} == {"Bearer s3cret"}
    [one] = [
        one for one in shown(exchange).values() if one.origin and one.origin.uri.endswith("/p7")
    ]
    assert one.shown is not None
    assert one.shown.title.zh == "人口数据 7"
    assert (one.shown.frequency, one.shown.licence) == ("MONTHLY", "CC_BY_4_0")
    assert one.shown.formats() == ("CSV",)
    assert one.origin is not None
    assert one.origin.publisher == "统计局"
    # One moved between two parts while they were read, one was deleted, one is private now.
    answer_packages(there, [package(n) for n in range(250) if n not in {5, 6, 7}])
    for n, state in ((5, "active"), (6, "deleted")):
        body = {"success": True, "result": package(n, state=state)}
        path = ckan.show_address("", f"p{n}")
        there.answers[path] = Answer(json.dumps(body).encode(), "application/json")
    there.answers[ckan.show_address("", "p7")] = Answer(b'{"success": false}', status=404)
    assert read(exchange, source).withdrawn == 2
    left = exchange.cataloguing.search.count(READER, Query(chosen={"catalog": [source.catalog]}))
    assert left.total == 248


def test_hundreds_come_and_go(exchange: Exchange, there: Platform) -> None:
    answer_packages(there, [package(n) for n in range(450)])
    source = mounted(exchange, there.url, SourceProtocol.CKAN)
    assert read(exchange, source).changed == 450
    answer_packages(there, [package(n) for n in range(230)])
    run = read(exchange, source)
    assert (run.found, run.changed, run.unchanged, run.withdrawn) == (230, 0, 230, 220)
    assert len(shown(exchange)) == 230
    exchange.cataloguing.harvesting.unmount(AUTHOR, source.id)
    assert shown(exchange) == {}
    assert exchange.cataloguing.search.count(READER, Query("人口")).total == 0


@pytest.mark.parametrize(
    ("odd", "found"),
    [
        ([{}, None, 7, "x", {"id": 5}, {"id": ""}, package(1)], 1),
        ([package(1, title=None, name=None, notes=["a"], tags="no", resources={"a": 1})], 1),
        ([package(1, title={"zh": "标题", "en": "Title"}, extras=[1, {"key": []}])], 1),
        ([package(1, title="\x00\ud800" + "长" * 9000, url="javascript:alert(1)")], 1),
        # A size that JSON has and canonical JSON has not.
        ([package(1, resources=[{"url": "https://c.example/1", "size": 2**60}])], 1),
        ([package(1, private=True), package(2, state="deleted")], 0),
        ([package(1, resources=[{"url": "file:///etc/passwd", "size": -1, "format": "<b>"}])], 1),
    ],
)
def test_odd_packages_lose_fields_and_not_their_neighbours(
    exchange: Exchange, there: Platform, odd: list[object], found: int
) -> None:
    answer_packages(there, odd)
    run = read(exchange, mounted(exchange, there.url, SourceProtocol.CKAN))
    assert (run.found, run.refused) == (found, len(odd) - found)


# --- what strangers try

BOMB = b"""<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">&b;</rdf:RDF>"""
READS = b"""<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><r>&a;</r>"""


@pytest.mark.parametrize(
    ("media_type", "body", "said"),
    [
        ("application/rdf+xml", BOMB, "document type"),
        ("application/rdf+xml", READS, "document type"),
        ("application/rdf+xml", b"<a>" * 500, "nested"),
        ("application/rdf+xml", b"no xml", "is no xml"),
        ("application/ld+json", b'{"@context": "http://127.0.0.1:1/c"}', "context elsewhere"),
        ("application/ld+json", b'{"@context": [{"a": "b:c"}, "http://x.example/"]}', "elsewhere"),
        ("application/ld+json", b'{"@context": {"@import": "http://x.example/"}}', "elsewhere"),
        (
            "application/ld+json",
            b'{"@context": {"a": {"@id": "b:c", "@context": "http://x.example/"}}}', "elsewhere",
        ),
        ("application/ld+json", b"[" * 5000 + b"]" * 5000, "nested"),
        ("application/ld+json", b'{"a": NaN}', "no JSON"),
        ("text/turtle", b"<a> <b> " + b"[ <c> " * 20_000, "nested|is no turtle"),
        ("text/turtle", b"<a> <b> <c", "is no turtle"),
        ("text/turtle", b"\xff\xfe\x00", "is no turtle"),
        ("text/html", b"<html>", "no RDF"),
    ],
)  # fmt: skip
def test_documents_that_would_grow_or_fetch_are_refused(
    exchange: Exchange, there: Platform, media_type: str, body: bytes, said: str
) -> None:
    there.answers["/c"] = Answer(body, media_type)
    with pytest.raises(Refused, match=said):
        read(exchange, mounted(exchange, f"{there.url}/c"))
    assert [path for path, _ in there.asked] == ["/c"]  # nothing that it names was fetched


def test_odd_entries_do_not_spoil_their_neighbours(exchange: Exchange, there: Platform) -> None:
    text = (
        HEAD
        + entry(1)
        + """
      [] a dcat:Dataset ; dct:title "nameless" .
      <javascript:alert(1)> a dcat:Dataset ; dct:title "<script>alert(1)</script>" ;
        dcat:landingPage <javascript:alert(1)> ; dcat:theme "no theme" ; dct:temporal "2020" ;
        dcat:distribution <gone>, "text" ; dcat:contactPoint "x" ; dct:spatial "Somewhere" .
      <svc> a dcat:DataService ; dct:title "S" ; dcat:endpointURL "no address", <file:///etc> .
    """
    )
    there.answers["/c"] = Answer(text.encode())
    run = read(exchange, mounted(exchange, f"{there.url}/c"))
    assert (run.found, run.refused) == (3, 1)
    found = shown(exchange)
    odd = found["javascript:alert(1)"]
    assert odd.shown is not None
    assert (odd.shown.landing_page, odd.shown.spatial) == ("", "Somewhere")
    # And what is made of it is valid RDF.
    exchange.cataloguing.catalogue.whole(
        READER, Names("https://data.city.example"), PageRequest()
    ).graph.serialize()


def test_what_becomes_of_another_kind_is_another_entry(exchange: Exchange, there: Platform) -> None:
    there.answers["/c"] = Answer(document(range(2)))
    source = mounted(exchange, f"{there.url}/c")
    read(exchange, source)
    text = (
        HEAD
        + entry(0)
        + """<set/1> a dcat:DataService ; dct:title "S" ;
      dcat:endpointURL <https://province.example/api> ."""
    )
    there.answers["/c"] = Answer(text.encode())
    run = read(exchange, source)
    assert (run.changed, run.withdrawn) == (1, 1)
    assert shown(exchange)["1"].kind is Kind.SERVICE
    # Whoever makes entries is not shown those of other platforms as theirs.
    mine = exchange.cataloguing.directory.entries(AUTHOR, EntryQuery(), PageRequest())
    assert mine.items == ()


def test_pages_that_go_round_or_away_end(exchange: Exchange, there: Platform) -> None:
    there.answers["/1"] = Answer(document(range(1), f"{there.url}/2"))
    there.answers["/2"] = Answer(document(range(2), f"{there.url}/1?x"))
    there.answers["/1?x"] = Answer(document(range(2), f"{there.url}/2"))
    source = mounted(exchange, f"{there.url}/1", token="s3cret")
    with pytest.raises(Refused, match="circle"):
        read(exchange, source)
    with platform() as other:
        there.answers["/1"] = Answer(document(range(1), f"{other.url}/2"))
        with pytest.raises(Refused, match="another place"):
            read(exchange, source)
        there.answers["/1"] = Answer(status=302, headers={"Location": f"{other.url}/c"})
        other.answers["/c"] = Answer(document(range(1)))
        read(exchange, source)
        assert other.asked == [("/c", "")]  # a redirect is followed, without the token


def test_where_only_our_machines_can_go_is_not_asked(there: Platform) -> None:
    there.answers["/c"] = Answer(b"secret of this machine")
    closed = HttpFetcher(NetworkPolicy())
    with pytest.raises(Refused, match="network"):
        closed.fetch(f"{there.url}/c", "*/*")
    assert there.asked == []
    rebinding = NetworkPolicy(resolver=lambda *_: [ipaddress.ip_address("169.254.169.254")])
    with pytest.raises(Refused, match="network"):
        HttpFetcher(rebinding).fetch("http://innocent.example/", "*/*")
    open_ = NetworkPolicy((ipaddress.ip_network("127.0.0.1/32"),))
    there.answers["/r"] = Answer(status=301, headers={"Location": "http://169.254.169.254/"})
    with pytest.raises(Refused, match="network"):
        HttpFetcher(open_).fetch(f"{there.url}/r", "*/*")


def test_time_and_size_have_an_end(there: Platform) -> None:
    near = NetworkPolicy((ipaddress.ip_network("127.0.0.1/32"),))
    there.answers["/large"] = Answer(b"x" * 100_001)
    with pytest.raises(Refused, match="more than 100000"):
        HttpFetcher(near, size=100_000).fetch(f"{there.url}/large", "*/*")
    gate = threading.Event()
    there.answers["/slow"] = Answer(gate=gate)
    with pytest.raises(Unavailable, match="in time"):
        HttpFetcher(near, seconds=0.3).fetch(f"{there.url}/slow", "*/*")
    gate.set()
    with dripping() as server, pytest.raises(Unavailable, match="in time"):
        HttpFetcher(near, seconds=0.2).fetch(server.url, "*/*")
    assert server.left
    there.answers["/zip"] = Answer(b"x", headers={"Content-Encoding": "gzip"})
    with pytest.raises(Refused, match="compressed"):
        HttpFetcher(near).fetch(f"{there.url}/zip", "*/*")
    there.answers["/loop"] = Answer(status=302, headers={"Location": "/loop"})
    with pytest.raises(Refused, match="from address to address"):
        HttpFetcher(near).fetch(f"{there.url}/loop", "*/*")


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"url": "file:///etc/passwd"}, {"url"}),
        ({"url": "http://10.0.0.1/", "hours": -1}, {"url", "hours"}),
        ({"url": "http://user:pw@127.0.0.1/c"}, {"url"}),
        ({"token": "a b"}, {"token"}),
        ({"token": "a\nX-Header: b"}, {"token"}),
        ({"title": Text("", "x" * 401)}, {"title.en", "title.zh"}),
    ],
)
def test_what_cannot_be_mounted(
    exchange: Exchange, changes: dict[str, object], fields: set[str]
) -> None:
    given: dict[str, object] = {
        "url": "http://127.0.0.1/c", "protocol": SourceProtocol.DCAT, "title": Text("P", "省"),
        **changes,
    }  # fmt: skip
    with pytest.raises(Invalid) as caught:
        exchange.cataloguing.harvesting.mount(AUTHOR, agency=CIVIL, **given)  # type: ignore[arg-type]
    assert {one.field for one in caught.value.problems} == fields


def test_who_may_mount_and_take_away(exchange: Exchange, there: Platform) -> None:
    harvesting = exchange.cataloguing.harvesting
    there.answers["/c"] = Answer(document(range(3)))
    with pytest.raises(NotFound):
        harvesting.mount(
            AUTHOR,
            agency=HOUSING,
            protocol=SourceProtocol.DCAT,
            url=f"{there.url}/c",
            title=Text("a", "b"),
        )
    source = mounted(exchange, f"{there.url}/c", token="t")
    with pytest.raises(Conflict, match="already"):
        mounted(exchange, f"{there.url}/c")
    with pytest.raises((NotFound, Forbidden)):
        harvesting.start(READER, source.id)
    assert harvesting.start_due() == 1
    [run] = harvesting.runs(AUTHOR, source.id, PageRequest()).items
    with pytest.raises(Conflict, match="a run reads it now"):
        harvesting.unmount(AUTHOR, source.id)
    exchange.cataloguing.reading.read(run.id)
    harvesting.end(run.id, None)
    assert len(shown(exchange)) == 3
    harvesting.unmount(AUTHOR, source.id)
    assert shown(exchange) == {}
    with pytest.raises(NotFound):
        harvesting.source(AUTHOR, source.id)
