"""What lies in something that a stack holds and was not made by it.

A rule that somebody adds to a security group, or a server that somebody boots in a project, is in
no state, so no refresh finds it. What holds such things is asked for all that it has, with the
credentials that made it, and what the state knows is taken off.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from control_plane.adapters.pulumi import recovery
from control_plane.adapters.pulumi.openstack_lookup import connect
from control_plane.provisioning.graph import Beside, DriftFinding
from control_plane.provisioning.ports import EngineError, RegionAccess

if TYPE_CHECKING:
    from openstack.connection import Connection

GROUP = "openstack:networking/secGroup:SecGroup"
RULE = "openstack:networking/secGroupRule:SecGroupRule"
PROJECT = "openstack:identity/project:Project"
SERVER = "openstack:compute/instance:Instance"
HOLDERS = frozenset({GROUP, PROJECT})
"""Types of what is asked for all that lies in it."""

_HELD = {GROUP: RULE, PROJECT: SERVER}


class Surroundings:
    """What lies around a stack's resources.

    Args:
        state: As exported, with its secrets in clear.
        deployment: Whose stack it is.
        region: Where it is; its own credentials remove what a tenant's cannot.
        missing: URNs of its resources that are not there: nothing lies in them.
    """

    def __init__(
        self,
        state: Mapping[str, Any],
        deployment: str,
        region: RegionAccess,
        missing: Collection[str] = (),
    ) -> None:
        self._state = state
        self._deployment = deployment
        self._operator = _operator(region)
        self._missing = frozenset(missing)
        self._ids = {str(r.get("id") or "") for r in recovery.resources(state)}

    def added(self) -> Iterator[DriftFinding]:
        """Return what was added.

        Raises:
            openstack.exceptions.SDKException: The cloud does not answer.
        """
        for holder, held in self._holders():
            with connect(held.provider) as cloud:
                for beside in self._strange(cloud, holder, held):
                    yield DriftFinding.added(held.urn, _HELD[held.type], held.name, beside)

    def remove(self, ids: Collection[str]) -> tuple[str, ...]:
        """Remove added rules of these ids; returns the ids of those that were there.

        Raises:
            EngineError: The cloud does not remove one.
            openstack.exceptions.SDKException: The cloud does not answer.
        """
        removed: list[str] = []
        groups = [(h, held) for h, held in self._holders() if held.type == GROUP]
        for holder, held in groups if ids else ():
            left: set[str] = set()
            # To a tenant a rule that an administrator added is there, and cannot be deleted.
            for provider in (held.provider, self._operator):
                with connect(provider) as cloud:
                    there = self._strange_ids(cloud, holder, held) & set(ids)
                    for each in sorted(there):
                        cloud.network.delete_security_group_rule(each, ignore_missing=True)
                    left = self._strange_ids(cloud, holder, held) & there if there else set()
                removed += sorted(there - left)
                if not left:
                    break
            if left:
                raise EngineError(f"the region does not remove {', '.join(sorted(left))}")
        return tuple(removed)

    def _holders(self) -> Iterator[tuple[Mapping[str, Any], recovery.Pending]]:
        """The stack's own resources in which other things lie, and how each is reached."""
        for resource in recovery.resources(self._state):
            # What is only read (``external``) or is being replaced is not the stack's.
            foreign = resource.get("external") or resource.get("delete")
            there = resource.get("id") and resource["urn"] not in self._missing
            if resource["type"] in HOLDERS and there and not foreign:
                yield resource, recovery.describe(self._state, resource, self._deployment)

    def _strange_ids(
        self, cloud: "Connection", holder: Mapping[str, Any], held: recovery.Pending
    ) -> set[str]:
        return {b.id for b in self._strange(cloud, holder, held)}

    def _strange(
        self, cloud: "Connection", holder: Mapping[str, Any], held: recovery.Pending
    ) -> list[Beside]:
        listed = _rules if held.type == GROUP else _servers
        return [b for b in listed(cloud, str(holder["id"]), held) if b.id not in self._ids]


def _operator(region: RegionAccess) -> dict[str, Any]:
    """The region's own credentials, as the inputs of a provider."""
    facts: Any = region.config.get("openstack") or {}
    secrets: Any = region.credentials.get("openstack") or {}
    return {
        "authUrl": facts.get("auth_url"),
        "region": facts.get("region_name"),
        "userName": secrets.get("user_name"),
        "password": secrets.get("password"),
        "tenantName": secrets.get("project_name"),
        "userDomainName": secrets.get("user_domain_name", "Default"),
        "projectDomainName": secrets.get("project_domain_name", "Default"),
    }


def _rules(cloud: "Connection", group: str, held: recovery.Pending) -> Iterable[Beside]:
    for rule in cloud.network.security_group_rules(security_group_id=group):
        found = {
            "direction": rule.direction,
            "ethertype": rule.ether_type,
            "protocol": rule.protocol,
            "portRangeMin": rule.port_range_min,
            "portRangeMax": rule.port_range_max,
            "remoteIpPrefix": rule.remote_ip_prefix,
            "remoteGroupId": rule.remote_group_id,
        }
        told = {name: value for name, value in found.items() if value not in (None, "")}
        # Neutron itself gives each group two rules that let everything out.
        given = set(told) == {"direction", "ethertype"} and rule.direction == "egress"
        if not given or held.inputs.get("deleteDefaultRules"):
            yield Beside(str(rule.id), told)


def _servers(cloud: "Connection", project: str, _held: recovery.Pending) -> Iterable[Beside]:
    for server in cloud.compute.servers(all_projects=True, project_id=project):
        marks: Mapping[str, str] = server.metadata or {}
        found = {"name": server.name, "flavor": _flavor(server)}
        yield Beside(str(server.id), found, str(marks.get("borough.deployment") or ""))


def _flavor(server: Any) -> str:  # noqa: ANN401 - the SDK has no types for it
    flavor = server.flavor or {}
    return str(flavor.get("original_name") or flavor.get("id") or "")
