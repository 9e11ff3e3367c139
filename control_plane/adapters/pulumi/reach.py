"""What a program may have the engine reach on its behalf.

The program itself is confined; the CLI and the providers' plugins are not. They run with network
and with the platform's rights, and do what the program declares. So what it declares is looked at
before they hear of it: only providers that the platform knows, only towards the region of the
operation, nothing that runs code, and nothing that reads or writes files of the worker.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from control_plane.adapters.program_host import values
from control_plane.provisioning.graph import STACK_TYPE
from control_plane.provisioning.ports import ProgramError, Run

PACKAGES = frozenset({"openstack", "kubernetes"})
"""The providers that programs may use."""

_PROVIDER = "pulumi:providers:"
#: What says where a provider goes, as whom, and with which files: only values that the platform
#: gave. A kubeconfig may name a program that is run to sign in.
_PLACES = frozenset({"authUrl", "endpointOverrides", "cacertFile", "cert", "key", "kubeconfig"})
#: Without these a provider takes what it finds around itself, which is the platform's own.
_REQUIRED = {"openstack": "authUrl", "kubernetes": "kubeconfig"}
_NEVER = frozenset({"cloud", "renderYamlToDirectory", "helmReleaseSettings"})
#: Kinds whose making reads files or fetches addresses from where the plugin runs.
_KINDS = ("kubernetes:helm.sh/", "kubernetes:helm:", "kubernetes:kustomize", "kubernetes:yaml")
_PROPERTIES = {
    "openstack:images/image:Image": ("localFilePath", "imageSourceUrl"),
    "openstack:objectstorage/containerObject:ContainerObject": ("source",),
}


class Reach:
    """Refuses what a program may not have done.

    Args:
        run: Its credentials and the facts of its region are what providers may be given.
        packages: The providers that it may use.
    """

    def __init__(self, run: Run, packages: frozenset[str]) -> None:
        self._packages = packages
        deployment = run.deployment
        given = (run.region.config, run.region.credentials, deployment.tenancy_outputs)
        self._given = {t for tree in (*given, deployment.tenancy_secrets) for t in _texts(tree)}

    def check_registration(self, request: Any) -> None:  # noqa: ANN401
        """Look at a resource that is registered.

        Raises:
            ProgramError: It may not be made for a program.
        """
        type_ = str(request.type)
        if request.remote or request.envVarMappings:
            raise _refused(f"declare {type_} of a provider's own making")
        if type_.startswith(_PROVIDER):
            self._check_package(type_.removeprefix(_PROVIDER), request)
            self._check_provider(type_.removeprefix(_PROVIDER), values.read_struct(request.object))
        elif request.custom:
            self._check_custom(type_, request)
            self._check_properties(type_, values.read_struct(request.object))
        elif type_ != STACK_TYPE and request.pluginDownloadURL:
            raise _refused("say where a provider's plugin is downloaded")

    def check_reading(self, request: Any) -> None:  # noqa: ANN401
        """Look at a resource that is read.

        Raises:
            ProgramError: It may not be read for a program.
        """
        self._check_custom(str(request.type), request)

    def check_invoke(self, request: Any) -> None:  # noqa: ANN401
        """Look at a function of a provider that is called.

        Raises:
            ProgramError: It may not be called for a program.
        """
        token = str(request.tok)
        if token.startswith("kubernetes:"):
            raise _refused(f"call {token}, which reads where the plugin runs")
        self._check_custom(token, request)

    def _check_custom(self, type_: str, request: Any) -> None:  # noqa: ANN401
        self._check_package(type_.partition(":")[0], request)
        if type_.startswith(_KINDS):
            raise _refused(f"use {type_}, which reads files where the plugin runs")
        if not request.provider:
            raise _refused(f"use {type_} without naming its provider")

    def _check_package(self, package: str, request: Any) -> None:  # noqa: ANN401
        if package not in self._packages:
            known = ", ".join(sorted(self._packages))
            raise _refused(f"use the provider {package}; there are {known}")
        if request.pluginDownloadURL or request.pluginChecksums or request.packageRef:
            raise _refused("say where a provider's plugin is downloaded")

    def _check_provider(self, package: str, inputs: Mapping[str, Any]) -> None:
        for name in sorted(_NEVER & inputs.keys()):
            raise _refused(f"give the provider {package} the property {name}")
        required = _REQUIRED.get(package)
        if required is not None and not inputs.get(required):
            raise _refused(f"make a provider {package} without {required}")
        for name in sorted(_PLACES & inputs.keys()):
            if not all(text in self._given for text in _texts(_opened(inputs[name]))):
                raise _refused(
                    f"give the provider {package} a {name} of its own; it reaches its region alone"
                )

    def _check_properties(self, type_: str, inputs: Mapping[str, Any]) -> None:
        for name in _PROPERTIES.get(type_, ()):
            if inputs.get(name):
                raise _refused(f"give {type_} the property {name}")
        if any("path" in asset or "uri" in asset for asset in _assets(inputs)):
            raise _refused(f"give {type_} a file of the worker or an address to fetch")


def _opened(value: Any) -> Any:  # noqa: ANN401
    """Return a property of a provider; what is no text travels as JSON text."""
    plain = values.clear(value)
    if isinstance(plain, str) and plain[:1] in {"{", "["}:
        try:
            opened = json.loads(plain)
        except ValueError:
            return plain
        # A kubeconfig may be JSON too: as a whole it is known or not.
        return [plain] if "clusters" in opened or "users" in opened else opened
    return plain


def _texts(tree: Any) -> Iterator[str]:  # noqa: ANN401
    """Yield all texts in a tree."""
    if isinstance(tree, Mapping):
        if tree.get("$unknown") is not True:
            for item in tree.values():
                yield from _texts(item)
    elif isinstance(tree, list | tuple):
        for item in tree:
            yield from _texts(item)
    elif isinstance(tree, str):
        yield tree


def _assets(tree: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401
    if isinstance(tree, Mapping):
        if isinstance(tree.get("$asset"), Mapping):
            yield tree["$asset"]
        for item in tree.values():
            yield from _assets(item)
    elif isinstance(tree, list):
        for item in tree:
            yield from _assets(item)


def _refused(what: str) -> ProgramError:
    return ProgramError(f"the blueprint may not {what}")
