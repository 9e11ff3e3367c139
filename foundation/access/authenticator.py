"""Access as the surfaces see it: who a token or a cookie stands for."""

from foundation.access import policy
from foundation.access.service import Gate
from foundation.kernel.actor import Actor
from foundation.surface.auth import Identity


class AccessAuthenticator:
    """The ``Authenticator`` of every surface."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def by_token(self, secret: str) -> Identity:
        """The bearer of an API token."""
        actor, token = self._gate.by_token(secret)
        return Identity(actor, token_id=token.id)

    def by_session(self, secret: str) -> Identity | None:
        """The owner of a web session; None when it is unknown, expired or signed out."""
        found = self._gate.by_session(secret)
        if found is None:
            return None
        actor, session = found
        return Identity(actor, csrf_token=session.csrf_token, session_id=session.id)

    def may_somewhere(self, actor: Actor, action: str) -> bool:
        """Whether the actor holds the action on any path at all."""
        return policy.may_somewhere(actor, action)
