"""The use cases of access: people and their grants, signing in, tokens, the audit log."""

from control_plane.access.service.audit import AuditLog
from control_plane.access.service.gate import Gate
from control_plane.access.service.people import People

__all__ = ["AuditLog", "Gate", "People"]
