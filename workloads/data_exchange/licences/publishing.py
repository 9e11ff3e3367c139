"""What everybody may fetch: issuers' keys, type metadata, status lists, and all of it at once."""

import contextlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from foundation.access import policy
from foundation.kernel.errors import Conflict
from foundation.kernel.time import Clock, format_instant
from workloads.data_exchange.licences.ports import Book, Keyring, LicenceStore, StatusRow, Work
from workloads.data_exchange.proofs import statuslist
from workloads.data_exchange.proofs.keys import PrivateKey
from workloads.data_exchange.proofs.statuslist import StatusList

#: How long a token counts: as long may a revocation be hidden from a verifier without a network.
LASTS = timedelta(days=1)
_KEPT = 200


@dataclass(frozen=True, slots=True)
class Published:
    """A status list token as it is served.

    Attributes:
        kid: of the key that signed it; another one signs it anew.
        fresh: for how many seconds more it may be kept.
    """

    token: str
    version: int
    at: datetime
    kid: str
    fresh: int = 0


class Publishing:
    """Public documents about licences; none says anything of a person.

    Args:
        ttl: how long a verifier may keep a status list: within it a revocation is seen.
    """

    def __init__(
        self,
        store: LicenceStore,
        db: Work,
        clock: Clock,
        agencies: Book,
        keys: Keyring,
        ttl: timedelta,
    ) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self._agencies = agencies
        self._keys = keys
        self._ttl = ttl
        self._kept: dict[str, Published] = {}

    def issuer(self, agency_id: str, base: str) -> dict[str, object]:
        """JWT VC Issuer Metadata (draft-ietf-oauth-sd-jwt-vc, of that name).

        Raises:
            NotFound: no such agency.
        """
        with self._db.transaction():
            agency = self._agencies.find(agency_id)
            if agency is None or agency.id != agency_id:
                raise policy.unknown("agency")
            jwks = self._keys.jwks(agency.path, revoked=False)
            return {"issuer": f"{base}/issuers/{agency.id}", "jwks": jwks}

    def metadata(self, type_id: str) -> str:
        """SD-JWT VC Type Metadata, to the byte as licences have its digest.

        Raises:
            NotFound: no such type.
        """
        with self._db.transaction():
            found = self._store.type(type_id)
            if found is None:
                raise policy.unknown("licence_type")
            return found.metadata

    def status_list(self, list_id: str) -> Published:
        """A status list token, signed anew when a status changed or half its ttl has passed.

        Raises:
            NotFound: no such list.
            Conflict: its agency has no key here.
        """
        with self._db.transaction():
            row = self._store.status_list(list_id)
            if row is None:
                raise policy.unknown("status_list")
            return self._published(row)

    def _published(self, row: StatusRow) -> Published:
        now, kept, key = self._clock.now(), self._kept.get(row.id), self._keys.private(row.path)
        fresh = kept is not None and timedelta() <= now - kept.at < self._ttl / 2
        if kept is None or not fresh or (kept.version, kept.kid) != (row.version, key.kid):
            kept = self._signed(row, key, now)
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[row.id] = kept
        left = self._ttl - (now - kept.at)
        return replace(kept, fresh=max(0, int(left.total_seconds())))

    def _signed(self, row: StatusRow, key: PrivateKey, now: datetime) -> Published:
        statuses = StatusList(row.size)
        for index, status in self._store.statuses(row.id):
            statuses[index] = status
        token = statuslist.signed(statuses, key, uri=row.uri, at=now, lasts=LASTS, ttl=self._ttl)
        return Published(token, row.version, now, key.kid)

    def trust(self) -> dict[str, Any]:
        """All that a verifier needs without a network (``trust``): keys, types, status lists."""
        with self._db.transaction():
            issuers: dict[str, dict[str, Any]] = {}
            for made in self._store.all_types():
                agency = self._agencies.find(made.agency)
                if agency is None:
                    continue
                one = issuers.setdefault(
                    made.issuer,
                    {
                        "issuer": made.issuer, "name": agency.name.as_json(),
                        "jwks": self._keys.jwks(made.agency, revoked=False),
                        "types": [], "lists": [],
                    },
                )  # fmt: skip
                one["types"].append({"vct": made.vct, "metadata": made.metadata})
            for row in self._store.status_lists():
                if row.issuer in issuers:
                    # An agency without a key says nothing of its licences; the others go on.
                    with contextlib.suppress(Conflict):
                        told = {"uri": row.uri, "token": self._published(row).token}
                        issuers[row.issuer]["lists"].append(told)
            return {
                "as_of": format_instant(self._clock.now()), "issuers": [*issuers.values()],
            }  # fmt: skip
