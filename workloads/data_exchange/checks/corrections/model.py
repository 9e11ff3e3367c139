"""A correction that was asked for, and what became of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

#: Working days that the agency which holds the record has for a decision.
DAYS = 10
LONGEST_TEXT = 2_000
#: As who asked when it was not a clerk.
CITIZEN = "citizen"


class CorrectionState(StrEnum):
    """Where it stands; after ``CORRECTED`` the question was asked again."""

    OPEN = "open"
    CORRECTED = "corrected"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Correction:
    """An objection to an answer.

    Attributes:
        check, question: what was answered.
        person: place of whom it is about among the persons of the check, from 0.
        asker: path of the agency that asked the question.
        provider: path of the agency that holds the record, and decides.
        service: as the scenario names it.
        receipt: of the answer that is objected to.
        by: the name of the clerk, or ``CITIZEN``.
        sealed: number of the person and what is wrong, sealed; it names people.
        due_at: by when the provider must decide.
        escalated_at: when it was told that it is late.
        answer: what the provider said, sealed; empty while it is open.
    """

    id: str
    check: str
    question: str
    person: int
    asker: str
    provider: str
    service: str
    receipt: str
    by: str
    sealed: str
    state: CorrectionState
    created_at: datetime
    due_at: datetime
    escalated_at: datetime | None = None
    answer: str = ""
    decided_at: datetime | None = None
    decided_by: str = ""

    def overdue(self, now: datetime) -> bool:
        """Whether its provider is late."""
        return self.state is CorrectionState.OPEN and now >= self.due_at


@dataclass(frozen=True, slots=True)
class Told:
    """A correction in words, for those who may read them.

    Attributes:
        number: resident number of whom it is about.
        text: what is wrong.
        answer: what the provider said.
    """

    correction: Correction
    number: str
    text: str
    answer: str
