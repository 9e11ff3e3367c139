"""The chapter on data: one bureau publishes, another asks, both sign, a call passes and is proven.

The region is simulated, the service is not: its gateway asks a provider that this chapter serves on
loopback, with invented records, and its receipt is verified here, off-line.
"""

import contextlib
import http.server
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from control_plane.demonstration.model import ExchangeStory, StoryAgency
from control_plane.entrypoints.demo import checked
from control_plane.entrypoints.demo.cast import Cast, Stage
from control_plane.entrypoints.demo.narrator import Narrator, StoryFailedError
from control_plane.entrypoints.demo.workload import WorkloadChapter
from foundation.kernel.files import own_file
from foundation.kernel.time import format_instant
from foundation.surface.cli.client import Client

_GATEWAY_SECONDS = 60.0
_PROGRAM = "workloads.data_exchange.entrypoints.cli"
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
_PURPOSE = "dpv:ServiceProvision"
#: What checks are billed as.
_CHECKS = "exchange.checks"
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


class _Exchange(WorkloadChapter):
    def __init__(self, stage: Stage, narrator: Narrator, cast: Cast, story: ExchangeStory) -> None:
        super().__init__(stage, narrator, cast, "Data", story.order, story.meter)
        self._story = story

    def run(self) -> None:
        service = self.ordered()
        exchange = self.begun(service, "admin")
        gateway = str(service["outputs"]["gateway_url"]).rstrip("/")
        people = self._people(exchange)
        with _provider() as endpoint:
            dataset, interface = self._published(people, endpoint)
            agreement = self._agreed(people, dataset, interface, _ask(self._stage.now))
            self._used(people, gateway, agreement, interface)
        checked.play(self._say, people, self._parts(people))
        self.charged(service, "calls", {"checks": _CHECKS})

    def _parts(self, people: Mapping[str, Client]) -> checked.Parts:
        def connect(name: str, dataset: dict[str, Any], called: dict[str, Any], ask: Any) -> None:  # noqa: ANN401 - JSON
            """Publish a registry, agree on it, and let it answer the questions of its name."""
            provider = f"/city/{self._story.provider.slug}/"
            held = self._entry(people, "dataset", provider, dataset)
            service = self._entry(people, "service", provider, {**called, "serves": [held]})
            self._agreed(people, held, service, ask)
            people["administrator"].post(
                "/scenarios/connections", {"name": name, "service": service, "path": f"/{name}"}
            )

        return checked.Parts(connect, f"/city/{self._story.consumer.slug}/", self.until, _PROGRAM)

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

    def _agreed(
        self, people: Mapping[str, Client], dataset: str, interface: str, ask: dict[str, Any]
    ) -> str:
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
            people["signer"].post(
                f"/agreements/{agreement}/signatures",
                {"party": "consumer", "digest": self._digest(people["signer"], agreement)},
            )
            state = people["signer"].get(f"/agreements/{agreement}")["state"]
            self._say.check(f"agreement {agreement}", state, "in_force")
            return agreement

    def _digest(self, client: Client, agreement: str) -> str:
        versions = client.get(f"/agreements/{agreement}/versions")["items"]
        return str(versions[-1]["digest"])

    # --- use, prove -----------------------------------------------------------------------------

    def _used(
        self, people: Mapping[str, Client], gateway: str, agreement: str, interface: str
    ) -> None:
        url = f"{gateway}/services/{interface}/households"
        title = "Data: a call passes the gateway, and its receipt is verified"
        with self._say.chapter(title), tempfile.TemporaryDirectory(prefix="borough-demo-") as name:
            mine = _Machine(Path(name), people["administrator"], people["officer"])
            mine.register(f"/city/{self._story.consumer.slug}/")
            mine.get_grant(agreement)
            answer = self.until(
                "the gateway answers", _GATEWAY_SECONDS, lambda: mine.call(url, _PURPOSE)
            )
            records = json.loads(answer)["records"]
            self._say.check(
                "households that get assistance", [r["id"] for r in records], ["H-1001"]
            )
            (record,) = records
            self._say.check("fields that were agreed on", sorted(record), ["id", "members", "name"])
            self._say.check_that(f"the name is masked: {record['name']}", "*" in record["name"])
            self._say.check("a call for another purpose", mine.call(url, "dpv:Marketing"), None)
            held, told = mine.verify(agreement)
            self._say.check_that(f"off-line: {told}", held)
            self._say.check("with one letter of a receipt changed it holds", mine.spoilt(), False)


