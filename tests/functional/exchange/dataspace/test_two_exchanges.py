"""Two exchanges that speak the Dataspace Protocol with each other, over real HTTP, both ways."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import requests

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.actor import Actor, ActorKind, PrincipalId
from foundation.kernel.errors import Conflict, NotFound
from foundation.kernel.paging import PageRequest
from foundation.kernel.text import Text
from tests.harness.agreements import someone
from tests.harness.dataspace import Connector, connector, offered, ruled
from tests.harness.exchange import CIVIL, SYSTEM, TAX
from workloads.data_exchange.agreements.contracts.model import AgreementState, Party
from workloads.data_exchange.agreements.grants.model import GRANT
from workloads.data_exchange.dataspace.elsewhere import words
from workloads.data_exchange.dataspace.machine import ProcessAct, ProcessKind, ProcessState, Role
from workloads.data_exchange.dataspace.model import Process, SendingState
from workloads.data_exchange.keys.model import POSSESSION
from workloads.data_exchange.keys.service import OWN
from workloads.data_exchange.proofs import jws

#: The agency of each side as which the other side's exchange takes part.
GUEST = "/city/guest/"
PATIENCE = 30.0


@dataclass(frozen=True)
class Pair:
    """Two exchanges that know each other."""

    a: Connector
    b: Connector


@pytest.fixture(scope="module")
def pair(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with contextlib.ExitStack() as stack:
        a, b = (
            stack.enter_context(
                connector(postgres, tmp_path_factory.mktemp(name), f"urn:test:{name}")
            )
            for name in ("a", "b")
        )
        for one, other in ((a, b), (b, a)):
            introduce(one, other)
            one.exchange.keys.generate(SYSTEM, CIVIL)
        yield Pair(a, b)


def introduce(one: Connector, other: Connector) -> None:
    """Let one exchange know the other: its agency, its key, its address."""
    guest = one.exchange.agencies.create(
        SYSTEM, parent="/city/", slug="guest", name=Text("Guest", "来宾")
    )
    other.exchange.keys.ready()
    private = other.exchange.keys.private(OWN)
    proof = jws.sign({"agency": guest.id, "kid": private.kid}, private, POSSESSION)
    one.exchange.keys.register(SYSTEM, guest.path, private.public.jwk(), proof)
    one.exchange.dataspacing.participants.register(
        SYSTEM, other.own, agency=guest.path, address=other.base
    )


def until(what: Callable[[], bool], why: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, why()
        time.sleep(0.05)


def reaches(one: Connector, process: str, state: ProcessState) -> Process:
    dataspace = one.exchange.dataspacing.dataspace

    def now() -> Process:
        return dataspace.process(SYSTEM, process)

    def told() -> object:
        said = dataspace.sendings(SYSTEM, process)
        return now().state, now().error, [(one.act, one.state, one.error) for one in said]

    until(lambda: now().state is state, told)
    return now()


def twin(one: Connector, of: Process) -> Process:
    """The same process as the other side knows it."""
    dataspace = one.exchange.dataspacing.dataspace
    assert of.peer_pid
    return dataspace.process(SYSTEM, of.peer_pid)


def negotiated(consumer: Connector, provider: Connector, offer: str, target: str) -> Process:
    return consumer.exchange.dataspacing.dataspace.negotiate(
        SYSTEM, agency=TAX, provider=provider.own, dataset=target, offer=offer
    )


@pytest.mark.parametrize("way", ["a", "b"])
def test_from_offer_to_data(pair: Pair, way: str) -> None:
    provider, consumer = (pair.a, pair.b) if way == "a" else (pair.b, pair.a)
    offer = offered(provider.exchange, f"households-{way}")
    ruled(
        provider.exchange,
        ProcessKind.NEGOTIATION,
        Role.PROVIDER,
        offer.id,
        CIVIL,
        {"REQUESTED": "agree"},
    )
    begun = negotiated(consumer, provider, offer.id, offer.target)
    done = reaches(consumer, begun.id, ProcessState.FINALIZED)
    theirs = twin(provider, done)
    assert (theirs.state, theirs.agreement) == (ProcessState.FINALIZED, done.agreement)
    # What was agreed on is an agreement of the provider, signed by both, and enforced.
    contracts, now = provider.exchange.agreeing.agreements, provider.exchange.base.clock.now()
    agreement = contracts.agreement(SYSTEM, done.agreement)
    assert agreement.state(now) is AgreementState.IN_FORCE
    assert (agreement.provider, agreement.consumer) == (CIVIL, GUEST)
    (verified,) = (
        one for one in contracts.verify(SYSTEM, agreement.id, 1) if one.party is Party.CONSUMER
    )
    assert verified.holds
    (terms,) = (one for one in contracts.in_force().terms if one.agreement == agreement.id)
    assert terms.limits.calls == 1000
    assert [one.name for one in terms.fields] == ["id", "name"]

    asked = consumer.exchange.dataspacing.dataspace.transfer(
        SYSTEM, agency=TAX, provider=provider.own, agreement=done.agreement
    )
    reaches(consumer, asked.id, ProcessState.STARTED)
    address = consumer.exchange.dataspacing.dataspace.address(SYSTEM, asked.id)
    assert address["endpoint"] == "https://gateway.example/services/svc_households"
    said = {one["name"]: one["value"] for one in address["endpointProperties"]}
    grant = provider.exchange.keys.verify(said["authorization"], GRANT).payload
    own = consumer.exchange.keys.private(OWN).kid
    assert (grant["agreement"], grant["sub"], grant["cnf"]["jkt"]) == (agreement.id, GUEST, own)
    # The address is kept sealed.
    kept = consumer.exchange.dataspacing.dataspace.process(SYSTEM, asked.id)
    assert said["authorization"] not in json.dumps(dict(kept.data))

    for act, state in (
        (ProcessAct.SUSPEND, ProcessState.SUSPENDED), (ProcessAct.START, ProcessState.STARTED),
        (ProcessAct.COMPLETE, ProcessState.COMPLETED),
    ):  # fmt: skip
        consumer.exchange.dataspacing.dataspace.act(SYSTEM, asked.id, act)
        reaches(provider, kept.peer_pid, state)


def test_people_negotiate(pair: Pair) -> None:
    """Nothing is agreed on without a rule but by people, each on their side."""
    provider, consumer = pair.a, pair.b
    steward = someone("steward", "steward", CIVIL)
    offer = offered(provider.exchange, "by-hand")
    begun = negotiated(consumer, provider, offer.id, offer.target)

    def mine() -> Process:
        return consumer.exchange.dataspacing.dataspace.process(SYSTEM, begun.id)

    until(lambda: bool(mine().peer_pid), mine)
    pid = mine().peer_pid
    act = provider.exchange.dataspacing.dataspace.act
    act(steward, pid, ProcessAct.OFFER)
    reaches(consumer, begun.id, ProcessState.OFFERED)
    consumer.exchange.dataspacing.dataspace.act(SYSTEM, begun.id, ProcessAct.REQUEST)
    reaches(provider, pid, ProcessState.REQUESTED)
    act(steward, pid, ProcessAct.OFFER)
    reaches(consumer, begun.id, ProcessState.OFFERED)
    consumer.exchange.dataspacing.dataspace.act(SYSTEM, begun.id, ProcessAct.ACCEPT)
    reaches(provider, pid, ProcessState.ACCEPTED)
    act(steward, pid, ProcessAct.AGREE)
    found = reaches(consumer, begun.id, ProcessState.FINALIZED)
    version = provider.exchange.agreeing.agreements.version(SYSTEM, found.agreement)
    # The steward signed by agreeing; nobody signs both sides.
    assert version.signatures[Party.PROVIDER].by == steward.id
    assert version.signatures[Party.CONSUMER].by != steward.id


def test_more_than_is_offered_waits_for_a_person(pair: Pair) -> None:
    provider, consumer = pair.a, pair.b
    offer = offered(provider.exchange, "too-much")
    ruled(
        provider.exchange,
        ProcessKind.NEGOTIATION,
        Role.PROVIDER,
        offer.id,
        CIVIL,
        {"REQUESTED": "agree"},
    )
    more = {
        "action": "use",
        "constraint": [{"leftOperand": "odrl:count", "operator": "lteq", "rightOperand": "999999"}],
    }
    begun = consumer.exchange.dataspacing.dataspace.negotiate(
        SYSTEM, agency=TAX, provider=provider.own, dataset=offer.target, offer=offer.id,
        rules=[more],
    )  # fmt: skip
    dataspace = consumer.exchange.dataspacing.dataspace
    until(lambda: bool(dataspace.process(SYSTEM, begun.id).peer_pid), lambda: begun)
    there = twin(provider, dataspace.process(SYSTEM, begun.id))
    assert there.state is ProcessState.REQUESTED
    assert "limits.calls" in there.error
    provider.exchange.dataspacing.dataspace.act(
        SYSTEM, there.id, ProcessAct.TERMINATE, reason="too much"
    )
    ended = reaches(consumer, begun.id, ProcessState.TERMINATED)
    assert "too much" in ended.error


def test_what_is_refused_ends_it_here_too(pair: Pair) -> None:
    begun = negotiated(pair.b, pair.a, "no-such-offer", "households")
    ended = reaches(pair.b, begun.id, ProcessState.TERMINATED)
    assert "unknown-offer" in ended.error
    (said,) = pair.b.exchange.dataspacing.dataspace.sendings(SYSTEM, begun.id)
    assert (said.state, said.attempts) == (SendingState.FAILED, 1)


def test_strangers_are_told_nothing(pair: Pair) -> None:
    offer = offered(pair.a.exchange, "strangers")
    begun = negotiated(pair.b, pair.a, offer.id, offer.target)
    dataspace = pair.b.exchange.dataspacing.dataspace
    until(lambda: bool(dataspace.process(SYSTEM, begun.id).peer_pid), lambda: begun)
    pid = dataspace.process(SYSTEM, begun.id).peer_pid
    at = f"{pair.a.base}/negotiations/{pid}"
    token = pair.b.exchange.dataspacing.participants.token
    for headers in (
        {}, {"Authorization": "Bearer no"}, {"Authorization": "Basic eDp4"},
        {"Authorization": "Bearer a.b.c"},
        {"Authorization": f"Bearer {token('urn:test:other', b'')}"},
    ):  # fmt: skip
        answer = requests.get(at, headers=headers, timeout=5)
        assert answer.status_code == 404, headers
        assert answer.json()["@type"] == "ContractNegotiationError"
        assert pid not in json.dumps({**answer.json(), "providerPid": "", "consumerPid": ""})
    known = {"Authorization": f"Bearer {token(pair.a.own, b'')}"}
    answer = requests.get(at, headers=known, timeout=5)
    assert (answer.status_code, answer.json()["state"]) == (200, "REQUESTED")
    assert requests.post(f"{pair.a.base}/catalog/request", json={}, timeout=5).status_code == 401
    # A token serves for the message that it was made for alone.
    sent = json.dumps({"@context": [], "@type": "x"}).encode()
    stolen = {**known, "Content-Type": "application/json"}
    answer = requests.post(f"{at}/termination", data=sent, headers=stolen, timeout=5)
    assert answer.status_code == 404


def test_the_catalogue_of_the_other_side(pair: Pair) -> None:
    offered(pair.a.exchange, "catalogued", "catalogued-offer")
    body = json.dumps({
        "@context": ["https://w3id.org/dspace/2025/1/context.jsonld"],
        "@type": "CatalogRequestMessage",
    }).encode()  # fmt: skip

    def asked(path: str, what: bytes, accepted: str = "application/json") -> requests.Response:
        token = pair.b.exchange.dataspacing.participants.token(pair.a.own, what)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": accepted}
        url = path if path.startswith("http") else f"{pair.a.base}{path}"
        return requests.post(url, data=what, headers=headers, timeout=5)

    answer = asked("/catalog/request", body)
    found = answer.json()
    assert (answer.status_code, found["participantId"]) == (200, pair.a.own)
    assert "catalogued" in [one["@id"] for one in found["dataset"]]
    assert asked("/catalog/request", body, "text/plain").status_code == 400
    wrong = body[:-1] + b', "filter": [{"a": 1}]}'
    assert asked("/catalog/request", wrong).json()["code"] == "filter"
    answer = asked("/catalog/request?continuationToken=none", body)
    assert (answer.status_code, answer.json()["@type"]) == (400, "CatalogError")
    versions = requests.get(f"{pair.a.root}/.well-known/dspace-version", timeout=5).json()
    assert versions["protocolVersions"][0]["version"] == "2025-1"


def test_what_the_other_side_offers_is_found_read_and_agreed_on(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows anything by hand: the catalogue is asked for, searched and read in words."""
    provider, consumer = pair.b, pair.a
    monkeypatch.setattr("workloads.data_exchange.dataspace.catalog.PAGE", 2)
    names = ["found-1", "https://b.example/found/2", "found-3", "found-4", "found-5"]
    offers = {name: offered(provider.exchange, name).id for name in names}
    elsewhere = consumer.exchange.dataspacing.elsewhere
    asked = elsewhere.ask(SYSTEM, provider.own)
    assert (asked.whole, asked.left_out, asked.remarks) == (True, 0, ())
    assert asked.base == provider.base
    page = elsewhere.datasets(SYSTEM, provider.own, PageRequest(limit=200), words="found 户籍")
    assert {one.name for one in page.items} == set(names)
    for name in names:
        one = elsewhere.ask_for(SYSTEM, provider.own, name)
        assert (one.title.en, one.title.zh, one.formats) == (
            "Households", "户籍", ("HttpData-PULL",),
        )  # fmt: skip
    (theirs,) = one.offers
    said = words.said(theirs.rules())
    assert all(sentence.understood for sentence in said)
    assert [sentence.text.en for sentence in said] == [
        "You may use the data set.",
        "For these purposes alone: Fraud prevention and detection.",
        "Of each record you get: id (masked), name (in full); nothing else.",
        "At most: 1,000 calls in all.", "At most: 50 rows a call.", "For at most 30 days.",
    ]  # fmt: skip
    ruled(
        provider.exchange, ProcessKind.NEGOTIATION, Role.PROVIDER, theirs.id, CIVIL,
        {"REQUESTED": "agree"},
    )  # fmt: skip
    begun = negotiated(consumer, provider, theirs.id, one.name)
    assert begun.policy["permission"] == theirs.policy["permission"]
    done = reaches(consumer, begun.id, ProcessState.FINALIZED)
    assert twin(provider, done).state is ProcessState.FINALIZED
    provider.exchange.dataspacing.dataspace.withdraw(SYSTEM, offers["found-1"])
    with pytest.raises(Conflict, match=f"{provider.own} gave.*answered 404: not-found"):
        elsewhere.ask_for(SYSTEM, provider.own, "found-1")
    with pytest.raises(Conflict, match="answered 400: filter"):
        elsewhere.ask(SYSTEM, provider.own, filter=["x"])


def test_who_is_nobody_here_begins_nothing(pair: Pair) -> None:
    stranger = Actor(PrincipalId("per_nobody"), "nobody", ActorKind.PERSON)
    with pytest.raises(NotFound):
        pair.b.exchange.dataspacing.dataspace.negotiate(
            stranger, agency=TAX, provider=pair.a.own, dataset="d", offer="o"
        )
