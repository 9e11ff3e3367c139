"""A call from its request to its answer; nothing leaves before its receipt is durable."""

import contextlib
import hashlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from foundation.kernel.time import Clock
from workloads.data_exchange.gateway.addresses import Address
from workloads.data_exchange.gateway.answers import Cache, records
from workloads.data_exchange.gateway.book import Book, Ruling
from workloads.data_exchange.gateway.counts import Allowance
from workloads.data_exchange.gateway.credentials import Grants
from workloads.data_exchange.gateway.documents import dump
from workloads.data_exchange.gateway.later import Later, Whose, accepted
from workloads.data_exchange.gateway.model import Grant, Proof, Refusal
from workloads.data_exchange.gateway.server import Request, Response, problem
from workloads.data_exchange.gateway.signed import Signatures, Unwritten, with_receipt, written
from workloads.data_exchange.gateway.upstream import Answer, Failed, Upstream
from workloads.data_exchange.receipts.model import Draft, Receipt, ReceiptKind, digest
from workloads.data_exchange.receipts.writer import Writer

#: What of a request reaches the provider; everything else, credentials first, stays here.
_PASSED = ("accept", "accept-language", "content-type")
#: What of a file's answer reaches the consumer.
_SHOWN = ("content-type", "etag", "last-modified")
_JSON = "application/json"
_LATER = b"/calls/"
_CALL = re.compile(rb"/calls/rcp_[0-9a-z-]{10,80}")


@dataclass(slots=True)
class Call:
    """One call on its way.

    Attributes:
        began: for its duration.
        decisions: what the policy did, for the receipt.
        begun: the receipt of its beginning, when one was written.
        rows: records that are handed out.
    """

    request: Request
    address: Address
    grant: Grant
    proof: Proof
    ruling: Ruling
    target: str
    body: str
    at: datetime
    began: float
    route: str = ""
    decisions: list[str] = field(default_factory=list)
    begun: Receipt | None = None
    rows: int = 0

    @property
    def once(self) -> bool:
        """Whether making it twice may do harm."""
        return not self.ruling.provider.repeatable


