"""Redemptions: picked, held, shown at a till, confirmed, and every way in which they end."""

import asyncio

import pytest
import sqlalchemy as sa

from core.domain import redeeming
from core.services import identify, ledger, redemptions, returns
from core.services.cards import lease_code
from core.services.errors import (
    AlreadyConfirmed,
    AwaitingGuest,
    Cancelled,
    Conflict,
    Expired,
    Insufficient,
    Locked,
    NotAvailable,
    TooLate,
    UnknownCode,
    UnknownRedemption,
    UnknownReward,
    UnknownVisit,
    WrongKind,
)
from core.services.linking import merge
from core.services.notices import render_notice
from core.services.privacy import erase, export
from core.storage import tables
from core.storage.database import Database
from tests.support.counter import Counter
from tests.support.shop import KEYS, MINUTE, NOW


@pytest.fixture
def shop(tx):
    """In the end, whatever happened, every balance is the sum of its entries."""
    shop = Counter(tx)
    yield shop
    assert ledger.prove(shop.tx) == []


@pytest.fixture
def ana(shop):
    return shop.collector(250)


# -- picking ---------------------------------------------------------------------------------------


def test_a_pick_holds_its_points_and_takes_none(shop, ana):
    picked = shop.pick(ana, shop.cake, shop.coffee)
    assert (picked.status, picked.points) == ("held", 140)
    assert [item.names["en"] for item in picked.items] == ["Cake", "Coffee"]
    assert shop.balance(ana) == 250
    assert shop.available(ana) == 110
    assert shop.log() == ["redeem_held"]


def test_a_pick_is_shown_by_256_random_bits_and_eight_characters_to_type(shop, ana):
    picked, other = shop.pick(ana, shop.coffee), shop.pick(ana, shop.coffee)
    assert len(redeeming.scanned(picked.qr)) == 43
    assert redeeming.typed(picked.code.lower())
    assert picked.qr != other.qr
    assert picked.code != other.code
    assert picked.expires_at == NOW + 10 * MINUTE


def test_its_token_is_kept_encrypted_and_only_while_it_is_open(shop, ana):
    picked = shop.pick(ana)
    token = redeeming.scanned(picked.qr).encode()
    kept = shop.tx.scalar(sa.select(tables.redemptions.c.token))
    assert token not in bytes(kept)
    assert redemptions.open_of(shop.tx, ana, KEYS, NOW)[0].qr == picked.qr
    shop.confirm(picked.id)
    assert shop.tx.scalar(sa.select(tables.redemptions.c.token)) is None


def test_what_is_held_can_not_be_picked_again(shop, ana):
    shop.pick(ana, shop.cake, shop.cake)
    with pytest.raises(Insufficient, match="50 points"):
        shop.pick(ana)
    assert shop.pick(ana, shop.coffee).points == 40


def test_what_is_not_there_can_not_be_picked(shop, ana):
    with pytest.raises(UnknownReward):
        shop.pick(ana, 999)
    with pytest.raises(NotAvailable):
        shop.pick(ana, *[shop.coffee] * 11)


def test_a_guest_has_five_open_picks_at_most(shop):
    ana = shop.collector(1000)
    for _ in range(redemptions.MOST_OPEN):
        shop.pick(ana, shop.coffee)
    with pytest.raises(NotAvailable):
        shop.pick(ana, shop.coffee)
    assert shop.pick(ana, shop.coffee, minute=10)


def test_a_guest_who_changes_their_mind_has_their_points_back(shop, ana):
    picked = shop.pick(ana)
    assert redemptions.cancel_by_guest(shop.tx, ana, picked.id, NOW).status == "cancelled"
    assert shop.available(ana) == 250
    assert redemptions.open_of(shop.tx, ana, KEYS, NOW) == []
    assert redemptions.of_guest(shop.tx, ana, picked.id, KEYS).qr is None
    assert isinstance(shop.scan(picked), Cancelled)
    assert shop.kinds(ana) == []  # they know


def test_nobody_sees_or_cancels_anothers(shop, ana):
    picked, bora = shop.pick(ana), shop.guest("Bora")
    for what in (redemptions.of_guest, redemptions.cancel_by_guest):
        with pytest.raises(UnknownRedemption):
            what(shop.tx, bora, picked.id, *((KEYS,) if what is redemptions.of_guest else (NOW,)))


# -- at the till -----------------------------------------------------------------------------------


