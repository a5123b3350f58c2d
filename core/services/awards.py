"""An order and its guest: what it earns, the points on the account, and who is told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from core.contract import OrderCounted
from core.domain.bonuses import Bonus, on_top
from core.domain.earning import Award, Item, Rates, Sale, award
from core.services import bonuses, ledger, programmes, referrals, rewards
from core.services.cafes import CafeRow
from core.services.notices import notify
from core.storage.tx import Tx


class Earned(NamedTuple):
    """An award that is not on the (locked) account yet; `due`: an invitation that it rewards."""

    guest: ledger.Holder
    account: ledger.Account
    award: Award
    bonuses: Sequence[Bonus] = ()
    due: referrals.Due | None = None

    @property
    def balance(self) -> int:
        """The account's, with the award on it."""
        return self.account.balance + self.award.points

    @property
    def balance_at_last(self) -> int:
        """With what the guest gets besides, for having come by an invitation."""
        return self.balance + (self.due.friend_points if self.due else 0)

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
    paid_at: datetime,
    visit_id: int | None,
    left_minor: int | None = None,
) -> Earned:
    """What an order earns the guest; locks their account. Of its total refunds have left
    `left_minor`; None: all."""
    account = ledger.lock(tx, guest.id, cafe.programme_id)
    sale = Sale(
        Rates(cafe.earn_minor, cafe.earn_points),
        total_minor,
        total_minor if left_minor is None else left_minor,
        items,
        programmes.worth(tx, cafe.programme_id, items) if items else {},
    )
    earned = award(sale, currency=cafe.currency, carry_minor=account.carry_minor)
    paid = sale.left_minor > 0 or earned.points > 0
    due = referrals.due(tx, guest, cafe.programme_id) if paid else None
    if not cafe.bonuses:
        return Earned(guest, account, earned, due=due)
    given = bonuses.of_order(tx, cafe, guest.id, sale, earned.points, paid_at, visit_id)
    return Earned(guest, account, on_top(earned, given), given, due)


def give(
    tx: Tx,
    cafe: CafeRow,
    earned: Earned,
    *,
    order_row: int,
    order_id: str,
    now: datetime,
    taken_back: int = 0,
) -> None:
    """Puts the award on the account and tells the guest, the pages and the plugins. `taken_back`:
    how often that was undone before."""
    award, turn = earned.award, ledger.turn(order_row, taken_back)
    ledger.post(
        tx,
        earned.account,
        cafe_id=cafe.id,
        kind="order",
        reference=f"order:{turn}",
        points=award.points,
        because=award.because,
        now=now,
        carry_minor=award.carry_minor,
    )
    if earned.bonuses:
        bonuses.use(tx, earned.guest.id, order_row, earned.bonuses, now)
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
    if earned.due is not None:
        referrals.reward(
            tx, cafe, earned.guest, earned.due, order_row=order_row, turn=turn, now=now
        )
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
            balance=earned.balance_at_last if earned else None,
        )
    )


def answer(order_id: str, earned: Earned | None) -> dict[str, Any]:
    """What the till is told of an order; without a guest it has no points and no balance."""
    reasons = earned.award.because if earned else ()
    return {
        "order_id": order_id,
        "points": earned.award.points if earned else 0,
        "balance": earned.balance_at_last if earned else None,
        "because": [{"rule": r["rule"], "points": r["points"]} for r in reasons],
    }
