"""Servers of tests: a real sshd in a root of its own, which is this machine's under a layer.

What is written there goes into memory and is gone with the server: roles that change a system are
tried for real and this machine stays as it is. There is no systemd in them, ``/proc`` is read-only
(kernel settings stay as they are), and the network is this machine's loopback.

It needs root, ``unshare`` and overlay file systems, an sshd (Debian: openssh-server; ``./dev
rehearse`` unpacks one into ``.dev`` without installing it), and Ansible (which is installed into
``.dev/ansible``). Where one of them cannot be had, the tests say so and are skipped.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from control_plane.adapters.ansible.installation import Installation
from control_plane.provisioning.playbooks import keys
from control_plane.provisioning.playbooks.ports import Target
from foundation.kernel.errors import Unavailable
from foundation.kernel.scratch import Scratch

ROOT = Path(__file__).parents[2]
_UNPACKED = ROOT / ".dev" / "sshd"
_START_SECONDS = 30.0

_BOOT = r"""
set -e
mount -t tmpfs -o size=1g tmpfs /mnt
mkdir -p /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
cd /mnt/root
mount -t proc -o ro proc proc
mount --rbind /dev dev
mount -t tmpfs -o mode=0755 tmpfs run
mkdir -p run/sshd root/.ssh home srv
rm -rf etc/sudoers.d/50-borough-* etc/borough
grep -q '^sshd:' etc/passwd || echo 'sshd:x:64999:65534::/run/sshd:/usr/sbin/nologin' >> etc/passwd
cp "$KEYS/host" etc/borough-host-key; chmod 600 etc/borough-host-key
printf '%s\n' "$PUBLIC" > etc/borough-trusted
cat > etc/borough-sshd.conf <<C
HostKey /etc/borough-host-key
PidFile none
AuthorizedKeysFile /etc/borough-trusted
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
ListenAddress $ADDRESS:$PORT
SetEnv PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
C
exec chroot . env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LD_LIBRARY_PATH="$LIBRARIES" \
    "$SSHD" -D -e -f /etc/borough-sshd.conf
"""


def sshd() -> str:
    """An sshd; empty when there is none."""
    own = _UNPACKED / "usr" / "sbin" / "sshd"
    found = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin")
    return found or (str(own) if own.exists() else "")


def missing() -> str:
    """Why there can be no servers here; empty when there can."""
    if os.geteuid() != 0:
        return "servers of tests need root, for a root of their own"
    if not sshd():
        return "there is no sshd (Debian: apt install openssh-server)"
    tried = "mount -t tmpfs t /mnt && mkdir /mnt/u /mnt/w /mnt/m && mount -t overlay o -o "
    tried += "lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/m"
    done = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "sh", "-c", tried],
        capture_output=True,
        check=False,
    )
    return "" if done.returncode == 0 else "there are no overlay file systems of one's own here"


def installation() -> Installation:
    """The Ansible of this checkout."""
    return Installation(ROOT / ".dev" / "ansible")


def no_ansible() -> str:
    """Why there is no Ansible; empty when there is."""
    try:
        installation().find()
    except Unavailable as error:
        return error.message
    return ""


@dataclass
class Machine:
    """A running server."""

    name: str
    address: str
    port: int
    process: "subprocess.Popen[bytes]"

    def path(self, name: str) -> Path:
        """A file of the server, as this machine reaches it."""
        return Path(f"/proc/{self._inner()}/root") / name.lstrip("/")

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command in its root."""
        return subprocess.run(
            ["nsenter", f"--target={self._inner()}", "--mount", "--pid", "--root", "--wd=/",
             *command],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def target(self, *known: str, port: int = 0) -> Target:
        """It as a run knows it."""
        alias = f"id-of-{self.name}"
        return Target(self.name, alias, self.address, port or self.port, "root", False, known)

    def _inner(self) -> int:
        """The number of sshd, which unshare started."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(children.read_text().split()[0])

    def end(self) -> None:
        """End it; what it wrote is gone."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@dataclass
class Machines:
    """Servers, and the key that they trust."""

    private_key: str
    public_key: str
    all: list[Machine]

    def __getitem__(self, index: int) -> Machine:
        return self.all[index]


@contextlib.contextmanager
def machines(count: int) -> Iterator[Machines]:
    """So many servers on addresses of their own."""
    private, public = keys.make()
    with Scratch("borough-machines-") as scratch:
        made = Machines(private, public, [])
        try:
            for number in range(count):
                made.all.append(_boot(scratch.path, f"server-{number + 1}", public))
            yield made
        finally:
            for each in made.all:
                each.end()


def _boot(folder: Path, name: str, public: str) -> Machine:
    own = folder / name
    own.mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", own / "host"], check=True)
    number = int(name.rpartition("-")[2])
    address = f"127.0.{(os.getpid() % 250) + 1}.{number + 10}"
    with socket.socket() as free:
        free.bind((address, 0))
        port = free.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "KEYS": str(own), "PUBLIC": public,
        "ADDRESS": address, "PORT": str(port), "SSHD": sshd(),
        "LIBRARIES": str(_UNPACKED / "usr" / "lib" / "x86_64-linux-gnu"),
    }  # fmt: skip
    with (own / "log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c", _BOOT],
            env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    end = time.monotonic() + _START_SECONDS
    while b"Server listening" not in (own / "log").read_bytes():
        assert process.poll() is None, (own / "log").read_text()
        assert time.monotonic() < end, (own / "log").read_text()
        time.sleep(0.05)
    return Machine(name, address, port, process)
