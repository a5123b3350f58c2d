"""Questions to till systems, polls and clearing: what is slow, wrong or away loses no order."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from core.bell import Bell
from core.contract import FetchError, OrderPaid, Polled
from core.domain.feeding import TIMES
from core.holding import Holder
from core.scheduler import Scheduler
from core.services import cafes, clearing, lots, tasks
from core.storage.database import Database
from core.storage.tables import accounts, alarms, event_log, kept, orders, redemptions, seen_events
from core.storage.tables import tasks as task_rows
from tests.support.counter import Counter
from tests.support.shop import MINUTE, NOW

pytestmark = pytest.mark.anyio


def paid(order_id, total="100.00"):
    return OrderPaid(order_id=order_id, total=Decimal(total))


@dataclass
class Till:
    """`answers` to fetches in their order, the last one for ever; so too `pages`, by cursor."""

    answers: list = field(default_factory=list)
    pages: dict = field(default_factory=dict)
    poll_every: timedelta | None = None
    asked: list = field(default_factory=list)
    polled: list = field(default_factory=list)

    def cafes(self):
        return ["bife"]

    async def fetch(self, cafe, ref):
        self.asked.append(ref)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer = await answer()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def poll(self, cafe, cursor):
        self.polled.append(cursor)
        page = self.pages[cursor]
        if isinstance(page, list):
            page = page.pop(0) if len(page) > 1 else page[0]
        if isinstance(page, Exception):
            raise page
        return page


@dataclass
class Clock:
    ahead: timedelta = timedelta(0)

    def __call__(self):
        return datetime.now(UTC) + self.ahead


@dataclass
class Running:
    database: Database
    till: Till
    clock: Clock

    async def ask(self, ref="17", arrived_at=None):
        await self.database.write(tasks.add, "plain", "bife", ref, arrived_at or self.clock())

    async def all(self, *columns):
        return await self.database.read(lambda tx: tx.execute(sa.select(*columns)).all())

    async def until(self, *columns, rows, seconds=8.0):
        async with asyncio.timeout(seconds):
            while sorted(found := await self.all(*columns)) != sorted(rows):
                await asyncio.sleep(0.01)
        return found

    async def until_logged(self):
        interesting = sa.select(event_log.c.kind, event_log.c.data).where(
            event_log.c.kind != "cafe_added"
        )
        async with asyncio.timeout(8):
            while not (found := await self.database.read(lambda tx: tx.execute(interesting).all())):
                await asyncio.sleep(0.01)
        return found


@pytest.fixture
def till():
    return Till()


@pytest.fixture
def clock():
    return Clock()


@asynccontextmanager
async def running(url, till, clock):
    database = Database(url)
    bell = Bell(database)
    bell.start()

    def cafe(tx):
        if cafes.find(tx, "bife") is None:
            cafes.add(tx, "bife", "BIFE", "RSD", "Europe/Belgrade", clock())

    await database.write(cafe)
    holder = Holder(database, clock)
    scheduler = Scheduler(database, {"plain": till}, bell=bell, holder=holder, clock=clock)
    scheduler.start()
    try:
        yield Running(database, till, clock)
    finally:
        await scheduler.stop()
        await bell.stop()
        database.close()


@pytest.fixture
async def house(database_url, till, clock):
    async with running(database_url, till, clock) as house:
        yield house


# -- questions -------------------------------------------------------------------------------------


async def test_a_question_is_asked_at_once_and_its_answer_belongs_to_the_webhooks_arrival(
    house, till
):
    till.answers = [[paid("17")]]
    arrived_at = house.clock() - timedelta(minutes=3)
    await house.ask("17", arrived_at)
    await house.until(orders.c.order_id, orders.c.received_at, rows=[("17", arrived_at)], seconds=1)
    await house.until(task_rows.c.id, rows=[])


async def test_a_till_that_is_away_is_asked_again(house, till):
    till.answers = [
        FetchError("503", retry_after=0.1),
        FetchError("no answer", retry_after=0.1),
        [paid("17")],
    ]
    await house.ask()
    await house.until(orders.c.order_id, rows=[("17",)])
    assert till.asked == ["17"] * 3


async def test_an_order_that_is_not_paid_counts_when_its_next_webhook_comes(house, till):
    till.answers = [[], [paid("17")]]
    await house.ask()
    await house.until(task_rows.c.id, rows=[])
    assert await house.all(orders.c.id) == []
    await house.ask()
    await house.until(orders.c.order_id, rows=[("17",)])


async def test_a_webhook_that_comes_while_its_order_is_asked_about_is_a_new_question(house, till):
    asked, answered = asyncio.Event(), asyncio.Event()

    async def slowly():
        asked.set()
        await answered.wait()
        return []  # as it was before it was paid

    till.answers = [slowly, [paid("17")]]
    await house.ask()
    await asked.wait()
    await house.ask()
    answered.set()
    await house.until(orders.c.order_id, rows=[("17",)])
    await house.until(task_rows.c.id, rows=[])


async def test_one_hanging_question_holds_up_no_other(house, till):
    hanging = asyncio.Event()

    async def hang():
        await hanging.wait()
        return []

    till.answers = [hang, [paid("18")]]
    await house.ask("17")
    await house.ask("18")
    await house.until(orders.c.order_id, rows=[("18",)])


@pytest.mark.parametrize("why", ["no such order", "given up after a day"])
async def test_a_question_without_an_answer_ends_in_the_event_log(house, till, clock, why):
    final = why == "no such order"
    till.answers = [FetchError(why, retryable=not final)]
    arrived_at = None if final else clock() - timedelta(hours=23, minutes=59, seconds=59.9)
    await house.ask("17", arrived_at)
    [(kind, data)] = await house.until_logged()
    assert kind == "fetch_given_up"
    assert (data["ref"], data["error"]) == ("17", why)
    assert await house.all(task_rows.c.id) == []


async def test_an_answer_that_cant_be_counted_is_logged_and_spoils_no_other(house, till):
    till.answers = [[paid("17", "NaN"), paid("18"), paid("\ud800"), paid("19")]]
    await house.ask()
    await house.until(orders.c.order_id, rows=[("18",), ("19",)])
    logged = [kind for kind, _ in await house.until_logged()]
    assert logged == ["till_report_refused"] * 2


async def test_a_restart_in_the_middle_of_a_question_asks_it_again(database_url, clock):
    async def hang():
        await asyncio.Event().wait()

    async with running(database_url, Till([hang]), clock) as house:
        await house.ask()
        while not house.till.asked:
            await asyncio.sleep(0.01)
    if "postgresql" in database_url:  # there another node may still be asking
        clock.ahead = tasks.CLAIM
    async with running(database_url, Till([[paid("17")]]), clock) as house:
        await house.until(orders.c.order_id, rows=[("17",)])


# -- polls -----------------------------------------------------------------------------------------


async def test_polls_go_on_from_where_the_last_one_ended_over_a_restart(database_url, clock):
    pages = {
        None: Polled((paid("1"), paid("2")), "a"),
        "a": Polled((paid("2"), paid("3")), "b"),
        "b": Polled((), "b"),
    }
    every = timedelta(hours=1)
    async with running(database_url, Till(pages=pages, poll_every=every), clock) as house:
        await house.until(orders.c.order_id, rows=[("1",), ("2",), ("3",)])
        await house.until(kept.c.key, kept.c.value, rows=[("bife", "b")])
    async with running(database_url, Till(pages=pages, poll_every=every), clock) as house:
        while not house.till.polled:
            await asyncio.sleep(0.01)
        assert house.till.polled == ["b"]


async def test_a_poll_that_fails_is_tried_again_and_misses_nothing(database_url, clock):
    failing = [FetchError("502"), RuntimeError("a bug"), Polled((paid("1"),), "a")]
    pages = {None: failing, "a": Polled((), "a")}
    till = Till(pages=pages, poll_every=timedelta(hours=1))
    async with running(database_url, till, clock) as house:
        await house.until(orders.c.order_id, rows=[("1",)])
        assert till.polled[:3] == [None] * 3


async def test_a_poison_order_in_a_poll_holds_up_nothing(database_url, clock):
    pages = {None: Polled((paid("\0"), paid("1")), "a"), "a": Polled((), "a")}
    till = Till(pages=pages, poll_every=timedelta(hours=1))
    async with running(database_url, till, clock) as house:
        await house.until(orders.c.order_id, rows=[("1",)])
        await house.until(kept.c.value, rows=[("a",)])


async def test_on_postgresql_one_node_polls(postgres_url, clock):
    pages = {None: Polled((), "a"), "a": Polled((), "a")}
    one, other = (Till(pages=pages, poll_every=timedelta(milliseconds=50)) for _ in range(2))
    async with running(postgres_url, one, clock):
        while not one.polled:
            await asyncio.sleep(0.01)
        async with running(postgres_url, other, clock):
            before = len(one.polled)
            await asyncio.sleep(0.5)
            assert len(one.polled) > before
            assert other.polled == []


# -- clearing --------------------------------------------------------------------------------------


async def test_events_are_remembered_for_a_week(database_url):
    database, now = Database(database_url), datetime.now(UTC)

    def remember(tx):
        ages = [timedelta(days=6), *[timedelta(days=8)] * (clearing.BATCH + 1)]
        rows = [{"channel": "c", "event_id": f"{n}", "at": now - age} for n, age in enumerate(ages)]
        tx.execute(sa.insert(seen_events), rows)

    await database.write(remember)
    assert await database.write(clearing.clear, now)
    assert not await database.write(clearing.clear, now)
    left = await database.read(lambda tx: tx.execute(sa.select(seen_events.c.event_id)).all())
    assert left == [("0",)]
    database.close()


async def test_what_is_over_ends_by_itself(database_url, till, clock):
    """Redemptions whose time is up, and points past their date."""
    database = Database(database_url)
    minute = (clock() - NOW) / MINUTE

    def last_year(tx):
        shop = Counter(tx)
        lots.set_expiry(tx, shop.cafe.programme_id, 12, NOW)
        guest = shop.guest()
        shop.give(guest, 70, minute=minute - 400 * 24 * 60)
        shop.give(guest, 100, minute=minute)
        shop.pick(guest, shop.coffee, minute=minute - 11)

    await database.write(last_year)
    database.close()
    async with running(database_url, till, clock) as house:
        await house.until(redemptions.c.status, rows=[("expired",)])
        await house.until(accounts.c.balance, rows=[(100,)])


async def test_a_card_that_is_fed_is_noticed_by_itself(database_url, till, clock):
    """Though no purchase follows: two cards have become one, for example."""
    database = Database(database_url)
    minute = (clock() - NOW) / MINUTE

    def fed(tx):
        shop = Counter(tx)
        ana, cica = shop.guest(), shop.seat().member.id
        for n in range(TIMES):
            shop.order(f"o{n}", visit=shop.visit(ana, minute=minute).public_id, minute=minute)
        tx.execute(sa.update(orders).values(staff_id=cica))

    await database.write(fed)
    database.close()
    async with running(database_url, till, clock) as house:
        await house.until(alarms.c.times, rows=[(TIMES,)])
