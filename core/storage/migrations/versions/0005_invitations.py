"""invitations: codes, who came by them, and what a programme gives for it"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = sa.text("rewarded_at IS NULL")


def upgrade() -> None:
    for side in ("inviter_points", "friend_points"):
        op.add_column(
            "programme", sa.Column(side, sa.BigInteger(), nullable=False, server_default="100")
        )
    op.add_column(
        "guest", sa.Column("invited", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_table(
        "invitation",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("guest_id", BIG_ID, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["guest_id"], ["guest.id"]),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index("ix_invitation_guest_id", "invitation", ["guest_id"])
    op.create_table(
        "referral",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("inviter_id", BIG_ID, nullable=False),
        sa.Column("friend_id", BIG_ID, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("programme_id", BIG_ID, nullable=True),
        sa.Column("order_row", BIG_ID, nullable=True),
        sa.Column("inviter_points", sa.BigInteger(), nullable=False),
        sa.Column("friend_points", sa.BigInteger(), nullable=False),
        sa.Column("rewarded_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["inviter_id"], ["guest.id"]),
        sa.ForeignKeyConstraint(["friend_id"], ["guest.id"]),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"]),
        sa.ForeignKeyConstraint(["order_row"], ["orders.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_referral_inviter_id", "referral", ["inviter_id"])
    op.create_index("ix_referral_friend", "referral", ["friend_id"])
    op.create_index("ix_referral_order_row", "referral", ["order_row"])
    op.create_index(
        "uq_referral_open",
        "referral",
        ["friend_id"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
