"""Rewards: what points buy, at which cost to whom, and how far it is."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

import orjson
import sqlalchemy as sa

from core.domain.redeeming import Kind
from core.services import spending
from core.services.errors import NotPossible
from core.storage.tables import (
    ledger_entries,
    redemption_items,
    redemptions,
    reward_costs,
    rewards,
)
from core.storage.tx import Prepared, Tx
from core.storage.types import to_micros

OLD_COST_KEPT = timedelta(days=30)
"""So long an old cost holds for whoever was within reach of it when it was replaced."""

_w = rewards.c


class RewardRow(NamedTuple):
    """`names` by language, `cost` in points."""

    id: int
    names: Mapping[str, str]
    cost: int


WhyOut = Literal["limit", "stock"]


@dataclass(frozen=True, slots=True)
class Offered:
    """A reward as one guest can have it.

    kind     product, percentage (`value` in hundredths of a percent), amount (in minor units)
    cost     in points, for this guest
    missing  points that they don't have yet; 0: it can be picked
    left     how many they may have, by their limit and the stock; 0: none; None: no bound
    why_out  which of the two leaves none
    """

    id: int
    names: Mapping[str, str]
    texts: Mapping[str, str]
    picture_id: int | None
    kind: Kind
    value: int | None
    cost: int
    missing: int
    left: int | None
    ends_at: datetime | None
    why_out: WhyOut | None = None


# -- for everybody ---------------------------------------------------------------------------------


class _SwitchedOn(NamedTuple):
    """Times in microseconds; without bounds a reward is always there."""

    reward: RewardRow
    starts_at: float
    ends_at: float


_SWITCHED_ON = Prepared(
    sa.select(_w.id, _w.names, _w.cost, _w.starts_at, _w.ends_at)
    .where(_w.programme_id == sa.bindparam("programme"), _w.active)
    .order_by(_w.cost, _w.id)
)


def _switched_on(tx: Tx, programme_id: int) -> list[_SwitchedOn]:
    return [
        _SwitchedOn(
            RewardRow(id_, orjson.loads(names), cost),
            -math.inf if starts_at is None else starts_at,
            math.inf if ends_at is None else ends_at,
        )
        for id_, names, cost, starts_at, ends_at in tx.run_all(_SWITCHED_ON, programme=programme_id)
    ]


def active(tx: Tx, programme_id: int, now: datetime) -> list[RewardRow]:
    """The programme's rewards, the cheapest first."""
    at = to_micros(now)
    return [
        one.reward
        for one in tx.once(_switched_on, programme_id)
        if one.starts_at <= at < one.ends_at
    ]


def next_reward(offered: Sequence[RewardRow], balance: int) -> RewardRow | None:
    """The cheapest one that the balance isn't enough for."""
    return next((reward for reward in offered if reward.cost > balance), None)


def outlook(tx: Tx, programme_id: int, before: int, balance: int, now: datetime) -> dict[str, Any]:
    """For a notice of a balance that was `before`: `reached`, the dearest reward that it is enough
    for now, or else `next`, the one to save for; each {"names", "cost"}. Empty without either."""
    offered = active(tx, programme_id, now)
    reached = [reward for reward in offered if before < reward.cost <= balance]
    if reached:
        return {"reached": {"names": reached[-1].names, "cost": reached[-1].cost}}
    following = next_reward(offered, balance)
    return {"next": {"names": following.names, "cost": following.cost}} if following else {}


# -- for one guest ---------------------------------------------------------------------------------


def offers(tx: Tx, guest_id: int, programme_id: int, now: datetime) -> list[Offered]:
    """What the guest can pick, or save for, the cheapest first: at their own costs, and beside
    what they hold already."""
    rows = tx.execute(
        sa.select(rewards).where(
            _w.programme_id == programme_id,
            _w.active,
            sa.or_(_w.starts_at.is_(None), _w.starts_at <= now),
            sa.or_(_w.ends_at.is_(None), _w.ends_at > now),
        )
    ).all()
    available = spending.available(tx, guest_id, programme_id, now)
    costs = _old_costs(tx, guest_id, programme_id, now)
    left = _left(tx, guest_id, rows, now)
    found = []
    for row in rows:
        cost = min(row.cost, costs.get(row.id, row.cost))
        count, bound = left.get(row.id, (None, None))
        found.append(
            Offered(
                id=row.id,
                names=row.names,
                texts=row.texts or {},
                picture_id=row.picture_id,
                kind=row.kind,
                value=row.value,
                cost=cost,
                missing=max(0, cost - available),
                left=count,
                ends_at=row.ends_at,
                why_out=bound if count == 0 else None,
            )
        )
    return sorted(found, key=lambda offered: (offered.cost, offered.id))


