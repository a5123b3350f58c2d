"""Guests and their chats in a real database: registering, linking, merging, erasing, exporting."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import orjson
import pytest
import sqlalchemy as sa

from core.contract import (
    Capabilities,
    Chose,
    Content,
    GuestJoined,
    Inbound,
    Left,
    Returned,
    Said,
    Sender,
    SharedPhone,
    Started,
)
from core.services import cafes, guests, ledger, linking, lots, privacy
from core.storage import tables
from core.storage.database import Database
from core.storage.tx import Tx
from core.talk import House, talk
from tests.support.shop import KEYS, NOW, Shop

TELEGRAM = Capabilities(
    options=100, text_length=4096, caption_length=1024, edits=True, asks_phone=True
)
WEBCHAT = Capabilities(options=20, text_length=4096, caption_length=1024, stores=True)
HOUSE = House("BIFE", "https://malva.example", KEYS)
PHONE = "+381601234567"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def tx(database: Database) -> Iterator[Tx]:
    """A transaction that is thrown away."""
    with database.writer_engine.connect() as connection, connection.begin() as transaction:
        yield Tx(connection)
        transaction.rollback()


@pytest.fixture
def shop(tx: Tx) -> Shop:
    return Shop(tx)


def said(
    tx: Tx,
    content: Content,
    address: str = "chat",
    capabilities: Capabilities = TELEGRAM,
    **sender: str,
) -> list[int]:
    event = Inbound(
        event_id="1", sender=Sender(address, **{"name": "Ana", **sender}), content=content
    )
    return talk(tx, "telegram", capabilities, event, HOUSE, NOW)


def register(tx: Tx, address: str = "chat", phone: str | None = None, **sender: str) -> int:
    """Through the conversation, to the card; the guest's row id."""
    said(tx, Started(), address, **sender)
    said(tx, Chose("language:en"), address, **sender)
    said(tx, Chose("name:offered"), address, **sender)
    said(tx, SharedPhone(phone, own=True) if phone else Chose("phone:skip"), address, **sender)
    said(tx, Chose("offers:no"), address, **sender)
    return contact(tx, address).guest_id


def contact(tx: Tx, address: str = "chat") -> sa.Row | None:
    c = tables.contacts
    return tx.execute(sa.select(c).where(c.c.address == address)).first()


def guest(tx: Tx, guest_id: int) -> sa.Row:
    return tx.execute(sa.select(tables.guests).where(tables.guests.c.id == guest_id)).one()


def count(tx: Tx, table: sa.Table) -> int:
    return tx.scalar(sa.select(sa.func.count()).select_from(table))


# -- registering -----------------------------------------------------------------------------------


def test_a_guest_is_registered_with_a_secret_of_their_own(tx: Tx, shop: Shop) -> None:
    ana, eva = guest(tx, register(tx, "a")), guest(tx, register(tx, "e", name="Eva"))
    assert (ana.name, ana.language, ana.home_cafe_id) == ("Ana", "en", shop.cafe.id)
    assert ana.phone is None
    assert not ana.phone_proven
    assert not ana.offers
    assert len(KEYS.decrypt(ana.secret)) == 20
    assert KEYS.decrypt(ana.secret) != KEYS.decrypt(eva.secret)
    assert ana.public_id != eva.public_id
    assert ana.public_id.isalnum()
    assert ana.public_id == ana.public_id.upper()
    assert GuestJoined(guest_id=ana.public_id, cafe="bife", channel="telegram") in tx.events


def test_a_shared_number_is_proven_and_a_typed_one_is_not(tx: Tx, shop: Shop) -> None:
    shared = guest(tx, register(tx, "a", PHONE.removeprefix("+")))
    assert (shared.phone, shared.phone_proven) == (PHONE, True)
    said(tx, Started(), "e")
    said(tx, Chose("language:en"), "e")
    said(tx, Said("Eva"), "e")
    said(tx, Said(PHONE), "e")
    typed = guest(tx, contact(tx, "e").guest_id)
    assert (typed.phone, typed.phone_proven) == (PHONE, False)
    assert linking.holder(tx, PHONE) == shared.id


