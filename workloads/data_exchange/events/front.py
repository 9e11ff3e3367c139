"""What a gateway answers about events: publish, pull, acknowledge.

``POST /topics/SERVICE/events`` takes CloudEvents from who shows an API token of the exchange.
``GET /subscriptions/ID/events`` and ``POST /subscriptions/ID/acks`` are asked as services are: with
a grant and a proof. Web-hooks are told by ``delivering.py``.
"""

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from foundation.kernel.actor import Actor
from foundation.kernel.errors import BoroughError, Invalid, NotFound, Unauthenticated, Unavailable
from workloads.data_exchange.events.cloudevents import BATCHED
from workloads.data_exchange.events.delivering import Delivering
from workloads.data_exchange.events.model import Kept
from workloads.data_exchange.events.service import Full, Topics
from workloads.data_exchange.events.subscribing import Pulled, Subscriptions
from workloads.data_exchange.gateway.book import Ruling
from workloads.data_exchange.gateway.documents import NotJson, dump, read
from workloads.data_exchange.gateway.entrance import Entrance, Visit
from workloads.data_exchange.gateway.model import Refusal
from workloads.data_exchange.gateway.server import Request, Response, problem
from workloads.data_exchange.gateway.shaping import Shaper

_TOPIC = re.compile(rb"/topics/([A-Za-z0-9_-]{1,100})/events", re.ASCII)
_PULL = re.compile(
    rb"(/subscriptions/(sub_[0-9a-z]{26})/events)"
    rb"(?:\?(?:limit=([0-9]{1,4}))?&?(?:wait=([0-9]{1,2}))?)?",
    re.ASCII,
)
_ACK = re.compile(rb"(/subscriptions/(sub_[0-9a-z]{26})/acks)", re.ASCII)
_LIMIT, _WAIT_MAX = 100, 30
#: How often it is looked whether there is more, and how often whether it may still be handed out.
_LOOK_SECONDS, _WAITING = 0.2, 1_000
#: Faults that are named, and how much of the name of each.
_SHOWN, _FIELD = 1_000, 200


