import stat
from pathlib import Path

import click

from control_plane.entrypoints.cli.processes import config
from control_plane.settings import PROGRAM
from foundation.kernel.settings import client_from_environment
from foundation.operations.commands import operation
from foundation.surface import cli
from foundation.surface.cli import commands
from foundation.surface.cli.contexts import Context, Contexts, resolve
from tests.unit.surface_cli.conftest import FakeApi, Reply, Run


@click.group()
def sample() -> None:
    pass


@sample.command()
@click.option("--yes", is_flag=True)
@cli.console(api="DELETE /api/v1/things/{id}", web="/things")
def remove(console: cli.Console, *, yes: bool) -> None:
    """Remove it."""
    console.confirm("Really?", yes=yes)
    console.client.delete("/things/1")
    console.say("Removed.")


@sample.command()
@click.option("--set", "given", multiple=True)
@cli.console(waits=True)
def make(console: cli.Console, given: tuple[str, ...]) -> None:
    """Make it."""
    done = console.follow(console.client.post("/things", cli.pairs(given)))
    console.one(done, (cli.Column("STATE", "state"),))


def _operation(state: str, **more: object) -> dict[str, object]:
    return {
        "id": "op_1", "kind": "thing.make", "state": state, "steps": [], "progress": 0.5,
        "expected_seconds": None, "error": None, **more,
    }  # fmt: skip


def _working(api: FakeApi, *states: str, error: object = None) -> None:
    """The operation is in one of the states after the other, with one event each."""
    left = list(states)

    def answer(asked: object) -> Reply:
        path, query = asked.path, asked.query  # type: ignore[attr-defined]
        if path.endswith("/events"):
            after = int(query["after"][0])
            seq = len(states) - len(left)
            event = {"seq": seq, "at": "T", "type": "step.started", "data": {"step": f"s{seq}"}}
            return Reply(body={"items": [event] if seq > after else [], "more": False})
        if path.endswith("/things"):
            return Reply(202, _operation("queued"))
        state = left.pop(0) if len(left) > 1 else left[0]
        return Reply(body=_operation(state, error=error if state == states[-1] else None))

    api.answer = answer


def test_waiting_shows_lines_without_a_terminal(api: FakeApi, run: Run) -> None:
    _working(api, "queued", "running", "succeeded")
    result = run(sample, "make", "--set", "a.b=2", "--set", "tags=[x, y]")
    assert result.exit_code == 0
    assert result.stdout == "STATE: succeeded\n"
    assert result.stderr.splitlines() == [
        "op_1  T step.started step=s1",
        "op_1  T step.started step=s2",
    ]
    assert api.asked[0].body == {"a": {"b": 2}, "tags": ["x", "y"]}


def test_not_waiting_asks_once(api: FakeApi, run: Run) -> None:
    _working(api, "queued", "succeeded")
    result = run(sample, "make", "--no-wait")
    assert (result.exit_code, result.stdout) == (0, "STATE: queued\n")
    assert len(api.asked) == 2


def test_a_wait_that_takes_too_long_says_how_to_go_on(api: FakeApi, run: Run) -> None:
    _working(api, "running")
    result = run(sample, "make", "--timeout", "0.3")
    assert result.exit_code == 6
    assert "borough operation watch op_1" in result.stderr


def test_a_failed_operation_fails_the_command(api: FakeApi, run: Run) -> None:
    _working(api, "running", "failed", error={"code": "conflict", "detail": "it is taken"})
    result = run(sample, "make")
    assert result.exit_code == 1
    assert "thing.make op_1 failed: it is taken" in result.stderr


def test_what_was_approved_has_changed(api: FakeApi, run: Run) -> None:
    error = {"code": "needs_approval", "detail": "the price has changed"}
    _working(api, "failed", error=error)
    assert run(sample, "make").exit_code == 7


def test_wrong_pairs_are_all_named(run: Run) -> None:
    result = run(sample, "make", "--set", "nothing", "--set", "a=1", "--set", "a.b=2")
    assert result.exit_code == 2
    assert "'nothing' is not name=value; 'a.b=2' cannot be read" in result.stderr


def test_a_question_needs_a_terminal_or_yes(api: FakeApi, run: Run) -> None:
    result = run(sample, "remove")
    assert (result.exit_code, api.asked) == (2, [])
    api.reply(None, 204)
    assert run(sample, "remove", "--yes").exit_code == 0


