"""The cache: Valkey, or another server of the Redis protocol."""

from typing import ClassVar

import pulumi
from service import Service

_MEMORY_MB = {"s": 256, "m": 1024, "l": 4096}
_CPU = {"s": "100m", "m": "250m", "l": "1"}
#: Beside the data the server needs room for clients and for what is written to disk.
_ROOM = 2


class Cache(Service):
    """Keys and values in memory."""

    NAME: ClassVar[str] = "cache"
    PORT: ClassVar[int] = 6379

    @property
    def image(self) -> str:
        """The image: Valkey is under the BSD licence, which Redis left with version 7.4."""
        return str(self.cluster.facts.get("cache_image", "valkey/valkey:8"))

    @property
    def size(self) -> dict[str, str]:
        """What it requests: twice the memory of the data."""
        size = self.inputs["cache_size"]
        return {"cpu": _CPU[size], "memory": f"{_MEMORY_MB[size] * _ROOM}Mi"}

    @property
    def volume_gb(self) -> int:
        """Only a cache that is kept has a volume: room for two copies of its data and the log."""
        if not self.inputs["cache_kept"]:
            return 0
        return max(_MEMORY_MB[self.inputs["cache_size"]] * 4 // 1024, 1)

    @property
    def settings(self) -> str:
        """Its configuration; the password comes from a file of the Secret, at its start."""
        kept = self.inputs["cache_kept"]
        return f"""\
port 0
tls-port {self.PORT}
tls-cert-file /credentials/tls.crt
tls-key-file /credentials/tls.key
tls-ca-cert-file /credentials/tls.crt
tls-auth-clients no
dir /data
maxmemory {_MEMORY_MB[self.inputs["cache_size"]]}mb
maxmemory-policy {self.inputs["cache_full"]}
appendonly {"yes" if kept else "no"}
save {"300 100" if kept else '""'}
protected-mode yes
tcp-keepalive 60
timeout 0
"""

    @property
    def secrets(self) -> dict[str, pulumi.Output[str]]:
        """The password; the output says it too."""
        return {"password": self.context.derive("cache")}

    def declare(self) -> None:
        """Declare it, and say where it is."""
        super().declare()
        pulumi.export("cache_host", self.host)
        pulumi.export("cache_port", self.PORT)
        pulumi.export("cache_password", self.context.derive("cache"))
