"""The use cases of access: people and their grants, signing in, tokens, the audit log."""

from foundation.access.service.audit import AuditLog
from foundation.access.service.gate import Gate
from foundation.access.service.people import People

__all__ = ["AuditLog", "Gate", "People"]
