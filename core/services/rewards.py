"""Rewards: what there is to save for, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from core.storage.tables import rewards
from core.storage.tx import Prepared, Tx


class RewardRow(NamedTuple):
    """`names` by language, `cost` in points."""

    id: int
    names: Mapping[str, str]
    cost: int


_ACTIVE = Prepared(
    sa.select(rewards.c.id, rewards.c.names, rewards.c.cost)
    .where(rewards.c.programme_id == sa.bindparam("programme"), rewards.c.active)
    .order_by(rewards.c.cost, rewards.c.id)
)


def active(tx: Tx, programme_id: int) -> list[RewardRow]:
    """The programme's rewards, the cheapest first."""
    rows = tx.run_all(_ACTIVE, programme=programme_id)
    return [RewardRow(id_, orjson.loads(names), cost) for id_, names, cost in rows]


def next_reward(offered: Sequence[RewardRow], balance: int) -> RewardRow | None:
    """The cheapest one that the balance isn't enough for."""
    return next((reward for reward in offered if reward.cost > balance), None)


_ABOVE = Prepared(
    sa.select(rewards.c.names, rewards.c.cost)
    .where(
        rewards.c.programme_id == sa.bindparam("programme"),
        rewards.c.active,
        rewards.c.cost > sa.bindparam("before"),
    )
    .order_by(rewards.c.cost, rewards.c.id)
)


def outlook(tx: Tx, programme_id: int, before: int, balance: int) -> dict[str, Any]:
    """For a notice of a balance that was `before`: `reached`, the dearest reward that it is enough
    for now, or else `next`, the one to save for; each {"names", "cost"}. Empty without either."""
    key, found = "", None
    for row in tx.run_all(_ABOVE, programme=programme_id, before=min(before, balance)):
        if row[1] <= balance:
            key, found = "reached", row
        elif found is None:
            key, found = "next", row
    return {key: {"names": orjson.loads(found[0]), "cost": found[1]}} if found else {}