def test_a_number_that_was_shared_and_then_replaced_by_a_typed_one_is_not_proven(
    tx: Tx, shop: Shop
) -> None:
    cafes.add(tx, "zrno", "Zrno", "RSD", "Europe/Belgrade", NOW)
    for content in (
        Started(),
        Chose("language:en"),
        Chose("name:offered"),
        SharedPhone(PHONE, own=True),
        Chose("back"),
        Said("060 765 4321"),
        Chose("cafe:zrno"),
    ):
        said(tx, content)
    kept = guest(tx, contact(tx).guest_id)
    assert (kept.phone, kept.phone_proven) == ("+381607654321", False)


def test_the_card_is_the_next_message_after_the_last_answer(tx: Tx, shop: Shop) -> None:
    said(tx, Started())
    said(tx, Chose("language:en"))
    said(tx, Chose("name:offered"))
    rows = said(tx, Chose("phone:skip"))
    m = tables.messages.c
    kinds = tx.execute(sa.select(m.kind).where(m.id.in_(rows)).order_by(m.id)).scalars().all()
    assert kinds == ["card", "reply"]


def test_a_conversation_goes_on_after_weeks_and_a_restart(database: Database) -> None:
    def begin(tx: Tx) -> None:
        Shop(tx)
        said(tx, Started())
        said(tx, Chose("language:sr"))
        said(tx, Said("Mila"))

    database.write_now(begin)
    again = Database(str(database.url.render_as_string(hide_password=False)))
    try:
        again.write_now(said, Chose("phone:skip"))
        row = again.read_now(lambda tx: guest(tx, contact(tx).guest_id))
    finally:
        again.close()
    assert (row.name, row.language) == ("Mila", "sr")


def test_messages_at_once_are_worked_on_one_by_one(database: Database) -> None:
    """Whoever is first registers; the others find a guest."""
    database.write_now(Shop)
    for content in (Started(), Chose("language:en"), Chose("name:offered")):
        database.write_now(said, content)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: database.write_now(said, Chose("phone:skip")), range(16)))
    assert database.read_now(count, tables.guests) == 1


def test_first_messages_at_once_make_one_chat(database: Database) -> None:
    database.write_now(Shop)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: database.write_now(said, Started()), range(16)))
    assert database.read_now(count, tables.contacts) == 1


def test_one_number_proven_on_two_messengers_at_once_makes_one_guest(database: Database) -> None:
    addresses = [f"chat {number}" for number in range(8)]
    database.write_now(Shop)
    for address in addresses:
        for content in (Started(), Chose("language:en"), Chose("name:offered")):
            database.write_now(said, content, address)
    with ThreadPoolExecutor(8) as pool:
        shared = SharedPhone(PHONE, own=True)
        list(pool.map(lambda address: database.write_now(said, shared, address), addresses))
    assert database.read_now(count, tables.guests) == 1
    owners = database.read_now(lambda tx: {contact(tx, address).guest_id for address in addresses})
    assert len(owners) == 1


# -- what a messenger tells ------------------------------------------------------------------------


def test_a_guest_who_leaves_is_marked_and_comes_back_by_writing(tx: Tx, shop: Shop) -> None:
    register(tx)
    assert said(tx, Left()) == []
    assert contact(tx).gone_at == NOW
    said(tx, Returned())
    assert contact(tx).gone_at is None
    said(tx, Left())
    assert said(tx, Said("menu"))
    assert contact(tx).gone_at is None


def test_a_stranger_who_leaves_is_nobody(tx: Tx, shop: Shop) -> None:
    said(tx, Left())
    said(tx, Returned())
    assert contact(tx) is None


def test_odd_names_languages_and_words_are_kept_or_dropped_never_fatal(tx: Tx, shop: Shop) -> None:
    odd = {"name": "\u0000\u202e" + "Ш" * 500, "language": "<script>"}
    said(tx, Started(), **odd)
    for words in ("x" * 10_000, "\u0000", "\ud800", "٢", "{name}", "%s", "👩‍👩‍👧"):
        assert said(tx, Said(words), capabilities=WEBCHAT, **odd)
    assert contact(tx).name == "Ш" * 64
    assert contact(tx).language is None


def test_a_channel_that_stores_keeps_the_guests_own_words(tx: Tx, shop: Shop) -> None:
    said(tx, Said("hi"), capabilities=WEBCHAT)
    said(tx, Chose("language:en"), capabilities=WEBCHAT)
    m = tables.messages.c
    kept = tx.execute(sa.select(m.body).where(m.kind == "said").order_by(m.id)).scalars()
    assert [body["text"] for body in kept] == ["hi", "English"]


# -- one guest on several messengers ---------------------------------------------------------------


