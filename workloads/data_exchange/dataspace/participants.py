"""Other connectors: who is known, and who it is that sends a message.

A message comes with ``Authorization: Bearer TOKEN``. The token is a JWS (type ``dsp-token+jwt``,
EdDSA) that a key of the participant's agency signed, with the claims ``iss`` (the participant),
``aud`` (we), ``iat``, ``exp`` (five minutes at most), ``jti`` and, with a body, ``body``
(``sha256:…`` of it), so that it serves for this message alone; or it is an access token of the
service account with which the participant is registered.
"""

import hashlib
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector, Invalid, NotFound, Problem
from foundation.kernel.time import Clock
from workloads.data_exchange.dataspace.model import LONGEST_ID, Participant
from workloads.data_exchange.dataspace.ports import (
    Audit,
    Book,
    DataspaceStore,
    Ring,
    Wire,
    Work,
)
from workloads.data_exchange.keys.service import OWN
from workloads.data_exchange.proofs.keys import ProofError

TOKEN = "dsp-token+jwt"  # noqa: S105 - a type, not a secret
SECONDS = 300
_SKEW = 60
#: The largest token that is looked at.
_LONGEST_TOKEN = 8000
NOUN = "participant"


class Participants:
    """Who takes part in the dataspace with us.

    Args:
        store: where they are kept.
        db: the unit of work.
        clock: what time it is.
        audit: where every change is written down.
        agencies: the tree of agencies.
        keys: of agencies and of the exchange.
        wire: which addresses may be written to.
        own: our identifier in the dataspace.
    """

    def __init__(
        self,
        store: DataspaceStore,
        db: Work,
        clock: Clock,
        audit: Audit,
        agencies: Book,
        keys: Ring,
        wire: Wire,
        own: str,
    ) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self._audit = audit
        self._agencies = agencies
        self._keys = keys
        self._wire = wire
        self.own = own

    def register(
        self, actor: Actor, participant: str, *, agency: str, address: str, account: str = ""
    ) -> Participant:
        """Take up a participant, or change where it is and who it is here.

        Args:
            actor: who asks.
            participant: its identifier in the dataspace.
            agency: id or path of the agency for which it stands; its keys are the participant's.
            address: the base of its protocol endpoints.
            account: id of the service account as which it may sign in, or empty.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such agency.
        """
        with self._db.transaction():
            policy.require(actor, "dataspace.manage", policy.ROOT, NOUN)
            found = self._agencies.find(agency)
            if found is None:
                raise policy.unknown("agency")
            wrong = Collector()
            wrong.check(
                0 < len(participant.strip()) <= LONGEST_ID and participant != self.own,
                "id", f"must be 1 to {LONGEST_ID} characters, and not our own",
            )  # fmt: skip
            try:
                self._wire.check(address, "address")
            except Invalid as error:
                wrong.include(error)
            other = self._store.of_agency(found.path)
            wrong.check(
                other is None or other.id == participant,
                "agency", "stands for another participant already", "taken",
            )  # fmt: skip
            other = self._store.of_account(account) if account else None
            wrong.check(
                other is None or other.id == participant,
                "account", "is another participant's already", "taken",
            )  # fmt: skip
            wrong.finish()
            there = self._store.participant(participant)
            made = Participant(
                participant, found.path, address.rstrip("/"), account,
                there.created_at if there else self._clock.now(),
            )  # fmt: skip
            self._store.put_participant(made)
            self._audit.record(
                actor, "dataspace.register", subject=participant, path=found.path,
                details={"address": made.address},
            )  # fmt: skip
            return made

    def participants(self, actor: Actor) -> Sequence[Participant]:
        """All of them."""
        with self._db.transaction():
            policy.require(actor, "agency.view", policy.ROOT, NOUN)
            return self._store.participants()

    def participant(self, actor: Actor, participant: str) -> Participant:
        """One of them.

        Raises:
            NotFound: it is not known.
        """
        with self._db.transaction():
            policy.require(actor, "agency.view", policy.ROOT, NOUN)
            return self.known(participant)

    def standing_for(self, actor: Actor, agency: str) -> Participant:
        """The one that stands for an agency, by its id or path.

        Raises:
            NotFound: no such agency, or none that a participant stands for.
        """
        with self._db.transaction():
            policy.require(actor, "agency.view", policy.ROOT, NOUN)
            there = self._agencies.find(agency)
            found = self._store.of_agency(there.path) if there is not None else None
            if found is None:
                raise policy.unknown(NOUN)
            return found

    def known(self, participant: str) -> Participant:
        """One of them, for services.

        Raises:
            NotFound: it is not known.
        """
        found = self._store.participant(participant)
        if found is None:
            raise policy.unknown(NOUN)
        return found

    # --- who sends

    def sender(
        self, token: str, body: bytes | None, by_account: Callable[[], Actor]
    ) -> Participant | None:
        """Who sent a message; None for nobody who is known.

        Args:
            token: of its Authorization header, without ``Bearer``.
            body: what was sent; None for a question without one.
            by_account: whose access token it is, if it is one.
        """
        if not token or len(token) > _LONGEST_TOKEN:
            return None
        with self._db.transaction():
            if token.count(".") == 2:  # noqa: PLR2004 - the parts of a JWS
                return self._signed(token, body)
            return self._store.of_account(by_account().id)

    def _signed(self, token: str, body: bytes | None) -> Participant | None:
        try:
            found = self._keys.verify(token, TOKEN)
        except ProofError:
            return None
        there = self._store.of_agency(found.key.path)
        told, now = found.payload, self._clock.now().timestamp()
        begins, ends = told.get("iat"), told.get("exp")
        if there is None or type(begins) is not int or type(ends) is not int:
            return None
        good = (
            told.get("iss") == there.id
            and told.get("aud") == self.own
            and begins - _SKEW <= now < ends <= begins + SECONDS
            and (body is None or told.get("body") == digest(body))
        )
        return there if good else None

    def token(self, participant: str, body: bytes) -> str:
        """With what we show another participant who we are, for one message."""
        self._keys.ready()
        now = int(self._clock.now().timestamp())
        claims = {
            "iss": self.own, "sub": self.own, "aud": participant, "iat": now, "exp": now + SECONDS,
            "jti": ids.new("dsj"), "body": digest(body),
        }  # fmt: skip
        return self._keys.sign(OWN, claims, TOKEN)

    # --- where messages go

    def reach(self, participant: Participant, address: str, field: str) -> str:
        """An address below which a participant takes messages.

        It must lie on the host that was registered: nobody sends us elsewhere.

        Raises:
            Invalid: it may not be used.
        """
        address = address.rstrip("/")
        self._wire.check(address, field)
        if _origin(address) != _origin(participant.address):
            raise Invalid([Problem(field, "must lie on the host of the registered address")])
        return address

    def of(self, participant: str) -> Participant | None:
        """One of them, or None."""
        try:
            return self.known(participant)
        except NotFound:
            return None


def digest(body: bytes) -> str:
    """Of a message's bytes, as a token names it."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _origin(address: str) -> tuple[str, str, int | None]:
    parts = urlsplit(address)
    return parts.scheme, (parts.hostname or "").lower(), parts.port
