"""Borough Video for tests: its own database on the tests' server, and people who may do things."""

import contextlib

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from tests.harness.product import product_database
from workloads.video_analytics.migrations import SCHEMA
from workloads.video_analytics.vision.model import RuleKind
from workloads.video_analytics.vision.parameters import PARAMETERS, schema, seconds

# Permits are about sites: a stand-in of the detector's own parameters, as long as there are none.
PARAMETERS.setdefault(
    RuleKind.CONSTRUCTION,
    schema("Construction", "施工", {"seconds": seconds("At work for", "持续", 60)}, points="field"),
)


def video_database(postgres: EmbeddedPostgres) -> contextlib.AbstractContextManager[str]:
    """The URL of a fresh database with the video schema, until the end of the block."""
    return product_database(postgres, SCHEMA, "borough_video")


def person(role: str, path: str = "/") -> Actor:
    """Somebody with one role of Borough Video."""
    grant = Grant(f"video_{role}", path)
    return Actor(PrincipalId(f"per_{role}"), role, ActorKind.PERSON, (grant,))
