"""one guest on several messengers: one-time codes that connect them, and where a guest is told"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("guest", sa.Column("told_on", sa.String(), nullable=True))
    op.create_table(
        "one_time_code",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("guest_id", BIG_ID, nullable=False),
        sa.Column("contact_id", BIG_ID, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["guest_id"], ["guest.id"]),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"]),
        sa.PrimaryKeyConstraint("code_hash"),
    )
    op.create_index("ix_one_time_code_guest_id", "one_time_code", ["guest_id"])
