"""The alarm about an employee who feeds a card: when it is raised, who hears of it, how often."""

import asyncio
import itertools
from datetime import timedelta

import pytest
import sqlalchemy as sa

from core.domain.feeding import TIMES, WITHIN
from core.domain.roles import Member
from core.i18n import LANGUAGES, words
from core.outbox.render import render
from core.services import alarms, linking, notices, privacy, purchases, unclaimed
from core.services.errors import Forbidden, Missing
from core.services.purchases import Basket
from core.storage import tables
from core.storage.database import Database
from core.storage.tx import Tx
from tests.support.counter import Counter
from tests.support.shop import KEYS, MINUTE, NOW

OWNER = Member(0, "olga", "Olga", "owner", frozenset())
DAY = 24 * 60


class Bar(Counter):
    """Cica serves, Olga is the owner, and Ana's card is the one that is fed. Olga can be reached
    where `chats` says."""

    def __init__(self, tx: Tx, *languages: str | None) -> None:
        super().__init__(tx)
        self.cica, self.ana = self.seat(), self.guest("Ana")
        self.keys = itertools.count(1)
        self.chats = [self.owner(n, language) for n, language in enumerate(languages or ("en",))]

    def owner(self, number: int, language: str | None) -> int:
        """The row of the chat where this owner hears of alarms."""
        who = {"id": -number, "login": f"olga{number}", "name": "Olga", "role": "owner"}
        who |= {"password_hash": "", "language": language, "created_at": NOW}
        self.tx.execute(sa.insert(tables.staff).values(**who))
        chat = {"channel": "telegram", "address": f"olga {number}", "created_at": NOW}
        query = sa.insert(tables.contacts).values(**chat).returning(tables.contacts.c.id)
        contact = self.tx.scalar(query)
        row = {"staff_id": -number, "contact_id": contact, "created_at": NOW}
        self.tx.execute(sa.insert(tables.staff_contacts).values(**row))
        return contact

    def buy(self, guest: int, times: int = 1, dinars: int = 100, minute: float = 0, by=None) -> str:
        """By hand, so many times; the key of the last."""
        for _ in range(times):
            visit = self.visit(guest, minute=minute).public_id
            basket, key, now = (
                Basket({}, dinars * 100),
                f"k{next(self.keys)}",
                NOW + minute * MINUTE,
            )
            purchases.add(self.tx, by or self.cica, visit, basket, dinars * 100, key, now)
        return key

    def raised(self) -> list[tuple[int, int, int, int]]:
        a = tables.alarms.c
        query = sa.select(a.staff_id, a.guest_id, a.times, a.points).order_by(a.id)
        return [tuple(row) for row in self.tx.execute(query)]

    def told(self) -> list[tuple[int, dict]]:
        m = tables.messages.c
        query = sa.select(m.contact_id, m.body).where(m.kind == alarms.KIND).order_by(m.id)
        return [tuple(row) for row in self.tx.execute(query)]


@pytest.fixture
def bar(tx):
    return Bar(tx)


# -- when ------------------------------------------------------------------------------------------


def test_it_is_raised_with_the_purchase_that_makes_the_pattern(bar):
    bar.buy(bar.ana, TIMES - 1)
    assert bar.raised() == []
    bar.buy(bar.ana)
    assert bar.raised() == [(bar.cica.member.id, bar.ana, TIMES, TIMES * 100)]


def test_orders_that_are_given_away_count_as_purchases_do(bar):
    bar.buy(bar.ana, TIMES - 1)
    bar.order("o1", 100_00, minute=-10)
    unclaimed.give(bar.tx, bar.cica, "api", "o1", bar.visit(bar.ana).public_id, NOW)
    assert len(bar.raised()) == 1


def test_where_everything_is_entered_by_hand_regulars_raise_none(bar):
    for name, times in (("Bora", 14), ("Vera", 12), ("Goran", 9), ("Dana", 8)):
        bar.buy(bar.guest(name), times)
    bar.tx.execute(sa.delete(tables.alarms))  # of the first days, when there was nobody else
    bar.buy(bar.ana, 20)
    alarms.sweep(bar.tx, NOW)
    assert bar.raised() == []


