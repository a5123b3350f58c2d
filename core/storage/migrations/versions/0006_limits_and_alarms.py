"""limits of employees, counted from the log, and the alarm when one feeds a card"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BY_HAND = sa.text("staff_id IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "alarm",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("staff_id", BIG_ID, nullable=False),
        sa.Column("guest_id", BIG_ID, nullable=False),
        sa.Column("programme_id", BIG_ID, nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("raised_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.Column("seen_by", BIG_ID, nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"]),
        sa.ForeignKeyConstraint(["guest_id"], ["guest.id"]),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"]),
        sa.ForeignKeyConstraint(["seen_by"], ["staff.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_alarm_staff_id", "alarm", ["staff_id"])
    op.create_index("ix_alarm_guest_id", "alarm", ["guest_id"])
    op.create_index(
        "ix_orders_staff",
        "orders",
        ["staff_id", "received_at"],
        sqlite_where=BY_HAND,
        postgresql_where=BY_HAND,
    )
    op.drop_index("ix_event_log_staff_id", "event_log")
    op.create_index("ix_event_log_staff", "event_log", ["staff_id", "at"])
