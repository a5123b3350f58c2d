"""An order and its guest: what it earns, the points on the account, and who is told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from core.contract import OrderCounted
from core.domain.earning import Award, Item, Rates, award
from core.services import ledger, programmes, rewards
from core.services.cafes import CafeRow
from core.services.notices import notify
from core.storage.tx import Tx


class Earned(NamedTuple):
    """An award that is not on the (locked) account yet."""

    guest: ledger.Holder
    account: ledger.Account
    award: Award

    @property
    def balance(self) -> int:
        """The account's, with the award on it."""
        return self.account.balance + self.award.points

    @property
    def carry_added(self) -> int:
        """What the order adds to the account's carried remainder, in minor units."""
        return self.award.carry_minor - self.account.carry_minor


def weigh(
    tx: Tx,
    cafe: CafeRow,
    guest: ledger.Holder,
    *,
    total_minor: int,
    items: Sequence[Item],
    left_minor: int | None = None,
) -> Earned:
    """What an order earns the guest; locks their account. `left_minor` as in `earning.award`."""
    account = ledger.lock(tx, guest.id, cafe.programme_id)
    earned = award(
        Rates(cafe.earn_minor, cafe.earn_points),
        programmes.worth(tx, cafe.programme_id, items) if items else {},
        total_minor=total_minor,
        currency=cafe.currency,
        items=items,
        carry_minor=account.carry_minor,
        left_minor=left_minor,
    )
    return Earned(guest, account, earned)


def give(
    tx: Tx, cafe: CafeRow, earned: Earned, *, order_row: int, order_id: str, now: datetime
) -> None:
    """Puts the award on the account and tells the guest, the pages and the plugins."""
    award = earned.award
    ledger.post(
        tx,
        earned.account,
        cafe_id=cafe.id,
        kind="order",
        reference=f"order:{order_row}",
        points=award.points,
        because=award.because,
        now=now,
        carry_minor=award.carry_minor,
    )
    if award.points:
        facts: dict[str, Any] = {
            "cafe": cafe.name,
            "points": award.points,
            "unit": cafe.unit,
            "balance": earned.balance,
            "because": award.because,
        }
        facts |= rewards.outlook(
            tx, earned.account.programme_id, earned.account.balance, earned.balance, now
        )
        notify(tx, earned.guest.id, "points_earned", facts, now)
    tell(tx, cafe, order_id, earned)


def tell(tx: Tx, cafe: CafeRow, order_id: str, earned: Earned | None) -> None:
    """Tells the pages and the plugins of a counted order; None: nobody's so far."""
    if earned is not None:
        tx.ring(f"guest:{earned.guest.public_id}")
    tx.ring(f"cafe:{cafe.slug}")
    tx.tell(
        OrderCounted(
            cafe=cafe.slug,
            order_id=order_id,
            guest_id=earned.guest.public_id if earned else None,
            points=earned.award.points if earned else 0,
            balance=earned.balance if earned else None,
        )
    )


def answer(order_id: str, earned: Earned | None) -> dict[str, Any]:
    """What the till is told of an order; without a guest it has no points and no balance."""
    reasons = earned.award.because if earned else ()
    return {
        "order_id": order_id,
        "points": earned.award.points if earned else 0,
        "balance": earned.balance if earned else None,
        "because": [{"rule": r["rule"], "points": r["points"]} for r in reasons],
    }
