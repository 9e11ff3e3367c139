"""What another participant offers, as it said when it was asked."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from foundation.kernel.text import Text

#: Of a policy, what is not said of its rules.
_HEAD = frozenset({"@context", "@type", "@id", "target"})


def id_of(participant: str, name: str) -> str:
    """Our id of a data set elsewhere, the same each time that it is asked for."""
    whole = f"{participant}\0{name}".encode(errors="replace")
    return f"dsd_{hashlib.sha256(whole).hexdigest()[:26]}"


@dataclass(frozen=True, slots=True)
class TheirOffer:
    """An offer of a data set elsewhere.

    Attributes:
        id: its ``@id``.
        policy: all that it says (ODRL, in the plain form of the schemas).
        format: the one format for which it counts; empty for all of the data set.
    """

    id: str
    policy: Mapping[str, Any]
    format: str = ""

    def rules(self) -> dict[str, Any]:
        """What it says, without its name and what it is about."""
        return {name: said for name, said in self.policy.items() if name not in _HEAD}


@dataclass(frozen=True, slots=True)
class Listed:
    """A data set in the catalogue of another participant.

    Attributes:
        participant: who was asked.
        name: its ``@id``.
        within: the catalogues inside of the participant's in which it stands, the outermost first.
        owner: the participant that such a catalogue says it is of; empty for who was asked.
        formats: of its distributions.
        endpoint: where its data service says that negotiations begin; empty if it does not.
        address: where ours begin: the endpoint, where it lies on the host that was registered.
        asked_at: when this was said.
    """

    participant: str
    name: str
    title: Text
    description: Text
    keywords: tuple[str, ...]
    within: tuple[str, ...]
    owner: str
    formats: tuple[str, ...]
    endpoint: str
    address: str
    offers: tuple[TheirOffer, ...]
    asked_at: datetime

    @property
    def id(self) -> str:
        """Our id of it."""
        return id_of(self.participant, self.name)

    def offer(self, offer: str) -> TheirOffer | None:
        """One of its offers by its ``@id``."""
        return next((one for one in self.offers if one.id == offer), None)


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking a participant for its catalogue.

    Attributes:
        base: the address of its endpoints, as it was found.
        calls_itself: the ``participantId`` of the catalogue.
        datasets: how many there are of it here.
        left_out: how many did not fit their schema and are not here.
        whole: whether all its pages were read.
        remarks: what is to be known of it, in clauses.
    """

    participant: str
    base: str
    calls_itself: str
    datasets: int
    left_out: int
    whole: bool
    remarks: tuple[str, ...]
    asked_at: datetime
