"""Whether an OpenStack region answers."""

from control_plane.provisioning.graph import Json
from control_plane.provisioning.model import Reachability
from control_plane.provisioning.ports import RegionAccess
from foundation.kernel.errors import Unavailable

_NEEDED = ("compute", "identity", "image", "network")
_KIND = "openstack"


class OpenStackProbe:
    """Signs in and looks for the services that blueprints need."""

    def check(self, region: RegionAccess) -> Reachability:
        """See the port."""
        from control_plane.adapters.openstack.reader import (  # noqa: PLC0415 - see the collector
            CloudReader,
        )

        try:
            reader = CloudReader(region)
            try:
                found = reader.identity()
            finally:
                reader.close()
        except Unavailable as error:
            return Reachability(_KIND, ok=False, message=error.message)
        missing = [name for name in _NEEDED if name not in found["services"]]
        details: dict[str, Json] = dict(found)
        if missing:
            message = f"signed in, but there is no service {', '.join(missing)}"
            return Reachability(_KIND, ok=False, message=message, details=details)
        if "admin" not in found["roles"]:
            message = "signed in, but without the role admin no tenancy can be prepared"
            return Reachability(_KIND, ok=False, message=message, details=details)
        message = f"signed in as {found['user']} of {found['project']}"
        return Reachability(_KIND, ok=True, message=message, details=details)
