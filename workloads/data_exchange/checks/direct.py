"""Asks providers straight over HTTP: for registries that are reached without an agreement.

The addresses are settings of who runs the exchange, never of who asks. The receipt is the digest of
what was sent and answered, until the gateway gives one of its own.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import rfc8785
import urllib3

from workloads.data_exchange.checks.ports import Answer, Late, Refused

_MOST_BYTES = 1_000_000
_OK, _SERVER_ERRORS, _TOO_MANY = 200, 500, 429


class DirectAsker:
    """Asks ``<base>/<service>`` by POST.

    Args:
        base: where the registries are; empty: there are none, and every question is late.
    """

    def __init__(self, base: str) -> None:
        self._base = base.rstrip("/")
        self._pool = urllib3.PoolManager(maxsize=32, retries=False)

    def ask(
        self, path: str, service: str, body: Mapping[str, Any], *, key: str, patience: float
    ) -> Answer:
        """Ask once; see the port."""
        if not self._base:
            raise Late("no registries are known")
        try:
            said = self._pool.request(
                "POST", f"{self._base}/{service}", json=dict(body), timeout=patience,
                headers={"Idempotency-Key": key, "X-Agency": path}, preload_content=False,
                redirect=False,
            )  # fmt: skip
            raw = said.read(_MOST_BYTES + 1)
            said.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise Late(type(error).__name__) from None
        if said.status >= _SERVER_ERRORS or said.status == _TOO_MANY:
            raise Late(str(said.status))
        proof = hashlib.sha256(rfc8785.dumps({"key": key, **body}) + raw).hexdigest()
        receipt = f"sha256:{proof}"
        if said.status != _OK or len(raw) > _MOST_BYTES:
            raise Refused(str(said.status), receipt)
        try:
            read = _json(raw)
        except ValueError:
            raise Refused("no JSON", receipt) from None
        return Answer(read, receipt)


def _json(raw: bytes) -> Mapping[str, Any]:
    read = json.loads(raw)
    if not isinstance(read, dict):
        raise ValueError("no object")  # noqa: TRY004 - the answer is wrong, not our call
    return read
