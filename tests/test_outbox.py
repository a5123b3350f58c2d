"""The outbox: order, lanes, pace, retries, giving up, take-overs, on both databases."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from core.bell import Bell
from core.contract import Capabilities, Outbound, Pace, Receipt, SendError, Sent
from core.holding import Holder
from core.keys import Keys
from core.outbox import Outbox
from core.outbox.claim import claim
from core.services import messages, receipts
from core.services.messages import ANSWER, CAMPAIGN, NOTIFICATION, RENEWAL
from core.storage.database import Database
from core.storage.tables import contacts, event_log
from core.storage.tables import messages as rows

pytestmark = pytest.mark.anyio

FAST = Capabilities(
    options=8, text_length=4096, caption_length=1024, pace=Pace(1e6, 1000), chat_pace=Pace(1e6, 100)
)
KEYS = Keys(Keys.generate())


@dataclass
class Chat:
    """A messenger that takes down what it is sent. `trouble` by text: errors for the next sends,
    or events that a send waits for."""

    capabilities: Capabilities = FAST
    sent: list[tuple[str, str]] = field(default_factory=list)
    deliveries: list = field(default_factory=list)
    trouble: dict[str, list] = field(default_factory=dict)

    async def send(self, delivery):
        self.deliveries.append(delivery)
        waiting = self.trouble.get(delivery.message.text)
        if waiting:
            trouble = waiting.pop(0)
            if isinstance(trouble, asyncio.Event):
                await trouble.wait()
            else:
                raise trouble
        self.sent.append((delivery.address, delivery.message.text))
        return Sent(f"p{delivery.id}")

    def texts(self):
        return [text for _, text in self.sent]


@dataclass
class Clock:
    """Real time that can be moved on."""

    ahead: timedelta = timedelta(0)

    def __call__(self):
        return datetime.now(UTC) + self.ahead


@dataclass
class Node:
    database: Database
    chat: Chat
    clock: Clock
    outbox: Outbox
    bell: Bell

    async def put(self, text, *, to="ana", lane=ANSWER, **more):
        def put(tx, now):
            return messages.put(
                tx,
                contact_id=contact(tx, to, now),
                channel="chat",
                lane=lane,
                kind="reply",
                body=messages.to_json(Outbound(text=text)),
                now=now,
                **more,
            )

        return await self.database.write(put, self.clock())

    async def row(self, id_):
        return await self.database.read(
            lambda tx: tx.execute(sa.select(rows).where(rows.c.id == id_)).one()
        )

    async def until(self, condition, seconds=8.0):
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)

    async def until_status(self, id_, status, seconds=8.0):
        async with asyncio.timeout(seconds):
            while (row := await self.row(id_)).status != status:
                await asyncio.sleep(0.01)
        return row

    async def log(self):
        return await self.database.read(
            lambda tx: [row.kind for row in tx.execute(sa.select(event_log))]
        )


def contact(tx, address, now):
    found = tx.scalar(sa.select(contacts.c.id).where(contacts.c.address == address))
    return found or tx.scalar(
        sa.insert(contacts)
        .values(channel="chat", address=address, stored=0, created_at=now)
        .returning(contacts.c.id)
    )


@asynccontextmanager
async def running(url, chat, clock, *, start=True):
    database = Database(url)
    bell = Bell(database)
    bell.start()
    outbox = Outbox(
        database,
        {"chat": chat},
        bell=bell,
        holder=Holder(database, clock),
        keys=KEYS,
        public_url="http://here",
        clock=clock,
    )
    try:
        if start:
            outbox.start()
        yield Node(database, chat, clock, outbox, bell)
    finally:
        await outbox.stop()
        await bell.stop()
        database.close()


@pytest.fixture
def chat():
    return Chat()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def node(database_url, chat, clock):
    async with running(database_url, chat, clock) as node:
        yield node


async def test_a_reply_leaves_at_once_and_is_marked(node, chat):
    id_ = await node.put("hello")
    row = await node.until_status(id_, "sent", seconds=0.9)  # before the next look at the table
    assert (row.provider_id, row.attempts, row.uncertain) == (f"p{id_}", 1, False)
    assert chat.sent == [("ana", "hello")]


async def test_answers_of_one_guest_keep_their_order_through_a_retry(node, chat):
    chat.trouble["one"] = [SendError("503", retryable=True, retry_after=0.2)]
    for text in ("one", "two", "three"):
        await node.put(text)
    await node.put("other", to="boris")
    await node.until(lambda: len(chat.sent) == 4)
    assert chat.sent[0] == ("boris", "other")
    assert chat.texts()[1:] == ["one", "two", "three"]


async def test_no_answer_waits_for_another_lanes_retry(node, chat):
    chat.trouble["offer"] = [SendError("slow down", retryable=True, retry_after=1.0)]
    offer = await node.put("offer", lane=CAMPAIGN)
    await node.until(lambda: chat.deliveries)
    await node.put("answer")
    await node.until(lambda: chat.sent, seconds=0.9)
    assert chat.texts() == ["answer"]
    assert (await node.row(offer)).status != "sent"
    await node.until_status(offer, "sent")


async def test_a_pause_of_one_chat_holds_its_less_urgent_messages_too(node, chat):
    chat.trouble["answer"] = [SendError("slow down", retryable=True, retry_after=0.5)]
    await node.put("answer")
    await node.until(lambda: chat.deliveries)
    await node.put("notice", lane=NOTIFICATION)
    await node.put("elsewhere", to="boris")
    await node.until(lambda: len(chat.sent) == 3)
    assert chat.texts()[0] == "elsewhere"
    assert [d.message.text for d in chat.deliveries].count("notice") == 1


async def test_retry_after_for_the_channel_stops_everything_for_that_long(node, chat):
    chat.trouble["one"] = [SendError("429", retryable=True, retry_after=0.6, channel_wide=True)]
    await node.put("one")
    await node.until(lambda: chat.deliveries)
    paused = asyncio.get_running_loop().time()
    await node.put("two", to="boris")
    await node.until(lambda: len(chat.sent) == 2)
    assert asyncio.get_running_loop().time() - paused >= 0.5


async def test_a_send_that_hangs_stops_nobody_else(node, chat):
    chat.trouble["hangs"] = [hanging := asyncio.Event()]
    hung = await node.put("hangs")
    later = await node.put("behind it")
    for n in range(40):
        await node.put(f"{n}", to=f"guest {n}")
    await node.until(lambda: len(chat.sent) == 40)
    assert (await node.row(hung)).status == "sending"
    assert (await node.row(later)).status == "queued"
    hanging.set()
    await node.until_status(later, "sent")


async def test_a_campaign_that_hangs_leaves_room_for_answers(node, chat):
    hanging = asyncio.Event()
    for n in range(60):
        chat.trouble[f"offer {n}"] = [hanging]
        await node.put(f"offer {n}", to=f"guest {n}", lane=CAMPAIGN)
    await node.until(lambda: len(chat.deliveries) >= 24)
    await node.put("answer", to="zoe")
    await node.until(lambda: chat.sent, seconds=0.9)
    assert chat.texts() == ["answer"]
    hanging.set()
    await node.until(lambda: len(chat.sent) == 61)


async def test_answers_overtake_what_waits_for_the_pace(database_url, clock):
    slow = Chat(Capabilities(options=1, text_length=9, caption_length=9, pace=Pace(20, 8)))
    async with running(database_url, slow, clock, start=False) as node:
        for n in range(12):
            await node.put("offer", to=f"guest {n}", lane=CAMPAIGN)
        node.outbox.start()
        await node.until(lambda: len(slow.sent) >= 6)
        await node.put("answer", to="zoe")
        await node.until(lambda: "answer" in slow.texts())
        assert slow.texts().index("answer") <= 9
        await node.until(lambda: len(slow.sent) == 13)


async def test_the_pace_of_a_chat_is_a_bucket(database_url, clock):
    slow = Chat(
        Capabilities(
            options=1, text_length=9, caption_length=9, chat_pace=Pace(per_second=5, burst=3)
        )
    )
    async with running(database_url, slow, clock) as node:
        began = asyncio.get_running_loop().time()
        for n in range(5):
            await node.put(str(n))
        await node.until(lambda: len(slow.sent) == 3)  # and then it holds its breath
        await node.until(lambda: len(slow.sent) == 5)
        assert slow.texts() == list("01234")
        assert asyncio.get_running_loop().time() - began >= 0.35


async def test_final_errors_fail_and_are_logged_and_the_next_goes_out(node, chat):
    chat.trouble["bad"] = [SendError("400: chat not found")]
    bad = await node.put("bad")
    good = await node.put("good")
    await node.until_status(good, "sent")
    assert (await node.row(bad)).status == "failed"
    assert (await node.row(bad)).error == "400: chat not found"
    assert await node.log() == ["message_failed"]


async def test_a_guest_who_blocked_us_gets_nothing_more(node, chat):
    chat.trouble["one"] = [SendError("403: blocked", contact_gone=True)]
    first = await node.put("one")
    second = await node.put("two", lane=NOTIFICATION, due_at=node.clock() + timedelta(hours=1))
    await node.until_status(first, "failed")
    assert (await node.row(second)).status == "cancelled"
    third = await node.put("three", lane=NOTIFICATION)
    await node.until_status(third, "cancelled")
    assert chat.sent == []


async def test_a_message_is_given_up_after_a_day_and_that_is_logged(node, chat, clock):
    chat.trouble["late"] = [SendError("503", retryable=True)] * 99
    id_ = await node.put("late")
    await node.until(lambda: chat.deliveries)
    clock.ahead = timedelta(hours=23, minutes=59, seconds=59)
    row = await node.until_status(id_, "expired")
    assert row.error == "503"
    assert await node.log() == ["message_given_up"]


async def test_what_expired_is_not_sent_and_a_renewal_not_missed(node, chat):
    past = node.clock() - timedelta(seconds=1)
    old = await node.put("old", lane=RENEWAL, due_at=past, expires_at=past)
    await node.until_status(old, "expired")
    assert chat.sent == []
    assert await node.log() == []


async def test_an_uncertain_send_is_repeated_and_marked(node, chat):
    chat.trouble["maybe"] = [SendError("time-out", retryable=True, uncertain=True)]
    id_ = await node.put("maybe")
    row = await node.until_status(id_, "sent")
    assert row.uncertain
    assert row.attempts == 2


async def test_an_adapter_that_breaks_is_tried_a_few_times_only(node, chat):
    chat.trouble["bug"] = [RuntimeError("a bug")] * 9
    id_ = await node.put("bug")
    await node.until(lambda: chat.deliveries)
    assert (await node.row(id_)).status in ("queued", "sending")


async def test_a_message_that_cant_be_put_into_words_fails_alone(node, chat):
    def broken(tx, now):
        return messages.put(
            tx,
            contact_id=contact(tx, "ana", now),
            channel="chat",
            lane=ANSWER,
            kind="card",
            body={"guest_id": 404, "refresh": True},
            now=now,
        )

    bad = await node.database.write(broken, node.clock())
    good = await node.put("good")
    await node.until_status(good, "sent")
    assert (await node.row(bad)).status == "failed"


async def test_a_renewal_takes_the_place_of_what_was_sent(node, chat):
    first = await node.put("card")
    await node.until_status(first, "sent")
    renewal = await node.put("again", lane=RENEWAL, replaces=first)
    await node.until_status(renewal, "sent")
    assert chat.deliveries[-1].replaces == f"p{first}"


async def test_a_renewal_of_what_never_arrived_is_cancelled(node, chat):
    chat.trouble["card"] = [SendError("400")]
    first = await node.put("card")
    renewal = await node.put("again", lane=RENEWAL, replaces=first)
    await node.until_status(renewal, "cancelled")
    assert chat.sent == []


async def test_a_renewal_waits_for_its_card(node, chat):
    chat.trouble["card"] = [hanging := asyncio.Event()]
    first = await node.put("card")
    renewal = await node.put("again", lane=RENEWAL, replaces=first)
    await node.until(lambda: chat.deliveries)
    await asyncio.sleep(0.05)
    hanging.set()
    await node.until_status(renewal, "sent")
    assert chat.texts() == ["card", "again"]


async def test_a_kill_loses_nothing_and_what_was_in_the_air_is_uncertain(database_url, chat, clock):
    async with running(database_url, chat, clock, start=False) as node:
        one, two = await node.put("one"), await node.put("two")
        claimed, _ = await node.database.write(claim, "chat", 1, 1, clock())
        assert [row.id for row in claimed] == [one]  # and here the node that did it is killed
        node.outbox.start()
        await node.until_status(two, "sent")
        assert chat.texts() == ["one", "two"]
        assert (await node.row(one)).uncertain
        assert not (await node.row(two)).uncertain


async def test_a_claim_lapses_after_a_minute(node, chat, clock):
    await node.until_status(await node.put("warm"), "sent")
    database = node.database
    id_ = await node.put("lost", due_at=clock() + timedelta(hours=1))
    later = clock() + timedelta(hours=1, seconds=1)
    assert (await database.write(claim, "chat", 1, 1, later))[0][0].id == id_
    clock.ahead = timedelta(hours=1, seconds=50)
    await asyncio.sleep(0.1)
    assert (await node.row(id_)).status == "sending"
    clock.ahead = timedelta(hours=1, seconds=75)
    row = await node.until_status(id_, "sent")
    assert row.uncertain


async def test_stop_finishes_what_is_in_the_air(database_url, clock):
    chat = Chat()
    chat.trouble["one"] = [hanging := asyncio.Event()]
    async with running(database_url, chat, clock) as node:
        one, two = await node.put("one"), await node.put("two")
        await node.until(lambda: chat.deliveries)
        asyncio.get_running_loop().call_later(0.1, hanging.set)
        await node.outbox.stop()
        assert (await node.row(one)).status == "sent"
        assert (await node.row(two)).status == "queued"


async def test_receipts_only_climb_and_may_come_before_the_id(node, chat):
    early = Receipt(event_id="e1", provider_id="p1", status="delivered")
    await node.database.write(receipts.take, "chat", early, node.clock())
    id_ = await node.put("hello")
    assert id_ == 1
    await node.until_status(id_, "delivered")
    for status, then in (("sent", "delivered"), ("read", "read"), ("failed", "read")):
        receipt = Receipt(event_id="e", provider_id="p1", status=status)
        await node.database.write(receipts.take, "chat", receipt, node.clock())
        assert (await node.row(id_)).status == then


async def test_storing_is_sending_where_a_channel_stores(database_url, clock):
    chat = Chat(Capabilities(options=8, text_length=9, caption_length=9, stores=True))
    async with running(database_url, chat, clock) as node:
        first = await node.put("one")
        await node.until_status(first, "sent")
        async with node.bell.subscribe(["stored:chat:ana"]) as rings:
            second = await node.put("two", replaces=first, lane=RENEWAL)
            assert await rings.wait(5)
        await node.until_status(second, "sent")
        stored = await node.database.read(messages.after, "chat", "ana", 0)
        assert [(m.id, m.message.text, m.replaces) for m in stored] == [
            (1, "one", None),
            (2, "two", 1),
        ]
        assert await node.database.read(messages.after, "chat", "ana", 2) == []
        assert chat.deliveries == []


async def test_a_reply_is_stored_with_its_cause_unless_an_earlier_answer_still_waits(
    database_url, clock
):
    chat = Chat(Capabilities(options=8, text_length=9, caption_length=9, stores=True))

    def answer(tx, text):
        now = clock()
        return messages.answer(tx, contact(tx, "ana", now), "chat", Outbound(text=text), now)

    async with running(database_url, chat, clock, start=False) as node:
        async with node.bell.subscribe(["stored:chat:ana"]) as rings:
            stored = await node.database.write(answer, "one")
            assert (await node.row(stored)).status == "sent"
            assert await rings.wait(5)
        await node.put("a notification", lane=NOTIFICATION)  # no answer waits for one
        assert await node.database.write(answer, "two") is not None
        await node.put("a card")
        assert await node.database.write(answer, "three") is None
        seen = await node.database.glance(messages.after, "chat", "ana", 0)
        assert [(one.id, one.message.text) for one in seen] == [(1, "one"), (2, "two")]


async def test_what_stands_behind_a_stored_message_follows_at_once(database_url, clock):
    chat = Chat(Capabilities(options=8, text_length=9, caption_length=9, stores=True))
    async with running(database_url, chat, clock, start=False) as node:
        queued = [await node.put(text) for text in ("one", "two", "three")]
        began = asyncio.get_running_loop().time()
        node.outbox.start()
        await node.until_status(queued[-1], "sent")
        assert asyncio.get_running_loop().time() - began < 0.9  # none was found by polling


async def test_messages_of_a_channel_that_is_gone_are_given_up(database_url, clock):
    async with running(database_url, Chat(), clock, start=False) as node:

        def stray(tx, now):
            about = {"contact_id": contact(tx, "ana", now), "channel": "pager", "lane": ANSWER}
            return messages.put(tx, **about, kind="reply", body={}, now=now)

        id_ = await node.database.write(stray, clock() - timedelta(days=2))
        node.outbox.start()
        await node.until_status(id_, "expired")
        assert await node.log() == ["message_given_up"]


async def test_on_postgresql_one_node_sends_and_another_takes_over(postgres_url, clock):
    first, second = Chat(), Chat()
    async with running(postgres_url, first, clock) as one:
        await one.until_status(await one.put("hello"), "sent")
        async with running(postgres_url, second, clock) as two:
            began = asyncio.get_running_loop().time()
            await two.until_status(await two.put("from the other node"), "sent")
            assert asyncio.get_running_loop().time() - began < 0.9  # woken, not found by polling
            assert first.texts() == ["hello", "from the other node"]
            await one.outbox.stop()
            await two.until_status(await two.put("after you"), "sent")
            assert second.texts() == ["after you"]
