"""The message queue: a NATS server with JetStream, which keeps messages until they are taken."""

from typing import ClassVar

import pulumi
from service import Service

_CPU = {"s": "100m", "m": "500m", "l": "1"}
_MEMORY_MB = {"s": 256, "m": 1024, "l": 2048}


class Queue(Service):
    """Streams of messages."""

    NAME: ClassVar[str] = "queue"
    PORT: ClassVar[int] = 4222

    @property
    def image(self) -> str:
        """The image: NATS is under the Apache licence."""
        return str(self.cluster.facts.get("queue_image", "nats:2-alpine"))

    @property
    def size(self) -> dict[str, str]:
        """What it requests."""
        size = self.inputs["queue_size"]
        return {"cpu": _CPU[size], "memory": f"{_MEMORY_MB[size]}Mi"}

    @property
    def volume_gb(self) -> int:
        """What messages are kept in."""
        return int(self.inputs["queue_volume_gb"])

    @property
    def settings(self) -> str:
        """Its configuration; users and passwords are in a file of the Secret."""
        # A little of the volume stays free, for what the server writes beside messages.
        keep = self.volume_gb * 1024 * 9 // 10
        return f"""\
port: {self.PORT}
server_name: {self.cluster.named(self.NAME)}
# For the probes alone, inside the pod.
http: "127.0.0.1:8222"
max_payload: 8MB
lame_duck_duration: 30s
tls {{
  cert_file: "/credentials/tls.crt"
  key_file: "/credentials/tls.key"
}}
jetstream {{
  store_dir: "/data"
  max_memory_store: {_MEMORY_MB[self.inputs["queue_size"]] // 4}MB
  max_file_store: {keep}MB
}}
include "../credentials/users.conf"
"""

    @property
    def secrets(self) -> dict[str, pulumi.Output[str]]:
        """The user that applications sign in as."""
        application = self.context.derive("queue")
        users = application.apply(
            lambda password: (
                "authorization {\n"
                f'  users = [{{user: "application", password: "{password}"}}]\n'
                "}\n"
            )
        )
        return {"users.conf": users}

    def declare(self) -> None:
        """Declare it, and say where it is."""
        super().declare()
        pulumi.export("queue_url", f"tls://{self.host}:{self.PORT}")
        pulumi.export("queue_user", "application")
        pulumi.export("queue_password", self.context.derive("queue"))
