"""The types of things that are metered, and how the client lists them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

#: Lists by the types that blueprints name; each answers things with their namespace and times.
LISTS: Mapping[str, tuple[str, str]] = {
    "kubernetes:apps/v1:Deployment": ("AppsV1Api", "list_deployment_for_all_namespaces"),
    "kubernetes:apps/v1:StatefulSet": ("AppsV1Api", "list_stateful_set_for_all_namespaces"),
    "kubernetes:core/v1:PersistentVolumeClaim": (
        "CoreV1Api",
        "list_persistent_volume_claim_for_all_namespaces",
    ),
    "kubernetes:core/v1:Service": ("CoreV1Api", "list_service_for_all_namespaces"),
    "kubernetes:core/v1:ResourceQuota": (
        "CoreV1Api",
        "list_resource_quota_for_all_namespaces",
    ),
}


@dataclass(frozen=True, slots=True)
class Thing:
    """A thing in a cluster.

    Attributes:
        id: ``namespace/name``.
        created: since when it is there.
        deployment, resource: the marks that blueprints put on what they make.
    """

    id: str
    created: datetime
    deployment: str = ""
    resource: str = ""
