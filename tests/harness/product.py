"""A product's own database on the tests' server."""

import contextlib
from collections.abc import Iterator

import psycopg

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.adapters.postgres.schema import Schema
from foundation.kernel import ids
from foundation.kernel.database import Database


def _admin(postgres: EmbeddedPostgres) -> psycopg.Connection:
    url = postgres.url("postgres").replace("postgresql+psycopg", "postgresql")
    return psycopg.connect(url, autocommit=True)


@contextlib.contextmanager
def product_database(postgres: EmbeddedPostgres, schema: Schema, template: str) -> Iterator[str]:
    """The URL of a fresh database with a product's schema, until the end of the block.

    Args:
        postgres: the tests' server.
        schema: of the product.
        template: the name of the database to copy; made when it is first asked for.
    """
    name = ids.new("test")
    with _admin(postgres) as admin:
        there = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [template]).fetchone()
        if there is None:
            admin.execute(f"CREATE DATABASE {template}")
            database = Database(postgres.url(template))
            schema.upgrade(database)
            database.close()
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    yield postgres.url(name)
    with _admin(postgres) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
