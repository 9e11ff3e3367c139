"""What a camera costs each worker, and how many it can carry."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # Workers of the release before write neither: 0 is not measured yet.
    for name, kind in (("cost", sa.Double), ("carries", sa.Integer)):
        op.add_column(
            "video_worker", sa.Column(name, kind, nullable=False, server_default=sa.text("0"))
        )
