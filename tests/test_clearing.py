"""What nobody needs any more goes; a conversation under way stays, however old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from core.contract import Capabilities, Chose, Inbound, Sender, Started
from core.keys import Keys
from core.services import cafes, clearing
from core.storage import tables
from core.storage.database import Database
from core.talk import House, talk

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SHOWS = Capabilities(options=100, text_length=4096, caption_length=1024)
HOUSE = House("BIFE", "https://malva.example", Keys(Keys.generate()))


@pytest.fixture
def database(database_url):
    database = Database(database_url)
    database.write_now(cafes.add, "bife", "BIFE", "RSD", "Europe/Belgrade", NOW)
    yield database
    database.close()


def does(database: Database, address: str, *contents) -> None:
    for number, content in enumerate(contents):
        event = Inbound(
            event_id=f"{address} {number}", sender=Sender(address, "Ana"), content=content
        )
        database.write_now(talk, "telegram", SHOWS, event, HOUSE, NOW)


def addresses(database: Database) -> set[str]:
    return set(
        database.read_now(
            lambda tx: tx.execute(sa.select(tables.contacts.c.address)).scalars().all()
        )
    )


def delivered(database: Database) -> None:
    database.write_now(
        lambda tx: tx.execute(sa.update(tables.messages).values(status="sent", sent_at=NOW))
    )


REGISTERS = (
    Started(),
    Chose("language:en"),
    Chose("name:offered"),
    Chose("phone:skip"),
    Chose("offers:no"),
)
ERASES = (Chose("data:erase"), Chose("erase:yes"))


def test_the_address_of_an_erased_guest_goes_once_the_goodbye_has_arrived(database):
    does(database, "erased", *REGISTERS, *ERASES)
    later = NOW + clearing.FAREWELL + timedelta(seconds=1)
    database.write_now(clearing.clear, later)
    assert addresses(database) == {"erased"}, "the goodbye is still on its way"
    delivered(database)
    database.write_now(clearing.clear, NOW)
    assert addresses(database) == {"erased"}, "it was a moment ago"
    assert database.write_now(clearing.clear, later) is False
    assert addresses(database) == set()
    assert not database.read_now(lambda tx: tx.execute(sa.select(tables.messages.c.id)).all())


def test_guests_and_whoever_is_registering_stay(database):
    does(database, "guest", *REGISTERS)
    does(database, "new", Started())
    delivered(database)
    database.write_now(clearing.clear, NOW + timedelta(days=400))
    assert addresses(database) == {"guest", "new"}


def test_an_erased_guest_may_begin_afresh_at_any_time(database):
    does(database, "back", *REGISTERS, *ERASES, Started())
    delivered(database)
    database.write_now(clearing.clear, NOW + timedelta(days=400))
    assert addresses(database) == {"back"}
