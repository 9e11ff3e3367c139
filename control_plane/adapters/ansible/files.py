"""The private folder of one run: what Ansible reads, and nothing of it outlives the run."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from control_plane.provisioning.playbooks.ports import Target, Work

_CONFIG = """\
[defaults]
callback_plugins = {plugins}
stdout_callback = borough
roles_path = {roles}
local_tmp = {home}/tmp
interpreter_python = /usr/bin/python3
collections_path = /nonexistent
enable_task_debugger = false
retry_files_enabled = false
forks = {forks}
timeout = 20
fact_caching = memory
gathering = smart
inject_facts_as_vars = false
host_key_checking = true
ansible_managed = Kept by Borough: what is changed here by hand is changed back
nocows = true
[inventory]
enable_plugins = yaml
[privilege_escalation]
become_method = sudo
[ssh_connection]
pipelining = true
retries = 1
control_path_dir = {home}/c
ssh_args = {ssh}
"""
#: Nothing of who runs the worker: no configuration, no agent, no other keys, no passwords. A key
#: that is not known is learned, one that differs is refused.
_SSH = (
    "-F none -o ControlMaster=auto -o ControlPersist=60s -o IdentitiesOnly=yes "
    "-o IdentityAgent=none -o PasswordAuthentication=no -o KbdInteractiveAuthentication=no "
    "-o StrictHostKeyChecking=accept-new -o UserKnownHostsFile={home}/known "
    "-o GlobalKnownHostsFile=/dev/null -o HashKnownHosts=no -o UpdateHostKeys=no "
    "-o ForwardAgent=no -o ServerAliveInterval=15 -o ServerAliveCountMax=4"
)
_MOST_FORKS = 20


#: Each template of Jinja has one of them, and so has the line that changes what begins one.
_TEMPLATE = ("{", "#jinja2")


class _Literal(str):
    """A text that is taken as it is, whatever braces it holds."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(
    str, lambda dumper, data: dumper.represent_scalar("tag:yaml.org,2002:str", data, style='"')
)
_Dumper.add_representer(
    _Literal, lambda dumper, data: dumper.represent_scalar("!unsafe", str(data), style='"')
)


def literal(value: Any) -> Any:  # noqa: ANN401 - JSON
    """The value with every text that could be a template marked as none.

    Ansible guesses the type of a marked text anew ("0123" would become 83, an empty one nothing),
    so those that no template can be in are written as they are, in quotes.
    """
    if isinstance(value, str):
        return _Literal(value) if any(mark in value for mark in _TEMPLATE) else value
    if isinstance(value, Mapping):
        return {str(name): literal(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [literal(inner) for inner in value]
    return value


def write(home: Path, work: Work) -> None:
    """Write everything that a run needs into its folder, each file for its owner alone."""
    for name in ("tmp", "c"):
        (home / name).mkdir(mode=0o700)
    config = _CONFIG.format(
        plugins=work.folder / "plugins" / "callback",
        roles=work.folder / "roles",
        home=home,
        forks=min(max(len(work.targets), 1), _MOST_FORKS),
        ssh=_SSH.format(home=home),
    )
    _private(home / "ansible.cfg", config)
    _private(home / "key", work.private_key.rstrip("\n") + "\n")
    _private(home / "variables.yml", _dumped(literal(dict(work.variables))))
    _private(home / "inventory.yml", _dumped(_inventory(work.targets)))
    known = [f"{t.alias} {line}" for t in work.targets for line in t.known]
    _private(home / "known", "".join(f"{line}\n" for line in known))


def learned(home: Path, targets: tuple[Target, ...]) -> tuple[tuple[str, str], ...]:
    """The keys that were not known before, as (alias, type and key)."""
    before = {(t.alias, line) for t in targets for line in t.known}
    aliases = {t.alias for t in targets}
    found = []
    for line in (home / "known").read_text().splitlines():
        name, _, rest = line.partition(" ")
        if name in aliases and (name, rest) not in before:
            found.append((name, rest))
    return tuple(found)


def environment(home: Path, program: Path) -> dict[str, str]:
    """All variables of the child: nothing of ours but where programs are."""
    return {
        "PATH": os.pathsep.join([str(program.parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "LC_ALL": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "ANSIBLE_CONFIG": str(home / "ansible.cfg"),
        "ANSIBLE_HOME": str(home / "tmp"),
        "BOROUGH_EVENTS": str(home / "events"),
    }


def _inventory(targets: tuple[Target, ...]) -> dict[str, Any]:
    hosts = {
        t.name: {
            "ansible_host": t.address,
            "ansible_port": t.port,
            "ansible_user": t.user,
            "ansible_become": t.become,
            "ansible_ssh_common_args": f"-o HostKeyAlias={t.alias}",
        }
        for t in targets
    }
    return {"servers": {"hosts": hosts}}


def _dumped(value: Any) -> str:  # noqa: ANN401 - JSON
    return yaml.dump(value, Dumper=_Dumper, allow_unicode=True, width=10_000, sort_keys=True)


def _private(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
