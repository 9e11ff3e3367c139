"""The chapter on data: one bureau publishes, another asks, both sign, a call passes and is proven.

The region is simulated, the service is not: its gateway asks a provider that this chapter serves on
loopback, with invented records, and its receipt is verified here, off-line.
"""

import contextlib
import http.server
import json
import secrets
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any

import urllib3

from control_plane.demonstration.model import ExchangeStory, StoryAgency
from control_plane.entrypoints.demo.cast import Cast, Stage
from control_plane.entrypoints.demo.narrator import Narrator, StoryFailedError
from control_plane.entrypoints.demo.workload import WorkloadChapter
from foundation.adapters.clock import SystemClock
from foundation.kernel.time import format_instant
from foundation.surface.cli.client import Client
from workloads.data_exchange.keys.model import POSSESSION
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import PrivateKey
from workloads.data_exchange.proofs.requests import prove
from workloads.data_exchange.receipts.verify import verify

_GATEWAY_SECONDS = 60.0
_PURPOSE = "dpv:ServiceProvision"
#: Invented households; the second one gets no help, so nothing of it is handed out.
_RECORDS = [
    {"id": "H-1001", "name": "Zhou Example", "phone": "000-0001", "assistance": True, "members": 3},
    {"id": "H-1002", "name": "Lin Example", "phone": "000-0002", "assistance": False, "members": 2},
]
_ELEMENTS = (
    ("id", "Number", "编号", "string", "internal", "omit"),
    ("name", "Name", "姓名", "string", "personal", "partial"),
    ("phone", "Telephone", "电话", "string", "personal", "omit"),
    ("assistance", "Gets assistance", "享受低保", "boolean", "personal", "omit"),
    ("members", "Members", "家庭人数", "integer", "internal", "omit"),
)


def play(stage: Stage, narrator: Narrator, cast: Cast) -> None:
    """Play the chapter.

    Raises:
        StoryFailedError: a result is not what it must be.
        Failure: the platform or the service refused something.
    """
    if stage.city.story is None or stage.city.story.exchange is None:
        raise StoryFailedError("this city has no story about data")
    _Exchange(stage, narrator, cast, stage.city.story.exchange).run()


@dataclass(frozen=True, slots=True)
class _Call:
    """What a call needs.

    Attributes:
        target: path and query at the gateway.
        key: the consumer's.
        grant: the token.
    """

    target: str
    key: PrivateKey
    grant: str


