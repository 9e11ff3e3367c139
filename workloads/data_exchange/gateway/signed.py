"""What every signed request goes through: who signed it, and the receipt of what became of it."""

from datetime import datetime
from typing import NamedTuple

from workloads.data_exchange.gateway.credentials import Grants, Proofs, Seen, replayed
from workloads.data_exchange.gateway.model import WINDOW, Grant, Proof, Refusal
from workloads.data_exchange.gateway.server import Request, Response
from workloads.data_exchange.proofs.keys import encoded
from workloads.data_exchange.receipts.model import Draft, Receipt, digest
from workloads.data_exchange.receipts.writer import NotWritten, Replayed, Writer
from workloads.data_exchange.receipts.writer import Request as Once


class Signed(NamedTuple):
    """Who signed a request.

    Attributes:
        target, body: digests of the address and of the body as they came; empty for no body.
    """

    grant: Grant
    proof: Proof
    target: str
    body: str


class Signatures:
    """Verifies who signed a request, and that it did not come before.

    Args:
        grants: verifies grants.
        url: the gateway's own address; empty: as the ``Host`` of each request says, by http.
    """

    def __init__(self, grants: Grants, url: str) -> None:
        self._grants = grants
        self._proofs = Proofs()
        self._seen = Seen()
        self._url = url

    def verify(self, request: Request, path: str, now: datetime) -> Signed:
        """Who signed a request, its path without the query.

        Raises:
            Refusal: there is no grant or no proof that is good, or the request came before.
        """
        target, body = digest(request.target), digest(request.body) if request.body else ""
        grant = self._grants.verify(_token(request), now)
        url = f"{self._url or 'http://' + request.headers['host']}{path}"
        text = request.headers.get("dpop", "")
        proof = self._proofs.verify(text, grant, request.method, url, target, body, now)
        self._seen.take(grant.key, proof.nonce, proof.issued, now)
        return Signed(grant, proof, target, body)


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "dpop" or not token:
        raise Refusal(401, "grant", "a grant is needed: Authorization: DPoP …",
                      challenge="invalid_token")  # fmt: skip
    return token


class Unwritten(Exception):
    """A refusal that has no receipt, because it is about receipts."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


async def written(
    writer: Writer, draft: Draft, key: str, proof: Proof | None, at: datetime
) -> Receipt:
    """The receipt, once it is durable.

    Args:
        writer: makes it durable.
        draft: what it says.
        key: that signed the request.
        proof: of the request, when this is its first receipt: it must not have come before.
        at: when the request came.

    Raises:
        Unwritten: it cannot be written, or the request came before.
    """
    once = None
    if proof is not None:
        once = Once(key, proof.nonce, max(at, proof.issued) + 2 * WINDOW)
    try:
        return await writer.write(draft, once)
    except Replayed:
        raise Unwritten(replayed()) from None
    except NotWritten:
        refusal = Refusal(
            503, "receipt", "the receipt cannot be written, so nothing is", retry_after=5
        )
        raise Unwritten(refusal) from None


def with_receipt(response: Response, receipt: Receipt) -> Response:
    """An answer, which now names its receipt."""
    response.headers["exchange-receipt"] = receipt.id
    response.headers["exchange-receipt-hash"] = encoded(receipt.hash)
    return response
