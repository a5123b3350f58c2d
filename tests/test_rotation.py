"""Replacing MALVA_SECRET_KEY without losing a card or a link."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from core import rotation
from core.keys import Keys
from core.rotation import retire_older_keys
from core.services import guests, staff
from core.storage.database import Database
from core.storage.tables import guests as guest_rows
from core.storage.tables import staff as staff_rows

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
OLD, NEW, OTHER = (Keys.generate() for _ in range(3))


@pytest.fixture
def database(database_url, monkeypatch):
    monkeypatch.setattr(rotation, "BATCH", 2)
    monkeypatch.setattr(rotation, "PAUSE", 0)
    database = Database(database_url)
    yield database
    database.close()


def add_guests(database: Database, key: str, count: int) -> None:
    for _ in range(count):
        database.write_now(
            lambda tx: guests.add(
                tx, name="Ana", language="sr", cafe_id=None, keys=Keys(key), now=NOW
            )
        )


def secrets(database: Database, key: str) -> list[bytes]:
    """The cards' secrets, read with one key alone."""
    rows = sa.select(guest_rows.c.secret).order_by(guest_rows.c.id)
    return [
        Keys(key).decrypt(secret)
        for secret in database.read_now(lambda tx: list(tx.execute(rows).scalars()))
    ]


@pytest.mark.anyio
async def test_afterwards_the_first_key_alone_reads_every_card(database, caplog):
    caplog.set_level(logging.INFO)
    add_guests(database, OLD, 5)
    before = secrets(database, OLD)
    await retire_older_keys(database, Keys(f"{NEW},{OLD}"))
    assert secrets(database, NEW) == before
    assert "every card is encrypted with the first key" in caplog.text


@pytest.mark.anyio
async def test_what_the_first_key_made_is_left_alone(database):
    add_guests(database, NEW, 3)
    rows = sa.select(guest_rows.c.secret).order_by(guest_rows.c.id)
    before = database.read_now(lambda tx: list(tx.execute(rows).scalars()))
    await retire_older_keys(database, Keys(f"{NEW},{OLD}"))
    assert database.read_now(lambda tx: list(tx.execute(rows).scalars())) == before


@pytest.mark.anyio
async def test_a_card_of_a_key_that_is_gone_keeps_no_other_and_is_told(database, caplog):
    add_guests(database, OTHER, 1)
    add_guests(database, OLD, 2)
    await retire_older_keys(database, Keys(f"{NEW},{OLD}"))
    assert "1 secrets are encrypted with a key that MALVA_SECRET_KEY does not hold" in caplog.text
    assert len(secrets(database, f"{NEW},{OTHER}")) == 3


def test_an_older_key_still_reads_what_it_signed():
    link = Keys(OLD).sign("card", "7Q4K.1")
    assert Keys(f"{NEW},{OLD}").unsign("card", link) == "7Q4K.1"
    assert Keys(NEW).unsign("card", link) is None
    assert Keys(NEW).unsign("card", Keys(f"{NEW},{OLD}").sign("card", "x")) == "x"


@pytest.mark.anyio
async def test_a_second_factor_is_encrypted_anew_too(database):
    def add(tx) -> None:
        hired = staff.add(tx, "olga", "Olga", "owner", (), "a hash", NOW)
        secret = Keys(OLD).encrypt(b"JBSWY3DPEHPK3PXP")
        row = staff_rows.c.id == hired
        tx.execute(sa.update(staff_rows).where(row).values(totp_secret=secret))

    database.write_now(add)
    await retire_older_keys(database, Keys(f"{NEW},{OLD}"))
    kept = database.read_now(lambda tx: tx.scalar(sa.select(staff_rows.c.totp_secret)))
    assert Keys(NEW).decrypt(kept) == b"JBSWY3DPEHPK3PXP"
