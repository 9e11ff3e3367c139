"""The use cases of tenancy."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from control_plane.tenancy.model import (
    PARENTS,
    RESOURCES,
    DataClass,
    Organisation,
    OrganisationId,
    OrganisationKind,
    Quota,
    QuotaLevel,
    Reservation,
    ReservationState,
    System,
    SystemId,
    Tenancy,
    TenancyId,
    TenancyState,
    ancestors,
    check_amounts,
    check_slug,
    parse_amount,
)
from control_plane.tenancy.ports import Audit, TenancyStore
from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.canonical import decimal_text
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import (
    Collector,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    QuotaExceeded,
)
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.text import Text
from foundation.kernel.time import Clock

_SCOPE = "scope"


class TenancyService:
    """Organisations, systems, tenancies and their quotas."""

    def __init__(self, store: TenancyStore, db: UnitOfWork, clock: Clock, audit: Audit) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self._audit = audit

    # Organisations ---------------------------------------------------------------------------

    def create_organisation(
        self, actor: Actor, *, parent: str | None, slug: str, name: Text, kind: str
    ) -> Organisation:
        """Add an organisation to the tree; the same again answers the one that is there.

        Args:
            actor: who asks.
            parent: id or path of the organisation above; None for the city.
            slug: its name in paths.
            name: as people read it.
            kind: ``city``, ``bureau``, ``district`` or ``office``.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such parent.
            Conflict: another organisation has the path, or there is a city already.
        """
        with self._db.transaction():
            above = None if parent is None else self._organisation(parent)
            under = above.path if above else policy.ROOT
            path = f"{under}{slug}/"
            policy.require(actor, "organisation.create", under, "organisation")
            found = Collector()
            check_slug(found, slug)
            chosen = _kind(found, kind, above)
            found.finish()
            made = Organisation(
                OrganisationId(ids.new("org")),
                above.id if above else None,
                slug, name, chosen, path, self._clock.now(),
            )  # fmt: skip
            if self._store.add_organisation(made):
                self._note(actor, "organisation.create", made.id, path, {"kind": kind})
                return made
            there = self._store.organisation(path)
            if there is None:
                raise Conflict("there is a city already")
            if replace(made, id=there.id, created_at=there.created_at) != there:
                raise Conflict(f"{path} is there and differs", id=there.id)
            return there

    def organisation(self, actor: Actor, reference: str) -> Organisation:
        """One organisation by id or path.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            found = self._organisation(reference)
            policy.require(actor, "organisation.view", found.path, "organisation")
            return found

    def organisations(self, actor: Actor, request: PageRequest) -> Page[Organisation]:
        """The organisations that the actor may see, by path."""
        paths = policy.visible_paths(actor, "organisation.view")
        with self._db.transaction():
            return self._store.organisations(paths, request)

    def rename_organisation(self, actor: Actor, reference: str, name: Text) -> Organisation:
        """Give an organisation another name; its path, by which others know it, stays.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._organisation(reference)
            policy.require(actor, "organisation.update", there.path, "organisation")
            if there.name == name:
                return there
            self._store.rename_organisation(there.id, name)
            details = {"before": there.name.as_json(), "after": name.as_json()}
            self._note(actor, "organisation.update", there.id, there.path, details)
            return replace(there, name=name)

    # Systems ---------------------------------------------------------------------------------

    def register_system(
        self,
        actor: Actor,
        *,
        organisation: str,
        slug: str,
        name: Text,
        data_class: str,
        contact: str = "",
    ) -> System:
        """Enter a system into the register; the same again answers the one that is there.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such organisation.
            Conflict: the organisation has another system of that slug.
        """
        with self._db.transaction():
            owner = self._organisation(organisation)
            policy.require(actor, "system.create", owner.path, "organisation")
            found = Collector()
            check_slug(found, slug)
            chosen = _data_class(found, data_class)
            found.finish()
            made = System(
                SystemId(ids.new("sys")), owner.id, owner.path, slug, name, chosen, contact,
                self._clock.now(),
            )  # fmt: skip
            if self._store.add_system(made):
                self._note(actor, "system.create", made.id, owner.path, {"slug": slug})
                return made
            there = self._store.system_named(owner.id, slug)
            if there is None or replace(made, id=there.id, created_at=there.created_at) != there:
                raise Conflict(f"{owner.path} has another system {slug}")
            return there

    def system(self, actor: Actor, system_id: str) -> System:
        """One system of the register.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            found = self._system(system_id)
            policy.require(actor, "system.view", found.path, "system")
            return found

    def systems(self, actor: Actor, request: PageRequest) -> Page[System]:
        """The systems that the actor may see."""
        paths = policy.visible_paths(actor, "system.view")
        with self._db.transaction():
            return self._store.systems(paths, request)

    # Tenancies -------------------------------------------------------------------------------

    def create_tenancy(
        self,
        actor: Actor,
        *,
        organisation: str,
        slug: str,
        name: Text,
        data_class: str | None = None,
        system: str | None = None,
    ) -> Tenancy:
        """Open a tenancy; the same again answers the one that is there.

        Args:
            actor: who asks.
            organisation: id or path.
            slug: unique in the city.
            name: as people read it.
            data_class: None takes the system's, or ``internal`` without one.
            system: id of the system that it serves, of the organisation or one below.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such organisation.
            Conflict: another tenancy has the slug.
        """
        with self._db.transaction():
            owner = self._organisation(organisation)
            policy.require(actor, "tenancy.create", owner.path, "organisation")
            found = Collector()
            check_slug(found, slug)
            served = self._served(found, system, owner)
            chosen = _tenancy_class(found, data_class, served)
            found.finish()
            made = Tenancy(
                TenancyId(ids.new("ten")), owner.id, served.id if served else None, slug,
                owner.path, name, chosen, TenancyState.ACTIVE, self._clock.now(),
            )  # fmt: skip
            if self._store.add_tenancy(made):
                self._note(actor, "tenancy.create", made.id, owner.path, {"slug": slug})
                return made
            there = self._store.tenancy(slug)
            if there is None or replace(made, id=there.id, created_at=there.created_at) != there:
                raise Conflict(f"another tenancy is called {slug}")
            return there

    def tenancy(self, actor: Actor, reference: str) -> Tenancy:
        """One tenancy by id or slug.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            found = self.tenancy_in_transaction(reference)
            policy.require(actor, "tenancy.view", found.path, "tenancy")
            return found

    def tenancies(
        self, actor: Actor, request: PageRequest, *, system: str | None = None
    ) -> Page[Tenancy]:
        """The tenancies that the actor may see, of one system if given."""
        paths = policy.visible_paths(actor, "tenancy.view")
        with self._db.transaction():
            return self._store.tenancies(paths, request, system_id=system)

    def close_tenancy(self, actor: Actor, reference: str) -> Tenancy:
        """Let nothing new into a tenancy.

        Raises:
            NotFound: there is none, or none that the actor may know of.
            Conflict: something is still in it or reserved for it.
        """
        with self._db.transaction():
            found = self.tenancy_in_transaction(reference)
            policy.require(actor, "tenancy.close", found.path, "tenancy")
            if found.state is TenancyState.CLOSED:
                return found
            rows = self._store.lock_quotas([found.id], RESOURCES)
            held = sorted(q.resource for q in rows.values() if q.used or q.reserved)
            if held:
                raise Conflict("return what is in the tenancy first", resources=held)
            self._store.close_tenancy(found.id)
            self._note(actor, "tenancy.close", found.id, found.path, {})
            return replace(found, state=TenancyState.CLOSED)

    # Quotas ----------------------------------------------------------------------------------

    def set_quota(
        self, actor: Actor, *, scope: str, limits: Mapping[str, Any]
    ) -> tuple[QuotaLevel, ...]:
        """Set limits of one level, all or none.

        Args:
            actor: who asks.
            scope: id or path of an organisation, id or slug of a tenancy.
            limits: number by resource; None lifts the limit. Others stay as they are.

        Returns:
            All levels from the root to the scope.

        Raises:
            Invalid: names every unknown resource, every wrong number, and every limit that is
                below what is used and reserved already.
            NotFound: no such scope.
        """
        with self._db.transaction():
            path, tenancy, scope_id = self._scope(scope)
            policy.require(actor, "quota.view", path, _SCOPE)
            # A quota is granted from above: a department shares out its own and never widens it.
            above = path if tenancy else ancestors(path)[-2:][0]
            if not policy.allows(actor, "quota.set", above):
                raise Forbidden(f"this needs the permission quota.set on {above}")
            wanted = _limits(limits)
            rows = self._store.lock_quotas([scope_id], wanted)
            found = Collector()
            for name, limit in wanted.items():
                row = rows[scope_id, name]
                held = row.used + row.reserved
                found.check(
                    limit is None or limit >= held, f"limits.{name}",
                    f"is below the {_number(held)} that are used or reserved", "below_use",
                )  # fmt: skip
            found.finish()
            for name, limit in wanted.items():
                self._store.set_limit(scope_id, name, limit)
            before = {name: rows[scope_id, name].limit for name in wanted}
            change = {"before": before, "after": wanted}
            self._note(actor, "quota.set", scope_id, path, change)
            return tuple(self._store.quota_levels(path, tenancy))

    def quota_view(self, actor: Actor, scope: str) -> tuple[QuotaLevel, ...]:
        """How every resource stands at each level from the city to the scope.

        The levels above are shown to all who may see the scope, because they refuse as well.

        Args:
            actor: who asks.
            scope: id or path of an organisation, id or slug of a tenancy.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            path, tenancy, _ = self._scope(scope)
            policy.require(actor, "quota.view", path, _SCOPE)
            return tuple(self._store.quota_levels(path, tenancy))

    # For features above, in their transaction --------------------------------------------------

    def organisation_in_transaction(self, reference: str) -> Organisation:
        """One organisation by id or path, for features above; they have authorised.

        Raises:
            NotFound: there is none.
        """
        return self._organisation(reference)

    def root_path_in_transaction(self) -> str:
        """The city's path; ``/`` before there is one. For features above."""
        page = self._store.organisations(("/",), PageRequest(limit=1))
        return page.items[0].path if page.items else "/"

    def tenancy_in_transaction(self, reference: str) -> Tenancy:
        """One tenancy by id or slug, for features above; they have authorised.

        Raises:
            NotFound: there is none.
        """
        found = self._store.tenancy(reference)
        if found is None:
            raise policy.unknown("tenancy")
        return found

    def system_in_transaction(self, reference: str, *, near: str = "") -> System:
        """One system, for features above; they have authorised.

        Args:
            reference: its id, or its slug where ``near`` says which department's.
            near: a path: systems there, above and below it are known by their slug too.

        Raises:
            NotFound: there is none, or several have that slug.
        """
        found = self._store.systems_called(reference, near) if near else []
        return found[0] if len(found) == 1 else self._system(reference)

    def quota_levels_in_transaction(self, tenancy_id: str) -> tuple[QuotaLevel, ...]:
        """All levels of a tenancy from the root, for features above; they have authorised."""
        tenancy = self.tenancy_in_transaction(tenancy_id)
        return tuple(self._store.quota_levels(tenancy.path, tenancy))

    def reserve(self, key: str, tenancy_id: str, amounts: Mapping[str, Decimal]) -> Reservation:
        """Hold quota at every level above a tenancy; for features above, in their transaction.

        Nothing is written when it is refused, so that the caller's transaction may go on.

        Args:
            key: names the reservation for ever; the same again changes nothing.
            tenancy_id: whose quota.
            amounts: by resource; a negative one is given back when the reservation is consumed.

        Raises:
            QuotaExceeded: ``details["exceeded"]`` names every level and resource with its limit,
                what is used and reserved, and what was asked.
            Conflict: the tenancy is closed, or the key stands for something else.
            Invalid: an unknown resource or an impossible amount.
        """
        wanted = check_amounts(amounts)
        with self._db.transaction():
            tenancy = self.tenancy_in_transaction(tenancy_id)
            scopes = self._scopes(tenancy)
            rows = self._store.lock_quotas(scopes, wanted)
            made = Reservation(key, tenancy.id, wanted, ReservationState.RESERVED)
            there = self._store.reservation(key)
            if there is None:
                if tenancy.state is TenancyState.CLOSED:
                    raise Conflict(f"the tenancy {tenancy.slug} is closed")
                effect = made.effect()
                self._check_room(tenancy, scopes, rows, effect)
                if self._store.add_reservation(made):
                    self._store.add_to_quotas(scopes, effect)
                    return made
                there = self._store.reservation(key)  # another was quicker, of other resources
            return _same(made, there)

    def consume(self, key: str) -> Reservation:
        """What was reserved is now used; for features above, in their transaction.

        Raises:
            NotFound: no such reservation.
            Conflict: it has been released, or it gives back more than is used.
        """
        return self._turn(key, ReservationState.CONSUMED)

    def release(self, key: str) -> Reservation:
        """Give back what was reserved or used; for features above, in their transaction.

        Raises:
            NotFound: no such reservation.
        """
        return self._turn(key, ReservationState.RELEASED)

    def release_together(self, keys: Iterable[str]) -> None:
        """Give back what several reservations hold together, whatever their order.

        What was taken and what of it was given back later belong together: one by one, the first
        may give back more than is used, or the second may not fit. For features above, in their
        transaction. Those that were released already stay so.

        Raises:
            NotFound: one of them is not there.
            Conflict: together they would give back more than is used.
        """
        with self._db.transaction():
            seen = [self._reservation(key) for key in sorted(set(keys))]
            for tenancy_id in sorted({each.tenancy_id for each in seen}):
                self._release_all([each for each in seen if each.tenancy_id == tenancy_id])

    def _release_all(self, seen: Sequence[Reservation]) -> None:
        tenancy = self.tenancy_in_transaction(seen[0].tenancy_id)
        scopes = self._scopes(tenancy)
        rows = self._store.lock_quotas(scopes, {name for each in seen for name in each.amounts})
        total: dict[str, tuple[Decimal, Decimal]] = {}
        released = []
        for key in (each.key for each in seen):
            there = self._reservation(key)
            released.append(replace(there, state=ReservationState.RELEASED))
            for name, (reserved, used) in _difference(
                there.effect(), released[-1].effect()
            ).items():
                before = total.get(name, (Decimal(0), Decimal(0)))
                total[name] = (before[0] + reserved, before[1] + used)
        self._check_room(tenancy, scopes, rows, total)
        for each in released:
            self._store.save_reservation(each)
        self._store.add_to_quotas(scopes, total)

    def change(self, key: str, amounts: Mapping[str, Decimal]) -> Reservation:
        """Replace the amounts of a reservation; for features above, in their transaction.

        Raises:
            QuotaExceeded: the difference does not fit (as for ``reserve``).
            NotFound: no such reservation.
            Conflict: it has been released, or it would give back more than is used.
        """
        wanted = check_amounts(amounts)
        with self._db.transaction():
            return self._replace(key, lambda there: replace(there, amounts=wanted))

    def _turn(self, key: str, state: ReservationState) -> Reservation:
        with self._db.transaction():
            return self._replace(key, lambda there: replace(there, state=state))

    def _replace(self, key: str, change: "_Change") -> Reservation:
        seen = self._reservation(key)
        tenancy = self.tenancy_in_transaction(seen.tenancy_id)
        scopes = self._scopes(tenancy)
        # Quotas are locked before the reservation, here as in ``reserve``.
        resources = {*seen.amounts, *change(seen).amounts}
        rows = self._store.lock_quotas(scopes, resources)
        there = self._reservation(key)
        made = change(there)
        if made == there:
            return there
        if there.state is ReservationState.RELEASED:
            raise Conflict(f"the reservation {key} has been released")
        effect = _difference(there.effect(), made.effect())
        self._check_room(tenancy, scopes, rows, effect)
        self._store.save_reservation(made)
        self._store.add_to_quotas(scopes, effect)
        return made

    def _check_room(
        self,
        tenancy: Tenancy,
        scopes: list[str],
        rows: Mapping[tuple[str, str], Quota],
        effect: Mapping[str, tuple[Decimal, Decimal]],
    ) -> None:
        exceeded = []
        for scope in scopes:
            for name, (reserved, used) in effect.items():
                row = rows[scope, name]
                asked = reserved + used
                if row.used + used < 0:
                    raise Conflict(f"more {name} would be given back than are used")
                if row.free is not None and asked > 0 and asked > row.free:
                    exceeded.append((scope, row, asked))
        if exceeded:
            raise self._refusal(tenancy, exceeded)

    def _refusal(
        self, tenancy: Tenancy, exceeded: list[tuple[str, Quota, Decimal]]
    ) -> QuotaExceeded:
        levels = {
            level.scope_id: level for level in self._store.quota_levels(tenancy.path, tenancy)
        }
        clauses = []
        for scope, row, asked in exceeded:
            title = RESOURCES[row.resource].title.en.lower()
            clauses.append(
                f"{levels[scope].name.en} has {_number(row.free)} of {_number(row.limit)} "
                f"{title} left, {_number(asked)} are asked for"
            )
        return QuotaExceeded(
            "; ".join(clauses),
            exceeded=[
                {
                    "level": levels[scope].kind,
                    "scope": scope,
                    "name": levels[scope].name.as_json(),
                    "resource": row.resource,
                    "limit": row.limit,
                    "used": row.used,
                    "reserved": row.reserved,
                    "asked": asked,
                }
                for scope, row, asked in exceeded
            ],
        )

    def _scopes(self, tenancy: Tenancy) -> list[str]:
        chain = [self._organisation(path).id for path in ancestors(tenancy.path)]
        return [*chain, tenancy.id]

    def _scope(self, reference: str) -> tuple[str, Tenancy | None, str]:
        organisation = self._store.organisation(reference)
        if organisation is not None:
            return organisation.path, None, organisation.id
        tenancy = self._store.tenancy(reference)
        if tenancy is None:
            raise policy.unknown(_SCOPE)
        return tenancy.path, tenancy, tenancy.id

    def _organisation(self, reference: str) -> Organisation:
        found = self._store.organisation(reference)
        if found is None:
            raise policy.unknown("organisation")
        return found

    def _system(self, system_id: str) -> System:
        found = self._store.system(SystemId(system_id))
        if found is None:
            raise policy.unknown("system")
        return found

    def _served(self, found: Collector, system: str | None, owner: Organisation) -> System | None:
        if system is None:
            return None
        served = self._store.system(SystemId(system))
        # A system of another department is unknown here, as it is everywhere else.
        if served is None or not served.path.startswith(owner.path):
            found.check(ok=False, field="system", message="is not a system of this organisation")
            return None
        return served

    def _reservation(self, key: str) -> Reservation:
        found = self._store.reservation(key)
        if found is None:
            raise NotFound(f"there is no reservation {key}")
        return found

    def _note(
        self, actor: Actor, action: str, subject: str, path: str, details: Mapping[str, Any]
    ) -> None:
        self._audit.record(actor, action, subject=subject, path=path, details=details)


