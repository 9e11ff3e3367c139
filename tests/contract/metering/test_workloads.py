"""What a workload may tell the platform that runs it: its own use, and nothing else."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from control_plane.bootstrap.workloads import PlatformAuthenticator
from control_plane.provisioning.derived import TOKEN, derive
from foundation.access import policy
from foundation.kernel.actor import Actor, ActorKind
from foundation.kernel.errors import Unauthenticated
from foundation.surface.auth import Identity
from tests.fakes.money import HEALTH, City, event

SEED = "a-seed-that-is-long-enough-for-everybody"


class Deployment:
    id = "dep_1"
    name = "cameras"
    path = f"{HEALTH}clinics/"


class Provisioning:
    """Knows one deployment by its key."""

    def bearer(self, deployment_id: str, key: str) -> Deployment | None:
        known = deployment_id == Deployment.id and key == derive(SEED, "platform")
        return Deployment() if known else None


class Access:
    """Knows one token and no session."""

    def by_token(self, secret: str) -> Identity:
        if secret != "a-token":
            raise Unauthenticated("the token is not valid")
        return Identity(Actor.system("tests"))

    def by_session(self, secret: str) -> None:
        del secret

    def may_somewhere(self, actor: Actor, action: str) -> bool:
        return policy.may_somewhere(actor, action)


@pytest.fixture
def door() -> PlatformAuthenticator:
    return PlatformAuthenticator(Access(), Provisioning())  # type: ignore[arg-type] # fakes


@pytest.fixture
def workload(door: PlatformAuthenticator) -> Actor:
    return door.by_token(f"{TOKEN}dep_1.{derive(SEED, 'platform')}").actor


def told(city: City, actor: Actor, *events: Any) -> list[str]:
    return [result.outcome.value for result in city.metering.ingest(actor, list(events))]


def test_it_is_let_in_by_its_key_alone(door: PlatformAuthenticator, workload: Actor) -> None:
    assert (workload.id, workload.kind) == ("dep_1", ActorKind.WORKLOAD)
    key = derive(SEED, "platform")
    for wrong in (
        f"dep_1.{key}x",
        f"dep_2.{key}",
        f"dep_1.{derive(SEED, 'keys')}",
        "dep_1.",
        "",
        ".",
    ):
        with pytest.raises(Unauthenticated):
            door.by_token(TOKEN + wrong)
    assert door.by_token("a-token").actor.kind is ActorKind.SYSTEM


def test_it_may_push_usage_and_nothing_else(door: PlatformAuthenticator, workload: Actor) -> None:
    actions = policy.table_of("control_plane").all_actions()
    assert {a for a in actions if door.may_somewhere(workload, a)} == {"usage.push"}


def test_it_meters_itself_and_no_other_service_of_its_department(
    city: City, workload: Actor
) -> None:
    known = city.directory.known
    known["res_vm"] = replace(known["res_vm"], physical_id="dep_1")
    neighbour = replace(known["res_vm"], id="res_next", physical_id="dep_2")
    known["res_next"] = neighbour
    assert told(city, workload, event(1, 2, resource="dep_1")) == ["accepted"]
    assert told(city, workload, event(2, 2, resource="dep_2")) == ["quarantined"]
    assert told(city, workload, event(3, 2, resource="res_other")) == ["quarantined"]


def test_programs_derive_what_the_platform_derives(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of a blueprint, run for itself: nothing of it is the platform's."""
    folder = Path(__file__).parents[3] / "blueprints" / "video-analytics"
    monkeypatch.syspath_prepend(str(folder))
    sys.modules.pop("platform_context", None)
    from platform_context import Context  # noqa: PLC0415 - of that folder

    class Credentials:
        def apply(self, function: Any) -> Any:
            return function({"seed": SEED})

    context = Context.__new__(Context)
    context._credentials = Credentials()  # noqa: SLF001 - without Pulumi's configuration
    assert context.derive("platform") == derive(SEED, "platform")
    sys.modules.pop("platform_context", None)
