"""Access on a real database, with quick password hashes and a small city."""

from dataclasses import dataclass

import pytest
from argon2 import PasswordHasher

from foundation.access import policy
from foundation.access.model import Principal
from foundation.access.passwords import Argon2Passwords
from foundation.access.service import AuditLog, Gate, People
from foundation.access.store import AuditRows, CredentialStore, PrincipalStore
from foundation.kernel.actor import Actor, ActorKind, Grant
from foundation.kernel.database import Database
from foundation.kernel.time import Clock

PASSWORD = "a long enough phrase"
KEY = b"seal" * 8


class Places:
    """Organisations that are all there, but for those that a test says are not."""

    def __init__(self) -> None:
        self.absent: set[str] = set()

    def exists(self, path: str) -> bool:
        return path not in self.absent


@dataclass(frozen=True)
class City:
    """The services, and an administrator of the whole platform to begin with."""

    people: People
    gate: Gate
    audit: AuditLog
    admin: Actor
    places: Places

    def person(self, login: str, role: str, path: str, home: str | None = None) -> Actor:
        """A person with one role, as an actor."""
        person = self.people.create_person(
            self.admin, login=login, name=login.title(), path=home or path, password=PASSWORD
        )
        self.people.grant(self.admin, principal_id=person.id, role=role, path=path)
        return actor(person, role, path)


def actor(person: Principal, role: str, path: str) -> Actor:
    return Actor(person.id, person.name, ActorKind.PERSON, (Grant(role, path),))


def quick() -> Argon2Passwords:
    return Argon2Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
def city(database: Database, clock: Clock) -> City:
    audit = AuditLog(AuditRows(database), database, clock, KEY)
    principals, credentials = PrincipalStore(database), CredentialStore(database)
    passwords = quick()
    places = Places()
    people = People(
        principals,
        credentials,
        passwords,
        audit,
        database,
        clock,
        places,
        administrator="platform_administrator",
    )
    gate = Gate(principals, credentials, passwords, audit, database, clock)
    made = people.ensure_administrator(password=PASSWORD)
    assert made is not None
    return City(people, gate, audit, actor(made[0], "platform_administrator", policy.ROOT), places)
