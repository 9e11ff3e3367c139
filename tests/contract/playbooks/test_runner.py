"""One suite for what runs playbooks: the fake of other tests, and real Ansible on real servers."""

import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from control_plane.adapters.ansible.runner import AnsibleRunner
from control_plane.adapters.program_host.host import ProgramHost
from control_plane.provisioning.playbooks.model import HostState
from control_plane.provisioning.playbooks.ports import Ending, Runner, Target, TaskEvent, Work
from tests.fakes.playbooks import FakeRunner, FakeServers
from tests.harness import machines

FOLDER = Path(__file__).parents[2] / "harness" / "playbooks"
SECRET = "correct horse battery"


@dataclass
class Bench:
    """A runner and three servers, of which the last is not there."""

    runner: Runner
    targets: tuple[Target, ...]
    private_key: str
    written: Any
    real: bool

    def run(
        self, *which: int, check: bool = False, seconds: float = 300, cancel: Any = None,
        playbook: str = "contract", targets: tuple[Target, ...] = (), **variables: Any,
    ) -> tuple[Any, list[TaskEvent]]:  # fmt: skip
        events: list[TaskEvent] = []
        work = Work(
            FOLDER, playbook, targets or tuple(self.targets[n] for n in which),
            {"contract_words": "hello", **variables}, self.private_key, check, seconds,
        )  # fmt: skip
        return self.runner.run(work, on_event=events.append, cancel=cancel), events


@pytest.fixture(
    scope="module",
    params=["fake", pytest.param("real", marks=pytest.mark.rehearsal)],
)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "fake":
        servers = FakeServers()
        targets = tuple(
            Target(f"server-{n}", f"id-{n}", f"192.0.2.{n}", 22, "root", False) for n in (1, 2, 3)
        )
        for each in targets[:2]:
            servers.keys[each.address, each.port] = f"ssh-ed25519 key-of-{each.name}"
        yield Bench(
            FakeRunner(servers), targets, "key",
            lambda n: servers.written.get((targets[n].address, targets[n].port)), False,
        )  # fmt: skip
        return
    reason = machines.missing() or machines.no_ansible()
    if reason:
        pytest.skip(reason)
    host = ProgramHost()
    with machines.machines(2) as made:
        gone = replace(made[0].target(), name="server-3", alias="id-3", address="127.0.0.99")

        def written(number: int) -> str | None:
            path = made[number].path("/srv/words")
            return path.read_text() if path.exists() else None

        targets = (made[0].target(), made[1].target(), gone)
        runner = AnsibleRunner(host, machines.installation())
        yield Bench(runner, targets, made.private_key, written, True)
    host.close()


def test_a_check_changes_nothing_and_says_what_would_be(bench: Bench) -> None:
    outcome, events = bench.run(0, check=True, contract_words="only a check")
    assert outcome.ending is Ending.DONE
    assert outcome.hosts["server-1"].state is HostState.CHANGED
    assert bench.written(0) != "only a check"
    assert any("+only a check" in e.diff for e in events)


def test_servers_are_told_apart(bench: Bench) -> None:
    outcome, events = bench.run(0, 1, 2, contract_words="hello", contract_fail=["server-2"])
    assert outcome.ending is Ending.DONE
    states = {name: found.state for name, found in outcome.hosts.items()}
    assert states == {
        "server-1": HostState.CHANGED,
        "server-2": HostState.FAILED,
        "server-3": HostState.UNREACHABLE,
    }
    assert bench.written(0) == "hello"
    assert any(e.host == "server-2" and "asked to fail" in e.message for e in events)
    assert sorted(alias for alias, _ in outcome.learned) == sorted(
        t.alias for t in bench.targets[:2]
    )
    again, _ = bench.run(0, contract_words="hello")
    assert again.hosts["server-1"].state is HostState.OK


def test_a_text_is_never_a_template(bench: Bench) -> None:
    words = "{{ lookup('pipe', 'id') }} {% raw %} !unsafe \"quoted\" \\n 汉字"
    outcome, _ = bench.run(0, contract_words=words)
    assert outcome.hosts["server-1"].state is HostState.CHANGED
    assert bench.written(0) == words


@pytest.mark.parametrize("words", ["0123", "true", "~", "2026-01-01", "1e3", " space ", "- a"])
def test_a_text_stays_a_text(bench: Bench, words: str) -> None:
    outcome, _ = bench.run(0, contract_words=words)
    assert outcome.hosts["server-1"].state is HostState.CHANGED
    assert bench.written(0) == words


def test_a_secret_is_nowhere_in_what_is_told(bench: Bench) -> None:
    outcome, events = bench.run(0, 1, contract_secret=SECRET, contract_fail=["server-1"])
    assert outcome.hosts["server-2"].state in {HostState.OK, HostState.CHANGED}
    assert SECRET not in repr((outcome, events))
    assert bench.private_key not in repr((outcome, events)) or not bench.real


def test_a_server_that_shows_another_key_is_not_reached(bench: Bench) -> None:
    outcome, _ = bench.run(0)
    line = dict(outcome.learned)[bench.targets[0].alias]
    known = replace(bench.targets[0], known=(line,))
    again, _ = bench.run(targets=(known,))
    assert again.hosts["server-1"].state is HostState.OK
    assert again.learned == ()
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH8EGWw4nbnvvsCtdxmSrnndtzZUsWZK6ulP/eEwBo2M"
    strange, _ = bench.run(targets=(replace(known, known=(other,)),))
    assert strange.hosts["server-1"].state is HostState.UNREACHABLE


def test_it_stops_when_it_is_asked(bench: Bench) -> None:
    stop = threading.Event()
    threading.Timer(6.0 if bench.real else 0.2, stop.set).start()
    outcome, _ = bench.run(0, cancel=stop, contract_seconds=60, contract_words="never")
    assert outcome.ending is Ending.CANCELLED
    assert outcome.hosts["server-1"].state in {HostState.PENDING, HostState.UNKNOWN}
    assert bench.written(0) != "never"


def test_it_ends_when_its_time_is_over(bench: Bench) -> None:
    seconds = 6.0 if bench.real else 0.2
    outcome, _ = bench.run(0, seconds=seconds, contract_seconds=60, contract_words="never")
    assert outcome.ending is Ending.TIMED_OUT
    assert bench.written(0) != "never"


def test_a_playbook_that_is_not_there_is_broken(bench: Bench) -> None:
    outcome, _ = bench.run(0, playbook="nonesuch")
    assert outcome.ending is Ending.BROKEN
    assert outcome.message


def test_it_leaves_nothing_behind(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    if not bench.real:
        pytest.skip("the fake has no files and no processes")
    # A place of its own: other tests run playbooks at the same time.
    with tempfile.TemporaryDirectory(prefix="left-") as place:
        monkeypatch.setattr(tempfile, "tempdir", place)
        bench.run(0, contract_secret=SECRET)
        for each in Path("/proc").iterdir():
            if each.name.isdigit():
                try:
                    said = (each / "cmdline").read_bytes()
                except OSError:
                    continue
                assert place.encode() not in said
        assert list(Path(place).iterdir()) == []
