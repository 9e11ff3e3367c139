"""The days of receipts that have left the database, and the dropping of their partitions."""

from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa

from foundation.kernel.database import Database
from workloads.data_exchange.receipts.archiving import Archived
from workloads.data_exchange.receipts.store import archive_table, leaf_table
from workloads.data_exchange.receipts.tree import GROUP

_A = archive_table.c
#: Where a checkpoint ended in the middle of a group, later proofs of growth need its leaves.
_LEAVES = sa.text(f"""
    INSERT INTO {leaf_table.name} (log, number, hashes)
    SELECT r.log, (r.number - 1) / {GROUP}, string_agg(r.hash, '' ORDER BY r.number)
    FROM exchange_receipt r
    JOIN (SELECT DISTINCT log, size / {GROUP} AS number FROM exchange_checkpoint_head
        WHERE log LIKE :logs AND size % {GROUP} <> 0) cut
        ON cut.log = r.log AND cut.number = (r.number - 1) / {GROUP}
    WHERE r.day = :day
    GROUP BY r.log, (r.number - 1) / {GROUP}
""")  # noqa: S608 - of our own numbers and names
_FINISHED = sa.text("""
    SELECT to_date(left(log, 8), 'YYYYMMDD') AS day FROM exchange_receipt_log
    WHERE log < :before GROUP BY left(log, 8) HAVING bool_and(closed)
    EXCEPT SELECT day FROM exchange_receipt_archive ORDER BY 1
""")
_YEAR = 366


class PostgresArchive:
    """Days that leave the database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def finished_days(self, before: date) -> Sequence[date]:
        """Days before one, all of whose logs are closed and whose receipts are there, in order."""
        return [row.day for row in self._db.execute(_FINISHED, {"before": f"{before:%Y%m%d}"})]

    def receipts_of(self, day: date) -> int:
        """How many receipts a day has."""
        query = sa.text("SELECT count(*) FROM exchange_receipt WHERE day = :day")
        return int(self._db.execute(query, {"day": day}).scalar() or 0)

    def drop_day(self, archived: Archived) -> bool:
        """Write down that a day has left, keep what later proofs need, and drop it."""
        day, name = archived.day, f"exchange_receipt_{archived.day:%Y%m%d}"
        if not self._db.execute(sa.text("SELECT to_regclass(:n)"), {"n": name}).scalar():
            return False
        self._db.execute(_LEAVES, {"day": day, "logs": f"{day:%Y%m%d}-%"})
        self._db.execute(
            archive_table.insert().values(
                day=day, file=archived.file, sha256=archived.sha256, receipts=archived.receipts,
                size=archived.size, at=archived.at,
            )
        )  # fmt: skip
        # Writers of today wait for it: it takes milliseconds, or is tried again another time.
        self._db.execute(sa.text("SET LOCAL lock_timeout = '5s'"))
        self._db.execute(sa.text(f"DROP TABLE {name}"))
        return True

    def archived(self) -> Sequence[Archived]:
        """The days that have left, the latest first; as many as a year has."""
        rows = self._db.execute(sa.select(archive_table).order_by(_A.day.desc()).limit(_YEAR))
        return [Archived(r.day, r.file, r.sha256, r.receipts, r.size, r.at) for r in rows]