def test_a_till_sees_who_picked_what_and_nothing_is_taken(shop, ana):
    picked = shop.pick(ana, shop.cake, shop.coffee)
    seen = shop.scan(picked)
    assert (seen.id, seen.status, seen.guest.name) == (picked.id, "held", "Ana")
    assert [(given.name, given.cost) for given in seen.rewards] == [("Cake", 100), ("Coffee", 40)]
    assert (seen.points, seen.balance, seen.unit) == (140, 250, "points")
    assert shop.balance(ana) == 250


@pytest.mark.parametrize("between", ["-", " ", ""])
def test_the_code_is_typed_in_whichever_case(shop, ana, between):
    picked = shop.pick(ana)
    assert shop.scan(picked.code.replace("-", between).lower()).id == picked.id


def test_seeing_it_opens_the_visit_that_orders_belong_to(shop, ana):
    seen = shop.scan(shop.pick(ana))
    shop.order("o1", minute=1)
    assert shop.owner("o1") == ana
    assert shop.visit_of("o1") == seen.visit


def test_a_visit_of_the_guest_that_is_open_is_the_same_one(shop, ana):
    visit = shop.visit(ana).public_id
    picked = shop.pick(ana)
    assert shop.scan(picked).visit == visit
    assert shop.scan(picked).visit == visit
    assert shop.scan(picked, till=shop.other).visit != visit


def test_percentages_and_amounts_are_told_as_a_person_writes_them(shop, ana):
    tenth = shop.reward("Tenth", 10, kind="percentage", value=1250)
    amount = shop.reward("Amount", 10, kind="amount", value=150_00)
    seen = shop.scan(shop.pick(ana, shop.cake, tenth, amount))
    assert [(given.kind, given.value) for given in seen.rewards] == [
        ("product", None),
        ("percentage", "12.5"),
        ("amount", "150.00"),
    ]


def test_a_card_is_no_redemption_and_a_redemption_no_card(shop, ana):
    card = lease_code(shop.tx, ana, KEYS, NOW)
    assert isinstance(shop.scan(card), WrongKind)
    asked = {"till": shop.till, "proof": "qr", "text": shop.pick(ana).qr, "now": NOW}
    assert isinstance(identify.identify(shop.tx, **asked), WrongKind)


def test_ten_wrong_codes_lock_the_till_for_cards_and_redemptions(shop, ana):
    for _ in range(10):
        assert isinstance(shop.scan("AAAA-2222"), UnknownCode)
    assert isinstance(shop.scan(shop.pick(ana)), Locked)


def test_another_programmes_till_knows_nothing_of_it(shop, ana):
    picked, elsewhere = shop.pick(ana), Counter(shop.tx, "kod-ane")
    assert isinstance(elsewhere.scan(picked), UnknownRedemption)
    with pytest.raises(UnknownRedemption):
        elsewhere.confirm(picked.id)


# -- confirming ------------------------------------------------------------------------------------


def test_confirming_takes_the_points_once(shop, ana):
    picked = shop.pick(ana, shop.cake, shop.coffee)
    said = shop.confirm(picked.id)
    assert (said["status"], said["points"], said["balance"]) == ("confirmed", -140, 110)
    assert (shop.balance(ana), shop.available(ana)) == (110, 110)
    assert shop.confirm(picked.id, minute=20) == said
    for again in ({"key": "other"}, {"till": shop.other}):
        with pytest.raises(AlreadyConfirmed):
            shop.confirm(picked.id, **again)
    assert isinstance(shop.scan(picked), AlreadyConfirmed)
    assert shop.balance(ana) == 110


def test_a_key_is_one_redemptions(shop, ana):
    shop.confirm(shop.pick(ana, shop.coffee).id)
    with pytest.raises(Conflict):
        shop.confirm(shop.pick(ana, shop.coffee).id)


def test_the_guest_is_told_what_was_given(shop, ana):
    shop.confirm(shop.pick(ana, shop.cake, shop.coffee, shop.coffee).id)
    ((kind, facts),) = shop.notices(ana)
    assert render_notice(kind, facts, "en").text.split("\n") == [
        "🎉 BIFE: -180 points",
        "Enjoy it: Cake, 2 × Coffee",
        "Balance: 70 points",
        "▓▓▓▓▓▓▓░░░ 70 / 100",
        "30 points to go until “Cake”.",
    ]


def test_the_ledger_says_what_for(shop, ana):
    shop.confirm(shop.pick(ana, shop.cake, shop.coffee).id)
    entry = ledger.last_entries(shop.tx, ana, shop.cafe.programme_id)[0]
    assert (entry.kind, entry.points) == ("redeem", -140)
    assert [(why["rule"], why["points"]) for why in entry.because] == [
        ("reward", -100),
        ("reward", -40),
    ]