class _Exchange(WorkloadChapter):
    def __init__(self, stage: Stage, narrator: Narrator, cast: Cast, story: ExchangeStory) -> None:
        super().__init__(stage, narrator, cast, "Data", story.order, story.meter)
        self._story = story
        self._http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(total=30))

    def run(self) -> None:
        service = self.ordered()
        exchange = self.begun(service, "admin")
        gateway = str(service["outputs"]["gateway_url"]).rstrip("/")
        people = self._people(exchange)
        with _provider() as endpoint:
            dataset, interface = self._published(people, endpoint)
            agreement = self._agreed(people, dataset, interface)
            self._used(people, gateway, agreement, interface)
        self.charged(service, "calls")

    # --- who ------------------------------------------------------------------------------------

    def _people(self, exchange: Client) -> dict[str, Client]:
        """Agencies and their people, each signed in: nobody answers for two sides."""
        with self._say.chapter("Data: two bureaus, their people and their keys"):
            exchange.post("/agencies", _agency("/", StoryAgency("city", self._stage.city.name)))
            for one in (self._story.provider, self._story.consumer):
                exchange.post("/agencies", _agency("/city/", one))
                exchange.post("/keys", {"agency": f"/city/{one.slug}/"})
            wanted = {
                "steward": ("steward", self._story.provider.slug),
                "second": ("steward", self._story.provider.slug),
                "approver": ("reviewer", self._story.provider.slug),
                "officer": ("officer", self._story.consumer.slug),
                "signer": ("steward", self._story.consumer.slug),
                "reviewer": ("reviewer", ""),
            }
            found = {"administrator": exchange}
            for name, (role, slug) in wanted.items():
                found[name] = self._person(
                    exchange, name, role, f"/city/{slug}/" if slug else "/city/"
                )
            self._say.tell(f"{len(wanted)} people, each with one role on one agency")
            return found

    def _person(self, exchange: Client, login: str, role: str, path: str) -> Client:
        password = secrets.token_urlsafe(18)
        made = exchange.post(
            "/people", {"login": login, "name": login.title(), "path": path, "password": password}
        )
        exchange.post(
            "/grants", {"principal_id": made["id"], "role": f"exchange_{role}", "path": path}
        )
        token = Client(exchange.url).post(
            "/login", {"login": login, "password": password, "days": 1}
        )
        return Client(exchange.url, token["secret"])

    # --- publish, ask, agree ----------------------------------------------------------------------

    def _published(self, people: Mapping[str, Client], endpoint: str) -> tuple[str, str]:
        path = f"/city/{self._story.provider.slug}/"
        with self._say.chapter("Data: a bureau publishes what it holds, and how it is called"):
            dataset = self._entry(people, "dataset", path, _dataset())
            interface = self._entry(people, "service", path, _service(endpoint, dataset))
            found = people["officer"].get("/directory", q="低保")["items"]
            self._say.check("found by another bureau", [one["id"] for one in found], [dataset])
            return dataset, interface

    def _entry(
        self, people: Mapping[str, Client], kind: str, path: str, body: dict[str, Any]
    ) -> str:
        made = people["steward"].post("/entries", {"kind": kind, "agency": path, "body": body})
        people["steward"].post(f"/entries/{made['id']}/submit")
        shown = people["approver"].post(f"/entries/{made['id']}/approve", {})
        self._say.check(f"{kind} {made['id']}", shown["state"], "published")
        return str(made["id"])

    def _agreed(self, people: Mapping[str, Client], dataset: str, interface: str) -> str:
        now = self._stage.now.astimezone(UTC)
        ask = {
            "purposes": [_PURPOSE],
            "fields": [{"name": "id", "whole": True}, {"name": "name"},
                       {"name": "members", "whole": True}],
            "rows": [{"name": "assistance", "operator": "eq", "values": [True]}],
            "limits": {"calls": 100},
            "begins": format_instant(now - timedelta(minutes=5)),
            "ends": format_instant(now + timedelta(days=30)),
        }  # fmt: skip
        with self._say.chapter("Data: another bureau asks, is reviewed, and both sign"):
            asked = people["officer"].post(
                "/requests",
                {
                    "consumer": f"/city/{self._story.consumer.slug}/", "dataset": dataset,
                    "service": interface, "ask": ask,
                    "legal_basis": "Measures for social assistance, article 20",
                    "justification": "Housing support for those who get assistance",
                },
            )  # fmt: skip
            at = f"/requests/{asked['id']}"
            people["reviewer"].post(f"{at}/review", {"act": "pass"})
            decided = people["steward"].post(f"{at}/decision", {"act": "approve"})
            agreement = str(decided["agreement"])
            people["second"].post(
                f"/agreements/{agreement}/signatures",
                {"party": "provider", "digest": self._digest(people["second"], agreement)},
            )
            signed = people["signer"].post(
                f"/agreements/{agreement}/signatures",
                {"party": "consumer", "digest": self._digest(people["signer"], agreement)},
            )
            self._say.check(f"agreement {agreement}", signed["state"], "in_force")
            return agreement

    def _digest(self, client: Client, agreement: str) -> str:
        versions = client.get(f"/agreements/{agreement}/versions")["items"]
        return str(versions[-1]["digest"])

    # --- use, prove -----------------------------------------------------------------------------

    def _used(
        self, people: Mapping[str, Client], gateway: str, agreement: str, interface: str
    ) -> None:
        with self._say.chapter("Data: a call passes the gateway, and its receipt is verified"):
            key = self._registered(people["administrator"])
            grant = people["officer"].post(
                f"/agreements/{agreement}/grants", {"kid": key.kid, "seconds": 600}
            )["token"]
            call = _Call(f"/services/{interface}/households", key, grant)
            status, told = self.until(
                "the gateway answers", _GATEWAY_SECONDS, lambda: self._passed(gateway, call)
            )
            expected = {
                "records": [{"id": "H-1001", "name": told["records"][0]["name"], "members": 3}]
            }
            self._say.check("fields and rows as agreed", (status, told), (200, expected))
            masked = told["records"][0]["name"]
            self._say.check_that(f"the name is masked: {masked}", "*" in masked)
            refused, problem = self._call(gateway, call, purpose="dpv:Marketing")
            self._say.check("another purpose", (refused, problem["code"]), (403, "purpose"))
            bundle = self._bundle(people["administrator"], agreement)
            report = verify(bundle, people["administrator"].get("/jwks")["keys"])
            self._say.check(
                "receipts that hold, off-line", (report.holds, report.receipts), (True, 2)
            )
            broken = [
                line.replace(b"H-", b"X-").replace(b'"status":200', b'"status":201')
                for line in bundle
            ]
            self._say.check_that("a changed receipt is found", not verify(broken).holds)

    def _registered(self, administrator: Client) -> PrivateKey:
        """A key of the consumer's own machine; its private half never leaves this process."""
        path, key = f"/city/{self._story.consumer.slug}/", PrivateKey.generate()
        agency = administrator.get("/agencies", limit=200)["items"]
        (mine,) = [one["id"] for one in agency if one["path"] == path]
        told = {"agency": mine, "kid": key.kid}
        possession = jws.sign(told, key, POSSESSION)
        administrator.post(
            "/keys", {"agency": mine, "jwk": key.public.jwk(), "possession": possession}
        )
        return key

    def _passed(self, gateway: str, call: _Call) -> tuple[int, dict[str, Any]] | None:
        try:
            status, told = self._call(gateway, call)
        except urllib3.exceptions.HTTPError:
            return None
        return (status, told) if status == 200 else None  # noqa: PLR2004 - it may just begin

    def _call(
        self, gateway: str, call: _Call, purpose: str = _PURPOSE
    ) -> tuple[int, dict[str, Any]]:
        proof = prove(
            call.key, method="GET", url=f"{gateway}{call.target}", target=call.target,
            grant=call.grant, at=SystemClock().now(), nonce=secrets.token_urlsafe(16),
            purpose=purpose,
        )  # fmt: skip
        answer = self._http.request(
            "GET", f"{gateway}{call.target}",
            headers={"Authorization": f"DPoP {call.grant}", "DPoP": proof},
        )  # fmt: skip
        return answer.status, json.loads(answer.data)

    def _bundle(self, client: Client, agreement: str) -> list[bytes]:
        """The receipts of an agreement, as a file that proves itself."""
        data = client.download("/receipts/export", agreement=agreement)
        return data.splitlines(keepends=True)


