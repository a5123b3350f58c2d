"""Every table. Services write them through SQLAlchemy Core (`orders.c.points`), never a session.

Money columns end in `_minor` (whole minor units), points are integers, times are UTC. No file
is named like a table: `orders` is the table, `order.py` where it stands.
"""

from core.storage.tables.bonus import bonus_rules, bonus_uses
from core.storage.tables.business import cafes, products, programmes
from core.storage.tables.counter import devices, leases, tills, visits, wrong_codes
from core.storage.tables.employee import (
    alarms,
    staff,
    staff_cafes,
    staff_codes,
    staff_contacts,
    staff_sessions,
)
from core.storage.tables.guest import (
    contacts,
    guests,
    imported_guests,
    invitations,
    memberships,
    one_time_codes,
    referrals,
)
from core.storage.tables.machinery import event_log, holds, kept, tasks
from core.storage.tables.message import early_receipts, messages, seen_events
from core.storage.tables.order import order_lines, orders, refunds
from core.storage.tables.points import accounts, ledger_entries, lot_uses, lots
from core.storage.tables.reward import (
    pictures,
    redemption_items,
    redemptions,
    reward_costs,
    rewards,
)

__all__ = [
    "accounts",
    "alarms",
    "bonus_rules",
    "bonus_uses",
    "cafes",
    "contacts",
    "devices",
    "early_receipts",
    "event_log",
    "guests",
    "holds",
    "imported_guests",
    "invitations",
    "kept",
    "leases",
    "ledger_entries",
    "lot_uses",
    "lots",
    "memberships",
    "messages",
    "one_time_codes",
    "order_lines",
    "orders",
    "pictures",
    "products",
    "programmes",
    "redemption_items",
    "redemptions",
    "referrals",
    "refunds",
    "reward_costs",
    "rewards",
    "seen_events",
    "staff",
    "staff_cafes",
    "staff_codes",
    "staff_contacts",
    "staff_sessions",
    "tasks",
    "tills",
    "visits",
    "wrong_codes",
]
