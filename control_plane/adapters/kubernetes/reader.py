"""Reads a cluster through the ``kubernetes`` client: plain facts out, our errors only."""

from collections.abc import Iterator
from typing import Any

import kubernetes
import urllib3
import yaml

from control_plane.adapters.kubernetes.kinds import LISTS, Thing
from control_plane.provisioning.ports import RegionAccess
from foundation.kernel import yaml_text
from foundation.kernel.errors import Unavailable

_SECONDS = 30
_PAGE = 500


class ClusterReader:
    """One region's cluster.

    Args:
        access: The region with its credentials.

    Raises:
        Unavailable: They are no kubeconfig.
    """

    def __init__(self, access: RegionAccess) -> None:
        secret: Any = access.credentials.get("kubernetes") or {}
        self._region = access.id
        try:
            document = yaml_text.read_strangers(str(secret.get("kubeconfig", "")))
            make: Any = kubernetes.config.new_client_from_config_dict
            self._client = make(document, persist_config=False)
        except (kubernetes.config.ConfigException, yaml.YAMLError, TypeError, AttributeError):
            # Said without its reason, which would repeat what is secret.
            raise self._unavailable("the kubeconfig is none") from None

    def close(self) -> None:
        """Give back its connections."""
        self._client.close()

    def version(self) -> str:
        """The cluster's version.

        Raises:
            Unavailable: It does not answer.
        """
        api = kubernetes.client.VersionApi(self._client)
        return str(self._call(api.get_code).git_version)

    def may(self, verb: str, resource: str, group: str = "") -> bool:
        """Whether the platform may do this in all namespaces.

        Raises:
            Unavailable: It does not answer, or refuses the credentials.
        """
        attributes = {"verb": verb, "resource": resource, "group": group}
        body = {"spec": {"resourceAttributes": attributes}}
        api = kubernetes.client.AuthorizationV1Api(self._client)
        answer = self._call(api.create_self_subject_access_review, body=body)
        return bool(answer.status.allowed)

    def things(self, type_: str) -> list[Thing]:
        """All things of a type.

        Raises:
            Unavailable: It does not answer.
        """
        api_name, method = LISTS[type_]
        api = getattr(kubernetes.client, api_name)(self._client)
        found = []
        for item in self._pages(getattr(api, method)):
            meta = item.metadata
            labels = meta.labels or {}
            found.append(
                Thing(
                    f"{meta.namespace}/{meta.name}",
                    meta.creation_timestamp,
                    labels.get("borough.dev/deployment", ""),
                    labels.get("borough.dev/resource", ""),
                )
            )
        return found

    def nodes(self) -> list[tuple[dict[str, str], bool]]:
        """Of each node what it can give to pods, and whether it takes any.

        Raises:
            Unavailable: It does not answer.
        """
        api = kubernetes.client.CoreV1Api(self._client)
        return [
            (dict(node.status.allocatable or {}), not node.spec.unschedulable and _is_ready(node))
            for node in self._pages(api.list_node)
        ]

    def requests(self) -> list[dict[str, str]]:
        """What the containers of living pods that are on a node ask for.

        Raises:
            Unavailable: It does not answer.
        """
        api = kubernetes.client.CoreV1Api(self._client)
        return [
            dict(container.resources.requests)
            for pod in self._pages(api.list_pod_for_all_namespaces)
            if pod.spec.node_name and pod.status.phase not in {"Succeeded", "Failed"}
            for container in pod.spec.containers
            if container.resources and container.resources.requests
        ]

    def _pages(self, method: Any) -> Iterator[Any]:  # noqa: ANN401 - the client is untyped
        following: str | None = None
        while True:
            page = self._call(method, limit=_PAGE, _continue=following)
            yield from page.items
            following = page.metadata._continue  # noqa: SLF001 - so it is called
            if not following:
                return

    def _call(self, method: Any, **given: Any) -> Any:  # noqa: ANN401 - the client is untyped
        try:
            return method(_request_timeout=_SECONDS, **given)
        except kubernetes.client.ApiException as error:
            raise self._unavailable(f"{error.status} {error.reason}") from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unavailable(type(error).__name__) from None

    def _unavailable(self, reason: str) -> Unavailable:
        message = f"Kubernetes does not answer: {reason}"
        return Unavailable(message, 30.0, region=self._region)


def _is_ready(node: Any) -> bool:  # noqa: ANN401 - the client is untyped
    conditions = node.status.conditions or []
    return any(one.type == "Ready" and one.status == "True" for one in conditions)
