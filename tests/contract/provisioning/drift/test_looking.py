"""What a look finds, keeps and forgets."""

import threading
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from control_plane.provisioning.drift.model import Finding, LookOutcome
from control_plane.provisioning.drift.service import Unseen
from control_plane.provisioning.graph import DriftKind
from control_plane.provisioning.model import Deployment
from control_plane.provisioning.ports import EngineError, StackBusyError
from foundation.kernel.errors import Conflict, Invalid, NotFound
from foundation.kernel.paging import PageRequest
from tests.contract.provisioning.conftest import PLATFORM, SMALL, World, person
from tests.contract.provisioning.drift.conftest import City


def short(finding: Finding) -> tuple[str, str, Any, Any, str]:
    return (finding.name, finding.attribute, finding.wanted, finding.found, finding.state.value)


def test_what_nobody_touched_is_clean(city: City, web: Deployment) -> None:
    assert city.check(web) == "clean"
    watched, findings = city.drift.of_deployment(PLATFORM, web.id)
    assert findings == ()
    assert watched is not None
    assert watched.checked_at == city.world.clock.now()
    assert watched.outcome is LookOutcome.CLEAN
    assert [e["action"] for e in city.world.audit.entries if e["subject"] == web.id] == [
        "drift.check"
    ]


def test_each_property_is_found_with_what_was_wanted(city: City, web: Deployment) -> None:
    city.tamper(web, "server-1", "flavorId", "2")
    city.tamper(web, "server-1", "metadata.colour", "green")
    city.tamper(web, "web-http", "remoteIpPrefix", "0.0.0.0/0")
    city.tamper(web, "data", "size", 40)
    city.remove(web, "member-2")
    assert city.check(web) == "drifted"
    assert sorted(map(short, city.standing(web))) == [
        ("data", "size", 20, 40, "open"),
        ("member-2", "", None, None, "open"),
        ("server-1", "flavorId", "1", "2", "open"),
        ("server-1", "metadata.colour", None, "green", "open"),
        ("web-http", "remoteIpPrefix", "10.0.0.0/8", "0.0.0.0/0", "open"),
    ]
    kinds = {f.name: f.kind for f in city.standing(web)}
    assert kinds["member-2"] is DriftKind.MISSING
    (summary,) = city.drift.summary(PLATFORM)
    assert summary.counts == {"open": {"changed": 4, "missing": 1}}
    assert (summary.watched, summary.unseen) == (1, 0)


def test_on_kubernetes_too(city: City, app: Deployment) -> None:
    city.tamper(app, "application", "spec.replicas", 5)
    city.tamper(app, "application", 'metadata.labels["app.kubernetes.io/name"]', "other")
    city.tamper(app, "application", "status.readyReplicas", 1)
    city.tamper(app, "reach", "spec.ingress[0].ports[0].port", 22)
    assert city.check(app) == "drifted"
    assert sorted((f.name, f.attribute, f.wanted, f.found) for f in city.standing(app)) == [
        ("application", 'metadata.labels["app.kubernetes.io/name"]', app.name, "other"),
        ("application", "spec.replicas", 2, 5),
        ("reach", "spec.ingress[0].ports[0].port", 8080, 22),
    ]


def test_a_tenancys_own_quota_can_drift(city: City, web: Deployment) -> None:
    assert web.tenancy_id
    with city.world.database.transaction():
        landing = city.world.store.landing(web.tenancy_id, web.region_id)
    assert landing is not None
    city.tamper(landing, "quota", 'spec.hard["pods"]', "999")
    assert city.check(landing) == "drifted"
    (found,) = city.standing(landing)
    assert (found.wanted, found.found) == ("50", "999")


def test_it_is_the_same_finding_until_it_goes_back_by_itself(city: City, web: Deployment) -> None:
    city.tamper(web, "data", "size", 40)
    city.check(web)
    (first,) = city.standing(web)
    city.world.clock.advance(hours=1)  # type: ignore[attr-defined]
    city.check(web)
    (again,) = city.standing(web)
    assert (again.id, again.first_seen) == (first.id, first.first_seen)
    assert again.last_seen == city.world.clock.now()
    city.tamper(web, "data", "size", 20)
    assert city.check(web) == "clean"
    (gone,) = city.every(web, "gone")
    assert gone.id == first.id
    assert gone.closed_at == city.world.clock.now()
    assert [t.state.value for t in gone.history] == ["open", "gone"]


