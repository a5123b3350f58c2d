"""Whose a refund is: it names its order by a number of its own, which no order shows."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from urllib.parse import quote

from malva import FetchError, OrderRefunded
from pos.octopos.api import AT_ONCE, Api
from pos.octopos.rows import Row, money, refund_amount, refund_id, rows

log = logging.getLogger(__name__)

Orders = Callable[[], Awaitable[Mapping[str, Row]]]

MOST_ASKED = 200
"""Orders that are asked in one poll which refunds they have."""


class Refunds:
    """An order's own list of refunds is the only place that says what belongs to it."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._tries: Counter[str] = Counter()

    async def events(
        self, refunds: Mapping[str, Row], orders: Mapping[str, Row], older: Orders
    ) -> list[OrderRefunded]:
        """Those of `refunds` (by id) whose order is found among `orders` (by number), or among the
        `older` ones, which are asked for then. The others are looked for again at their 2nd, 4th,
        8th … poll."""
        wanted = set()
        for refund in refunds:
            self._tries[refund] += 1
            if self._tries[refund].bit_count() == 1:
                wanted.add(refund)
        found = await self._orders_of(wanted, _candidates([refunds[r] for r in wanted], orders))
        if missing := wanted - found.keys():
            left = {n: order for n, order in (await older()).items() if n not in orders}
            found |= await self._orders_of(
                missing, _candidates([refunds[r] for r in missing], left)
            )
        for refund in wanted - found.keys():
            log.warning("octopos: refund %s: no order lists it", refund)
        for refund in found:
            self._tries.pop(refund, None)
        return [
            OrderRefunded(
                order_id=found[refund], refund_id=refund, amount=refund_amount(refunds[refund])
            )
            for refund in refunds
            if refund in found
        ]

    async def _orders_of(self, wanted: set[str], numbers: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for start in range(0, len(numbers), AT_ONCE):
            if wanted <= found.keys():
                break
            asked = numbers[start : start + AT_ONCE]
            for number, listed in zip(asked, await self._lists(asked), strict=True):
                found |= {refund_id(row): number for row in listed}
        return {refund: number for refund, number in found.items() if refund in wanted}

    async def _lists(self, numbers: Iterable[str]) -> list[list[Row]]:
        async def listed(number: str) -> list[Row]:
            path = f"/refunds?order_number={quote(number, safe='')}"
            return list(rows(await self._api.get(path, missing=[])))

        return await asyncio.gather(*map(listed, numbers))


def _candidates(refunds: Sequence[Row], orders: Mapping[str, Row]) -> list[str]:
    """Numbers of orders that may be meant, the newest first. The refund's own number is tried too,
    and believed only if the order that goes by it lists the refund."""
    if not refunds:
        return []
    least = min(refund_amount(row) for row in refunds)
    newest = sorted(orders, key=lambda number: str(orders[number].get("created_at")), reverse=True)
    same = [str(row["order_id"]) for row in refunds if row.get("order_id") is not None]
    large = [number for number in newest if _may_be_of(orders[number], least)]
    return list(dict.fromkeys([*same, *large]))[:MOST_ASKED]


def _may_be_of(order: Row, amount: Decimal) -> bool:
    """A refund is never of more than its order."""
    try:
        return money(order.get("total_paid"), "total_paid") >= amount
    except FetchError:
        return True
