"""Reading and writing: group commit, a failing write beside others, lost updates, append-only."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from core.storage.database import Database
from core.storage.migrate import NewerDatabase, head, migrate, version
from core.storage.tables import guests, kept, programmes
from core.storage.tx import Tx

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def database(database_url):
    database = Database(database_url)
    migrate(database)
    yield database
    database.close()


def start_counter(tx: Tx) -> None:
    tx.execute(sa.insert(kept).values(owner="test", key="n", value="0"))


def increment(tx: Tx, fail: bool = False) -> int:
    found = tx.scalar(sa.select(kept.c.value).with_for_update())
    tx.execute(sa.update(kept).values(value=str(int(found) + 1)))
    if fail:
        raise ValueError("after writing")
    return int(found) + 1


def counter(tx: Tx) -> int:
    return int(tx.scalar(sa.select(kept.c.value)))


@pytest.mark.anyio
async def test_of_400_concurrent_increments_none_is_lost(database):
    await database.write(start_counter)
    await asyncio.gather(*(database.write(increment) for _ in range(400)))
    assert await database.read(counter) == 400


@pytest.mark.anyio
async def test_who_waits_for_another_process_holds_nobody_up(sqlite_url):
    database = Database(sqlite_url)
    migrate(database)
    await database.write(start_counter)
    with closing(sqlite3.connect(database.url.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        asked = [asyncio.ensure_future(database.write(increment)) for _ in range(5)]
        for _ in range(10):
            await asyncio.sleep(0.01)  # the loop goes on
        assert not any(one.done() for one in asked)
        assert await database.read(counter) == 0
        other.execute("COMMIT")
        assert sorted(await asyncio.gather(*asked)) == [1, 2, 3, 4, 5]
    database.close()


@pytest.mark.anyio
async def test_a_glance_sees_the_last_commit_and_changes_nothing(database):
    await database.write(start_counter)
    for n in range(3):
        assert await database.glance(counter) == n
        await database.write(increment)
    with pytest.raises(DBAPIError):
        await database.glance(increment)
    assert await database.glance(counter) == 3


@pytest.mark.anyio
async def test_closing_finishes_what_was_asked_for(database):
    await database.write(start_counter)
    asked = [asyncio.ensure_future(database.write(increment)) for _ in range(20)]
    await asyncio.sleep(0)
    database.close()
    assert sorted(await asyncio.gather(*asked)) == list(range(1, 21))


@pytest.mark.anyio
async def test_a_failing_write_rolls_back_alone(database):
    await database.write(start_counter)
    outcomes = await asyncio.gather(
        *(database.write(increment, fail=n % 3 == 0) for n in range(60)), return_exceptions=True
    )
    assert sum(isinstance(outcome, ValueError) for outcome in outcomes) == 20
    assert await database.read(counter) == 40


@pytest.mark.anyio
async def test_rings_and_events_are_told_after_the_commit_and_never_for_a_failed_write(database):
    heard: list[str] = []
    database.on_commit(lambda rings, events: heard.extend(rings))

    def rings(tx: Tx, topic: str, fail: bool) -> None:
        tx.ring(topic)
        if fail:
            raise ValueError

    await asyncio.gather(
        *(database.write(rings, f"{n}", n % 2 == 0) for n in range(6)), return_exceptions=True
    )
    assert sorted(heard) == ["1", "3", "5"]


@pytest.mark.anyio
async def test_what_writes_share_a_look_up_of_is_looked_up_again_once_it_was_written(database):
    looked_up = []

    def of_name(tx: Tx, name: str) -> int:
        looked_up.append(name)
        return counter(tx)

    def read(tx: Tx) -> int:
        return tx.once(of_name, "counter")

    await database.write(start_counter)
    asked = (read, read, increment, read, read)
    found = await asyncio.gather(*(database.write(one) for one in asked))
    if database.is_sqlite:  # where all of them share a transaction
        assert found == [0, 0, 1, 1, 1]
        assert len(looked_up) == 2
    else:
        assert found[2] == 1
        assert {found[n] for n in (0, 1, 3, 4)} <= {0, 1}


@pytest.mark.anyio
async def test_what_waits_for_the_same_shares_transactions(database):
    looked_up = []

    def look(tx: Tx, name: str) -> int:
        looked_up.append(name)
        return counter(tx)

    def read(tx: Tx) -> int:
        return tx.once(look, "counter")

    await database.write(start_counter)
    assert await asyncio.gather(*(database.write(read) for _ in range(100))) == [0] * 100
    assert len(looked_up) < 100


def test_what_was_looked_up_after_a_savepoint_is_forgotten_with_it(database):
    def of_name(tx: Tx, name: str) -> int:
        return counter(tx)

    def count_and_fail(tx: Tx) -> int:
        start_counter(tx)
        with suppress(ValueError), tx.alone():
            increment(tx)
            assert tx.once(of_name, "counter") == 1
            raise ValueError
        return tx.once(of_name, "counter")

    assert database.write_now(count_and_fail) == 0


def test_a_reader_can_not_write(database):
    with pytest.raises(DBAPIError):
        database.read_now(start_counter)


def test_the_migrations_make_exactly_the_tables_of_the_code(database):
    with database.writer_engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, SQLModel.metadata) == []


def test_migrating_twice_changes_nothing(database):
    assert migrate(database) == (head(), head())


def test_guests_of_before_are_found_in_any_spelling_once_it_is_migrated(database):
    def before_0010(tx: Tx) -> None:
        facts = {"language": "sr", "secret": b"", "created_at": NOW}
        rows = [{"public_id": name, "name": name, **facts} for name in ("Жељко", "Ana", "")]
        tx.execute(sa.insert(guests), rows)
        tx.execute(sa.text("ALTER TABLE guest DROP COLUMN name_key"))
        tx.execute(sa.text("CREATE INDEX ix_refund_order ON refund (cafe_id, source, order_id)"))
        tx.execute(sa.text("DROP INDEX ix_refund_parked"))
        tx.execute(sa.text("UPDATE alembic_version SET version_num = '0009'"))

    database.write_now(before_0010)
    assert migrate(database) == ("0009", head())
    query = sa.select(guests.c.name, guests.c.name_key)
    found = database.read_now(lambda tx: tx.execute(query).all())
    assert {row.name: row.name_key for row in found} == {"Жељко": " zeliko", "Ana": " ana", "": ""}


def test_a_database_of_a_newer_malva_is_refused(database):
    def from_the_future(tx: Tx) -> None:
        tx.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    database.write_now(from_the_future)
    with pytest.raises(NewerDatabase, match="9999"):
        version(database)


def test_ledger_entries_can_be_neither_changed_nor_deleted(database):
    def earn(tx: Tx) -> None:
        facts = {"name": "x", "currency": "RSD", "unit": "points", "created_at": NOW}
        tx.execute(sa.insert(programmes).values(earn_minor=100, earn_points=1, **facts))
        tx.execute(
            sa.text(
                "INSERT INTO guest (public_id, name, language, phone_proven, offers, secret,"
                " card_version, created_at) VALUES ('A', 'Ana', 'en', false, false, :s, 1, 0)"
            ),
            {"s": b""},
        )
        tx.execute(
            sa.text(
                "INSERT INTO ledger_entry (guest_id, programme_id, kind, reference, points,"
                " balance, because, at) VALUES (1, 1, 'order', 'order:1', 5, 5, '[]', 0)"
            )
        )

    database.write_now(earn)
    for statement in ("UPDATE ledger_entry SET points = 500", "DELETE FROM ledger_entry"):
        with pytest.raises(DBAPIError, match="only ever added to"):
            database.write_now(lambda tx, sql=statement: tx.execute(sa.text(sql)))
