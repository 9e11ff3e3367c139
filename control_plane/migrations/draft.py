"""The SQL of all tables as the features declare them.

``python -m control_plane.migrations.draft`` made ``0001_initial.sql``. Later migrations are written
by hand or with ``alembic revision --autogenerate`` and leave that file as it was released.
"""

import sys

from control_plane.migrations import SCHEMA

if __name__ == "__main__":
    sys.stdout.write(SCHEMA.draft())
