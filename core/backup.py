"""Backup while serving, and restore into an empty place.

SQLite: a copy by SQLite's own online backup, checked, one file. PostgreSQL: `pg_dump -Fc` and
`pg_restore`. A file appears under its name only once it is complete and has been checked.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.parse import unquote, urlsplit, urlunsplit

from core.contract import MalvaError
from core.storage.migrate import head


class BackupError(MalvaError):
    """A backup or a restore that can't be, and why."""


def backup(database_url: str, file: Path) -> None:
    """Writes a consistent copy of the database to `file`, which must not be there yet."""
    if file.exists():
        raise BackupError(f"{file} is there already: choose another name, it is not overwritten")
    if not file.absolute().parent.is_dir():
        raise BackupError(f"there is no folder {file.parent}")
    with _finished(file) as unfinished:
        if _is_sqlite(database_url):
            source = _sqlite_path(database_url)
            if not source.is_file():
                raise BackupError(f"there is no database {source} yet")
            asyncio.run(_copy(_address(source), unfinished))
            _check_sqlite(unfinished, "the copy")
        else:
            _run("pg_dump", database_url, "--format=custom", f"--file={unfinished}")
            _check_dump(unfinished)


def restore(database_url: str, file: Path) -> None:
    """Fills an empty database from `file`; one that has tables is never touched."""
    if not file.is_file():
        raise BackupError(f"there is no file {file}")
    if _is_sqlite(database_url):
        _restore_sqlite(_sqlite_path(database_url), file)
    else:
        _restore_postgres(database_url, file)


# -- SQLite ----------------------------------------------------------------------------------------


def _is_sqlite(database_url: str) -> bool:
    return database_url.startswith("sqlite:")


def _sqlite_path(database_url: str) -> Path:
    return Path(database_url.removeprefix("sqlite:///").partition("?")[0])


def _address(path: Path) -> str:
    """For reading; not `mode=ro`, since what a crash left in the WAL may have to be recovered."""
    return f"{path.absolute().as_uri()}?mode=rw"


async def _copy(address: str, target: Path) -> None:
    """All pages in one step: a snapshot, which writers beside it do not disturb."""
    import aiosqlite

    async with aiosqlite.connect(address, uri=True) as live, aiosqlite.connect(target) as copy:
        await live.backup(copy)
        await copy.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it


def _check_sqlite(path: Path, what: str) -> None:
    """Whole, Malva's, and not of a newer Malva."""
    import sqlite3

    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as opened:
            verdict = opened.execute("PRAGMA integrity_check").fetchone()[0]
            found = opened.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        raise BackupError(f"{what} is no database of Malva: {error}") from None
    if verdict != "ok":
        raise BackupError(f"{what} is damaged: {verdict.splitlines()[0]}")
    _check_version(found[0] if found else None, what)


def _restore_sqlite(target: Path, file: Path) -> None:
    if file.resolve() == target.resolve():
        raise BackupError(f"{file} is the database itself")
    leftovers = [Path(f"{target}{end}") for end in ("-wal", "-shm", "-journal")]
    if target.exists() and target.stat().st_size:
        raise BackupError(f"the database {target} is not empty: move it away before a restore")
    if left := [str(path) for path in leftovers if path.exists()]:
        raise BackupError(f"{left[0]} is left of another database: move it away before a restore")
    _check_sqlite(file, str(file))
    with _finished(target) as unfinished:
        asyncio.run(_copy(_address(file), unfinished))
        _check_sqlite(unfinished, str(file))


# -- PostgreSQL ------------------------------------------------------------------------------------


def _restore_postgres(database_url: str, file: Path) -> None:
    _check_dump(file)
    import psycopg

    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()"
        ).fetchone()
    if found and found[0]:
        raise BackupError("the database is not empty: restore into a new one (createdb)")
    _run(
        "pg_restore", database_url, "--exit-on-error", "--single-transaction", "--no-owner",
        "--no-privileges", str(file),
    )  # fmt: skip
    with psycopg.connect(database_url) as connection:  # nobody waits for the server it was made on
        connection.execute("UPDATE hold SET until = 0")
        connection.execute("UPDATE task SET claimed_until = NULL")


def _check_dump(path: Path) -> None:
    """A dump of Malva, readable to its end, and not of a newer Malva."""
    if path.open("rb").read(5) != b"PGDMP":
        raise BackupError(f"{path} is no backup made by malva backup from PostgreSQL")
    _run("pg_restore", None, "--file=/dev/null", str(path))
    version = _run(
        "pg_restore", None, "--data-only", "--table=alembic_version", "--file=-", str(path)
    )
    lines = version.partition("COPY ")[2].splitlines()
    _check_version(lines[1] if len(lines) > 1 else None, str(path))


def _run(program: str, database_url: str | None, *arguments: str) -> str:
    """Runs one of PostgreSQL's programs; the password goes by the environment, where no list of
    processes shows it. Returns what it printed."""
    found = shutil.which(program)
    if found is None:
        raise BackupError(
            f"{program} is not installed: it comes with the postgresql-client package"
        )
    environment = dict(os.environ)
    if database_url is not None:
        parts = urlsplit(database_url)
        if parts.password is not None:
            environment["PGPASSWORD"] = unquote(parts.password)
            user, host = parts.netloc.rpartition("@")[::2]
            parts = parts._replace(netloc=f"{user.partition(':')[0]}@{host}")
        address = urlunsplit(parts)
        if not parts.netloc:  # urlunsplit drops the empty authority that a socket's URL has
            address = f"{parts.scheme}://{parts.path}?{parts.query}"
        arguments = (f"--dbname={address}", *arguments)
    done = subprocess.run(
        [found, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise BackupError(said[0])
    return done.stdout


# -- both ------------------------------------------------------------------------------------------


def _check_version(found: str | None, what: str) -> None:
    if found is None:
        raise BackupError(f"{what} is no database of Malva: it has no schema version")
    if found > head():
        raise BackupError(
            f"{what} is of a newer Malva: schema {found}, this one knows up to {head()}"
        )


@contextmanager
def _finished(path: Path) -> Iterator[Path]:
    """A file beside `path` to write; it gets the name once all went well, and nothing is left
    where it did not. Whoever made `path` in the meantime keeps it."""
    with NamedTemporaryFile(dir=path.absolute().parent, prefix=f".{path.name}.", delete=False) as f:
        unfinished = Path(f.name)
    try:
        yield unfinished
        _sync(unfinished)
        if path.exists() and path.stat().st_size:
            raise BackupError(f"{path} has appeared in the meantime: it is not overwritten")
        unfinished.replace(path)
        _sync(path.absolute().parent)
    finally:
        unfinished.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
