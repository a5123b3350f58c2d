"""a messenger's window: when the provider said that it is closed, and what waits for it"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("contact", sa.Column("closed_at", sa.BigInteger(), nullable=True))
    op.add_column("early_receipt", sa.Column("consequence", sa.String(), nullable=True))
    op.create_index(
        "ix_message_waiting",
        "message",
        ["contact_id"],
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    )
