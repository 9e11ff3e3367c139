"""Asks providers through the gateway, as any consumer does.

The agreement is the asking agency's own, the key that signs the one that the exchange keeps for it,
the grant is short-lived and bound to that key; each request carries a proof (RFC 9449). So every
question stands in the receipts of its agreement, whatever became of it.
"""

import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import urllib3

from foundation.kernel.actor import Actor
from foundation.kernel.errors import BoroughError, Conflict
from foundation.kernel.paging import everything
from foundation.kernel.time import Clock
from workloads.data_exchange.agreements.contracts.model import AgreementState
from workloads.data_exchange.agreements.contracts.service import Agreements
from workloads.data_exchange.agreements.grants.model import REQUEST
from workloads.data_exchange.agreements.grants.service import Grants
from workloads.data_exchange.checks.connections import Connections
from workloads.data_exchange.checks.model import Why
from workloads.data_exchange.checks.ports import Answer, Ask, Late, Refused
from workloads.data_exchange.keys.service import Keys
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import PrivateKey
from workloads.data_exchange.proofs.requests import prove

_MOST_BYTES = 1_000_000
_SYSTEM = Actor.system("checks")
#: A grant that ends sooner is not used any more.
_MARGIN = timedelta(seconds=120)
_OK, _UNAUTHENTICATED, _FORBIDDEN, _LATE = 200, 401, 403, 504
#: What a provider says when it cannot answer; the gateway passes no other status of it on.
_CANNOT = frozenset({400, 404, 409, 422})


@dataclass(frozen=True, slots=True)
class Where:
    """Where the gateway is: the address that is connected to, and the one that is signed."""

    reach: str
    signed: str


@dataclass(frozen=True, slots=True)
class _Grant:
    token: str
    ends: datetime


class GatewayAsker:
    """Asks by ``POST`` with a body of what the scenario sends and a ``reference``.

    The reference is the same for the same question of a check, so that a provider may know a
    question again; and nobody without our secret guesses the body from its digest in a receipt.

    Args:
        connections: which service answers.
        agreements, grants, keys: of the agency that asks.
        clock: ours.
        secret: for references.
        where: the gateway; None when there is none now.
    """

    def __init__(
        self,
        connections: Connections,
        agreements: Agreements,
        grants: Grants,
        keys: Keys,
        clock: Clock,
        secret: bytes,
        where: Callable[[], Where | None],
    ) -> None:
        self._connections, self._agreements, self._grants = connections, agreements, grants
        self._keys, self._clock, self._secret, self._where = keys, clock, secret, where
        self._pool = urllib3.PoolManager(maxsize=32, retries=False)
        self._held: dict[tuple[str, ...], _Grant] = {}
        self._lock = threading.Lock()

    def ask(self, ask: Ask, *, patience: float) -> Answer:
        """Ask once; see the port."""
        connection = self._connections.find(ask.service) if ask.provider else None
        if connection is None:
            raise Late(Why.NOT_CONNECTED)
        where = self._where()
        if where is None:
            raise Late(Why.NO_GATEWAY)
        try:
            key = self._keys.private(ask.path)
        except Conflict:
            raise Late(Why.NO_KEY) from None
        held = (ask.path, ask.provider, connection.service, ask.purpose, key.kid)
        token = self._token(held, ask, connection.service, key)
        body = json.dumps({**ask.body, "reference": self._reference(ask.key)}).encode()
        target = f"/services/{connection.service}{connection.path}"
        proof = prove(
            key, method="POST", url=where.signed + target, target=target, grant=token,
            at=self._clock.now(), nonce=secrets.token_urlsafe(16), purpose=ask.purpose, body=body,
        )  # fmt: skip
        headers = {
            "Authorization": f"DPoP {token}", "DPoP": proof, "Accept": "application/json",
            "Content-Type": "application/json",
        }  # fmt: skip
        try:
            said = self._pool.request(
                "POST", where.reach + target, body=body, headers=headers, timeout=patience,
                preload_content=False, redirect=False,
            )  # fmt: skip
            raw = said.read(_MOST_BYTES + 1)
            said.release_conn()
        except urllib3.exceptions.TimeoutError:
            raise Late(Why.SLOW) from None
        except urllib3.exceptions.HTTPError:
            raise Late(Why.NO_GATEWAY) from None
        if said.status in {_UNAUTHENTICATED, _FORBIDDEN}:
            with self._lock:
                self._held.pop(held, None)
        return _answer(said.status, said.headers.get("exchange-receipt", ""), raw)

    def _token(self, held: tuple[str, ...], ask: Ask, service: str, key: PrivateKey) -> str:
        """A grant that is good for a while; one is asked for when there is none."""
        now = self._clock.now()
        with self._lock:
            self._held = {one: grant for one, grant in self._held.items() if grant.ends > now}
            there = self._held.get(held)
        if there is not None:
            return there.token
        agreement = self._agreement(ask, service)
        told = {"agreement": agreement, "iat": int(now.timestamp()), "purposes": [ask.purpose]}
        try:
            given = self._grants.issue_signed(agreement, jws.sign(told, key, REQUEST))
        except BoroughError:  # revoked or ended just now, or the key was
            raise Late(Why.NO_AGREEMENT) from None
        ends = now + timedelta(seconds=given.seconds) - _MARGIN
        with self._lock:
            self._held[held] = _Grant(given.token, ends)
        return given.token

    def _agreement(self, ask: Ask, service: str) -> str:
        """An agreement in force that the question may be asked under.

        One with conditions on rows does not serve: what it leaves out would be taken for nothing.
        """
        list_ = partial(
            self._agreements.agreements, _SYSTEM, state=AgreementState.IN_FORCE, party=ask.path
        )
        for one in everything(list_):
            if (one.consumer, one.provider, one.service) == (ask.path, ask.provider, service):
                terms = self._agreements.terms(self._agreements.version(_SYSTEM, one.id))
                if ask.purpose in terms.purposes and not terms.rows:
                    return str(one.id)
        raise Late(Why.NO_AGREEMENT)

    def _reference(self, key: str) -> str:
        return hmac.new(self._secret, key.encode(), hashlib.sha256).hexdigest()


def _answer(status: int, receipt: str, raw: bytes) -> Answer:
    """What an answer of the gateway is."""
    if status == _OK and receipt and len(raw) <= _MOST_BYTES:
        return Answer(_json(raw), receipt)
    code = _json(raw).get("code") if len(raw) <= _MOST_BYTES else None
    if status == _OK or (status in _CANNOT and code in {"provider", "rows"}):
        raise Refused(str(status), receipt)
    if status in {_UNAUTHENTICATED, _FORBIDDEN} or status in _CANNOT:
        raise Late(Why.NOT_ALLOWED)
    raise Late(Why.SLOW if status == _LATE else Why.DOWN)


def _json(raw: bytes) -> Mapping[str, Any]:
    """A JSON object; the empty one for what is none."""
    try:
        read = json.loads(raw)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
