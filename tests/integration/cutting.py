"""What the tests of faults cut off and disturb: a way to the devcloud that is theirs alone.

``Way`` is the devcloud's own fault proxy (``devcloud/openstack/faults.py``) before every OpenStack
service and before Kubernetes, on ports of its own. Killed, the region has gone away; started
again, it is back; meanwhile everybody else reaches the devcloud as before.
"""

import fcntl
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import weakref
from pathlib import Path
from typing import Any

PROXY = Path(__file__).resolve().parents[2] / "devcloud" / "openstack" / "faults.py"
SERVICES = {
    "keystone": 15000,
    "nova": 18774,
    "cinder": 18776,
    "placement": 18778,
    "glance": 19292,
    "neutron": 19696,
    "octavia": 19876,
}
KUBERNETES = 16443
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
#: Where Kubernetes puts what it shows on a node.
NODE_PORTS = range(30_000, 32_768)
LOCKS = Path(tempfile.gettempdir()) / "borough-test-ports"


class Way:
    """A way to the devcloud that can be cut and disturbed.

    Attributes:
        ports: where each service is reached through it.
    """

    def __init__(self) -> None:
        names = [*SERVICES, "kubernetes", "admin"]
        found = _free_ports(len(names))
        self.ports = dict(zip(names, found, strict=True))
        weakref.finalize(self, _give_back, list(found.values()))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def auth_url(self) -> str:
        """Keystone's address."""
        return f"http://127.0.0.1:{self.ports['keystone']}/v3"

    def kubeconfig(self, direct: str) -> str:
        """A configuration of the cluster that leads this way."""
        return re.sub(
            rf"127\.0\.0\.1:{KUBERNETES}\b", f"127.0.0.1:{self.ports['kubernetes']}", direct
        )

    def open(self) -> None:
        """Let calls through; returns when they are."""
        listen = [f"{name}:{self.ports[name]}:{port}" for name, port in SERVICES.items()]
        listen.append(f"kubernetes:{self.ports['kubernetes']}:{KUBERNETES}:tcp")
        command = [sys.executable, str(PROXY), "--catalogue", "--admin", str(self.ports["admin"])]
        end = time.monotonic() + 60
        while True:
            if self._process is None or self._process.poll() is not None:
                # The first time, or it has found a port taken that will be free again.
                self._process = subprocess.Popen(
                    [*command, *listen], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            try:
                self.rules()
            except OSError:
                assert time.monotonic() < end, "the fault proxy did not start"
                time.sleep(0.05)
            else:
                return

    def cut(self) -> None:
        """Break every connection and refuse new ones."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def disturb(self, **rule: Any) -> None:
        """Add a rule; see the proxy."""
        self._ask("POST", "/rules", rule)

    def calm(self) -> list[dict[str, Any]]:
        """Take all rules away; what each of them has done."""
        done = self.rules()
        self._ask("DELETE", "/rules")
        return done

    def rules(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask("GET", "/rules")
        return found

    def log(self) -> list[dict[str, Any]]:
        """The latest requests."""
        found: list[dict[str, Any]] = self._ask("GET", "/log")
        return found

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports['admin']}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.loads(answer.read())


def _free_ports(count: int) -> dict[int, int]:
    """Ports that nobody has now, each with a handle that holds its lock.

    While the way is cut nothing else takes them: no call to elsewhere, no service of the cluster,
    no other way.
    """
    first, last = (int(n) for n in EPHEMERAL.read_text().split())
    others = [n for n in range(20_000, 61_000) if not first <= n <= last and n not in NODE_PORTS]
    LOCKS.mkdir(exist_ok=True)
    free: dict[int, int] = {}
    for port in random.sample(others, len(others)):
        handle = os.open(LOCKS / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as each:
                each.bind(("127.0.0.1", port))
        except OSError:
            os.close(handle)
        else:
            free[port] = handle
        if len(free) == count:
            return free
    raise AssertionError("there are no free ports")


def _give_back(handles: list[int]) -> None:
    for handle in handles:
        os.close(handle)
