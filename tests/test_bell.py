"""The bell: who waits is woken by a commit, on every node."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from core.bell import Bell
from core.contract import Sender
from core.gateway import Background, Gateways
from core.holding import Holder
from core.keys import Keys
from core.services import contacts, messages
from core.storage.database import Database
from core.storage.tx import Tx

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def a_node(url):
    database = Database(url)
    bell = Bell(database)
    async with bell.subscribe(["anything"]) as rings:
        bell.start()
        if not database.is_sqlite:
            assert await rings.wait(5)  # it listens now, and rings for what it missed
    try:
        yield database, bell
    finally:
        await bell.stop()
        database.close()


async def test_a_commit_rings_and_a_rollback_does_not(database_url):
    def fail(tx):
        tx.ring("never")
        raise ValueError("no")

    async with (
        a_node(database_url) as (database, bell),
        bell.subscribe(["never"]) as never,
        bell.subscribe(["door"]) as door,
    ):
        with pytest.raises(ValueError, match="no"):
            await database.write(fail)
        await database.write(Tx.ring, "door")
        assert await door.wait(5)
        assert not await never.wait(0.05)


async def test_a_subscriber_hears_each_topic_once_however_often_it_rang(database_url):
    async with a_node(database_url) as (database, bell), bell.subscribe(["a", "b"]) as rings:
        for topic in ("a", "b", "a", "c"):
            await database.write(Tx.ring, topic)
        await asyncio.sleep(0.1)
        heard = aiter(rings)
        assert [await anext(heard), await anext(heard)] == ["a", "b"]


async def test_waiting_ends_after_its_time(sqlite_url):
    async with a_node(sqlite_url) as (_, bell):
        assert not await bell.wait("nothing", 0.01)


async def test_another_node_is_woken(postgres_url):
    async with (
        a_node(postgres_url) as (database, _),
        a_node(postgres_url) as (_, other),
        other.subscribe(["door"]) as rings,
    ):
        await database.write(Tx.ring, "door")
        assert await rings.wait(1)


async def test_a_listener_that_lost_its_connection_comes_back_and_rings(postgres_url):
    def cut(tx):
        tx.connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query = 'LISTEN malva'"
        )

    async with (
        a_node(postgres_url) as (database, _),
        a_node(postgres_url) as (_, other),
        other.subscribe(["door"]) as rings,
    ):
        await database.write(cut)
        assert await rings.wait(5)  # something may have been missed meanwhile
        await database.write(Tx.ring, "door")
        assert await rings.wait(1)


async def test_nothing_slips_between_reading_and_waiting(database_url):
    async with a_node(database_url) as (database, bell):
        clock = lambda: datetime.now(UTC)  # noqa: E731
        gateway = Gateways(
            database=database,
            bell=bell,
            holder=Holder(database, clock),
            keys=Keys(Keys.generate()),
            http=None,
            background=Background(),
            receive=None,
            business="BIFE",
            public_url="http://here",
            clock=clock,
        ).of("chat")
        ana = (await database.write(contacts.hear, "chat", Sender("ana"), clock())).id
        async with gateway.listen("ana") as stored:
            assert not await stored(0.05)
            assert await gateway.messages_after("ana", 0) == []
            await database.write(messages.said, ana, "chat", "hello", clock())
            await asyncio.sleep(0.2)
            assert await stored(0.05)  # it is there already
            assert [m.message.text for m in await gateway.messages_after("ana", 0)] == ["hello"]
            assert not await stored(0.05)
            waiting = asyncio.create_task(stored(5))
            await asyncio.sleep(0.05)
            await database.write(messages.said, ana, "chat", "again", clock())
            assert await waiting


async def test_a_hold_is_one_nodes_and_goes_to_the_next_when_it_lets_go(postgres_url):
    clock = lambda: datetime.now(UTC)  # noqa: E731
    async with a_node(postgres_url) as (database, _), a_node(postgres_url) as (second, _):
        async with Holder(database, clock).hold("bot") as first:
            assert first()
            waiting = asyncio.create_task(_fence(Holder(second, clock)))
            await asyncio.sleep(0.1)
            assert not waiting.done()
        assert await asyncio.wait_for(waiting, 5) > first.fence


async def _fence(holder):
    async with holder.hold("bot") as hold:
        return hold.fence


async def test_in_one_process_a_hold_excludes_too(sqlite_url):
    async with a_node(sqlite_url) as (database, _):
        holder = Holder(database, lambda: datetime.now(UTC))
        async with holder.hold("bot"):
            waiting = asyncio.create_task(_fence(holder))
            await asyncio.sleep(0.05)
            assert not waiting.done()
        assert await asyncio.wait_for(waiting, 5) == 2