def test_a_proven_number_brings_a_second_chat_to_the_same_guest(tx: Tx, shop: Shop) -> None:
    ana = register(tx, "telegram chat", PHONE)
    assert register(tx, "another chat", PHONE) == ana
    assert count(tx, tables.guests) == 1


def test_merging_moves_everything_and_neither_loses_nor_doubles_a_point(tx: Tx, shop: Shop) -> None:
    shop_of_two = Shop(tx, "zrno")
    keep, other = shop.guest("Ana"), shop.guest("Anita", phone=PHONE, phone_proven=True)
    for buyer, order_id, minor in ((keep, "1", 150_60), (other, "2", 85_70)):
        shop.order(order_id, minor, visit=shop.visit(buyer).public_id)
    shop_of_two.order("3", 40_00, visit=shop_of_two.visit(other).public_id)
    guests.change(tx, other, "email", "ana@example.com")

    linking.merge(tx, keep=keep, other=other, now=NOW)

    programme, second = shop.cafe.programme_id, shop_of_two.cafe.programme_id
    assert ledger.balance(tx, keep, programme) == 150 + 85
    assert ledger.balance(tx, keep, second) == 40
    assert ledger.balance(tx, other, programme) == ledger.balance(tx, other, second) == 0
    assert ledger.lock(tx, keep, programme).carry_minor == 60 + 70
    assert ledger.lock(tx, other, programme).carry_minor == 0
    assert ledger.prove(tx) == []
    o, c, v = tables.orders.c, tables.contacts.c, tables.visits.c
    for column in (o.guest_id, c.guest_id, v.guest_id, tables.memberships.c.guest_id):
        assert set(tx.execute(sa.select(column)).scalars()) == {keep}
    kept, gone = guest(tx, keep), guest(tx, other)
    assert (kept.name, kept.phone, kept.phone_proven) == ("Ana", PHONE, True)
    assert kept.email == "ana@example.com"
    assert (gone.name, gone.phone, gone.email, gone.merged_into) == ("", None, None, keep)
    assert guests.find(tx, gone.public_id) == keep
    assert count_events(tx, "guests_merged") == 1


def test_what_was_left_over_on_both_sides_is_spent_with_the_next_order(tx: Tx, shop: Shop) -> None:
    keep, other = shop.guest("Ana"), shop.guest("Anita")
    for buyer, order_id in ((keep, "1"), (other, "2")):
        shop.order(order_id, 10_60, visit=shop.visit(buyer).public_id)
    linking.merge(tx, keep=keep, other=other, now=NOW)
    shop.order("3", 10_00, visit=shop.visit(keep).public_id)
    assert ledger.balance(tx, keep, shop.cafe.programme_id) == 31, "31.20 in all"


def test_an_order_of_before_a_merge_is_refunded_to_the_guest_that_is_left(
    tx: Tx, shop: Shop
) -> None:
    keep, other = shop.guest("Ana"), shop.guest("Anita")
    shop.order("1", 100_00, visit=shop.visit(other).public_id)
    linking.merge(tx, keep=keep, other=other, now=NOW)
    shop.refund("1")
    assert ledger.balance(tx, keep, shop.cafe.programme_id) == 0
    assert ledger.balance(tx, other, shop.cafe.programme_id) == 0
    assert ledger.prove(tx) == []


def test_merged_twice_over_the_public_ids_lead_to_the_last(tx: Tx, shop: Shop) -> None:
    first, second, third = (shop.guest(name) for name in ("A", "B", "C"))
    ids = [guest(tx, each).public_id for each in (first, second, third)]
    linking.merge(tx, keep=second, other=first, now=NOW)
    linking.merge(tx, keep=third, other=second, now=NOW)
    assert {guests.find(tx, public_id) for public_id in ids} == {third}


def count_events(tx: Tx, kind: str) -> int:
    e = tables.event_log.c
    return tx.scalar(sa.select(sa.func.count()).where(e.kind == kind))


# -- a guest's data --------------------------------------------------------------------------------


def test_the_export_holds_everything_but_the_secret(tx: Tx, shop: Shop) -> None:
    ana = register(tx, phone=PHONE)
    shop.order("1", 450_00, visit=shop.visit(ana).public_id)
    document = privacy.export(tx, ana)
    assert document["guest"]["name"] == "Ana"
    assert document["guest"]["phone"] == PHONE
    assert document["guest"]["home_cafe"] == "BIFE"
    assert document["chats"][0]["address"] == "chat"
    assert document["balances"] == [
        {"programme": "BIFE", "balance": 450, "unit": "points", "carry_minor": 0}
    ]
    assert [entry["points"] for entry in document["points"]] == [450]
    assert document["orders"][0]["total_minor"] == 450_00
    assert document["visits"]
    assert document["messages"]
    assert b"secret" not in orjson.dumps(document)