def test_the_log_has_the_discount(shop, ana):
    tenth = shop.reward("Tenth", 10, kind="percentage", value=1000)
    shop.confirm(shop.pick(ana, tenth).id)
    e = tables.event_log.c
    entry = shop.tx.execute(sa.select(tables.event_log).where(e.kind == "redeem_confirmed")).one()
    assert (entry.till_id, entry.cafe_id, entry.guest_id) == (shop.bar, shop.cafe.id, ana)
    (reward,) = entry.data["rewards"]
    assert (reward["kind"], reward["value"], reward["cost"]) == ("percentage", 1000, 10)


def test_points_that_a_refund_took_meanwhile_are_not_spent(shop, ana):
    picked = shop.pick(ana, shop.cake, shop.cake)
    shop.give(ana, -100)
    with pytest.raises(Insufficient):
        shop.confirm(picked.id)
    assert shop.balance(ana) == 150


# -- the ends --------------------------------------------------------------------------------------


def test_after_ten_minutes_it_is_over_whether_or_not_anybody_has_looked(shop, ana):
    picked = shop.pick(ana)
    assert shop.available(ana, minute=9.99) == 150
    assert shop.available(ana, minute=10) == 250
    assert isinstance(shop.scan(picked, minute=10), Expired)
    with pytest.raises(Expired):
        shop.confirm(picked.id, minute=10)


def test_the_guest_is_told_that_time_is_up(shop, ana):
    picked, later = shop.pick(ana), shop.pick(ana, shop.coffee, minute=5)
    assert redemptions.expire(shop.tx, NOW + 10 * MINUTE) is False
    assert (shop.status(picked.id), shop.status(later.id)) == ("expired", "held")
    ((kind, facts),) = shop.notices(ana)
    assert render_notice(kind, facts, "en").text.split("\n")[:2] == [
        "⌛ BIFE: Cake",
        "The time is up: 100 points are free again.",
    ]
    assert shop.log() == ["redeem_held", "redeem_held", "redeem_expired"]


def test_a_till_cancels_and_the_guest_is_told(shop, ana):
    picked = shop.pick(ana)
    ended = shop.cancel(picked.id)
    assert (ended.status, ended.points, ended.balance) == ("cancelled", 100, 250)
    assert shop.cancel(picked.id) == ended
    assert shop.kinds(ana) == ["redemption_cancelled"]
    with pytest.raises(Cancelled):
        shop.confirm(picked.id)


def test_what_was_confirmed_is_not_cancelled(shop, ana):
    picked = shop.pick(ana)
    shop.confirm(picked.id)
    with pytest.raises(AlreadyConfirmed):
        shop.cancel(picked.id)
    assert redemptions.cancel_by_guest(shop.tx, ana, picked.id, NOW).status == "confirmed"
    assert shop.balance(ana) == 150


def test_a_mistake_is_undone_within_two_minutes(shop, ana):
    first, second = shop.pick(ana), shop.pick(ana)
    shop.confirm(first.id)
    undo = {"till": shop.till, "public_id": first.id, "now": NOW + 2 * MINUTE}
    assert returns.undo(shop.tx, **undo) == 250
    assert returns.undo(shop.tx, **undo) == 250
    shop.confirm(second.id, "k2")
    with pytest.raises(TooLate):
        returns.undo(shop.tx, till=shop.till, public_id=second.id, now=NOW + 2.1 * MINUTE)


# -- started by the till ---------------------------------------------------------------------------


def test_after_a_scan_the_till_starts_and_confirms_at_once(shop, ana):
    started = shop.start(shop.visit(ana).public_id)
    assert started.status == "held"
    assert shop.confirm(started.id)["balance"] == 150


@pytest.mark.parametrize("proof", ["code", "phone"])
def test_after_anything_else_the_guest_is_asked_first(shop, ana, proof):
    started = shop.start(shop.visit(ana, proof=proof).public_id)
    assert started.status == "awaiting_guest"
    assert shop.available(ana) == 150
    with pytest.raises(AwaitingGuest):
        shop.confirm(started.id)
    ((kind, facts),) = shop.notices(ana)
    question = render_notice(kind, facts, "en")
    assert question.text.split("\n")[:2] == [
        "⭐ BIFE: Cake",
        "Redeem this for 100 points at the till now?",
    ]
    (row,) = question.options
    assert [option.value for option in row] == [
        f"redeem:yes:{started.id}",
        f"redeem:no:{started.id}",
    ]
    assert shop.answer(ana, started.id, yes=True).status == "held"
    assert shop.answer(ana, started.id, yes=True).status == "held"
    assert shop.confirm(started.id)["balance"] == 150


