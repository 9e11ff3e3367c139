"""What others offer: asked for over real HTTP, of a server that answers as it is told."""

import gzip
import html
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from foundation.kernel.actor import Actor
from foundation.kernel.addresses import NetworkPolicy, networks_of
from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from foundation.kernel.paging import PageRequest
from tests.conftest import SettableClock
from tests.harness.agreements import someone
from tests.harness.dataspace import GIVEN, LOOPBACK
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM, TAX
from tests.harness.serving import served
from workloads.data_exchange.agencies.model import Agency
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.dataspace import policies
from workloads.data_exchange.dataspace.documents import CONTEXT
from workloads.data_exchange.dataspace.elsewhere.model import Asked, Listed
from workloads.data_exchange.dataspace.elsewhere.service import Bounds, Elsewhere
from workloads.data_exchange.dataspace.model import Process
from workloads.data_exchange.dataspace.participants import TOKEN, digest
from workloads.data_exchange.dataspace.store import PostgresDataspace
from workloads.data_exchange.dataspace.wire import HttpWire
from workloads.data_exchange.entrypoints.app import create_app
from workloads.data_exchange.entrypoints.cli import exchange as program
from workloads.data_exchange.entrypoints.serve import parts

PEER = "urn:test:peer"
OFFICER, STEWARD = someone("officer", "officer", TAX), someone("steward", "steward", CIVIL)
JSON = "application/json"
#: Small, so that each is soon passed.
BOUNDS = Bounds(pages=4, page=40_000, whole=100_000, datasets=10, answer=0.4, seconds=2.0)


@dataclass
class Answer:
    """What the other side answers."""

    body: Any
    status: int = 200
    kind: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    drip: bool = False


