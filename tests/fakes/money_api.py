"""The API of metering and billing over the city of ``tests.fakes.money``: tokens are names."""

from apiflask import APIFlask

from control_plane.entrypoints.app import Parts, create_app
from control_plane.settings import Settings
from foundation.access import policy
from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.errors import Unauthenticated
from foundation.kernel.secretbox import SecretBox
from foundation.surface.auth import Identity
from foundation.surface.runtime import Runtime
from tests.fakes.money import HEALTH, City

FEATURES = (
    "foundation.operations.api",
    "control_plane.metering.api",
    "control_plane.billing.api",
)
PEOPLE = {
    "admin": Grant("platform_administrator", "/"),
    "finance": Grant("finance", "/"),
    "health": Grant("department_administrator", HEALTH),
    "water": Grant("department_administrator", "/city/water/"),
    "meter": Grant("operator", HEALTH),
}


class Tokens:
    """Each person's token is the name."""

    def by_token(self, secret: str) -> Identity:
        if secret not in PEOPLE:
            raise Unauthenticated("the token is not valid")
        actor = Actor(PrincipalId(f"per_{secret}"), secret, ActorKind.PERSON, (PEOPLE[secret],))
        return Identity(actor, token_id=secret)

    def by_session(self, secret: str) -> Identity | None:
        del secret
        return None

    def may_somewhere(self, actor: Actor, action: str) -> bool:
        return bool(policy.visible_paths(actor, action))


def application(city: City) -> APIFlask:
    """The application with the features below the marketplace that speak of money."""
    parts = Parts(
        runtime=Runtime(city.database, city.clock, SecretBox([b"k" * 32])),
        authenticator=Tokens(),
        services=(city.operations, city.metering, city.billing),
    )
    return create_app(parts, Settings(), features=FEATURES, with_pages=False)
