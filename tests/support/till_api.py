"""A cafe with a till, reached through the till API as a till reaches it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from httpx2 import Response
from starlette.applications import Starlette
from starlette.testclient import TestClient

from core.api import routes
from core.keys import Keys
from core.services import cafes, cards, guests, redemptions, tills
from core.storage import tables
from core.storage.database import Database

NOW = datetime(2026, 11, 22, 12, 0, 10, tzinfo=UTC)
PHONE = "+381601234567"
KEYS = Keys(Keys.generate())


class TillApi:
    """`now` is what the server's clock shows; `token` is that of the till Bar."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = NOW
        self.app = Starlette(routes=routes(database, lambda: self.now))
        self.client = TestClient(self.app)
        self.cafe_id = database.write_now(cafes.add, "bife", "BIFE", "RSD", "Europe/Belgrade", NOW)
        self.token = self.till("Bar")

    def till(self, name: str, cafe: str = "bife") -> str:
        return self.database.write_now(tills.add, cafe, name, None, NOW)

    def guest(self, name: str = "Ana", **known) -> int:
        facts = {"language": "en", "cafe_id": self.cafe_id, "keys": KEYS, "now": NOW, **known}
        return self.database.write_now(guests.add, name=name, **facts)

    def card(self, guest_id: int) -> cards.Card:
        return self.database.write_now(cards.lease_code, guest_id, KEYS, self.now)

    def visit(self, guest_id: int, token: str | None = None) -> str:
        """The guest shows a card, and the till scans it."""
        qr = self.card(guest_id).qr
        return self.post("identify", {"qr": qr}, token=token).json()["visit"]

    def post(
        self, path: str, body, *, key: str | None = None, token: str | None = None, **headers: str
    ) -> Response:
        """`body` as JSON, or bytes as they are; `headers` with `_` for `-`."""
        sent = {"Authorization": f"Bearer {token or self.token}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            sent["Idempotency-Key"] = key
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        return self.client.post(f"/api/v1/{path}", headers=sent, **content)

    def order(self, order_id: str = "o1", *, key: str | None = None, **more) -> Response:
        """Reports a paid order of 450.00, or of what `more` says."""
        body = {"order_id": order_id, "total": "450.00", "currency": "RSD", **more}
        return self.post("orders", body, key=key or f"key of {order_id}")

    def refund(self, order_id: str = "o1", refund_id: str = "r1", **more) -> Response:
        body = {"refund_id": refund_id, **more}
        return self.post(f"orders/{order_id}/refunds", body, key=f"key of {refund_id}")

    def claim(self, visit: str, order_id: str = "o1") -> Response:
        return self.post(f"orders/{order_id}/claim", {"visit": visit})

    def reward(self, name: str = "Cake", cost: int = 100, **terms) -> str:
        values = {"names": {"en": name}, "cost": cost, **terms}

        def add(tx) -> int:
            programme = tx.scalar(sa.select(tables.cafes.c.programme_id))
            query = sa.insert(tables.rewards).values(**values, programme_id=programme)
            return tx.scalar(query.returning(tables.rewards.c.id))

        return str(self.database.write_now(add))

    def collector(self, total: str = "450.00", **known) -> int:
        """A guest who has as many points, for an order."""
        guest = self.guest(**known)
        self.order(f"of {guest}", total=total, visit=self.visit(guest))
        return guest

    def pick(self, guest_id: int, *reward_ids: str) -> redemptions.Redemption:
        """The guest picks, on their phone."""

        def pick(tx) -> redemptions.Redemption:
            return redemptions.pick(
                tx,
                guest_id=guest_id,
                programme_id=tx.scalar(sa.select(tables.cafes.c.programme_id)),
                reward_ids=[int(one) for one in reward_ids],
                keys=KEYS,
                now=self.now,
            )

        return self.database.write_now(pick)

    def answer(self, guest_id: int, redemption_id: str, yes: bool) -> None:
        """The guest answers in the messenger."""
        self.database.write_now(redemptions.answer, guest_id, redemption_id, yes, self.now)

    def redeem(self, *, token: str | None = None, **body) -> Response:
        return self.post("redemptions", body, token=token)

    def confirm(self, redemption_id: str, key: str = "k", token: str | None = None) -> Response:
        return self.post(f"redemptions/{redemption_id}/confirm", {}, key=key, token=token)

    def cancel(self, redemption_id: str) -> Response:
        return self.post(f"redemptions/{redemption_id}/cancel", {})

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)

    def count(self, table: sa.Table) -> int:
        query = sa.select(sa.func.count()).select_from(table)
        return self.database.read_now(lambda tx: tx.scalar(query))

    def log(self) -> list[str]:
        query = sa.select(tables.event_log.c.kind)
        return self.database.read_now(lambda tx: list(tx.execute(query).scalars()))


def error(response: Response) -> tuple[int, str]:
    """Status and code of a refusal, which has a message for a person too."""
    fault = response.json()["error"]
    assert set(fault) == {"code", "message"}
    assert fault["message"]
    return response.status_code, fault["code"]


@contextmanager
def serving(url: str) -> Iterator[TillApi]:
    """The till API on the database at `url`."""
    database = Database(url)
    try:
        yield TillApi(database)
    finally:
        database.close()
