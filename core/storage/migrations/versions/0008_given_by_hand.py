"""orders that a till gave to a guest by hand, and may take back"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    with op.batch_alter_table("orders") as orders:
        orders.add_column(sa.Column("given_at", sa.BigInteger(), nullable=True))
        orders.add_column(sa.Column("taken_back", sa.Integer(), nullable=False, server_default="0"))
