"""Webhooks: verified, parsed, committed, answered; repeated, bad and oversized ones."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx2
import pytest
import sqlalchemy as sa
from starlette.applications import Starlette

from core.contract import Fetch, OrderPaid, OrderRefunded, Refused, Unreadable
from core.gateway import Background
from core.inbox import Inbox
from core.keys import Keys
from core.services import cafes, tasks
from core.storage.database import Database
from core.storage.tables import contacts, event_log, messages, orders, refunds, seen_events
from core.talk import House
from tests.support.plain_channel import PlainChannel

pytestmark = pytest.mark.anyio

SECRET = {"secret": "open sesame"}


@dataclass
class PlainTill:
    """A till system whose webhook is a list of [total, order id], `null` for a refund's total, or a
    bare order id to ask about."""

    poll_every: timedelta | None = None
    seen: list = field(default_factory=list)

    def cafes(self):
        return ["bife", "nobody-added-this"]

    def verify(self, request, cafe):
        self.seen.append(request)
        if request.headers.get("secret") != "open sesame":
            raise Refused("no secret")

    def parse(self, request, cafe):
        try:
            return [self.event(one) for one in json.loads(request.body)]
        except ValueError as error:
            raise Unreadable(str(error)) from None

    def event(self, one):
        if isinstance(one, str):
            return Fetch(one)
        total, order_id = one
        if total is None:
            return OrderRefunded(order_id=order_id, refund_id=f"r{order_id}")
        return OrderPaid(order_id=order_id, total=Decimal(total))


@dataclass
class Webhooks:
    database: Database
    channel: PlainChannel
    till: PlainTill
    http: httpx2.AsyncClient
    background: Background

    async def post(self, body, path="/channels/plain/webhook", headers=SECRET):
        content = body if isinstance(body, (bytes, str)) else json.dumps(body)
        return await self.http.post(path, content=content, headers=headers)

    async def till_post(self, body, headers=SECRET, cafe="bife"):
        return await self.post(body, f"/pos/plain/{cafe}/webhook", headers)

    async def count(self, table):
        return await self.database.read(
            lambda tx: tx.scalar(sa.select(sa.func.count()).select_from(table))
        )

    async def all(self, *columns):
        return await self.database.read(lambda tx: tx.execute(sa.select(*columns)).all())


@pytest.fixture
async def house(database_url):
    async with opened(database_url) as house:
        yield house


@asynccontextmanager
async def opened(url):
    database = Database(url)
    now = datetime.now(UTC)
    await database.write(cafes.add, "bife", "BIFE", "RSD", "Europe/Belgrade", now)
    channel, till, background = PlainChannel(), PlainTill(), Background()
    inbox = Inbox(
        database,
        {"plain": channel},
        {"plain": till},
        house=House("BIFE", "https://malva.example", Keys(Keys.generate())),
        background=background,
        clock=lambda: datetime.now(UTC),
    )
    transport = httpx2.ASGITransport(app=Starlette(routes=inbox.routes()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://inside") as http:
        yield Webhooks(database, channel, till, http, background)
    await background.finish(1)
    database.close()


# -- messengers ------------------------------------------------------------------------------------


async def test_a_message_is_answered_200_when_its_reply_is_queued(house):
    response = await house.post([{"id": "1", "from": "ana", "say": "hi"}])
    assert (response.status_code, response.content) == (200, b"")
    assert await house.count(messages) == 1


async def test_what_is_not_signed_is_refused_and_leaves_nothing(house):
    response = await house.post([{"id": "1", "from": "ana", "say": "hi"}], headers={})
    assert response.status_code == 401
    assert await house.count(seen_events) == await house.count(contacts) == 0


async def test_an_empty_body_proves_the_address_and_stores_nothing(house):
    assert (await house.post("", headers={})).status_code == 200
    assert (await house.till_post("", headers={})).status_code == 200
    assert (await house.http.get("/pos/plain/bife/webhook")).status_code == 200
    assert await house.count(seen_events) == 0


async def test_unknown_addresses_are_404(house):
    assert (await house.post([], "/channels/pager/webhook")).status_code == 404
    assert (await house.post([], "/pos/pager/bife/webhook")).status_code == 404
    assert (await house.post([], "/pos/plain/elsewhere/webhook")).status_code == 404
    assert (await house.till_post([["1", "2"]], cafe="nobody-added-this")).status_code == 404


@pytest.mark.parametrize("body", ["{", "[{}]", "\x00", "[1]" * 3])
async def test_what_cannot_be_read_is_400_with_the_name_of_its_log_entry(house, body, caplog):
    response = await house.post(body)
    assert response.status_code == 400
    assert response.text.removeprefix("unreadable: ") in caplog.text


async def test_unreadable_is_200_where_the_provider_would_repeat_it_for_ever(house):
    assert (await house.post("tolerate {")).status_code == 200


async def test_a_bug_in_an_adapter_is_no_500(house, caplog):
    assert (await house.post(b"boom")).status_code == 200
    assert "a bug in the adapter" in caplog.text


async def test_over_a_mebibyte_is_413_and_exactly_one_is_not(house):
    assert (await house.post(b" " * (1024 * 1024 + 1))).status_code == 413
    assert (await house.post(b"[]".ljust(1024 * 1024))).status_code == 200


async def test_an_event_counts_once_however_often_it_comes(house):
    event = [{"id": "1", "from": "ana", "say": "hi"}]
    for _ in range(3):
        assert (await house.post(event)).status_code == 200
    assert await house.count(messages) == 1


async def test_50_identical_webhooks_at_once_have_one_effect(house):
    event = [{"id": "1", "from": "ana", "say": "hi"}]
    responses = await asyncio.gather(*(house.post(event) for _ in range(50)))
    assert {response.status_code for response in responses} == {200}
    assert await house.count(messages) == await house.count(contacts) == 1


async def test_one_bad_event_of_a_batch_spoils_no_other(house, caplog):
    bad = {"id": "2", "from": "\ud800", "say": "hi"}  # no database keeps half a character
    batch = [{"id": "1", "from": "ana", "say": "hi"}, bad, {"id": "3", "from": "zoe", "say": "hi"}]
    assert (await house.post(batch)).status_code == 200
    assert {row.address for row in await house.all(contacts.c.address)} == {"ana", "zoe"}
    assert "event left out" in caplog.text


async def test_a_guests_events_in_a_batch_keep_their_order(house):
    steps = [{"start": None}, {"press": "language:sr"}, {"say": "Ana"}, {"say": "Preskoči"}]
    batch = [
        {"id": f"{guest} {n}", "from": f"guest {guest}", **step}
        for n, step in enumerate(steps)
        for guest in range(5)
    ]
    assert (await house.post(batch)).status_code == 200
    cards = sa.select(messages.c.contact_id).where(messages.c.kind == "card")
    assert len(await house.database.read(lambda tx: tx.execute(cards).all())) == 5


async def test_the_first_reply_rides_in_the_response_where_the_provider_takes_it(house):
    response = await house.post([{"id": "1", "from": "ana", "start": None, "inline": True}])
    assert response.headers["content-type"] == "application/json"
    [(body, status)] = await house.all(messages.c.body, messages.c.status)
    assert response.json() == {"text": body["text"]}
    assert status == "sent"


async def test_what_wants_more_than_a_200_is_acknowledged_after_the_commit(house):
    await house.post([{"id": "1", "from": "ana", "press": "menu", "handle": "h1"}])
    await house.background.finish(1)
    assert house.channel.acknowledged == ["h1"]


async def test_where_the_database_is_away_the_provider_is_asked_to_come_again(sqlite_url):
    async with opened(sqlite_url) as house:

        def read_only(on):
            connection = house.database.writer_engine.raw_connection()  # the only one that writes
            connection.execute(f"PRAGMA query_only = {on}")
            connection.close()

        read_only(1)
        event = [{"id": "1", "from": "ana", "say": "hi"}]
        assert (await house.post(event)).status_code == 503
        assert (await house.till_post([["1.00", "17"]])).status_code == 503
        read_only(0)
        assert (await house.post(event)).status_code == 200
        assert await house.count(messages) == 1


# -- tills -----------------------------------------------------------------------------------------


async def test_an_adapter_sees_the_public_address(house):
    await house.post([], "/pos/plain/bife/webhook?a=b", SECRET)
    assert house.till.seen[0].url == "https://malva.example/pos/plain/bife/webhook?a=b"
    assert house.till.seen[0].query == {"a": "b"}


async def test_orders_and_refunds_of_a_till_count_once(house):
    for _ in range(2):
        batch = [["890.00", "17"], [None, "17"], [None, "ahead of its order"]]
        assert (await house.till_post(batch)).status_code == 200
    assert await house.all(orders.c.order_id, orders.c.source, orders.c.total_minor) == [
        ("17", "plain", 89000)
    ]
    assert await house.count(refunds) == 2


async def test_50_identical_orders_at_once_count_once(house):
    sent = [house.till_post([["100.00", "17"]]) for _ in range(50)]
    assert {response.status_code for response in await asyncio.gather(*sent)} == {200}
    assert await house.count(orders) == 1


async def test_money_that_cant_be_goes_to_the_log_and_spoils_no_other_order(house):
    bad = [["0.001", "1"], ["NaN", "2"], ["1e400", "3"], ["100.00", "4"], ["1", "\0"]]
    assert (await house.till_post(bad)).status_code == 200
    assert await house.all(orders.c.order_id) == [("4",)]
    log = await house.all(event_log.c.kind, event_log.c.data)
    assert [row.data["what"] for row in log if row.kind == "till_report_refused"][:3] == [
        "order 1",
        "order 2",
        "order 3",
    ]


async def test_a_thin_webhook_is_a_question_that_is_kept(house):
    for _ in range(2):
        assert (await house.till_post(["17"])).status_code == 200
    [task] = await house.database.write(tasks.claim, 8, datetime.now(UTC))
    assert (task.pos, task.cafe, task.ref) == ("plain", "bife", "17")
