"""The PostgreSQL side of access."""

from foundation.access.store.audit import AuditRows
from foundation.access.store.credentials import CredentialStore
from foundation.access.store.principals import PrincipalStore

__all__ = ["AuditRows", "CredentialStore", "PrincipalStore"]
