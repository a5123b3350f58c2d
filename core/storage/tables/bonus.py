"""What gives points on top, and what it has given."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import SQLModel

from core.storage.tables.columns import json, ref, row_id, table, utc, whole


class BonusRule(SQLModel, table=True):
    """What gives points on top. `params` are the kind's own; the rule counts in
    [starts_at, ends_at), `per_guest` times at most, while `spent_points` are within
    `budget_points`; None: no bound."""

    __tablename__ = "bonus_rule"
    id: int | None = row_id()
    programme_id: int = ref("programme", index=True)
    kind: str  # welcome · birthday · first_of_day · nth_visit · happy_hours · product_multiplier
    #            · spend_over
    names: dict[str, str] = json(nullable=False)
    params: dict[str, Any] = json(nullable=False)
    starts_at: datetime | None = utc(nullable=True)
    ends_at: datetime | None = utc(nullable=True)
    per_guest: int | None = None
    budget_points: int | None = whole(nullable=True)
    spent_points: int = whole(0)
    active: bool = True
    created_at: datetime = utc()


bonus_rules = table(BonusRule)


class BonusUse(SQLModel, table=True):
    """What a rule has given a guest for an order."""

    __tablename__ = "bonus_use"
    __table_args__ = (Index("ix_bonus_use_rule_guest", "rule_id", "guest_id"),)
    id: int | None = row_id()
    rule_id: int = ref("bonus_rule")
    guest_id: int = ref("guest", index=True)
    order_row: int | None = ref("orders", index=True, nullable=True)
    points: int = whole()
    at: datetime = utc()


bonus_uses = table(BonusUse)
