"""The commands of access, against the application on a loopback port."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from control_plane.entrypoints.app import Parts, create_app
from control_plane.entrypoints.cli.main import borough
from control_plane.settings import Settings
from foundation.access.authenticator import AccessAuthenticator
from foundation.kernel.database import Database
from foundation.kernel.secretbox import SecretBox
from foundation.surface.runtime import Runtime
from tests.conftest import SettableClock
from tests.harness.serving import served
from tests.unit.access.conftest import PASSWORD, City

HEALTH = "/city/health/"


class Terminal:
    """Somebody's terminal, with their own configuration."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.environment = {"XDG_CONFIG_HOME": str(folder), "BOROUGH_HOME": str(folder)}

    def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> Result:
        return CliRunner().invoke(
            borough, arguments, input=stdin, env=self.environment | environment
        )

    def json(self, *arguments: str, **options: str) -> Any:
        result = self(*arguments, "-o", "json", **options)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def login(self, login: str) -> Result:
        return self("login", self.url, "--login", login, "--password-stdin", stdin=PASSWORD + "\n")


@pytest.fixture
def server(city: City, database: Database, clock: SettableClock) -> Iterator[str]:
    parts = Parts(
        runtime=Runtime(database, clock, SecretBox([b"k" * 32])),
        authenticator=AccessAuthenticator(city.gate),
        services=(city.people, city.gate, city.audit),
    )
    app = create_app(parts, Settings(), features=("foundation.access.api",), with_pages=False)
    with served(app) as address:
        yield address


@pytest.fixture
def terminal(server: str, city: City, tmp_path: Path) -> Terminal:
    city.person("mia", "department_administrator", HEALTH)
    return Terminal(server, tmp_path)


def test_signing_in_and_out(terminal: Terminal, tmp_path: Path) -> None:
    result = terminal.login("mia")
    assert result.exit_code == 0, result.output
    assert "department_administrator on /city/health/" in result.stdout
    assert "Signed in to" in result.stderr
    kept = tmp_path / "borough" / "contexts.json"
    assert kept.stat().st_mode & 0o077 == 0
    assert terminal.json("whoami")["name"] == "Mia"
    secret = json.loads(kept.read_text())["contexts"][0]["token"]
    assert terminal("logout").exit_code == 0
    assert terminal("whoami", "--url", terminal.url, BOROUGH_TOKEN=secret).exit_code == 4
    assert terminal("whoami").exit_code == 2


def test_a_wrong_password(terminal: Terminal) -> None:
    result = terminal("login", terminal.url, "-l", "mia", "--password-stdin", stdin="wrong\n")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "the name or the password is wrong" in result.stderr


def test_tokens(terminal: Terminal) -> None:
    terminal.login("mia")
    made = terminal("token", "create", "ci", "--scope", "person.view", "--days", "7")
    secret = made.stdout.strip()
    assert secret.startswith("borough_pat_")
    listed = terminal.json("token", "list")
    assert (listed[0]["name"], listed[0]["scopes"]) == ("ci", ["person.view"])
    use = {"BOROUGH_TOKEN": secret}
    assert terminal("person", "list", "--url", terminal.url, **use).exit_code == 0
    assert terminal("audit", "list", "--url", terminal.url, **use).exit_code == 4
    assert terminal("token", "revoke", listed[0]["id"]).exit_code == 0
    assert terminal("person", "list", "--url", terminal.url, **use).exit_code == 4
    wrong = terminal("token", "create", "x", "--scope", "no.such", "--days", "0")
    assert wrong.exit_code == 2
    assert "days" in wrong.stderr


def test_people(terminal: Terminal) -> None:
    terminal.login("mia")
    made = terminal.json(
        "person", "create", "hans", "--name", "Hans", "--path", HEALTH, "--role", "member",
        "--password-stdin", stdin=PASSWORD + "\n",
    )  # fmt: skip
    assert made["grants"] == [{"role": "member", "path": HEALTH}]
    assert "member on /city/health/" in terminal("person", "list", "--search", "ha").stdout
    other = terminal(
        "person", "create", "x", "--name", "X", "--path", "/city/water/", "--password-stdin",
        stdin=PASSWORD + "\n",
    )  # fmt: skip
    assert other.exit_code == 3


def test_the_audit_log(terminal: Terminal, database: Database) -> None:
    terminal.login("admin")
    listed = terminal.json("audit", "list", "--action", "person.*")
    assert {entry["action"] for entry in listed} == {"person.create"}
    result = terminal.json("audit", "verify")
    assert result["ok"] is True
    head = f"{result['head_seq']}:{result['head_hash']}"
    assert terminal("audit", "verify", "--head", head).exit_code == 0
    assert terminal("audit", "verify", "--head", "nonsense").exit_code == 2
    with database.transaction():
        database.execute(sa.text("ALTER TABLE access_audit DISABLE TRIGGER USER"))
        database.execute(sa.text("UPDATE access_audit SET actor_name = 'Eve' WHERE seq = 2"))
    damaged = terminal("audit", "verify")
    assert damaged.exit_code == 1
    assert "changed at 2" in damaged.stdout
