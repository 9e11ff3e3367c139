"""The simulated region: its objects, room, quotas, history and faults, in PostgreSQL.

Every method is one transaction, or joins the caller's.
"""

import fnmatch
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from control_plane.adapters.embedded import rules
from control_plane.adapters.embedded.quotas import QUOTA_SETS
from control_plane.adapters.embedded.tables import (
    ACTION,
    BESIDE,
    FAULT,
    PROCESS,
    RESOURCE,
    STACK,
)
from control_plane.adapters.embedded.things import Action, Fault, RefusedError, Thing
from control_plane.provisioning.graph import Beside, Json
from control_plane.provisioning.paths import assign
from control_plane.provisioning.usage_map import SERVER, quota
from foundation.kernel import canonical, ids
from foundation.kernel.database import Database
from foundation.kernel.time import Clock

OUTSIDE = "outside"
"""Stands for a deployment where an object has none."""

_ALIASES = {"servers": "instances"}
_SIZES = ("flavorId", "size", "spec.replicas", "spec.resources")


class SimulatedRegion:
    """All regions of the embedded engine; every method names the region or deployment it means."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._db = database
        self._clock = clock

    # ------------------------------------------------------------------ what there is

    def things(self, deployment: str) -> list[Thing]:
        """Return a deployment's objects in the order in which they were made."""
        with self._db.transaction():
            rows = self._db.execute(
                sa.select(RESOURCE)
                .where(RESOURCE.c.deployment == deployment)
                .order_by(RESOURCE.c.position)
            ).mappings()
            return [_thing(dict(row)) for row in rows]

    def actions(self, region: str, *, after: int = 0, limit: int = 1000) -> list[Action]:
        """Return what happened in a region, in order; ``after`` is the last id already seen."""
        with self._db.transaction():
            rows = self._db.execute(
                sa.select(ACTION)
                .where(ACTION.c.region == region, ACTION.c.id > after)
                .order_by(ACTION.c.id)
                .limit(limit)
            ).mappings()
            return [Action(**row) for row in rows]

    def free(self, region: str, capacity: Mapping[str, Any]) -> dict[str, Decimal]:
        """Return how much room is left of each bounded resource."""
        with self._db.transaction():
            used = self._used(RESOURCE.c.region == region)
        bounds = {_ALIASES.get(k, k): Decimal(str(v)) for k, v in capacity.items()}
        return {k: v - used.get(k, Decimal(0)) for k, v in bounds.items()}

    # ------------------------------------------------------------------ making and ending

    def order(self, thing: Thing, capacity: Mapping[str, Any], facts: Mapping[str, Any]) -> Thing:
        """Order an object: room and quota are taken, and its ids are given; it is not yet made.

        Ordering the same again returns what was ordered.

        Raises:
            RefusedError: There is no room, or a quota is used up.
        """
        with self._db.transaction():
            self._db.lock(f"embedded-region:{thing.region}")
            thing = replace(thing, takes=_takes(thing, facts))
            self._check_room(thing, {}, capacity)
            around = rules.Surroundings(
                thing.deployment,
                thing.urn,
                thing.generation,
                lambda reference: self._subnet(thing.region, reference),
                lambda pool: self._taken(thing.region, pool),
                lambda port: self._port(thing.region, port),
            )
            try:
                added = rules.computed(thing.type, thing.inputs, around)
            except LookupError as error:
                raise RefusedError(str(error)) from None
            thing = replace(
                thing,
                physical_id=rules.physical_id(thing.type, thing.inputs, around),
                computed=added,
                pool=around.pool,
                address=around.allocated,
            )
            statement = insert(RESOURCE).values(**_row(thing), created_at=self._clock.now())
            self._db.execute(statement.on_conflict_do_nothing())
            return self._get(thing)

    def confirm(self, thing: Thing) -> Thing:
        """Make an object that was ordered."""
        with self._db.transaction():
            self._set(thing, state="created")
            self._note(thing, "create")
            if thing.type == SERVER:
                self._note(thing, "start")
            return replace(thing, state="created")

    def change(
        self,
        thing: Thing,
        inputs: Mapping[str, Any],
        changed: Iterable[str],
        *,
        capacity: Mapping[str, Any],
        facts: Mapping[str, Any],
        depends_on: tuple[str, ...],
    ) -> Thing:
        """Change an object in place; what somebody else had changed on it is gone.

        Raises:
            RefusedError: It cannot become like that, there is no room, or a quota is used up.
        """
        changed = list(changed)
        new = replace(thing, inputs=inputs, depends_on=depends_on, drift={})
        new = replace(new, takes=_takes(new, facts))
        for path in changed:
            _refuse_shrinking(thing, new, path)
        with self._db.transaction():
            self._db.lock(f"embedded-region:{thing.region}")
            self._check_room(new, thing.takes, capacity)
            self._set(
                new,
                inputs=dict(inputs),
                takes=dict(new.takes),
                depends_on=list(depends_on),
                drift={},
            )
            resized = any(path.startswith(_SIZES) for path in changed)
            self._note(new, "resize" if resized else "change")
        return new

    def order_end(self, thing: Thing) -> None:
        """Order the end of an object; it still is there."""
        with self._db.transaction():
            self._set(thing, state="deleting")

    def end(self, thing: Thing) -> None:
        """End an object; one that is gone already stays gone."""
        with self._db.transaction():
            gone = self._db.execute(
                sa.delete(RESOURCE).where(*_is(thing)).returning(RESOURCE.c.state)
            ).first()
            self._db.execute(
                sa.delete(BESIDE).where(
                    BESIDE.c.region == thing.region, BESIDE.c.holder == thing.physical_id
                )
            )
            if gone is None or thing.drift.get("missing"):
                return
            if thing.type == SERVER:
                self._note(thing, "stop")
            self._note(thing, "delete")
            self._db.execute(
                sa.delete(PROCESS).where(
                    PROCESS.c.deployment == thing.deployment, PROCESS.c.urn == thing.urn
                )
            )

    # ------------------------------------------------------------------ what is nobody's

    def plant(
        self, region: str, type_: str, inputs: Mapping[str, Any], *, place: str = ""
    ) -> Thing:
        """Make an object that no deployment owns, as somebody may by hand.

        Args:
            region: Where.
            type_: Pulumi type token.
            inputs: As a program would declare it.
            place: The project or namespace that it is in.

        Raises:
            RefusedError: There is no room, or a quota is used up.
        """
        urn = f"urn:pulumi:outside::outside::{type_}::{ids.new('obj')}"
        name = str(inputs.get("name") or "")
        thing = Thing(
            deployment=OUTSIDE, urn=urn, region=region, type=type_, name=name,
            place=place, inputs=dict(inputs),
        )  # fmt: skip
        with self._db.transaction():
            return self.confirm(self.order(thing, {}, {}))

    def outside(self, region: str) -> list[Thing]:
        """Return the objects of a region that no deployment owns, in the order of their making."""
        return [t for t in self.things(OUTSIDE) if t.region == region]

    def take_in(self, things: Mapping[str, Thing]) -> None:
        """Give objects that nobody owns to a deployment, all or none.

        Args:
            things: As they are to be, by their new URN; the id tells which is meant.

        Raises:
            RefusedError: Somebody else has taken one meanwhile.
        """
        with self._db.transaction():
            for thing in things.values():
                taken = self._db.execute(
                    sa.update(RESOURCE)
                    .where(
                        RESOURCE.c.deployment == OUTSIDE,
                        RESOURCE.c.region == thing.region,
                        RESOURCE.c.type == thing.type,
                        RESOURCE.c.physical_id == thing.physical_id,
                    )
                    .values(
                        deployment=thing.deployment, urn=thing.urn, name=thing.name, generation=0
                    )
                    .returning(RESOURCE.c.urn)
                ).all()
                if not taken:
                    raise RefusedError(f"{thing.name} is not there any more")

    def let_go(self, deployment: str, urns: Collection[str]) -> None:
        """Let a deployment's objects be nobody's."""
        with self._db.transaction():
            for thing in self.things(deployment):
                if thing.urn in urns:
                    urn = f"urn:pulumi:outside::outside::{thing.type}::{ids.new('obj')}"
                    self._set(thing, deployment=OUTSIDE, urn=urn)

    # ------------------------------------------------------------------ stacks

    def save_outputs(self, deployment: str, region: str, outputs: Json, sealed: str) -> None:
        """Keep what a program exported."""
        row = {
            "deployment": deployment,
            "region": region,
            "outputs": outputs,
            "sealed_outputs": sealed,
            "updated_at": self._clock.now(),
        }
        with self._db.transaction():
            self._db.execute(
                insert(STACK)
                .values(row)
                .on_conflict_do_update(index_elements=["deployment"], set_=row)
            )

    def outputs(self, deployment: str) -> tuple[dict[str, Json], str] | None:
        """Return what a program exported, and the sealed secrets; None without such a stack."""
        with self._db.transaction():
            row = self._db.execute(
                sa.select(STACK.c.outputs, STACK.c.sealed_outputs).where(
                    STACK.c.deployment == deployment
                )
            ).first()
        return (row.outputs, row.sealed_outputs) if row else None

    def forget_stack(self, deployment: str) -> None:
        """Remove a stack that holds nothing any more."""
        with self._db.transaction():
            self._db.execute(sa.delete(STACK).where(STACK.c.deployment == deployment))

    # ------------------------------------------------------------------ drills

    def tamper(self, deployment: str, urn: str, path: str, value: Json) -> None:
        """Change one property of an object behind the platform's back; metering sees it at once."""
        with self._db.transaction():
            thing = self._named(deployment, urn)
            thing = replace(thing, drift={**thing.drift, path: value})
            self._set(thing, drift=dict(thing.drift))
            inputs = dict(thing.inputs)
            for changed, other in thing.drift.items():
                inputs = assign(inputs, changed, other)
            resized = path.startswith(_SIZES)
            self._note(replace(thing, inputs=inputs), "resize" if resized else "change")

    def remove(self, deployment: str, urn: str) -> None:
        """Remove an object behind the platform's back; metering sees its end."""
        with self._db.transaction():
            thing = self._named(deployment, urn)
            self._set(thing, drift={"missing": True})
            if thing.type == SERVER:
                self._note(thing, "stop")
            self._note(thing, "delete")

    def add_beside(self, deployment: str, urn: str, type_: str, beside: Beside) -> None:
        """Add something to an object behind the platform's back; metering does not see it."""
        with self._db.transaction():
            holder = self._named(deployment, urn)
            self._db.execute(
                sa.insert(BESIDE).values(
                    region=holder.region,
                    id=beside.id,
                    holder=holder.physical_id,
                    type=type_,
                    found=dict(beside.found),
                )
            )

    def beside(self, region: str, holders: Iterable[str]) -> list[tuple[str, str, Beside]]:
        """What was added to objects of these physical ids: (holder's id, type, what it is)."""
        with self._db.transaction():
            rows = self._db.execute(
                sa.select(BESIDE)
                .where(BESIDE.c.region == region, BESIDE.c.holder.in_(sorted(holders)))
                .order_by(BESIDE.c.id)
            )
            return [(row.holder, row.type, Beside(row.id, row.found)) for row in rows]

    def remove_beside(self, region: str, ids: Iterable[str]) -> None:
        """Remove what was added, by its ids."""
        with self._db.transaction():
            self._db.execute(
                sa.delete(BESIDE).where(BESIDE.c.region == region, BESIDE.c.id.in_(sorted(ids)))
            )

    def power(self, deployment: str, urn: str, *, on: bool) -> None:
        """Start or stop a server, as its owner may at any time."""
        with self._db.transaction():
            self._note(self._named(deployment, urn), "start" if on else "stop")

    def settle(self, thing: Thing, inputs: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Write into the record what somebody changed; a removed object is forgotten."""
        with self._db.transaction():
            if thing.drift.get("missing"):
                self._db.execute(sa.delete(RESOURCE).where(*_is(thing)))
            else:
                takes = _takes(replace(thing, inputs=inputs), facts)
                self._set(thing, inputs=dict(inputs), takes=takes, drift={})

    def add_fault(self, region: str, fault: Fault) -> None:
        """Let something go wrong from now on."""
        row = {name: getattr(fault, name) for name in Fault.__slots__}
        with self._db.transaction():
            self._db.execute(sa.insert(FAULT).values(region=region, **row))

    def clear_faults(self, region: str) -> None:
        """Let everything go well again."""
        with self._db.transaction():
            self._db.execute(sa.delete(FAULT).where(FAULT.c.region == region))

    def next_fault(self, region: str, type_: str, name: str, op: str) -> Fault | None:
        """Return what shall go wrong with this step, and count it."""
        with self._db.transaction():
            rows = self._db.execute(
                sa.select(FAULT).where(FAULT.c.region == region).order_by(FAULT.c.id)
            ).mappings()
            for row in rows:
                hit = fnmatch.fnmatchcase(type_, row["type"]) and fnmatch.fnmatchcase(
                    name, row["name"]
                )
                if hit and row["op"] in {"any", op} and row["remaining"] != 0:
                    if row["remaining"] is not None:
                        self._db.execute(
                            sa.update(FAULT)
                            .where(FAULT.c.id == row["id"])
                            .values(remaining=FAULT.c.remaining - 1)
                        )
                    return Fault(**{name: row[name] for name in Fault.__slots__})
        return None

    # ------------------------------------------------------------------ inside

    def _get(self, thing: Thing) -> Thing:
        row = self._db.execute(sa.select(RESOURCE).where(*_is(thing))).mappings().one()
        return _thing(dict(row))

    def _named(self, deployment: str, urn: str) -> Thing:
        row = self._db.execute(
            sa.select(RESOURCE)
            .where(RESOURCE.c.deployment == deployment, RESOURCE.c.urn == urn)
            .order_by(RESOURCE.c.generation.desc())
        ).mappings()
        return _thing(dict(row.first() or {}))

    def _set(self, thing: Thing, **columns: object) -> None:
        self._db.execute(sa.update(RESOURCE).where(*_is(thing)).values(**columns))

    def _note(self, thing: Thing, action: str) -> None:
        if not thing.custom or thing.type.startswith("pulumi:"):
            return
        self._db.execute(
            sa.insert(ACTION).values(
                region=thing.region,
                deployment=thing.deployment,
                urn=thing.urn,
                type=thing.type,
                name=thing.name,
                physical_id=thing.physical_id,
                action=action,
                inputs=dict(thing.inputs),
                at=self._clock.now(),
            )
        )

    def _used(self, *where: Any) -> dict[str, Decimal]:  # noqa: ANN401 - SQL conditions
        """Sum up what objects take, by quota resource."""
        pair = sa.func.jsonb_each_text(RESOURCE.c.takes).table_valued("key", "value")
        rows = self._db.execute(
            sa.select(pair.c.key, sa.func.sum(sa.cast(pair.c.value, sa.Numeric)).label("total"))
            .select_from(RESOURCE.join(pair, sa.true()))
            .where(*where)
            .group_by(pair.c.key)
        )
        return {row.key: Decimal(row.total) for row in rows}

    def _check_room(
        self, thing: Thing, before: Mapping[str, str], capacity: Mapping[str, Any]
    ) -> None:
        more = {
            k: Decimal(v) - Decimal(before.get(k, "0"))
            for k, v in thing.takes.items()
            if Decimal(v) > Decimal(before.get(k, "0"))
        }
        if not more:
            return
        others = sa.not_(sa.and_(*_is(thing)))
        self._check_quota(thing, others)
        used = self._used(RESOURCE.c.region == thing.region, others)
        bounds = {_ALIASES.get(k, k): Decimal(str(v)) for k, v in capacity.items()}
        for name in sorted(more):
            wanted = used.get(name, Decimal(0)) + Decimal(thing.takes[name])
            if name in bounds and wanted > bounds[name]:
                raise RefusedError(
                    "No valid host was found. There are not enough hosts available: the simulated "
                    f"region has {_text(bounds[name])} {name}, and {_text(wanted)} would be in use."
                )

    def _check_quota(self, thing: Thing, others: Any) -> None:  # noqa: ANN401
        # What sets a limit is not itself held to it.
        limits = {} if thing.type in QUOTA_SETS else self._limits(thing)
        if not limits:
            return
        used = self._used(
            RESOURCE.c.region == thing.region, RESOURCE.c.place == thing.place, others
        )
        for name, limit in sorted(limits.items()):
            requested = Decimal(thing.takes.get(name, "0"))
            already = used.get(name, Decimal(0))
            if requested and already + requested > limit:
                if thing.type.startswith("kubernetes:"):
                    raise RefusedError(
                        f"exceeded quota in namespace {thing.place}: requested {name}="
                        f"{_text(requested)}, used {_text(already)}, limited {_text(limit)}"
                    )
                raise RefusedError(
                    f"Quota exceeded for {name}: Requested {_text(requested)}, but already used "
                    f"{_text(already)} of {_text(limit)} {name}"
                )

    def _limits(self, thing: Thing) -> dict[str, Decimal]:
        """Return the quotas that hold where an object is."""
        if not thing.place:
            return {}
        rows = self._db.execute(
            sa.select(RESOURCE.c.type, RESOURCE.c.inputs).where(
                RESOURCE.c.region == thing.region,
                RESOURCE.c.type.in_(QUOTA_SETS),
                sa.or_(
                    RESOURCE.c.place == thing.place,
                    RESOURCE.c.inputs["projectId"].astext == thing.place,
                ),
            )
        )
        limits: dict[str, Decimal] = {}
        for row in rows:
            limits |= QUOTA_SETS[row.type](row.inputs)
        return limits

    def _subnet(self, region: str, reference: str) -> tuple[str, str] | None:
        row = self._db.execute(
            sa.select(RESOURCE.c.physical_id, RESOURCE.c.inputs["cidr"].astext.label("cidr"))
            .where(
                RESOURCE.c.region == region,
                RESOURCE.c.type == "openstack:networking/subnet:Subnet",
                sa.or_(
                    RESOURCE.c.physical_id == reference,
                    RESOURCE.c.inputs["networkId"].astext == reference,
                ),
            )
            .order_by(RESOURCE.c.position)
        ).first()
        return (row.physical_id, row.cidr) if row else None

    def _port(self, region: str, port: str) -> str:
        found = self._db.execute(
            sa.select(RESOURCE.c.address).where(
                RESOURCE.c.region == region,
                RESOURCE.c.type == "openstack:networking/port:Port",
                RESOURCE.c.physical_id == port,
            )
        ).scalar()
        return str(found or "")

    def _taken(self, region: str, pool: str) -> frozenset[str]:
        rows = self._db.execute(
            sa.select(RESOURCE.c.address).where(
                RESOURCE.c.region == region, RESOURCE.c.pool == pool
            )
        )
        return frozenset(rows.scalars())


def _is(thing: Thing) -> tuple[Any, ...]:
    return tuple(RESOURCE.c[name] == value for name, value in thing.key.items())


_COLUMNS = tuple(Thing.__slots__)


def _thing(row: Mapping[str, Any]) -> Thing:
    if not row:
        raise LookupError("the region has no such object")
    values = {name: row[name] for name in _COLUMNS}
    return Thing(**{**values, "depends_on": tuple(values["depends_on"])})


def _row(thing: Thing) -> dict[str, Any]:
    values = {name: getattr(thing, name) for name in _COLUMNS if name != "position"}
    return {**values, "depends_on": list(thing.depends_on)}


def _takes(thing: Thing, facts: Mapping[str, Any]) -> dict[str, str]:
    return {k: canonical.decimal_text(v) for k, v in quota(thing.node(), facts).items()}


def _text(value: Decimal) -> str:
    return canonical.decimal_text(value)


def _refuse_shrinking(old: Thing, new: Thing, path: str) -> None:
    if not rules.shrinks(old.type, path):
        return
    was, wanted = Decimal(old.takes.get("volume_gb", "0")), Decimal(new.takes.get("volume_gb", "0"))
    if wanted < was:
        raise RefusedError(
            f"New size for extend must be greater than current size. (current: {_text(was)}, "
            f"extended: {_text(wanted)})."
        )
