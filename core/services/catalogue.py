"""The rewards of a programme as those who run it see and change them.

What a guest can have of them, and at which cost, is in `rewards.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, get_args

import sqlalchemy as sa

from core.domain import money
from core.domain import names as naming
from core.domain.redeeming import Kind
from core.domain.roles import Member
from core.services import entries, photos, rewards
from core.services.errors import Missing, Rejected
from core.services.permission import places, require, require_programme
from core.services.photos import Photo
from core.services.schemes import MOST_POINTS
from core.storage import tables
from core.storage.tables import accounts, guests
from core.storage.tx import Tx

KINDS: tuple[Kind, ...] = get_args(Kind)
LONGEST_TEXT = 300
"""Characters of what is said about a reward."""
MOST_PER_GUEST = 1000
MOST_STOCK = 1_000_000
WHOLE = 100_00
"""All of a price, in hundredths of a percent."""

Keep = Literal["keep"]
"""As it was."""

_w = tables.rewards.c


@dataclass(frozen=True, slots=True)
class Reward:
    """`names` and `texts` by language; `value` in hundredths of a percent, or minor units, by its
    `kind`; from `first_day` to `last_day`, both included, by the clock of the programme's first
    cafe; `coming`: not yet; `over`: no longer. None: no bound."""

    id: int
    programme_id: int
    names: Mapping[str, str]
    texts: Mapping[str, str]
    kind: Kind
    value: int | None
    cost: int
    per_guest: int | None
    stock: int | None
    first_day: date | None
    last_day: date | None
    coming: bool
    over: bool
    picture_id: int | None
    active: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants a reward to be; `names` and `texts` without those left empty.

    A stock that they didn't touch is kept: rewards leave it while the form is open.
    """

    names: Mapping[str, str]
    texts: Mapping[str, str]
    kind: str
    value: int | None
    cost: int
    per_guest: int | None = None
    stock: int | Keep | None = None
    first_day: date | None = None
    last_day: date | None = None
    photo: Photo | Keep | None = None


def everyone(tx: Tx, by: Member, now: datetime) -> Sequence[Reward]:
    """The rewards of their cafes' programmes, those that are on first, the cheapest first."""
    require(by, "rewards")
    rows = tx.execute(
        sa.select(tables.rewards)
        .where(_w.programme_id.in_({place.programme_id for place in places(tx, by)}))
        .order_by(_w.active.desc(), _w.cost, _w.id)
    )
    zones = entries.zones(tx)
    return [_reward(row, zones[row.programme_id], now) for row in rows.all()]


def one(tx: Tx, by: Member, reward_id: int, now: datetime) -> Reward:
    """Missing where it is of no programme of theirs."""
    for reward in everyone(tx, by, now):
        if reward.id == reward_id:
            return reward
    raise Missing("there is no such reward")


def within_reach(tx: Tx, by: Member, programme_id: int, cost: int) -> int:
    """How many guests could have something at that cost by their balance today."""
    require_programme(tx, by, "rewards", programme_id)
    found = tx.scalar(
        sa.select(sa.func.count())
        .select_from(accounts.join(guests))
        .where(accounts.c.programme_id == programme_id, accounts.c.balance >= cost)
        .where(guests.c.erased_at.is_(None), guests.c.merged_into.is_(None))
    )
    return int(found)


def add(tx: Tx, by: Member, programme_id: int, draft: Draft, now: datetime) -> int:
    """Returns its row id. Rejected for what can't be meant."""
    require_programme(tx, by, "rewards", programme_id)
    values = _checked(draft, None, entries.zones(tx)[programme_id], now)
    photo, stock = draft.photo, draft.stock
    reward_id = tx.scalar(
        sa.insert(tables.rewards)
        .values(
            programme_id=programme_id,
            cost=draft.cost,
            active=True,
            stock=None if stock == "keep" else stock,
            picture_id=photos.keep(tx, photo, now) if isinstance(photo, Photo) else None,
            **values,
        )
        .returning(_w.id)
    )
    entries.log(tx, "reward_added", by, programme_id, now, names=dict(draft.names), cost=draft.cost)
    return int(reward_id)


