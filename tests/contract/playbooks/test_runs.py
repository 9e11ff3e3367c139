"""Runs on a real database: who may, what is checked, waves, gates, retries and dying workers."""

from dataclasses import replace
from typing import Any

import pytest

from control_plane.provisioning.playbooks.model import RunState
from control_plane.provisioning.playbooks.ports import Work
from control_plane.provisioning.store.tables import region_table, revision_table
from foundation.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NeedsApproval,
    NotFound,
)
from foundation.kernel.paging import PageRequest
from tests.conftest import SettableClock
from tests.contract.playbooks.conftest import BOSS, MEMBER, OPERATOR, SECRET, STRANGER, Yard
from tests.contract.provisioning.conftest import person


class DiedError(BaseException):
    """The worker is gone."""


def test_a_run_goes_wave_by_wave_and_says_what_it_did(yard: Yard) -> None:
    run = yard.start(waves=("1", "50%", "rest"))
    assert (run.state, run.created_by) == (RunState.RUNNING, "per_member")
    context = yard.context(run)
    assert yard.work(run, context) == ""
    assert yard.now(run).state is RunState.SUCCEEDED
    assert yard.states(run) == ["changed"] * 4
    assert [len(w.targets) for w in yard.runner.works] == [1, 2, 1]
    told = [data for kind, data in context.events if kind == "playbook.task"]
    assert {d["host"] for d in told} == {"server-1", "server-2", "server-3", "server-4"}
    assert set(yard.servers.written.values()) == {"hello"}
    again = yard.start()
    assert yard.work(again) == ""
    assert yard.states(again) == ["ok"] * 4
    # The keys that were learned at first are what the servers are known by.
    assert all(t.known for t in yard.runner.works[-1].targets)
    actions = [e["action"] for e in yard.world.audit.entries]
    assert actions.count("playbook_run.create") == 2


def test_a_check_changes_nothing_and_gives_the_report(yard: Yard) -> None:
    run = yard.start(check=True)
    assert yard.work(run) == ""
    assert yard.servers.written == {}
    controls = [c for h in yard.runs.run(MEMBER, run.id)[1] for c in h.controls]
    assert {(c.id, c.title, c.state.value) for c in controls} == {
        ("T-1", "The words are there", "failing")
    }
    real = yard.start()
    yard.work(real)
    assert {c.state.value for h in yard.runs.run(MEMBER, real.id)[1] for c in h.controls} == {
        "changed"
    }


def test_a_wave_that_is_not_healthy_is_the_last_and_only_the_rest_is_tried_again(
    yard: Yard,
) -> None:
    run = yard.start(waves=("1", "1", "rest"), inputs={"fail": ["server-2"]})
    assert yard.work(run) == "playbook_failed"
    now = yard.now(run)
    assert now.state is RunState.FAILED
    assert now.why == "not every server succeeded: server-2 (failed)"
    assert yard.states(run) == ["changed", "failed", "skipped", "skipped"]
    message = yard.runs.run(MEMBER, run.id)[1][1].message
    assert "asked to fail" in message
    again = yard.runs.retry(MEMBER, run.id)
    assert [h.name for h in yard.runs.run(MEMBER, again.id)[1]] == [
        "server-2", "server-3", "server-4",
    ]  # fmt: skip
    assert again.cause == f"retry:{run.id}"
    yard.work(again)
    del yard.servers.keys["192.0.2.1", 22]
    gone = yard.start(inputs={"words": "new"})
    yard.work(gone)
    assert yard.states(gone)[0] == "unreachable"
    good = yard.start(servers=("server-2",))
    yard.work(good)
    with pytest.raises(Conflict, match="nothing to try again"):
        yard.runs.retry(MEMBER, good.id)


