"""Workload identity on a real database, with an issuer on this machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from control_plane.adapters.oidc import IssuerKeys, JoseTokens, fetcher
from foundation.access.workload_identity.service import RuleWish, WorkloadIdentity
from foundation.access.workload_identity.store import PostgresIdentities
from foundation.kernel.database import Database
from tests.conftest import SettableClock
from tests.fakes.oidc import FakeIssuer, serving
from tests.unit.access.conftest import City

AUDIENCE = "https://borough.city.example"
REPOSITORY = "city/health-app"


class Seconds:
    """A process's clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Identity:
    """The service, an issuer that is trusted as ``github``, and one rule for its workloads."""

    service: WorkloadIdentity
    issuer: FakeIssuer
    city: City
    clock: SettableClock
    seconds: Seconds

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The claims of a token that is let in; None takes one away."""
        now = int(self.clock.now().timestamp())
        good = {
            "sub": f"repo:{REPOSITORY}:ref:refs/heads/main",
            "aud": AUDIENCE,
            "iat": now,
            "nbf": now,
            "exp": now + 300,
            "repository": REPOSITORY,
            "ref": "refs/heads/main",
            **changes,
        }
        return {name: value for name, value in good.items() if value is not None}

    def token(self, **changes: Any) -> str:
        return self.issuer.token(self.claims(**changes))


@pytest.fixture
def issuer() -> Iterator[FakeIssuer]:
    with serving() as made:
        yield made


@pytest.fixture
def identity(city: City, database: Database, clock: SettableClock, issuer: FakeIssuer) -> Identity:
    seconds = Seconds()
    service = WorkloadIdentity(
        PostgresIdentities(database),
        JoseTokens(IssuerKeys(fetcher(["127.0.0.1"]), seconds)),
        city.people,
        city.gate,
        city.audit,
        database,
        clock,
    )
    service.add_issuer(city.admin, slug="github", url=issuer.url, audience=AUDIENCE)
    wish = RuleWish(
        slug="health-deploy",
        issuer="github",
        match={"repository": REPOSITORY, "ref": "refs/heads/*"},
        path="/city/health/",
        roles=("member",),
        life=timedelta(minutes=10),
    )
    service.add_rule(city.admin, wish)
    return Identity(service, issuer, city, clock, seconds)
