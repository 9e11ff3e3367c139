"""What the parts of the store share."""

from typing import Any

import sqlalchemy as sa

from foundation.kernel.database import Database


class Rows:
    """A part of the store; every call joins the open transaction."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def _rows(self, sql: str, **parameters: Any) -> list[sa.Row[Any]]:  # noqa: ANN401
        return list(self._db.execute(sa.text(sql), parameters))
