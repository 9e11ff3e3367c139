"""Notes of what a cloud may hold and the state does not say, until the cloud answers again.

Pulumi forgets a creation that failed, and an import of a state drops pending operations, so these
notes are rows of our own.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.adapters.pulumi.tables import NOTE
from foundation.kernel.database import Database
from foundation.kernel.secretbox import SecretBox


class Kind(StrEnum):
    """What a note is about."""

    MADE = "made"
    """It failed to be made as far as the engine knows, and may be there."""
    WRECKED = "wrecked"
    """It is there, failed on the way, and is to be deleted before it is made again."""
    LATE = "late"
    """It was asked for and was not there when it was looked for: it may yet be made."""


@dataclass(frozen=True, slots=True)
class Note:
    """One note: a resource in the form of an exported state, with its secrets in clear.

    Attributes:
        seconds: How old the note is.
    """

    kind: Kind
    resource: Mapping[str, Any]
    seconds: float = 0.0


class Notes:
    """The notes of one deployment.

    Args:
        database: The platform's.
        key: From which the key is made that seals them.
        deployment: Whose they are.
    """

    def __init__(self, database: Database, key: bytes, deployment: str) -> None:
        self._database = database
        self._box = SecretBox([hashlib.sha256(b"pulumi notes:" + key).digest()])
        self._deployment = deployment

    def read(self) -> list[Note]:
        """Return them, by URN."""
        age = sa.func.extract("epoch", sa.func.now() - NOTE.c.noted_at).label("age")
        query = (
            sa.select(NOTE, age)
            .where(NOTE.c.deployment == self._deployment)
            .order_by(NOTE.c.urn, NOTE.c.kind)
        )
        with self._database.transaction():
            rows = self._database.execute(query).all()
        return [
            Note(
                Kind(row.kind),
                json.loads(self._box.open(row.sealed, self._context(row.urn))),
                float(row.age),
            )
            for row in rows
        ]

    def add(self, kind: Kind, resources: Iterable[Mapping[str, Any]]) -> None:
        """Keep notes; a newer one takes the place of an older one of its kind."""
        with self._database.transaction():
            for resource in resources:
                urn = str(resource["urn"])
                sealed = self._box.seal(json.dumps(resource).encode(), self._context(urn))
                key = {"deployment": self._deployment, "urn": urn, "kind": kind.value}
                insert = postgresql.insert(NOTE).values(**key, sealed=sealed)
                self._database.execute(
                    insert.on_conflict_do_update(
                        index_elements=list(key),
                        set_={"sealed": sealed, "noted_at": sa.func.now()},
                    )
                )

    def clear(self, *kinds: Kind) -> None:
        """Forget those of these kinds: they were seen to."""
        self._forget(NOTE.c.kind.in_([kind.value for kind in kinds]))

    def forget_late(self, urns: Iterable[str]) -> None:
        """Forget what is not looked for any longer."""
        self._forget(NOTE.c.kind == Kind.LATE.value, NOTE.c.urn.in_(list(urns)))

    def _forget(self, *which: sa.ColumnElement[bool]) -> None:
        with self._database.transaction():
            self._database.execute(
                sa.delete(NOTE).where(NOTE.c.deployment == self._deployment, *which)
            )

    def _context(self, urn: str) -> str:
        return f"pulumi_note:{self._deployment}:{urn}"