def _agency(parent: str, one: StoryAgency) -> dict[str, Any]:
    return {"parent": parent, "slug": one.slug, "name": one.name.as_json(), "level": "municipal"}


def _dataset() -> dict[str, Any]:
    return {
        "title": {"en": "Households that get assistance", "zh": "低保家庭"},
        "description": {
            "en": "Households, and whether they get the minimum living allowance (invented).",
            "zh": "家庭及其是否享受最低生活保障（虚构数据）。",
        },
        "themes": ["SOCI"], "frequency": "DAILY", "keywords": ["低保", "assistance"],
        "legal_basis": "Measures for social assistance",
        "elements": [
            {
                "name": name, "pointer": f"/{name}", "title": {"en": en, "zh": zh},
                "schema": {"type": kind}, "sensitivity": sensitivity, "masking": masking,
            }
            for name, en, zh, kind, sensitivity, masking in _ELEMENTS
        ],
        "contact": {"name": "Data office", "email": "data@city.example"},
    }  # fmt: skip


def _service(endpoint: str, dataset: str) -> dict[str, Any]:
    return {
        "title": {"en": "Households by number", "zh": "家庭查询接口"},
        "description": {"en": "Asks the register of households.", "zh": "查询家庭登记信息。"},
        "themes": ["SOCI"],
        "serves": [dataset],
        "interface": {"endpoint": endpoint, "paths": ["/households"], "records": "/records"},
        "contact": {"name": "Data office", "email": "data@city.example"},
    }


@contextlib.contextmanager
def _provider() -> Iterator[str]:
    """A register of invented households on loopback; its address."""
    body = json.dumps({"records": _RECORDS}).encode()

    class Register(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Register)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