class _Machine:
    """The consumer's machine: it knows a key of its own and speaks by `borough-exchange`.

    Args:
        folder: where it keeps its key, its grant and the receipts.
        administrator: signed in, registers its key.
        officer: signed in, gets its grant.
    """

    def __init__(self, folder: Path, administrator: Client, officer: Client) -> None:
        self._folder = folder
        self._administrator = administrator
        self._officer = officer
        self._run(None, "key", "make", "key.json")

    def _run(self, who: Client | None, *words: str) -> "subprocess.CompletedProcess[str]":
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        if who is not None:
            environment["BOROUGH_EXCHANGE_URL"] = who.url
            environment["BOROUGH_EXCHANGE_TOKEN"] = who.token
        return subprocess.run(  # noqa: S603 - our own program, with words of this chapter
            [sys.executable, "-m", _PROGRAM, *words], cwd=self._folder, capture_output=True,
            text=True, check=False, timeout=120, env={**environment, "HOME": str(self._folder)},
        )  # fmt: skip

    def _done(self, who: Client, *words: str) -> str:
        done = self._run(who, *words)
        if done.returncode != 0:
            raise StoryFailedError(f"borough-exchange {words[0]} {words[1]}: {done.stderr.strip()}")
        return done.stdout

    def register(self, path: str) -> None:
        """Register the key; its private half stays in the folder."""
        self._done(self._administrator, "key", "register", path, "--private-key", "key.json")

    def get_grant(self, agreement: str) -> None:
        """Get a grant that is bound to the key."""
        words = ("agreement", "grant", agreement, "--private-key", "key.json")
        grant = self._done(self._officer, *words)
        with own_file(self._folder / "grant") as file:
            file.write(grant.encode())

    def call(self, url: str, purpose: str) -> str | None:
        """The answer of the gateway; None when it refuses, or does not answer yet."""
        words = ("--grant", "grant", "--private-key", "key.json", "--purpose", purpose)
        done = self._run(None, "call", url, *words)
        return done.stdout if done.returncode == 0 else None

    def verify(self, agreement: str) -> tuple[bool, str]:
        """Whether the receipts of the agreement hold, and what the verifier says."""
        self._done(self._administrator, "receipt", "export", agreement, "receipts.ndjson")
        done = self._run(None, "verify", "receipts.ndjson")
        return done.returncode == 0, done.stdout.strip().rpartition("\n")[2]

    def spoilt(self) -> bool:
        """Whether they still hold when one letter of the first receipt is another."""
        data = (self._folder / "receipts.ndjson").read_bytes()
        at = data.index(b'"receipt"') + 40
        (self._folder / "spoilt").write_bytes(data[:at] + b"~" + data[at + 1 :])
        return self._run(None, "verify", "spoilt").returncode == 0


def _agency(parent: str, one: StoryAgency) -> dict[str, Any]:
    return {"parent": parent, "slug": one.slug, "name": one.name.as_json(), "level": "municipal"}


def _ask(now: datetime) -> dict[str, Any]:
    now = now.astimezone(UTC)
    return {
        "purposes": [_PURPOSE],
        "fields": [{"name": "id", "whole": True}, {"name": "name"},
                   {"name": "members", "whole": True}],
        "rows": [{"name": "assistance", "operator": "eq", "values": [True]}],
        "limits": {"calls": 100},
        "begins": format_instant(now - timedelta(minutes=5)),
        "ends": format_instant(now + timedelta(days=30)),
    }  # fmt: skip


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
        "legal_basis": "Measures for social assistance",
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
