"""The engine remembers what a cloud may still make of a request whose answer was lost."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_NOTE = "pulumi_note"


def upgrade() -> None:
    op.add_column(
        _NOTE,
        sa.Column(
            "noted_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
        ),
    )
    op.drop_constraint("pk_pulumi_note", _NOTE, type_="primary")
    op.create_primary_key("pk_pulumi_note", _NOTE, ["deployment", "urn", "kind"])
    op.drop_constraint(op.f("ck_pulumi_note_kind"), _NOTE, type_="check")
    op.create_check_constraint(
        op.f("ck_pulumi_note_kind"), _NOTE, "kind IN ('made', 'wrecked', 'late')"
    )
