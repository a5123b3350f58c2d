"""How far polling has come.

The vendor tells what was updated after a moment of its own clock, in a zone that it doesn't
declare. The one clock that we see there is `created_at`, the opening of an order, and nothing was
updated before it was opened: so the next poll asks from a while before the newest opening on, and
remembers what it told of that while.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

OVERLAP = timedelta(hours=1)
"""What is looked at twice: an update may become visible late."""
LONGEST = timedelta(days=1)
"""What could not be told waits so long for its turn; the first poll looks back as far."""
AHEAD = timedelta(hours=15)
"""A clock that shows more than any zone's is wrong, and would hide all that follows."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """`since` is on the vendor's clock; `orders` and `refunds` (by number and id) were told of
    since then; `seen` are paid orders that were not, with when they were first seen (Unix)."""

    since: datetime
    orders: frozenset[str] = frozenset()
    refunds: frozenset[str] = frozenset()
    seen: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str | None, now: datetime) -> Cursor:
        """The cursor of the last poll; where there is none, one to begin with."""
        try:
            kept = json.loads(text or "null")
            since = datetime.fromisoformat(kept["since"])
            return cls(since, frozenset(kept["orders"]), frozenset(kept["refunds"]), kept["seen"])
        except (ValueError, TypeError, KeyError):
            return cls(now.replace(tzinfo=None, microsecond=0) - LONGEST)

    def text(self) -> str:
        kept = {
            "since": asked(self.since),
            "orders": sorted(self.orders),
            "refunds": sorted(self.refunds),
            "seen": self.seen,
        }
        return json.dumps(kept, sort_keys=True)

    def is_due(self, order: str, held: timedelta, now: datetime) -> bool:
        """An order that has only just appeared is left to its webhook for so long: that one says
        which visit it belongs to."""
        seen = self.seen.get(order)
        return seen is not None and now.timestamp() - seen >= held.total_seconds()

    def after(
        self,
        *,
        openings: Iterable[Any],
        orders: frozenset[str],
        refunds: frozenset[str],
        waiting: Iterable[str],
        complete: bool,
        now: datetime,
    ) -> Cursor:
        """The next one. `openings`: the `created_at` of what was found; `orders`, `refunds`: what
        of it needs no telling any more; `waiting`: the orders that do. Not `complete`: something
        could not be told and has to be looked at again."""
        latest = now.replace(tzinfo=None) + AHEAD
        known = [opened for text in openings if (opened := moment(text)) and opened <= latest]
        since = self.since
        if known:
            since = max(since, max(known) - (OVERLAP if complete else LONGEST))
        seen = {number: self.seen.get(number, now.timestamp()) for number in waiting}
        return Cursor(since, orders, refunds, seen)


def asked(since: datetime) -> str:
    """As the vendor's own times look."""
    return since.strftime("%Y-%m-%d %H:%M:%S")


def moment(text: Any) -> datetime | None:
    """A time of the vendor's, without its zone; None where it is none."""
    try:
        return datetime.fromisoformat(str(text)).replace(tzinfo=None)
    except ValueError:
        return None
