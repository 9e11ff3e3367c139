"""Use cases: trusted issuers, rules, and the exchange of a workload's token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from foundation.access import policy
from foundation.access.model import (
    Outcome,
    PrincipalState,
    RoleGrant,
    Token,
    check_path,
)
from foundation.access.service import AuditLog, Gate, People
from foundation.access.service.gate import check_scopes
from foundation.access.workload_identity.model import (
    LEEWAY,
    TOKEN_MAX,
    Issuer,
    IssuerId,
    Rule,
    RuleId,
    TokenNotAccepted,
    check_claims,
    check_issuer,
    check_rule,
    chosen,
    expiry,
)
from foundation.access.workload_identity.ports import IdentityStore, Tokens
from foundation.kernel import ids
from foundation.kernel.actor import Actor, ActorKind, PrincipalId
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import BoroughError, Collector, Conflict, Forbidden, NotFound
from foundation.kernel.paging import Page, PageRequest, everything
from foundation.kernel.time import Clock

_SHOWN = 200


@dataclass(frozen=True, slots=True)
class RuleWish:
    """A rule as an administrator writes it.

    Attributes:
        issuer: id or slug.
        match: patterns by claim.
        path: the organisation where the roles hold.
    """

    slug: str
    issuer: str
    match: Mapping[str, str]
    path: str
    roles: Sequence[str]
    scopes: Sequence[str] | None = None
    life: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A token of the platform for a workload, and why it was given."""

    token: Token
    secret: str
    rule: Rule


