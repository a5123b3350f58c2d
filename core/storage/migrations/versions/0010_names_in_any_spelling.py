"""names are found in any script and spelling: by a key that is kept beside them"""

import sqlalchemy as sa
from alembic import op

from core.domain.spelling import name_key

revision = "0010"
down_revision = "0009"

guest = sa.table("guest", sa.column("id"), sa.column("name"), sa.column("name_key"))


def upgrade() -> None:
    op.add_column("guest", sa.Column("name_key", sa.String(), nullable=False, server_default=""))
    named = op.get_bind().execute(sa.select(guest.c.id, guest.c.name).where(guest.c.name != ""))
    keys = [{"guest": row.id, "key": name_key(row.name)} for row in named]
    if keys:
        mine = sa.update(guest).where(guest.c.id == sa.bindparam("guest"))
        op.get_bind().execute(mine.values(name_key=sa.bindparam("key")), keys)
