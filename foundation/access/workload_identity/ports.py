"""What workload identity needs of the outside."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from foundation.access.workload_identity.model import Issuer, IssuerId, Rule, RuleId
from foundation.kernel.paging import Page, PageRequest


class Tokens(Protocol):
    """Reads signed tokens."""

    def issuer_of(self, token: str) -> str:
        """The issuer that a token claims to be of; nothing of it is proven.

        Raises:
            TokenNotAccepted: it is no signed token.
        """
        ...

    def claims(self, token: str, issuer: Issuer) -> Mapping[str, Any]:
        """The claims of a token that this issuer signed; asks the issuer for its keys.

        Raises:
            TokenNotAccepted: it did not, or with an algorithm that is not accepted.
            Unavailable: the issuer's keys cannot be had now.
        """
        ...

    def check_keys(self, keys: Mapping[str, Any]) -> Sequence[str]:
        """What is wrong with a set of public keys; nothing for one that can be used."""
        ...

    def key_ids(self, issuer: Issuer) -> Sequence[str]:
        """The ids of the issuer's usable keys as they are now; asks the issuer.

        Raises:
            Unavailable: they cannot be had; the message says why.
        """
        ...


class IdentityStore(Protocol):
    """The rows of issuers, rules and exchanged tokens."""

    def add_issuer(self, issuer: Issuer) -> bool:
        """Keep a new one; False when its slug or address is taken."""
        ...

    def issuer(self, reference: str) -> Issuer | None:
        """One by id or slug."""
        ...

    def issuer_at(self, url: str) -> Issuer | None:
        """The one of that address."""
        ...

    def issuers(self, page: PageRequest) -> Page[Issuer]:
        """All, by slug."""
        ...

    def remove_issuer(self, issuer_id: IssuerId) -> None:
        """Forget it."""
        ...

    def add_rule(self, rule: Rule) -> bool:
        """Keep a new one; False when its slug is taken."""
        ...

    def rule(self, reference: str) -> Rule | None:
        """One by id or slug."""
        ...

    def rules(self, prefixes: Sequence[str], page: PageRequest) -> Page[Rule]:
        """Those on one of the paths or below, by slug."""
        ...

    def rules_of(self, issuer_id: IssuerId) -> Sequence[Rule]:
        """All of an issuer."""
        ...

    def remove_rule(self, rule_id: RuleId) -> None:
        """Forget it."""
        ...

    def remember(self, issuer_id: IssuerId, token: str, until: datetime, now: datetime) -> bool:
        """Note a token's id as used until then; False when it was already."""
        ...
