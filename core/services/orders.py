"""Orders: each counts once, whatever is sent twice, late or out of order."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from core.services import (
    attribution,
    awards,
    claims,
    eventlog,
    ledger,
    order_rows,
    refunds,
    returns,
    visits,
)
from core.services.cafes import CafeRow
from core.services.errors import Conflict
from core.services.order_rows import Sent
from core.services.paid_orders import Counted, PaidOrder, checked, fingerprint
from core.storage.tables import orders
from core.storage.tx import Prepared, Tx
from core.storage.types import from_micros, to_micros


def count_order(
    tx: Tx,
    *,
    cafe: CafeRow,
    source: str,
    order: PaidOrder,
    till_id: int | None,
    key: str | None,
    arrived_at: datetime,
    now: datetime,
    staff_id: int | None = None,
) -> Counted:
    """Counts an order that arrived at `arrived_at`, for its guest if it has one.

    `source` is `api` or the POS's name; `till_id` and the idempotency `key` are the till API's. A
    till system's second report of an order is a duplicate whatever it says; the till API's must say
    the same (Conflict). UnknownVisit, UnknownRedemption, WrongCurrency, Invalid.
    """
    order = checked(cafe, order)
    if till_id is None and order.station is not None:
        till_id = attribution.till_of(tx, cafe.id, order.station)
    sent = Sent(cafe, source, order, till_id, key, arrived_at, staff_id)
    owner, earned = _owner(tx, sent), None
    if owner is not None:
        earned = awards.weigh(
            tx,
            cafe,
            owner.guest,
            total_minor=order.total_minor,
            items=order.lines,
            paid_at=order.paid_at or arrived_at,
            visit_id=owner.visit.id if owner.visit else None,
        )
    response = awards.answer(order.order_id, earned)
    row = order_rows.insert(tx, sent, owner, earned, response)
    if row is None:
        return _counted_before(tx, sent, owner, now)
    if order.redemptions:
        returns.use(tx, cafe.id, order.redemptions, row)
    if owner is not None and owner.visit is not None and owner.takes:
        visits.take(tx, owner.visit)
    if earned is not None:
        awards.give(tx, cafe, earned, order_row=row, order_id=order.order_id, now=now)
    else:
        awards.tell(tx, cafe, order.order_id, None)
    if refunds.count_parked(tx, cafe, source, order.order_id, now) and earned is not None:
        response = _answer_again(tx, row, response, earned.account)
    return Counted(response, duplicate=False)


def _owner(tx: Tx, sent: Sent) -> attribution.Owner | None:
    order, cafe_id, arrived_at = sent.order, sent.cafe.id, sent.arrived_at
    if order.phone is not None:
        owner = attribution.by_reward_card(tx, cafe_id, order.phone, arrived_at)
        if owner is not None:
            return owner
    if order.visit is not None:
        return attribution.by_name(tx, cafe_id, order.visit, order.paid_at or arrived_at)
    if sent.till_id is None:
        return None
    return attribution.by_interval(tx, sent.till_id, order.paid_at, arrived_at, live=order.live)


# -- the second time -------------------------------------------------------------------------------

_o = orders.c
_SAME_ORDER = Prepared(
    sa.select(
        _o.id,
        _o.fingerprint,
        _o.response,
        _o.total_minor,
        _o.guest_id,
        _o.refunded_minor,
        _o.received_at,
    ).where(order_rows.NAMED)
)
_SAME_KEY = Prepared(
    sa.select(_o.id).where(
        _o.till_id == sa.bindparam("till"), _o.idempotency_key == sa.bindparam("key")
    )
)


def _counted_before(tx: Tx, sent: Sent, owner: attribution.Owner | None, now: datetime) -> Counted:
    order, cafe = sent.order, sent.cafe
    refunds.one_at_a_time(tx, cafe.id, sent.source, order.order_id)
    row = tx.run(_SAME_ORDER, cafe=cafe.id, source=sent.source, order=order.order_id)
    if row is None:
        raise Conflict("this idempotency key was another order's")
    row_id, known, response, total_minor, guest_id, refunded, received_at = row
    if sent.key is not None:
        of_key = tx.run(_SAME_KEY, till=sent.till_id, key=sent.key)
        if of_key is not None and of_key[0] != row_id:
            raise Conflict("this idempotency key was another order's")
        if bytes(known) != fingerprint(order):
            raise Conflict("this order was counted with other data")
    elif total_minor != order.total_minor:
        eventlog.log(
            tx,
            "order_changed",
            now,
            cafe_id=cafe.id,
            order=order.order_id,
            counted_minor=total_minor,
            now_minor=order.total_minor,
        )
    if sent.key is None and guest_id is None and owner and _knows_better(sent, owner, received_at):
        if owner.visit is not None and owner.takes:
            visits.take(tx, owner.visit)
        visit_id = owner.visit.id if owner.visit else None
        paid_at = order.paid_at or from_micros(received_at)
        counted = (row_id, order.order_id, total_minor, refunded, paid_at)
        return claims.hand_over(tx, cafe, counted, owner.guest, visit_id, now)
    return Counted(orjson.loads(response), duplicate=True)


def _knows_better(sent: Sent, owner: attribution.Owner, received_at: int) -> bool:
    """A poll may find an order whose webhook is here already and still being asked about: that
    one's arrival says which visit it was. A webhook that comes later may tell of anything that has
    happened to the order since, so only a reward card counts then."""
    return owner.visit is None or to_micros(sent.arrived_at) <= received_at


def _answer_again(
    tx: Tx, order_row: int, response: dict[str, Any], account: ledger.Account
) -> dict[str, Any]:
    """With the balance that refunds, here before their order, have left."""
    balance = ledger.balance(tx, account.guest_id, account.programme_id)
    response = {**response, "balance": balance}
    tx.execute(sa.update(orders).where(_o.id == order_row).values(response=response))
    return response
