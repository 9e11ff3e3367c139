"""The use cases of those who hold a lottery and of those who apply."""

import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from foundation.access import policy
from foundation.kernel import canonical, ids
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Collector, Conflict
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock
from workloads.data_exchange.lottery import draw, statements
from workloads.data_exchange.lottery.model import (
    ENDED,
    OPEN,
    PERSON_MAX,
    REASON_MAX,
    Application,
    Lottery,
    LotteryId,
    LotteryState,
    Rules,
    Standing,
    Standstill,
    check,
)
from workloads.data_exchange.lottery.ports import (
    Audit,
    Book,
    Hold,
    Keyring,
    LotteryStore,
    Qualifier,
    Vault,
)
from workloads.data_exchange.proofs.keys import encoded

NOUN = "lottery"
OWN = policy.ROOT
_PSEUDONYM_BYTES = 24
#: As who judged an application that a check judged.
BY_CHECK = "check"


class Lotteries:
    """Lotteries, from their rules to the frozen list."""

    def __init__(
        self,
        store: LotteryStore,
        db: UnitOfWork,
        clock: Clock,
        audit: Audit,
        agencies: Book,
        keys: Keyring,
        vault: Vault,
        qualifier: Qualifier,
    ) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self._audit = audit
        self._agencies = agencies
        self._keys = keys
        self._vault = vault
        self._qualifier = qualifier

    def create(self, actor: Actor, rules: Rules) -> Lottery:
        """Draft a lottery.

        Args:
            actor: who asks.
            rules: ``agency`` and ``parties`` may be ids or paths.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such agency.
        """
        with self._db.transaction():
            holder = self._agencies.find(rules.agency)
            if holder is None:
                raise policy.unknown("agency")
            policy.require(actor, "lottery.manage", holder.path, "agency")
            wrong, parties = Collector(), []
            for number, one in enumerate(rules.parties):
                found = self._agencies.find(one)
                if wrong.check(found, f"parties.{number}", "there is no such agency") and found:
                    parties.append(found.path)
            rules = replace(rules, agency=holder.path, parties=tuple(sorted(parties)))
            check(wrong, rules, self._clock.now())
            if rules.check is not None:
                screening = self._qualifier.screening(str(rules.check.get("scenario")))
                wrong.check(
                    screening, "check.scenario", "is no scenario about one person without inputs"
                )
                rules = replace(rules, check=screening)
            wrong.finish()
            made_id = LotteryId(ids.new("lot"))
            sealed = self._vault.seal(secrets.token_bytes(32), _context(made_id))
            made = Lottery(
                made_id,
                holder.path,
                rules.document(),
                LotteryState.DRAFT,
                sealed,
                self._clock.now(),
            )
            self._store.add(made)
            self._note(actor, "lottery.create", made, {"rules": made.digest})
            return made

    def open(self, actor: Actor, lottery_id: str) -> Lottery:
        """Fix the rules in public and take applications and commitments from now on.

        Raises:
            NotFound: no such lottery.
            Conflict: it is no draft, or applications would be closed already.
        """

        def change(one: Lottery) -> Lottery:
            now = self._clock.now()
            if now >= one.closes_at:
                raise Conflict("the time of applications has passed: draft it anew")
            told = statements.opening(one.id, one.digest, now)
            return one.be(LotteryState.OPEN, opening=self._keys.sign(OWN, told, statements.OPENING))

        return self._step(actor, "lottery.open", lottery_id, {LotteryState.DRAFT}, change)

    def apply(
        self, actor: Actor, lottery_id: str, *, person: str, pool: str, chances: int
    ) -> tuple[Application, str]:
        """Take an application; the same again answers the first one.

        Args:
            actor: who asks, for the person.
            lottery_id: of the lottery.
            person: their identifier; it is turned into a pseudonym and not kept.
            pool: in which they take part.
            chances: how many tickets they have.

        Returns:
            The application, and the exchange's signed receipt of it for the applicant.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such lottery.
            Conflict: it takes no applications, or this person applied otherwise before.
        """
        with self._db.transaction():
            lottery = self._shared(actor, "lottery.apply", lottery_id)
            now = self._clock.now()
            if lottery.state not in OPEN or now >= lottery.closes_at:
                raise Conflict("this lottery takes no applications now")
            plain = unicodedata.normalize("NFKC", person).strip().upper()
            wrong = Collector()
            wrong.check(
                0 < len(plain) <= PERSON_MAX, "person", f"must be 1 to {PERSON_MAX} characters"
            )
            wrong.check(pool in dict(lottery.pools), "pool", "is none of this lottery")
            most = lottery.rules["chances"]
            wrong.check(1 <= chances <= most, "chances", "must be 1 to what the rules allow")
            wrong.finish()
            made = Application(lottery.id, self._pseudonym(lottery, plain), pool, chances, now)
            if self._store.apply(made):
                self._note(actor, "lottery.apply", lottery, {"pseudonym": made.pseudonym})
            else:
                made = self._same(made)
            if made.standing is Standing.PENDING and lottery.rules.get("check"):
                made = self._screened(lottery, made, plain)
        told = statements.application(lottery.id, canonical.plain(made.entry()), made.at)
        return made, self._keys.sign(OWN, told, statements.APPLICATION)

    def _screened(self, lottery: Lottery, made: Application, person: str) -> Application:
        """Have a check judge it, when the applicant has consented by the code that they get."""
        if made.check:
            return replace(made, consent=self._qualifier.renew(made.check))
        begun, consent = self._qualifier.begin(lottery, person)
        made = replace(made, check=begun)
        self._store.judge(made)
        return replace(made, consent=consent)

    def checked(self, check_id: str, *, qualified: bool, reason: str) -> None:
        """A check by which an application is judged was done, in the open transaction.

        What an officer judged stays, and so does a list that is frozen.
        """
        made = self._store.of_check(check_id)
        if made is None or (made.judged_by and made.judged_by != BY_CHECK):
            return
        lottery = self._store.find(made.lottery, hold=Hold.SHARED)
        if lottery is not None and lottery.state in OPEN:
            standing = Standing.QUALIFIED if qualified else Standing.REFUSED
            self._judged(Actor.system("checks"), made, standing, reason, BY_CHECK)

    def _same(self, made: Application) -> Application:
        there = self._store.application(made.lottery, made.pseudonym)
        if there is None or there.entry() != made.entry():
            raise Conflict("this person has applied already, in another way")
        return there

    def _pseudonym(self, lottery: Lottery, person: str) -> str:
        key = self._vault.open(lottery.sealed, _context(lottery.id))
        made = hmac.new(key, f"{lottery.id}\x00{person}".encode(), hashlib.sha256)
        return encoded(made.digest()[:_PSEUDONYM_BYTES])

    def judge(
        self, actor: Actor, lottery_id: str, pseudonym: str, *, qualified: bool, reason: str
    ) -> Application:
        """Judge an application, or judge it anew, until the list is frozen.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such lottery or application.
            Conflict: the list is frozen.
        """
        with self._db.transaction():
            self._shared(actor, "lottery.judge", lottery_id)
            there = self._store.application(lottery_id, pseudonym)
            if there is None:
                raise policy.unknown("application")
            wrong = Collector()
            good = 0 < len(reason.strip()) <= REASON_MAX
            wrong.check(good, "reason", f"must be 1 to {REASON_MAX} characters")
            wrong.finish()
            standing = Standing.QUALIFIED if qualified else Standing.REFUSED
            return self._judged(actor, there, standing, reason.strip(), actor.name)

    def _judged(
        self, actor: Actor, there: Application, standing: Standing, reason: str, by: str
    ) -> Application:
        with self._db.transaction():
            lottery = self._shared(actor, "lottery.apply", there.lottery, anyhow=True)
            if lottery.state not in OPEN:
                raise Conflict("the list is frozen")
            made = replace(there, standing=standing, reason=reason, judged_by=by)
            self._store.judge(made)
            details = {"pseudonym": made.pseudonym, "standing": standing.value, "reason": reason}
            self._note(actor, "lottery.judge", lottery, details)
            return made

    def freeze(self, actor: Actor, lottery_id: str) -> Lottery:
        """Fix the list of those who take part; from now on the parties reveal.

        Raises:
            NotFound: no such lottery.
            Conflict: a commitment or a judgement is missing, applications run, or nobody takes
                part.
        """

        def change(one: Lottery) -> Lottery:
            now, count = self._clock.now(), self._store.count(one.id)
            if now < one.closes_at:
                raise Conflict("applications are taken until the time in the rules")
            if count[Standing.PENDING]:
                raise Conflict("applications are not judged yet", pending=count[Standing.PENDING])
            if not count[Standing.QUALIFIED]:
                raise Conflict("nobody takes part: abort the lottery")
            root = draw.root_of(self._store.entries(one.id))
            told = statements.frozen(
                one.id, one.digest, root, count[Standing.QUALIFIED], count[Standing.REFUSED],
                [word.commitment for word in self._store.words(one)], now,
            )  # fmt: skip
            until = now + timedelta(hours=one.rules["reveal_hours"])
            signed = self._keys.sign(OWN, told, statements.LIST)
            return one.be(LotteryState.FROZEN, frozen=signed, reveal_until=until)

        return self._step(actor, "lottery.freeze", lottery_id, {LotteryState.COMMITTED}, change)

    def abort(self, actor: Actor, lottery_id: str, *, reason: str) -> Lottery:
        """End a lottery without a draw, in public.

        Raises:
            Invalid: no reason.
            NotFound: no such lottery.
            Conflict: it was drawn: what was drawn stands.
        """
        wrong = Collector()
        good = 0 < len(reason.strip()) <= REASON_MAX
        wrong.check(good, "reason", f"must be 1 to {REASON_MAX} characters")
        wrong.finish()
        return self._step(
            actor, "lottery.abort", lottery_id, set(LotteryState) - ENDED,
            lambda one: one.be(LotteryState.ABORTED, reason=reason.strip()),
        )  # fmt: skip

    def lottery(self, actor: Actor, lottery_id: str) -> Standstill:
        """One lottery, with what its parties handed in.

        Raises:
            NotFound: there is none, or a draft that is not the actor's.
        """
        with self._db.transaction():
            found = self._store.find(lottery_id)
            hidden = found is None or (
                found.state is LotteryState.DRAFT
                and not policy.allows(actor, "lottery.manage", found.path)
            )
            if found is None or hidden:
                raise policy.unknown(NOUN)
            return Standstill(found, self._store.words(found))

    def lotteries(self, actor: Actor, request: PageRequest) -> Page[Lottery]:
        """All, newest first; drafts only of the actor's agencies."""
        with self._db.transaction():
            return self._store.list(policy.visible_paths(actor, "lottery.manage"), request)

    def count(self, actor: Actor, lottery_id: str) -> Mapping[Standing, int]:
        """How many applications there are of each standing."""
        with self._db.transaction():
            self.lottery(actor, lottery_id)
            return self._store.count(lottery_id)

    def applications(
        self, actor: Actor, lottery_id: str, standing: Standing | None, request: PageRequest
    ) -> Page[Application]:
        """The applications of a lottery, by pseudonym.

        Raises:
            NotFound: no such lottery.
        """
        with self._db.transaction():
            self._shared(actor, "lottery.judge", lottery_id)
            return self._store.applications(lottery_id, standing, request)

    def _shared(
        self, actor: Actor, action: str, lottery_id: str, *, anyhow: bool = False
    ) -> Lottery:
        """One to apply in: many do at once, and none while its state changes."""
        found = self._store.find(lottery_id, hold=Hold.SHARED)
        if found is None:
            raise policy.unknown(NOUN)
        if not anyhow:
            policy.require(actor, action, found.path, NOUN)
        return found

    def _step(
        self,
        actor: Actor,
        action: str,
        lottery_id: str,
        states: "set[LotteryState] | frozenset[LotteryState]",
        change: Callable[[Lottery], Lottery],
    ) -> Lottery:
        with self._db.transaction():
            there = self._store.find(lottery_id, hold=Hold.ALONE)
            if there is None:
                raise policy.unknown(NOUN)
            policy.require(actor, "lottery.manage", there.path, NOUN)
            if there.state not in states:
                raise Conflict(
                    "this lottery is not in a state that allows this", state=there.state.value
                )
            made = change(there)
            self._store.save(made)
            self._note(actor, action, made, {"state": made.state.value, "reason": made.reason})
            return made

    def _note(self, actor: Actor, action: str, about: Lottery, details: Mapping[str, Any]) -> None:
        self._audit.record(actor, action, subject=about.id, path=about.path, details=details)


def _context(lottery_id: str) -> str:
    return f"exchange_lottery:{lottery_id}"
