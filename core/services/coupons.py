"""A confirmed reward's discount at the till system: a coupon, or the cashier takes it off by hand.

The confirmation commits first and leaves a task behind; `core/granting.py` asks the till system.
Nobody waits for that longer than three seconds. Till systems know no idempotency here, so each
redemption asks once, and a code is shown only to a cashier who has not been told to do without:
there is one coupon that anybody can use, or none.

`redemption.coupon` keeps how it stands: `{"status": "wanted" | "asked" | "ready" | "by_hand" |
"void", "asked_at", "code"?}`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import sqlalchemy as sa

from core.contract import Coupon, Discount
from core.domain import redeeming
from core.domain.money import to_major
from core.i18n import words
from core.phrases import counted
from core.services import redemption_rows, tasks
from core.services.redemption_rows import Item, Row
from core.services.tasks import Task
from core.storage.tables import cafes, guests
from core.storage.tables import redemptions as rows
from core.storage.tx import Tx
from core.storage.types import storable

WITHIN = timedelta(seconds=3)
"""After the confirmation: without a code by then, the cashier takes the discount off by hand."""
ASKED_FOR = timedelta(seconds=2.5)
"""How long an answer may take, so that it is committed within WITHIN."""

Why = Literal["late", "failed", "interrupted"]
"""Why there is no coupon: no answer in time, an error, or a restart in the middle."""

_OPEN = ("wanted", "asked")
_r = rows.c


@dataclass(frozen=True, slots=True)
class State:
    """What the cashier is told of a redemption's discount.

    asking    the till system is being asked, until `until` at the latest
    ready     `code` is to be typed into the till
    by_hand   there is no coupon and will be none: the discount is taken off by hand
    void      the redemption was undone; its `code`, where there was one, is not to be used
    """

    status: Literal["asking", "ready", "by_hand", "void"]
    code: str | None
    until: datetime


@dataclass(frozen=True, slots=True)
class Question:
    """What a till system is asked for; an answer after `until` comes too late."""

    discount: Discount
    until: datetime


# -- for the counter -------------------------------------------------------------------------------


def state(tx: Tx, public_id: str, now: datetime) -> State | None:
    """None where nothing is to be taken off: nothing confirmed, or products alone. `cafe:<slug>`
    rings whenever it changes, but for the end of `asking`, which the clock brings."""
    kept = tx.scalar(sa.select(_r.coupon).where(_r.public_id == public_id))
    if kept is None:
        return None
    until = datetime.fromisoformat(kept["asked_at"]) + WITHIN
    status = kept["status"]
    if status in _OPEN:
        status = "asking" if now < until else "by_hand"
    return State(status, kept.get("code"), until)


def want(tx: Tx, row: Row, cafe: str, now: datetime) -> None:
    """`row` was just confirmed at the cafe with this slug: for its discount a coupon is asked for.
    What a single coupon can't say is taken off by hand."""
    discounts = [item for item in redemption_rows.items(tx, row.id) if item.kind != "product"]
    if not discounts:
        return
    if _one_coupon(discounts) is None:
        _keep(tx, row, {"status": "by_hand", "asked_at": now.isoformat()})
        return
    _keep(tx, row, {"status": "wanted", "asked_at": now.isoformat()})
    tasks.add(tx, tasks.COUPON, cafe, row.public_id, now)


def void(tx: Tx, row: Row, now: datetime) -> None:
    """`row`, locked, comes back: its coupon is not to be used any more. The till system goes on
    taking it, so the log names it."""
    kept = _kept(tx, row)
    if kept is None:
        return
    if kept["status"] == "ready":
        redemption_rows.log(tx, "coupon_void", row, now)
    _keep(tx, row, {**kept, "status": "void"})


# -- for whoever asks the till system --------------------------------------------------------------


def begin(tx: Tx, task: Task, now: datetime) -> Question | None:
    """The till system is asked from now on, this once. None: it is too late, nobody wants it any
    more, or somebody who broke off was asking already, and may have got one made."""
    row, kept = _locked(tx, task)
    until = task.arrived_at + ASKED_FOR
    if kept["status"] == "wanted" and now < until:
        _keep(tx, row, {**kept, "status": "asked"})
        return Question(_discount(tx, row), until)
    _without(tx, row, kept, "late" if kept["status"] == "wanted" else "interrupted", now)
    tasks.done(tx, task)
    return None


def given(tx: Tx, task: Task, coupon: Coupon, now: datetime) -> None:
    """The till system has made a coupon. One that comes too late is shown to nobody; the log says
    that it is there."""
    row, kept = _locked(tx, task)
    if kept["status"] == "asked" and now < task.arrived_at + ASKED_FOR:
        _keep(tx, row, {**kept, "status": "ready", "code": storable(coupon.code)})
        redemption_rows.log(tx, "coupon_given", row, now)
        redemption_rows.ring(tx, row)
    else:
        _without(tx, row, kept, "late", now)
        redemption_rows.log(tx, "coupon_late", row, now)
    tasks.done(tx, task)


def not_given(tx: Tx, task: Task, why: Why | None, now: datetime, *, error: str = "") -> None:
    """There is no coupon in time; `why` None: the cafe's till system has none, which is nothing to
    be noted."""
    row, kept = _locked(tx, task)
    _without(tx, row, kept, why, now, error=storable(error)[:300])
    tasks.done(tx, task)


def _without(
    tx: Tx, row: Row, kept: dict[str, Any], why: Why | None, now: datetime, **more: Any
) -> None:
    if kept["status"] not in _OPEN:
        return
    _keep(tx, row, {**kept, "status": "by_hand"})
    if why is not None:
        redemption_rows.log(tx, "coupon_missing", row, now, why=why, **more)
    redemption_rows.ring(tx, row)


# -- rows ------------------------------------------------------------------------------------------


def _locked(tx: Tx, task: Task) -> tuple[Row, dict[str, Any]]:
    row, _ = redemption_rows.locked(tx, redemption_rows.row_of(tx, task.ref, sa.true()))
    return row, _kept(tx, row) or {"status": "void"}


def _kept(tx: Tx, row: Row) -> dict[str, Any] | None:
    kept: dict[str, Any] | None = tx.scalar(sa.select(_r.coupon).where(_r.id == row.id))
    return kept


def _keep(tx: Tx, row: Row, coupon: dict[str, Any]) -> None:
    tx.execute(sa.update(rows).where(_r.id == row.id).values(coupon=coupon))


def _one_coupon(discounts: list[Item]) -> redeeming.Off | None:
    return redeeming.one_discount([(item.kind, item.value or 0) for item in discounts])


def _discount(tx: Tx, row: Row) -> Discount:
    """Its name in the guest's language: they read it on the receipt."""
    discounts = [item for item in redemption_rows.items(tx, row.id) if item.kind != "product"]
    off = _one_coupon(discounts)
    assert off is not None, "what no coupon can say is not asked for"
    currency = tx.scalar(sa.select(cafes.c.currency).where(cafes.c.id == row.cafe_id))
    language = tx.scalar(sa.select(guests.c.language).where(guests.c.id == row.guest_id))
    return Discount(
        redemption_id=row.public_id,
        name=counted([item.names for item in discounts], words(language)),
        amount=Decimal(to_major(off.minor, currency)) if off.minor else None,
        percentage=Decimal(off.hundredths).scaleb(-2) if off.hundredths else None,
    )