def test_secrets_are_masked_and_another_secret_is_seen(city: City, web: Deployment) -> None:
    city.tamper(web, "server-1", "metadata.admin_password", "hunter2")
    city.check(web)
    (first,) = city.standing(web)
    city.tamper(web, "server-1", "metadata.admin_password", "hunter3")
    city.check(web)
    (second,) = city.standing(web)
    assert set(first.found) == {"$secret"}  # type: ignore[arg-type]
    assert first.found != second.found
    with city.world.database.transaction():
        kept = city.world.database.execute(
            sa.text("SELECT string_agg(f::text, '') FROM provisioning_drift_finding f")
        ).scalar_one()
    assert "hunter" not in kept


# Ignored -----------------------------------------------------------------------------------------


def test_what_is_ignored_is_open_again_after_its_date(city: City, web: Deployment) -> None:
    city.tamper(web, "data", "size", 40)
    city.check(web)
    (found,) = city.standing(web)
    now = city.world.clock.now()
    ignored = city.drift.ignore(
        PLATFORM, found.id, until=now + timedelta(days=2), reason="until the move"
    )
    assert ignored.by == PLATFORM.name
    city.check(web)
    assert [f.state.value for f in city.standing(web)] == ["ignored"]
    city.world.clock.advance(days=2)  # type: ignore[attr-defined]
    city.check(web)
    (back,) = city.standing(web)
    assert [t.state.value for t in back.history] == ["open", "ignored", "open"]
    assert [e["action"] for e in city.world.audit.entries if e["subject"] == found.id] == [
        "drift.ignore"
    ]


def test_another_change_is_not_what_was_ignored(city: City, web: Deployment) -> None:
    city.tamper(web, "data", "size", 40)
    city.check(web)
    (found,) = city.standing(web)
    until = city.world.clock.now() + timedelta(days=2)
    city.drift.ignore(PLATFORM, found.id, until=until, reason="known")
    city.tamper(web, "data", "size", 50)
    city.check(web)
    (other,) = city.standing(web)
    assert (other.state.value, other.found) == ("open", 50)
    assert other.id != found.id


def test_ignoring_says_all_that_is_wrong_at_once(city: City, web: Deployment) -> None:
    city.tamper(web, "data", "size", 40)
    city.check(web)
    (found,) = city.standing(web)
    past = city.world.clock.now() - timedelta(days=1)
    with pytest.raises(Invalid) as refused:
        city.drift.ignore(PLATFORM, found.id, until=past, reason=" ")
    assert {p.field for p in refused.value.problems} == {"until", "reason"}
    with pytest.raises(Invalid, match="within a year"):
        city.drift.ignore(PLATFORM, found.id, until=past + timedelta(days=400), reason="long")


# Who may ------------------------------------------------------------------------------------------


def test_others_do_not_learn_of_it(city: City, web: Deployment) -> None:
    city.tamper(web, "data", "size", 40)
    city.check(web)
    (found,) = city.standing(web)
    water = person("member", "/city/water/")
    assert city.drift.findings(water, PageRequest()).items == ()
    assert city.drift.summary(water) == []
    until = city.world.clock.now() + timedelta(days=1)
    for ask in (
        lambda: city.drift.finding(water, found.id),
        lambda: city.drift.of_deployment(water, web.id),
        lambda: city.drift.request_check(water, web.id),
        lambda: city.drift.request_repair(water, web.id),
        lambda: city.drift.request_adopt(water, web.id, reason="x"),
        lambda: city.drift.ignore(water, found.id, until=until, reason="x"),
    ):
        with pytest.raises(NotFound):
            ask()


# What cannot be looked at ------------------------------------------------------------------------


