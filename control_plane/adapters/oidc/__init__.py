"""OpenID Connect issuers: their keys, fetched with care, and the signatures of their tokens."""

from control_plane.adapters.oidc.fetch import Fetcher, fetcher
from control_plane.adapters.oidc.keys import IssuerKeys
from control_plane.adapters.oidc.tokens import JoseTokens

__all__ = ["Fetcher", "IssuerKeys", "JoseTokens", "fetcher"]
