"""Lets in who comes with a grant to what is handed out here itself: batches and events.

The rules are those of calls (``calls.py``): a grant bound to a key, a proof of each request, terms
read within seconds, the purpose, the term, the counts; and a receipt, durable before anything
leaves.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from foundation.kernel.time import Clock
from workloads.data_exchange.gateway.book import Book, Ruling
from workloads.data_exchange.gateway.counts import Allowance
from workloads.data_exchange.gateway.credentials import Grants
from workloads.data_exchange.gateway.model import Proof, Refusal
from workloads.data_exchange.gateway.server import Request, Response, problem
from workloads.data_exchange.gateway.signed import Signatures, Unwritten, with_receipt, written
from workloads.data_exchange.receipts.model import Draft, Receipt, ReceiptKind, digest
from workloads.data_exchange.receipts.writer import Writer


@dataclass(slots=True)
class Visit:
    """One request of a consumer, or one delivery to it.

    Attributes:
        route: the address with its parameters unfilled.
        decisions: what the terms did, for the receipt.
        begun: the receipt of its beginning, when one was written.
        rows: records that are handed out.
        proof: None of a delivery: nobody asked at that moment.
    """

    ruling: Ruling
    grant: str
    key: str
    proof: Proof | None
    purpose: str
    purposes: frozenset[str]
    consumer: str
    method: str
    route: str
    target: str
    body: str
    at: datetime
    began: float
    decisions: list[str] = field(default_factory=list)
    begun: Receipt | None = None
    rows: int = 0


class Entrance:
    """Who may come in.

    Args:
        book: the terms in force.
        grants: verifies grants.
        writer: makes receipts durable.
        allowance: counts.
        clock: the present.
        url: the gateway's own address; empty: as the ``Host`` of each request says, by http.
    """

    def __init__(
        self, book: Book, grants: Grants, writer: Writer, allowance: Allowance, clock: Clock,
        url: str = "",
    ) -> None:  # fmt: skip
        self._book = book
        self._signatures = Signatures(grants, url)
        self._writer = writer
        self._allowance = allowance
        self._clock = clock

    async def visit(self, request: Request, path: str, route: str) -> Visit:
        """Who comes, and what is agreed; what fails here is nobody's and has no receipt.

        Args:
            request: with its whole body.
            path: of its target, without the query.
            route: the same with its parameters unfilled.

        Raises:
            Refusal: there is no grant, no proof, or no agreement in force.
        """
        began, now = time.perf_counter(), self._clock.now()
        grant, proof, target, body = self._signatures.verify(request, path, now)
        ruling = await self._book.ruling(grant.agreement, grant.key)
        return Visit(
            ruling, grant.id, grant.key, proof, proof.purpose, grant.purposes, grant.consumer,
            request.method, route, target, body, now, began,
        )  # fmt: skip

    async def delivery(self, agreement: str, purpose: str, name: str, route: str) -> Visit:
        """A delivery that was asked for once and for all, under the terms of now.

        Args:
            agreement: its id.
            purpose: for which it was asked for.
            name: of what was asked for; in place of a grant.
            route: of the delivery.

        Raises:
            Refusal: there is no such agreement in force.
        """
        began = time.perf_counter()
        ruling = await self._book.ruling(agreement, "")
        terms = ruling.terms
        return Visit(
            ruling, name, "", None, purpose, terms.purposes, terms.consumer, "POST", route,
            digest(route.encode()), "", self._clock.now(), began,
        )  # fmt: skip

    async def let_through(self, visit: Visit, *, count: bool = True) -> None:
        """Consumer, term and purpose as agreed, and one call of those that are left.

        Raises:
            Refusal: one is not.
        """
        terms = visit.ruling.terms
        if visit.consumer != terms.consumer:
            raise Refusal(403, "consumer", "the agreement is another agency's")
        if not terms.holds_at(self._clock.now()):
            raise Refusal(403, "term", "the agreement is not in force")
        if visit.purpose not in terms.purposes & visit.purposes:
            raise Refusal(403, "purpose", "the data is not agreed on for this purpose")
        if count:
            await self._allowance.call(terms.agreement, terms.limits, visit.at)

    async def still(self, visit: Visit) -> None:
        """Look again, in the middle of something long.

        Raises:
            Refusal: what was agreed counts no more.
        """
        visit.ruling = await self._book.ruling(visit.ruling.terms.agreement, visit.key)
        await self.let_through(visit, count=False)

    async def rows(self, visit: Visit, rows: int) -> None:
        """Use some rows, all or none.

        Raises:
            Refusal: there are not so many left.
        """
        limits = visit.ruling.terms.limits
        await self._allowance.rows(visit.ruling.terms.agreement, limits, rows)
        visit.rows = rows

    async def finished(
        self, visit: Visit, answer: Callable[[Visit], Awaitable[Response]]
    ) -> Response:
        """The answer, or the refusal with its receipt."""
        try:
            return await answer(visit)
        except Unwritten as error:
            return problem(error.refusal)
        except Refusal as refusal:
            visit.rows = 0
            visit.decisions.append(f"refused:{refusal.code}")
            response = problem(refusal)
        try:
            return await self.handed(visit, response)
        except Unwritten as error:
            return problem(error.refusal)

    async def handed(self, visit: Visit, response: Response) -> Response:
        """An answer with its receipt, once that is durable.

        Raises:
            Unwritten: it cannot be written: nothing is handed out.
        """
        kind = ReceiptKind.CALL if visit.begun is None else ReceiptKind.ENDED
        told, size = digest(response.body), len(response.body)
        return with_receipt(response, await self.write(visit, kind, response.status, told, size))

    async def poured(
        self, visit: Visit, status: int, parts: AsyncGenerator[bytes, None]
    ) -> AsyncIterator[bytes]:
        """A long body whose beginning was written: the last part leaves when the end is, too."""
        hashed, size, held, whole = sha256(), 0, b"", False
        visit.decisions.append("streamed")
        try:
            async with aclosing(parts):
                async for part in parts:
                    if held:
                        yield held
                    hashed.update(part)
                    size += len(part)
                    held = part
            told = "sha256:" + hashed.hexdigest()
            await self.write(visit, ReceiptKind.ENDED, status, told, size)
            whole = True
            yield held
        finally:
            if not whole:
                visit.decisions.append("broken-off")
                told = "sha256:" + hashed.hexdigest()
                with suppress(Unwritten):
                    await self.write(visit, ReceiptKind.ENDED, 0, told, size)

    async def write(
        self, visit: Visit, kind: ReceiptKind, status: int, answer: str, size: int
    ) -> Receipt:
        """The receipt, once it is durable.

        Raises:
            Unwritten: it cannot be written, or the request came before.
        """
        terms, first = visit.ruling.terms, visit.begun is None
        proof = visit.proof if first else None
        draft = Draft(
            kind, self._clock.now(), terms.agreement, terms.digest, visit.grant, terms.consumer,
            terms.provider, terms.dataset, terms.service, visit.key,
            proof.text if proof is not None else "", visit.method, visit.route, visit.target,
            visit.body, visit.purpose, status, answer, visit.rows, size,
            int((time.perf_counter() - visit.began) * 1000), tuple(visit.decisions),
            "" if visit.begun is None else visit.begun.id,
        )  # fmt: skip
        return await written(self._writer, draft, visit.key, proof, visit.at)
