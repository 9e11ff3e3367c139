"""Metering in PostgreSQL.

Events and records are only ever added. A *series* is what the records of one resource's meter have
in common; records carry its number, so that they stay narrow and are joined by integers. Records
are partitioned by month of their hour; a month's partition is made when its first record arrives.
"""

from control_plane.metering.store.postgres import PostgresMetering

__all__ = ["PostgresMetering"]
