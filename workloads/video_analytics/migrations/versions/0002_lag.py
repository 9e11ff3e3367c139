"""How far each worker is behind."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # Workers of the release before do not write it.
    op.add_column(
        "video_worker", sa.Column("lag", sa.Double, nullable=False, server_default=sa.text("0"))
    )
