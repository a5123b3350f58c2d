"""The cashier's field and screen: what opens a visit, and what is shown of it as it goes."""

import pytest

from core.services import attending, purchases, returns, scanning
from core.services.cards import lease_code
from core.services.errors import Rejected, UnknownCode, UnknownVisit
from core.services.linking import merge
from core.services.lookup import Found
from core.services.privacy import erase
from core.services.purchases import Basket
from tests.support.counter import Counter
from tests.support.shop import KEYS, MINUTE, NOW


@pytest.fixture
def shop(tx):
    return Counter(tx)


@pytest.fixture
def cica(shop):
    return shop.seat()


@pytest.fixture
def ana(shop):
    return shop.collector(250)


def take(shop, by, text, minute=0):
    return scanning.take(shop.tx, by, text, NOW + minute * MINUTE)


def look(shop, by, visit, minute=0):
    return attending.visit(shop.tx, by, visit, NOW + minute * MINUTE)


# -- the field -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("way", "proof"), [("qr", "qr"), ("code", "code")])
def test_a_card_opens_its_guests_visit(shop, cica, ana, way, proof):
    card = lease_code(shop.tx, ana, KEYS, NOW)
    shown = look(shop, cica, take(shop, cica, f" {getattr(card, way)}\n"))
    assert (shown.name, shown.proof, shown.balance, shown.over) == ("Ana", proof, 250, False)


@pytest.mark.parametrize("way", ["qr", "code"])
def test_a_picked_reward_opens_it_too_and_waits_to_be_confirmed(shop, cica, ana, way):
    picked = shop.pick(ana)
    shown = look(shop, cica, take(shop, cica, getattr(picked, way)))
    assert [one.id for one in shown.waiting] == [picked.id]
    assert (shown.balance, shown.available) == (250, 150)


@pytest.mark.parametrize(
    "text", ["123456", "AAAA-2222", "MALVA1.A.123456", "malvar1.x", "https://malva.example/join"]
)
def test_what_a_scanner_reads_is_never_taken_for_a_name(shop, cica, text):
    assert isinstance(take(shop, cica, text), UnknownCode)


@pytest.mark.parametrize("text", ["Malva", "4567", "ana@example.com", "AAAABBBB"])
def test_anything_else_is_looked_up(shop, cica, text):
    assert isinstance(take(shop, cica, text), Found)
    with pytest.raises(Rejected):
        take(shop, cica, "")


# -- the screen ------------------------------------------------------------------------------------


def test_what_was_done_in_the_visit_can_be_undone_for_two_minutes(shop, cica, ana):
    visit = shop.visit(ana).public_id
    purchases.add(shop.tx, cica, visit, Basket({}, 30_00), 30_00, "k1", NOW)
    shop.confirm(shop.start(visit).id, minute=1)
    shop.order("by the till system", 10_00, visit=visit, minute=1)
    shown = look(shop, cica, visit, minute=1)
    until = [(one.id, one.undo_until) for one in shown.bought]
    assert until == [("by the till system", None), ("k1", NOW + 2 * MINUTE)]
    (redeemed,) = shown.redeemed
    assert (redeemed.status, redeemed.undo_until) == ("confirmed", NOW + 3 * MINUTE)
    purchases.undo(shop.tx, cica, "k1", NOW + MINUTE)
    returns.undo(shop.tx, till=shop.till, public_id=redeemed.id, now=NOW + MINUTE)
    shown = look(shop, cica, visit, minute=1)
    assert [one.undone for one in shown.bought] == [False, True]
    assert [one.status for one in shown.redeemed] == ["returned"]


def test_what_the_guest_holds_elsewhere_is_not_confirmed_here(shop, cica, ana):
    shop.pick(ana)
    shown = look(shop, cica, shop.visit(ana, proof="phone").public_id)
    assert list(shown.waiting) == []


def test_what_was_not_confirmed_in_time_waits_no_longer(shop, cica, ana):
    visit = shop.visit(ana).public_id
    shop.start(visit)
    shown = look(shop, cica, visit, minute=10)
    assert list(shown.waiting) == []
    assert [one.status for one in shown.redeemed] == ["expired"]


def test_after_fifteen_minutes_it_is_over(shop, cica, ana):
    visit = shop.visit(ana).public_id
    assert not look(shop, cica, visit, minute=14.9).over
    assert look(shop, cica, visit, minute=15).over


def test_a_guest_who_was_merged_meanwhile_is_who_they_became(shop, cica, ana):
    visit, bora = shop.visit(ana).public_id, shop.collector(50, "Bora")
    merge(shop.tx, bora, ana, NOW)
    shown = look(shop, cica, visit)
    assert (shown.name, shown.balance) == ("Bora", 300)


def test_nothing_is_shown_of_another_cafes_visit_nor_of_a_guest_who_is_no_more(shop, cica, ana):
    visit = shop.visit(ana).public_id
    with pytest.raises(UnknownVisit):
        look(shop, Counter(shop.tx, "zrno").seat("zika"), visit)
    erase(shop.tx, ana, NOW)
    with pytest.raises(UnknownVisit):
        look(shop, cica, visit)
