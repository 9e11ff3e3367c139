"""The tables of licences, as ``draft`` wrote them."""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text("utf-8")
    # A cursor of the driver: SQLAlchemy would read percent signs of the text as parameters.
    op.get_bind().connection.cursor().execute(sql)
