"""What a grant is; README.md of agreements has its claims."""

from dataclasses import dataclass

#: The type of a grant (RFC 9068), and of a request for one that is signed in place of a token.
GRANT, REQUEST = "at+jwt", "exchange-grant-request+jws"
ISSUER, AUDIENCE = "urn:borough:exchange", "exchange-gateway"
LONGEST = 15 * 60
#: How far the clock of a signed request may be from ours, in seconds.
SKEW = 60


@dataclass(frozen=True, slots=True)
class Given:
    """A grant.

    Attributes:
        token: the JWT.
        seconds: how long it counts.
        purposes: for which.
    """

    token: str
    seconds: int
    purposes: tuple[str, ...]
