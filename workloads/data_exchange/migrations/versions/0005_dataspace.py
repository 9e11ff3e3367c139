"""Other connectors, and what is negotiated with them by the Dataspace Protocol."""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text("utf-8")
    # A cursor of the driver: SQLAlchemy would read percent signs of the text as parameters.
    op.get_bind().connection.cursor().execute(sql)
