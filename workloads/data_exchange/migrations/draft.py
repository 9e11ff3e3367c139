"""The SQL of all tables as the features declare them.

``python -m workloads.data_exchange.migrations.draft > …/versions/0001_initial.sql`` until the
first release; later changes are migrations of their own.
"""

import sys

from workloads.data_exchange.migrations import SCHEMA

if __name__ == "__main__":
    sys.stdout.write(SCHEMA.draft())
