"""The dataspace on a real database: what a participant's messages do, and what is sent, and when.

The other side is a wire that keeps what is sent and answers what it is told, so that every fault
can be had: no answer, an answer that nobody notes, the same message twice.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from foundation.kernel import canonical
from foundation.kernel.actor import Actor
from foundation.kernel.errors import (
    BoroughError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Unavailable,
)
from foundation.kernel.paging import PageRequest
from tests.conftest import SettableClock
from tests.harness.agreements import in_force, someone
from tests.harness.dataspace import GIVEN, offered, ruled
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM, TAX
from tests.harness.serving import served
from workloads.data_exchange.agencies.model import Agency
from workloads.data_exchange.agreements.ask import AskedField
from workloads.data_exchange.agreements.contracts.model import Party
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.dataspace import documents
from workloads.data_exchange.dataspace.documents import CONTEXT
from workloads.data_exchange.dataspace.machine import ProcessAct, ProcessKind, ProcessState, Role
from workloads.data_exchange.dataspace.model import Participant, Process, SendingState
from workloads.data_exchange.dataspace.participants import TOKEN
from workloads.data_exchange.dataspace.ports import Answered
from workloads.data_exchange.dataspace.receiving import Refused
from workloads.data_exchange.dataspace.sending import Sender
from workloads.data_exchange.dataspace.store import sending_table
from workloads.data_exchange.entrypoints.app import create_app
from workloads.data_exchange.entrypoints.cli import exchange as program
from workloads.data_exchange.entrypoints.serve import parts

pytestmark = pytest.mark.usefixtures("agencies")
PEER = "urn:test:peer"
BASE = "https://peer.example/dsp"
STEWARD, OFFICER = someone("steward", "steward", CIVIL), someone("officer", "officer", TAX)


@dataclass
class KeepingWire:
    """Keeps what is sent; answers with each status in turn, the last for ever (0: no answer)."""

    statuses: list[int] = field(default_factory=lambda: [200])
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def check(self, address: str, name: str) -> None: ...

    def post(self, url: str, body: bytes, token: str) -> Answered:
        assert token.count(".") == 2
        message = json.loads(body)
        assert documents.first_problem(message) == ""
        self.sent.append((url, message))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status == 0:
            raise Unavailable("it cannot be reached")
        kind = "TransferProcess" if "/transfers/" in url else "ContractNegotiation"
        told = documents.message(
            kind, consumerPid=message.get("consumerPid", ""), providerPid="theirs",
            state="REQUESTED",
        )  # fmt: skip
        return Answered(status, canonical.dumps(told).encode())

    def acts(self) -> list[str]:
        return [url.rpartition("/")[2] for url, _ in self.sent]


@pytest.fixture
def peer(exchange: Exchange, agencies: dict[str, Agency]) -> Participant:
    assert agencies
    for path in (CIVIL, HOUSING):
        exchange.keys.generate(SYSTEM, path)
    return exchange.dataspacing.participants.register(SYSTEM, PEER, agency=HOUSING, address=BASE)


@pytest.fixture
def wire() -> KeepingWire:
    return KeepingWire()


@pytest.fixture
def sender(exchange: Exchange, wire: KeepingWire) -> Sender:
    made = exchange.dataspacing.sender
    made._wire = wire  # noqa: SLF001 - the one outside of the exchange
    return made


def request(offer: str, target: str, pid: str = "c1", **more: Any) -> dict[str, Any]:
    return {
        "@context": [CONTEXT], "@type": "ContractRequestMessage", "consumerPid": pid,
        "callbackAddress": f"{BASE}/callback",
        "offer": {
            "@type": "Offer", "@id": offer, "target": target, "permission": [{"action": "use"}],
        },
        **more,
    }  # fmt: skip


def message(kind: str, provider: str, consumer: str, **more: Any) -> dict[str, Any]:
    return {
        "@context": [CONTEXT], "@type": kind, "providerPid": provider, "consumerPid": consumer,
        **more,
    }  # fmt: skip


def begun(exchange: Exchange, peer: Participant, message: dict[str, Any]) -> str:
    body, made = exchange.dataspacing.receiving.begin(
        peer, ProcessKind.NEGOTIATION, message, Role.PROVIDER
    )
    assert made
    assert documents.first_problem(body) == ""
    return str(body["providerPid"])


def state(exchange: Exchange, pid: str) -> ProcessState:
    return exchange.dataspacing.dataspace.process(SYSTEM, pid).state


def take(
    exchange: Exchange, peer: Participant, pid: str, part: str, sent: dict[str, Any],
    kind: ProcessKind = ProcessKind.NEGOTIATION,
) -> dict[str, Any]:  # fmt: skip
    return exchange.dataspacing.receiving.receive(peer, kind, pid, part, sent)


# --- what others send


def test_the_same_first_message_makes_one_negotiation(
    exchange: Exchange, peer: Participant
) -> None:
    offer = offered(exchange)
    sent = request(offer.id, offer.target)
    pid = begun(exchange, peer, sent)
    body, made = exchange.dataspacing.receiving.begin(
        peer, ProcessKind.NEGOTIATION, sent, Role.PROVIDER
    )
    assert (made, body["providerPid"]) == (False, pid)
    with pytest.raises(Refused, match="pid-taken") as refused:
        exchange.dataspacing.receiving.begin(
            peer, ProcessKind.NEGOTIATION, {**sent, "offer": {**sent["offer"], "@id": "other"}},
            Role.PROVIDER,
        )  # fmt: skip
    assert refused.value.status == 400
    assert documents.first_problem(refused.value.body) == ""


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"callbackAddress": "https://elsewhere.example/dsp"}, "callback-address"),
        ({"callbackAddress": "https://127.0.0.1/dsp"}, "callback-address"),
        ({"callbackAddress": "http://peer.example/dsp"}, "callback-address"),
        ({"callbackAddress": "file:///etc/passwd"}, "callback-address"),
        ({"callbackAddress": "https://peer.example:5432/"}, "callback-address"),
        ({"consumerPid": ""}, "pid"),
        ({"consumerPid": "x" * 501}, "pid"),
    ],
    ids=str,
)
def test_how_nothing_begins(
    exchange: Exchange, peer: Participant, change: dict[str, Any], code: str
) -> None:
    offer = offered(exchange)
    with pytest.raises(Refused, match=code):
        begun(exchange, peer, {**request(offer.id, offer.target), **change})
    assert not exchange.dataspacing.dataspace.processes(SYSTEM, PageRequest()).items


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"@id": "no-offer"}, "unknown-offer"),
        ({"target": "another"}, "policy"),
        ({"permission": [{"action": "distribute"}]}, "policy"),
        ({"permission": [{"action": "use", "target": "dst_households"}]}, "policy"),
    ],
    ids=str,
)
def test_what_is_not_talked_about(
    exchange: Exchange, peer: Participant, change: dict[str, Any], code: str
) -> None:
    offer = offered(exchange)
    sent = request(offer.id, offer.target)
    with pytest.raises(Refused, match=code):
        begun(exchange, peer, {**sent, "offer": {**sent["offer"], **change}})


def test_a_repeated_message_is_taken_once(
    exchange: Exchange, peer: Participant, sender: Sender, wire: KeepingWire
) -> None:
    offer = offered(exchange)
    ruled(exchange, ProcessKind.NEGOTIATION, Role.PROVIDER, offer.id, CIVIL, {"REQUESTED": "offer"})
    pid = begun(exchange, peer, request(offer.id, offer.target))
    sender.work()
    accepted = message("ContractNegotiationEventMessage", pid, "c1", eventType="ACCEPTED")
    for _ in range(2):
        assert take(exchange, peer, pid, "events", accepted)["state"] == "ACCEPTED"
    # The same words in another message are another message.
    with pytest.raises(Refused, match="state"):
        take(exchange, peer, pid, "events", {**accepted, "@id": "urn:uuid:2"})
    assert wire.acts() == ["offers"]


def test_nobody_reaches_the_process_of_another(exchange: Exchange, peer: Participant) -> None:
    offer = offered(exchange)
    pid = begun(exchange, peer, request(offer.id, offer.target))
    other = exchange.dataspacing.participants.register(
        SYSTEM, "urn:test:other", agency=TAX, address="https://other.example"
    )
    ended = message("ContractNegotiationTerminationMessage", pid, "c1")
    attempts: tuple[Callable[[], object], ...] = (
        lambda: take(exchange, other, pid, "termination", ended),
        lambda: exchange.dataspacing.receiving.look(other, ProcessKind.NEGOTIATION, pid),
        lambda: exchange.dataspacing.receiving.look(peer, ProcessKind.TRANSFER, pid),
        lambda: exchange.dataspacing.receiving.look(peer, ProcessKind.NEGOTIATION, "dsn_none"),
    )
    for attempt in attempts:
        with pytest.raises(Refused, match="not-found") as refused:
            attempt()
        assert refused.value.status == 404
    assert state(exchange, pid) is ProcessState.REQUESTED
    # What a stranger says with the same identifier is a negotiation of the stranger.
    body, made = exchange.dataspacing.receiving.begin(
        other, ProcessKind.NEGOTIATION,
        request(offer.id, offer.target, callbackAddress="https://other.example"), Role.PROVIDER,
    )  # fmt: skip
    assert made
    assert body["providerPid"] != pid


def test_a_message_for_another_process_is_refused(exchange: Exchange, peer: Participant) -> None:
    offer = offered(exchange)
    pid = begun(exchange, peer, request(offer.id, offer.target))
    for provider, consumer in ((pid, "c2"), ("other", "c1"), (pid, "")):
        ended = message("ContractNegotiationTerminationMessage", provider, consumer)
        with pytest.raises(Refused, match="pid"):
            take(exchange, peer, pid, "termination", ended)
    event = message("ContractNegotiationEventMessage", pid, "c1", eventType="FINALIZED")
    with pytest.raises(Refused, match="state"):
        take(exchange, peer, pid, "events", event)
    with pytest.raises(Refused, match="message"):
        take(exchange, peer, pid, "agreement", event)


def test_what_cannot_be_agreed_by_rule_waits(exchange: Exchange, peer: Participant) -> None:
    offer = offered(exchange)
    ruled(exchange, ProcessKind.NEGOTIATION, Role.PROVIDER, offer.id, CIVIL, {"REQUESTED": "agree"})
    exchange.dataspacing.dataspace.withdraw(STEWARD, offer.id)
    with pytest.raises(Refused, match="unknown-offer"):
        begun(exchange, peer, request(offer.id, offer.target))
    again = offered(exchange, offer="again", target="again")
    ruled(exchange, ProcessKind.NEGOTIATION, Role.PROVIDER, "again", CIVIL, {"REQUESTED": "agree"})
    exchange.agreeing.catalogue.withdraw("dst_households", "svc_households")  # type: ignore[attr-defined]
    pid = begun(exchange, peer, request(again.id, again.target, "c9"))
    found = exchange.dataspacing.dataspace.process(SYSTEM, pid)
    assert (found.state, found.agreement) == (ProcessState.REQUESTED, "")
    assert "not offered any more" in found.error


def test_a_false_countersignature_is_refused(
    exchange: Exchange, peer: Participant, sender: Sender, wire: KeepingWire
) -> None:
    offer = offered(exchange)
    ruled(exchange, ProcessKind.NEGOTIATION, Role.PROVIDER, offer.id, CIVIL, {"REQUESTED": "agree"})
    pid = begun(exchange, peer, request(offer.id, offer.target))
    sender.work()
    (_, agreed) = wire.sent[-1]
    name = "urn:borough:exchange:signature"
    verified = message("ContractAgreementVerificationMessage", pid, "c1")
    theirs = agreed["agreement"][name]  # the provider's own, sent back
    with pytest.raises(Refused, match="signature"):
        take(exchange, peer, pid, "agreement/verification", {**verified, name: theirs})
    assert state(exchange, pid) is ProcessState.AGREED
    # Without a signature the protocol goes on, and the agreement waits for it.
    assert take(exchange, peer, pid, "agreement/verification", verified)["state"] == "FINALIZED"
    agreement = exchange.dataspacing.dataspace.process(SYSTEM, pid).agreement
    assert exchange.agreeing.agreements.agreement(SYSTEM, agreement).current is None
    assert exchange.agreeing.agreements.in_force().terms == ()


def test_a_transfer_needs_an_agreement_of_ones_own(exchange: Exchange, peer: Participant) -> None:
    version = in_force(exchange)
    sent = {
        "@context": [CONTEXT], "@type": "TransferRequestMessage", "consumerPid": "t1",
        "agreementId": version.agreement, "format": "HttpData-PULL", "callbackAddress": BASE,
    }  # fmt: skip
    receiving = exchange.dataspacing.receiving
    other = exchange.dataspacing.participants.register(
        SYSTEM, "urn:test:other", agency=TAX, address=BASE
    )
    for who, change, code in (
        (peer, {"agreementId": "agr_none"}, "unknown-agreement"),
        (other, {}, "unknown-agreement"),
        (peer, {"format": "HttpData-PUSH"}, "format"),
        (peer, {"dataAddress": {"@type": "DataAddress", "endpointType": "x"}}, "data-address"),
    ):
        with pytest.raises(Refused, match=code):
            receiving.begin(who, ProcessKind.TRANSFER, {**sent, **change}, Role.PROVIDER)
    exchange.agreeing.agreements.revoke(SYSTEM, version.agreement, Party.PROVIDER, "over")
    with pytest.raises(Refused, match="agreement"):
        receiving.begin(peer, ProcessKind.TRANSFER, sent, Role.PROVIDER)


# --- what we send


def asked(exchange: Exchange) -> Process:
    return exchange.dataspacing.dataspace.negotiate(
        OFFICER, agency=TAX, provider=PEER, dataset="d", offer="o"
    )


@pytest.mark.usefixtures("peer")
def test_it_is_sent_again_until_it_arrives(
    exchange: Exchange, sender: Sender, wire: KeepingWire, clock: SettableClock
) -> None:
    wire.statuses = [0, 503, 429, 404, 201]
    made = asked(exchange)
    for _ in range(40):
        sender.work()
        clock.advance(seconds=5)
    assert len(wire.sent) == 5
    # The same words under the same names, each time.
    assert len({canonical.dumps(one) for _, one in wire.sent}) == 1
    assert wire.sent[0][0] == f"{BASE}/negotiations/request"
    found = exchange.dataspacing.dataspace.process(SYSTEM, made.id)
    assert (found.peer_pid, found.state) == ("theirs", ProcessState.REQUESTED)


@pytest.mark.usefixtures("peer")
def test_a_worker_that_is_killed_loses_nothing(
    exchange: Exchange, sender: Sender, wire: KeepingWire, clock: SettableClock
) -> None:
    """It took the message, sent it, and never noted what came of it."""
    made = asked(exchange)
    database = exchange.base.database
    with database.transaction():
        now = clock.now()
        taken = sender._store.claim(now, now + timedelta(seconds=60))  # noqa: SLF001
    assert taken is not None
    assert sender.work() == 0, "it is the other worker's for a while"
    clock.advance(seconds=61)
    assert sender.work() == 1
    (said,) = exchange.dataspacing.dataspace.sendings(SYSTEM, made.id)
    assert (said.state, said.attempts) == (SendingState.SENT, 2)
    assert len(wire.sent) == 1


@pytest.mark.usefixtures("peer")
def test_messages_of_a_process_leave_in_order(
    exchange: Exchange, sender: Sender, wire: KeepingWire, clock: SettableClock
) -> None:
    wire.statuses = [503, 201, 200]
    ruled(exchange, ProcessKind.NEGOTIATION, Role.CONSUMER, "d", TAX, {"REQUESTED": "terminate"})
    asked(exchange)
    sender.work()
    assert wire.acts() == ["request"]
    clock.advance(seconds=5)
    sender.work()
    assert wire.acts() == ["request", "request", "termination"]
    assert wire.sent[-1][1]["providerPid"] == "theirs"


def test_what_waits_is_not_sent_when_the_other_side_ended_it(
    exchange: Exchange, peer: Participant, sender: Sender, wire: KeepingWire
) -> None:
    offer = offered(exchange)
    ruled(exchange, ProcessKind.NEGOTIATION, Role.PROVIDER, offer.id, CIVIL, {"REQUESTED": "offer"})
    pid = begun(exchange, peer, request(offer.id, offer.target))
    ended = message("ContractNegotiationTerminationMessage", pid, "c1", code="9", reason=["no"])
    take(exchange, peer, pid, "termination", ended)
    assert sender.work() == 0
    assert not wire.sent
    found = exchange.dataspacing.dataspace.process(SYSTEM, pid)
    assert (found.state, found.error) == (ProcessState.TERMINATED, "9: no")
    with exchange.base.database.transaction():
        states = exchange.base.database.execute(sa.select(sending_table.c.state)).scalars().all()
    assert states == [SendingState.DROPPED]


@pytest.mark.usefixtures("peer")
def test_a_final_no_ends_it_here(exchange: Exchange, sender: Sender, wire: KeepingWire) -> None:
    wire.statuses = [400]
    made = asked(exchange)
    sender.work()
    found = exchange.dataspacing.dataspace.process(SYSTEM, made.id)
    assert (found.state, len(wire.sent)) == (ProcessState.TERMINATED, 1)
    assert "400" in found.error


# --- our people


def test_who_may_do_what(exchange: Exchange, peer: Participant) -> None:
    dataspace = exchange.dataspacing.dataspace
    offer = offered(exchange)
    pid = begun(exchange, peer, request(offer.id, offer.target))
    steward_of_another = someone("other", "steward", TAX)
    for who in (OFFICER, steward_of_another):
        with pytest.raises(NotFound):
            dataspace.act(who, pid, ProcessAct.OFFER)
    with pytest.raises(Forbidden):
        dataspace.act(someone("o", "officer", CIVIL), pid, ProcessAct.OFFER)
    with pytest.raises(Conflict):
        dataspace.act(STEWARD, pid, ProcessAct.FINALIZE)
    with pytest.raises((NotFound, Forbidden)):
        dataspace.negotiate(STEWARD, agency=TAX, provider=PEER, dataset="d", offer="o")
    with pytest.raises((NotFound, Forbidden)):
        exchange.dataspacing.participants.register(STEWARD, "x", agency=TAX, address=BASE)
    assert dataspace.may(STEWARD, dataspace.process(STEWARD, pid)) == (
        ProcessAct.OFFER, ProcessAct.AGREE, ProcessAct.TERMINATE,
    )  # fmt: skip
    assert dataspace.may(SYSTEM, dataspace.process(STEWARD, pid))
    assert [one.id for one in dataspace.processes(STEWARD, PageRequest()).items] == [pid]
    assert not dataspace.processes(OFFICER, PageRequest()).items


@pytest.mark.usefixtures("peer")
def test_wrong_offers_and_rules_name_every_field(exchange: Exchange) -> None:
    dataspace = exchange.dataspacing.dataspace
    wrong = replace(GIVEN, purposes=frozenset({"dpv:None"}), fields=(AskedField("none"),), days=40)
    with pytest.raises(Invalid) as invalid:
        offered(exchange, given=wrong)
    assert {one.field for one in invalid.value.problems} == {"purposes.0", "fields.0.name"}
    with pytest.raises(NotFound):
        dataspace.offer(
            STEWARD, dataset="dst_none", service="svc_none", given=GIVEN, legal_basis="law"
        )
    with pytest.raises(Invalid) as invalid:
        ruled(
            exchange, ProcessKind.NEGOTIATION, Role.PROVIDER, "no-offer", CIVIL,
            {"REQUESTED": "verify", "STARTED": "wait"},
        )  # fmt: skip
    fields = {one.field for one in invalid.value.problems}
    assert fields == {"plan.REQUESTED.0", "plan.STARTED", "subject"}


def test_a_rule_acts_for_its_agency_alone(exchange: Exchange, peer: Participant) -> None:
    """Who has no part in an agreement decides nothing of its transfers."""
    version = in_force(exchange)
    for agency, plan in ((TAX, {"REQUESTED": "terminate"}), (CIVIL, {"REQUESTED": "wait"})):
        ruled(exchange, ProcessKind.TRANSFER, Role.PROVIDER, version.agreement, agency, plan)
    sent = {
        "@context": [CONTEXT], "@type": "TransferRequestMessage", "consumerPid": "t1",
        "agreementId": version.agreement, "format": "HttpData-PULL", "callbackAddress": BASE,
    }  # fmt: skip
    receiving = exchange.dataspacing.receiving
    body, _ = receiving.begin(peer, ProcessKind.TRANSFER, sent, Role.PROVIDER)
    assert state(exchange, body["providerPid"]) is ProcessState.REQUESTED
    ruled(exchange, ProcessKind.TRANSFER, Role.PROVIDER, version.agreement, CIVIL, {})
    body, _ = receiving.begin(
        peer, ProcessKind.TRANSFER, {**sent, "consumerPid": "t2"}, Role.PROVIDER
    )
    assert state(exchange, body["providerPid"]) is ProcessState.STARTED


def test_a_token_is_of_its_participant_for_us_and_for_now(
    exchange: Exchange, peer: Participant, clock: SettableClock
) -> None:
    participants, now = exchange.dataspacing.participants, int(clock.now().timestamp())
    body = b"{}"
    good = {
        "iss": PEER, "aud": participants.own, "iat": now, "exp": now + 300,
        "body": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    }  # fmt: skip

    def known(path: str = HOUSING, typ: str = TOKEN, **change: Any) -> Participant | None:
        token = exchange.keys.sign(path, {**good, **change}, typ)
        return participants.sender(token, body, lambda: Actor.system("nobody"))

    assert known() == peer
    for change in (
        {"iss": "urn:test:other"}, {"aud": "urn:test:other"}, {"exp": now}, {"iat": now + 200},
        {"exp": now + 301}, {"iat": "now"}, {"body": "sha256:0"},
    ):  # fmt: skip
        assert known(**change) is None, change
    assert known(CIVIL) is None, "signed by an agency that is no participant"
    assert known(typ="at+jwt") is None
    clock.advance(seconds=301)
    assert known() is None
    for token in ("", "a.b.c", "x" * 9000):
        assert participants.sender(token, body, lambda: Actor.system("nobody")) is None
    with pytest.raises(BoroughError):
        participants.register(SYSTEM, "urn:test:two", agency=HOUSING, address=BASE)


@pytest.mark.usefixtures("peer")
def test_the_catalogue_goes_page_by_page(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workloads.data_exchange.dataspace.catalog.PAGE", 2)
    names = [f"d{n}" for n in range(5)]
    for name in names:
        offered(exchange, name, f"offer-of-{name}")
    offering, seen, token = exchange.dataspacing.offering, list[str](), ""
    parts = []
    while True:
        shown = offering.catalog(token)
        assert shown is not None
        assert documents.first_problem(shown.body) == ""
        seen += [one["@id"] for one in shown.body["dataset"]]
        parts.append(shown)
        if not shown.next:
            break
        token = shown.next
    assert seen == names
    assert [bool(one.previous) for one in parts] == [False, True, True]
    back = offering.catalog(parts[1].previous)
    assert back is not None
    assert [one["@id"] for one in back.body["dataset"]] == names[:2]
    one = offering.dataset("d3")
    assert one is not None
    assert documents.first_problem(one) == ""
    assert one["hasPolicy"][0]["@id"] == "offer-of-d3"
    assert offering.dataset("none") is None
    assert offering.catalog("!") is None


@pytest.fixture
def url(exchange: Exchange, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The service on loopback, and a token of somebody who may do everything."""
    made = exchange.people.create_person(
        SYSTEM, login="clerk", name="Clerk", path="/", password="a long enough phrase"
    )
    exchange.people.grant(SYSTEM, principal_id=made.id, role="exchange_administrator", path="/")
    actor = Actor(made.id, made.name, made.kind)
    token = exchange.base.gate.create_token(actor, name="t")[1]
    monkeypatch.setenv("BOROUGH_EXCHANGE_TOKEN", token)
    monkeypatch.setenv("BOROUGH_EXCHANGE_CONFIG", str(tmp_path / "config"))
    with served(create_app(parts(exchange), exchange.settings)) as address:
        yield address


