"""Who a workload is to the platform that runs it."""

from control_plane.provisioning.derived import TOKEN
from control_plane.provisioning.service import Provisioning
from foundation.access.authenticator import AccessAuthenticator
from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.errors import Unauthenticated
from foundation.surface.auth import Authenticator, Identity

#: A workload tells what it used and does nothing else.
_SCOPES = frozenset({"usage.push"})
_ROLE = "operator"


class PlatformAuthenticator(Authenticator):
    """The surfaces' authenticator: people and accounts, and workloads by what they derived."""

    def __init__(self, access: AccessAuthenticator, provisioning: Provisioning) -> None:
        self._access = access
        self._provisioning = provisioning

    def by_token(self, secret: str) -> Identity:
        """The bearer of an API token, or of a workload's."""
        if not secret.startswith(TOKEN):
            return self._access.by_token(secret)
        deployment_id, _, key = secret.removeprefix(TOKEN).partition(".")
        there = self._provisioning.bearer(deployment_id, key)
        if there is None:
            raise Unauthenticated("the token is not valid")
        grants = (Grant(_ROLE, there.path),)
        identifier = PrincipalId(there.id)
        return Identity(Actor(identifier, there.name, ActorKind.WORKLOAD, grants, _SCOPES))

    def by_session(self, secret: str) -> Identity | None:
        """The owner of a web session; None when it is unknown, expired or signed out."""
        return self._access.by_session(secret)

    def may_somewhere(self, actor: Actor, action: str) -> bool:
        """Whether the actor holds the action on any path at all."""
        return self._access.may_somewhere(actor, action)
