"""What a region has that no deployment owns, and how it might become deployments."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from control_plane.provisioning.graph import Change, Json, Op
from control_plane.provisioning.model import PlanId
from foundation.kernel.text import Text

PROJECT = "openstack:identity/project:Project"
NETWORK = "openstack:networking/network:Network"
SUBNET = "openstack:networking/subnet:Subnet"
ROUTER = "openstack:networking/router:Router"
INTERFACE = "openstack:networking/routerInterface:RouterInterface"
GROUP = "openstack:networking/secGroup:SecGroup"
RULE = "openstack:networking/secGroupRule:SecGroupRule"
PORT = "openstack:networking/port:Port"
ADDRESS = "openstack:networking/floatingIp:FloatingIp"
SERVER = "openstack:compute/instance:Instance"
VOLUME = "openstack:blockstorage/volume:Volume"
ATTACHMENT = "openstack:compute/volumeAttach:VolumeAttach"
COMPUTE_QUOTA = "openstack:compute/quotaSetV2:QuotaSetV2"
STORAGE_QUOTA = "openstack:blockstorage/quoteSetV3:QuoteSetV3"
NETWORK_QUOTA = "openstack:networking/quotaV2:QuotaV2"
BALANCER_QUOTA = "openstack:loadbalancer/quota:Quota"
QUOTAS = (COMPUTE_QUOTA, STORAGE_QUOTA, NETWORK_QUOTA, BALANCER_QUOTA)

#: Changes in place that a server would not live through unharmed, by type.
_DISTURBING: Mapping[str, tuple[str, ...]] = {SERVER: ("imageId", "flavorId")}


@dataclass(frozen=True, slots=True)
class Found:
    """An object in a region.

    Attributes:
        type: Pulumi type token.
        id: in the form in which the provider imports it.
        project: id of the project that it is in; a project's own for a project.
        inputs: what is known of it, in the words of its Pulumi type; other objects by their ids.
            ``unfit`` says why no blueprint can describe it.
    """

    type: str
    id: str
    name: str
    project: str
    inputs: Mapping[str, Json] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The last part of its type, such as ``Network``."""
        return self.type.rpartition(":")[2]

    def refers(self) -> frozenset[str]:
        """All texts in what is known of it: ids of other objects are among them."""
        return frozenset(_texts(self.inputs)) | frozenset(self.id.split("/"))


@dataclass(frozen=True, slots=True)
class Project:
    """A project of a region, and how much in it no deployment owns.

    Attributes:
        deployment: the tenancy's deployment that owns it; empty when none does.
        unowned: objects by kind.
    """

    id: str
    name: str
    deployment: str
    unowned: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Proposal:
    """How part of a project might become a deployment.

    Attributes:
        ids: ids of objects by the logical name that each would have.
        makes: logical names of what is not there and would be made.
        against: why it does not fit as it stands.
    """

    blueprint: str
    name: str
    inputs: Mapping[str, Json]
    ids: Mapping[str, str]
    makes: tuple[str, ...]
    against: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposals:
    """What might become of a project.

    Attributes:
        items: in the order in which they have to be imported.
        left: objects that no proposal takes; an import leaves them as they are.
        name: the project's; its id where a deployment owns it by now.
    """

    project: str
    items: tuple[Proposal, ...]
    left: tuple[Found, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """How an import stands.

    Attributes:
        objects: how many objects it takes in.
        complete: whether it was completed once; until then it can be abandoned.
        ready: whether its plan can be carried out now, for the first time or again.
        plan: the plan that was begun, or else the newest.
    """

    objects: int
    complete: bool
    ready: bool
    plan: PlanId


def harmful(changes: Iterable[Change], *, creations: bool) -> list[str]:
    """What an import must not do, one sentence each.

    Args:
        changes: what it would do.
        creations: whether missing objects may be made.
    """
    said = []
    for change in changes:
        if change.type.startswith("pulumi:"):
            continue
        if change.op is Op.REPLACE:
            paths = [p for p in change.properties if p.forces_replacement] or change.properties
            why = "; ".join(f"{p.path}: {_short(p.before)} → {_short(p.after)}" for p in paths)
            said.append(f"{change.name} would be replaced ({why})")
        elif change.op is Op.DELETE:
            said.append(f"{change.name} would be deleted")
        elif change.op is Op.CREATE and not creations:
            said.append(f"{change.name} ({change.type.rpartition(':')[2]}) would be created")
        elif change.op is Op.UPDATE:
            tops = _DISTURBING.get(change.type, ())
            said += [
                f"{change.name} would be rebuilt or resized "
                f"({p.path}: {_short(p.before)} → {_short(p.after)})"
                for p in change.properties
                if p.path in tops
            ]
    return said


def _short(value: Json) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 80 else text[:77] + "…"  # noqa: PLR2004 - fits a line


def _texts(tree: object) -> Iterable[str]:
    if isinstance(tree, Mapping):
        for value in tree.values():
            yield from _texts(value)
    elif isinstance(tree, Sequence) and not isinstance(tree, str):
        for value in tree:
            yield from _texts(value)
    elif isinstance(tree, str) and tree:
        yield tree
