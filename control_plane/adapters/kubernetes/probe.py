"""Whether a Kubernetes region answers."""

from control_plane.provisioning.model import Reachability
from control_plane.provisioning.ports import RegionAccess
from foundation.kernel.errors import Unavailable

_KIND = "kubernetes"
#: What blueprints make: (resource, API group).
_NEEDED = (
    ("namespaces", ""),
    ("resourcequotas", ""),
    ("deployments", "apps"),
    ("networkpolicies", "networking.k8s.io"),
    ("rolebindings", "rbac.authorization.k8s.io"),
)


class KubernetesProbe:
    """Signs in and asks whether the platform may make what blueprints need."""

    def check(self, region: RegionAccess) -> Reachability:
        """See the port."""
        from control_plane.adapters.kubernetes.reader import (  # noqa: PLC0415 - 1 s of imports
            ClusterReader,
        )

        try:
            reader = ClusterReader(region)
            try:
                version = reader.version()
                missing = [r for r, group in _NEEDED if not reader.may("create", r, group)]
            finally:
                reader.close()
        except Unavailable as error:
            return Reachability(_KIND, ok=False, message=error.message)
        if missing:
            message = f"signed in, but may not create {', '.join(missing)}"
            return Reachability(_KIND, ok=False, message=message, details={"version": version})
        message = f"signed in to {version}"
        return Reachability(_KIND, ok=True, message=message, details={"version": version})