class Calls:
    """Answers calls.

    Args:
        url: the gateway's own address as consumers write it, without a slash at the end; empty:
            as the ``Host`` of each request says, by http.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - its parts
        self,
        book: Book,
        grants: Grants,
        upstream: Upstream,
        writer: Writer,
        allowance: Allowance,
        clock: Clock,
        later: Later,
        url: str = "",
        counted: Callable[[int, float], None] = lambda _status, _seconds: None,
    ) -> None:
        self._book = book
        self._signatures = Signatures(grants, url)
        self._upstream = upstream
        self._writer = writer
        self._allowance = allowance
        self._clock = clock
        self._later = later
        self._counted = counted
        self._cache = Cache()

    async def handle(self, request: Request) -> Response:
        """The answer to a request."""
        began = time.perf_counter()
        try:
            response = await self._handle(request, began)
        except Refusal as refusal:
            response = problem(refusal)
        except Unwritten as final:
            response = problem(final.refusal)
        self._counted(response.status, time.perf_counter() - began)
        return response

    async def _handle(self, request: Request, began: float) -> Response:
        if request.target.startswith(_LATER):
            return await self._fetched(request)
        call = await self._known(request, began)
        if "respond-async" in request.headers.get("prefer", "") and not call.ruling.provider.raw:
            return await self._accepted(call)
        return await self._finished(call, self._answer)

    async def _finished(
        self, call: Call, answer: Callable[[Call], Awaitable[Response]]
    ) -> Response:
        """The answer, or the refusal with its receipt."""
        try:
            return await answer(call)
        except Refusal as refusal:
            response = problem(refusal)
            call.rows = 0
            receipt = await self._end(call, response, [*call.decisions, f"refused:{refusal.code}"])
        return with_receipt(response, receipt)

    async def _accepted(self, call: Call) -> Response:
        """A call whose answer is fetched later: begun, on record, and let go."""

        async def begin(call: Call) -> Response:
            await self._let_through(call)
            call.begun = await self._write(call, ReceiptKind.BEGUN, 0, "", 0, ())
            provider = call.ruling.provider
            most = timedelta(seconds=2 * (provider.connect_seconds + provider.read_seconds) + 60)
            whose = Whose(call.begun.id, call.grant.agreement, call.grant.key)
            await self._later.begin(whose, call.at + most, call.at, work)
            return with_receipt(accepted(call.begun.id), call.begun)

        async def work() -> Response:
            try:
                return await self._finished(call, self._given)
            except Unwritten as final:
                return problem(final.refusal)

        return await self._finished(call, begin)

    async def _fetched(self, request: Request) -> Response:
        """The answer of a call that was accepted before; signed as every request."""
        if request.method != "GET" or not _CALL.fullmatch(request.target):
            raise Refusal(404, "address", "the address is not one of a service's")
        path, now = request.target.decode(), self._clock.now()
        grant = self._signatures.verify(request, path, now).grant
        ruling = await self._book.ruling(grant.agreement, grant.key)
        if not ruling.terms.holds_at(now) or grant.consumer != ruling.terms.consumer:
            raise Refusal(403, "term", "the agreement is not in force")
        whose = Whose(path.removeprefix("/calls/"), grant.agreement, grant.key)
        return await self._later.find(whose, now)

    async def _known(self, request: Request, began: float) -> Call:
        """Who calls, and what is agreed; what fails here is nobody's call and has no receipt."""
        address, now = Address(request.target), self._clock.now()
        grant, proof, target, body = self._signatures.verify(request, address.path, now)
        ruling = await self._book.ruling(grant.agreement, grant.key)
        return Call(request, address, grant, proof, ruling, target, body, now, began)

    async def _let_through(self, call: Call) -> None:
        _check(call)
        await self._allowance.call(call.grant.agreement, call.ruling.terms.limits, call.at)

    async def _answer(self, call: Call) -> Response:
        await self._let_through(call)
        if call.once:
            call.begun = await self._write(call, ReceiptKind.BEGUN, 0, "", 0, ())
        return await self._given(call)

    async def _given(self, call: Call) -> Response:
        kept = self._cache.find(call.ruling, call.request, call.at)
        if kept is not None:
            call.decisions.append("cached")
            return await self._hand_out(call, kept)
        return await self._asked(call)

    async def _asked(self, call: Call) -> Response:
        provider, request = call.ruling.provider, call.request
        headers = {name: request.headers[name] for name in _PASSED if name in request.headers}
        headers["accept-encoding"] = "identity"
        rest = call.address.rest + call.address.query
        asking = self._upstream.ask(provider, request.method, rest, headers, request.body)
        if provider.raw:
            return await self._streamed(call, asking)
        try:
            async with asking as answer:
                data = await answer.read()
        except Failed as error:
            raise _failed(error) from None
        _check_answer(answer)
        value = records(call.ruling, answer, data)
        self._cache.keep(call.ruling, request, answer, value, call.at, len(data))
        return await self._hand_out(call, value)

    async def _hand_out(self, call: Call, value: object) -> Response:
        """Records as agreed, once their receipt is durable."""
        terms = call.ruling.terms
        shaped = call.ruling.shaper.shape(value)
        most = terms.limits.rows_per_call
        if most is not None and shaped.rows > most:
            raise Refusal(403, "rows", "the answer has more rows than agreed: ask for less")
        await self._allowance.rows(terms.agreement, terms.limits, shaped.rows)
        call.rows = shaped.rows
        call.decisions += call.ruling.shaper.decisions
        if shaped.left_out:
            call.decisions.append(f"rows-left-out:{shaped.left_out}")
        if shaped.value is None:
            raise Refusal(404, "rows", "there is no such record that may be handed out")
        body = dump(shaped.value).encode()
        response = Response(200, {"content-type": _JSON, "cache-control": "no-store"}, body)
        return with_receipt(response, await self._end(call, response, call.decisions))

    async def _streamed(
        self, call: Call, asking: contextlib.AbstractAsyncContextManager[Answer]
    ) -> Response:
        """A file or a picture: a receipt before the first byte, and one before the last.

        The digest is known at the end only. So the beginning is written before anything leaves, and
        the last part is held back until the end, with the digest, is written: nobody has the whole
        without a receipt of it.
        """
        async with contextlib.AsyncExitStack() as stack:
            try:
                answer = await stack.enter_async_context(asking)
            except Failed as error:
                raise _failed(error) from None
            _check_answer(answer)
            call.decisions.append("streamed")
            if call.begun is None:
                call.begun = await self._write(call, ReceiptKind.BEGUN, answer.status, "", 0, ())
            kept = stack.pop_all()
        headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
        headers |= {name: answer.headers[name] for name in _SHOWN if name in answer.headers}
        length = answer.headers.get("content-length", "")
        response = Response(
            200, headers, stream=self._poured(call, answer, kept),
            length=int(length) if length.isdecimal() else None,
        )  # fmt: skip
        return with_receipt(response, call.begun)

    async def _poured(
        self, call: Call, answer: Answer, asking: contextlib.AsyncExitStack
    ) -> AsyncIterator[bytes]:
        hashed, size, held, whole = hashlib.sha256(), 0, b"", False
        try:
            async with asking:
                async for part in answer.stream():
                    if held:
                        yield held
                    hashed.update(part)
                    size += len(part)
                    held = part
                told = "sha256:" + hashed.hexdigest()
                await self._write(call, ReceiptKind.ENDED, 200, told, size, tuple(call.decisions))
                whole = True
                yield held
        finally:
            if not whole:
                told = "sha256:" + hashed.hexdigest()
                with contextlib.suppress(Unwritten):
                    await self._write(call, ReceiptKind.ENDED, 0, told, size, ("broken-off",))

    async def _end(self, call: Call, response: Response, decisions: "list[str]") -> Receipt:
        kind = ReceiptKind.CALL if call.begun is None else ReceiptKind.ENDED
        body = digest(response.body)
        size = len(response.body)
        return await self._write(call, kind, response.status, body, size, tuple(decisions))

    async def _write(
        self, call: Call, kind: ReceiptKind, status: int, answer: str, size: int,
        decisions: tuple[str, ...],
    ) -> Receipt:  # fmt: skip
        terms, first = call.ruling.terms, call.begun is None
        draft = Draft(
            kind, self._clock.now(), terms.agreement, terms.digest, call.grant.id, terms.consumer,
            terms.provider, terms.dataset, terms.service, call.grant.key,
            call.proof.text if first else "", call.request.method, call.route, call.target,
            call.body, call.proof.purpose, status, answer, call.rows, size,
            int((time.perf_counter() - call.began) * 1000), decisions,
            "" if call.begun is None else call.begun.id,
        )  # fmt: skip
        proof = call.proof if first else None
        return await written(self._writer, draft, call.grant.key, proof, call.at)


