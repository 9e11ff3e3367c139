"""The use cases of departments that verify on-line: each nonce is theirs, and is used once."""

import json
import secrets
from datetime import timedelta

from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector, Conflict
from foundation.kernel.time import Clock
from workloads.data_exchange.licences import trust
from workloads.data_exchange.licences.ports import Asked, Audit, Book, LicenceStore, Meter, Work
from workloads.data_exchange.licences.publishing import Publishing
from workloads.data_exchange.licences.verify import Shown, verify
from workloads.data_exchange.proofs.sdjwt import Binding
from workloads.data_exchange.usage.model import LICENCES

NOUN = "licence_request"
_LASTS = timedelta(minutes=10)
_NAME_MAX = 100


class Desk:
    """Verification by this service; nothing of what was shown is kept."""

    def __init__(
        self,
        store: LicenceStore,
        db: Work,
        clock: Clock,
        audit: Audit,
        agencies: Book,
        publishing: Publishing,
        meter: Meter,
    ) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self._audit = audit
        self._agencies = agencies
        self._publishing = publishing
        self._meter = meter

    def ask(self, actor: Actor, agency: str, *, vct: str = "", name: str = "") -> Asked:
        """A nonce for one presentation, for ten minutes.

        Args:
            actor: who asks.
            agency: id or path of who verifies.
            vct: the type that is wanted; any when empty.
            name: of the desk, as the holder reads it; the agency's when empty.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such agency.
        """
        with self._db.transaction():
            found = self._agencies.find(agency)
            if found is None:
                raise policy.unknown("agency")
            policy.require(actor, "licence.verify", found.path, "agency")
            wrong = Collector()
            wrong.check(len(name) <= _NAME_MAX, "name", f"must be at most {_NAME_MAX} characters")
            wrong.check(len(vct) <= 500, "vct", "must be at most 500 characters")  # noqa: PLR2004
            wrong.finish()
            made = Asked(
                ids.new("lrq"), found.path, secrets.token_urlsafe(24), vct,
                name.strip() or found.name.zh, self._clock.now() + _LASTS,
            )  # fmt: skip
            self._store.ask(made)
            return made

    def answer(self, actor: Actor, asked_id: str, presentation: str, base: str) -> Shown:
        """Verify a presentation for a request; the request is used up, whatever it says.

        Raises:
            NotFound: no such request.
            Conflict: it was used, or its ten minutes are over.
        """
        with self._db.transaction():
            there = self._store.asked(asked_id)
            if there is None:
                raise policy.unknown(NOUN)
            policy.require(actor, "licence.verify", there.path, NOUN)
            now = self._clock.now()
            if self._store.answer(asked_id, now) is None:
                raise Conflict("this request was answered or is over: make a new one")
            known = trust.read(json.dumps(self._publishing.trust()))
            binding = Binding(there.nonce, audience(base, there.id))
            found = verify(presentation, known, at=now, binding=binding, vct=there.vct)
            self._audit.record(
                actor, "licence.verify", subject=there.id, path=there.path,
                details={"verdict": found.verdict.value, "status": found.status},
            )  # fmt: skip
            # Whatever came out: the work was done, and the nonce is used up.
            self._meter.note(LICENCES, now, act="verified")
            return found


def audience(base: str, asked_id: str) -> str:
    """Who a presentation for a request is for (``aud`` of its key binding)."""
    return f"{base}/licence-requests/{asked_id}"
