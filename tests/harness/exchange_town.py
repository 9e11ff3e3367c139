"""An exchange with something on every page: what a city's agencies would have after some weeks."""

from dataclasses import replace
from datetime import timedelta

from foundation.kernel.actor import Actor
from foundation.kernel.paging import PageRequest
from foundation.kernel.text import Text
from tests.conftest import SettableClock
from tests.harness.dataspace import GIVEN, listed
from tests.harness.directory import dataset, element, published, service, somebody
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM, TAX
from tests.harness.exchange_checks import agree
from tests.harness.exchange_licences import BASE, CLAIMS, licence_type
from tests.harness.exchange_lottery import Table
from tests.harness.exchange_receipts import draft, written
from tests.harness.exchange_transfers import digest
from workloads.data_exchange.agreements.ask import Ask, AskedField
from workloads.data_exchange.agreements.requests.model import Act
from workloads.data_exchange.agreements.terms import Limits
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.checks.ports import Answer
from workloads.data_exchange.checks.ports import Ask as Question
from workloads.data_exchange.directory.elements import Masking, Sensitivity
from workloads.data_exchange.directory.model import Kind
from workloads.data_exchange.events.cloudevents import STRUCTURED
from workloads.data_exchange.events.model import EVENT_BYTES, SubscriptionKind
from workloads.data_exchange.harvesting.model import SourceProtocol
from workloads.data_exchange.licences.service import Wish

PURPOSE = "dpv:PublicBenefit"
FIELDS = {"id": "string", "name": "string"}
PEER = "urn:example:province:exchange"
_EVENT = (
    b'{"specversion":"1.0","id":"2026-11-0042","source":"/civil/households",'
    b'"type":"household.changed","partitionkey":"k","data":{"id":"1","name":"x"}}'
)


class Registries:
    """Answer that everybody is on the court's list."""

    def provider(self, _service: str) -> str:
        return CIVIL

    def ask(self, ask: Question, *, patience: float) -> Answer:
        assert patience > 0
        told = {"court_defaulter": True, "penalties": [], "tax_arrears": 0, **ask.body}
        return Answer({"records": [told]}, "sha256:" + "0" * 64)


def town(exchange: Exchange, clock: SettableClock) -> dict[str, str]:
    """Fill a furnished exchange; answers ids by the noun of their addresses."""
    agencies = {
        one.path: one for one in exchange.agencies.agencies(SYSTEM, PageRequest(limit=100)).items
    }
    table = Table(exchange, clock)
    table.register(agencies)
    lottery = table.drawn(*"ABCDEFG")
    table.opened()
    for path in (CIVIL, HOUSING):
        exchange.keys.generate(SYSTEM, path)
    data, called, written_down = _directory(exchange)
    agreement = agree(exchange, data, called, FIELDS, consumer=HOUSING)
    request = _requests(exchange, data, called)
    source = exchange.cataloguing.harvesting.mount(
        SYSTEM, agency=CIVIL, protocol=SourceProtocol.CKAN, url="https://data.province.example",
        title=Text("Province's open data", "省公共数据平台"),
    )  # fmt: skip
    receipt = _receipts(exchange, agreement)
    batch, subscription = _handed(exchange, agreement, data, called)
    check, correction = _checked(exchange)
    kind, licence = _licences(exchange)
    return {
        "directory": data, "drafts": written_down, "requests": request, "agreements": agreement,
        "sources": source.id, "receipts": receipt, "transfers": batch, "events": subscription,
        "checks": check, "corrections": correction, "licence-types": kind, "licences": licence,
        "lotteries": lottery.id, "draws": lottery.id,
        "dataspace": _dataspace(exchange, data, called),
        "participants": exchange.agencies.agency(SYSTEM, TAX).id,
        "datasets": listed(exchange, PEER, "urn:province:roads", "offer-8").id,
        "operations": exchange.base.operations.list(SYSTEM, PageRequest()).items[0].id,
    }  # fmt: skip


def _directory(exchange: Exchange) -> tuple[str, str, str]:
    """A data set, its interface, and a draft that waits for review."""
    elements = (
        element("id", sensitivity=Sensitivity.SENSITIVE, masking=Masking.PSEUDONYM),
        element("name", sensitivity=Sensitivity.PERSONAL, masking=Masking.PARTIAL),
    )
    data = published(exchange, dataset(elements=elements)).id
    called = published(exchange, service(data), Kind.SERVICE, secret="s3cret").id
    directory = exchange.cataloguing.directory
    made = directory.create(
        somebody("author", "steward"), Kind.DATASET, agency=CIVIL,
        body=dataset("Marriages", "婚姻登记信息"),
    )  # fmt: skip
    directory.submit(somebody("author", "steward"), made.id)
    return data, called, made.id