def following(offered: Sequence[Offered]) -> Offered | None:
    """The next to save for: the cheapest that the guest may have but for the points."""
    return next((one for one in offered if one.missing and one.left != 0), None)


def hold_stock(tx: Tx, reward_ids: Collection[int]) -> None:
    """Until the commit nobody else picks of these rewards' stock."""
    stocked = sa.and_(_w.id.in_(reward_ids), _w.stock.is_not(None))
    tx.execute(sa.select(_w.id).where(stocked).order_by(_w.id).with_for_update()).all()


def move_stock(tx: Tx, redemption_id: int, by: int) -> None:
    """What a redemption gives leaves the stock (`by` -1), or comes back (+1)."""
    i = redemption_items.c
    for row in tx.execute(
        sa.select(i.reward_id, sa.func.count().label("n"))
        .where(i.redemption_id == redemption_id)
        .group_by(i.reward_id)
        .order_by(i.reward_id)
    ).all():
        stock = _w.stock + by * row.n
        tx.execute(
            sa.update(rewards)
            .where(_w.id == row.reward_id, _w.stock.is_not(None))
            .values(stock=sa.case((stock < 0, 0), else_=stock))
        )


def _old_costs(tx: Tx, guest_id: int, programme_id: int, now: datetime) -> dict[int, int]:
    """The lower costs that rewards had a while ago, where the guest was within reach of them."""
    c = reward_costs.c
    rows = tx.execute(
        sa.select(c.reward_id, c.cost, c.replaced_at)
        .join_from(reward_costs, rewards)
        .where(_w.programme_id == programme_id, c.replaced_at > now - OLD_COST_KEPT)
        .where(c.cost < _w.cost)
    )
    costs: dict[int, int] = {}
    for row in rows.all():
        if _balance_at(tx, guest_id, programme_id, row.replaced_at) >= row.cost:
            costs[row.reward_id] = min(row.cost, costs.get(row.reward_id, row.cost))
    return costs


def _balance_at(tx: Tx, guest_id: int, programme_id: int, at: datetime) -> int:
    e = ledger_entries.c
    found = tx.scalar(
        sa.select(e.balance)
        .where(e.guest_id == guest_id, e.programme_id == programme_id, e.at <= at)
        .order_by(e.id.desc())
        .limit(1)
    )
    return found or 0


def _left(
    tx: Tx, guest_id: int, rows: Sequence[sa.Row[Any]], now: datetime
) -> dict[int, tuple[int, WhyOut]]:
    """Of the rewards that have a limit or a stock: how many of them the guest may have, and which
    of the two says so."""
    bounded = [row for row in rows if row.per_guest is not None or row.stock is not None]
    if not bounded:
        return {}
    ids = [row.id for row in bounded]
    reserved = _count(tx, ids, spending.open_at(now))
    theirs = redemptions.c.guest_id == guest_id
    confirmed = redemptions.c.status == "confirmed"
    had = _count(tx, ids, sa.and_(theirs, sa.or_(confirmed, spending.open_at(now))))
    left: dict[int, tuple[int, WhyOut]] = {}
    for row in bounded:
        bounds: list[tuple[int, WhyOut]] = []
        if row.per_guest is not None:
            bounds.append((max(0, row.per_guest - had.get(row.id, 0)), "limit"))
        if row.stock is not None:
            bounds.append((max(0, row.stock - reserved.get(row.id, 0)), "stock"))
        left[row.id] = min(bounds)
    return left


def _count(tx: Tx, reward_ids: list[int], which: sa.ColumnElement[bool]) -> dict[int, int]:
    """How many of each are in redemptions."""
    i = redemption_items.c
    rows = tx.execute(
        sa.select(i.reward_id, sa.func.count().label("n"))
        .join_from(redemption_items, redemptions)
        .where(i.reward_id.in_(reward_ids), which)
        .group_by(i.reward_id)
    )
    return {row.reward_id: row.n for row in rows}


# -- the owner's -----------------------------------------------------------------------------------


def set_cost(tx: Tx, reward_id: int, cost: int, now: datetime) -> None:
    """Another cost from now on; who is within reach of the one before keeps it for a while.
    NotPossible for less than one point; LookupError for no reward."""
    if cost < 1:
        raise NotPossible("a reward costs one point at least")
    before = tx.scalar(sa.select(_w.cost).where(_w.id == reward_id).with_for_update())
    if before is None:
        raise LookupError(f"there is no reward {reward_id}")
    if before == cost:
        return
    tx.execute(sa.insert(reward_costs).values(reward_id=reward_id, cost=before, replaced_at=now))
    tx.execute(sa.update(rewards).where(_w.id == reward_id).values(cost=cost))
