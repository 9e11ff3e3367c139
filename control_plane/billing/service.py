"""Use cases of billing: prices, estimates, rating, statements and their explanation."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from control_plane.billing.model import (
    HOURS_PER_MONTH,
    Estimate,
    EstimateLine,
    Explanation,
    HourlyQuantity,
    LineKey,
    Price,
    PriceBook,
    RatingResult,
    Statement,
    StatementHead,
    StatementLine,
    StatementState,
    Terms,
    line_id,
    round_lines,
    statement_of_line,
)
from control_plane.billing.ports import BillingStore, Fees, Provenance
from control_plane.metering.service import Metering
from foundation.access import policy
from foundation.kernel import canonical, ids
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Collector, Conflict, Invalid, NotFound, Problem
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock, Interval, month
from foundation.operations.model import Operation
from foundation.operations.service import Operations

#: Rating goes day by day, so that a transaction and its memory stay small however long the window.
_RATING_STEP = timedelta(days=1)
#: Days rated side by side: one statement of PostgreSQL that writes uses one processor.
_RATED_AT_ONCE = 2
_SHOWN = 100
ROOT = "/"
_LINE = "line"
#: The kind of the operation that rates a month.
RATE = "billing.rate"


class Billing:
    """Prices what is planned, charges what was used, and states it by account and month."""

    def __init__(
        self,
        *,
        db: UnitOfWork,
        clock: Clock,
        store: BillingStore,
        metering: Metering,
        provenance: Provenance,
        operations: Operations,
        fees: Fees | None = None,
    ) -> None:
        self._db = db
        self._clock = clock
        self._store = store
        self._metering = metering
        self._provenance = provenance
        self._operations = operations
        self._fees = fees

    # --- prices ---------------------------------------------------------------------------------

    def define_book(self, actor: Actor, book: PriceBook) -> None:
        """Add a price book, or change its title. Raises Forbidden."""
        policy.require(actor, "price.manage", ROOT)
        with self._db.transaction():
            self._store.put_book(book)

    def books(self, actor: Actor) -> list[PriceBook]:
        """All price books; prices are public within the city."""
        del actor
        with self._db.transaction():
            return self._store.books()

    def add_prices(self, actor: Actor, prices: Sequence[Price]) -> None:
        """Add prices; a price takes over from the one before it at its start.

        Raises:
            Invalid: an unknown book or meter, dimensions that the meter lacks, two that could both
                apply to one quantity, or a start in the past without a reason; names all.
        """
        policy.require(actor, "price.manage", ROOT)
        with self._db.transaction():
            self._store.lock_rating()
            found = Collector()
            books = {book.slug for book in self._store.books()}
            meters = {meter.name: meter for meter in self._metering.meters(actor)}
            now = self._clock.now()
            for index, price in enumerate(prices):
                at = f"prices.{index}"
                found.check(price.book in books, f"{at}.book", "is not a price book")
                meter = meters.get(price.meter)
                if found.check(meter is not None, f"{at}.meter", "is not a meter") and meter:
                    extra = sorted(set(price.dimensions) - set(meter.dimensions))
                    found.check(
                        not extra, f"{at}.dimensions", f"the meter lacks {', '.join(extra)}"
                    )
                found.check(
                    price.starts > now or price.reason.strip(),
                    f"{at}.reason",
                    "a price that begins in the past corrects charges and needs a reason",
                )
            found.finish()
            self._refuse_ambiguity(prices)
            self._store.add_prices(prices, now)

    def _refuse_ambiguity(self, prices: Sequence[Price]) -> None:
        """Of two prices by different dimensions one must be more specific, or both could fit."""
        found = Collector()
        standing = {book: self._store.prices(book, None) for book in {p.book for p in prices}}
        for index, price in enumerate(prices):
            rivals = [*standing[price.book], *prices[:index]]
            for other in rivals:
                if _ambiguous(price, other):
                    found.check(
                        False,
                        f"prices.{index}.dimensions",
                        f"unclear beside {dict(other.dimensions)} of {other.id}: which applies?",
                    )
        found.finish()

    def prices(self, actor: Actor, book: str, at: datetime | None = None) -> list[Price]:
        """The prices of a book, of all time or as they hold at an instant. Raises NotFound."""
        del actor
        with self._db.transaction():
            if book not in {each.slug for each in self._store.books()}:
                raise NotFound(f"there is no price book {book}")
            return self._store.prices(book, at)

    def set_terms(self, terms: Terms) -> None:
        """Let a contract's prices hold for an account; for the marketplace, in its transaction.

        The same contract version again changes nothing.

        Raises:
            Invalid: the price book is unknown.
        """
        with self._db.transaction():
            if terms.book not in {book.slug for book in self._store.books()}:
                raise Invalid([Problem("book", "is not a price book")])
            self._store.add_terms(terms, self._clock.now())

    def terms_at(self, path: str, at: datetime) -> Terms | None:
        """The terms that hold for an organisation, for features above; None without a contract."""
        with self._db.transaction():
            return self._store.terms_at(path, at)

    def estimate(
        self, path: str, hourly: Sequence[HourlyQuantity], at: datetime | None = None
    ) -> Estimate:
        """What quantities would cost an organisation; for features above.

        Raises:
            Invalid: no contract's terms hold for the organisation at that instant.
        """
        with self._db.transaction():
            when = at or self._clock.now()
            terms = self._store.terms_at(path, when)
            if terms is None:
                raise Invalid([Problem("contract", "no contract is in force", "no_contract")])
            billable = {
                m.name for m in self._metering.meters(Actor.system("billing")) if m.billable
            }
            currency = next(b.currency for b in self._store.books() if b.slug == terms.book)
            lines, unpriced = [], set()
            for quantity in hourly:
                price = self._store.price_for(terms, quantity, when)
                if price is None:
                    if quantity.meter in billable:
                        unpriced.add(quantity.meter)
                    continue
                lines.append(_estimate_line(quantity, price, terms))
        return Estimate(
            terms.contract_id, terms.contract_version, currency,
            tuple(lines), tuple(sorted(unpriced)),
        )  # fmt: skip

    # --- rating ---------------------------------------------------------------------------------

    def request_rating(self, actor: Actor, period: str) -> Operation:
        """Have a month rated now. Raises Forbidden, Invalid."""
        policy.require(actor, "statement.issue", ROOT)
        month(period)
        return self._operations.start(RATE, subject=period, path=ROOT, inputs={}, actor=actor)

    def rate_open_months(self) -> None:
        """Rate this month and the last one, in which usage may still arrive. For jobs."""
        now = self._clock.now()
        last = now.replace(day=1) - timedelta(days=1)
        for at in (last, now):
            self.rate(f"{at:%Y-%m}")

    def rate(self, period: str) -> RatingResult:
        """Charge the usage of a month, and correct what was charged otherwise before.

        Fees of the days that have passed become usage first. Running it again without new usage,
        prices or terms adds nothing. For jobs.

        Raises:
            Invalid: the period is not a month.
        """
        self._db.assert_no_transaction()  # each day has its own
        window = month(period)
        if self._fees is not None:
            self._fees.charge_fees()
        run_id = ids.new("run")
        made, accounts = 0, set[str]()
        with self._db.transaction():
            opened = {head.path for head in self._store.statements([ROOT], period)}
        with ThreadPoolExecutor(_RATED_AT_ONCE, "rating") as pool:
            days = _days(window, self._clock.now())
            for count, paths in pool.map(lambda day: self._rate_day(day, period, run_id), days):
                made += count
                accounts |= paths
        with self._db.transaction():
            for head in self._store.statements([ROOT], period):
                if head.path in opened and head.state is StatementState.OPEN:
                    self._store.open_statement(head.path, period, head.currency, self._clock.now())
        return RatingResult(run_id, made, tuple(sorted(accounts)))

    def _rate_day(self, day: Interval, period: str, run_id: str) -> tuple[int, set[str]]:
        with self._db.transaction():
            now = self._clock.now()
            count, touched = self._store.rate(day, run_id, now)
            # Sorted, so that two days that end together wait for each other and never deadlock.
            for path, currency in sorted(touched):
                self._store.open_statement(path, self._open_period(path, period), currency, now)
        return count, {path for path, _ in touched}

    def _open_period(self, path: str, period: str) -> str:
        """The period, or the first month after it that is not issued: late charges go there."""
        at = period
        while any(
            head.state is StatementState.ISSUED and head.path == path
            for head in self._store.statements([path], at)
        ):
            end = month(at).end
            if end is None:
                break
            at = f"{end:%Y-%m}"
        return at

    # --- statements -----------------------------------------------------------------------------

    def statements(self, actor: Actor, period: str | None = None) -> list[StatementHead]:
        """Statements that the actor may see, newest month first; open ones with today's total.

        Raises:
            Invalid: the period is not a month.
        """
        if period is not None:
            month(period)
        paths = policy.visible_paths(actor, "statement.view")
        with self._db.transaction():
            return [self._today(head) for head in self._store.statements(paths, period)]

    def statement_page(
        self, actor: Actor, request: PageRequest, period: str | None = None
    ) -> Page[StatementHead]:
        """A part of those statements.

        Raises:
            Invalid: the period is not a month.
        """
        if period is not None:
            month(period)
        paths = policy.visible_paths(actor, "statement.view")
        with self._db.transaction():
            return self._store.statement_page(paths, period, request).map(self._today)

    def _today(self, head: StatementHead) -> StatementHead:
        return head if head.state is StatementState.ISSUED else self._open(head).head

    def statement(self, actor: Actor, statement_id: str) -> Statement:
        """A statement with its lines. Raises NotFound."""
        with self._db.transaction():
            head = self._visible(actor, statement_id)
            if head.state is StatementState.ISSUED:
                return Statement(head, tuple(self._store.issued_lines(head.id)))
            return self._open(head)

    def _visible(self, actor: Actor, statement_id: str, *, lock: bool = False) -> StatementHead:
        head = self._store.statement(statement_id, lock=lock)
        if head is None or not policy.allows(actor, "statement.view", head.path):
            raise policy.unknown("statement")
        return head

    def _open(self, head: StatementHead) -> Statement:
        period = month(head.period)
        rows = self._store.open_lines(head, _end(period))
        amounts = round_lines([cost for *_, cost in rows])
        lines = tuple(
            StatementLine(line_id(head.id, _digest(key)), key, quantity, list_cost, cost, amount)
            for (key, quantity, list_cost, cost), amount in zip(rows, amounts, strict=True)
        )
        total = sum(amounts, Decimal(0))
        unpriced = tuple(self._store.unpriced(head.path, period))
        return Statement(replace(head, total=total), lines, unpriced)

    def issue(self, actor: Actor, statement_id: str) -> Statement:
        """Issue a month's statement: it is numbered and never changes again.

        Usage that arrives later becomes a line of a later statement.

        Raises:
            NotFound: there is no such statement.
            Conflict: it is issued already, its month has not ended, or an earlier month is open.
        """
        with self._db.transaction():
            head = self._visible(actor, statement_id)
        policy.require(actor, "statement.issue", head.path)
        if head.state is StatementState.OPEN:
            self.rate(head.period)
        with self._db.transaction():
            self._store.lock_rating()
            head = self._visible(actor, statement_id, lock=True)
            self._issuable(head)
            draft = self._open(head)
            now = self._clock.now()
            issued = self._store.issue(head, draft.lines, now)
            return Statement(issued, draft.lines)

    def _issuable(self, head: StatementHead) -> None:
        if head.state is StatementState.ISSUED:
            raise Conflict(f"the statement was issued as {head.number}")
        if _end(month(head.period)) > self._clock.now():
            raise Conflict(f"{head.period} has not ended")
        earlier = [
            other.period
            for other in self._store.statements([head.path], None)
            if other.path == head.path
            and other.period < head.period
            and other.state is StatementState.OPEN
        ]
        if earlier:
            raise Conflict(f"{min(earlier)} must be issued first")

    def explain(self, actor: Actor, identifier: str) -> Explanation:
        """Walk a line back: charges, hours, events, resource, order, contract, approvals.

        Raises:
            NotFound: there is no such line, or none that the actor may see.
        """
        with self._db.transaction():
            try:
                statement = self.statement(actor, statement_of_line(identifier))
            except NotFound:
                raise policy.unknown(_LINE) from None
            line = next((each for each in statement.lines if each.id == identifier), None)
            if line is None:
                raise policy.unknown(_LINE)
            price = self._store.price(line.key.price_id)
            if price is None:
                raise NotFound(f"the price {line.key.price_id} is unknown")
            until = _end(month(statement.head.period))
            charge_count, charges = self._store.charges(statement.head, line, until, _SHOWN)
            count, quantity, evidence = self._store.evidence(line, _SHOWN)
            origin = self._provenance.origin(line.key.resource_id)
        return Explanation(
            statement.head, line, price, tuple(charges), charge_count,
            tuple(evidence), count, quantity, origin,
        )  # fmt: skip


def _estimate_line(quantity: HourlyQuantity, price: Price, terms: Terms) -> EstimateLine:
    per_month = quantity.per_hour * HOURS_PER_MONTH
    unit_price = price.unit_price * (1 - terms.discount)
    return EstimateLine(
        quantity.subject, quantity.meter, dict(quantity.dimensions), per_month, price.id,
        price.unit_price, unit_price, per_month * unit_price,
    )  # fmt: skip


def _ambiguous(one: Price, other: Price) -> bool:
    if (one.book, one.meter) != (other.book, other.meter) or one.dimensions == other.dimensions:
        return False
    if len(one.dimensions) != len(other.dimensions):
        return False
    compatible = all(
        other.dimensions.get(name, value) == value for name, value in one.dimensions.items()
    )
    return compatible and Interval(one.starts, one.ends).overlaps(
        Interval(other.starts, other.ends)
    )


def _digest(key: LineKey) -> str:
    return canonical.digest(key)


def _end(period: Interval) -> datetime:
    if period.end is None:
        raise Invalid([Problem("period", "has no end")])
    return period.end


def _days(window: Interval, now: datetime) -> list[Interval]:
    days = []
    at, end = window.start, min(_end(window), now)
    while at < end:
        following = min(at + _RATING_STEP, _end(window))
        days.append(Interval(at, following))
        at = following
    return days
