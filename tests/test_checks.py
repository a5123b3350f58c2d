"""`malva check`: what it finds, under which id, and that it finds all of it at once."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent

import pytest
import sqlalchemy as sa

from core import checks
from core.contract import Finding
from core.keys import Keys
from core.services import cafes, guests, ledger, messages
from core.storage.database import Database
from core.storage.tables import accounts
from core.storage.tables import contacts as contact_rows

ROOT = Path(__file__).parents[1]
NOW = datetime.now(UTC)
KEY = Keys.generate()

PLUGIN = """
    import malva
    CONTRACT = 1

    class Settings(malva.Settings):
        cafes: dict[str, int] = {}
        fails: bool = False

    class Channel:
        capabilities = malva.Capabilities(options=1, text_length=1, caption_length=1)
        def __init__(self, settings):
            self.settings = settings
        async def check(self):
            if self.settings.fails:
                raise RuntimeError("a secret")
            return [malva.Finding("MALVA-E901", "error", "refused", "ask for another token")]
        def cafes(self):
            return list(self.settings.cafes)

    @malva.hookimpl
    def channel(settings):
        return Channel(settings)

    @malva.hookimpl
    def pos(settings):
        return Channel(settings)
"""

GOOD = """
    [business]
    name = "BIFE"
    contact = "hello@bife.example"
    [channels.mine]
    module = "checked_plugin"
"""


@pytest.fixture
def database(database_url):
    database = Database(database_url)
    database.write_now(cafes.add, "bife", "BIFE", "RSD", "Europe/Belgrade", NOW)
    yield database
    database.close()


@pytest.fixture
def look(tmp_path, monkeypatch):
    """Runs the checks: `look(database url, plugins.toml, NAME=value)`; all is well by default."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "checked_plugin.py").write_text(dedent(PLUGIN))

    def run(url: str, toml: str = GOOD, *, offline: bool = True, **environ: str) -> list[Finding]:
        (tmp_path / "plugins.toml").write_text(dedent(toml).lstrip())
        environ = {
            "MALVA_DATABASE_URL": url,
            "MALVA_PUBLIC_URL": "https://loyalty.example.com",
            "MALVA_SECRET_KEY": KEY,
            "MALVA_PLUGINS": str(tmp_path / "plugins.toml"),
            **environ,
        }
        return checks.check_all(environ, offline=offline, dotenv=None)

    yield run
    sys.modules.pop("checked_plugin", None)


def ids(findings: list[Finding]) -> list[str]:
    assert all(finding.message and "\n" not in finding.message for finding in findings)
    return [finding.id for finding in findings]


def add_guest(database: Database, key: str = KEY) -> int:
    return database.write_now(
        lambda tx: guests.add(tx, name="Ana", language="sr", cafe_id=1, keys=Keys(key), now=NOW)
    )


def add_points(database: Database, guest_id: int, *points: int, first: int = 1) -> None:
    for n, count in enumerate(points, first):
        database.write_now(
            lambda tx, n=n, count=count: ledger.add_entry(
                tx,
                guest_id=guest_id,
                programme_id=1,
                cafe_id=1,
                kind="order",
                reference=f"order:{n}",
                points=count,
                because=[],
                now=NOW,
            )
        )


def test_where_all_is_well_nothing_is_found(look, database, database_url):
    add_points(database, add_guest(database), 85, -20, 3)
    assert look(database_url) == []


# -- settings and plugins --------------------------------------------------------------------------


def test_every_wrong_setting_is_found(look, tmp_path):
    found = look("mysql://x", MALVA_LOG="xml")
    assert ids(found) == ["MALVA-E001", "MALVA-E001"]


def test_plain_http_a_missing_key_and_a_misspelt_setting_are_found(look, database, database_url):
    found = look(
        database_url, MALVA_PUBLIC_URL="http://example.com", MALVA_SECRET_KEY="", MALVA_X="1"
    )
    assert ids(found) == ["MALVA-E002", "MALVA-W001", "MALVA-W002"]
    assert [finding.level for finding in found] == ["error", "warning", "warning"]


def test_a_broken_plugins_toml_keeps_nothing_else_from_being_looked_at(look, sqlite_url):
    assert ids(look(sqlite_url, "[channels.x]\n[nonsense]\n")) == [
        "MALVA-E003",
        "MALVA-E003",
        "MALVA-W011",
    ]


def test_plugins_that_can_t_be_used_are_each_found(look, sqlite_url):
    toml = '[channels.x]\nmodule = "nope"\n[channels.y]\nmodule = "checked_plugin"\nz = 1\n'
    found = look(sqlite_url, toml)
    assert ids(found) == ["MALVA-W003", "MALVA-E004", "MALVA-E004", "MALVA-W011"]


def test_without_a_channel_nobody_can_write(look, sqlite_url):
    assert "MALVA-W004" in ids(look(sqlite_url, '[business]\ncontact = "x"\n'))