class Broken:
    """An engine whose region does not answer."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.asked = 0

    def refresh(self, *_: Any, **__: Any) -> Any:
        self.asked += 1
        raise self.error


def breaking(world: World, monkeypatch: pytest.MonkeyPatch, error: Exception) -> Broken:
    broken = Broken(error)
    monkeypatch.setattr(world.engine, "refresh", broken.refresh)
    return broken


def test_a_region_that_does_not_answer_is_noted(
    city: City, web: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    city.tamper(web, "data", "size", 40)
    city.check(web)
    seen = city.world.clock.now()
    city.world.clock.advance(hours=1)  # type: ignore[attr-defined]
    breaking(city.world, monkeypatch, EngineError("no route to host"))
    for _ in "12":
        with pytest.raises(Unseen, match="no route to host"):
            city.check(web)
    watched, standing = city.drift.of_deployment(PLATFORM, web.id)
    assert watched is not None
    assert (watched.outcome, watched.error) == (LookOutcome.UNSEEN, "no route to host")
    assert watched.checked_at == seen  # as of then
    assert [f.state.value for f in standing] == ["open"]
    (summary,) = city.drift.summary(PLATFORM)
    assert (summary.unseen, summary.oldest) == (1, seen)
    assert summary.sight.unseen_since == city.world.clock.now()
    assert summary.sight.retry_at is not None
    monkeypatch.undo()
    city.check(web)
    (summary,) = city.drift.summary(PLATFORM)
    assert (summary.unseen, summary.sight.unseen_since) == (0, None)


def test_what_an_operation_works_on_is_left_alone(
    city: City, web: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking(city.world, monkeypatch, StackBusyError("busy"))
    assert city.drift.look(web.id) is LookOutcome.BUSY
    with city.world.database.transaction():
        city.world.database.execute(sa.text("UPDATE provisioning_deployment SET operation = 'op'"))
    with pytest.raises(Conflict, match="works on the deployment"):
        city.drift.request_check(PLATFORM, web.id)
    assert city.drift.look(web.id) is LookOutcome.BUSY


def test_a_killed_look_is_cleared_by_the_next(
    city: City, web: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    breaking(city.world, monkeypatch, Killed())  # type: ignore[arg-type]
    with pytest.raises(Killed):
        city.drift.look(web.id)
    monkeypatch.undo()
    recovered: list[str] = []
    real = city.world.engine.recover

    def recover(run: Any, **how: Any) -> None:
        recovered.append(run.stack.stack)
        real(run, **how)

    monkeypatch.setattr(city.world.engine, "recover", recover)
    assert city.drift.look(web.id) is LookOutcome.CLEAN
    assert city.drift.look(web.id) is LookOutcome.CLEAN
    assert recovered == [web.id]


# Looks and operations beside each other ----------------------------------------------------------


def test_an_order_waits_for_a_look(city: City, web: Deployment) -> None:
    holding, free = threading.Event(), threading.Event()

    def look() -> None:
        with city.world.engine._locks.hold(web.id):  # noqa: SLF001 - as a look does
            holding.set()
            free.wait(10)

    thread = threading.Thread(target=look)
    thread.start()
    assert holding.wait(10)
    threading.Timer(0.3, free.set).start()
    plan = city.world.service.plan_deployment(PLATFORM, web.id, inputs={**SMALL, "volume_gb": 30})
    assert free.is_set()
    thread.join()
    assert city.world.apply(plan).inputs["volume_gb"] == 30


def test_an_apply_clears_what_a_killed_look_left(
    city: City, web: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = city.world.service.plan_deployment(PLATFORM, web.id, inputs={**SMALL, "volume_gb": 30})
    engine, locked = city.world.engine, [True]
    apply, recover = engine.apply, engine.recover

    def locked_apply(*args: Any, **how: Any) -> Any:
        if locked[0]:
            raise StackBusyError("the stack is locked by an operation that was cut off")
        return apply(*args, **how)

    def unlock(*args: Any, **how: Any) -> None:
        locked[0] = False
        recover(*args, **how)

    monkeypatch.setattr(engine, "apply", locked_apply)
    monkeypatch.setattr(engine, "recover", unlock)
    monkeypatch.setattr("control_plane.provisioning.service.core._LOOK_SECONDS", 0.1)
    assert city.world.apply(plan).inputs["volume_gb"] == 30
