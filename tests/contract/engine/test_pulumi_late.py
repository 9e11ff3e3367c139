"""What a cloud makes after its asker went away, and after it was made again: none is left twice."""

import json

import pytest
import sqlalchemy as sa

from control_plane.provisioning.graph import ApplyState
from foundation.kernel.database import Database
from tests.contract.engine.worlds import PulumiWorld, why_no_pulumi

pytestmark = pytest.mark.skipif(bool(why_no_pulumi()), reason=why_no_pulumi())

BOTH = ["shop-0", "shop-1"]


def apply(world: PulumiWorld) -> None:
    result = world.engine.apply(world.run(), confirm=lambda _p: None)
    assert result.state is ApplyState.SUCCEEDED, result.error


def kinds(database: Database) -> list[str]:
    with database.transaction():
        return list(database.execute(sa.text("SELECT kind FROM pulumi_note")).scalars())


def come(world: PulumiWorld) -> None:
    """Have the cloud make what it was asked for first, at last."""
    made = next(t for t in world.things().values() if t["label"] == "shop-0")
    (world.cloud / "things" / "come-late.json").write_text(json.dumps(made))


def age(database: Database, seconds: int) -> None:
    with database.transaction():
        database.execute(
            sa.text("UPDATE pulumi_note SET noted_at = noted_at - make_interval(secs => :s)"),
            {"s": seconds},
        )


def test_what_comes_while_it_is_made_again_is_deleted_by_the_same_apply(
    pulumi_world: PulumiWorld,
) -> None:
    world = pulumi_world
    world.fault("thing-0", "create", "late")
    apply(world)
    assert world.labels() == BOTH
    assert world.engine.preview(world.run()).effective == ()
    assert world.engine.destroy(world.run()).state is ApplyState.SUCCEEDED
    assert world.labels() == []


@pytest.mark.parametrize("then", ["apply", "recover", "destroy"])
def test_what_comes_after_the_apply_is_deleted_by_a_later_one(
    pulumi_world: PulumiWorld, database: Database, then: str
) -> None:
    world = pulumi_world
    world.fault("thing-0", "create", "never")
    apply(world)
    assert world.labels() == BOTH
    assert kinds(database) == ["late"]
    (own,) = [f.stem for f, t in world.things().items() if t["label"] == "shop-0"]
    come(world)
    if then == "recover":
        world.engine.recover(world.run())
    if then in {"apply", "recover"}:
        apply(world)
        assert world.labels() == BOTH
        assert own in {f.stem for f in world.things()}
    assert world.engine.destroy(world.run()).state is ApplyState.SUCCEEDED
    assert world.labels() == []
    assert kinds(database) == []


def test_what_comes_before_it_is_asked_for_again_is_taken(
    pulumi_world: PulumiWorld, database: Database
) -> None:
    """The first try fails for good; what it had asked for comes before the second."""
    world = pulumi_world
    world.fault("thing-0", "create", "never", None)
    failed = world.engine.apply(world.run(), confirm=lambda _p: None)
    assert failed.state is ApplyState.FAILED
    assert kinds(database) == ["late"]
    world.heal()
    late = world.plant(world.run(), "thing-0")
    apply(world)
    assert world.labels() == BOTH
    assert late in {f.stem for f in world.things()}
    assert world.engine.preview(world.run()).effective == ()


def test_what_is_listed_and_cannot_be_read_yet_is_not_made_twice(
    pulumi_world: PulumiWorld,
) -> None:
    world = pulumi_world
    world.fault("thing-0", "create", "lost")
    world.fault("thing-0", "read", "hidden")
    apply(world)
    assert world.labels() == BOTH
    assert world.engine.preview(world.run()).effective == ()


def test_the_same_when_somebody_recovers(pulumi_world: PulumiWorld, database: Database) -> None:
    world = pulumi_world
    world.fault("thing-0", "create", "die", None)
    world.silent = True
    failed = world.engine.apply(world.run(), confirm=lambda _p: None)
    assert failed.state is ApplyState.FAILED
    world.silent = False
    world.heal()
    world.fault("thing-0", "read", "hidden")
    world.engine.recover(world.run())
    assert kinds(database) == ["late"]
    apply(world)
    assert world.labels() == BOTH
    assert world.engine.preview(world.run()).effective == ()


def test_it_is_looked_for_ten_minutes_and_once_more(
    pulumi_world: PulumiWorld, database: Database
) -> None:
    world = pulumi_world
    world.fault("thing-0", "create", "never")
    apply(world)
    age(database, 500)
    apply(world)
    assert kinds(database) == ["late"]
    age(database, 200)
    come(world)
    apply(world)
    assert world.labels() == BOTH
    assert kinds(database) == []
