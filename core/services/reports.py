"""What a till system reports, counted: the same for webhooks, fetches and polls."""

from __future__ import annotations

from datetime import datetime

from core.contract import Fetch, OrderPaid, OrderRefunded, TillEvent
from core.services import cafes, eventlog, tasks
from core.services.errors import Refusal
from core.services.orders import count_order
from core.services.paid_orders import check_id, paid_order
from core.services.refunds import order_refund, refund_order
from core.storage.tx import Tx
from core.storage.types import storable


class NoSuchCafe(LookupError):
    """A till system reports for a cafe that nobody has added."""


def take(
    tx: Tx, pos: str, slug: str, event: TillEvent | Fetch, *, arrived_at: datetime, now: datetime
) -> None:
    """Counts one event of the till system `pos`; `arrived_at` is when its webhook came. What can't
    be counted raises Refusal or ValueError, with nothing written. NoSuchCafe."""
    cafe_id = cafes.find(tx, slug)
    if cafe_id is None:
        raise NoSuchCafe(f"there is no cafe {slug}")
    cafe = cafes.row(tx, cafe_id)
    if isinstance(event, Fetch):
        check_id(event.ref, "reference")
        tasks.add(tx, pos, slug, event.ref, arrived_at)
    elif isinstance(event, OrderPaid):
        count_order(
            tx,
            cafe=cafe,
            source=pos,
            order=paid_order(event, cafe.currency),
            till_id=None,
            key=None,
            arrived_at=arrived_at,
            now=now,
        )
    else:
        refund_order(
            tx,
            cafe=cafe,
            source=pos,
            refund=order_refund(event, cafe.currency),
            till_id=None,
            key=None,
            now=now,
        )


def not_counted(
    tx: Tx, pos: str, slug: str, event: TillEvent | Fetch, error: Exception, now: datetime
) -> None:
    """Notes in the event log what had to be left out, and why."""
    why = str(error) if isinstance(error, Refusal) else type(error).__name__
    eventlog.log(
        tx,
        "till_report_refused",
        now,
        cafe_id=cafes.find(tx, slug),
        pos=pos,
        what=storable(_named(event))[:300],
        why=storable(why)[:300],
    )


def _named(event: TillEvent | Fetch) -> str:
    if isinstance(event, Fetch):
        return f"fetch {event.ref}"
    if isinstance(event, OrderRefunded):
        return f"refund {event.refund_id} of order {event.order_id}"
    return f"order {event.order_id}"