def test_a_question_is_not_asked_when_it_is_too_late(shop, ana):
    shop.start(shop.visit(ana, proof="code").public_id)
    m = tables.messages.c
    asked = shop.tx.execute(sa.select(m.lane, m.expires_at)).one()
    assert tuple(asked) == (0, NOW + 10 * MINUTE)


def test_who_says_no_keeps_their_points(shop, ana):
    started = shop.start(shop.visit(ana, proof="phone").public_id)
    assert shop.answer(ana, started.id, yes=False).status == "cancelled"
    assert shop.answer(ana, started.id, yes=False).status == "cancelled"
    assert shop.available(ana) == 250
    with pytest.raises(Cancelled):
        shop.answer(ana, started.id, yes=True)
    with pytest.raises(Cancelled):
        shop.confirm(started.id)


def test_a_yes_that_comes_too_late_counts_no_more(shop, ana):
    started = shop.start(shop.visit(ana, proof="code").public_id)
    with pytest.raises(Expired):
        shop.answer(ana, started.id, yes=True, minute=10)


def test_a_visit_that_is_over_starts_nothing(shop, ana):
    visit = shop.visit(ana).public_id
    for visit_id, minute in ((visit, 15), ("none", 0)):
        with pytest.raises(UnknownVisit):
            shop.start(visit_id, minute=minute)


def test_a_till_starts_nothing_that_the_guest_can_not_have(shop, ana):
    visit = shop.visit(ana).public_id
    with pytest.raises(Insufficient):
        shop.start(visit, shop.cake, shop.cake, shop.cake)
    for unknown in (999, "x", "9" * 30):
        with pytest.raises(UnknownReward):
            shop.start(visit, unknown)


# -- orders and refunds ----------------------------------------------------------------------------


def used(shop, ana, **order):
    """A redemption that was confirmed in the visit of an order of 100.00."""
    seen = shop.scan(shop.pick(ana))
    shop.confirm(seen.id)
    shop.order("o1", visit=seen.visit, **order)
    return seen.id


def test_a_reward_named_by_an_order_returns_when_that_is_refunded_whole(shop, ana):
    picked = shop.pick(ana)
    shop.confirm(picked.id)
    shop.order("o1", redemptions=(picked.id,), visit=shop.visit(ana).public_id)
    assert shop.refund("o1", "r1", 40_00).response["balance"] == 250 - 100 + 60
    assert shop.status(picked.id) == "confirmed"
    assert shop.refund("o1", "r2").response == {
        "order_id": "o1", "refund_id": "r2", "points": -60, "balance": 250,
    }  # fmt: skip
    assert shop.refund("o1", "r2").response["balance"] == 250
    assert shop.status(picked.id) == "returned"
    assert shop.balance(ana) == 250


def test_a_reward_confirmed_in_the_visit_returns_where_the_order_names_none(shop, ana):
    redemption = used(shop, ana)
    shop.refund("o1")
    assert shop.status(redemption) == "returned"
    assert shop.balance(ana) == 250
    assert shop.kinds(ana)[-1] == "redemption_returned"


def test_an_order_that_names_one_gives_back_no_other(shop, ana):
    other, named = shop.pick(ana, shop.coffee), shop.pick(ana)
    seen = shop.scan(other)
    shop.confirm(other.id)
    shop.confirm(named.id, "k2")
    shop.order("o1", visit=seen.visit, redemptions=(named.id,))
    shop.refund("o1")
    assert (shop.status(other.id), shop.status(named.id)) == ("confirmed", "returned")


def test_a_refund_that_came_before_its_order_gives_back_too(shop, ana):
    picked = shop.pick(ana)
    shop.confirm(picked.id)
    shop.refund("o1")
    counted = shop.order("o1", redemptions=(picked.id,), visit=shop.visit(ana).public_id)
    assert shop.status(picked.id) == "returned"
    assert counted.response["balance"] == shop.balance(ana) == 250


def test_an_order_of_nothing_is_refunded_whole_too(shop, ana):
    redemption = used(shop, ana, total_minor=0)
    shop.refund("o1")
    assert shop.status(redemption) == "returned"


def test_nobody_elses_visit_gives_anything_back(shop, ana):
    redemption = used(shop, ana)
    shop.order("o2", visit=shop.visit(shop.collector(10, "Bora")).public_id)
    shop.refund("o2")
    assert shop.status(redemption) == "confirmed"


