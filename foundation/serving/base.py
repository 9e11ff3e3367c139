"""What every process of a product begins with: its database, keys, and who may come in."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from foundation.access.authenticator import AccessAuthenticator
from foundation.access.model import SessionRules
from foundation.access.passwords import Argon2Passwords
from foundation.access.ports import Places
from foundation.access.service import AuditLog, Gate, People
from foundation.access.store import AuditRows, CredentialStore, PrincipalStore
from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.adapters.postgres.schema import Schema
from foundation.kernel.database import Database
from foundation.kernel.secretbox import SecretBox, load_ring, parse_ring
from foundation.kernel.settings import CommonSettings, OrderedSettings
from foundation.kernel.time import Clock
from foundation.operations.service import Operations
from foundation.operations.store import PostgresOperations


@dataclass(frozen=True, slots=True)
class Base:
    """The services of the foundation in one process."""

    database: Database
    clock: Clock
    secrets: SecretBox
    audit: AuditLog
    principals: PrincipalStore
    gate: Gate
    authenticator: AccessAuthenticator
    operations: Operations

    def answers(self) -> bool:
        """Whether the database answers; for readiness."""
        return answers(self.database)

    def people(self, places: Places, administrator: str) -> People:
        """The people of a product.

        Args:
            places: its tree of organisations.
            administrator: the role that somebody always has on all of it.
        """
        return People(
            self.principals, CredentialStore(self.database), Argon2Passwords(), self.audit,
            self.database, self.clock, places, administrator=administrator,
        )  # fmt: skip


def answers(database: Database) -> bool:
    """Whether a database answers.

    Raises:
        sqlalchemy.exc.DBAPIError: it does not.
    """
    with database.engine.connect() as connection:
        return bool(connection.execute(sa.text("SELECT true")).scalar())


@contextlib.contextmanager
def open_database(settings: CommonSettings) -> Iterator[Database]:
    """The database that the settings name, or the embedded one, until the end of the block.

    Raises:
        Unavailable: the embedded database cannot be started.
    """
    with contextlib.ExitStack() as stack:
        if settings.database_url:
            url = f"postgresql+psycopg://{settings.database_url.partition('://')[2]}"
        else:
            url = stack.enter_context(EmbeddedPostgres(settings.home / "postgres")).url()
        database = Database(url, pool_size=settings.database_pool)
        stack.callback(database.close)
        yield database


def upgrade_database(settings: CommonSettings, schema: Schema) -> str:
    """Bring a product's database to the newest schema; answers what was done, for people.

    Raises:
        Unavailable: the embedded database cannot be started.
    """
    from foundation.operations.jobs.durable import migrate  # noqa: PLC0415 - web needs no DBOS

    with open_database(settings) as database:
        before = schema.is_current(database)
        schema.upgrade(database)
        migrate(database.engine)
    return f"The database {'had' if before else 'has'} the newest schema."


def database_is_current(settings: CommonSettings, schema: Schema) -> bool:
    """Whether a product's database has the newest schema.

    Raises:
        Unavailable: the embedded database cannot be started.
    """
    with open_database(settings) as database:
        return schema.is_current(database)


def build_base(settings: CommonSettings, database: Database, clock: Clock) -> Base:
    """Wire the foundation's services to a database."""
    if settings.secret_keys:
        secrets = SecretBox(parse_ring(settings.secret_keys))
    else:
        secrets = SecretBox(load_ring(settings.ring_file))
    audit = AuditLog(AuditRows(database), database, clock, secrets.derive("audit"))
    principals = PrincipalStore(database)
    gate = Gate(
        principals, CredentialStore(database), Argon2Passwords(), audit, database, clock,
        rules=SessionRules(idle=timedelta(hours=settings.session_hours)),
        longest=timedelta(days=settings.token_days),
    )  # fmt: skip
    operations = Operations(PostgresOperations(database), database, clock, audit)
    return Base(
        database, clock, secrets, audit, principals, gate, AccessAuthenticator(gate), operations
    )


def add_first_administrator(people: People, database: Database, settings: OrderedSettings) -> None:
    """Add the administrator of the settings when there is none yet; several may try at once."""
    if settings.administrator_password:
        with database.transaction():
            database.lock("first-administrator")
            people.ensure_administrator(
                login=settings.administrator, password=settings.administrator_password
            )
