"""A guest's data: handed over, erased, and nowhere left; guests who are brought from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
import sqlalchemy as sa

from core.services import ledger
from core.storage import tables
from core.storage.tx import Tx
from tests.end_to_end.around import Till, Visitor, plugins
from tests.end_to_end.process import command, environment
from tests.simulators.telegram import TelegramSimulator
from tests.simulators.telegram_chats import Guest
from tests.support.running import Running, run

NAME, PHONE = "Ana-Marija Petrović", "+381601234567"


@dataclass(frozen=True)
class House:
    malva: Running
    telegram: TelegramSimulator
    till: Till
    folder: Path

    def command(self, *arguments: str) -> str:
        """What `malva …` prints, run beside the one that serves."""
        told = environment(self.malva.database.url.render_as_string(hide_password=False), 8000)
        ended = command(self.folder, told, *arguments)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    with ExitStack() as stack:
        telegram = stack.enter_context(TelegramSimulator())
        malva = stack.enter_context(run(database_url, plugins(telegram)))
        till = stack.enter_context(Till(malva.url, malva.add_till()))
        yield House(malva, telegram, till, tmp_path)


def joins(guest: Guest) -> str:
    """The card's text."""
    guest.starts()
    for button in ("English", guest.user["first_name"], "📱 Share my number"):
        guest.wait_for(button=button)
        guest.presses(button)
    return guest.wait_for(kind="photo").text


def press(guest: Guest, *options: str) -> None:
    """One after the other, each as soon as it is offered."""
    guest.says(options[0])
    for option in options[1:]:
        guest.wait_for(button=option, fresh=True)
        guest.presses(option)


def test_an_erased_guest_is_nowhere_left(house: House) -> None:
    guest = house.telegram.guest(first_name=NAME, phone=PHONE)
    card = joins(guest)
    visit = house.till.identify(phone=PHONE)["visit"]
    house.till.order("o1", visit=visit)
    guest.wait_for(text="+450 points")
    press(guest, "⚙️ Settings", "My data", "Export")
    link = guest.wait_for(text="/privacy/data/").text.rpartition(" ")[2]
    assert PHONE in httpx2.get(link).text
    press(guest, "⚙️ Settings", "My data", "Erase", "Yes, erase everything")
    guest.wait_for(text="Everything is erased")

    left = house.malva.database.read_now(everything)
    assert NAME not in left
    assert PHONE.lstrip("+") not in left
    assert "Petrovi" not in left
    assert httpx2.get(link).status_code == 404
    assert httpx2.get(card.split()[-1]).status_code == 404
    assert house.till.post("identify", {"phone": PHONE}).status_code == 404
    assert house.till.order("o1", visit=visit).json()["points"] == 450, "the books are kept"
    assert house.malva.database.read_now(books) == 450


def test_the_owner_erases_a_visitor_of_the_web_chat(house: House) -> None:
    with Visitor(house.malva.url) as visitor:
        visitor.starts()
        visitor.presses("English")
        visitor.wait_for(text="What is your name?")
        visitor.says(NAME)
        visitor.presses("Skip")
        card = next(m for m in visitor.wait_for(option="No") if m["picture"])["text"]
        known = house.till.identify(code=card.split(": ")[1][:7])
        address = house.malva.database.read_now(only_address)
        exported = house.command("guest", "export", known["guest"]["id"])
        assert NAME in exported
        house.command("guest", "erase", known["guest"]["id"])
        left = house.malva.database.read_now(everything)
        assert NAME not in left
        assert address not in left
        visitor.says("hi")
        visitor.wait_for(option="English")


def test_guests_brought_from_elsewhere_claim_their_balance(house: House) -> None:
    (house.folder / "guests.csv").write_text(
        f"phone,name,language,opening balance,cafe\n{PHONE},Ana,en,850,bife\n"
        "+381609999999,Mila,sr,120,bife\n"
    )
    house.command("guest", "import", "guests.csv")
    guest = house.telegram.guest(first_name="Ana", phone=PHONE)
    joins(guest)
    assert house.till.identify(phone=PHONE)["balance"] == 850
    house.command("guest", "import", "guests.csv")
    assert house.till.identify(phone=PHONE)["balance"] == 850, "a second run changes nothing"
    other = house.telegram.guest(first_name="Ana", phone="381605555555")
    joins(other)
    assert house.till.identify(phone="+381605555555")["balance"] == 0


def everything(tx: Tx) -> str:
    """All that the database holds, as text."""
    return "\n".join(
        repr([value.decode("latin-1") if isinstance(value, bytes) else value for value in row])
        for table in tables.guests.metadata.sorted_tables
        for row in tx.execute(sa.select(table))
    )


def only_address(tx: Tx) -> str:
    return str(tx.scalar(sa.select(tables.contacts.c.address)))


def books(tx: Tx) -> int:
    assert ledger.prove(tx) == []
    return int(tx.scalar(sa.select(sa.func.sum(tables.ledger_entries.c.points))) or 0)