@pytest.mark.parametrize(
    ("when", "after"),
    [
        *(("before", step) for step in ("prepare", "wave.1", "wave.2", "record")),
        *(("in", step) for step in ("wave.1", "wave.2")),
    ],
)
def test_a_killed_worker_leaves_a_known_state_and_another_completes(
    yard: Yard, after: str, when: str
) -> None:
    run = yard.start(waves=("1", "rest"))

    def die(*_: object) -> None:
        raise DiedError

    def before(step: str) -> None:
        if step == after and when == "before":
            die()
        if step == after:
            yard.runner.before = die

    context = yard.context(run, before)
    with pytest.raises(DiedError):
        yard.work(run, context)
    assert yard.now(run).state is RunState.RUNNING
    assert set(yard.states(run)) <= {"pending", "running", "changed"}
    yard.runner.before = lambda _work: None
    other = yard.context(run)
    other.kept = context.kept
    assert yard.work(run, other) == ""
    assert yard.now(run).state is RunState.SUCCEEDED
    assert set(yard.states(run)) <= {"changed", "ok"}
    assert set(yard.servers.written.values()) == {"hello"}


def test_it_is_cancelled_before_between_and_within_waves(yard: Yard) -> None:
    first = yard.start(inputs={"seconds": 30})
    queued = yard.start(waves=("rest",))
    assert queued.state is RunState.QUEUED
    assert yard.runs.cancel(MEMBER, queued.id).state is RunState.CANCELLED
    assert yard.states(queued) == ["skipped"] * 4
    context = yard.context(first)

    def stop(_work: Work) -> None:
        context.stop = True

    yard.runner.before = stop
    assert yard.work(first, context) == "cancelled"
    assert yard.now(first).state is RunState.CANCELLED
    assert yard.states(first) == ["unknown", "skipped", "skipped", "skipped"]
    with pytest.raises(Conflict, match="has ended"):
        yard.runs.cancel(MEMBER, first.id)
    yard.runner.before = lambda _work: None
    third = yard.start()
    yard.runs.cancel(MEMBER, third.id)  # the worker that takes it up does nothing
    late = yard.context(third)
    late.stop = True
    assert yard.work(third, late) == "cancelled"
    assert yard.now(third).state is RunState.CANCELLED
    assert yard.states(third) == ["skipped"] * 4


def test_a_wave_that_takes_too_long_is_ended(yard: Yard) -> None:
    run = yard.start(inputs={"seconds": 30}, minutes=1)
    yard.runner.at_most = 0.05
    assert yard.work(run) == "playbook_failed"
    assert yard.now(run).why == "a wave took longer than 1 minutes"
    assert yard.states(run) == ["unknown", "skipped", "skipped", "skipped"]


def test_so_many_run_at_once_and_one_on_a_deployment(yard: Yard) -> None:
    first, second = yard.start(), yard.start()
    assert (first.state, second.state) == (RunState.RUNNING, RunState.QUEUED)
    assert yard.runs.dispatch() == 0
    yard.work(first)
    assert yard.now(second).state is RunState.RUNNING
    yard.set(operation="op_other")
    third = yard.start()
    yard.work(second)
    assert yard.now(third).state is RunState.QUEUED
    yard.set(operation="")
    assert yard.runs.dispatch() == 1


def test_a_secret_is_sealed_shown_to_nobody_and_erased(yard: Yard, clock: SettableClock) -> None:
    run = yard.start(inputs={"secret": SECRET, "fail": ["server-1"]})
    assert run.inputs["secret"] == "********"
    context = yard.context(run)
    yard.work(run, context)
    assert yard.runner.works[0].variables["contract_secret"] == SECRET
    assert SECRET not in repr(yard.runner.works[0])
    assert SECRET not in repr(context.events)
    dump = yard.dump()
    assert SECRET not in dump
    assert "PRIVATE KEY" not in dump
    assert SECRET not in repr(yard.world.audit.entries)
    again = yard.runs.retry(MEMBER, run.id)
    yard.work(again)
    assert yard.runner.works[-1].variables["contract_secret"] == SECRET
    clock.advance(days=8)
    assert yard.runs.tidy() == 2
    with pytest.raises(Conflict, match="were erased"):
        yard.runs.retry(MEMBER, run.id)


