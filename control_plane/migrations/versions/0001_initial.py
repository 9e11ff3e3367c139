"""The tables of the first release, as SQL: what ``draft.py`` wrote from the features' tables."""

from alembic import op

from control_plane.migrations.draft import draft

revision = "0001"
down_revision = None


def upgrade() -> None:
    # A cursor of the driver: SQLAlchemy would read percent signs of the text as parameters.
    op.get_bind().connection.cursor().execute(draft())