@pytest.mark.parametrize(
    "why", ["undone", "old", "by several", "by an owner", "by the till system"]
)
def test_what_is_no_feeding_raises_none(bar, why):
    match why:
        case "undone":
            for _ in range(TIMES):
                purchases.undo(bar.tx, bar.cica, bar.buy(bar.ana), NOW)
        case "old":
            bar.buy(bar.ana, TIMES - 1, minute=-WITHIN / MINUTE - 1)
            bar.buy(bar.ana)
        case "by several":
            for login in ("dara", "zika"):
                bar.buy(bar.ana, TIMES // 2, by=bar.seat(login))
        case "by an owner":
            bar.buy(bar.ana, TIMES, by=bar.seat("vera", "owner"))
        case _:
            for n in range(TIMES):
                bar.order(f"o{n}", visit=bar.visit(bar.ana).public_id)
    alarms.sweep(bar.tx, NOW)
    assert bar.raised() == []


def test_cards_that_turn_out_to_be_one_are_found_by_the_sweep(bar):
    other = bar.guest("Ana's other phone")
    bar.buy(bar.ana, TIMES // 2)
    bar.buy(other, TIMES - TIMES // 2)
    linking.merge(bar.tx, bar.ana, other, NOW)
    assert bar.raised() == []
    assert alarms.sweep(bar.tx, NOW) is False
    assert bar.raised() == [(bar.cica.member.id, bar.ana, TIMES, TIMES * 100)]


# -- how often -------------------------------------------------------------------------------------


def test_the_same_pattern_is_said_once_whoever_looks(bar):
    bar.buy(bar.ana, TIMES * 2)
    for day in (0, 1, 7):
        alarms.sweep(bar.tx, NOW + timedelta(days=day))
    assert (len(bar.raised()), len(bar.told())) == (1, 1)


def test_and_once_more_when_it_goes_on_for_three_months(bar):
    bar.buy(bar.ana, TIMES)
    bar.buy(bar.ana, TIMES, minute=80 * DAY)
    assert len(bar.raised()) == 1
    bar.buy(bar.ana, minute=90 * DAY)
    assert len(bar.raised()) == 2


def test_a_merge_takes_the_alarm_along(bar):
    bar.buy(bar.ana, TIMES)
    newer = bar.guest("Ana again")
    linking.merge(bar.tx, newer, bar.ana, NOW)
    bar.buy(newer)
    assert [guest for _, guest, *_ in bar.raised()] == [newer]


@pytest.mark.anyio
async def test_of_many_who_notice_it_at_once_one_says_it(database_url):
    database = Database(database_url)
    try:
        bar = await database.write(Bar)
        await database.write(lambda tx: bar.within(tx).buy(bar.ana, TIMES - 1))
        adds = (database.write(lambda tx: bar.within(tx).buy(bar.ana)) for _ in range(6))
        await asyncio.gather(*adds, *(database.write(alarms.sweep, NOW) for _ in range(3)))
        assert len(await database.read(lambda tx: bar.within(tx).told())) == 1
    finally:
        database.close()


# -- who is told -----------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_owner_is_told_in_their_own_language_without_a_guest_s_name(database_url, language):
    database = Database(database_url)
    with database.writer_engine.begin() as connection:
        bar = Bar(Tx(connection), language)
        bar.buy(bar.ana, TIMES)
        ((contact, facts),) = bar.told()
        assert contact == bar.chats[0]
        out, _ = render(
            bar.tx, alarms.KIND, facts, "en", keys=KEYS, public_url="https://m.example", now=NOW
        )
        w = words(language)
        assert "🔔 Cica" in out.text
        assert alarms.how_much(TIMES, TIMES * 100, "points", w) in out.text
        assert (out.language, out.links[0].url) == (language, "https://m.example/portal")
        assert "Ana" not in out.text
        connection.rollback()
    database.close()


def test_every_owner_in_each_of_their_chats_and_nobody_who_is_gone(database_url):
    database = Database(database_url)
    with database.writer_engine.begin() as connection:
        bar = Bar(Tx(connection), "en", None, "ru", "sr")
        first, second, blocked, _ = bar.chats
        c, s = tables.contacts, tables.staff
        bar.tx.execute(sa.update(c).where(c.c.id == blocked).values(gone_at=NOW))
        bar.tx.execute(sa.update(s).where(s.c.login == "olga3").values(disabled_at=NOW))
        bar.buy(bar.ana, TIMES)
        assert sorted(contact for contact, _ in bar.told()) == [first, second]
        connection.rollback()
    database.close()


def test_where_a_messenger_takes_nothing_now_it_waits_with_the_guest_s_own_notices(bar):
    bar.buy(bar.ana, TIMES)
    ((_, facts),) = bar.told()
    assert alarms.KIND in notices.WAITING
    earned = {"cafe": "BIFE", "points": 5, "unit": "points", "balance": 5, "because": []}
    waited = [["points_earned", earned], [alarms.KIND, facts], ["points_earned", earned]]
    text = notices.render_waited(waited, "en").text
    assert text.startswith("🔔 Cica")
    assert text.count("Balance: 5 points") == 1


def test_the_log_says_it_to_owners_alone_and_the_guest_s_data_does_not(bar):
    bar.buy(bar.ana, TIMES)
    e = tables.event_log.c
    entry = bar.tx.execute(sa.select(e.cafe_id, e.data).where(e.kind == alarms.KIND)).one()
    facts = {"login": "cica", "unit": "points", "times": TIMES, "points": TIMES * 100}
    assert tuple(entry) == (None, facts)
    assert "cica" not in str(privacy.export(bar.tx, bar.ana))


# -- on the portal ---------------------------------------------------------------------------------


def test_an_alarm_stands_there_until_an_owner_has_seen_it(bar):
    bar.buy(bar.ana, TIMES)
    (one,) = alarms.unseen(bar.tx, OWNER)
    assert one[2:] == ("Cica", "Ana", "BIFE", "points", TIMES, TIMES * 100)
    alarms.see(bar.tx, OWNER, one.id, NOW)
    assert alarms.unseen(bar.tx, OWNER) == []
    with pytest.raises(Missing):
        alarms.see(bar.tx, OWNER, one.id, NOW)


def test_a_guest_who_was_erased_has_no_name_there(bar):
    bar.buy(bar.ana, TIMES)
    privacy.erase(bar.tx, bar.ana, NOW)
    (one,) = alarms.unseen(bar.tx, OWNER)
    assert one.guest == ""


@pytest.mark.parametrize("role", ["manager", "cashier"])
def test_it_is_nobody_else_s_business(bar, role):
    bar.buy(bar.ana, TIMES)
    (one,) = alarms.unseen(bar.tx, OWNER)
    by = Member(9, "mira", "Mira", role, frozenset({bar.cafe.id}))
    for deed in (
        lambda: alarms.unseen(bar.tx, by),
        lambda: alarms.see(bar.tx, by, one.id, NOW),
    ):
        with pytest.raises(Forbidden):
            deed()