def test_every_wrong_field_is_named(yard: Yard) -> None:
    with pytest.raises(Invalid) as caught:
        yard.start(
            inputs={"words": "x" * 201, "fail": "server-1", "other": 1}, servers=("nobody",),
            waves=("0",), minutes=9999,
        )  # fmt: skip
    assert {p.field for p in caught.value.problems} == {
        "inputs.words", "inputs.fail", "inputs.other", "servers.0", "waves.0", "minutes",
    }  # fmt: skip
    with pytest.raises(Invalid) as caught:
        yard.runs.set_access(
            BOSS, yard.tenancy, user="-oProxyCommand=id", port=0, reach="moon", private_key="no",
            renew=True,
        )  # fmt: skip
    assert {p.field for p in caught.value.problems} == {
        "user", "port", "reach", "private_key", "renew",
    }  # fmt: skip
    with pytest.raises(NotFound):
        yard.start(playbook="nonesuch")


def test_who_may_do_what(yard: Yard) -> None:
    run = yard.start()
    for refused in (
        lambda: yard.start(STRANGER),
        lambda: yard.runs.run(STRANGER, run.id),
        lambda: yard.runs.cancel(STRANGER, run.id),
        lambda: yard.runs.retry(STRANGER, run.id),
        lambda: yard.runs.servers(STRANGER, yard.deployment),
        lambda: yard.runs.access(STRANGER, yard.tenancy),
        lambda: yard.runs.set_access(STRANGER, yard.tenancy, user="x"),
        lambda: yard.runs.forget_host_key(STRANGER, yard.deployment, "server-1"),
    ):
        with pytest.raises(NotFound):
            refused()
    assert yard.runs.runs(STRANGER, PageRequest()).items == ()
    auditor = person("auditor")
    assert [r.id for r in yard.runs.runs(auditor, PageRequest()).items] == [run.id]
    with pytest.raises(Forbidden):
        yard.start(auditor)
    with pytest.raises(Forbidden):
        yard.runs.set_access(MEMBER, yard.tenancy, user="x")


def test_what_another_person_approves_waits_and_a_check_does_not(yard: Yard) -> None:
    assert yard.start(playbook="careful", check=True).state is RunState.RUNNING
    run = yard.start(BOSS, playbook="careful")
    assert run.state is RunState.WAITING
    with pytest.raises(Forbidden, match="does not approve it"):
        yard.runs.approve(BOSS, run.id, run.digest)
    with pytest.raises(Forbidden):
        yard.runs.approve(MEMBER, run.id, run.digest)
    with pytest.raises(NeedsApproval):
        yard.runs.approve(OPERATOR, run.id, "sha256:0")
    approved = yard.runs.approve(OPERATOR, run.id, run.digest)
    assert (approved.state, approved.approved_by) == (RunState.QUEUED, "per_operator")
    with pytest.raises(Conflict, match="nothing waits"):
        yard.runs.approve(OPERATOR, run.id, run.digest)


