"""`malva check`: is everything such that `malva serve` will start, and will the books hold?

It looks at as much as it can: what is broken in one place keeps nothing else from being looked at.
Nothing is written. docs/operations.md has a table of the ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from core import i18n
from core.atrest import at_rest
from core.contract import Finding
from core.health import OVERDUE
from core.keys import HOW_TO_MAKE, Keys
from core.metrics import outbox_age
from core.plugins import Loader, Plugins
from core.pluginsfile import PluginsFile, load_plugins_toml
from core.services import cafes, ledger, lots
from core.settings import Settings, SettingsError, unknown_names
from core.storage.database import Database
from core.storage.migrate import NewerDatabase, head, version
from core.storage.tables import guests, ledger_entries
from core.storage.tx import Tx

PATIENCE = 30.0
"""Seconds that a provider has for its answer."""

SAMPLE = 100
"""So many card secrets are tried with the keys, half of them the oldest."""


def check_all(
    environ: Mapping[str, str], *, offline: bool, dotenv: Path | None = Path(".env")
) -> list[Finding]:
    """Every finding, what is wrong and what to do; `offline` asks no provider."""
    try:
        settings = Settings.from_environment(environ, dotenv)
    except SettingsError as error:
        return [_error("E001", problem) for problem in error.problems]
    found = [*_settings(settings), *_catalogs()]
    file, loader = _plugins(settings, found)
    database = Database(settings.database_url)
    try:
        readable = _database(database, found)
        if readable:
            database.read_now(_contents, settings, file, found)
        if loader is not None:
            found += asyncio.run(_running(settings, loader, database, readable, offline))
    finally:
        database.close()
    return found


def _error(id_: str, message: str, hint: str = "") -> Finding:
    return Finding(f"MALVA-{id_}", "error", message, hint)


def _warning(id_: str, message: str, hint: str = "") -> Finding:
    return Finding(f"MALVA-{id_}", "warning", message, hint)


# -- what needs no database ------------------------------------------------------------------------


def _settings(settings: Settings) -> Iterator[Finding]:
    if not settings.secret_key:
        yield _error("E002", "MALVA_SECRET_KEY is not set.", HOW_TO_MAKE)
    if settings.public_url.startswith("http://"):
        yield _warning(
            "W001",
            f"MALVA_PUBLIC_URL is {settings.public_url}: cards and logins travel in the clear.",
            "Put a reverse proxy with https before it, and set its address.",
        )
    for name in unknown_names(settings.environ):
        yield _warning("W002", f"{name} is no setting of Malva.", "Is it misspelt?")


def _catalogs() -> Iterator[Finding]:
    for language in i18n.LANGUAGES:
        try:
            faults = i18n.faults(language)
        except Exception as error:  # a file that is missing or no catalog
            faults = [f"{language}: the catalog can't be read: {type(error).__name__}"]
        for fault in faults:
            yield _error("E005", fault, "English shows instead: mend locales/, or reinstall.")


def _plugins(settings: Settings, found: list[Finding]) -> tuple[PluginsFile | None, Loader | None]:
    """plugins.toml, and its plugins where all of them can be used."""
    try:
        file = load_plugins_toml(settings.plugins, settings.environ)
    except SettingsError as error:
        found += [_error("E003", problem) for problem in error.problems]
        return None, None
    if not (file.business.contact or file.business.privacy_url):
        what = f"{file.path} names no contact under [business]."
        found.append(_warning("W003", what, "The privacy notice has to say whom to ask."))
    if not any(plugin.kind == "channels" for plugin in file.enabled):
        what = f"No channel is enabled in {file.path}."
        found.append(_warning("W004", what, "Guests can't write to you: enable one."))
    loader = Loader(file)
    try:
        loader.load()
    except SettingsError as error:
        found += [_error("E004", problem) for problem in error.problems]
        return file, None
    return file, loader


# -- the database ----------------------------------------------------------------------------------


def _database(database: Database, found: list[Finding]) -> bool:
    """Whether its tables can be read as this code knows them."""
    file = database.url.database
    if database.is_sqlite and not Path(file or "").exists():
        found.append(_warning("W010", f"There is no database {file} yet.", "malva serve makes it."))
        return False
    try:
        at = version(database)
    except NewerDatabase as error:
        found.append(_error("E011", str(error)))
        return False
    except sa.exc.SQLAlchemyError as error:
        says = str(getattr(error, "orig", None) or type(error).__name__).strip().partition("\n")[0]
        found.append(_error("E010", f"The database: {says}.", "See MALVA_DATABASE_URL."))
        return False
    if at != head():
        what = f"The database is at schema {at or 'nothing'}, this Malva wants {head()}."
        found.append(_warning("W010", what, "malva serve or malva migrate brings it up to date."))
        return False
    return True


def _contents(tx: Tx, settings: Settings, file: PluginsFile | None, found: list[Finding]) -> None:
    if not cafes.everyone(tx):
        found.append(_warning("W011", "There is no cafe yet.", "malva cafe add SLUG --name NAME"))
    overdue = outbox_age(tx, datetime.now(UTC))
    if overdue > OVERDUE.total_seconds():
        what = f"A message has been due for {int(overdue)} s."
        found.append(_warning("W012", what, "Is malva serve running, and its channel connected?"))
    found += _ledger(tx)
    if settings.secret_key:
        found += _secrets(tx, Keys(settings.secret_key))


def _ledger(tx: Tx) -> Iterator[Finding]:
    """A balance is the sum of its entries, and each entry says the balance after it."""
    hint = "The ledger is only added to: something else has written here. Restore a backup."
    for one in ledger.prove(tx):
        yield _error(
            "E020",
            f"Guest {one.guest_id} in programme {one.programme_id} has a balance of {one.balance}, "
            f"the entries make {one.entries}.",
            hint,
        )
    for entry_id in misstated_entries(tx):
        yield _error("E021", f"Ledger entry {entry_id} misstates the balance after it.", hint)
    for guest_id, programme_id in lots.prove(tx):
        yield _error(
            "E023",
            f"Guest {guest_id} in programme {programme_id} has lots that don't make the balance.",
            hint,
        )


def misstated_entries(tx: Tx) -> Sequence[int]:
    """Entries whose `balance` is not the sum of their account's entries up to them; at most 10."""
    e = ledger_entries.c
    account = (e.guest_id, e.programme_id)
    sums = sa.select(
        e.id, e.balance, sa.func.sum(e.points).over(partition_by=account, order_by=e.id).label("up")
    ).subquery()
    wrong = sa.select(sums.c.id).where(sums.c.balance != sums.c.up).order_by(sums.c.id).limit(10)
    return list(tx.execute(wrong).scalars())


