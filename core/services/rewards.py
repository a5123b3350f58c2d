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


def just_reached(offered: Sequence[RewardRow], before: int, balance: int) -> RewardRow | None:
    """The dearest one that the balance has become enough for."""
    reached = [reward for reward in offered if before < reward.cost <= balance]
    return reached[-1] if reached else None


def outlook(tx: Tx, programme_id: int, before: int, balance: int) -> dict[str, Any]:
    """For a notice: `reached`, the reward that the last points reached, or else `next`, the one to
    save for; each {"names", "cost"}. Empty where there is neither."""
    offered = active(tx, programme_id)
    for key, reward in (
        ("reached", just_reached(offered, before, balance)),
        ("next", next_reward(offered, balance)),
    ):
        if reward is not None:
            return {key: {"names": reward.names, "cost": reward.cost}}
    return {}
