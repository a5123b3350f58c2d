"""A till system on trial: its orders, and what Malva counts of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from core.contract import OrderPaid, OrderRefunded
from core.storage.tables import orders
from core.testkit.trial import CAFE, Alone, Trial, eventually
from core.testkit.vendors import Event, PosVendor


class PosTrial(Trial[PosVendor]):
    kind = "pos"
    path = f"/pos/{{name}}/{CAFE}/webhook"
    cafe = CAFE

    @staticmethod
    def table(vendor: Any) -> str:
        return str(vendor.table(CAFE))

    def order_id(self) -> str:
        """One that was never there."""
        return self.vendor.order_id(self.number())

    def event(self) -> Event:
        return self.vendor.paid(self.order_id(), "250.00")

    def effects(self) -> int:
        asked = sa.select(sa.func.count()).select_from(orders)
        return self.malva.database.read_now(lambda tx: tx.scalar(asked)) or 0

    def counted(self, order_id: str) -> sa.Row[Any]:
        """What was counted of the order (`total_minor`, `refunded_minor`), as soon as it is there:
        time goes on meanwhile, for what is tried again."""
        asked = orders.select().where(orders.c.order_id == order_id)

        def look() -> sa.Row[Any] | None:
            self.malva.clock.move(timedelta(seconds=1))
            return self.malva.database.read_now(lambda tx: tx.execute(asked).first())

        row = eventually(look, what=f"order {order_id}")
        assert row is not None
        return row

    # -- the adapter alone ---------------------------------------------------------------------

    def told(self, alone: Alone, event: Event) -> list[OrderPaid | OrderRefunded]:
        """What the adapter makes of a webhook, having asked the vendor where it has to."""
        found: list[OrderPaid | OrderRefunded] = []
        for one in alone.adapter.parse(self.webhook(event), CAFE):
            if isinstance(one, OrderPaid | OrderRefunded):
                found.append(one)
            else:
                found += alone.run(alone.adapter.fetch(CAFE, one.ref))
        return found

    def polls(self, alone: Alone, cursor: str | None, times: int) -> tuple[list[Any], str | None]:
        """So many polls, each with the cursor of the one before; all events, the last cursor."""
        found: list[Any] = []
        for _ in range(times):
            polled = alone.run(alone.adapter.poll(CAFE, cursor))
            found += polled.events
            cursor = polled.cursor
            alone.gateway.ahead += alone.adapter.poll_every
        return found, cursor
