"""``borough`` starts fast: what it does not need is not loaded."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from control_plane.entrypoints.cli.main import _MEMBERS, _SECTIONS, borough

_HEAVY = {
    "flask", "apiflask", "sqlalchemy", "psycopg", "pydantic", "pulumi", "dbos", "alembic",
    "cryptography", "urllib3", "rich", "yaml", "openstack", "kubernetes",
}  # fmt: skip
_PROBE = """
import json, resource, sys
from control_plane.entrypoints.cli.main import borough
try:
    borough(sys.argv[1:], prog_name="borough")
except SystemExit:
    pass
used = resource.getrusage(resource.RUSAGE_SELF)
loaded = sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps([loaded, used.ru_utime + used.ru_stime]), file=sys.stderr)
"""


def _start(*arguments: str) -> tuple[set[str], float, str]:
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, *arguments],
        capture_output=True, text=True, check=True, env={**os.environ, "BOROUGH_TOKEN": "t"},
    )  # fmt: skip
    loaded, seconds = json.loads(done.stderr.splitlines()[-1])
    return set(loaded), seconds, done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("operation", "list", "--url", "http://127.0.0.1:1"), ("context", "list")],
)
def test_what_a_client_does_not_need_is_not_loaded(arguments: tuple[str, ...]) -> None:
    loaded, _, _ = _start(*arguments)
    assert not loaded & _HEAVY
    if arguments == ("--help",):
        assert "http" not in loaded


def test_every_command_is_in_one_section_of_the_help() -> None:
    shown = [name for names in _SECTIONS.values() for name in names]
    assert sorted(shown) == sorted(_MEMBERS)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    assert "_BOROUGH_COMPLETE" in _start("completion", shell)[2]


def test_completing_a_name_loads_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROBE],
        capture_output=True, text=True, check=True,
        env={**os.environ, "_BOROUGH_COMPLETE": "bash_complete", "COMP_WORDS": "borough oper",
             "COMP_CWORD": "1"},
    )  # fmt: skip
    assert done.stdout.split() == ["plain,operation"]
    assert not set(json.loads(done.stderr.splitlines()[-1])[0]) & _HEAVY


#: The commands that must exist under these names.
_REQUIRED = """
serve; worker; demo; login; catalog list; catalog show; order create; order list; order show;
order submit; approval list; approval show; approval approve; approval reject; deployment list;
deployment show; deployment plan; deployment destroy; operation list; operation show;
operation watch; operation cancel; usage push; usage list; statement list; statement show;
statement explain; audit verify; blueprint validate; blueprint publish; blueprint list; region add;
region list; region show; db upgrade; config; context use; context list
""".replace("\n", " ")


def _commands(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield (*path, name), found
        if isinstance(found, click.Group):
            yield from _commands(found, (*path, name))


def test_all_commands_load_and_explain_themselves() -> None:
    found = dict(_commands(borough))
    required = {tuple(name.split()) for name in _REQUIRED.split(";")}
    assert required <= set(found)
    for path, command in found.items():
        assert command.help, path
        for parameter in command.params:
            assert not isinstance(parameter, click.Option) or parameter.help, (path, parameter.name)
        if isinstance(command, click.Group):
            continue
        told = command.get_help(click.Context(command, info_name=" ".join(path)))
        assert "Usage:" in told
    digest = found["approval", "approve"]
    assert any(parameter.name == "digest" for parameter in digest.params)


def test_every_client_command_takes_a_form_of_output() -> None:
    platform = {"serve", "worker", "demo", "db", "administrator", "completion"}
    for path, command in _commands(borough):
        if isinstance(command, click.Group) or path[0] in platform:
            continue
        assert "console_form" in {parameter.name for parameter in command.params}, path