def test_the_command_line(url: str, tmp_path: Path) -> None:
    def run(*words: str) -> Result:
        return CliRunner().invoke(program, ["dataspace", *words, "--url", url, "-o", "json"])

    def done(*words: str) -> Any:
        shown = run(*words)
        assert shown.exit_code == 0, shown.output
        return json.loads(shown.output)

    done("register", PEER, "--agency", HOUSING, "--address", BASE)
    assert [one["id"] for one in done("participants")] == [PEER]
    file = tmp_path / "offer.json"
    file.write_text(
        json.dumps({
            "dataset": "dst_households", "service": "svc_households", "days": 30, "rows": [],
            "purposes": ["dpv:ServiceProvision"], "fields": [{"name": "name"}],
            "legal_basis": "law", "offer": "offer-1", "target": "data-1",
        })
    )  # fmt: skip
    assert done("offer", str(file))["agency"] == CIVIL
    done(
        "rule", "offer-1", "--kind", "negotiation", "--role", "provider", "--agency", CIVIL,
        "--on", "requested=offer,terminate",
    )  # fmt: skip
    assert [one["target"] for one in done("offers")] == ["data-1"]
    made = done("negotiate", "--agency", TAX, "--provider", PEER, "--dataset", "d", "--offer", "o")
    assert (made["state"], made["role"]) == ("REQUESTED", "consumer")
    assert done("act", made["id"], "terminate", "--reason", "enough")["state"] == "TERMINATED"
    assert [one["act"] for one in done("messages", made["id"])] == ["request", "terminate"]
    assert [one["id"] for one in done("list", "--kind", "negotiation")] == [made["id"]]
    again = run("act", made["id"], "terminate")
    assert again.exit_code != 0
    assert "TERMINATED" in again.output
    transfer = done("transfer", "--agency", TAX, "--provider", PEER, "--agreement", "agr_1")
    assert run("address", transfer["id"]).exit_code != 0
    assert done("show", transfer["id"])["kind"] == "transfer"
    assert done("withdraw", "offer-1")["withdrawn_at"]
    assert run("negotiate", "--agency", TAX, "--provider", "no", "--dataset", "d",
               "--offer", "o").exit_code != 0  # fmt: skip


