"""Where one feature asks another through a port: the few lines that fit one to the other."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

from control_plane.billing.model import Origin
from control_plane.metering.model import ResourceRef
from control_plane.metering.ports import Collector
from control_plane.provisioning.model import EngineKind, Region
from control_plane.provisioning.service import Provisioning
from control_plane.tenancy.service import TenancyService
from foundation.kernel.actor import Actor
from foundation.kernel.errors import NotFound, Unavailable
from foundation.kernel.paging import everything

_ACTOR = Actor.system("platform")


class Places:
    """Access's tree of organisations: tenancy's."""

    def __init__(self, tenancy: TenancyService) -> None:
        self._tenancy = tenancy

    def exists(self, path: str) -> bool:
        """Whether an organisation has this path."""
        try:
            found = self._tenancy.organisation_in_transaction(path)
        except NotFound:
            return False
        return found.path == path  # an id is no path


class Resources:
    """Metering's directory of resources: provisioning's inventory, and services for their fees.

    The marketplace is built after metering and gives its part then.
    """

    def __init__(self, provisioning: Provisioning) -> None:
        self._provisioning = provisioning
        self.services: Callable[[Iterable[str]], Mapping[str, ResourceRef]] | None = None

    def resolve(self, names: Iterable[str]) -> Mapping[str, ResourceRef]:
        """Resources by platform id or physical id; unknown names are left out."""
        wanted = set(names)
        found = self._provisioning.resolve_resources(wanted)
        others = wanted - set(found)
        services = self.services(others) if self.services and others else {}
        return dict(services) | {
            name: ResourceRef(
                r.id, r.physical_id or None, r.tenancy_id, r.path, r.created_at, r.deleted_at
            )
            for name, r in found.items()
        }


class MeteredRegions:
    """Metering's regions: provisioning's, each with what reads it."""

    def __init__(
        self, provisioning: Provisioning, collectors: Mapping[EngineKind, Callable[[], Collector]]
    ) -> None:
        self._provisioning = provisioning
        self._collectors = collectors

    def regions(self) -> Sequence[tuple[str, datetime]]:
        """Each region's id and since when it is there."""
        return [(region.id, region.created_at) for region in self._all()]

    def collector(self, region_id: str) -> Collector:
        """What reads that region."""
        for region in self._all():
            if region.id == region_id:
                if region.engine not in self._collectors:
                    raise Unavailable(f"nothing here reads {region.engine.value} regions", 3600)
                return self._collectors[region.engine]()
        raise NotFound(f"there is no region {region_id}")

    def _all(self) -> list[Region]:
        return list(everything(partial(self._provisioning.regions, _ACTOR)))


class LateFees:
    """Billing's port for fees to the marketplace, which is built after it."""

    def __init__(self) -> None:
        self.charge: Callable[[], int] | None = None

    def charge_fees(self) -> int:
        """Let what has come to be due be usage."""
        return self.charge() if self.charge else 0


class LateProvenance:
    """Billing's port to the marketplace, which is built after it.

    Billing is below the marketplace and asks it only when a line is explained.
    """

    def __init__(self) -> None:
        self.answer: Callable[[str], Origin] | None = None

    def origin(self, resource_id: str) -> Origin:
        """The resource's deployment, order, contract and approvals."""
        if self.answer is None:
            return Origin({"id": resource_id}, {}, {}, {}, ())
        return self.answer(resource_id)
