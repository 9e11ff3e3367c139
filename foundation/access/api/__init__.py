"""People, service accounts, grants, tokens and the audit log over HTTP."""

from foundation.access.api.audit import api as _audit
from foundation.access.api.people import api as _people
from foundation.access.api.session import api as _session

apis = (_session, _people, _audit)
