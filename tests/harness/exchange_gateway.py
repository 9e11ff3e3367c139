"""A gateway for tests: agreements in a file, a consumer that signs, and a provider.

``python -m tests.harness.exchange_gateway FOLDER`` runs one as a process of its own; the folder's
``gateway.json`` says with which database, agreements and keys, and is read again at each look, so
that a test revokes by writing it.
"""

import contextlib
import hashlib
import json
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from foundation.adapters.clock import SystemClock
from foundation.kernel import ids
from foundation.kernel.secretbox import SecretBox
from tests.harness.exchange import CIVIL, HOUSING
from workloads.data_exchange.agreements.terms import Field, Limits, Terms
from workloads.data_exchange.directory.elements import Masking
from workloads.data_exchange.gateway.credentials import AUDIENCE, GRANT, ISSUER
from workloads.data_exchange.gateway.model import Provider
from workloads.data_exchange.gateway.ports import State
from workloads.data_exchange.gateway.process import Options, run
from workloads.data_exchange.gateway.server import Bounds
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import PrivateKey
from workloads.data_exchange.proofs.requests import prove
from workloads.data_exchange.receipts.model import digest

CONSUMER = PrivateKey(bytes(range(32)))
EXCHANGE = PrivateKey(bytes(range(1, 33)))
PURPOSE, OTHER_PURPOSE = "dpv:PublicBenefit", "dpv:Marketing"
AGREEMENT, SERVICE = "agr_1", "svc_1"
SCHEMA = {
    "type": "object",
    "properties": {
        "records": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"id": {"type": "string"}, "name": {"type": "string"}},
                "required": ["id"],
            },
        }
    },
    "required": ["records"],
}


def terms(**changes: Any) -> Terms:
    """Terms of an agreement that holds now."""
    now = SystemClock().now()
    made = Terms(
        AGREEMENT, digest(b"terms"), "dat_1", SERVICE, CIVIL, HOUSING, frozenset({PURPOSE}),
        (Field("id", "/id"), Field("name", "/name", Masking.PARTIAL)), (), "/records", Limits(),
        now - timedelta(days=1), now + timedelta(days=30), None, SCHEMA,
    )  # fmt: skip
    return replace(made, **changes)


def grant(**changes: Any) -> str:
    """A grant of the exchange for the consumer's key."""
    key = changes.pop("key", EXCHANGE)
    typ = changes.pop("typ", GRANT)
    now = int(SystemClock().now().timestamp())
    claims = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": HOUSING, "client_id": "acc_1",
        "jti": ids.new("gnt"), "iat": now - 1, "exp": now + 600, "agreement": AGREEMENT,
        "cnf": {"jkt": CONSUMER.kid}, "purposes": [PURPOSE, OTHER_PURPOSE],
    }  # fmt: skip
    return jws.sign({**claims, **changes}, key, typ)


def signed(
    url: str, target: str, token: str, *, method: str = "GET", body: bytes = b"",
    key: PrivateKey = CONSUMER, at: datetime | None = None, nonce: str = "",
    purpose: str = PURPOSE,
) -> dict[str, str]:  # fmt: skip
    """The headers of a call."""
    proof = prove(
        key, method=method, url=url + target.partition("?")[0], target=target, grant=token,
        at=at or SystemClock().now(), nonce=nonce or ids.new("n"), purpose=purpose, body=body,
    )  # fmt: skip
    return {"Authorization": f"DPoP {token}", "DPoP": proof}


@dataclass
class Told:
    """What a gateway of tests is told; ``path`` keeps it for one that runs apart."""

    terms: dict[str, Terms] = field(default_factory=dict)
    providers: dict[str, Provider] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)
    broken: bool = False
    reads: int = 0

    def read(self, agreements: Collection[str], kids: Collection[str]) -> State:
        self.reads += 1
        if self.broken:
            raise OSError("away")
        found = {one: self.terms[one] for one in agreements if one in self.terms}
        keys: list[Mapping[str, Any]] = [EXCHANGE.public.jwk()]
        return State(found, dict(self.providers), keys, frozenset(self.dead & set(kids)))


def write_told(folder: Path, database: str, told: Told, port: int = 0) -> None:
    """Tell a gateway that runs apart; for those changes that tests make."""
    value = {
        "database": database, "port": port, "dead": sorted(told.dead),
        "terms": [_written(one) for one in told.terms.values()],
        "providers": [
            {"service": one.service, "endpoint": one.endpoint, "methods": one.methods,
             "paths": one.paths, "raw": one.raw, "repeatable": one.repeatable}
            for one in told.providers.values()
        ],
    }  # fmt: skip
    draft = folder / "gateway.json.new"
    draft.write_text(json.dumps(value))
    draft.replace(folder / "gateway.json")


def _written(one: Terms) -> dict[str, Any]:
    revoked = one.revoked_at.isoformat() if one.revoked_at else None
    return {"agreement": one.agreement, "service": one.service, "revoked_at": revoked,
            "answers": one.answers, "calls": one.limits.calls}  # fmt: skip


class FileSource:
    """Reads what ``write_told`` wrote."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "gateway.json"

    def read(self, agreements: Collection[str], kids: Collection[str]) -> State:
        told = json.loads(self._file.read_text())
        found = {}
        for one in told["terms"]:
            revoked = one["revoked_at"]
            found[one["agreement"]] = terms(
                agreement=one["agreement"], service=one["service"], answers=one["answers"],
                limits=Limits(calls=one["calls"]),
                begins=datetime(2020, 1, 1, tzinfo=UTC), ends=datetime(2100, 1, 1, tzinfo=UTC),
                revoked_at=datetime.fromisoformat(revoked) if revoked else None,
            )  # fmt: skip
        providers = {
            one["service"]: Provider(
                one["service"],
                one["endpoint"],
                tuple(one["methods"]),
                tuple(one["paths"]),
                {"x-secret": "provider-secret"},
                "/records",
                raw=one["raw"],
                repeatable=one["repeatable"],
            )
            for one in told["providers"]
        }
        keys: list[Mapping[str, Any]] = [EXCHANGE.public.jwk()]
        wanted = {one: found[one] for one in agreements if one in found}
        return State(wanted, providers, keys, frozenset(told["dead"]) & set(kids))


#: Seals what gateways of tests keep.
VAULT = SecretBox([bytes(32)])


def secret(agreement: str) -> bytes:
    return hashlib.sha256(agreement.encode()).digest()


def options(database: str, port: int = 0, *, shared: bool = False, **bounds: Any) -> Options:
    return Options(
        "127.0.0.1", port, "", database.replace("+psycopg", ""), ZoneInfo("Asia/Shanghai"),
        Bounds(**bounds), local=True, shared=shared,
    )  # fmt: skip


@contextlib.contextmanager
def _said(port: int) -> Iterator[None]:
    print(port, flush=True)
    yield


def main() -> None:
    folder = Path(sys.argv[1])
    told = json.loads((folder / "gateway.json").read_text())
    chosen = options(told["database"], told["port"], shared=True, per_peer=2000)
    run(chosen, FileSource(folder), secret, SystemClock(), VAULT, _said)


if __name__ == "__main__":
    main()
