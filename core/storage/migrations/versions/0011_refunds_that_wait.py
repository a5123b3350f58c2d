"""refunds are looked up by their order only while they wait for it"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    waits = sa.text("order_row IS NULL")
    op.create_index(
        "ix_refund_parked",
        "refund",
        ["cafe_id", "source", "order_id"],
        sqlite_where=waits,
        postgresql_where=waits,
    )
    op.drop_index("ix_refund_order", "refund")
