"""How a consumer signs a request to the gateway: a DPoP proof (RFC 9449).

The proof's own claims say with which method, to which address and with which grant; three claims of
this exchange's are added, as RFC 9449 (4.2) allows: ``target``, the digest of the path and query as
they are sent; ``body``, the digest of the body when there is one; ``purpose``, for what the data is
asked. So the proof alone shows for ever what was asked, without saying about whom.
"""

import hashlib
from datetime import datetime

from foundation.kernel import canonical
from workloads.data_exchange.proofs.keys import PrivateKey, encoded

TYP = "dpop+jwt"


def prove(  # noqa: PLR0913 - one each
    key: PrivateKey,
    *,
    method: str,
    url: str,
    target: str,
    grant: str,
    at: datetime,
    nonce: str,
    purpose: str,
    body: bytes = b"",
) -> str:
    """A proof for one request.

    Args:
        key: the consumer's, which the grant is bound to.
        method: of HTTP.
        url: the address without query and fragment (``htu``).
        target: the path with the query, as it is sent.
        grant: the access token.
        at: now.
        nonce: never used before with this key (``jti``).
        purpose: one of the agreement's.
        body: as it is sent.
    """
    jwk = {name: value for name, value in key.public.jwk().items() if name in {"kty", "crv", "x"}}
    claims = {
        "jti": nonce, "htm": method, "htu": url, "iat": int(at.timestamp()),
        "ath": encoded(hashlib.sha256(grant.encode()).digest()),
        "target": _digest(target.encode()), "purpose": purpose,
    }  # fmt: skip
    if body:
        claims["body"] = _digest(body)
    header = {"typ": TYP, "alg": "EdDSA", "jwk": jwk}
    signed = f"{_part(header)}.{_part(claims)}"
    return f"{signed}.{encoded(key.sign(signed.encode()))}"


def _part(value: object) -> str:
    return encoded(canonical.dumps(value).encode())


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