def _secrets(tx: Tx, keys: Keys) -> Iterator[Finding]:
    alive = sa.select(guests.c.secret).where(
        guests.c.erased_at.is_(None), guests.c.merged_into.is_(None)
    )
    tried = [
        secret
        for order in (guests.c.id.asc(), guests.c.id.desc())
        for secret in tx.execute(alive.order_by(order).limit(SAMPLE // 2)).scalars()
    ]
    lost = sum(not _readable(keys, secret) for secret in tried)
    if lost:
        yield _error(
            "E022",
            f"{lost} of {len(tried)} cards tried are encrypted with a key that is not there.",
            "Put the key from before behind the new one in MALVA_SECRET_KEY, after a comma.",
        )


def _readable(keys: Keys, secret: bytes) -> bool:
    try:
        keys.decrypt(secret)
    except ValueError:
        return False
    return True


# -- the plugins at work ---------------------------------------------------------------------------


async def _running(
    settings: Settings, loader: Loader, database: Database, readable: bool, offline: bool
) -> list[Finding]:
    """Starts every plugin without letting it work, and asks each whether its provider answers."""
    found: list[Finding] = []
    try:
        async with at_rest(settings, loader, database) as plugins:
            if readable:
                known = {cafe.slug for cafe in await database.read(cafes.everyone)}
                found += _unknown_cafes(plugins, known, loader.file)
            if not offline:
                found += await _ask_all(plugins)
    except SettingsError as error:
        return [_error("E004", problem) for problem in error.problems]
    return found


async def _ask_all(plugins: Plugins) -> list[Finding]:
    asked = [
        *((f"channels.{name}", one.check) for name, one in plugins.channels.items()),
        *((f"pos.{name}", one.check) for name, one in plugins.pos.items()),
    ]
    answers = await asyncio.gather(*(_ask(table, check) for table, check in asked))
    return [finding for answer in answers for finding in answer]


def _unknown_cafes(plugins: Plugins, known: set[str], file: PluginsFile) -> Iterator[Finding]:
    for name, pos in plugins.pos.items():
        for slug in pos.cafes():
            if slug not in known:
                line = file.line(["pos", name, "cafes", slug])
                what = f'{file.path}:{line}: [pos.{name}] is for a cafe "{slug}" that is not there.'
                yield _error("E030", what, f"malva cafe add {slug} --name NAME")


async def _ask(table: str, check: Callable[[], Awaitable[Sequence[Finding]]]) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(PATIENCE):
            return await check()
    except TimeoutError:
        what = f"[{table}] gave no answer within {PATIENCE:g} s."
    except Exception as error:
        what = f"[{table}] could not be asked: {type(error).__name__}."
    return [_error("E031", what, "Look at its keys in plugins.toml, and at the network.")]
