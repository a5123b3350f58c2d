"""the counter: rewards and bonus rules, redemptions, lots that expire, staff at tills and portal"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = sa.text("status IN ('awaiting_guest', 'held')")


def upgrade() -> None:
    _catalogue()
    _staff()
    _lots()
    _redemptions()


def _add(table: str, *columns: sa.Column[Any]) -> None:
    for column in columns:
        op.add_column(table, column, inline_references=True)


def _optional(name: str, kind: Any, *more: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, *more, nullable=True)


def _catalogue() -> None:
    op.create_table(
        "picture",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "reward_cost",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("reward_id", BIG_ID, nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("replaced_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["reward_id"],
            ["reward.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_reward_cost_reward_id", "reward_cost", ["reward_id"])
    op.create_table(
        "bonus_rule",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("programme_id", BIG_ID, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("names", sa.Text(), nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=True),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("per_guest", sa.Integer(), nullable=True),
        sa.Column("budget_points", sa.BigInteger(), nullable=True),
        sa.Column("spent_points", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["programme_id"],
            ["programme.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_bonus_rule_programme_id", "bonus_rule", ["programme_id"])
    op.create_table(
        "bonus_use",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("rule_id", BIG_ID, nullable=False),
        sa.Column("guest_id", BIG_ID, nullable=False),
        sa.Column("order_row", BIG_ID, nullable=True),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["guest_id"],
            ["guest.id"],
        ),
        sa.ForeignKeyConstraint(
            ["order_row"],
            ["orders.id"],
        ),
        sa.ForeignKeyConstraint(
            ["rule_id"],
            ["bonus_rule.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_bonus_use_guest_id", "bonus_use", ["guest_id"])
    op.create_index("ix_bonus_use_order_row", "bonus_use", ["order_row"])
    op.create_index("ix_bonus_use_rule_guest", "bonus_use", ["rule_id", "guest_id"])
    _add(
        "reward",
        _optional("texts", sa.Text()),
        _optional("picture_id", BIG_ID, sa.ForeignKey("picture.id")),
        sa.Column("kind", sa.String(), nullable=False, server_default="product"),
        _optional("value", sa.BigInteger()),
        _optional("per_guest", sa.Integer()),
        _optional("stock", sa.Integer()),
        _optional("starts_at", sa.BigInteger()),
        _optional("ends_at", sa.BigInteger()),
    )
    _add("product", _optional("price_minor", sa.BigInteger()))
    with op.batch_alter_table("product") as product:
        product.alter_column("sku", existing_type=sa.String(), nullable=True)


def _staff() -> None:
    op.create_table(
        "device",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("till_id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("bound_by", BIG_ID, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["bound_by"],
            ["staff.id"],
        ),
        sa.ForeignKeyConstraint(
            ["till_id"],
            ["till.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_index("ix_device_till_id", "device", ["till_id"])
    op.create_table(
        "staff_session",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("staff_id", BIG_ID, nullable=False),
        sa.Column("device_id", BIG_ID, nullable=True),
        sa.Column("csrf", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("user_agent", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["device.id"],
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"],
            ["staff.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_index("ix_staff_session_device_id", "staff_session", ["device_id"])
    op.create_index("ix_staff_session_expires_at", "staff_session", ["expires_at"])
    op.create_index("ix_staff_session_staff_id", "staff_session", ["staff_id"])
    op.create_table(
        "staff_contact",
        sa.Column("staff_id", BIG_ID, nullable=False),
        sa.Column("contact_id", BIG_ID, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["contact.id"],
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"],
            ["staff.id"],
        ),
        sa.PrimaryKeyConstraint("staff_id", "contact_id"),
    )
    op.create_table(
        "staff_code",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("staff_id", BIG_ID, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["staff_id"],
            ["staff.id"],
        ),
        sa.PrimaryKeyConstraint("code_hash"),
    )
    op.create_index("ix_staff_code_staff_id", "staff_code", ["staff_id"])
    _add(
        "staff",
        _optional("pin_hash", sa.String()),
        _optional("totp_secret", sa.LargeBinary()),
        _optional("recovery_hashes", sa.Text()),
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        _optional("locked_until", sa.BigInteger()),
        _optional("language", sa.String()),
        _optional("points_a_day", sa.Integer()),
        _optional("lookups_an_hour", sa.Integer()),
    )
    for table in ("orders", "event_log"):
        _add(table, _optional("staff_id", BIG_ID, sa.ForeignKey("staff.id")))
    op.create_index("ix_event_log_staff_id", "event_log", ["staff_id"])


def _lots() -> None:
    op.create_table(
        "lot",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("guest_id", BIG_ID, nullable=False),
        sa.Column("programme_id", BIG_ID, nullable=False),
        sa.Column("left_points", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("warned", sa.Integer(), nullable=False),
        sa.CheckConstraint("left_points >= 0"),
        sa.ForeignKeyConstraint(
            ["guest_id"],
            ["guest.id"],
        ),
        sa.ForeignKeyConstraint(
            ["programme_id"],
            ["programme.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_lot_account", "lot", ["guest_id", "programme_id", "expires_at"])
    op.create_index(
        "ix_lot_left",
        "lot",
        ["expires_at"],
        sqlite_where=sa.text("left_points > 0"),
        postgresql_where=sa.text("left_points > 0"),
    )
    op.create_table(
        "lot_use",
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("lot_id", BIG_ID, nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["lot_id"],
            ["lot.id"],
        ),
        sa.PrimaryKeyConstraint("reference", "lot_id"),
    )
    for table in ("programme", "account"):
        _add(table, _optional("expiry_months", sa.Integer()))


def _redemptions() -> None:
    op.create_table(
        "redemption",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(), nullable=False),
        sa.Column("guest_id", BIG_ID, nullable=False),
        sa.Column("programme_id", BIG_ID, nullable=False),
        sa.Column("cafe_id", BIG_ID, nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=True),
        sa.Column("token", sa.LargeBinary(), nullable=True),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("till_id", BIG_ID, nullable=True),
        sa.Column("visit_id", BIG_ID, nullable=True),
        sa.Column("staff_id", BIG_ID, nullable=True),
        sa.Column("idempotency_key", sa.String(), nullable=True),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("response", sa.Text(), nullable=True),
        sa.Column("order_row", BIG_ID, nullable=True),
        sa.Column("coupon", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["cafe_id"],
            ["cafe.id"],
        ),
        sa.ForeignKeyConstraint(
            ["guest_id"],
            ["guest.id"],
        ),
        sa.ForeignKeyConstraint(
            ["order_row"],
            ["orders.id"],
        ),
        sa.ForeignKeyConstraint(
            ["programme_id"],
            ["programme.id"],
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"],
            ["staff.id"],
        ),
        sa.ForeignKeyConstraint(
            ["till_id"],
            ["till.id"],
        ),
        sa.ForeignKeyConstraint(
            ["visit_id"],
            ["visit.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
        sa.UniqueConstraint("public_id"),
        sa.UniqueConstraint("till_id", "idempotency_key"),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_index("ix_redemption_cafe", "redemption", ["cafe_id", "id"])
    op.create_index("ix_redemption_guest", "redemption", ["guest_id", "programme_id", "status"])
    op.create_index(
        "ix_redemption_open", "redemption", ["expires_at"], sqlite_where=OPEN, postgresql_where=OPEN
    )
    op.create_index("ix_redemption_order_row", "redemption", ["order_row"])
    op.create_index("ix_redemption_visit_id", "redemption", ["visit_id"])
    op.create_table(
        "redemption_item",
        sa.Column("redemption_id", BIG_ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("reward_id", BIG_ID, nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=True),
        sa.Column("names", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["redemption_id"],
            ["redemption.id"],
        ),
        sa.ForeignKeyConstraint(
            ["reward_id"],
            ["reward.id"],
        ),
        sa.PrimaryKeyConstraint("redemption_id", "position"),
    )
    op.create_index("ix_redemption_item_reward_id", "redemption_item", ["reward_id"])
