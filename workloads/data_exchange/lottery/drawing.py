"""The use cases of the parties: they commit, reveal, and the draw follows; and of whoever reads."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from foundation.access import policy
from foundation.kernel import canonical
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Collector, Conflict, Invalid, NotFound, Problem
from foundation.kernel.time import Clock
from workloads.data_exchange.keys.service import Signed
from workloads.data_exchange.lottery import draw, statements, verify
from workloads.data_exchange.lottery.draw import Entry, Outcome
from workloads.data_exchange.lottery.model import (
    AWAITING,
    BEACON_VALUE,
    OPEN,
    Lottery,
    LotteryState,
    Standstill,
)
from workloads.data_exchange.lottery.ports import Audit, Hold, Keyring, LotteryStore
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import ProofError

NOUN = "lottery"
OWN = policy.ROOT
_SYSTEM = Actor.system("lottery")
#: Drawn lotteries kept in memory; the largest takes some hundred megabytes.
_CACHED = 2


class Draws:
    """Commitments, reveals, the draw, and what is published of it."""

    def __init__(
        self,
        store: LotteryStore,
        db: UnitOfWork,
        clock: Clock,
        audit: Audit,
        keys: Keyring,
    ) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self._audit = audit
        self._keys = keys
        self._cache: dict[str, verify.Drawn] = {}

    def commit(self, actor: Actor, lottery_id: str, compact: str) -> Standstill:
        """Take a party's commitment; the same again answers what is there.

        Args:
            actor: who hands it in, for the party.
            lottery_id: of the lottery.
            compact: a JWS of type ``exchange-lottery-commitment+jws``.

        Raises:
            Invalid: it is none of a party, or not for this lottery, its rules and its round.
            NotFound: no such lottery.
            Conflict: none is taken now, or the party has committed to something else.
        """
        with self._db.transaction():
            lottery = self._get(lottery_id)
            self._allowed(lottery, OPEN | {LotteryState.VOID})
            signed = self._signed(actor, lottery, compact, statements.COMMITMENT)
            party, told = signed.key.path, signed.payload
            committed = str(told.get("commitment"))
            wanted = statements.commitment(
                lottery.id, lottery.round, lottery.digest, party, committed
            )
            if told != wanted or not _is_digest(committed):
                raise _wrong("must name this lottery, its round, its rules and the party")
            there = next((w for w in self._store.words(lottery) if w.party == party), None)
            if there is not None and there.commitment != compact:
                raise Conflict("this party has committed already")
            if there is None:
                self._store.commit(lottery, party, compact)
                self._note(actor, "lottery.commit", lottery, {"party": party})
            now = Standstill(lottery, self._store.words(lottery))
            if there is not None or now.missing_commitments:
                return now
            return self._saved(actor, self._all_committed(lottery))

    def _all_committed(self, lottery: Lottery) -> Lottery:
        if lottery.state is not LotteryState.VOID:
            return lottery.be(LotteryState.COMMITTED)
        until = self._clock.now() + timedelta(hours=lottery.rules["reveal_hours"])
        return lottery.be(LotteryState.FROZEN, reveal_until=until)

    def reveal(self, actor: Actor, lottery_id: str, compact: str) -> Standstill:
        """Take what a party had committed to; with the last one the lottery is drawn.

        Nobody is shown a reveal before all are there, so that none is given or held back for what
        another one says.

        Args:
            actor: who hands it in, for the party.
            lottery_id: of the lottery.
            compact: a JWS of type ``exchange-lottery-reveal+jws``.

        Raises:
            Invalid: it is none of a party, names another list, or is not what it committed to.
            NotFound: no such lottery.
            Conflict: none is taken now.
        """
        with self._db.transaction():
            lottery = self._get(lottery_id)
            self._allowed(lottery, AWAITING)
            if lottery.reveal_until is None or self._clock.now() >= lottery.reveal_until:
                raise Conflict("the time to reveal has passed: this round is void")
            signed = self._signed(actor, lottery, compact, statements.REVEAL)
            party = signed.key.path
            self._check_reveal(lottery, party, signed.payload)
            word = next(w for w in self._store.words(lottery) if w.party == party)
            if word.reveal:
                # What was committed to is one secret: another text of it changes nothing.
                return Standstill(lottery, self._store.words(lottery))
            self._store.reveal(lottery, party, compact)
            self._note(actor, "lottery.reveal", lottery, {"party": party})
            now = self._saved(actor, lottery.be(LotteryState.REVEALING))
            if now.missing_reveals or lottery.rules["beacon"] is not None:
                return now
            return self._drawn(actor, now.lottery)

    def _check_reveal(self, lottery: Lottery, party: str, told: Mapping[str, Any]) -> None:
        try:
            secret = bytes.fromhex(str(told.get("secret")))
        except ValueError:
            raise _wrong("must hold a secret in hexadecimal") from None
        root = str(_payload(lottery.frozen)["root"])
        wanted = statements.reveal(lottery.id, lottery.round, lottery.digest, root, party, secret)
        if told != wanted or len(secret) != draw.SECRET_BYTES:
            raise _wrong("must name this lottery, its round, its rules, its list and the party")
        word = next(w for w in self._store.words(lottery) if w.party == party)
        committed = _payload(word.commitment)["commitment"]
        if draw.commitment(lottery.id, lottery.round, party, secret) != committed:
            raise _wrong("is not what the party committed to")

    def give_beacon(self, actor: Actor, lottery_id: str, value: str) -> Standstill:
        """Draw with the value of the beacon that the rules name; everybody may compare it.

        Raises:
            Invalid: it is no such value.
            NotFound: no such lottery.
            Conflict: the rules name none, or the parties have not all revealed.
        """
        wrong = Collector()
        wrong.check(BEACON_VALUE.fullmatch(value), "value", "must be 16 to 500 letters and digits")
        wrong.finish()
        with self._db.transaction():
            lottery = self._get(lottery_id)
            policy.require(actor, "lottery.manage", lottery.path, NOUN)
            self._allowed(lottery, AWAITING)
            if lottery.rules["beacon"] is None:
                raise Conflict("the rules of this lottery name no beacon")
            if Standstill(lottery, self._store.words(lottery)).missing_reveals:
                raise Conflict("not all parties have revealed")
            return self._drawn(actor, replace(lottery, beacon=value))

    def _drawn(self, actor: Actor, lottery: Lottery) -> Standstill:
        """Draw; in the transaction of the last word, so that nobody sees it and holds it back."""
        bundle = self._bundle(lottery)
        root = draw.root_of(Entry(*line) for line in bundle["applications"])
        if root != _payload(lottery.frozen)["root"]:
            raise Conflict("the list is not the one that was frozen: nothing is drawn from it")
        outcomes, seed = self._outcomes(lottery, tuple(Entry(*e) for e in bundle["applications"]))
        bundle["outcomes"] = canonical.plain(outcomes)
        told = statements.result(bundle, seed, outcomes, self._clock.now())
        signed = self._keys.sign(OWN, told, statements.RESULT)
        verify.verify(_written({**bundle, "result": signed}))
        return self._saved(actor, lottery.be(LotteryState.DRAWN, result=signed))

    def _outcomes(
        self, lottery: Lottery, entries: tuple[Entry, ...]
    ) -> tuple[list[Outcome], bytes]:
        told = [_payload(word.reveal) for word in self._store.words(lottery)]
        seed = draw.seed_of(
            lottery.id, lottery.round, lottery.digest, draw.root_of(entries),
            {str(one["party"]): bytes.fromhex(one["secret"]) for one in told}, lottery.beacon,
        )  # fmt: skip
        return draw.draw(seed, lottery.pools, entries), seed

    def _bundle(self, lottery: Lottery) -> dict[str, Any]:
        words = self._store.words(lottery)
        signed = [lottery.opening, lottery.frozen, *lottery.voids]
        for one in lottery.voids:
            told = _payload(one)
            signed += [*told["commitments"], *told["reveals"]]
        signed += [word.commitment for word in words] + [word.reveal for word in words]
        # The result is signed right after this, with the key that the exchange has now.
        signed.append(lottery.result or self._keys.sign(OWN, {}, statements.RESULT))
        kids = sorted({jws.parse(one).kid for one in signed})
        found = [self._keys.key(_SYSTEM, kid) for kid in kids]
        return {
            "format": verify.FORMAT, "lottery": lottery.id, "rules": dict(lottery.rules),
            "opening": lottery.opening, "round": lottery.round, "voids": list(lottery.voids),
            "keys": [{"path": one.path, "jwk": one.public.jwk()} for one in found],
            "commitments": [word.commitment for word in words], "list": lottery.frozen,
            "applications": [
                [one.pseudonym, one.pool, one.chances] for one in self._store.entries(lottery.id)
            ],
            "reveals": [word.reveal for word in words], "beacon": lottery.beacon,
        }  # fmt: skip

    def expire(self) -> int:
        """Say of each round whose time has passed that it is void; answers how many.

        Who did not reveal is named for ever; a new round begins with new commitments, on the same
        list.
        """
        with self._db.transaction():
            overdue = self._store.overdue(self._clock.now())
        return sum(self._expire(one) for one in overdue)

    def _expire(self, lottery_id: str) -> bool:
        with self._db.transaction():
            lottery, now = self._get(lottery_id), self._clock.now()
            words = self._store.words(lottery)
            missing = Standstill(lottery, words).missing_reveals
            due = lottery.reveal_until is not None and lottery.reveal_until <= now
            if lottery.state not in AWAITING or not missing or not due:
                return False
            told = statements.void(
                lottery.id, lottery.round, missing, [word.commitment for word in words],
                [word.reveal for word in words if word.reveal], now,
            )  # fmt: skip
            signed = self._keys.sign(OWN, told, statements.VOID)
            self._saved(
                _SYSTEM,
                lottery.be(
                    LotteryState.VOID, round=lottery.round + 1, reveal_until=None,
                    voids=(*lottery.voids, signed),
                ),
            )  # fmt: skip
            return True

    def record(self, lottery_id: str, *, listed: bool = True) -> dict[str, Any]:
        """What is public of a lottery while it goes on: all that was signed, without the reveals.

        Args:
            lottery_id: of the lottery.
            listed: with the frozen list, which may be long.

        Raises:
            NotFound: there is none, or it is a draft.
        """
        with self._db.transaction():
            lottery = self._published(lottery_id)
            words = self._store.words(lottery)
            shown = listed and bool(lottery.frozen)
            return {
                "lottery": lottery.id, "state": lottery.state, "rules": dict(lottery.rules),
                "digest": lottery.digest, "round": lottery.round, "opening": lottery.opening,
                "commitments": [word.commitment for word in words], "frozen": lottery.frozen,
                "applications": [
                    [one.pseudonym, one.pool, one.chances]
                    for one in (self._store.entries(lottery.id) if shown else ())
                ],
                "reveal_until": lottery.reveal_until, "voids": list(lottery.voids),
                "reason": lottery.reason,
            }  # fmt: skip

    def bundle(self, lottery_id: str) -> bytes:
        """The published bundle of a drawn lottery; ``verify`` recomputes it.

        Raises:
            NotFound: there is no such lottery.
            Conflict: it was not drawn.
        """
        with self._db.transaction():
            lottery = self._drawn_one(lottery_id)
            outcomes = canonical.plain(self._kept(lottery).outcomes)
            bundle = {**self._bundle(lottery), "outcomes": outcomes, "result": lottery.result}
            return _written(bundle)

    def proof(self, lottery_id: str, pseudonym: str) -> verify.Standing:
        """Where one application stands in a drawn lottery, with its proof.

        Raises:
            NotFound: there is no such lottery, or no such application in its list.
            Conflict: it was not drawn.
        """
        with self._db.transaction():
            lottery = self._drawn_one(lottery_id)
            drawn = self._kept(lottery)
        try:
            return drawn.standing(pseudonym)
        except ProofError as error:
            raise NotFound(str(error)) from None

    def outcomes(self, lottery_id: str) -> tuple[Outcome, ...]:
        """What was drawn, pool by pool.

        Raises:
            NotFound: there is no such lottery.
            Conflict: it was not drawn.
        """
        with self._db.transaction():
            return self._kept(self._drawn_one(lottery_id)).outcomes

    def _kept(self, lottery: Lottery) -> verify.Drawn:
        """What was drawn never changes: the last ones asked for are at hand."""
        found = self._cache.get(lottery.id)
        if found is None:
            entries = tuple(self._store.entries(lottery.id))
            outcomes, seed = self._outcomes(lottery, entries)
            found = verify.Drawn(entries, tuple(outcomes), seed)
            while len(self._cache) >= _CACHED:
                self._cache.pop(next(iter(self._cache)), None)
            self._cache[lottery.id] = found
        return found

    def _drawn_one(self, lottery_id: str) -> Lottery:
        lottery = self._published(lottery_id)
        if lottery.state is not LotteryState.DRAWN:
            raise Conflict("this lottery was not drawn", state=lottery.state.value)
        return lottery

    def _published(self, lottery_id: str) -> Lottery:
        found = self._store.find(lottery_id)
        if found is None or not found.opening:
            raise policy.unknown(NOUN)
        return found

    def _get(self, lottery_id: str) -> Lottery:
        found = self._store.find(lottery_id, hold=Hold.ALONE)
        if found is None or found.state is LotteryState.DRAFT:
            raise policy.unknown(NOUN)
        return found

    def _signed(self, actor: Actor, lottery: Lottery, compact: str, typ: str) -> Signed:
        try:
            signed = self._keys.verify(compact, typ)
        except ProofError as error:
            raise _wrong(str(error)) from None
        if signed.key.path not in lottery.parties:
            raise _wrong("is not signed by a party of this lottery")
        if signed.key.hosted:
            # Else the exchange could speak for the party.
            raise _wrong("must be signed with a key that the party keeps itself")
        policy.require(actor, "lottery.take_part", signed.key.path, "agency")
        return signed

    def _allowed(self, lottery: Lottery, states: "frozenset[LotteryState]") -> None:
        if lottery.state not in states:
            raise Conflict(
                "this lottery is not in a state that allows this", state=lottery.state.value
            )

    def _saved(self, actor: Actor, lottery: Lottery) -> Standstill:
        self._store.save(lottery)
        self._note(actor, f"lottery.{lottery.state.value}", lottery, {"round": lottery.round})
        return Standstill(lottery, self._store.words(lottery))

    def _note(self, actor: Actor, action: str, about: Lottery, details: Mapping[str, Any]) -> None:
        self._audit.record(actor, action, subject=about.id, path=about.path, details=details)


def _payload(compact: str) -> dict[str, Any]:
    """Of a statement that was verified when it was taken."""
    found: dict[str, Any] = json.loads(jws.parse(compact).payload)
    return found


def _written(bundle: Mapping[str, Any]) -> bytes:
    return canonical.dumps(bundle).encode() + b"\n"


def _is_digest(text: str) -> bool:
    return len(text) == hashlib.sha256().digest_size * 2 and not set(text) - set("0123456789abcdef")


def _wrong(message: str) -> Invalid:
    return Invalid([Problem("jws", message)])
