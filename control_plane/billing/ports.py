"""What billing needs from outside of itself."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from control_plane.billing.model import (
    Charge,
    Evidence,
    HourlyQuantity,
    LineKey,
    Origin,
    Price,
    PriceBook,
    StatementHead,
    StatementLine,
    Terms,
    Unpriced,
)
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Interval


class Provenance(Protocol):
    """Knows why a resource exists; the marketplace does."""

    def origin(self, resource_id: str) -> Origin:
        """The resource's deployment, order, contract and approvals; unknown parts are empty."""
        ...


class Fees(Protocol):
    """What is owed by the calendar, whether anything was used or not."""

    def charge_fees(self) -> int:
        """Let what has come to be due be usage; no transaction is open.

        Answers how many events that were.
        """
        ...


class BillingStore(Protocol):
    """Where prices, charges and statements are kept; every call joins the open transaction."""

    def put_book(self, book: PriceBook) -> None: ...

    def books(self) -> list[PriceBook]: ...

    def add_prices(self, prices: Sequence[Price], created_at: datetime) -> None: ...

    def prices(self, book: str, at: datetime | None) -> list[Price]: ...

    def price(self, price_id: str) -> Price | None: ...

    def add_terms(self, terms: Terms, created_at: datetime) -> None: ...

    def terms_at(self, path: str, at: datetime) -> Terms | None: ...

    def price_for(self, terms: Terms, quantity: HourlyQuantity, at: datetime) -> Price | None: ...

    def lock_rating(self) -> None:
        """Let nothing be rated until the transaction ends."""
        ...

    def rate(self, day: Interval, run_id: str, at: datetime) -> tuple[int, set[tuple[str, str]]]:
        """Charge what the records of a day come to, less what was charged.

        It takes the locks that it needs; a day of which nothing changed is passed over.

        Answers the number of new charges and the (account path, currency) pairs they are of.
        """
        ...

    def unpriced(self, path: str, window: Interval) -> list[Unpriced]: ...

    def open_statement(self, path: str, period: str, currency: str, rated_at: datetime) -> str: ...

    def statement(self, statement_id: str, *, lock: bool = False) -> StatementHead | None: ...

    def statements(self, paths: Sequence[str], period: str | None) -> list[StatementHead]: ...

    def statement_page(
        self, paths: Sequence[str], period: str | None, request: PageRequest
    ) -> Page[StatementHead]: ...

    def open_lines(
        self, head: StatementHead, until: datetime
    ) -> list[tuple[LineKey, Decimal, Decimal, Decimal]]:
        """Sums of charges not yet on an issued statement: key, quantity, list cost, cost."""
        ...

    def issued_lines(self, statement_id: str) -> list[StatementLine]: ...

    def issue(
        self, head: StatementHead, lines: Sequence[StatementLine], at: datetime
    ) -> StatementHead: ...

    def charges(
        self, head: StatementHead, line: StatementLine, until: datetime, limit: int
    ) -> tuple[int, list[Charge]]: ...

    def evidence(self, line: StatementLine, limit: int) -> tuple[int, Decimal, list[Evidence]]: ...