def _requests(exchange: Exchange, data: str, called: str) -> str:
    """Two requests, one of them with the provider; answers that one."""
    now, requests = exchange.base.clock.now(), exchange.agreeing.requests
    ask = Ask(
        frozenset({PURPOSE}), (AskedField("id"), AskedField("name", whole=True)), (),
        Limits(calls=5000, calls_per_day=200, rows_per_call=50), now, now + timedelta(days=180),
    )  # fmt: skip
    for consumer in (HOUSING, TAX):
        made = requests.create(
            Actor.system("asks"), consumer=consumer, dataset=data, service=called, ask=ask,
            legal_basis="Measures for housing benefits, article 12",
            justification="To check households that ask for a flat.",
        )  # fmt: skip
    requests.act(Actor.system("reviews"), made.id, Act.PASS)
    return made.id


def _receipts(exchange: Exchange, agreement: str) -> str:
    now = exchange.base.clock.now()
    one = draft(now, agreement)
    (made, *_) = written(
        exchange,
        [
            *(replace(one, milliseconds=40 + n) for n in range(6)),
            *(replace(one, status=504, milliseconds=5000) for _ in range(2)),
            replace(draft(now, "agr_other"), consumer=TAX, service="svc_2"),
        ],
    )
    exchange.receipts.sign_checkpoint()
    return made.id


def _handed(exchange: Exchange, agreement: str, data: str, called: str) -> tuple[str, str]:
    """A published batch and one on its way; a subscription with a dead letter."""
    handing, batches = exchange.handing, exchange.handing.batches
    batches.create(SYSTEM, agreement, title="Households of December", days=30)
    made = batches.create(SYSTEM, agreement, title="Households of November", days=30)
    files = {"households-2026-11.csv": b"id,name\n" * 200, "说明.txt": b"notes"}
    for name, held in files.items():
        send(exchange, SYSTEM, made.id, name, held)
    batches.seal(
        SYSTEM, made.id,
        files=[{"name": n, "size": len(d), "digest": digest(d)} for n, d in files.items()],
    )  # fmt: skip
    publish(exchange, made.id)
    topic = handing.topics.create(
        SYSTEM, dataset=data, service=called, partitions=2, retention_days=7,
        bytes_max=64 * EVENT_BYTES,
    )  # fmt: skip
    subscription = handing.subscriptions.create(
        SYSTEM, agreement, kind=SubscriptionKind.PUSH, purpose=PURPOSE, url="https://hook.example/"
    ).subscription
    handing.topics.publish(SYSTEM, topic.service, {"content-type": STRUCTURED}, _EVENT)
    fail(exchange)
    return made.id, subscription.id


def send(exchange: Exchange, actor: Actor, batch: str, name: str, data: bytes) -> None:
    """Send a whole file of a batch."""
    uploads = exchange.handing.uploads
    made = uploads.create(actor, batch, name=name, size=len(data), meta="")
    _, writing = uploads.begin(actor, made.id, offset=0, more=len(data), size=None)
    uploads.append(writing, [uploads.keep(0, data)])


def publish(exchange: Exchange, batch: str) -> None:
    """What a worker does with a sealed batch."""
    checking = exchange.handing.checking
    found = {
        one: checking.digest(one, lambda: False, lambda _part: None)
        for one in checking.files(batch)
    }
    checking.publish(batch, found)


def fail(exchange: Exchange) -> None:
    """The first event that waits for a web-hook cannot be delivered."""
    subscriptions = exchange.handing.subscriptions
    for there, cursor in subscriptions.claim():
        for event in subscriptions.next(there, cursor, 1)[1]:
            subscriptions.failed(cursor, event, 99, "it answered 500")
        subscriptions.release(cursor)


def _checked(exchange: Exchange) -> tuple[str, str]:
    """A check that was answered, with an objection; and one that waits for consent."""
    exchange.checks.ship()
    made = [
        exchange.checks.begin(
            SYSTEM, agency=HOUSING, scenario="public-credit", persons=["11010119900101001X"],
            inputs={},
        )
        for _ in range(2)
    ]  # fmt: skip
    exchange.verifying.consents.decide(made[1].tokens[0], agree=True)
    exchange.checks.work()
    objected = exchange.verifying.corrections.ask(
        SYSTEM, made[1].check.id, "records", 0, "The judgement was lifted in March."
    )
    return made[1].check.id, objected.id


def _licences(exchange: Exchange) -> tuple[str, str]:
    licensing = exchange.licensing
    made = licensing.types.create(SYSTEM, licence_type(four_eyes=True), BASE)
    found = licensing.licences.propose(SYSTEM, made.id, Wish("case-2026-77", CLAIMS))
    return made.id, found.licence.id


def _dataspace(exchange: Exchange, data: str, called: str) -> str:
    dataspacing = exchange.dataspacing
    dataspacing.participants.register(
        SYSTEM, PEER, agency=TAX, address="https://exchange.province.example/dsp/2025-1"
    )
    given = replace(GIVEN, fields=tuple(AskedField(one) for one in FIELDS))
    dataspacing.dataspace.offer(
        SYSTEM, dataset=data, service=called, given=given,
        legal_basis="Measures for data sharing, article 3", target="", offer="",
    )  # fmt: skip
    made = dataspacing.dataspace.negotiate(
        SYSTEM, agency=HOUSING, provider=PEER, dataset="urn:province:households", offer="offer-7"
    )
    return made.id
