"""Reads OpenStack: plain JSON out, our errors only.

It speaks through keystoneauth, the transport of openstacksdk. The SDK's own proxies would turn the
same JSON into objects that hide the times which metering is about, and warn about themselves.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from keystoneauth1 import exceptions as keystone
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

from control_plane.provisioning.ports import RegionAccess
from foundation.kernel.errors import Unavailable
from foundation.kernel.time import format_instant

_SECONDS = 30
_PAGE = 500
#: With it, actions say when they ended.
_ACTIONS = "2.58"
#: With it, a server names its flavor by id.
_FLAVOR_ID = "2.1"
#: Of Placement: ratios and usages of single providers are in it since Train.
_PLACEMENT = "1.36"
_NOT_FOUND = 404
#: Catalogues name these without a version; discovery finds it.
_VERSIONS: Mapping[str, Mapping[str, str]] = {
    "identity": {"version": "3"},
    "network": {"version": "2"},
    "load-balancer": {"version": "2"},
}

Json = dict[str, Any]


class CloudReader:
    """One region's OpenStack.

    Args:
        access: The region with its credentials.
    """

    def __init__(self, access: RegionAccess) -> None:
        config: Any = access.config.get("openstack") or {}
        secret: Any = access.credentials.get("openstack") or {}
        self.region = access.id
        # Signed in by name: no file and no environment variable of this machine has a say.
        self._auth = v3.Password(
            auth_url=config.get("auth_url"),
            username=secret.get("user_name"),
            password=secret.get("password"),
            project_name=secret.get("project_name"),
            user_domain_name=secret.get("user_domain_name") or "Default",
            project_domain_name=secret.get("project_domain_name") or "Default",
        )
        self._session = Session(auth=self._auth, timeout=_SECONDS, app_name="borough")
        self._place = config.get("region_name")

    def close(self) -> None:
        """Give back its connections."""
        self._session.session.close()

    def identity(self) -> Json:
        """Who the platform is to this cloud: project, user, services that it finds.

        Raises:
            Unavailable: It does not answer, or refuses the credentials.
        """
        try:
            access = self._auth.get_access(self._session)
            services = sorted({entry["type"] for entry in access.service_catalog.catalog})
            return {
                "project": access.project_name,
                "user": access.username,
                "roles": sorted(access.role_names or ()),
                "services": services,
            }
        except keystone.ClientException as error:
            raise _unavailable(self.region, error) from None

    def servers(self, changed_since: datetime | None = None) -> list[Json]:
        """All living servers, or all that changed since, deleted ones too.

        Raises:
            Unavailable: It does not answer.
        """
        query: dict[str, Any] = {"all_tenants": 1}
        if changed_since is not None:
            query["changes-since"] = format_instant(changed_since)
        return list(self._pages("compute", "/servers/detail", "servers", query, _FLAVOR_ID))

    def actions(self, server: str) -> list[Json]:
        """What was done to a server, also after it was deleted; nothing when it is unknown.

        Raises:
            Unavailable: It does not answer.
        """
        answer = self._get("compute", f"/servers/{server}/os-instance-actions", _ACTIONS)
        return list((answer or {}).get("instanceActions", []))

    def action(self, server: str, request: str) -> Json:
        """One action with its events.

        Raises:
            Unavailable: It does not answer.
        """
        path = f"/servers/{server}/os-instance-actions/{request}"
        return dict((self._get("compute", path, _ACTIONS) or {}).get("instanceAction", {}))

    def volumes(self) -> list[Json]:
        """All volumes. Raises Unavailable."""
        query = {"all_tenants": 1}
        return list(self._pages("block-storage", "/volumes/detail", "volumes", query))

    def floating_ips(self) -> list[Json]:
        """All floating addresses. Raises Unavailable."""
        return list(self._pages("network", "/floatingips", "floatingips", {}))

    def projects(self) -> list[Json]:
        """All projects; Keystone gives them in one answer. Raises Unavailable."""
        found = self._get("identity", "/projects") or {}
        return [each for each in found.get("projects", []) if not each.get("is_domain")]

    def listing(self, service: str, path: str, name: str) -> list[Json]:
        """A whole list of a service. Raises Unavailable."""
        return list(self._pages(service, path, name, {}))

    def one(self, service: str, path: str, name: str) -> Json:
        """One thing of a service. Raises Unavailable."""
        return dict((self._get(service, path) or {}).get(name) or {})

    def load_balancers(self) -> list[Json]:
        """All load balancers. Raises Unavailable."""
        path = "/lbaas/loadbalancers"
        return list(self._pages("load-balancer", path, "loadbalancers", {}))

    def services(self) -> frozenset[str]:
        """The kinds of services that the catalogue names.

        Raises:
            Unavailable: It does not answer.
        """
        return frozenset(self.identity()["services"])

    def providers(self) -> list[tuple[Json, Json]]:
        """Each machine as Placement has it: inventories and usages by resource class.

        Raises:
            Unavailable: It does not answer.
        """
        answer = self._get("placement", "/resource_providers", _PLACEMENT) or {}
        found = []
        for provider in answer.get("resource_providers", []):
            path = f"/resource_providers/{provider['uuid']}"
            inventories = self._get("placement", f"{path}/inventories", _PLACEMENT) or {}
            usages = self._get("placement", f"{path}/usages", _PLACEMENT) or {}
            found.append((inventories.get("inventories", {}), usages.get("usages", {})))
        return found

    def pools(self) -> list[Json]:
        """The pools that volumes are made in. Raises Unavailable."""
        answer = self._get("block-storage", "/scheduler-stats/get_pools?detail=true") or {}
        return list(answer.get("pools", []))

    def _pages(
        self,
        service: str,
        path: str,
        name: str,
        query: Mapping[str, Any],
        microversion: str | None = None,
    ) -> Iterator[Json]:
        marker = ""
        while True:
            asked = {**query, "limit": _PAGE, **({"marker": marker} if marker else {})}
            answer = self._get(service, f"{path}?{urlencode(asked)}", microversion) or {}
            items: list[Json] = answer.get(name, [])
            yield from items
            if len(items) < _PAGE:
                return
            marker = items[-1]["id"]

    def _get(self, service: str, path: str, microversion: str | None = None) -> Json | None:
        """The answer's JSON; None for the actions of a server that is unknown."""
        target = {"service_type": service, "region_name": self._place, **_VERSIONS.get(service, {})}
        try:
            answer = self._session.get(
                path, endpoint_filter=target, microversion=microversion, raise_exc=False
            )
            if answer.status_code == _NOT_FOUND and microversion == _ACTIONS:
                return None
            if not answer.ok:
                raise keystone.from_response(answer, "GET", path)
            found: Json = answer.json()
        except (keystone.ClientException, ValueError) as error:
            raise _unavailable(self.region, error) from None
        return found


def _unavailable(region: str, error: Exception) -> Unavailable:
    # The first line: the rest may repeat the request, and with it what it carried.
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return Unavailable(f"OpenStack does not answer: {reason[:300]}", 30.0, region=region)
