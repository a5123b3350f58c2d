"""An order that was given to the wrong guest: for two minutes it can be nobody's again, and go to
another, or to the same one, as if it never had been theirs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.services import bonuses, ledger, order_rows, referrals, refunds, till_sessions, visits
from core.services.errors import AlreadyClaimed, Rejected, TooLate, UnknownOrder, UnknownVisit
from core.services.purchases import undo_until
from core.services.till_sessions import TillSession
from core.storage.tables import orders
from core.storage.tx import Tx

_o = orders.c


def take_back(
    tx: Tx, by: TillSession, source: str, order_id: str, visit: str, now: datetime
) -> None:
    """Takes back what `unclaimed.give` has given to the visit's guest. Once more changes nothing.

    UnknownOrder, also for one that wasn't given by hand; UnknownVisit; AlreadyClaimed where it was
    given anew since; TooLate; Rejected once some of it was refunded.
    """
    cafe_id = by.till.cafe.id
    refunds.one_at_a_time(tx, cafe_id, source, order_id)
    given = _order(tx, cafe_id, source, order_id)
    found = visits.named(tx, cafe_id, visit)
    if found is None:
        raise UnknownVisit("There is no such visit here.")
    if given.guest_id is None:
        return
    if given.visit_id != found.id:
        raise AlreadyClaimed("The order was given to another guest since.")
    if given.given_at is None:
        raise UnknownOrder("This order was not given by hand.")
    if now > undo_until(given.given_at):
        raise TooLate("This can be undone within two minutes.")
    if given.total_minor - given.refunded_minor != given.earned_minor:
        raise Rejected("order_refunded", "the order was refunded since")
    _take(tx, by, given, now)


def _order(tx: Tx, cafe_id: int, source: str, order_id: str) -> sa.Row[Any]:
    row = tx.execute(
        sa.select(orders)
        .where(_o.cafe_id == cafe_id, _o.source == source, _o.order_id == order_id)
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise UnknownOrder("There is no such order here.")
    return row


def _take(tx: Tx, by: TillSession, given: sa.Row[Any], now: datetime) -> None:
    """Exactly what the order was recorded to have given; from then on it has given nothing."""
    cafe, turn = by.till.cafe, ledger.turn(given.id, given.taken_back)
    guest = ledger.holder(tx, given.guest_id)
    account = ledger.lock(tx, guest.id, given.programme_id)
    points = -given.points
    because = [{"rule": "misgiven", "points": points}]
    ledger.post(
        tx,
        account,
        cafe_id=cafe.id,
        kind="undo",
        reference=f"undo:{turn}",
        dates_of=f"order:{turn}",
        points=points,
        because=because,
        now=now,
        carry_minor=account.carry_minor - given.carry_minor,
    )
    refunds.tell(
        tx, cafe, given.order_id, guest, account, points, now, undone=True, because=because
    )
    bonuses.give_back(tx, given.id)
    referrals.take_back(tx, given.id, now)
    _forget(tx, given.id)
    till_sessions.log(
        tx,
        by,
        "order_taken_back",
        now,
        guest_id=guest.id,
        order=given.order_id,
        points=points,
    )


def _forget(tx: Tx, order_row: int) -> None:
    """The order is nobody's."""
    tx.execute(
        sa.update(orders)
        .where(_o.id == order_row)
        .values(
            guest_id=None,
            visit_id=None,
            **order_rows.NOTHING,
            staff_id=None,
            given_at=None,
            taken_back=_o.taken_back + 1,
        )
    )