def test_a_till_system_for_a_cafe_that_is_not_there_is_found_with_its_line(
    look, database, database_url
):
    toml = """
        [pos.octo]
        module = "checked_plugin"
        [pos.octo.cafes]
        bife = 1
        dorcol = 2
    """
    (found,) = look(database_url, dedent(GOOD) + dedent(toml))
    assert found.id == "MALVA-E030"
    assert 'plugins.toml:11: [pos.octo] is for a cafe "dorcol" that is not there.' in found.message
    assert found.hint == "malva cafe add dorcol --name NAME"


# -- providers -------------------------------------------------------------------------------------


def test_each_provider_is_asked_unless_offline(look, database, database_url):
    assert ids(look(database_url, offline=True)) == []
    (found,) = look(database_url, offline=False)
    assert (found.id, found.message, found.hint) == (
        "MALVA-E901",
        "refused",
        "ask for another token",
    )


def test_an_adapter_that_fails_to_ask_is_found_without_its_words(look, database, database_url):
    (found,) = look(database_url, GOOD + "    fails = true\n", offline=False)
    assert found.id == "MALVA-E031"
    assert "secret" not in found.message


# -- the database ----------------------------------------------------------------------------------


def test_a_database_that_is_not_there_is_not_made(look, tmp_path):
    assert ids(look(f"sqlite:///{tmp_path}/new.db")) == ["MALVA-W010"]
    assert not (tmp_path / "new.db").exists()


def test_an_empty_database_waits_for_its_tables(look, empty_database_url):
    assert ids(look(empty_database_url)) == ["MALVA-W010"]


def test_a_database_that_can_t_be_opened_is_found(look, tmp_path):
    (tmp_path / "malva.db").write_bytes(b"no database at all, but long enough to look at" * 40)
    found = look(f"sqlite:///{tmp_path}/malva.db")
    assert ids(found) == ["MALVA-E010"]
    found = look("postgresql://malva:hunter22@127.0.0.1:1/malva")
    assert ids(found) == ["MALVA-E010"]
    assert "hunter22" not in str(found)


def test_a_newer_database_is_found(look, database, database_url):
    database.write_now(
        lambda tx: tx.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    )
    assert ids(look(database_url)) == ["MALVA-E011"]


def test_a_business_without_a_cafe_is_told_how_to_add_one(look, database_url):
    assert ids(look(database_url)) == ["MALVA-W011"]


def test_a_message_that_nobody_sends_is_found(look, database, database_url):
    def overdue(tx):
        guest_id = guests.add(tx, name="Ana", language="sr", cafe_id=1, keys=Keys(KEY), now=NOW)
        contact_id = tx.scalar(
            sa.insert(contact_rows)
            .values(channel="mine", address="1", guest_id=guest_id, stored=0, created_at=NOW)
            .returning(contact_rows.c.id)
        )
        messages.put(
            tx, contact_id=contact_id, channel="mine", lane=messages.ANSWER, kind="reply",
            body={}, now=NOW - timedelta(hours=1),
        )  # fmt: skip

    database.write_now(overdue)
    assert ids(look(database_url)) == ["MALVA-W012"]


def test_a_key_that_is_missing_is_found_and_one_behind_the_first_is_enough(
    look, database, database_url
):
    older = Keys.generate()
    add_guest(database, older)
    add_guest(database)
    (found,) = look(database_url)
    assert (found.id, "2 of 4 cards tried" in found.message) == ("MALVA-E022", True)
    assert look(database_url, MALVA_SECRET_KEY=f"{KEY},{older}") == []


# -- the ledger ------------------------------------------------------------------------------------


def test_a_balance_that_its_entries_don_t_make_is_found(look, database, database_url):
    add_points(database, add_guest(database), 85)
    database.write_now(lambda tx: tx.execute(sa.update(accounts).values(balance=86)))
    (found,) = look(database_url)
    assert found.id == "MALVA-E020"
    assert "has a balance of 86, the entries make 85" in found.message


def test_an_entry_that_misstates_the_balance_after_it_is_found(look, database, database_url):
    guest_id = add_guest(database)
    add_points(database, guest_id, 85)
    database.write_now(lambda tx: tx.execute(sa.update(accounts).values(balance=5)))
    add_points(database, guest_id, 3, first=2)
    database.write_now(lambda tx: tx.execute(sa.update(accounts).values(balance=88)))
    (found,) = look(database_url)
    assert found.id == "MALVA-E021"


# -- the table -------------------------------------------------------------------------------------


def test_the_table_of_ids_has_each_that_is_used_and_no_other():
    text = (ROOT / "docs" / "operations.md").read_text()
    listed = re.findall(r"^\| `(MALVA-[EWI]\d{3})` \|", text, re.MULTILINE)
    used = {
        f"MALVA-{id_}"
        for id_ in re.findall(r"_(?:error|warning)\(\s*\"([EW]\d{3})\"", _source("core/checks.py"))
    }
    for folder in ("channels", "pos"):
        for path in (ROOT / folder).rglob("*.py"):
            used |= set(re.findall(r"MALVA-[EWI]\d{3}", path.read_text()))
    assert sorted(listed) == sorted(used)


def _source(path: str) -> str:
    return (ROOT / path).read_text()
