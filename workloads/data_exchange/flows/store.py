"""The table of flows."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database, within
from workloads.data_exchange.agencies.model import Level, above
from workloads.data_exchange.agencies.store import agency_table
from workloads.data_exchange.flows.model import Calls, Counted, Flow, Grain, Outcome, Place, Step
from workloads.data_exchange.flows.ports import Filter
from workloads.data_exchange.tables import metadata

_C = sa.Text(collation="C")

flow_table = sa.Table(
    "exchange_flow",
    metadata,
    sa.Column("grain", _C, primary_key=True),
    sa.Column("start", sa.DateTime(timezone=True), primary_key=True),
    sa.Column("consumer", _C, primary_key=True),
    sa.Column("provider", _C, primary_key=True),
    sa.Column("service", _C, primary_key=True),
    sa.Column("outcome", _C, primary_key=True),
    sa.Column("step", sa.SmallInteger, primary_key=True),
    sa.Column("calls", sa.BigInteger, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.CheckConstraint("grain IN ('hour', 'day')", name="grain"),
    sa.CheckConstraint("outcome IN ('answered', 'refused', 'failed')", name="outcome"),
)
_F = flow_table.c
_A = agency_table.c
_KEY = ("grain", "start", "consumer", "provider", "service", "outcome", "step")
_SUMS = ("calls", "rows", "size")


class PostgresFlows:
    """Counted calls, on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, counted: Sequence[tuple[Counted, datetime]]) -> None:
        """Count calls into their hour and their day."""
        summed: dict[tuple[Any, ...], list[int]] = {}
        for one, day in counted:
            for grain, start in ((Grain.HOUR, one.hour), (Grain.DAY, day)):
                key = (grain.value, start, one.consumer, one.provider, one.service,
                       one.outcome.value, one.step)  # fmt: skip
                row = summed.setdefault(key, [0, 0, 0])
                for n, more in enumerate((one.calls, one.rows, one.size)):
                    row[n] += more
        given = postgresql.insert(flow_table)
        statement = given.on_conflict_do_update(
            index_elements=_KEY,
            set_={name: _F[name] + given.excluded[name] for name in _SUMS},
        )
        # Sorted: two that count at once wait for each other in one order.
        rows = [
            dict(zip((*_KEY, *_SUMS), (*key, *sums), strict=True))
            for key, sums in sorted(summed.items())
        ]
        if rows:
            self._db.execute(statement, rows)

    def flows(self, chosen: Filter, limit: int, *, by_service: bool) -> Sequence[Flow]:
        """The busiest, each with how its calls ended and how long they took."""
        service = _F.service if by_service else sa.literal("", _C)
        who = (_F.consumer, _F.provider, service.label("service"))
        calls = sa.func.sum(_F.calls)
        busiest = (
            sa.select(*who)
            .where(*_conditions(chosen))
            .group_by(_F.consumer, _F.provider, sa.text("3"))
            .order_by(calls.desc(), _F.consumer, _F.provider, sa.text("3"))
            .limit(limit)
            .subquery()
        )
        B = busiest.c  # noqa: N806 - as the other tables
        same = [_F.consumer == B.consumer, _F.provider == B.provider]
        if by_service:
            same.append(_F.service == B.service)
        query = (
            sa.select(B.consumer, B.provider, B.service, _F.outcome, _F.step, *_sums())
            .join(busiest, sa.and_(*same))
            .where(*_conditions(chosen))
            .group_by(B.consumer, B.provider, B.service, _F.outcome, _F.step)
        )
        found: dict[tuple[str, str, str], Calls] = {}
        for row in self._db.execute(query):
            _put(found.setdefault((row.consumer, row.provider, row.service), Calls()), row)
        flows = [Flow(*key, calls) for key, calls in found.items()]
        flows.sort(key=lambda one: (-one.calls.calls, one.consumer, one.provider, one.service))
        return flows

    def steps(self, chosen: Filter) -> Sequence[Step]:
        """All of it by time, in order."""
        query = (
            sa.select(_F.start, _F.outcome, _F.step, *_sums())
            .where(*_conditions(chosen))
            .group_by(_F.start, _F.outcome, _F.step)
        )
        found: dict[datetime, Calls] = {}
        for row in self._db.execute(query):
            _put(found.setdefault(row.start, Calls()), row)
        return [
            Step(start, calls) for start, calls in sorted(found.items(), key=lambda one: one[0])
        ]

    def places(self, paths: Collection[str]) -> Mapping[str, Place]:
        """The agencies of these paths that there are, by path; with the district of each."""
        wanted = {one for path in paths for one in _with_above(path)}
        query = sa.select(_A.path, _A.name, _A.level).where(_A.path.in_(sorted(wanted)))
        rows = {row.path: row for row in self._db.execute(query)}

        def district(path: str) -> str:
            within_one = [
                one
                for one in _with_above(path)
                if one in rows and rows[one].level == Level.DISTRICT.value
            ]
            return within_one[-1] if within_one else ""

        return {
            path: Place(path, rows[path].name, Level(rows[path].level), district(path))
            for path in paths
            if path in rows
        }

    def forget(self, grain: Grain, before: datetime) -> int:
        """Forget what began before a time; answers how many rows."""
        done = self._db.execute(
            flow_table.delete().where(_F.grain == grain.value, _F.start < before)
        )
        return int(done.rowcount)


def _sums() -> list[sa.Label[Any]]:
    return [sa.cast(sa.func.sum(_F[name]), sa.BigInteger).label(name) for name in _SUMS]


def _put(calls: Calls, row: Any) -> None:  # noqa: ANN401 - a row
    calls.add(Outcome(row.outcome), row.step, row.calls, row.rows, row.size)


def _with_above(path: str) -> Iterable[str]:
    """A path and those above it, the nearest first; the last district of them is the widest."""
    while path != "/":
        yield path
        path = above(path)


def _conditions(chosen: Filter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = [
        _F.grain == chosen.grain.value, _F.start >= chosen.start, _F.start < chosen.end,
    ]  # fmt: skip
    sides = (_F.consumer, _F.provider)
    if chosen.paths is not None:
        found.append(sa.or_(*(within(side, chosen.paths) for side in sides)))
    if chosen.agency:
        found.append(sa.or_(*(within(side, [chosen.agency]) for side in sides)))
    if chosen.level is not None:
        of_level = sa.select(_A.path).where(_A.level == chosen.level.value).scalar_subquery()
        found.append(sa.or_(*(side.in_(of_level) for side in sides)))
    if chosen.outcome is not None:
        found.append(_F.outcome == chosen.outcome.value)
    return found
