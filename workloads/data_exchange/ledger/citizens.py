"""What a citizen does with their ledger: object to an answer, and see what became of it."""

from collections.abc import Sequence

from foundation.access import policy
from foundation.kernel.database import UnitOfWork
from workloads.data_exchange.checks.corrections.model import Correction, Told
from workloads.data_exchange.ledger.ports import Objecting
from workloads.data_exchange.ledger.service import Ledger


class Citizens:
    """Citizens who hold a key to their own ledger, each served about themselves alone."""

    def __init__(self, ledger: Ledger, objecting: Objecting, db: UnitOfWork) -> None:
        self._ledger, self._objecting, self._db = ledger, objecting, db

    def object(self, key: str, entry: str, text: str) -> Correction:
        """Object to what was answered to a question that an entry tells of.

        Args:
            key: to their ledger.
            entry: key of one of their own entries.
            text: what is wrong.

        Raises:
            NotFound: the key is over, or the entry is none of theirs.
            Invalid: names every wrong field.
            Conflict: there is no answer, or it was objected to already.
        """
        with self._db.transaction():
            number = self._ledger.number(key)
            if not any(one.key == entry for one in self._ledger.entries(key)):
                raise policy.unknown("ledger_entry")
            check, question = _of(entry)
            return self._objecting.ask_by_number(number, check, question, text)

    def corrections(self, key: str) -> Sequence[Told]:
        """What was objected to about the holder of a key, in words.

        Raises:
            NotFound: the key is over or never was.
        """
        with self._db.transaction():
            number = self._ledger.number(key)
            checks = {_of(one.key)[0] for one in self._ledger.entries(key)}
            return self._objecting.of_number(number, sorted(checks))


def _of(entry: str) -> tuple[str, str]:
    """The check and the question of an entry's key: ``check:question`` with a round behind it."""
    check, _, rest = entry.partition(":")
    return check, rest.partition(":")[0]
