"""What the surfaces themselves keep in the database: one small object, provided like a service."""

from dataclasses import dataclass

from foundation.kernel.database import Database
from foundation.kernel.secretbox import SecretBox
from foundation.kernel.time import Clock


@dataclass(frozen=True, slots=True)
class Runtime:
    """The database, clock and key ring of this process, for the mechanics of the surfaces."""

    database: Database
    clock: Clock
    secrets: SecretBox
