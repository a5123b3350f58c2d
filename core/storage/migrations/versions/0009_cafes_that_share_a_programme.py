"""a programme whose last cafe went to another one is merged into that, and its accounts too"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for table in ("programme", "account"):
        op.add_column(
            table,
            sa.Column("merged_into", BIG_ID, sa.ForeignKey("programme.id"), nullable=True),
            inline_references=True,
        )