def test_the_pages(exchange: Exchange, peer: Participant) -> None:
    offer = offered(exchange)
    pid = begun(exchange, peer, request(offer.id, offer.target))
    exchange.people.create_person(
        SYSTEM, login="clerk", name="Clerk", path="/", password="a long enough phrase"
    )
    person = exchange.people.create_person(
        SYSTEM, login="steward", name="Steward", path=CIVIL, password="a long enough phrase"
    )
    exchange.people.grant(SYSTEM, principal_id=person.id, role="exchange_steward", path=CIVIL)
    actor = Actor(person.id, person.name, person.kind)
    headers = {"Authorization": f"Bearer {exchange.base.gate.create_token(actor, name='t')[1]}"}
    client = create_app(parts(exchange), exchange.settings).test_client()
    listed = client.get("/dataspace", headers=headers)
    assert (listed.status_code, pid in listed.text) == (200, True)
    assert client.get("/dataspace?kind=transfer", headers=headers).text.count(pid) == 0
    chinese = client.get(f"/dataspace/{pid}", headers={**headers, "Accept-Language": "zh"})
    assert "发出要约" in chinese.text
    for act, status in (("nothing", 422), ("finalize", 409), ("offer", 303)):
        answer = client.post(f"/dataspace/{pid}/acts", data={"act": act}, headers=headers)
        assert answer.status_code == status, act
    assert state(exchange, pid) is ProcessState.OFFERED
    assert client.get("/dataspace/dsn_none", headers=headers).status_code == 404
