"""People, service accounts, grants, tokens and the audit log over HTTP."""

from control_plane.access.api.audit import api as _audit
from control_plane.access.api.people import api as _people
from control_plane.access.api.session import api as _session

apis = (_session, _people, _audit)