class EventFront:
    """The addresses of topics and subscriptions.

    Args:
        entrance: lets consumers in.
        topics, subscriptions: the use cases.
        bearer: the actor of an API token.
        shapers: makes the shaper of a ruling for records of events.
        delivering: tells web-hooks.
    """

    prefixes = (b"/topics/", b"/subscriptions/")

    def __init__(
        self, entrance: Entrance, topics: Topics, subscriptions: Subscriptions,
        bearer: Callable[[str], Actor], shapers: "Shapers", delivering: Delivering,
    ) -> None:  # fmt: skip
        self._entrance = entrance
        self._topics = topics
        self._subscriptions = subscriptions
        self._bearer = bearer
        self._shapers = shapers
        self._delivering = delivering
        self._heads: dict[str, int] = {}
        self._looked = asyncio.Condition()
        self._waiting = 0

    def streams(self, method: str, target: bytes) -> bool:  # noqa: ARG002 - of the port
        """Events are small: none."""
        return False

    async def run(self) -> None:
        """Look for new events for those who wait, and tell web-hooks."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look())
            tasks.create_task(self._delivering.run())

    async def _look(self) -> None:
        while True:
            if self._waiting:
                with suppress(Exception):  # the next look may find the database again
                    self._heads = await asyncio.to_thread(self._topics.heads)
                    async with self._looked:
                        self._looked.notify_all()
            await asyncio.sleep(_LOOK_SECONDS)

    async def handle(self, request: Request) -> Response:
        """The answer."""
        topic = _TOPIC.fullmatch(request.target)
        if topic is not None:
            _only("POST", request)
            return await self._publish(request, topic[1].decode())
        pull, ack = _PULL.fullmatch(request.target), _ACK.fullmatch(request.target)
        if pull is not None:
            _only("GET", request)
            limit, wait = int(pull[3] or _LIMIT), min(int(pull[4] or 0), _WAIT_MAX)
            route, path, name = "/subscriptions/{subscription}/events", pull[1], pull[2]
            answer = partial(self._pull, name.decode(), max(limit, 1), wait)
        elif ack is not None:
            _only("POST", request)
            route, path, name = "/subscriptions/{subscription}/acks", ack[1], ack[2]
            answer = partial(self._ack, request, name.decode())
        else:
            raise Refusal(404, "address", "there is no such topic or subscription")
        visit = await self._entrance.visit(request, path.decode(), route)
        return await self._entrance.finished(visit, answer)

    async def _publish(self, request: Request, service: str) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            if scheme.lower() != "bearer" or not token:
                raise Unauthenticated("an API token is needed: Authorization: Bearer …")
            actor = await asyncio.to_thread(self._bearer, token)
            done = await asyncio.to_thread(
                self._topics.publish, actor, service, request.headers, request.body
            )
        except Invalid as error:
            return _wrong(error)
        except BoroughError as error:
            raise _refused(error) from None
        told = dump({"taken": done.taken, "known": done.known}).encode()
        return Response(200, {"content-type": "application/json"}, told)

    async def _pull(self, name: str, limit: int, wait: int, visit: Visit) -> Response:
        await self._entrance.let_through(visit)
        agreement, loop = visit.ruling.terms.agreement, asyncio.get_running_loop()
        until, seen = loop.time() + wait, -1
        while True:
            try:
                there, pulled = await asyncio.to_thread(
                    self._subscriptions.pull, agreement, name, limit
                )
            except NotFound:
                raise Refusal(404, "subscription", "there is no such subscription") from None
            if pulled.events or loop.time() >= until:
                return await self._handed(visit, pulled)
            seen = await self._more(there.topic, seen, until)
            await self._entrance.still(visit)

    async def _more(self, topic: str, seen: int, until: float) -> int:
        """Wait until a topic has got more than was seen, or a second went by."""
        if self._waiting >= _WAITING:
            raise Refusal(503, "busy", "too many wait for events", retry_after=5)
        self._waiting += 1
        try:
            end = min(until, asyncio.get_running_loop().time() + 1.0)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(end), self._looked:
                    await self._looked.wait_for(lambda: self._heads.get(topic, 0) > max(seen, 0))
        finally:
            self._waiting -= 1
        return self._heads.get(topic, 0)

    async def _handed(self, visit: Visit, pulled: Pulled) -> Response:
        shaped = await asyncio.to_thread(self._shapers.shape, visit.ruling, pulled.events)
        await self._entrance.rows(visit, len(shaped))
        visit.decisions += ["events", *self._shapers.decisions(visit.ruling)]
        if len(shaped) < len(pulled.events):
            visit.decisions.append(f"rows-left-out:{len(pulled.events) - len(shaped)}")
        most = visit.ruling.terms.limits.rows_per_call
        if most is not None and len(shaped) > most:
            raise Refusal(403, "rows", "the answer has more rows than agreed: ask for less")
        headers = {
            "content-type": BATCHED, "cache-control": "no-store", "exchange-token": pulled.token,
        }  # fmt: skip
        body = ("[" + ",".join(shaped) + "]").encode()
        return await self._entrance.handed(visit, Response(200, headers, body))

    async def _ack(self, request: Request, name: str, visit: Visit) -> Response:
        await self._entrance.let_through(visit, count=False)
        try:
            told = read(request.body)
        except NotJson:
            told = None
        token = told.get("token") if isinstance(told, dict) and set(told) == {"token"} else None
        if not isinstance(token, str):
            raise Refusal(400, "token", 'the body is {"token": "…"}, as it came with the events')
        try:
            lag = await asyncio.to_thread(
                self._subscriptions.acknowledge, visit.ruling.terms.agreement, name, token
            )
        except NotFound:
            raise Refusal(404, "subscription", "there is no such subscription") from None
        except Invalid:
            raise Refusal(400, "token", "the token is none that was given with events") from None
        except BoroughError:
            raise Refusal(409, "moved", "the subscription was moved: ask again") from None
        headers = {"content-type": "application/json", "cache-control": "no-store"}
        visit.decisions.append("acknowledged")
        return await self._entrance.handed(
            visit, Response(200, headers, dump({"lag": lag}).encode())
        )


class Shapers:
    """Makes of events what an agreement allows: fields, rows and masks of their records.

    Args:
        secret: gives the key of an agreement's pseudonyms.
    """

    def __init__(self, secret: Callable[[str], bytes]) -> None:
        self._secret = secret
        self._made: dict[str, tuple[str, Shaper]] = {}

    def _of(self, ruling: Ruling) -> Shaper:
        terms = ruling.terms
        made = self._made.get(terms.agreement)
        if made is None or made[0] != terms.digest:
            # An event's data is one record: nothing lies around it.
            shaper = Shaper("", terms.fields, terms.rows, self._secret(terms.agreement))
            made = self._made[terms.agreement] = (terms.digest, shaper)
        return made[1]

    def decisions(self, ruling: Ruling) -> Sequence[str]:
        """What is done to each, for the receipt."""
        return self._of(ruling).decisions

    def shape(self, ruling: Ruling, events: Sequence[Kept]) -> list[str]:
        """Those that may be handed out, as JSON."""
        shaper, made = self._of(ruling), []
        for one in events:
            told: dict[str, Any] = json.loads(one.envelope)
            data = shaper.shape(told["data"]).value
            if data is None:
                continue
            # Of the context stays what an agreement cannot withhold: what names and orders it.
            # ``subject`` and extensions may name a person, whom the fields may hide.
            shown = {name: told[name] for name in _CONTEXT if name in told}
            shown |= {"sequence": f"{one.partition:03d}-{one.position:018d}", "data": data}
            made.append(dump(shown))
        return made


_CONTEXT = (
    "specversion", "id", "source", "type", "time", "datacontenttype", "dataschema",
)  # fmt: skip


def _only(method: str, request: Request) -> None:
    if request.method != method:
        raise Refusal(405, "method", f"only {method} is taken here")


def _wrong(error: Invalid) -> Response:
    """Every wrong attribute, as problem+json."""
    kinds = {one.code for one in error.problems}
    answer = problem(
        Refusal(
            415 if "unsupported" in kinds else 422, "invalid", "the events are not as described"
        )
    )
    told = json.loads(answer.body)
    told["wrong"] = len(error.problems)
    told["errors"] = [
        {"field": one.field[:_FIELD], "message": one.message, "code": one.code}
        for one in error.problems[:_SHOWN]
    ]
    return Response(answer.status, answer.headers, dump(told).encode())


def _refused(error: BoroughError) -> Refusal:
    if isinstance(error, Full):
        return Refusal(429, "full", error.message, retry_after=int(error.retry_after))
    if isinstance(error, Unavailable):
        return Refusal(503, "unavailable", error.message, retry_after=int(error.retry_after))
    statuses = {"unauthenticated": 401, "not_found": 404, "forbidden": 403}
    return Refusal(statuses.get(error.code, 409), error.code, error.message)
