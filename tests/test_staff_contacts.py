"""An owner's own messenger: the code that connects it, and what ends it."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from core.contract import Chose, Said, Started
from core.domain import linkcodes
from core.domain.roles import Member
from core.i18n import words
from core.services import cafes, clearing, staff, staff_contacts
from core.services.errors import Forbidden, Missing
from core.storage import tables
from core.storage.database import Database
from tests.test_connecting import NOW, Chat

LATER = timedelta(minutes=11)


@pytest.fixture
def database(database_url):
    database = Database(database_url)
    database.write_now(cafes.add, "bife", "BIFE", "RSD", "Europe/Belgrade", NOW)
    yield database
    database.close()


@pytest.fixture
def olga(database):
    id_ = database.write_now(staff.add, "olga", "Olga", "owner", (), "", NOW)
    return Member(id_, "olga", "Olga", "owner", frozenset())


def offered(database, by, now=NOW):
    return database.write_now(staff_contacts.offer, by, now)


def connected(database, by):
    return [(one.channel, one.gone) for one in database.read_now(staff_contacts.own, by)]


def said(messages):
    return " ".join(body["text"] for _, body in messages)


def refuses(chat, code, now=NOW):
    answer = said(chat.do(Said(code), now))
    return (
        words("en").text(
            "This code doesn't work: it was used already, or is older than 10 minutes."
        )
        in answer
    )


def test_a_code_from_the_portal_connects_the_chat_that_it_is_written_in(database, olga):
    chat = Chat(database, "telegram", "o", "en")
    answer = said(chat.do(Said(offered(database, olga))))
    assert answer.startswith("Hello Olga! Alarms of BIFE come here from now on.")
    assert connected(database, olga) == [("telegram", False)]
    assert chat.guest_id() is None


@pytest.mark.parametrize("language", ["sr", "ru"])
def test_it_answers_in_the_language_that_the_owner_chose(database, olga, language):
    database.write_now(staff.choose_language, olga, language)
    answer = said(Chat(database, "telegram", "o", "en").do(Said(offered(database, olga))))
    assert "Olga" in answer
    assert "Hello" not in answer


def test_a_code_works_once_for_ten_minutes_and_until_the_next(database, olga):
    first, second = offered(database, olga), offered(database, olga)
    assert refuses(Chat(database, "telegram", "1", "en"), first)
    assert not refuses(Chat(database, "telegram", "2", "en"), second)
    assert refuses(Chat(database, "telegram", "3", "en"), second)
    assert refuses(Chat(database, "telegram", "4", "en"), offered(database, olga), NOW + LATER)
    assert len(connected(database, olga)) == 1


def test_several_messengers_and_each_of_them_once(database, olga):
    for channel in ("telegram", "viber", "viber"):
        Chat(database, channel, "o", "en").do(Started(f"link_{offered(database, olga)}"))
    assert connected(database, olga) == [("telegram", False), ("viber", False)]


def test_a_guest_s_code_still_connects_the_guest(database, olga):
    telegram, viber = (Chat(database, name, "1", "en") for name in ("telegram", "viber"))
    telegram.registers()
    telegram.do(Said(offered(database, olga)))
    code, _ = telegram.asks_for_code()
    viber.do(Said(code))
    assert viber.guest_id() == telegram.guest_id()
    assert connected(database, olga) == [("telegram", False)]


def test_whoever_is_an_owner_no_longer_connects_nothing(database, olga):
    code = offered(database, olga)
    demoted = sa.update(tables.staff).where(tables.staff.c.id == olga.id).values(role="manager")
    database.write_now(lambda tx: tx.execute(demoted))
    assert refuses(Chat(database, "telegram", "o", "en"), code)


def test_managers_and_cashiers_get_no_code(database):
    for role in ("manager", "cashier"):
        with pytest.raises(Forbidden):
            offered(database, Member(9, "mira", "Mira", role, frozenset({1})))


def test_a_stranger_s_chat_stays_as_long_as_alarms_go_there(database, olga):
    Chat(database, "telegram", "o", "en").do(Said(offered(database, olga)))
    sent = sa.update(tables.messages).values(status="sent")
    database.write_now(lambda tx: tx.execute(sent))
    database.write_now(clearing.clear, NOW + timedelta(days=30))
    ((contact, *_),) = database.read_now(staff_contacts.own, olga)
    database.write_now(staff_contacts.disconnect, olga, contact, NOW)
    assert connected(database, olga) == []
    database.write_now(clearing.clear, NOW + timedelta(days=30))
    left = sa.select(sa.func.count()).select_from(tables.contacts)
    assert database.read_now(lambda tx: tx.scalar(left)) == 0


def test_nobody_disconnects_another_s(database, olga):
    Chat(database, "telegram", "o", "en").do(Said(offered(database, olga)))
    ((contact, *_),) = database.read_now(staff_contacts.own, olga)
    other = Member(99, "vera", "Vera", "owner", frozenset())
    with pytest.raises(Missing):
        database.write_now(staff_contacts.disconnect, other, contact, NOW)
    assert len(connected(database, olga)) == 1


def test_an_owner_who_has_their_guest_s_data_erased_is_reached_there_no_longer(database, olga):
    chat = Chat(database, "telegram", "o", "en")
    chat.registers()
    chat.do(Said(offered(database, olga)))
    chat.do(Chose("data:erase"))
    chat.do(Chose("erase:yes"))
    assert connected(database, olga) == []


def test_codes_are_kept_as_hashes_alone(database, olga):
    code = offered(database, olga)
    row = database.read_now(lambda tx: tx.execute(sa.select(tables.staff_codes)).one())
    assert code not in str(row)
    assert linkcodes.read(code) == code
