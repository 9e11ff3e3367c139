"""The lanes that look at the whole city: what is due, who takes it, what a dead region costs."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from control_plane.provisioning.drift import jobs
from control_plane.provisioning.model import Deployment
from control_plane.provisioning.ports import EngineError
from tests.contract.provisioning.conftest import PLATFORM, person
from tests.contract.provisioning.drift.conftest import City

ALL = 3  # the tenancy's own deployment, and two applications in it


class Killed(BaseException):
    """The process is gone."""


def lane(city: City, name: str = "lane-1") -> int:
    return jobs.run_lane(city.drift, name)


def due(city: City) -> None:
    city.drift.tidy()
    city.world.clock.advance(hours=2)  # type: ignore[attr-defined]


def looks(city: City, monkeypatch: pytest.MonkeyPatch, answer: Any = None) -> list[str]:
    """Note each look; ``answer`` may raise."""
    asked: list[str] = []
    real = city.world.engine.refresh

    def refresh(run: Any, **how: Any) -> Any:
        asked.append(run.stack.stack)
        if answer is not None:
            answer(len(asked))
        return real(run, **how)

    monkeypatch.setattr(city.world.engine, "refresh", refresh)
    return asked


def test_everything_is_looked_at_once_in_its_time(
    city: City, app: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = looks(city, monkeypatch)
    city.tamper(app, "application", "spec.replicas", 5)
    assert lane(city) == 0  # the first looks are spread over the hour
    due(city)
    now = city.world.clock.now()
    assert lane(city) == ALL
    assert len(set(asked)) == ALL
    assert [f.found for f in city.standing(app)] == [5]
    assert lane(city) == 0
    with city.world.database.transaction():
        rows = city.world.database.execute(
            sa.text("SELECT next_at, outcome, lane FROM provisioning_drift_watch")
        ).all()
    assert sorted(row.outcome for row in rows) == ["clean", "clean", "drifted"]
    assert {row.lane for row in rows} == {""}
    spread = [row.next_at - now for row in rows]
    assert all(timedelta(minutes=50) <= each <= timedelta(minutes=70) for each in spread)
    assert len(set(spread)) == ALL
    # Somebody wants to know sooner.
    assert city.drift.request_checks(person("operator", "/city/water/")) == 0
    assert city.drift.request_checks(PLATFORM) == ALL
    assert lane(city) == ALL


def test_a_killed_lane_goes_on_where_it_was(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(number: int) -> None:
        if number == 2:
            raise Killed

    asked = looks(city, monkeypatch, answer)
    due(city)
    with pytest.raises(Killed):
        lane(city)
    assert lane(city, "lane-2") == 0  # the other lane leaves alone what is taken
    assert lane(city) == ALL - 1
    assert len(set(asked)) == ALL
    assert len(asked) == ALL + 1


def test_so_many_lanes_look_at_one_region(city: City) -> None:
    due(city)
    taken = [city.drift.claim(f"lane-{n}", batch=1, lanes=2, seconds=60) for n in range(1, 4)]
    assert [len(each) for each in taken] == [1, 1, 0]
    assert taken[0] != taken[1]
    city.drift.free("lane-1")
    assert city.drift.claim("lane-3", batch=1, lanes=2, seconds=60) == taken[0]


def test_a_dead_region_is_left_alone(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = [True]

    def answer(_: int) -> None:
        if dead[0]:
            raise EngineError("no route to host")

    asked = looks(city, monkeypatch, answer)
    due(city)
    for _ in range(5):
        lane(city)
    assert len(asked) == 2  # the second says that it is the region
    (summary,) = city.drift.summary(PLATFORM)
    assert summary.sight.unseen_since == city.world.clock.now()
    assert summary.sight.error == "no route to host"
    city.world.clock.advance(minutes=10)  # type: ignore[attr-defined]
    lane(city)
    lane(city)
    assert len(asked) == 3  # one asks whether it is back
    dead[0] = False
    city.world.clock.advance(hours=2)  # type: ignore[attr-defined]
    assert lane(city) == ALL
    (summary,) = city.drift.summary(PLATFORM)
    assert (summary.sight.unseen_since, summary.unseen) == (None, 0)


def test_a_defect_does_not_stop_a_lane(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(number: int) -> None:
        if number == 1:
            raise ValueError("a defect")

    asked = looks(city, monkeypatch, answer)
    due(city)
    lane(city)
    lane(city)
    assert len(set(asked)) == ALL
    (summary,) = city.drift.summary(PLATFORM)
    assert (summary.unseen, summary.sight.unseen_since) == (1, None)


def test_what_is_gone_is_looked_at_no_more(city: City, web: Deployment) -> None:
    due(city)
    city.world.service.destroy(web.id, operation="op_end")
    assert lane(city) == ALL - 1
    watched, _ = city.drift.of_deployment(PLATFORM, web.id)
    assert watched is None
