"""Money: an exact amount with its currency."""

from dataclasses import dataclass
from decimal import Decimal

from foundation.kernel.errors import Invalid, Problem

_CODE_LENGTH = 3


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount in one currency (ISO 4217), unrounded.

    Amounts of different currencies do not add and do not compare.

    Raises:
        Invalid: the amount is not finite or the currency is not three capital letters.
    """

    amount: Decimal
    currency: str = "CNY"

    def __post_init__(self) -> None:
        if not self.amount.is_finite():
            raise Invalid([Problem("amount", "must be a finite number")])
        code = self.currency
        if len(code) != _CODE_LENGTH or not (code.isascii() and code.isalpha() and code.isupper()):
            raise Invalid([Problem("currency", "must be an ISO 4217 code such as CNY")])

    def _same(self, other: "Money") -> Decimal:
        if self.currency != other.currency:
            raise Invalid(
                [Problem("currency", f"{self.currency} and {other.currency} do not combine")]
            )
        return other.amount

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount - self._same(other), self.currency)

    def __mul__(self, factor: Decimal | int) -> "Money":
        return Money(self.amount * factor, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.amount <= self._same(other)

    def __gt__(self, other: "Money") -> bool:
        return self.amount > self._same(other)

    def __ge__(self, other: "Money") -> bool:
        return self.amount >= self._same(other)

    def __bool__(self) -> bool:
        return bool(self.amount)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    @staticmethod
    def zero(currency: str = "CNY") -> "Money":
        """Nothing, in the given currency."""
        return Money(Decimal(0), currency)
