"""What the platform tells a blueprint's program, read from its Pulumi configuration.

Four objects in the project's namespace; for ``pulumi preview`` alone see the README:

* ``inputs``: what was ordered, as ``blueprint.yaml`` describes it;
* ``region``: ``id``, ``kinds`` and plain facts per kind (addresses, images, flavors, …);
* ``deployment``: ``id``, ``name``, ``tenancy``, ``tags``, ``tenancy_outputs``;
* ``credentials`` (secret): ``region`` and ``tenancy`` per kind, and ``seed``.

Every bundled blueprint has this same file, so that each of them is complete by itself.
"""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pulumi
import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _defaults() -> dict[str, Any]:
    """Return the defaults of the inputs, as the blueprint itself declares them."""
    text = (Path(__file__).parent / "blueprint.yaml").read_text(encoding="utf-8")
    schema = yaml.load(text, Loader=_LOADER)["inputs"]  # noqa: S506 - both loaders are safe ones
    return {k: v["default"] for k, v in schema["properties"].items() if "default" in v}


class Context:
    """The configuration of one run.

    Attributes:
        inputs: What was ordered, defaults filled in.
        region: Plain facts about the region.
        deployment: What this is a deployment of.
        name: Short name that goes into the names of resources.
    """

    def __init__(self) -> None:
        config = pulumi.Config()
        self.inputs: dict[str, Any] = {**_defaults(), **config.require_object("inputs")}
        self.region: dict[str, Any] = config.require_object("region")
        self.deployment: dict[str, Any] = config.require_object("deployment")
        self.name: str = self.deployment["name"]
        self._credentials = config.require_secret("credentials").apply(json.loads)

    def facts(self, kind: str) -> dict[str, Any]:
        """Return the plain facts of one kind of region."""
        return self.region.get(kind) or {}

    def secret(self, *path: str, default: str = "") -> pulumi.Output[str]:
        """Return one credential, as a secret."""

        def find(tree: Any) -> str:  # noqa: ANN401 - any JSON
            for step in path:
                tree = (tree or {}).get(step)
            return tree or default

        return self._credentials.apply(find)

    def derive(self, purpose: str) -> pulumi.Output[str]:
        """Return a password that is always the same for this deployment and purpose.

        HMAC-SHA256 of the purpose under the deployment's seed, in base 64, with one character of
        each class in front for password rules.
        """

        def make(tree: dict[str, Any]) -> str:
            mac = hmac.new(tree["seed"].encode(), purpose.encode(), hashlib.sha256).digest()
            return "Bo1-" + base64.urlsafe_b64encode(mac).decode().rstrip("=")

        return self._credentials.apply(make)

    def flavor(self, size: str) -> str:
        """Return the region's own id of a size of server."""
        flavors = self.facts("openstack")["flavors"]
        found = flavors if isinstance(flavors, dict) else {f["size"]: f for f in flavors}
        if size not in found:
            raise ValueError(f"the region has no size {size!r}; it has {', '.join(sorted(found))}")
        return found[size].get("id", size)

    def image(self) -> str:
        """Return the region's own id of the image that servers start from."""
        images = self.facts("openstack")["images"]
        if isinstance(images, dict):
            return images.get("default") or next(iter(images.values()))
        return images[0]

    def marks(self, resource: str) -> dict[str, str]:
        """Return what every resource carries, so that it can be found and is never doubled."""
        return {
            "borough.deployment": self.deployment["id"],
            "borough.tenancy": self.deployment["tenancy"],
            "borough.resource": resource,
        }

    def tags(self, resource: str) -> list[str]:
        """Return the marks in the form of OpenStack's tags, in the order in which it keeps them."""
        return sorted(f"{name}={value}" for name, value in self.marks(resource).items())

    def labels(self, resource: str) -> dict[str, str]:
        """Return the marks in the form of Kubernetes' labels."""
        return {
            "app.kubernetes.io/managed-by": "borough",
            **{
                name.replace("borough.", "borough.dev/"): value
                for name, value in self.marks(resource).items()
            },
        }

    def describe(self, what: str) -> str:
        """Return a description for things that have no tags."""
        return f"{what} ({self.deployment['id']})"
