"""A cafe with tills and guests in an open transaction, and short words for what happens there."""

import copy
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import sqlalchemy as sa

from core.domain.earning import Item
from core.keys import Keys
from core.services import cafes, claims, guests, ledger, orders, paid_orders, refunds, tills, visits
from core.services.refund_rows import OrderRefund
from core.storage import tables
from core.storage.tx import Tx

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
KEYS = Keys(Keys.generate())


class Shop:
    """`earn`: points for so much money, in minor units. Orders come by the till API unless `source`
    says otherwise; times are minutes after NOW."""

    def __init__(self, tx: Tx, slug: str = "bife") -> None:
        self.tx = tx
        self.cafe = cafes.row(tx, cafes.add(tx, slug, slug.upper(), "RSD", "Europe/Belgrade", NOW))
        self.bar = tills.by_token(tx, tills.add(tx, slug, "Bar", "7", NOW)).id
        self.door = tills.by_token(tx, tills.add(tx, slug, "Door", None, NOW)).id

    def within(self, tx: Tx) -> "Shop":
        """The same shop, in another transaction."""
        same = copy.copy(self)
        same.tx = tx
        return same

    def guest(self, name: str = "Ana", **known) -> int:
        """A guest who can be reached; the row id."""
        facts = {"language": "en", "cafe_id": self.cafe.id, "keys": KEYS, "now": NOW, **known}
        guest = guests.add(self.tx, name=name, **facts)
        contact = {"channel": "telegram", "address": f"chat {guest}", "guest_id": guest}
        self.tx.execute(sa.insert(tables.contacts).values(**contact, created_at=NOW, heard_at=NOW))
        return guest

    def product(self, sku: str, points: int) -> None:
        values = {"programme_id": self.cafe.programme_id, "sku": sku, "names": {"en": sku.title()}}
        self.tx.execute(sa.insert(tables.products).values(**values, points=points))

    def visit(self, guest: int, minute: float = 0, till: int | None = None, proof: str = "qr"):
        return visits.open_visit(
            self.tx,
            cafe_id=self.cafe.id,
            till_id=till or self.bar,
            guest_id=guest,
            proof=proof,
            now=NOW + minute * MINUTE,
        )

    def order(
        self,
        order_id: str,
        total_minor: int = 100_00,
        *,
        minute: float = 0,
        paid: float | None = None,
        till: int | None = None,
        key: str | None = None,
        source: str = "api",
        **more,
    ) -> paid_orders.Counted:
        """`minute`: when it arrives; `paid`: when it was paid, as the till says."""
        at = NOW + minute * MINUTE
        paid_at = None if paid is None else NOW + paid * MINUTE
        return orders.count_order(
            self.tx,
            cafe=self.cafe,
            source=source,
            order=paid_orders.PaidOrder(
                **{
                    "order_id": order_id,
                    "total_minor": total_minor,
                    "currency": "RSD",
                    "paid_at": paid_at,
                    **more,
                }
            ),
            till_id=(till or self.bar) if source == "api" else None,
            key=(key or f"key of {order_id}") if source == "api" else None,
            arrived_at=at,
            now=at,
        )

    def refund(
        self,
        order_id: str,
        refund_id: str = "r1",
        amount_minor: int | None = None,
        *,
        minute: float = 0,
        key: str | None = None,
        source: str = "api",
    ) -> refunds.Refunded:
        return refunds.refund_order(
            self.tx,
            cafe=self.cafe,
            source=source,
            refund=OrderRefund(order_id=order_id, refund_id=refund_id, amount_minor=amount_minor),
            till_id=self.bar if source == "api" else None,
            key=(key or f"key of {refund_id}") if source == "api" else None,
            now=NOW + minute * MINUTE,
        )

    def claim(self, order_id: str, visit: str, minute: float = 0) -> paid_orders.Counted:
        return claims.claim_order(
            self.tx,
            cafe=self.cafe,
            source="api",
            order_id=order_id,
            visit=visit,
            now=NOW + minute * MINUTE,
        )

    def balance(self, guest: int) -> int:
        return ledger.balance(self.tx, guest, self.cafe.programme_id)

    def owner(self, order_id: str) -> int | None:
        c = tables.orders.c
        return self.tx.scalar(sa.select(c.guest_id).where(c.order_id == order_id))

    def visit_of(self, order_id: str) -> str | None:
        """The public id of the visit that an order was counted in."""
        return self.tx.scalar(
            sa.select(tables.visits.c.public_id)
            .join_from(tables.orders, tables.visits)
            .where(tables.orders.c.order_id == order_id)
        )

    def notices(self, guest: int) -> list[tuple[str, dict]]:
        c, contacts = tables.messages.c, tables.contacts
        rows = self.tx.execute(
            sa.select(c.kind, c.body)
            .join_from(tables.messages, contacts)
            .where(contacts.c.guest_id == guest)
            .order_by(c.id)
        )
        return [tuple(row) for row in rows]


def item(sku: str | None, quantity: str = "1", price_minor: int = 0) -> Item:
    return Item(
        name=sku or "something", quantity=Decimal(quantity), price_minor=price_minor, sku=sku
    )