def test_the_export_has_bonuses_refunds_and_the_dates_of_points(tx: Tx, shop: Shop) -> None:
    programme = shop.cafe.programme_id
    lots.set_expiry(tx, programme, 12, NOW)
    welcome = {"programme_id": programme, "kind": "welcome", "names": {"en": "Hello"}}
    welcome |= {"params": {"points": 50}, "created_at": NOW}
    tx.execute(sa.insert(tables.bonus_rules).values(**welcome))
    shop.cafe = cafes.row(tx, shop.cafe.id)
    ana = shop.guest()
    shop.order("1", 450_00, visit=shop.visit(ana).public_id)
    shop.refund("1", amount_minor=45_00)
    document = privacy.export(tx, ana)
    (bonus,) = document["bonuses"]
    assert (bonus["kind"], bonus["names"], bonus["points"]) == ("welcome", {"en": "Hello"}, 50)
    (refund,) = document["refunds"]
    assert (refund["order_id"], refund["amount_minor"]) == ("1", 45_00)
    assert refund["points_taken_back"] == 50
    (lot,) = document["expiring"]
    assert (lot["programme"], lot["points"]) == ("BIFE", 450)
    assert lot["expires_at"] > NOW.isoformat()


def test_the_link_to_the_export_names_the_guest_and_nobody_else(tx: Tx, shop: Shop) -> None:
    ana = guest(tx, register(tx))
    (row,) = said(tx, Chose("data:export"))
    m = tables.messages.c
    ((_, url, _),) = tx.scalar(sa.select(m.body).where(m.id == row))["links"]
    signed = url.removeprefix("https://malva.example/privacy/data/")
    assert KEYS.unsign("export", signed, timedelta(minutes=15)) == ana.public_id


def test_erasing_removes_the_person_and_keeps_the_books(tx: Tx, shop: Shop) -> None:
    ana = register(tx, phone=PHONE)
    merged = shop.guest("Anita")
    linking.merge(tx, keep=ana, other=merged, now=NOW)
    shop.order("1", 450_00, visit=shop.visit(ana).public_id)
    said(tx, Chose("data:erase"))
    said(tx, Chose("erase:yes"))

    for row in (guest(tx, ana), guest(tx, merged)):
        told = (row.name, row.phone, row.email, row.birthday, row.home_cafe_id, row.secret)
        assert told == ("", None, None, None, None, b"")
        assert row.erased_at == NOW
    assert guests.find(tx, guest(tx, ana).public_id) is None
    assert ledger.balance(tx, ana, shop.cafe.programme_id) == 450
    assert ledger.prove(tx) == []
    assert count(tx, tables.orders) == 1
    for table in (tables.leases, tables.memberships):
        assert count(tx, table) == 0
    assert count_events(tx, "guest_erased") == 1
    assert PHONE not in str(tx.execute(sa.select(tables.event_log)).all())

    stranger = contact(tx)
    assert (stranger.guest_id, stranger.name, stranger.phone) == (None, None, None)
    assert count(tx, tables.messages) == 1, "the goodbye"
    assert register(tx, phone=PHONE) != ana


def test_an_erased_guests_messages_leave_their_ids_behind(tx: Tx, shop: Shop) -> None:
    """A send that is in flight meanwhile must not be taken for the goodbye."""
    register(tx)
    last = max(said(tx, Chose("data:erase")))
    assert min(said(tx, Chose("erase:yes"))) > last


def test_an_imported_balance_is_claimed_once(tx: Tx, shop: Shop) -> None:
    waiting = {"phone": PHONE, "cafe_id": shop.cafe.id, "name": "", "language": "en"}
    tx.execute(sa.insert(tables.imported_guests).values(**waiting, points=340, created_at=NOW))
    ana = register(tx, "a", PHONE)
    said(tx, SharedPhone(PHONE, own=True), "a")
    register(tx, "b", PHONE)
    assert ledger.balance(tx, ana, shop.cafe.programme_id) == 340
    assert ledger.prove(tx) == []
