"""A shop with rewards, and short words for what happens at its counter."""

import itertools

import sqlalchemy as sa

from core.domain.roles import Member
from core.services import counter, ledger, redemptions, rewards, spending
from core.services.devices import Device
from core.services.till_sessions import TillSession
from core.services.tills import Till
from core.storage import tables
from core.storage.tx import Tx
from tests.support.shop import KEYS, MINUTE, NOW, Shop


class Counter(Shop):
    """`cake` costs 100 points, `coffee` 40. Times are minutes after NOW."""

    def __init__(self, tx: Tx, slug: str = "bife") -> None:
        super().__init__(tx, slug)
        mine = tables.rewards.c.programme_id == self.cafe.programme_id
        tx.execute(sa.delete(tables.rewards).where(mine))
        self.till, self.other = Till(self.bar, "Bar", self.cafe), Till(self.door, "Door", self.cafe)
        self.cake, self.coffee = self.reward("Cake", 100), self.reward("Coffee", 40)
        self._numbers = itertools.count(1)

    def reward(self, name: str, cost: int, **terms) -> int:
        values = {"programme_id": self.cafe.programme_id, "names": {"en": name}, "cost": cost}
        query = sa.insert(tables.rewards).values(**values, **terms)
        return self.tx.scalar(query.returning(tables.rewards.c.id))

    def give(self, guest: int, points: int, minute: float = 0) -> int:
        """Points out of nothing, or (below zero) into it; the new balance."""
        return ledger.add_entry(
            self.tx,
            guest_id=guest,
            programme_id=self.cafe.programme_id,
            cafe_id=self.cafe.id,
            kind="opening",
            reference=f"test:{self.cafe.slug}:{next(self._numbers)}",
            points=points,
            because=[],
            now=NOW + minute * MINUTE,
        )

    def collector(self, points: int = 1000, name: str = "Ana", **known) -> int:
        guest = self.guest(name, **known)
        self.give(guest, points)
        return guest

    def pick(self, guest: int, *reward_ids: int, minute: float = 0) -> redemptions.Redemption:
        return redemptions.pick(
            self.tx,
            guest_id=guest,
            programme_id=self.cafe.programme_id,
            reward_ids=reward_ids or (self.cake,),
            keys=KEYS,
            now=NOW + minute * MINUTE,
        )

    def scan(self, shown, minute: float = 0, till: Till | None = None, **more):
        """By QR where `shown` is a redemption, else by what is typed."""
        qr = getattr(shown, "qr", None)
        proof, text = ("qr", qr) if qr else ("code", shown)
        now = NOW + minute * MINUTE
        return counter.scan(
            self.tx, till=till or self.till, **{"proof": proof, "text": text, "now": now, **more}
        )

    def start(self, visit: str, *reward_ids: int, minute: float = 0) -> counter.Picked:
        ids = [str(one) for one in reward_ids or (self.cake,)]
        now = NOW + minute * MINUTE
        return counter.start(self.tx, till=self.till, visit=visit, reward_ids=ids, now=now)

    def confirm(
        self, public_id: str, key: str = "k", minute: float = 0, till: Till | None = None
    ) -> dict:
        now = NOW + minute * MINUTE
        return counter.confirm(
            self.tx, till=till or self.till, public_id=public_id, key=key, now=now
        )

    def cancel(self, public_id: str, minute: float = 0) -> counter.Ended:
        now = NOW + minute * MINUTE
        return counter.cancel(self.tx, till=self.till, public_id=public_id, now=now)

    def answer(self, guest: int, public_id: str, yes: bool, minute: float = 0):
        return redemptions.answer(self.tx, guest, public_id, yes, NOW + minute * MINUTE)

    def available(self, guest: int, minute: float = 0) -> int:
        now = NOW + minute * MINUTE
        return spending.available(self.tx, guest, self.cafe.programme_id, now)

    def status(self, public_id: str) -> str:
        r = tables.redemptions.c
        return self.tx.scalar(sa.select(r.status).where(r.public_id == public_id))

    def seat(self, login: str = "cica", role: str = "cashier") -> TillSession:
        """Somebody signed in at the till `Bar`."""
        staff = {"login": login, "name": login.title(), "role": role, "password_hash": ""}
        query = sa.insert(tables.staff).values(**staff, created_at=NOW).returning(tables.staff.c.id)
        cafes = frozenset({self.cafe.id})
        member = Member(self.tx.scalar(query), login, login.title(), role, cafes)
        return TillSession(1, member, Device(1, "Tablet", self.till), csrf="", stale=False)

    def log(self) -> list[str]:
        e = tables.event_log.c
        query = sa.select(e.kind).where(e.kind.startswith("redeem_")).order_by(e.id)
        return list(self.tx.execute(query).scalars())

    def offers(self, guest: int, minute: float = 0) -> dict[str, rewards.Offered]:
        now = NOW + minute * MINUTE
        found = rewards.offers(self.tx, guest, self.cafe.programme_id, now)
        return {one.names["en"]: one for one in found}

    def kinds(self, guest: int) -> list[str]:
        return [kind for kind, _ in self.notices(guest)]
