"""Identifying at a till: whose code it is, once, and the lock that makes guessing slow."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from core.contract import GuestIdentified
from core.keys import Keys
from core.services import cafes, cards, guests, ledger, lockout, tills
from core.services.errors import Ambiguous, CodeUsed, Locked, UnknownCode
from core.services.identify import Identified, Named, NextReward, Offer, identify
from core.storage import tables

NOW = datetime(2026, 11, 22, 12, 0, 10, tzinfo=UTC)
KEYS = Keys(Keys.generate())
SECOND = timedelta(seconds=1)


class Shop:
    """A cafe with two tills and a guest, in one open transaction."""

    def __init__(self, tx):
        self.tx = tx
        self.cafe_id = cafes.add(tx, "bife", "BIFE", "RSD", "Europe/Belgrade", NOW)
        self.bar, self.door = (
            tills.by_token(tx, tills.add(tx, "bife", name, None, NOW)) for name in ("Bar", "Door")
        )
        self.ana = self.guest("Ana")

    def guest(self, name, **known):
        facts = {"language": "en", "cafe_id": self.cafe_id, "keys": KEYS, "now": NOW, **known}
        return guests.add(self.tx, name=name, **facts)

    def card(self, now=NOW, guest_id=None):
        return cards.lease_code(self.tx, guest_id or self.ana, KEYS, now)

    def identify(self, proof, text, now=NOW, till=None, **more):
        return identify(self.tx, till=till or self.bar, proof=proof, text=text, now=now, **more)

    def wrong_code(self):
        """Six digits that nobody holds."""
        held = set(self.tx.execute(sa.select(tables.leases.c.code)).scalars())
        return next(code for n in range(100) if (code := f"{n:06}") not in held)

    def log(self):
        found = self.tx.execute(sa.select(tables.event_log.c.kind, tables.event_log.c.till_id))
        return [tuple(row) for row in found]


@pytest.fixture
def shop(tx):
    return Shop(tx)


# -- whose code it is ------------------------------------------------------------------------------


@pytest.mark.parametrize("proof", ["qr", "code"])
def test_a_card_names_its_guest_and_opens_the_tills_visit(shop, proof):
    card = shop.card()
    found = shop.identify(proof, card.qr if proof == "qr" else card.code)
    guest = guests.profile(shop.tx, shop.ana)
    assert found.guest == Named(guest.public_id, "Ana", "en")
    visit = shop.tx.execute(sa.select(tables.visits)).one()
    assert (visit.public_id, visit.guest_id, visit.till_id, visit.proof) == (
        found.visit,
        shop.ana,
        shop.bar.id,
        proof,
    )
    assert visit.ends_at - visit.opened_at == timedelta(minutes=15)
    assert shop.tx.events == [
        GuestIdentified(guest_id=guest.public_id, cafe="bife", till="Bar", proof=proof)
    ]
    assert f"guest:{guest.public_id}" in shop.tx.rings


def test_the_till_is_told_the_balance_and_what_it_is_good_for(shop):
    book = {"programme_id": shop.bar.cafe.programme_id, "cafe_id": shop.cafe_id, "because": []}
    movement = {"kind": "opening", "reference": "opening:1", "points": 400, "now": NOW}
    ledger.add_entry(shop.tx, guest_id=shop.ana, **book, **movement)
    (reward_id,) = shop.tx.execute(sa.select(tables.rewards.c.id)).scalars()
    found = shop.identify("qr", shop.card().qr)
    assert (found.balance, found.unit) == (400, "points")
    assert found.rewards == (Offer(str(reward_id), "Free coffee", 1000, affordable=False),)
    assert found.next_reward == NextReward("Free coffee", 600)


def test_with_everything_affordable_there_is_no_next_reward(shop):
    book = {"programme_id": shop.bar.cafe.programme_id, "cafe_id": shop.cafe_id, "because": []}
    movement = {"kind": "opening", "reference": "opening:1", "points": 1000, "now": NOW}
    ledger.add_entry(shop.tx, guest_id=shop.ana, **book, **movement)
    found = shop.identify("qr", shop.card().qr)
    assert [offer.affordable for offer in found.rewards] == [True]
    assert found.next_reward is None


def test_rewards_are_named_in_the_tills_language_where_it_has_one(shop):
    found = shop.identify("qr", shop.card().qr, language="sr-RS,sr;q=0.9")
    assert [offer.name for offer in found.rewards] == ["Besplatna kafa"]


def test_digits_are_taken_with_spaces_and_a_qr_with_what_a_scanner_adds(shop):
    card = shop.card()
    assert isinstance(shop.identify("code", f" {card.code[:3]}-{card.code[3:]}"), Identified)
    assert isinstance(shop.identify("qr", f"{card.qr}\r\n"), Identified)


def test_a_code_counts_in_its_own_step_and_the_next_and_no_longer(shop):
    card = shop.card()
    assert isinstance(shop.identify("code", card.code, card.expires_at), UnknownCode)
    last = card.expires_at - timedelta(microseconds=1)
    assert isinstance(shop.identify("code", card.code, last), Identified)


def test_a_qr_names_nobody_else_than_who_holds_its_code(shop):
    card = shop.card()
    bora = guests.profile(shop.tx, shop.guest("Bora"))
    assert isinstance(shop.identify("qr", f"MALVA1.{bora.public_id}.{card.code}"), UnknownCode)


def test_a_code_that_was_never_shown_names_nobody(shop):
    assert isinstance(shop.identify("code", shop.wrong_code()), UnknownCode)


def test_an_erased_guest_is_nobody(shop):
    card = shop.card()
    shop.tx.execute(sa.update(tables.guests).values(erased_at=NOW))
    assert isinstance(shop.identify("qr", card.qr), UnknownCode)


def test_the_open_card_of_a_guest_who_became_another_names_the_other(shop):
    twin = shop.guest("Ana M.")
    card = shop.card(guest_id=twin)
    merged = tables.guests.c.id == twin
    shop.tx.execute(sa.update(tables.guests).where(merged).values(merged_into=shop.ana))
    assert shop.identify("qr", card.qr).guest.name == "Ana"


# -- once ------------------------------------------------------------------------------------------


def test_the_same_till_asking_again_gets_the_same_answer_and_no_second_visit(shop):
    card = shop.card()
    first = shop.identify("qr", card.qr)
    assert shop.identify("qr", card.qr, NOW + SECOND) == first
    assert shop.identify("code", card.code, NOW + SECOND) == first
    assert len(shop.tx.execute(sa.select(tables.visits)).all()) == 1


def test_another_till_is_told_that_the_code_was_used(shop):
    card = shop.card()
    shop.identify("qr", card.qr)
    assert isinstance(shop.identify("qr", card.qr, till=shop.door), CodeUsed)


def test_a_code_does_not_bring_back_a_visit_that_somebody_else_has_ended(shop):
    card, boras = shop.card(), shop.card(guest_id=shop.guest("Bora"))
    shop.identify("qr", card.qr)
    shop.identify("qr", boras.qr, NOW + SECOND)
    assert isinstance(shop.identify("qr", card.qr, NOW + 2 * SECOND), CodeUsed)


def test_the_same_guest_with_a_fresh_code_opens_a_new_visit(shop):
    first = shop.identify("qr", shop.card().qr)
    fresh = shop.card()
    second = shop.identify("code", fresh.code, NOW + SECOND)
    assert second.guest == first.guest
    assert second.visit != first.visit
    ends = shop.tx.execute(sa.select(tables.visits.c.ends_at).order_by(tables.visits.c.id))
    assert ends.scalars().all() == [NOW + SECOND, NOW + SECOND + timedelta(minutes=15)]


@pytest.mark.anyio
async def test_of_two_tills_that_scan_one_card_at_once_one_gets_the_guest(database):
    def open_shop(tx):
        shop = Shop(tx)
        return shop.card().qr, [shop.bar, shop.door]

    qr, both = await database.write(open_shop)
    answers = await asyncio.gather(
        *(database.write(identify, till=till, proof="qr", text=qr, now=NOW) for till in both * 5)
    )
    winners = {answer.visit for answer in answers if isinstance(answer, Identified)}
    assert len(winners) == 1
    assert sum(isinstance(answer, CodeUsed) for answer in answers) == 5


# -- by phone --------------------------------------------------------------------------------------

PHONE = "+381601234567"


def test_a_phone_names_its_only_guest(shop):
    shop.guest("Bora", phone=PHONE)
    assert shop.identify("phone", "+381 60 123-4567").guest.name == "Bora"


def test_who_proved_a_phone_comes_before_everybody_who_typed_it(shop):
    shop.guest("Typed", phone=PHONE)
    shop.guest("Proven", phone=PHONE, phone_proven=True)
    shop.guest("Typed too", phone=PHONE)
    assert shop.identify("phone", PHONE).guest.name == "Proven"


def test_a_phone_that_two_have_typed_names_neither(shop):
    shop.guest("Bora", phone=PHONE)
    shop.guest("Vera", phone=PHONE)
    assert isinstance(shop.identify("phone", PHONE), Ambiguous)


@pytest.mark.parametrize("text", [PHONE, "", "no phone", "0601234567", "9" * 60, "\x00"])
def test_a_phone_of_nobody_names_nobody_and_counts_as_no_guess(shop, text):
    for _ in range(lockout.WRONG_CODES + 1):
        assert isinstance(shop.identify("phone", text), UnknownCode)


# -- the lock --------------------------------------------------------------------------------------


def test_ten_wrong_codes_in_a_minute_lock_the_till_and_are_logged_once(shop):
    for n in range(10):
        assert isinstance(shop.identify("code", shop.wrong_code(), NOW + n * SECOND), UnknownCode)
    locked = shop.identify("qr", shop.card().qr, NOW + 9 * SECOND)
    assert isinstance(locked, Locked)
    assert locked.retry_after == 60
    assert shop.identify("code", "000000", NOW + 39 * SECOND).retry_after == 30
    assert [entry for entry in shop.log() if entry[0] == "till_locked"] == [
        ("till_locked", shop.bar.id)
    ]


def test_another_till_is_not_locked(shop):
    for _ in range(10):
        shop.identify("code", shop.wrong_code())
    assert isinstance(shop.identify("qr", shop.card().qr, till=shop.door), Identified)


def test_after_a_minute_the_till_is_open_again_and_the_count_starts_anew(shop):
    for _ in range(10):
        shop.identify("code", shop.wrong_code())
    later = NOW + timedelta(minutes=1)
    for _ in range(9):
        assert isinstance(shop.identify("code", shop.wrong_code(), later), UnknownCode)
    assert isinstance(shop.identify("qr", shop.card(later).qr, later), Identified)


def test_wrong_codes_of_more_than_a_minute_ago_do_not_count(shop):
    for n in range(30):
        shop.identify("code", shop.wrong_code(), NOW + n * 7 * SECOND)
    assert "till_locked" not in [kind for kind, _ in shop.log()]
    assert len(shop.tx.execute(sa.select(tables.wrong_codes)).all()) <= 9


def test_a_wrong_qr_and_what_is_no_card_count_like_wrong_digits(shop):
    texts = ["https://example.org", "MALVA1.X.123456", "", "8600000000000", "\x00"] * 2
    for text in texts:
        assert isinstance(shop.identify("qr", text), UnknownCode)
    assert isinstance(shop.identify("qr", shop.card().qr), Locked)


def test_a_used_code_is_no_wrong_one(shop):
    card = shop.card()
    shop.identify("qr", card.qr)
    for _ in range(11):
        assert isinstance(shop.identify("qr", card.qr, till=shop.door), CodeUsed)


@pytest.mark.anyio
async def test_wrong_codes_at_once_are_all_counted(database):
    def open_till(tx):
        return Shop(tx).bar

    till = await database.write(open_till)
    wrong = {"till": till, "proof": "code", "text": "no digits", "now": NOW}
    answers = await asyncio.gather(*(database.write(identify, **wrong) for _ in range(25)))
    assert sum(isinstance(answer, UnknownCode) for answer in answers) == 10
    assert sum(isinstance(answer, Locked) for answer in answers) == 15
