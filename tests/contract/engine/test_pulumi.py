"""What only concerns the real CLI."""

import base64
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest
import sqlalchemy as sa

from control_plane.adapters.program_host.host import ProgramHost
from control_plane.adapters.pulumi.cli import PulumiCli, PulumiSettings, backend_url
from control_plane.adapters.pulumi.engine import PulumiEngine
from control_plane.adapters.stack_locks import StackLocks
from control_plane.provisioning.graph import (
    ApplyResult,
    ApplyState,
    EngineEvent,
    ResourceState,
)
from control_plane.provisioning.ports import EngineError, ProgramError
from foundation.kernel.database import Database
from tests.contract.engine.worlds import PASSWORD, PulumiWorld, why_no_pulumi

pytestmark = pytest.mark.skipif(bool(why_no_pulumi()), reason=why_no_pulumi())


def running_below(server: psutil.Process) -> list[psutil.Process]:
    """What the server has started and is still there, with its name in ``info``."""
    below = {p.pid for p in server.children(recursive=True)}
    return [p for p in psutil.process_iter(["name"]) if p.pid in below]


def test_the_cli_is_killed_alone(pulumi_world: PulumiWorld, host: ProgramHost) -> None:
    """Out of memory, say: the operation fails, what it began is unknown, then it is found."""
    world = pulumi_world
    world.hang("thing-1")
    results: list[ApplyResult] = []
    worker = threading.Thread(
        target=lambda: results.append(world.engine.apply(world.run(), confirm=lambda _p: None))
    )
    worker.start()
    deadline = time.monotonic() + 60
    while world.labels() != ["shop-0", "shop-1"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    server = psutil.Process(host._server.pid)  # type: ignore[union-attr]  # noqa: SLF001
    for process in running_below(server):
        if process.info["name"] == "pulumi":
            process.kill()
    worker.join(60)
    (result,) = results
    assert result.state is ApplyState.FAILED
    states = {o.name: o.state for o in result.outcomes}
    assert states == {"thing-0": ResourceState.CREATED, "thing-1": ResourceState.UNKNOWN}
    assert not [p for p in running_below(server) if "pulumi" in p.info["name"]]

    world.heal()
    world.engine.recover(world.run())
    again = world.engine.apply(world.run(), confirm=lambda _p: None)
    assert again.state is ApplyState.SUCCEEDED, again.error
    assert {o.state for o in again.outcomes} == {ResourceState.SAME}
    assert world.labels() == ["shop-0", "shop-1"]


def states(result: ApplyResult) -> dict[str, ResourceState]:
    return {o.name: o.state for o in result.outcomes}


@pytest.mark.parametrize("fault", ["busy", "lost", "die"])
def test_a_fault_that_passes_is_tried_again_and_makes_nothing_twice(
    pulumi_world: PulumiWorld, fault: str
) -> None:
    """The cloud refuses for now; its answer is lost; the provider dies after it made the thing."""
    world = pulumi_world
    world.fault("thing-0", "create", fault)
    told: list[EngineEvent] = []
    result = world.engine.apply(world.run(), confirm=lambda _p: None, on_event=told.append)
    assert result.state is ApplyState.SUCCEEDED, result.error
    made = states(result)
    assert made == dict.fromkeys(("thing-0", "thing-1"), ResourceState.CREATED)
    assert [e for e in told if "trying again" in e.message]
    assert world.labels() == ["shop-0", "shop-1"]
    assert {o.physical_id for o in result.outcomes} == {f.stem for f in world.things()}
    assert world.engine.preview(world.run()).effective == ()


@pytest.mark.parametrize("times", [1, 2])
def test_what_was_made_and_cannot_be_read_at_once_is_not_made_anew(
    pulumi_world: PulumiWorld, times: int
) -> None:
    """The answer to the creation is lost, and so are the first ones to the reading after it."""
    world = pulumi_world
    world.fault("thing-0", "create", "lost")
    world.fault("thing-0", "read", "busy", times)
    result = world.engine.apply(world.run(), confirm=lambda _p: None)
    assert result.state is ApplyState.SUCCEEDED, result.error
    assert world.labels() == ["shop-0", "shop-1"]
    assert {o.physical_id for o in result.outcomes} == {f.stem for f in world.things()}
    assert world.engine.preview(world.run()).effective == ()


def test_what_was_made_and_can_never_be_read_is_unknown_and_is_not_made_anew(
    pulumi_world: PulumiWorld,
) -> None:
    world = pulumi_world
    world.fault("thing-0", "create", "lost")
    world.fault("thing-0", "read", "busy", None)
    result = world.engine.apply(world.run(), confirm=lambda _p: None)
    assert result.state is ApplyState.FAILED
    assert states(result)["thing-0"] is ResourceState.UNKNOWN
    assert world.labels().count("shop-0") == 1
    world.heal()
    world.engine.recover(world.run())
    again = world.engine.apply(world.run(), confirm=lambda _p: None)
    assert again.state is ApplyState.SUCCEEDED, again.error
    assert world.labels() == ["shop-0", "shop-1"]


def test_a_fault_that_does_not_pass_is_named_after_a_few_attempts(
    pulumi_world: PulumiWorld,
) -> None:
    world = pulumi_world
    world.fault("thing-1", "create", "busy", None)
    result = world.engine.apply(world.run(), confirm=lambda _p: None)
    assert result.state is ApplyState.FAILED
    assert [o.name for o in result.failed] == ["thing-1"]
    assert result.error.startswith("thing-1: ")
    assert "temporary overloading" in result.error
    # What an earlier attempt made is said to be made, though later ones found it there.
    assert states(result)["thing-0"] is ResourceState.CREATED
    assert world.labels() == ["shop-0"]


def test_a_cancel_ends_the_waiting_for_a_further_attempt(pulumi_world: PulumiWorld) -> None:
    world = pulumi_world
    world.engine._tools.cli.settings = replace(  # noqa: SLF001 - so that it waits for ever
        world.engine._tools.cli.settings,  # noqa: SLF001
        pauses=(60.0,),
    )
    world.fault("thing-0", "create", "busy", None)
    cancel = threading.Event()

    def tell(event: EngineEvent) -> None:
        if "trying again" in event.message:
            cancel.set()

    begin = time.monotonic()
    result = world.engine.apply(world.run(), confirm=lambda _p: None, on_event=tell, cancel=cancel)
    assert result.state is ApplyState.FAILED
    assert time.monotonic() - begin < 40


def test_what_cannot_be_looked_up_now_is_unknown_and_found_later(
    pulumi_world: PulumiWorld, database: Database
) -> None:
    """A provider dies and the cloud is away: a note stays, sealed, and nothing is made twice."""
    world = pulumi_world
    world.fault("thing-0", "create", "die", None)
    world.silent = True
    result = world.engine.apply(world.run(), confirm=lambda _p: None)
    assert result.state is ApplyState.FAILED
    assert states(result) == {"thing-0": ResourceState.UNKNOWN}
    with database.transaction():
        notes = database.execute(sa.text("SELECT urn, kind, sealed FROM pulumi_note")).all()
    assert [(n.urn.rpartition("::")[2], n.kind) for n in notes] == [("thing-0", "made")]
    assert PASSWORD not in notes[0].sealed
    assert world.labels() == ["shop-0"]

    world.heal()
    with pytest.raises(EngineError, match="did not answer"):
        world.engine.recover(world.run())
    with pytest.raises(EngineError, match="did not answer"):
        world.engine.apply(world.run(), confirm=lambda _p: None)
    assert world.labels() == ["shop-0"]

    world.silent = False
    again = world.engine.apply(world.run(), confirm=lambda _p: None)
    assert again.state is ApplyState.SUCCEEDED, again.error
    assert world.labels() == ["shop-0", "shop-1"]
    assert world.engine.destroy(world.run()).state is ApplyState.SUCCEEDED
    assert world.labels() == []


def test_a_successor_that_was_lost_is_not_taken_for_the_old_one(
    pulumi_world: PulumiWorld,
) -> None:
    world = pulumi_world
    world.engine.apply(world.run(things=1), confirm=lambda _p: None)
    (old,) = world.things()
    world.fault("thing-0", "create", "lost")
    again = world.engine.apply(world.run(things=1, colour="red"), confirm=lambda _p: None)
    assert again.state is ApplyState.SUCCEEDED, again.error
    (new,) = world.things()
    assert new != old
    assert world.things()[new]["colour"] == "red"
    assert world.engine.preview(world.run(things=1, colour="red")).effective == ()


HOSTILE = """
import pulumi
class Resource(pulumi.CustomResource):
    def __init__(self, type_, name, **props):
        super().__init__(type_, name, props)
Resource("{type_}", "x", create="touch {file}", __provider="gASVAAAA")
"""


@pytest.mark.parametrize("type_", ["command:local:Command", "pulumi-python:dynamic:Resource"])
def test_a_program_that_would_have_a_provider_run_code_is_stopped(
    pulumi_world: PulumiWorld, tmp_path: Path, type_: str
) -> None:
    """The plugins are not confined; the CLI never hears of such a resource."""
    run = pulumi_world.run()
    file = tmp_path / "it-ran"
    (run.program.path / "__main__.py").write_text(HOSTILE.format(type_=type_, file=file))
    with pytest.raises(ProgramError, match="may not use the provider"):
        pulumi_world.engine.preview(run)
    with pytest.raises(ProgramError, match="may not use the provider"):
        pulumi_world.engine.apply(run, confirm=lambda _p: None)
    assert not file.exists()


def stored(database: Database) -> dict[str, str]:
    """Everything that the CLI keeps in the platform's database, by key."""
    url = database.url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT key, data ->> 'data' FROM pulumi_state").fetchall()
    return {key: base64.b64decode(data).decode() for key, data in rows}


def test_no_secret_is_in_the_state(pulumi_world: PulumiWorld, database: Database) -> None:
    pulumi_world.engine.apply(pulumi_world.run(), confirm=lambda _p: None)
    text = "".join(stored(database).values())
    assert "sample:index:Thing" in text
    assert PASSWORD not in text
    assert "s" * 40 not in text


def test_nothing_is_left_of_a_destroyed_stack(
    pulumi_world: PulumiWorld, database: Database
) -> None:
    pulumi_world.engine.apply(pulumi_world.run(), confirm=lambda _p: None)
    assert [key for key in stored(database) if "dep_contract" in key]
    pulumi_world.engine.destroy(pulumi_world.run())
    assert [key for key in stored(database) if "dep_contract" in key] == []


def test_without_a_cli_it_says_so(host: ProgramHost, database: Database, tmp_path: Path) -> None:
    locks = StackLocks(database.url)
    settings = PulumiSettings(tmp_path, backend_url(database.url), install=False)
    engine = PulumiEngine(host, settings, database=database, key=b"k" * 32, locks=locks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "/nowhere")
        with pytest.raises(EngineError, match="not on PATH"):
            engine.version()
    locks.close()


def test_who_makes_the_table_of_states_at_the_same_time_is_asked_again(
    host: ProgramHost, tmp_path: Path
) -> None:
    """In a new database the first commands at once stand in each other's way."""
    program = tmp_path / "bin" / "pulumi"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        'echo x >>"$PULUMI_HOME/asked"\n'
        '[ "$(wc -l <"$PULUMI_HOME/asked")" -gt 2 ] && exit 0\n'
        "echo 'error: failed to create table pulumi_state: pq: duplicate key value'\n"
        "exit 255\n"
    )
    program.chmod(0o755)
    settings = PulumiSettings(tmp_path / "home", "", search_path=str(program.parent), install=False)
    cli = PulumiCli(host, settings)
    with cli.workspace("p", "s") as folder:
        assert cli.run(["stack", "ls"], folder, "x").status == 0
    assert len((tmp_path / "home" / "asked").read_text().split()) == 3


def test_a_region_that_cannot_be_reached_is_an_engine_error(
    pulumi_world: PulumiWorld, tmp_path: Path
) -> None:
    (tmp_path / "plugins" / "pulumi-resource-sample").write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(EngineError, match="preview failed"):
        pulumi_world.engine.preview(pulumi_world.run())


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql+psycopg://postgres@/borough?host=/run/x",
            "postgres://postgres@/borough?host=/run/x&sslmode=disable",
        ),
        (
            "postgresql+psycopg://u:p@127.0.0.1:5432/borough",
            "postgres://u:p@127.0.0.1:5432/borough?sslmode=disable",
        ),
        (
            "postgresql+psycopg://u:p@db.city.example/borough",
            "postgres://u:p@db.city.example/borough",
        ),
        (
            "postgresql://u@db/borough?sslmode=verify-full",
            "postgres://u@db/borough?sslmode=verify-full",
        ),
    ],
)
def test_the_backend_is_the_platforms_own_database(url: str, expected: str) -> None:
    assert backend_url(url) == expected