def test_what_is_run_is_what_was_asked_for(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    run = yard.start()
    yard.set(outputs={"server_ids": ["a", "z"], "server_addresses": ["192.0.2.1", "192.0.2.9"]})
    assert yard.work(run) == "playbook_failed"
    assert "the servers are others" in yard.now(run).why
    assert yard.runner.works == []
    yard.set(outputs={"server_ids": ["a"], "server_addresses": ["192.0.2.1"]})
    other = yard.start()
    changed = {n: replace(p, digest="sha256:other") for n, p in yard.content.all().items()}
    monkeypatch.setattr(yard.content, "all", lambda: changed)
    assert yard.work(other) == "playbook_failed"
    assert "the playbooks have changed" in yard.now(other).why


def test_a_simulated_region_has_no_servers(yard: Yard) -> None:
    with yard.world.database.transaction():
        yard.world.database.execute(region_table.update().values(simulated=True))
    with pytest.raises(Conflict, match="is simulated: its servers do not exist"):
        yard.start()
    assert yard.runs.runs(OPERATOR, PageRequest()).items == ()


def test_without_ansible_it_fails_and_says_so(yard: Yard) -> None:
    yard.runner.there = False
    run = yard.start()
    assert yard.work(run) == "playbook_failed"
    assert yard.now(run).why == "Ansible is not on PATH, and may not be installed"
    yard.runner.there = True
    again = yard.runs.retry(MEMBER, run.id)
    assert yard.work(again) == ""


def test_a_server_that_shows_another_key_is_refused_until_its_key_is_forgotten(yard: Yard) -> None:
    yard.work(yard.start())
    yard.servers.keys["192.0.2.1", 22] = "ssh-ed25519 another"
    run = yard.start(servers=("server-1",))
    yard.work(run)
    assert yard.states(run) == ["unreachable"]
    yard.runs.forget_host_key(BOSS, yard.deployment, "server-1")
    with pytest.raises(NotFound, match="no key of a server"):
        yard.runs.forget_host_key(BOSS, yard.deployment, "nobody")
    again = yard.runs.retry(MEMBER, run.id)
    assert yard.work(again) == ""
    known = {k.alias: k.line for k in yard.runs.servers(MEMBER, yard.deployment)[1]}
    assert known["a"] == "ssh-ed25519 another"
    # A server that was made anew has another id, so its key is learned.
    outputs: dict[str, Any] = {"server_ids": ["e"], "server_addresses": ["192.0.2.1"]}
    yard.set(outputs=outputs)
    yard.servers.keys["192.0.2.1", 22] = "ssh-ed25519 third"
    fresh = yard.start()
    assert yard.work(fresh) == ""


def test_the_way_in_is_made_once_renewed_and_may_be_ones_own(yard: Yard) -> None:
    before = yard.runs.access(MEMBER, yard.tenancy)
    assert before is not None
    changed = yard.runs.set_access(BOSS, yard.tenancy, user="ubuntu", port=2222)
    assert (changed.public_key, changed.user, changed.port) == (before.public_key, "ubuntu", 2222)
    renewed = yard.runs.set_access(BOSS, yard.tenancy, user="ubuntu", renew=True)
    assert renewed.public_key != before.public_key
    yard.set(outputs={})
    with pytest.raises(Conflict, match="has no servers"):
        yard.start()


def test_what_a_blueprint_names_runs_after_an_apply_once_and_in_order(yard: Yard) -> None:
    named = [{"name": "contract", "inputs": {"words": "first"}},
             {"name": "careful", "inputs": {"words": "second"}}]  # fmt: skip
    with yard.world.database.transaction():
        document = revision_table.c.document
        rows = yard.world.database.execute(revision_table.select()).all()
        for row in rows:
            yard.world.database.execute(
                revision_table.update()
                .where(revision_table.c.digest == row.digest)
                .values({document: {**row.document, "playbooks": named}})
            )
    begun = yard.runs.after_applies()
    assert begun == 1
    (first,) = yard.runs.runs(OPERATOR, PageRequest()).items
    assert first.cause.startswith("apply:")
    assert yard.runs.after_applies() == 0  # the second waits for the first
    yard.work(first)
    assert yard.runs.after_applies() == 1
    newest = yard.runs.runs(OPERATOR, PageRequest(), {"deployment_id": yard.deployment}).items[0]
    # What a blueprint names was reviewed with it: no approval of its own.
    assert (newest.playbook, newest.state) == ("careful", RunState.RUNNING)
    yard.work(newest)
    assert yard.runs.after_applies() == 0
    assert set(yard.servers.written.values()) == {"second"}


def test_what_cannot_run_after_an_apply_says_so_and_can_be_tried_again(yard: Yard) -> None:
    outputs = {"server_ids": ["a"], "server_addresses": ["192.0.2.1"]}
    yard.set(outputs={})
    with yard.world.database.transaction():
        for row in yard.world.database.execute(revision_table.select()).all():
            named = [{"name": "contract", "inputs": {"words": "first"}}]
            yard.world.database.execute(
                revision_table.update()
                .where(revision_table.c.digest == row.digest)
                .values(document={**row.document, "playbooks": named})
            )
    assert yard.runs.after_applies() == 1
    assert yard.runs.after_applies() == 0
    (run,) = yard.runs.runs(OPERATOR, PageRequest()).items
    assert (run.state, "has no servers" in run.why) == (RunState.FAILED, True)
    yard.set(outputs=outputs)
    again = yard.runs.retry(OPERATOR, run.id)
    assert yard.work(again) == ""
    assert set(yard.servers.written.values()) == {"first"}
