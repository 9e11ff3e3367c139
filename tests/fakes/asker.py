"""A gateway for checks that asks the registries of a synthetic city straight."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import rfc8785
import urllib3

from workloads.data_exchange.checks.model import Why
from workloads.data_exchange.checks.ports import Answer, Ask, Late, Refused

_OK, _SERVER_ERRORS = 200, 500


class FakeAsker:
    """Asks ``<base>/<service>`` by POST; the receipt is a digest of question and answer.

    Args:
        base: where the registries are.
        provider: path of the agency that has all of them.
    """

    def __init__(self, base: str, provider: str) -> None:
        self._base, self._provider = base, provider
        self._pool = urllib3.PoolManager(maxsize=32, retries=False)

    def provider(self, _service: str) -> str:
        """Who answers; see the port."""
        return self._provider

    def ask(self, ask: Ask, *, patience: float) -> Answer:
        """Ask once; see the port."""
        try:
            said = self._pool.request(
                "POST", f"{self._base}/{ask.service}", json=dict(ask.body), timeout=patience,
                redirect=False,
            )  # fmt: skip
        except urllib3.exceptions.HTTPError:
            raise Late(Why.SLOW) from None
        if said.status >= _SERVER_ERRORS:
            raise Late(Why.DOWN)
        receipt = hashlib.sha256(rfc8785.dumps({"key": ask.key, **ask.body}) + said.data)
        if said.status != _OK:
            raise Refused(str(said.status), f"sha256:{receipt.hexdigest()}")
        return Answer(_json(said.data), f"sha256:{receipt.hexdigest()}")


def _json(raw: bytes) -> Mapping[str, Any]:
    read: Mapping[str, Any] = json.loads(raw)
    return read
