"""Objects of a workload that meters itself: what it runs on is part of its own price."""

from collections.abc import Mapping

from kube import Cluster, Object


class OwnCluster(Cluster):
    """The same as every blueprint's, and what it makes is not charged by itself."""

    def metadata(
        self,
        resource: str,
        suffix: str = "",
        component: str = "",
        notes: Mapping[str, str] | None = None,
    ) -> Object:
        """Return name, namespace, labels and annotations of an object."""
        made = super().metadata(resource, suffix, component, notes)
        made["labels"]["borough.dev/included"] = "true"
        return made