def test_the_request_can_be_shown_without_the_token(api: FakeApi, run: Run) -> None:
    api.reply(None, 204)
    result = run(sample, "remove", "--yes", "--curl")
    assert result.stderr.startswith(
        f'curl -X DELETE {api.url}/api/v1/things/1 -H "Authorization: Bearer $BOROUGH_TOKEN"\n'
    )
    assert "secret-token" not in result.stderr


def test_help_names_the_equivalents(run: Run) -> None:
    told = run(sample, "remove", "--help").stdout
    assert "API: DELETE /api/v1/things/{id}" in told
    assert "Web: /things" in told


def test_operations_are_listed_and_watched(api: FakeApi, run: Run) -> None:
    item = _operation("running", subject="ord_1", created_at="T")
    api.reply({"items": [item], "next": None})
    result = run(operation, "list", "--state", "running")
    assert result.stdout.splitlines()[1].split() == [
        "op_1", "thing.make", "ord_1", "running", "50%", "T"
    ]  # fmt: skip
    api.reply(item | {"state": "succeeded"})
    api.reply({"items": [], "more": False})
    assert run(operation, "watch", "op_1", "-o", "name").stdout == "op_1\n"


def test_contexts_are_kept_for_their_owner_only(run: Run) -> None:
    contexts = Contexts.load(client_from_environment(PROGRAM))
    contexts.put(Context("a", "https://a.example", "ta")).put(
        Context("b", "https://b.example", "tb")
    ).save()
    mode = stat.S_IMODE(contexts.file.stat().st_mode)
    assert mode == 0o600
    assert run(commands.context, "use", "a").exit_code == 0
    listed = run(commands.context, "list").stdout.splitlines()
    assert [line.split() for line in listed[1:]] == [
        ["*", "a", "https://a.example", "-"], ["b", "https://b.example", "-"]
    ]  # fmt: skip
    assert "ta" not in run(commands.context, "list", "-o", "json").stdout.replace("table", "")
    assert run(commands.context, "use", "c").exit_code == 3
    assert run(commands.context, "remove", "a").exit_code == 0
    assert Contexts.load(client_from_environment(PROGRAM)).current == ""


def test_which_platform_is_spoken_to(home: Path) -> None:
    plain = client_from_environment(PROGRAM, {"BOROUGH_HOME": str(home / "home")})
    contexts = Contexts.load(plain)
    contexts.put(Context("a", "https://a.example", "ta")).put(
        Context("b", "https://b.example", "tb")
    ).save()

    def chosen(name: str = "", url: str = "", **environment: str) -> tuple[str, str]:
        found = resolve(client_from_environment(PROGRAM, environment), name=name, url=url)
        return found.url, found.token

    assert chosen() == ("https://b.example", "tb")
    assert chosen(BOROUGH_CONTEXT="a") == ("https://a.example", "ta")
    assert chosen(name="a", BOROUGH_URL="https://c.example") == ("https://a.example", "ta")
    # Another address never gets a context's token.
    assert chosen(BOROUGH_URL="https://c.example") == ("https://c.example", "")
    assert chosen(url="https://c.example/", BOROUGH_TOKEN="t") == ("https://c.example", "t")


def test_without_a_context_the_platform_of_this_machine_is_used(home: Path) -> None:
    plain = client_from_environment(PROGRAM, {"BOROUGH_HOME": str(home / "home")})
    (home / "home" / "run").mkdir(parents=True)
    (home / "home" / "run" / "serve.json").write_text('{"url": "http://127.0.0.1:9"}')
    assert resolve(plain).url == "http://127.0.0.1:9"


def test_damaged_contexts_are_named(run: Run) -> None:
    file = Contexts.load(client_from_environment(PROGRAM)).file
    file.parent.mkdir(parents=True)
    file.write_text("{")
    result = run(commands.context, "list")
    assert result.exit_code == 1
    assert str(file) in result.stderr


def test_a_wrong_environment_is_named_whole(run: Run) -> None:
    result = run(config, BOROUGH_PORT="http", BOROUGH_HOSST="x")
    assert result.exit_code == 2
    assert "BOROUGH_PORT: must be a whole number" in result.stderr
    assert "BOROUGH_HOSST: is not a setting" in result.stderr


def test_secrets_are_masked_in_the_settings(run: Run) -> None:
    told = run(config, "-o", "json", BOROUGH_DATABASE_URL="postgresql://u:geheim@h/d")
    assert "geheim" not in told.stdout