_Change = Callable[[Reservation], Reservation]


def _kind(found: Collector, kind: str, above: Organisation | None) -> OrganisationKind:
    try:
        chosen = OrganisationKind(kind)
    except ValueError:
        found.check(ok=False, field="kind", message="must be city, bureau, district or office")
        return OrganisationKind.OFFICE
    if above is None:
        found.check(chosen is OrganisationKind.CITY, "parent", f"is required for a {chosen.value}")
    else:
        fits = above.kind in PARENTS[chosen]
        found.check(fits, "kind", f"a {chosen.value} does not stand under a {above.kind.value}")
    return chosen


def _data_class(found: Collector, value: str) -> DataClass:
    try:
        return DataClass(value)
    except ValueError:
        found.check(ok=False, field="data_class", message="must be public, internal or sensitive")
        return DataClass.SENSITIVE


def _tenancy_class(found: Collector, value: str | None, served: System | None) -> DataClass:
    if value is None:
        return served.data_class if served else DataClass.INTERNAL
    chosen = _data_class(found, value)
    if served is not None:
        found.check(
            chosen.rank >= served.data_class.rank,
            "data_class",
            f"must be at least {served.data_class.value}, as its system's",
        )
    return chosen


def _limits(limits: Mapping[str, Any]) -> dict[str, Decimal | None]:
    found = Collector()
    wanted: dict[str, Decimal | None] = {}
    for name, value in limits.items():
        field = f"limits.{name}"
        if not found.check(name in RESOURCES, field, "is not a resource that quotas know"):
            continue
        try:
            wanted[name] = None if value is None else parse_amount(value, field)
        except Invalid as error:
            found.include(error)
    found.finish()
    return wanted


def _same(made: Reservation, there: Reservation | None) -> Reservation:
    if there is None or (there.tenancy_id, there.amounts) != (made.tenancy_id, made.amounts):
        raise Conflict(f"the reservation {made.key} stands for something else")
    if there.state is ReservationState.RELEASED:
        raise Conflict(f"the reservation {made.key} has been released")
    return there


def _difference(
    before: Mapping[str, tuple[Decimal, Decimal]], after: Mapping[str, tuple[Decimal, Decimal]]
) -> dict[str, tuple[Decimal, Decimal]]:
    none = (Decimal(0), Decimal(0))
    result = {}
    for name in sorted({*before, *after}):
        old, new = before.get(name, none), after.get(name, none)
        if old != new:
            result[name] = (new[0] - old[0], new[1] - old[1])
    return result


def _number(value: Decimal | None) -> str:
    return "any number" if value is None else decimal_text(value)
