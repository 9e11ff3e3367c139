"""The PostgreSQL side of access."""

from control_plane.access.store.audit import AuditRows
from control_plane.access.store.credentials import CredentialStore
from control_plane.access.store.principals import PrincipalStore

__all__ = ["AuditRows", "CredentialStore", "PrincipalStore"]