@dataclass
class Peer:
    """The other side: what it answers by method and path, and what it was asked."""

    url: str = ""
    answers: dict[str, Answer | Callable[[str], Answer]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"{self.url}/dsp/2025-1"

    def catalogue(self, *datasets: Any, **more: Any) -> None:
        """Answer with these data sets, and with what else there is of an answer."""
        self.answers["POST /dsp/2025-1/catalog/request"] = Answer(catalog(*datasets), **more)

    def names(self) -> list[str]:
        return [name for name, _, _ in self.asked]


def catalog(*datasets: Any, **more: Any) -> dict[str, Any]:
    made = {
        "@context": [CONTEXT], "@type": "Catalog", "@id": "urn:c", "participantId": PEER,
        "service": [{"@id": "urn:s", "@type": "DataService", "endpointURL": "https://x.example"}],
    }  # fmt: skip
    return made | ({"dataset": list(datasets)} if datasets else {}) | more


def dataset(name: str, *offers: Any, service: Any = "urn:none", **more: Any) -> dict[str, Any]:
    return {
        "@id": name, "@type": "Dataset",
        "hasPolicy": list(offers) or [offer(f"offer-of-{name}")],
        "distribution": [
            {"@type": "Distribution", "format": "HttpData-PULL", "accessService": service}
        ],
        **more,
    }  # fmt: skip


def offer(name: str, **more: Any) -> dict[str, Any]:
    return {
        "@id": name, "@type": "Offer", "permission": policies.permission(GIVEN), **more,
    }  # fmt: skip


@pytest.fixture
def peer(exchange: Exchange, agencies: dict[str, Agency]) -> Iterator[Peer]:
    assert agencies
    made = Peer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            made.asked.append((f"{self.command} {self.path}", dict(self.headers), body))
            found = made.answers.get(f"{self.command} {self.path}", Answer({}, 404))
            answer = found if isinstance(found, Answer) else found(self.path)
            sent = answer.body if isinstance(answer.body, bytes) else _dumps(answer.body)
            self.send_response(answer.status)
            for name, value in {"Content-Type": answer.kind, **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            for n in range(len(sent) if answer.drip else 0):
                self.wfile.write(sent[n : n + 1])
                self.wfile.flush()
                time.sleep(0.05)
            self.wfile.write(b"" if answer.drip else sent)

        do_POST = do_GET  # noqa: N815 - the name in the base class

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                return

        def log_message(self, *_args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    wire = HttpWire(NetworkPolicy(networks_of(LOOPBACK, "test")))
    for part in (exchange.dataspacing.participants, exchange.dataspacing.elsewhere):
        part._wire = wire  # type: ignore[attr-defined] # noqa: SLF001 - the networks of the test
    exchange.dataspacing.elsewhere._bounds = BOUNDS  # noqa: SLF001 - as above
    exchange.dataspacing.participants.register(SYSTEM, PEER, agency=HOUSING, address=made.base)
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def _dumps(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.fixture
def elsewhere(exchange: Exchange) -> Elsewhere:
    return exchange.dataspacing.elsewhere


def names(elsewhere: Elsewhere, text: str = "") -> list[str]:
    page = elsewhere.datasets(OFFICER, PEER, PageRequest(), words=text)
    return [one.name for one in page.items]


def asked(elsewhere: Elsewhere) -> Asked:
    return elsewhere.ask(OFFICER, PEER)


def begun(exchange: Exchange, dataset: str, offer: str) -> Process:
    return exchange.dataspacing.dataspace.negotiate(
        OFFICER, agency=TAX, provider=PEER, dataset=dataset, offer=offer
    )


# --- asking, keeping, finding


def test_a_catalogue_is_asked_for_as_ourselves_and_kept(
    exchange: Exchange, peer: Peer, elsewhere: Elsewhere, clock: SettableClock
) -> None:
    title = [{"@value": "Roads", "@language": "en"}, {"@value": "道路", "@language": "zh"}]
    peer.catalogue(
        dataset("urn:d1", **{"dct:title": title, "dcat:keyword": ["traffic"]}),
        dataset("https://peer.example/d/2", offer("a"), offer("b")),
    )
    found = asked(elsewhere)
    assert (found.datasets, found.whole, found.remarks, found.base) == (2, True, (), peer.base)
    assert found.asked_at == clock.now()
    name, headers, body = peer.asked[-1]
    assert name == "POST /dsp/2025-1/catalog/request"
    assert json.loads(body) == {"@context": [CONTEXT], "@type": "CatalogRequestMessage"}
    told = exchange.keys.verify(headers["Authorization"].removeprefix("Bearer "), TOKEN).payload
    assert (told["aud"], told["body"]) == (PEER, digest(body))
    # Whoever tells the versions is told nothing of us.
    assert [h.get("Authorization") for n, h, _ in peer.asked if "well-known" in n] == [None] * 3
    first, second = elsewhere.datasets(OFFICER, PEER, PageRequest()).items
    assert (first.title.en, first.title.zh, first.keywords) == ("Roads", "道路", ("traffic",))
    assert [one.id for one in second.offers] == ["a", "b"]
    assert elsewhere.asked(OFFICER, PEER) == found
    for text, wanted in (("道路", 1), ("TRAFFIC roads", 1), ("traffic 2", 0), ("%", 0), ("d", 2)):
        assert len(names(elsewhere, text)) == wanted, text
    page = elsewhere.datasets(OFFICER, PEER, PageRequest(limit=1))
    assert elsewhere.datasets(OFFICER, PEER, PageRequest(page.next, 1)).items == (second,)
    # Asked again, what is gone is gone.
    peer.catalogue(dataset("urn:d3"))
    asked(elsewhere)
    assert names(elsewhere) == ["urn:d3"]


def test_a_filter_is_sent_as_it_is(peer: Peer, elsewhere: Elsewhere) -> None:
    peer.catalogue()
    elsewhere.ask(OFFICER, PEER, filter=[{"theme": "roads"}])
    assert json.loads(peer.asked[-1][2])["filter"] == [{"theme": "roads"}]
    for wrong in (["x" * 20_000], [2**70]):
        with pytest.raises(Invalid):
            elsewhere.ask(OFFICER, PEER, filter=wrong)


def test_pages_are_followed(peer: Peer, elsewhere: Elsewhere) -> None:
    start = "/dsp/2025-1/catalog/request"
    links = {
        start: '<?page=1>; title="a, b; rel=no"; rel="next"',
        f"{start}?page=1": f'<{peer.url}{start}>; rel=previous, <{start}?page=2>; REL="x NEXT"',
        f"{start}?page=2": f'<{start}?page=1>; rel="previous"',
    }
    for n, (path, link) in enumerate(links.items()):
        body = catalog(dataset(f"urn:d{n}"))
        peer.answers[f"POST {path}"] = Answer(body, headers={"Link": link})
    # Some take linked pages by GET alone.
    last = f"{start}?page=2"
    peer.answers[f"GET {last}"] = peer.answers.pop(f"POST {last}")
    peer.answers[f"POST {last}"] = Answer({}, 405)
    found = asked(elsewhere)
    assert (found.whole, found.remarks) == (True, ())
    assert names(elsewhere) == ["urn:d0", "urn:d1", "urn:d2"]


def test_one_data_set_is_asked_for(peer: Peer, elsewhere: Elsewhere) -> None:
    name = "https://peer.example/d/1?x=ü"
    path = "GET /dsp/2025-1/catalog/datasets/https:%2F%2Fpeer.example%2Fd%2F1%3Fx%3D%C3%BC"
    peer.answers[path] = Answer({"@context": [CONTEXT], **dataset(name, offer("new"))})
    found = elsewhere.ask_for(OFFICER, PEER, name)
    assert [one.id for one in found.offers] == ["new"]
    assert elsewhere.dataset(OFFICER, found.id) == found
    assert elsewhere.find(OFFICER, PEER, name) == found
    assert elsewhere.asked(OFFICER, PEER) is None
    with pytest.raises(Conflict, match=f"{PEER} gave nothing.*answered 404"):
        elsewhere.ask_for(OFFICER, PEER, "urn:gone")
    peer.answers["GET /dsp/2025-1/catalog/datasets/urn:other"] = peer.answers[path]
    with pytest.raises(Conflict, match="another data set"):
        elsewhere.ask_for(OFFICER, PEER, "urn:other")
    with pytest.raises(Invalid):
        elsewhere.ask_for(OFFICER, PEER, "")


def test_catalogues_inside_of_catalogues(peer: Peer, elsewhere: Elsewhere) -> None:
    inner = {
        "@type": "Catalog", "@id": "urn:inner", "dct:title": "Inner",
        "service": [{"@id": "urn:t", "@type": "DataService", "endpointURL": f"{peer.url}/other"}],
        "dataset": [dataset("urn:d2", service="urn:t")],
        "catalog": [{
            "@type": "Catalog", "@id": "urn:far", "participantId": "urn:test:far",
            "dataset": [dataset("urn:d3", service={"@id": "urn:t"})],
        }],
    }  # fmt: skip
    away = {"@id": "urn:u", "@type": "DataService", "endpointURL": "https://away.example"}
    empty = {"@type": "Catalog", "@id": "urn:away", "service": [away]}
    body = catalog(dataset("urn:d1"), catalog=[inner, empty, {"@type": "Catalog"}])
    peer.answers["POST /dsp/2025-1/catalog/request"] = Answer(body)
    found = asked(elsewhere)
    items = elsewhere.datasets(OFFICER, PEER, PageRequest()).items
    assert [(one.name, one.within, one.owner) for one in items] == [
        ("urn:d1", (), ""), ("urn:d2", ("Inner",), ""),
        ("urn:d3", ("Inner", "urn:far"), "urn:test:far"),
    ]  # fmt: skip
    assert [one.address for one in items] == [peer.base, f"{peer.url}/other", f"{peer.url}/other"]
    assert found.left_out == 1
    assert any("urn:away" in one and "https://away.example" in one for one in found.remarks)


# --- where the endpoints are


def versions(*entries: tuple[str, str], binding: str = "HTTPS") -> Answer:
    listed = [{"version": v, "path": p, "binding": binding} for v, p in entries]
    return Answer({"protocolVersions": listed})


FOUND: list[tuple[str, list[tuple[str, str]], str]] = [
    ("", [("2025-1", "/dsp/2025-1")], "/dsp/2025-1"),
    ("", [("2024-1", "/dsp"), ("2025-1", "/dsp/2025-1")], "/dsp/2025-1"),
    ("/dsp", [("2025-1", "/2025-1")], "/dsp/2025-1"),
    ("/dsp", [("2025-1", "/2025-1/b"), ("2025-1", "/2025-1")], "/dsp/2025-1"),
    ("/dsp", [("2025-1", "/2025-1/b")], "/dsp/2025-1/b"),
    ("", [("2025-1", "/elsewhere")], "/dsp/2025-1"),
    ("", [("2025-1", "@evil.example")], "/dsp/2025-1"),
    ("", [], "/dsp/2025-1"),
]


def test_where_its_endpoints_are(peer: Peer, elsewhere: Elsewhere) -> None:
    for where, told, base in FOUND:
        peer.answers.clear()
        peer.answers[f"GET {where}/.well-known/dspace-version"] = versions(*told)
        peer.answers[f"POST {base}/catalog/request"] = Answer(catalog(dataset("urn:d")))
        assert asked(elsewhere).base == f"{peer.url}{base}", told


def test_a_registered_root_leads_to_a_base(
    exchange: Exchange, peer: Peer, elsewhere: Elsewhere
) -> None:
    exchange.dataspacing.participants.register(SYSTEM, PEER, agency=HOUSING, address=peer.url)
    peer.answers["GET /.well-known/dspace-version"] = versions(("2025-1", "/dsp/2025-1"))
    peer.catalogue(dataset("urn:d"))
    assert asked(elsewhere).base == peer.base
    assert begun(exchange, "urn:d", "offer-of-urn:d").callback == peer.base


REFUSED: list[tuple[Answer, str]] = [
    (versions(("2024-1", "/dsp/2025-1")), "does not speak version 2025-1.*names 2024-1"),
    (versions(("2025-1", "/dsp/2025-1"), binding="GRPC"), "does not speak version 2025-1"),
    (versions(("2025-1", "/dsp/2025-1/a"), ("2025-1", "/dsp/2025-1/b")), "register one"),
]


def test_who_does_not_speak_our_version_is_asked_no_more(peer: Peer, elsewhere: Elsewhere) -> None:
    for told, why in REFUSED:
        peer.answers["GET /.well-known/dspace-version"] = told
        with pytest.raises(Conflict, match=why):
            asked(elsewhere)
    assert not [name for name in peer.names() if name.startswith("POST")]


def test_what_is_no_list_of_versions_is_passed_over(peer: Peer, elsewhere: Elsewhere) -> None:
    peer.catalogue(dataset("urn:d"))
    for body in (b"<html>", b"[]", b'{"protocolVersions": {}}', b"[" * 9000):
        peer.answers["GET /.well-known/dspace-version"] = Answer(body)
        assert asked(elsewhere).base == peer.base


# --- what hostile and broken servers answer


BAD: dict[str, tuple[Answer, str]] = {
    "another content type": (Answer(catalog(), kind="text/html"), "text/html, which is not JSON"),
    "no content type": (Answer(catalog(), kind=""), "which is not JSON"),
    "no JSON": (Answer(b"{"), "not JSON"),
    "a bomb": (Answer(b"[" * 30_000), "not JSON"),
    "a name twice": (Answer(b'{"@id":1,"@id":2}'), "twice"),
    "no context": (Answer({"@type": "Catalog"}), "@context"),
    "an older context": (
        Answer({**catalog(), "@context": ["https://w3id.org/dspace/2024/1/context.json"]}),
        "@context",
    ),
    "another type": (Answer({**catalog(), "@type": "Dataset"}), "@type must be Catalog"),
    "no participant": (
        Answer({k: v for k, v in catalog().items() if k != "participantId"}), "does not fit",
    ),
    "a wrong service": (Answer(catalog(service=[{"@id": "x"}])), "does not fit"),
    "huge": (Answer(b'{"a":"' + b"x" * 50_000 + b'"}'), "more than 40000 bytes"),
    "unpacked huge": (
        Answer(gzip.compress(b" " * 5_000_000), headers={"Content-Encoding": "gzip"}),
        "more than 40000 bytes",
    ),
    "no gzip": (Answer(catalog(), headers={"Content-Encoding": "gzip"}), "cannot be unpacked"),
    "another encoding": (Answer(catalog(), headers={"Content-Encoding": "br"}), "encoding br"),
    "a redirect": (
        Answer({}, 307, headers={"Location": "http://127.0.0.1:1/"}), "answered 307",
    ),
    "an error": (
        Answer({"@context": [CONTEXT], "@type": "CatalogError", "code": "nope",
                "reason": ["not\x00 for you", {"@value": "at all", "@language": "en"}]}, 403),
        "answered 403: nope, not for you",
    ),
    "an error as an answer": (
        Answer({"@context": [CONTEXT], "@type": "CatalogError", "code": "odd"}),
        "answered with an error: odd",
    ),
}  # fmt: skip


def test_what_is_no_catalogue_is_told_and_changes_nothing(peer: Peer, elsewhere: Elsewhere) -> None:
    peer.catalogue(dataset("urn:kept"))
    asked(elsewhere)
    for name, (answer, why) in BAD.items():
        peer.answers["POST /dsp/2025-1/catalog/request"] = answer
        with pytest.raises(Conflict) as told:
            asked(elsewhere)
        assert re.search(f"^{PEER} .*{why}", told.value.message), name
        assert names(elsewhere) == ["urn:kept"], name


def test_what_is_packed_is_taken(peer: Peer, elsewhere: Elsewhere) -> None:
    packed = gzip.compress(_dumps(catalog(dataset("urn:d"))))
    peer.answers["POST /dsp/2025-1/catalog/request"] = Answer(
        packed, headers={"Content-Encoding": "GZIP"}
    )
    assert asked(elsewhere).datasets == 1


def test_who_does_not_answer_may_be_asked_later(
    exchange: Exchange, peer: Peer, elsewhere: Elsewhere
) -> None:
    for name in ("dripping", "busy", "gone"):
        peer.catalogue(drip=name == "dripping", status=503 if name == "busy" else 200)
        if name == "gone":
            exchange.dataspacing.participants.register(
                SYSTEM, PEER, agency=HOUSING, address="http://127.0.0.1:9"
            )
        with pytest.raises(Unavailable, match=f"^{PEER} cannot be asked at present"):
            asked(elsewhere)
    assert elsewhere.asked(OFFICER, PEER) is None


def test_our_token_is_shown_to_nobody(peer: Peer, elsewhere: Elsewhere) -> None:
    def echo(_path: str) -> Answer:
        shown = peer.asked[-1][1]["Authorization"].removeprefix("Bearer ")
        return Answer(
            {"@context": [CONTEXT], "@type": "CatalogError", "code": "x", "reason": [shown[:280]]},
            401,
        )

    peer.answers["POST /dsp/2025-1/catalog/request"] = echo
    with pytest.raises(Conflict) as told:
        asked(elsewhere)
    token = peer.asked[-1][1]["Authorization"].removeprefix("Bearer ")
    assert token[:40] not in str(told.value)


def test_pages_have_an_end(peer: Peer, elsewhere: Elsewhere) -> None:
    def endless(path: str) -> Answer:
        n = int(path.rpartition("=")[2]) if "=" in path else 0
        found = catalog(dataset(f"urn:d{n}"))
        link = f"<?n={n + 1}>; rel=next"
        peer.answers[f"POST /dsp/2025-1/catalog/request?n={n + 1}"] = endless
        return Answer(found, headers={"Link": link})

    start = "POST /dsp/2025-1/catalog/request"
    peer.answers[start] = endless
    found = asked(elsewhere)
    assert (found.whole, found.datasets) == (False, BOUNDS.pages)
    assert "only the first 4 pages were read" in found.remarks
    for link, why in (
        ("<#top>; rel=next", "back to one"),
        ("<http://127.0.0.1:1/x>; rel=next", "elsewhere than on the registered host"),
        ("<https://evil.example/>; rel=next", "elsewhere than on the registered host"),
        ("<//evil.example/>; rel=next", "elsewhere than on the registered host"),
        ("<http://[/>; rel=next", "elsewhere than on the registered host"),
    ):
        peer.catalogue(dataset("urn:d"), headers={"Link": link})
        found = asked(elsewhere)
        assert not found.whole, link
        assert why in "".join(found.remarks), link
    peer.catalogue(*(dataset(f"urn:d{n}") for n in range(19)), headers={"Link": "<?m>; rel=next"})
    found = asked(elsewhere)
    assert (found.datasets, found.whole) == (BOUNDS.datasets, False)
    # A catalogue of nothing but rubbish does not keep us busy either, with a page or with none.
    peer.catalogue(*({} for _ in range(999)))
    found = asked(elsewhere)
    assert (found.left_out, found.whole) == (BOUNDS.datasets, False)


def test_what_does_not_fit_is_left_out_and_named(peer: Peer, elsewhere: Elsewhere) -> None:
    good = dataset("urn:good", offer("own", target="urn:good"))
    elsewhere._bounds = replace(BOUNDS, datasets=50)  # noqa: SLF001 - more than there are
    peer.catalogue(
        good, dataset("urn:other", offer("o", target="urn:good")),
        dataset("urn:none", hasPolicy=[]), dataset("urn:nul\x00"), dataset("x" * 501),
        dataset("urn:half\ud800"), dataset("urn:number", size=2**80),
        dataset("urn:ways", distribution=[]), "urn:text", {**good, "hasPolicy": [{"@id": "o"}]},
        good, dataset("urn:right"),
    )  # fmt: skip
    found = asked(elsewhere)
    assert names(elsewhere) == ["urn:good", "urn:right"]
    assert found.left_out == 9
    assert found.whole
    assert any("urn:other was left out: hasPolicy/0 does not fit" in one for one in found.remarks)
    assert any("names the data set urn:good twice" in one for one in found.remarks)
    kept = elsewhere.find(OFFICER, PEER, "urn:good")
    assert "target" not in kept.offers[0].policy


def test_whose_catalogue_it_says_it_is(peer: Peer, elsewhere: Elsewhere) -> None:
    peer.answers["POST /dsp/2025-1/catalog/request"] = Answer(
        catalog(dataset("urn:d"), participantId="urn:someone")
    )
    assert asked(elsewhere).remarks == ("the catalogue says that it is of urn:someone",)
    assert elsewhere.find(OFFICER, PEER, "urn:d").owner == ""


def test_only_so_many_are_asked_at_once(peer: Peer, elsewhere: Elsewhere) -> None:
    peer.catalogue()
    held = [elsewhere._places.acquire(blocking=False) for _ in range(4)]  # noqa: SLF001
    assert held == [True] * 4
    with pytest.raises(Unavailable, match="several participants"):
        asked(elsewhere)
    elsewhere._places.release()  # noqa: SLF001
    asked(elsewhere)


def test_who_may(peer: Peer, elsewhere: Elsewhere) -> None:
    peer.catalogue(dataset("urn:d"))
    with pytest.raises(Forbidden):
        elsewhere.ask(STEWARD, PEER)
    assert peer.asked == []
    asked(elsewhere)
    assert elsewhere.find(STEWARD, PEER, "urn:d").name == "urn:d"
    with pytest.raises(NotFound):
        elsewhere.ask(OFFICER, "urn:nobody")
    with pytest.raises(NotFound):
        elsewhere.find(OFFICER, PEER, "urn:none\ud800")


# --- what begins with it


def kept(elsewhere: Elsewhere, name: str) -> Listed:
    return elsewhere.find(OFFICER, PEER, name)


def test_a_negotiation_begins_with_the_offer_as_it_was_read(
    exchange: Exchange, peer: Peer, elsewhere: Elsewhere
) -> None:
    duty = {"obligation": [{"action": "anonymize"}]}
    named = {"@id": "urn:s", "@type": "DataService", "endpointURL": f"{peer.url}/other/"}
    far = {**named, "endpointURL": "https://far.example/dsp"}
    peer.catalogue(
        dataset("urn:d1", offer("o1", **duty), service=named), dataset("urn:d2", service=far)
    )
    asked(elsewhere)
    made = begun(exchange, "urn:d1", "o1")
    rules = kept(elsewhere, "urn:d1").offers[0].rules()
    assert made.policy == {"@type": "Offer", "@id": "o1", "target": "urn:d1", **rules}
    assert made.policy["obligation"] == duty["obligation"]
    assert made.callback == f"{peer.url}/other"
    # Messages go to no other host than the registered one, whatever a catalogue says.
    assert begun(exchange, "urn:d2", "offer-of-urn:d2").callback == peer.base
    # What was agreed on there is handed out there.
    store, database = PostgresDataspace(exchange.base.database), exchange.base.database
    with database.transaction():
        store.update(replace(made, agreement="agreement-1"))
    transfer = exchange.dataspacing.dataspace.transfer(
        OFFICER, agency=TAX, provider=PEER, agreement="agreement-1"
    )
    assert transfer.callback == f"{peer.url}/other"
    # What nobody read is asked for by its name alone.
    assert begun(exchange, "urn:d1", "o9").policy["permission"] == [{"action": "use"}]
    # It moved, and was not asked since.
    participants = exchange.dataspacing.participants
    participants.register(SYSTEM, PEER, agency=HOUSING, address="http://127.0.0.1:9/new")
    assert begun(exchange, "urn:d1", "o1").callback == "http://127.0.0.1:9/new"


def test_what_is_another_participants_is_not_asked_of_this_one(
    exchange: Exchange, peer: Peer, elsewhere: Elsewhere
) -> None:
    theirs = dataset("urn:d", offer("o", prohibition=[{"action": "sell"}]))
    inner = {
        "@type": "Catalog", "@id": "urn:i", "participantId": "urn:far", "dataset": [theirs],
    }  # fmt: skip
    peer.answers["POST /dsp/2025-1/catalog/request"] = Answer(catalog(catalog=[inner]))
    asked(elsewhere)
    assert "prohibition" not in begun(exchange, "urn:d", "o").policy


# --- surfaces


@pytest.fixture
def client(exchange: Exchange) -> FlaskClient:
    return create_app(parts(exchange), exchange.settings).test_client()


def headers(exchange: Exchange, role: str, path: str) -> dict[str, str]:
    person = exchange.people.create_person(
        SYSTEM, login=f"a-{role}", name=role, path=path, password="a long enough phrase"
    )
    exchange.people.grant(SYSTEM, principal_id=person.id, role=f"exchange_{role}", path=path)
    actor = Actor(person.id, person.name, person.kind)
    return {"Authorization": f"Bearer {exchange.base.gate.create_token(actor, name='t')[1]}"}


def test_the_pages(
    exchange: Exchange, peer: Peer, client: FlaskClient, agencies: dict[str, Agency]
) -> None:
    officer, steward = headers(exchange, "officer", TAX), headers(exchange, "steward", CIVIL)
    at = f"/dataspace/participants/{exchange.agencies.agency(SYSTEM, HOUSING).id}"
    assert agencies
    assert at in client.get("/dataspace/participants", headers=officer).text
    peer.answers["POST /dsp/2025-1/catalog/request"] = Answer({}, 403)
    refused = client.post(f"{at}/ask", headers=officer)
    assert (refused.status_code, "answered 403" in refused.text) == (409, True)
    assert client.post(f"{at}/ask", headers=steward).status_code == 403
    odd = offer("odd", prohibition=[{"action": "sell"}])
    peer.catalogue(
        dataset("urn:d1", offer("o1"), odd, **{"dct:title": "Roads <b>"}), dataset("urn:bad", 1)
    )
    assert client.post(f"{at}/ask", headers=officer).status_code == 303
    shown = client.get(f"{at}?q=roads", headers=officer).text
    assert "Roads &lt;b&gt;" in shown
    assert "was left out" in shown
    assert "被略去" in client.get(at, headers={**officer, "Accept-Language": "zh"}).text
    id_ = exchange.dataspacing.elsewhere.find(OFFICER, PEER, "urn:d1").id
    page = client.get(f"/dataspace/datasets/{id_}", headers=officer).text
    for text in ("For at most 30 days.", "You may not “sell”.", "not understood here"):
        assert text in page, text
    assert "Ask for offer 1" not in client.get(f"/dataspace/datasets/{id_}", headers=steward).text
    for sent, status in (
        ({"offer": "no", "agency": TAX}, 409), ({"offer": "o1", "agency": CIVIL}, 404),
        ({"offer": "o1", "agency": TAX}, 303),
    ):  # fmt: skip
        there = client.post(f"/dataspace/datasets/{id_}/negotiations", data=sent, headers=officer)
        assert there.status_code == status, sent
    assert there.headers["Location"].startswith("/dataspace/dsn_")
    assert client.post(f"/dataspace/datasets/{id_}/ask", headers=officer).status_code == 409
    # Who copies the command runs nothing that a stranger put into a name.
    peer.catalogue(dataset("urn:d; rm -r ~"))
    client.post(f"{at}/ask", headers=officer)
    id_ = exchange.dataspacing.elsewhere.find(OFFICER, PEER, "urn:d; rm -r ~").id
    page = html.unescape(client.get(f"/dataspace/datasets/{id_}", headers=officer).text)
    assert f"dataspace dataset {PEER} 'urn:d; rm -r ~'" in page
    assert client.get("/dataspace/datasets/dsd_none", headers=officer).status_code == 404
    nobody = exchange.agencies.agency(SYSTEM, CIVIL).id
    assert client.get(f"/dataspace/participants/{nobody}", headers=officer).status_code == 404


def test_the_command_line(
    exchange: Exchange, peer: Peer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token = headers(exchange, "officer", TAX)["Authorization"].removeprefix("Bearer ")
    monkeypatch.setenv("BOROUGH_EXCHANGE_TOKEN", token)
    monkeypatch.setenv("BOROUGH_EXCHANGE_CONFIG", str(tmp_path / "config"))
    file = tmp_path / "filter.json"
    file.write_text('[{"theme": "roads"}]')
    peer.catalogue(dataset("urn:d1", offer("o1"), **{"dct:title": "Roads"}), "bad")
    with served(create_app(parts(exchange), exchange.settings)) as url:

        def run(*words: str) -> Any:
            return CliRunner().invoke(program, ["dataspace", *words, "--url", url])

        done = run("ask", PEER, "--filter", str(file))
        assert done.exit_code == 0, done.output
        assert "was left out" in done.output
        assert json.loads(peer.asked[-1][2])["filter"] == [{"theme": "roads"}]
        assert "urn:d1" in run("catalogue", PEER, "--words", "roads").output
        assert "urn:d1" not in run("catalogue", PEER, "--words", "rivers").output
        said = run("dataset", PEER, "urn:d1", "--lang", "zh").output
        assert "最长 30 天。" in said
        assert json.loads(run("dataset", PEER, "urn:d1", "-o", "json").output)["item"]["offers"]
        made = run("negotiate", "--agency", TAX, "--provider", PEER, "--dataset", "urn:d1",
                   "--offer", "o1", "-o", "json")  # fmt: skip
        assert json.loads(made.output)["policy"]["permission"] == policies.permission(GIVEN)
        gone = run("ask", PEER, "--dataset", "urn:gone")
        assert gone.exit_code == 5
        assert "answered 404" in gone.output
        assert run("catalogue", "urn:nobody").exit_code == 3
