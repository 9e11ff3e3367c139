"""Finds objects in Kubernetes whose creation was never confirmed.

An object is known by its kind, namespace and name, and is ours when its labels say so. One whose
name the cluster makes up is found by its labels alone.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from control_plane.adapters.pulumi.recovery import Pending

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_DEPLOYMENT = "borough.dev/deployment"
_RESOURCE = "borough.dev/resource"
_OK, _NOT_OK, _NOT_FOUND = 200, 300, 404
_SECONDS = 20


def find_kubernetes(pending: Pending) -> str | None:
    """Return the id (``namespace/name``) of an object that was made; None when there is none.

    Raises:
        kubernetes.client.ApiException, urllib3.exceptions.HTTPError: The cluster does not answer.
    """
    version, kind = pending.inputs.get("apiVersion"), pending.inputs.get("kind")
    kubeconfig = pending.provider.get("kubeconfig")
    if not (version and kind and kubeconfig):
        return None
    with _connect(str(kubeconfig)) as api:
        place = _place(api, str(version), str(kind))
        if place is None:
            return None
        plural, namespaced = place
        metadata = pending.inputs.get("metadata") or {}
        path = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if namespaced:
            path += f"/namespaces/{metadata.get('namespace') or 'default'}"
        for found in _objects(api, f"{path}/{plural}", metadata.get("name"), pending):
            name = found["metadata"]["name"]
            physical = f"{found['metadata']['namespace']}/{name}" if namespaced else name
            if physical not in pending.known and _is_mine(found, pending):
                return str(physical)
    return None


def _connect(kubeconfig: str) -> "ApiClient":
    # Half a second, and hardly ever needed.
    import kubernetes  # noqa: PLC0415
    import yaml  # noqa: PLC0415

    # The functions that read a kubeconfig are untyped.
    connect: Any = kubernetes.config.new_client_from_config_dict
    client: ApiClient = connect(yaml.safe_load(kubeconfig), persist_config=False)
    return client


def _place(api: "ApiClient", version: str, kind: str) -> tuple[str, bool] | None:
    """Return the name of a kind in paths, and whether its objects live in namespaces."""
    path = f"/apis/{version}" if "/" in version else f"/api/{version}"
    for each in (_get(api, path) or {}).get("resources", ()):
        if each["kind"] == kind and "/" not in each["name"]:
            return str(each["name"]), bool(each["namespaced"])
    return None


def _objects(
    api: "ApiClient", path: str, name: str | None, pending: Pending
) -> list[dict[str, Any]]:
    if name:
        found = _get(api, f"{path}/{name}")
        return [] if found is None else [found]
    marks = f"{_DEPLOYMENT}={pending.deployment},{_RESOURCE}={pending.name}"
    items: list[dict[str, Any]] = (_get(api, path, labelSelector=marks) or {}).get("items", [])
    return items


def _is_mine(found: Mapping[str, Any], pending: Pending) -> bool:
    labels = found["metadata"].get("labels") or {}
    return bool(
        labels.get(_DEPLOYMENT) == pending.deployment
        and labels.get(_RESOURCE, pending.name) == pending.name
    )


def _get(api: "ApiClient", path: str, **query: str) -> dict[str, Any] | None:
    """Return what the cluster answers; None when there is no such thing."""
    from kubernetes.client import ApiException  # noqa: PLC0415

    request = api.param_serialize(
        "GET", path, query_params=list(query.items()), auth_settings=["BearerToken"]
    )
    answer: Any = api.call_api(*request, _request_timeout=_SECONDS)
    content = answer.read()
    if answer.status == _NOT_FOUND:
        return None
    if not _OK <= answer.status < _NOT_OK:
        raise ApiException(status=answer.status, reason=answer.reason)
    found: dict[str, Any] = json.loads(content)
    return found
