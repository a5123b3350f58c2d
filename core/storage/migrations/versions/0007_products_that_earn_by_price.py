"""products that earn by their price: no points of their own"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    with op.batch_alter_table("product") as product:
        product.alter_column("points", existing_type=sa.BigInteger(), nullable=True)