class WorkloadIdentity:
    """Lets workloads in by the tokens of issuers that the platform trusts.

    Args:
        store: issuers and rules.
        tokens: reads and verifies tokens; the one that asks the outside.
        people: makes the service accounts of rules.
        gate: makes their tokens.
        audit: where all of it is noted.
        db: the unit of work.
        clock: the time.
    """

    def __init__(
        self,
        store: IdentityStore,
        tokens: Tokens,
        people: People,
        gate: Gate,
        audit: AuditLog,
        db: UnitOfWork,
        clock: Clock,
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._people = people
        self._gate = gate
        self._audit = audit
        self._db = db
        self._clock = clock

    # Issuers

    def add_issuer(
        self,
        actor: Actor,
        *,
        slug: str,
        url: str,
        audience: str,
        keys: Mapping[str, Any] | None = None,
    ) -> Issuer:
        """Trust an issuer; nobody is let in before a rule says so.

        Raises:
            Invalid: names every wrong field.
            Conflict: its slug or its address is there already.
            Forbidden: the actor may not.
        """
        policy.require(actor, "identity_issuer.manage", policy.ROOT)
        found = Collector()
        check_issuer(found, slug, url, audience)
        for problem in self._tokens.check_keys(keys) if keys is not None else ():
            found.check(False, "keys", problem)
        found.finish()
        issuer = Issuer(
            id=IssuerId(ids.new("iss")),
            slug=slug,
            url=url,
            audience=audience,
            keys=keys,
            created_by=actor.id,
            created_at=self._clock.now(),
        )
        with self._db.transaction():
            if not self._store.add_issuer(issuer):
                raise Conflict("an issuer of this name or address is trusted already", slug=slug)
            details = {"slug": slug, "url": url, "audience": audience, "pinned": keys is not None}
            self._audit.record(
                actor, "identity_issuer.create", path=policy.ROOT, subject=issuer.id,
                details=details,
            )  # fmt: skip
        return issuer

    def issuers(self, actor: Actor, page: PageRequest) -> Page[Issuer]:
        """The trusted issuers, by slug.

        Raises:
            Forbidden: the actor may not.
        """
        policy.require(actor, "identity_issuer.view", policy.ROOT)
        with self._db.transaction():
            return self._store.issuers(page)

    def issuer(self, actor: Actor, reference: str) -> Issuer:
        """One issuer by id or slug.

        Raises:
            NotFound: there is none.
            Forbidden: the actor may not.
        """
        policy.require(actor, "identity_issuer.view", policy.ROOT)
        with self._db.transaction():
            return self._issuer(reference)

    def check_issuer(self, actor: Actor, reference: str) -> Sequence[str]:
        """The ids of an issuer's keys as they are now; asks it. No transaction may be open.

        Raises:
            NotFound: there is none.
            Unavailable: its keys cannot be had; the message says why.
            Forbidden: the actor may not.
        """
        policy.require(actor, "identity_issuer.manage", policy.ROOT)
        with self._db.transaction():
            issuer = self._issuer(reference)
        self._db.assert_no_transaction()
        return self._tokens.key_ids(issuer)

    def remove_issuer(self, actor: Actor, reference: str) -> None:
        """Trust an issuer no more.

        Raises:
            NotFound: there is none.
            Conflict: rules depend on it.
            Forbidden: the actor may not.
        """
        policy.require(actor, "identity_issuer.manage", policy.ROOT)
        with self._db.transaction():
            issuer = self._issuer(reference)
            rules = [rule.slug for rule in self._store.rules_of(issuer.id)]
            if rules:
                raise Conflict("rules depend on this issuer: remove them first", rules=rules)
            self._store.remove_issuer(issuer.id)
            self._audit.record(
                actor, "identity_issuer.remove", path=policy.ROOT, subject=issuer.id,
                details={"slug": issuer.slug, "url": issuer.url},
            )  # fmt: skip

    def _issuer(self, reference: str) -> Issuer:
        found = self._store.issuer(reference)
        if found is None:
            raise NotFound("there is no such issuer")
        return found

    # Rules

    def add_rule(self, actor: Actor, wish: RuleWish) -> Rule:
        """Let workloads in, as a service account that is made for the rule.

        Raises:
            Invalid: names every wrong field.
            Conflict: the slug is taken.
            Forbidden: a role allows what the actor may not do itself.
            NotFound: the path is none of the actor's business.
        """
        found = Collector()
        check_rule(found, wish.slug, wish.match, wish.life)
        if check_path(found, wish.path):
            policy.require(actor, "identity_rule.manage", wish.path)
        known = policy.table().roles
        found.check(wish.roles, "roles", "is required", "required")
        for index, role in enumerate(wish.roles):
            found.check(role in known, f"roles.{index}", "is not a role")
        check_scopes(found, wish.scopes)
        with self._db.transaction():
            issuer = self._store.issuer(wish.issuer)
            found.check(issuer, "issuer", "is not a trusted issuer", "unknown")
            found.finish()
            if issuer is None:  # as was checked
                raise NotFound("there is no such issuer")
            return self._add_rule(actor, wish, issuer)

    def _add_rule(self, actor: Actor, wish: RuleWish, issuer: Issuer) -> Rule:
        rule_id = RuleId(ids.new("wir"))
        account = self._people.create_service_account(
            actor, login=rule_id, name=f"{wish.slug} ({issuer.slug})", path=wish.path
        )
        roles = tuple(sorted(set(wish.roles)))
        for role in roles:
            self._people.grant(actor, principal_id=account.id, role=role, path=wish.path)
        rule = Rule(
            id=rule_id,
            slug=wish.slug,
            issuer_id=issuer.id,
            match=dict(wish.match),
            account_id=account.id,
            path=wish.path,
            roles=roles,
            scopes=None if wish.scopes is None else tuple(sorted(set(wish.scopes))),
            life=wish.life,
            created_by=actor.id,
            created_at=self._clock.now(),
        )
        if not self._store.add_rule(rule):
            raise Conflict("a rule of this name is there already", slug=wish.slug)
        self._audit.record(
            actor, "identity_rule.create", path=rule.path, subject=rule.id,
            details={
                "slug": rule.slug, "issuer": issuer.slug, "match": dict(rule.match),
                "roles": roles, "scopes": rule.scopes, "account": account.id,
            },
        )  # fmt: skip
        return rule

    def rules(self, actor: Actor, page: PageRequest) -> Page[Rule]:
        """The rules that the actor may see, by slug."""
        with self._db.transaction():
            return self._store.rules(policy.visible_paths(actor, "identity_rule.view"), page)

    def rule(self, actor: Actor, reference: str) -> Rule:
        """One rule by id or slug.

        Raises:
            NotFound: there is none that the actor may see.
        """
        with self._db.transaction():
            return self._rule(actor, reference)

    def remove_rule(self, actor: Actor, reference: str) -> None:
        """Let nobody in by a rule any more; its tokens end and its roles are taken away.

        Raises:
            NotFound: there is none that the actor may see.
            Forbidden: its service account may do what the actor may not.
        """
        with self._db.transaction():
            rule = self._rule(actor, reference)
            policy.require(actor, "identity_rule.manage", rule.path)
            account = self._people.principal(actor, rule.account_id)
            if account.state is PrincipalState.ACTIVE:
                self._people.update(
                    actor, account.id, version=account.version, state=PrincipalState.DISABLED
                )
            for held in self._grants(actor, account.id):
                self._people.revoke(actor, held.id)
            self._store.remove_rule(rule.id)
            self._audit.record(
                actor, "identity_rule.remove", path=rule.path, subject=rule.id,
                details={"slug": rule.slug, "account": rule.account_id},
            )  # fmt: skip

    def _grants(self, actor: Actor, account_id: PrincipalId) -> tuple[RoleGrant, ...]:
        read = partial(self._people.grants, actor, principal_id=account_id)
        return tuple(everything(read))

    def _rule(self, actor: Actor, reference: str) -> Rule:
        found = self._store.rule(reference)
        if found is None or not policy.allows(actor, "identity_rule.view", found.path):
            raise NotFound("there is no such rule")
        return found

    # The exchange

    def exchange(
        self, token: str, *, audience: str = "", rule: str = "", address: str = ""
    ) -> Exchanged:
        """A token of the platform for a workload's; no transaction may be open.

        Args:
            token: signed by a trusted issuer.
            audience: whom the caller believes to speak to; empty does not say.
            rule: the slug of the rule that it wants; empty takes the most specific.
            address: where the request comes from.

        Raises:
            TokenNotAccepted: the token is not valid here; the message says why.
            AmbiguousRules: several rules fit equally well.
            Forbidden: no rule lets this workload in, or its service account is disabled.
            Unavailable: the issuer's keys cannot be had now.
        """
        if len(token) > TOKEN_MAX:
            raise TokenNotAccepted("the token is not accepted: it is too long")
        url = self._tokens.issuer_of(token)
        with self._db.transaction():
            issuer = self._store.issuer_at(url)
        if issuer is None:
            raise TokenNotAccepted("the token is not accepted: its issuer is not trusted here")
        self._db.assert_no_transaction()
        claims = self._tokens.claims(token, issuer)
        try:
            check_claims(claims, issuer, self._clock.now())
            if audience and audience != issuer.audience:
                raise TokenNotAccepted("the token is not accepted: it is for another audience")
            with self._db.transaction():
                return self._let_in(issuer, claims, rule, address)
        except BoroughError as error:
            self._note_refusal(issuer, claims, error, address)
            raise

    def _let_in(
        self, issuer: Issuer, claims: Mapping[str, Any], named: str, address: str
    ) -> Exchanged:
        rule = chosen(self._store.rules_of(issuer.id), claims, named)
        if rule is None:
            raise Forbidden("no rule lets this workload in")
        now = self._clock.now()
        if "jti" in claims:
            until = datetime.fromtimestamp(expiry(claims), UTC) + LEEWAY
            if not self._store.remember(issuer.id, claims["jti"], until, now):
                raise TokenNotAccepted("the token is not accepted: it was exchanged already")
        name = f"{issuer.slug}: {claims['sub']}"[:_SHOWN]
        made, secret = self._gate.issue_for_workload(
            rule.account_id, name=name, life=rule.life, scopes=rule.scopes
        )
        actor = Actor(rule.account_id, rule.slug, ActorKind.SERVICE)
        details = {
            **_who(issuer, claims),
            "rule": rule.slug,
            "claims": {claim: _short(claims[claim]) for claim in rule.match},
            "token": made.id,
            "address": address,
        }
        self._audit.record(
            actor, "identity.exchange", path=rule.path, subject=rule.id, details=details
        )
        return Exchanged(made, secret, rule)

    def _note_refusal(
        self, issuer: Issuer, claims: Mapping[str, Any], error: BoroughError, address: str
    ) -> None:
        """What an issuer did sign and was refused; what nobody signed is not worth an entry."""
        with self._db.transaction():
            self._audit.record(
                Actor.system("workload-identity"),
                "identity.exchange",
                path=policy.ROOT,
                subject=issuer.id,
                outcome=Outcome.REFUSED,
                details={**_who(issuer, claims), "reason": error.message, "address": address},
            )


def _who(issuer: Issuer, claims: Mapping[str, Any]) -> dict[str, object]:
    return {
        "issuer": issuer.slug,
        "sub": _short(claims.get("sub")),
        "jti": _short(claims.get("jti")),
    }


def _short(value: object) -> str | None:
    return None if value is None else str(value)[:_SHOWN]