def change(tx: Tx, by: Member, reward_id: int, draft: Draft, now: datetime) -> None:
    """Counts for what is picked from now on. Who was within reach of a cost that is replaced
    keeps it for a while."""
    found = _to_change(tx, by, reward_id, now)
    values = _checked(draft, found, entries.zones(tx)[found.programme_id], now)
    if draft.stock != "keep":
        values["stock"] = draft.stock
    if draft.photo != "keep":
        photo = draft.photo
        values["picture_id"] = photos.keep(tx, photo, now) if isinstance(photo, Photo) else None
    rewards.set_cost(tx, reward_id, draft.cost, now)
    tx.execute(sa.update(tables.rewards).where(_w.id == reward_id).values(values))
    if found.picture_id is not None:
        photos.drop_unused(tx, found.picture_id)
    names, cost = dict(draft.names), draft.cost
    entries.log(tx, "reward_changed", by, found.programme_id, now, names=names, cost=cost)


def switch(tx: Tx, by: Member, reward_id: int, active: bool, now: datetime) -> None:
    """One that is off is offered to nobody; what was picked already can still be redeemed."""
    found = _to_change(tx, by, reward_id, now)
    tx.execute(sa.update(tables.rewards).where(_w.id == reward_id).values(active=active))
    kind = "reward_on" if active else "reward_off"
    names, cost = dict(found.names), found.cost
    entries.log(tx, kind, by, found.programme_id, now, names=names, cost=cost)


def _to_change(tx: Tx, by: Member, reward_id: int, now: datetime) -> Reward:
    found = one(tx, by, reward_id, now)
    require_programme(tx, by, "rewards", found.programme_id)
    return found


def _reward(row: sa.Row[Any], zone: str, now: datetime) -> Reward:
    return Reward(
        id=row.id,
        programme_id=row.programme_id,
        names=row.names,
        texts=row.texts or {},
        kind=row.kind,
        value=row.value,
        cost=row.cost,
        per_guest=row.per_guest,
        stock=row.stock,
        **entries.window(row, zone, now)._asdict(),
        picture_id=row.picture_id,
        active=row.active,
    )


# -- what can be meant -----------------------------------------------------------------------------


def _checked(draft: Draft, before: Reward | None, zone: str, now: datetime) -> dict[str, Any]:
    """The columns' values, but for the cost, the stock and the picture. `before`: as it is."""
    if draft.kind not in KINDS:
        raise Rejected("reward_kind", f"a reward is a {', '.join(KINDS)}")
    if not 1 <= draft.cost <= MOST_POINTS:
        raise Rejected("cost", f"1 to {MOST_POINTS}")
    _check_bound(draft.per_guest, 1, MOST_PER_GUEST)
    _check_bound(None if draft.stock == "keep" else draft.stock, 0, MOST_STOCK)
    last_before = before.last_day if before else None
    return {
        "names": entries.some_names(draft.names),
        "texts": _texts(draft.texts),
        "kind": draft.kind,
        "value": _value(draft.kind, draft.value),
        "per_guest": draft.per_guest,
        **entries.bounds(draft.first_day, draft.last_day, last_before, zone, now),
    }


def _texts(given: Mapping[str, str]) -> dict[str, str] | None:
    cleaned = {language: naming.clean_line(text, LONGEST_TEXT) for language, text in given.items()}
    texts = {language: text for language, text in cleaned.items() if text is not None}
    if len(texts) < len(cleaned):
        raise Rejected("text", f"a text is up to {LONGEST_TEXT} characters")
    return texts or None


def _value(kind: str, value: int | None) -> int | None:
    if kind == "product":
        return None
    if kind == "percentage" and (value is None or not 0 < value <= WHOLE):
        raise Rejected("percent", "above 0 and up to 100 percent")
    if kind == "amount" and (value is None or not 0 < value <= money.MAX_MAJOR * 100):
        raise Rejected("discount", "an amount is above zero")
    return value


def _check_bound(number: int | None, least: int, most: int) -> None:
    if number is not None and not least <= number <= most:
        raise Rejected("bound", f"{least} to {most}, or nothing")