def test_an_order_names_only_what_this_cafe_confirmed_and_once(shop, ana):
    held, confirmed = shop.pick(ana, shop.coffee), shop.pick(ana, shop.coffee)
    shop.confirm(confirmed.id)
    for ids in (("none",), (held.id,), (confirmed.id, "none")):
        with pytest.raises(UnknownRedemption), shop.tx.alone():
            shop.order("o1", redemptions=ids)
    shop.order("o1", redemptions=(confirmed.id,))
    assert shop.order("o1", redemptions=(confirmed.id,)).duplicate
    with pytest.raises(Conflict):
        shop.order("o1")
    with pytest.raises(UnknownRedemption):
        shop.order("o2", redemptions=(confirmed.id,))


# -- guests that change ----------------------------------------------------------------------------


def test_two_guests_who_are_one_keep_what_they_hold(shop, ana):
    keep, picked = shop.collector(30, "Ana again"), shop.pick(ana)
    merge(shop.tx, keep=keep, other=ana, now=NOW)
    assert shop.available(keep) == 180
    assert shop.confirm(picked.id)["balance"] == 180


def test_an_erased_guest_holds_nothing(shop, ana):
    picked = shop.pick(ana)
    assert export(shop.tx, ana)["redemptions"][0]["rewards"] == [
        {"names": {"en": "Cake"}, "cost": 100}
    ]
    erase(shop.tx, ana, NOW)
    assert isinstance(shop.scan(picked), Cancelled)


def test_an_erased_guests_name_is_in_no_answer_that_tills_get_again(shop, ana):
    picked = shop.pick(ana)
    said = shop.confirm(picked.id)
    assert said["guest"]["name"] == "Ana"
    erase(shop.tx, ana, NOW)
    assert shop.confirm(picked.id) == {**said, "guest": {**said["guest"], "name": ""}}


# -- at once ---------------------------------------------------------------------------------------


def at_the_counter(shop: Counter, what: str):
    return lambda tx, *a, **k: getattr(shop.within(tx), what)(*a, **k)


async def together(database: Database, calls) -> list:
    return await asyncio.gather(
        *(database.write(fn, *a, **k) for fn, a, k in calls), return_exceptions=True
    )


@pytest.mark.anyio
async def test_of_64_confirms_of_one_redemption_one_wins(database):
    shop = await database.write(Counter)
    ana = await database.write(at_the_counter(shop, "collector"), 100)
    picked = await database.write(at_the_counter(shop, "pick"), ana)
    confirm = at_the_counter(shop, "confirm")
    outcomes = await together(database, [(confirm, (picked.id, f"k{n}"), {}) for n in range(64)])
    assert sum(isinstance(one, dict) for one in outcomes) == 1
    assert sum(isinstance(one, AlreadyConfirmed) for one in outcomes) == 63
    assert await database.read(at_the_counter(shop, "balance"), ana) == 0
    assert await database.read(ledger.prove) == []


@pytest.mark.anyio
async def test_64_redemptions_of_one_balance_never_go_below_zero(database):
    shop = await database.write(Counter)
    ana = await database.write(at_the_counter(shop, "collector"), 100)
    visit = (await database.write(at_the_counter(shop, "visit"), ana)).public_id
    start = at_the_counter(shop, "start")
    started = await together(database, [(start, (visit, shop.coffee), {})] * 64)
    held = [one for one in started if not isinstance(one, Exception)]
    assert len(held) == 2
    assert sum(isinstance(one, Insufficient) for one in started) == 62
    confirm = at_the_counter(shop, "confirm")
    outcomes = await together(
        database, [(confirm, (one.id, f"{one.id} {n}"), {}) for one in held for n in range(8)]
    )
    assert sum(isinstance(one, dict) for one in outcomes) == 2
    assert await database.read(at_the_counter(shop, "balance"), ana) == 20


@pytest.mark.anyio
async def test_the_last_one_in_stock_is_held_by_one_of_many(database):
    shop = await database.write(Counter)
    scarce = await database.write(at_the_counter(shop, "reward"), "Mug", 10, stock=1)
    guests = [await database.write(at_the_counter(shop, "collector"), 50) for _ in range(8)]
    pick = at_the_counter(shop, "pick")
    outcomes = await together(database, [(pick, (guest, scarce), {}) for guest in guests])
    assert sum(isinstance(one, redemptions.Redemption) for one in outcomes) == 1
    assert sum(isinstance(one, NotAvailable) for one in outcomes) == 7