def _check(call: Call) -> None:
    """Method, path, purpose and term, each as agreed."""
    terms, provider = call.ruling.terms, call.ruling.provider
    route = call.ruling.paths.match(call.address.rest)
    call.route = route or ""
    if call.address.service != terms.service:
        raise Refusal(403, "service", "the agreement is about another service")
    if call.grant.consumer != terms.consumer:
        raise Refusal(403, "consumer", "the agreement is another agency's")
    if not terms.holds_at(call.at):
        raise Refusal(403, "term", "the agreement is not in force")
    if call.proof.purpose not in terms.purposes & call.grant.purposes:
        raise Refusal(403, "purpose", "the data is not agreed on for this purpose")
    if call.request.method not in provider.methods:
        raise Refusal(405, "method", "the interface does not take this method")
    if route is None:
        raise Refusal(404, "path", "the interface has no such path")


def _check_answer(answer: Answer) -> None:
    """Of a provider's statuses only few are passed on, and none of its words."""
    status = answer.status
    if status in {400, 404, 409, 422}:
        raise Refusal(status, "provider", "the provider has nothing for this request")
    if status != 200:  # noqa: PLR2004
        raise Refusal(502, "provider", "the provider did not answer as agreed")
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal(502, "provider", "the provider did not answer as agreed")


def _failed(error: Failed) -> Refusal:
    if error.slow:
        return Refusal(504, "provider", "the provider did not answer in time", retry_after=10)
    return Refusal(502, "provider", "the provider did not answer", retry_after=10)
