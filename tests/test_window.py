"""A messenger that takes messages only for a while after the guest's own word: what waits, what is
dropped, what is sent again, on both databases."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from core.bell import Bell
from core.contract import Capabilities, Inbound, Pace, Receipt, Said, Sender, SendError, Sent
from core.holding import Holder
from core.keys import Keys
from core.outbox import Outbox
from core.outbox.outcomes import give_up_others
from core.services import cafes, contacts, guests, notices, receipts, window
from core.storage.database import Database
from core.storage.tables import contacts as chats
from core.storage.tables import event_log
from core.storage.tables import messages as rows
from core.talk import House, talk

pytestmark = pytest.mark.anyio

DAY = timedelta(hours=24)
KEYS = Keys(Keys.generate())
HOUSE = House("BIFE", "http://here", KEYS)
CAPABILITIES = Capabilities(
    options=10,
    text_length=1600,
    caption_length=1024,
    window=DAY,
    pace=Pace(1e6, 1000),
    chat_pace=Pace(1e6, 100),
)


@dataclass
class Messenger:
    """Takes messages in the window, by its own clock (`closed`: whatever ours says); outside it
    those of `templates`. `late`: it says so only afterwards, by a receipt."""

    templates: tuple[str, ...] = ()
    closed: bool = False
    late: bool = False
    capabilities: Capabilities = CAPABILITIES
    sent: list[tuple[str, str, bool]] = field(default_factory=list)
    refused: int = 0

    async def send(self, delivery):
        kind, is_open = delivery.message.kind, delivery.window_open and not self.closed
        if not (is_open or kind in self.templates or self.late):
            self.refused += 1
            raise SendError("63016", window_closed=True)
        self.sent.append((kind, delivery.message.text, delivery.window_open))
        return Sent(f"p{len(self.sent)}")


@dataclass
class Shop:
    database: Database
    messenger: Messenger
    now: datetime = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def clock(self) -> datetime:
        """No two things happen at the same moment."""
        self.now += timedelta(microseconds=1)
        return self.now

    async def add_guest(self) -> None:
        def add(tx):
            cafe = cafes.add(tx, "bife", "BIFE", "RSD", "Europe/Belgrade", self.now)
            self.guest_id = guests.add(
                tx, name="Ana", language="en", cafe_id=cafe, keys=KEYS, now=self.now
            )
            chat = contacts.hear(tx, "chat", Sender("ana"), self.now)
            contacts.save(tx, chat, None, self.now)
            contacts.give(tx, chat.id, self.guest_id)

        await self.database.write(add)

    async def earns(self, points: int, balance: int) -> int:
        facts = {
            "cafe": "BIFE",
            "points": points,
            "unit": "points",
            "balance": balance,
            "because": [
                {"rule": "spend", "spent_minor": 45000, "currency": "RSD", "points": points}
            ],
        }
        id_ = await self.database.write(
            notices.notify, self.guest_id, "points_earned", facts, self.clock()
        )
        assert id_ is not None
        return id_

    async def says(self, text: str, event_id: str = "") -> None:
        event = Inbound(event_id=event_id or text, sender=Sender("ana"), content=Said(text))
        await self.database.write(talk, "chat", CAPABILITIES, event, HOUSE, self.clock())

    async def told(self, status: str, provider_id: str, **failure: bool) -> None:
        receipt = Receipt(event_id="e", provider_id=provider_id, status=status, **failure)
        await self.database.write(receipts.take, "chat", receipt, self.clock())

    async def status(self, id_: int) -> str:
        return await self.database.read(
            lambda tx: tx.scalar(sa.select(rows.c.status).where(rows.c.id == id_))
        )

    async def until_status(self, id_: int, status: str) -> None:
        async with asyncio.timeout(8):
            while await self.status(id_) != status:
                await asyncio.sleep(0.01)

    async def until_sent(self, count: int) -> None:
        async with asyncio.timeout(8):
            while len(self.messenger.sent) < count:
                await asyncio.sleep(0.01)

    async def log(self) -> list[str]:
        """What the event log says of messages."""
        kinds = sa.select(event_log.c.kind).where(event_log.c.kind.startswith("message_"))
        return await self.database.read(lambda tx: list(tx.execute(kinds).scalars()))


@asynccontextmanager
async def running(url: str, messenger: Messenger):
    database = Database(url)
    shop = Shop(database, messenger)
    bell = Bell(database)
    bell.start()
    outbox = Outbox(
        database,
        {"chat": messenger},
        bell=bell,
        holder=Holder(database, lambda: datetime.now(UTC)),
        keys=KEYS,
        public_url="http://here",
        clock=shop.clock,
    )
    try:
        await shop.add_guest()
        outbox.start()
        yield shop
    finally:
        await outbox.stop()
        await bell.stop()
        database.close()


@pytest.fixture
def messenger() -> Messenger:
    return Messenger()


@pytest.fixture
async def shop(database_url, messenger):
    async with running(database_url, messenger) as shop:
        yield shop


HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("heard_at", "closed_at", "lasts", "is_open"),
    [
        (None, None, None, True),  # most messengers have no window
        (NOON - 48 * HOUR, NOON, None, True),
        (None, None, DAY, False),
        (NOON - 23 * HOUR, None, DAY, True),
        (NOON - DAY, None, DAY, False),
        (NOON - 2 * HOUR, NOON - HOUR, DAY, False),  # the provider's clock wins
        (NOON - HOUR, NOON - 2 * HOUR, DAY, True),  # and a word opens it again
    ],
)
def test_the_window(heard_at, closed_at, lasts, is_open) -> None:
    assert window.is_open(heard_at, closed_at, lasts, NOON) is is_open


async def test_within_a_day_of_the_guests_word_everything_leaves(shop, messenger) -> None:
    shop.now += 23 * HOUR
    await shop.earns(450, 450)
    await shop.until_sent(1)
    assert messenger.sent[0][2] is True


async def test_a_notice_outside_the_window_leaves_as_a_template(shop, messenger) -> None:
    messenger.templates = ("points_earned",)
    shop.now += 25 * HOUR
    await shop.earns(450, 450)
    await shop.until_sent(1)
    assert messenger.sent[0][0] == "points_earned"
    assert messenger.sent[0][2] is False


async def test_what_waited_leaves_with_the_guests_next_word_once_and_as_one(
    shop, messenger
) -> None:
    shop.now += 25 * HOUR
    for points, balance in ((450, 450), (85, 535), (40, 575)):
        await shop.until_status(await shop.earns(points, balance), "waiting")
    assert await shop.log() == ["message_waits"] * 3
    assert messenger.sent == []

    shop.now += 48 * HOUR
    await shop.says("hi")
    await shop.until_sent(2)
    answer, waited = messenger.sent
    assert answer[0] == "reply", "the answer comes first"
    assert waited[0] == "waited"
    text = waited[1]
    assert [text.count(f"BIFE: +{points}") for points in (450, 85, 40)] == [1, 1, 1]
    assert text.count("Balance:") == 1
    assert "575" in text

    await shop.says("hi again")
    await shop.until_sent(3)
    assert [kind for kind, _, _ in messenger.sent] == ["reply", "waited", "reply"]


async def test_what_is_stale_later_is_dropped_with_an_entry(shop, messenger) -> None:
    messenger.closed = True
    await shop.says("menu")
    async with asyncio.timeout(8):
        while "message_failed" not in await shop.log():
            await asyncio.sleep(0.01)
    messenger.closed = False
    await shop.says("help")
    await shop.until_sent(1)
    assert len(messenger.sent) == 1, "an answer of yesterday is no answer"


async def test_the_provider_says_so_at_once_and_is_not_asked_again(shop, messenger) -> None:
    messenger.closed = True
    await shop.until_status(await shop.earns(450, 450), "waiting")
    messenger.closed = False
    await shop.until_status(await shop.earns(85, 535), "waiting")
    assert messenger.refused == 2
    assert messenger.sent == [], "the window is known to be closed"


async def test_the_provider_says_so_afterwards(shop, messenger) -> None:
    messenger.templates, messenger.late = ("points_earned",), True
    id_ = await shop.earns(450, 450)
    await shop.until_status(id_, "sent")
    shop.now += timedelta(seconds=1)
    await shop.told("failed", "p1", window_closed=True)
    await shop.until_sent(2)
    assert [is_open for _, _, is_open in messenger.sent] == [True, False]
    await shop.until_status(id_, "sent")
    await shop.told("delivered", "p2")
    assert await shop.status(id_) == "delivered"


async def test_a_template_that_is_refused_too_waits_instead_of_going_round(shop, messenger) -> None:
    messenger.templates, messenger.late = ("points_earned",), True
    id_ = await shop.earns(450, 450)
    await shop.until_status(id_, "sent")
    shop.now += timedelta(seconds=1)
    await shop.told("failed", "p1", window_closed=True)
    await shop.until_sent(2)
    await shop.until_status(id_, "sent")
    shop.now += timedelta(seconds=1)
    await shop.told("failed", "p2", window_closed=True)
    assert await shop.status(id_) == "waiting"
    assert await shop.log() == ["message_waits"]


async def test_it_may_be_told_before_the_send_call_returned(shop, messenger) -> None:
    messenger.templates, messenger.late = ("points_earned",), True
    shop.now += timedelta(seconds=1)
    await shop.told("failed", "p1", window_closed=True)
    id_ = await shop.earns(450, 450)
    await shop.until_sent(2)
    await shop.until_status(id_, "sent")
    assert messenger.sent[1][2] is False


async def test_a_failure_that_passes_is_tried_again_once_for_all_its_receipts(
    shop, messenger
) -> None:
    id_ = await shop.earns(450, 450)
    await shop.until_status(id_, "sent")
    for _ in range(3):
        await shop.told("failed", "p1", retryable=True)
    assert await shop.status(id_) == "queued"
    shop.now += timedelta(minutes=1)
    await shop.until_sent(2)
    await shop.until_status(id_, "sent")
    await shop.told("sent", "p1")
    await shop.told("read", "p2")
    assert await shop.status(id_) == "read"


async def test_what_has_arrived_is_never_sent_again(shop, messenger) -> None:
    id_ = await shop.earns(450, 450)
    await shop.until_status(id_, "sent")
    await shop.told("delivered", "p1")
    await shop.told("failed", "p1", retryable=True)
    await shop.told("failed", "p1", window_closed=True)
    assert await shop.status(id_) == "delivered"


async def test_whoever_is_gone_is_told_nothing_of_what_waited(shop, messenger) -> None:
    shop.now += 25 * HOUR
    id_ = await shop.earns(450, 450)
    await shop.until_status(id_, "waiting")
    contact_id = await shop.database.read(lambda tx: tx.scalar(sa.select(chats.c.id)))
    await shop.database.write(receipts.gone, contact_id, shop.now)
    await shop.says("hi")
    await shop.until_sent(1)
    assert [kind for kind, _, _ in messenger.sent] == ["reply"]


async def test_who_never_writes_is_given_up_after_a_month_with_an_entry(shop) -> None:
    shop.now += 25 * HOUR
    id_ = await shop.earns(450, 450)
    await shop.until_status(id_, "waiting")
    await shop.database.write(give_up_others, ["chat"], shop.now + timedelta(days=29))
    assert await shop.status(id_) == "waiting"
    await shop.database.write(give_up_others, ["chat"], shop.now + window.KEPT)
    assert await shop.status(id_) == "expired"
    assert (await shop.log())[-1] == "message_given_up"


async def test_a_word_at_the_very_moment_of_the_refusal_loses_nothing(shop, messenger) -> None:
    """The guest writes while the message is on its way out: it goes out with the open window."""
    arrived = asyncio.Event()
    plain_send = messenger.send

    async def send_slowly(delivery):
        if not delivery.window_open:
            arrived.set()
            await heard.wait()
        return await plain_send(delivery)

    heard = asyncio.Event()
    messenger.send = send_slowly
    shop.now += 25 * HOUR
    id_ = await shop.earns(450, 450)
    await arrived.wait()
    await shop.says("hi")
    heard.set()
    await shop.until_sent(2)
    await shop.until_status(id_, "sent")
    assert sorted(kind for kind, _, _ in messenger.sent) == ["points_earned", "reply"]
