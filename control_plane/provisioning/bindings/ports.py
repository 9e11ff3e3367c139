"""What bindings need from outside."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from control_plane.provisioning.bindings.model import Binding
from control_plane.provisioning.graph import Json
from foundation.kernel.paging import Page, PageRequest


class BindingStore(Protocol):
    """Bindings; every call joins the open transaction."""

    def binding(self, binding_id: str, *, lock: bool = False) -> Binding | None: ...

    def of_deployment(self, deployment_id: str, *, lock: bool = False) -> list[Binding]:
        """Those that are not deleted, by name; ``lock`` keeps other changes of them out."""
        ...

    def newest(self, deployment_id: str, name: str) -> int:
        """The highest number ever given to a name on a deployment; 0 for none."""
        ...

    def put(self, binding: Binding) -> None:
        """Keep a binding, new or changed."""
        ...

    def bindings(
        self, paths: Sequence[str], filters: Mapping[str, str], request: PageRequest
    ) -> Page[Binding]:
        """Those at or below any of the paths, newest first.

        Filters: ``deployment_id``, ``tenancy_id``, ``state``; without ``state`` those that are not
        deleted.
        """
        ...

    def due(self, at: datetime) -> list[Binding]:
        """Active ones whose overlap is over."""
        ...

    def orphans(self) -> list[Binding]:
        """Those whose deployment is gone."""
        ...


class Owners(Protocol):
    """Features above that hold deployments: an ordered service is told its inputs."""

    def adopted(
        self, owner: str, inputs: Mapping[str, Json], change: Mapping[str, Decimal]
    ) -> None:
        """A deployment has other inputs now; in the open transaction."""
        ...
