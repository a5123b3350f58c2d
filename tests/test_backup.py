"""Backup while serving, restore into an empty place, and everything that is refused."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.backup import BackupError, backup, restore
from core.holding import Holder
from core.services import cafes, holds, tasks
from core.storage.database import Database
from core.storage.migrate import head, version
from core.storage.tables import event_log
from core.storage.tx import Tx
from tests.support.databases import binaries
from tests.support.want import unavailable

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def two_entries(tx: Tx, n: int) -> None:
    """Two rows that belong together: a copy has both or neither."""
    for half in (1, 2):
        tx.execute(sa.insert(event_log).values(at=NOW, kind=f"half {half}", data={"n": n}))


def count(url: str, kind: str) -> int:
    database = Database(url)
    try:
        query = sa.select(sa.func.count()).where(event_log.c.kind == kind)
        return int(database.read_now(lambda tx: tx.scalar(query)))
    finally:
        database.close()


@pytest.fixture
def fresh_url(request, database_url, tmp_path, monkeypatch):
    """An empty database of the same kind; for PostgreSQL, its own programs come first."""
    if database_url.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'fresh.db'}"
    if (folder := binaries()) is not None:
        monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    if shutil.which("pg_dump") is None or shutil.which("pg_restore") is None:
        unavailable("no pg_dump and pg_restore")
    return str(request.getfixturevalue("empty_postgres_url"))


@pytest.fixture
def database(database_url, fresh_url):
    database = Database(database_url)
    database.write_now(cafes.add, "bife", "BIFE", "RSD", "Europe/Belgrade", NOW)
    yield database
    database.close()


def test_a_restored_backup_is_the_database(database, database_url, fresh_url, tmp_path):
    backup(database_url, tmp_path / "copy")
    restore(fresh_url, tmp_path / "copy")
    restored = Database(fresh_url)
    try:
        assert version(restored) == head()
        assert [cafe.slug for cafe in restored.read_now(cafes.everyone)] == ["bife"]
        restored.write_now(cafes.add, "dorcol", "Dorćol", "RSD", "Europe/Belgrade", NOW)
    finally:
        restored.close()


def test_what_the_old_server_was_at_is_free_at_once(database, database_url, fresh_url, tmp_path):
    database.write_now(holds.take, "line:telegram", "the old server", NOW)
    database.write_now(tasks.add, "octopos", "bife", "o1", NOW)
    assert database.write_now(tasks.claim, 1, NOW)
    backup(database_url, tmp_path / "copy")
    restore(fresh_url, tmp_path / "copy")

    async def take_over(restored: Database) -> None:
        async with asyncio.timeout(5), Holder(restored, lambda: NOW).hold("line:telegram") as hold:
            assert hold()

    restored = Database(fresh_url)
    try:
        asyncio.run(take_over(restored))
        if restored.is_sqlite:
            restored.write_now(tasks.lapse)  # as its one server does when it starts
        assert [task.ref for task in restored.write_now(tasks.claim, 1, NOW)] == ["o1"]
    finally:
        restored.close()


def test_a_copy_taken_while_others_write_is_of_one_moment(
    database, database_url, fresh_url, tmp_path
):
    written, enough = threading.Event(), threading.Event()

    def keep_writing() -> None:
        n = 0
        while not enough.is_set():
            database.write_now(two_entries, n)
            n += 1
            written.set()

    writer = threading.Thread(target=keep_writing)
    writer.start()
    written.wait(10)
    try:
        backup(database_url, tmp_path / "copy")
    finally:
        enough.set()
        writer.join()
    restore(fresh_url, tmp_path / "copy")
    first, second = count(fresh_url, "half 1"), count(fresh_url, "half 2")
    assert first == second > 0
    assert first <= count(database_url, "half 1")


def test_restore_never_touches_a_database_that_is_not_empty(database, database_url, tmp_path):
    backup(database_url, tmp_path / "copy")
    with pytest.raises(BackupError, match="is not empty"):
        restore(database_url, tmp_path / "copy")
    assert len(database.read_now(cafes.everyone)) == 1


def test_a_file_that_is_there_is_never_overwritten(database, database_url, tmp_path):
    taken = tmp_path / "plugins.toml"
    taken.write_text("mine")
    with pytest.raises(BackupError, match="is there already"):
        backup(database_url, taken)
    assert taken.read_text() == "mine"


def test_a_backup_that_fails_leaves_nothing_behind(database, fresh_url, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(BackupError):
        backup(f"sqlite:///{tmp_path}/none.db", folder / "copy")
    with pytest.raises(BackupError, match="there is no folder"):
        backup(f"sqlite:///{tmp_path}/none.db", folder / "missing" / "copy")
    assert list(folder.iterdir()) == []


def test_a_backup_is_nobody_else_s_to_read(database, database_url, tmp_path):
    backup(database_url, tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [b"", b"hello", b"SQLite format 3\0" + bytes(4096), b"PGDMP"])
def test_a_file_that_is_no_backup_is_refused(fresh_url, tmp_path, content):
    (tmp_path / "copy").write_bytes(content)
    with pytest.raises(BackupError) as caught:
        restore(fresh_url, tmp_path / "copy")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "fresh.db").exists()


def test_a_file_that_is_not_there_is_named(fresh_url, tmp_path):
    with pytest.raises(BackupError, match=f"there is no file {tmp_path}/copy"):
        restore(fresh_url, tmp_path / "copy")


# -- SQLite alone ----------------------------------------------------------------------------------


@pytest.fixture
def copy(sqlite_url, tmp_path) -> Path:
    backup(sqlite_url, tmp_path / "copy")
    return tmp_path / "copy"


def test_a_copy_is_one_file(copy, tmp_path):
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy"]


def test_a_backup_of_a_newer_malva_is_refused(copy, tmp_path):
    with closing(sqlite3.connect(copy)) as opened:
        opened.execute("UPDATE alembic_version SET version_num = '9999'")
        opened.commit()
    with pytest.raises(BackupError, match="is of a newer Malva: schema 9999"):
        restore(f"sqlite:///{tmp_path}/fresh.db", copy)


def test_a_damaged_backup_is_refused(copy, tmp_path):
    damaged = bytearray(copy.read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 4096] = b"\xff" * 4096
    copy.write_bytes(damaged)
    with pytest.raises(BackupError):
        restore(f"sqlite:///{tmp_path}/fresh.db", copy)
    assert not (tmp_path / "fresh.db").exists()


def test_a_log_left_of_another_database_is_not_mixed_in(copy, tmp_path):
    (tmp_path / "fresh.db-wal").write_bytes(b"left over")
    with pytest.raises(BackupError, match=r"fresh\.db-wal is left of another database"):
        restore(f"sqlite:///{tmp_path}/fresh.db", copy)


def test_the_database_itself_is_no_backup_of_itself(sqlite_url, tmp_path):
    with pytest.raises(BackupError, match="is the database itself"):
        restore(sqlite_url, tmp_path / "malva.db")


# -- PostgreSQL alone ------------------------------------------------------------------------------


def test_without_pg_dump_it_says_what_is_missing(postgres_url, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupError, match=r"pg_dump is not installed: .*postgresql-client"):
        backup(postgres_url, tmp_path / "copy")


def test_the_password_is_in_no_list_of_processes(tmp_path, monkeypatch):
    program = tmp_path / "pg_dump"
    program.write_text('#!/bin/sh\necho "$@ / $PGPASSWORD" >&2\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(BackupError) as caught:
        backup("postgresql://malva:p%40ss@db:5433/malva?sslmode=require", tmp_path / "copy")
    arguments, _, password = str(caught.value).partition(" / ")
    assert arguments.startswith("--dbname=postgresql://malva@db:5433/malva?sslmode=require ")
    assert password == "p@ss"
