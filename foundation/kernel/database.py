"""PostgreSQL: one metadata, one engine, one transaction per use case."""

import contextlib
import contextvars
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import sqlalchemy as sa

from foundation.kernel import canonical

#: Each statement is a transaction of its own.
_ALONE = "AUTOCOMMIT"
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def new_metadata() -> sa.MetaData:
    """Where a product declares its tables; names are fixed, so that migrations can name them."""
    return sa.MetaData(naming_convention=_NAMES)


#: The tables of the foundation and, since they refer to them, of the control plane.
metadata = new_metadata()


def on_create(table: sa.Table, sql: str) -> None:
    """Run SQL right after a table is made: triggers, functions and views that belong to it."""
    statement = sa.DDL(sql.replace("%", "%%"))  # type: ignore[no-untyped-call]
    sa.event.listen(table, "after_create", statement)


def only_added(table: str, function: str) -> str:
    """SQL by which a table is only added to: a trigger function refuses all else.

    ``TRUNCATE`` asks no trigger of rows, so it has one of its own.
    """
    return (
        f"CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {function}();\n"
        f"CREATE TRIGGER {table}_whole BEFORE TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
    )


def within(column: sa.ColumnElement[Any], paths: Sequence[str]) -> sa.ColumnElement[bool]:
    """Whether a path is one of these or below one of them; none is when there are none."""
    return sa.or_(sa.false(), *(column.startswith(path, autoescape=True) for path in paths))


class UnitOfWork(Protocol):
    """What a service needs of the database: that its work holds together."""

    def transaction(self) -> contextlib.AbstractContextManager[None]:
        """Join the transaction of this context, or open one that commits at the end."""
        ...

    def reading(self) -> contextlib.AbstractContextManager[None]:
        """Join the transaction of this context, or read without one; nothing is written here."""
        ...

    def assert_no_transaction(self) -> None:
        """Fail when a transaction is open: nothing outside may be called then."""
        ...

    def before_commit(self, work: Callable[[], None]) -> None:
        """Do something last in the open transaction, when all else in it is done."""
        ...


class Database:
    """An engine for PostgreSQL with transactions that nest by joining.

    Args:
        url: a SQLAlchemy URL, ``postgresql+psycopg://…``.
        pool_size: connections kept; three times as many more may be opened under load.
    """

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        self.url = url
        self.engine = sa.create_engine(
            url,
            pool_size=pool_size,
            max_overflow=3 * pool_size,
            pool_pre_ping=True,
            # Errors end in the log: what was asked with stays out of it (hashes, sealed secrets).
            hide_parameters=True,
            json_serializer=lambda value: json.dumps(canonical.plain(value), ensure_ascii=False),
        )
        self._current: contextvars.ContextVar[sa.Connection | None] = contextvars.ContextVar(
            f"borough_connection_{id(self)}", default=None
        )
        self._last: contextvars.ContextVar[list[Callable[[], None]]] = contextvars.ContextVar(
            f"borough_last_{id(self)}"
        )

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Join the transaction of this context, or open one that commits at the end."""
        joined = self._current.get()
        if joined is not None:
            if _alone(joined):
                raise RuntimeError("a transaction is opened while reading without one")
            yield
            return
        with self.engine.begin() as connection:
            token = self._current.set(connection)
            last_token = self._last.set([])
            try:
                yield
                for work in self._last.get():  # grows while it runs, when work asks for more
                    work()
            finally:
                self._last.reset(last_token)
                self._current.reset(token)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Join the transaction of this context, or read without one.

        Saves the round trips of BEGIN and COMMIT where one statement answers all. Each statement
        sees what is committed when it begins. Nothing is written here.
        """
        if self._current.get() is not None:
            yield
            return
        with self.engine.connect() as connection:
            connection.execution_options(isolation_level=_ALONE)
            token = self._current.set(connection)
            try:
                yield
            finally:
                self._current.reset(token)

    def before_commit(self, work: Callable[[], None]) -> None:
        """Do something last in the open transaction, when all else in it is done.

        For rows that every transaction takes in turn, such as the head of the audit log: locked
        last and briefly, they cannot be part of a deadlock.
        """
        current = self._current.get()
        if current is None or _alone(current):
            raise RuntimeError("no transaction is open: there is no end to wait for")
        self._last.get().append(work)

    @property
    def connection(self) -> sa.Connection:
        """The connection of the open transaction.

        Raises:
            RuntimeError: none is open; a store is used outside of a use case.
        """
        connection = self._current.get()
        if connection is None:
            raise RuntimeError("no transaction is open: stores are used inside a use case")
        return connection

    def execute(
        self,
        statement: sa.Executable,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> sa.CursorResult[Any]:
        """Run a statement in the open transaction."""
        return self.connection.execute(statement, parameters)

    def assert_no_transaction(self) -> None:
        """Fail when a transaction is open: nothing outside may be called then."""
        if self._current.get() is not None:
            raise RuntimeError("a database transaction is open across a call to the outside")

    def lock(self, *names: str) -> None:
        """Hold advisory locks on names until the transaction ends, in sorted order."""
        for name in sorted(set(names)):
            self.execute(
                sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name}
            )

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()


def _alone(connection: sa.Connection) -> bool:
    """Whether it is one of ``reading``, without a transaction."""
    return connection.get_execution_options().get("isolation_level") == _ALONE
