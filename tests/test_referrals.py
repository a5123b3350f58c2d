"""Friends who come by an invitation: what both get, when, and when not."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from core.services import (
    importing,
    invitations,
    ledger,
    linking,
    privacy,
    referrals,
)
from core.storage import tables
from tests.support.shop import NOW, Shop

LATER = NOW + timedelta(days=3)
PHONE = "+381601234567"


@pytest.fixture
def shop(tx):
    """In the end, whatever happened, every balance is the sum of its entries."""
    shop = Shop(tx)
    yield shop
    assert ledger.prove(shop.tx) == []


def code_of(shop: Shop, guest: int) -> str:
    return invitations.of_guest(shop.tx, guest, NOW).code


def friend_of(shop: Shop, inviter: int, name: str = "Vuk") -> int:
    """Somebody new who came by the inviter's invitation."""
    friend = shop.guest(name)
    assert referrals.add(shop.tx, code_of(shop, inviter), friend, NOW)
    return friend


def pays(shop: Shop, guest: int, order_id: str = "o1", total: int = 450_00, minute: float = 0):
    shop.visit(guest, minute)
    return shop.order(order_id, total, minute=minute + 1).response


def kinds(shop: Shop, guest: int) -> list[tuple[str, int]]:
    """The movements of the guest's points, the oldest first."""
    entries = ledger.last_entries(shop.tx, guest, shop.cafe.programme_id, 50)
    return [(entry.kind, entry.points) for entry in reversed(entries)]


def test_the_first_paid_order_gives_both_their_points_and_tells_them(shop):
    ana = shop.guest()
    vuk = friend_of(shop, ana)
    answer = pays(shop, vuk)
    assert (answer["points"], answer["balance"]) == (450, 550)
    assert kinds(shop, vuk) == [("order", 450), ("referral", 100)]
    assert kinds(shop, ana) == [("referral", 100)]
    assert [kind for kind, _ in shop.notices(vuk)] == ["points_earned", "invitation_points"]
    ((kind, facts),) = shop.notices(ana)
    assert kind == "invitation_points"
    assert facts["because"] == [{"rule": "invitation", "points": 100}]
    assert (facts["cafe"], facts["points"], facts["balance"]) == ("BIFE", 100, 100)


def test_only_the_first_order_counts(shop):
    ana = shop.guest()
    vuk = friend_of(shop, ana)
    pays(shop, vuk)
    pays(shop, vuk, "o2", minute=30)
    assert shop.balance(ana) == 100
    assert shop.balance(vuk) == 1000


def test_an_order_of_nothing_is_not_paid(shop):
    ana = shop.guest()
    vuk = friend_of(shop, ana)
    pays(shop, vuk, total=0)
    assert shop.balance(ana) == 0
    pays(shop, vuk, "o2", minute=30)
    assert shop.balance(ana) == 100


def test_a_paid_order_counts_although_it_earns_nothing(shop):
    ana = shop.guest()
    vuk = friend_of(shop, ana)
    pays(shop, vuk, total=50)
    assert (shop.balance(ana), shop.balance(vuk)) == (100, 100)


def test_an_order_claimed_later_is_the_first_one_too(shop):
    ana = shop.guest()
    vuk = friend_of(shop, ana)
    shop.order("o1", 450_00, minute=0)
    visit = shop.visit(vuk, 1)
    assert shop.claim("o1", visit.public_id, minute=2).response["balance"] == 550
    assert shop.balance(ana) == 100


def test_whoever_was_invited_may_invite_and_be_rewarded_first(shop):
    ana = shop.guest()
    vuk = friend_of(shop, ana)
    mila = friend_of(shop, vuk, "Mila")
    pays(shop, mila)
    assert shop.balance(vuk) == 100
    pays(shop, vuk, "o2", minute=30)
    assert (shop.balance(ana), shop.balance(vuk)) == (100, 650)


def test_the_points_are_the_programmes(shop):
    ana = shop.guest()
    vuk = friend_of(shop, ana)
    terms = {"inviter_points": 250, "friend_points": 0}
    shop.tx.execute(sa.update(tables.programmes).values(**terms))
    pays(shop, vuk)
    assert kinds(shop, ana) == [("referral", 250)]
    assert kinds(shop, vuk) == [("order", 450)]
    assert [kind for kind, _ in shop.notices(vuk)] == ["points_earned"]


def test_an_order_of_anybody_else_asks_for_nothing_more(shop, database):
    """One statement more for an invited guest's first order is fine; for others none."""
    said: list[str] = []
    regular = shop.guest()
    shop.visit(regular)
    shop.tx._raw()

    class Recorder:
        def __init__(self, cursor):
            self._cursor = cursor

        def __getattr__(self, name):
            return getattr(self._cursor, name)

        def execute(self, statement, values=()):
            said.append(statement)
            return self._cursor.execute(statement, values)

    shop.tx._cursor = Recorder(shop.tx._cursor)
    shop.order("o1", minute=1)
    assert said
    assert not [statement for statement in said if "FROM referral" in statement]


# -- refunds ---------------------------------------------------------------------------------------


def test_a_whole_refund_of_that_order_takes_back_from_both(shop):
    ana = shop.guest()
    vuk = friend_of(shop, ana)
    pays(shop, vuk)
    answer = shop.refund("o1", minute=5).response
    assert (answer["points"], answer["balance"]) == (-450, 0)
    assert (shop.balance(ana), shop.balance(vuk)) == (0, 0)
    assert shop.notices(ana)[-1][0] == "invitation_taken_back"


def test_a_part_of_it_takes_back_nothing_until_the_rest_follows(shop):
    ana = shop.guest()
    vuk = friend_of(shop, ana)
    pays(shop, vuk)
    shop.refund("o1", "r1", 400_00, minute=5)
    assert shop.balance(ana) == 100
    shop.refund("o1", "r2", minute=6)
    assert (shop.balance(ana), shop.balance(vuk)) == (0, 0)


def test_after_a_refund_the_next_paid_order_is_the_first(shop):
    ana = shop.guest()
    vuk = friend_of(shop, ana)
    pays(shop, vuk)
    shop.refund("o1", minute=5)
    pays(shop, vuk, "o2", minute=30)
    assert (shop.balance(ana), shop.balance(vuk)) == (100, 550)
    shop.refund("o2", "r2", minute=40)
    assert (shop.balance(ana), shop.balance(vuk)) == (0, 0)


def test_a_refund_takes_nothing_back_where_the_friend_has_paid_another_order(shop):
    ana = shop.guest()
    vuk = friend_of(shop, ana)
    pays(shop, vuk)
    pays(shop, vuk, "o2", minute=30)
    shop.refund("o1", minute=40)
    assert (shop.balance(ana), shop.balance(vuk)) == (100, 550)
    shop.refund("o2", "r2", minute=50)
    assert (shop.balance(ana), shop.balance(vuk)) == (0, 0)


def test_a_refund_that_came_before_its_order(shop):
    ana = shop.guest()
    vuk = friend_of(shop, ana)
    shop.refund("o1")
    assert pays(shop, vuk)["balance"] == 0
    assert (shop.balance(ana), shop.balance(vuk)) == (0, 0)


# -- who counts as new -----------------------------------------------------------------------------


def test_nobody_invites_themselves(shop):
    ana = shop.guest()
    assert not referrals.add(shop.tx, code_of(shop, ana), ana, NOW)
    assert not referrals.add(shop.tx, "A" * 16, shop.guest("Vuk"), NOW)


def test_who_claims_what_was_imported_was_a_guest_before(shop):
    ana = shop.guest()
    vuk = friend_of(shop, ana)
    shop.tx.execute(
        sa.insert(tables.imported_guests).values(
            phone=PHONE, cafe_id=shop.cafe.id, name="", language="en", points=30, created_at=NOW
        )
    )
    importing.claim(shop.tx, vuk, PHONE, NOW)
    pays(shop, vuk)
    assert (shop.balance(ana), shop.balance(vuk)) == (0, 480)


def test_who_turns_out_to_be_the_inviter_gets_nothing(shop):
    ana = shop.guest()
    vuk = friend_of(shop, ana)
    linking.merge(shop.tx, keep=ana, other=vuk, now=NOW)
    pays(shop, ana)
    assert shop.balance(ana) == 450


@pytest.mark.parametrize("keeps", ["the old one", "the new one"])
def test_who_turns_out_to_have_had_a_card_is_not_new(shop, keeps):
    ana, old = shop.guest(), shop.guest("Old Vuk")
    vuk = friend_of(shop, ana)
    keep, other = (old, vuk) if keeps == "the old one" else (vuk, old)
    linking.merge(shop.tx, keep=keep, other=other, now=NOW)
    pays(shop, keep)
    assert shop.balance(ana) == 0


def test_a_friend_who_is_merged_with_a_later_profile_of_theirs_is_still_new(shop):
    ana = shop.guest()
    vuk = friend_of(shop, ana)
    later = shop.guest("Vuk again", now=LATER)
    linking.merge(shop.tx, keep=later, other=vuk, now=LATER)
    pays(shop, later)
    assert (shop.balance(ana), shop.balance(later)) == (100, 550)


def test_an_inviter_who_was_merged_gets_the_points_and_keeps_the_link(shop):
    ana, anita = shop.guest(), shop.guest("Anita")
    vuk = friend_of(shop, ana)
    code = code_of(shop, ana)
    linking.merge(shop.tx, keep=anita, other=ana, now=NOW)
    pays(shop, vuk)
    assert shop.balance(anita) == 100
    mila = shop.guest("Mila")
    assert referrals.add(shop.tx, code, mila, NOW)
    assert invitations.of_guest(shop.tx, anita, NOW).friends == 2


def test_what_both_got_stays_where_they_turn_out_to_be_one(shop):
    ana = shop.guest()
    vuk = friend_of(shop, ana)
    pays(shop, vuk)
    linking.merge(shop.tx, keep=vuk, other=ana, now=NOW)
    assert shop.balance(vuk) == 650
    assert invitations.of_guest(shop.tx, vuk, NOW).friends == 0
    assert ledger.prove(shop.tx) == []


# -- data ------------------------------------------------------------------------------------------


def test_what_came_of_an_invitation(shop):
    ana = shop.guest()
    first = invitations.of_guest(shop.tx, ana, NOW)
    assert (first.friends, first.brought) == (0, 0)
    assert first.terms == invitations.Terms("BIFE", "points", 100, 100)
    friend_of(shop, ana)
    pays(shop, friend_of(shop, ana, "Mila"))
    then = invitations.of_guest(shop.tx, ana, LATER)
    assert (then.code, then.friends, then.brought) == (first.code, 2, 100)


def test_an_erased_inviters_link_leads_nowhere_and_their_friend_gets_theirs(shop):
    ana = shop.guest()
    code, vuk = code_of(shop, ana), friend_of(shop, ana)
    privacy.erase(shop.tx, ana, NOW)
    assert invitations.look_up(shop.tx, code) is None
    pays(shop, vuk)
    assert (shop.balance(ana), shop.balance(vuk)) == (0, 550)


def test_an_erased_friend_is_not_waited_for(shop):
    ana = shop.guest()
    privacy.erase(shop.tx, friend_of(shop, ana), NOW)
    assert invitations.of_guest(shop.tx, ana, NOW).friends == 0


def test_the_export_has_both_sides_and_no_names(shop):
    ana = shop.guest()
    vuk = friend_of(shop, ana)
    pays(shop, vuk)
    (invited,) = privacy.export(shop.tx, ana)["referrals"]
    assert (invited["as"], invited["points"]) == ("inviter", 100)
    (came,) = privacy.export(shop.tx, vuk)["referrals"]
    assert (came["as"], came["points"]) == ("friend", 100)
    (own,) = privacy.export(shop.tx, ana)["invitations"]
    assert own["code"] == code_of(shop, ana)


# -- at once ---------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_of_two_first_orders_at_once_in_two_programmes_one_is_the_first(database):
    def open_up(tx):
        bife, zrno = Shop(tx), Shop(tx, "zrno")
        ana = bife.guest()
        vuk = friend_of(bife, ana)
        bife.visit(vuk)
        zrno.visit(vuk)
        return bife, zrno, ana, vuk

    bife, zrno, ana, vuk = await database.write(open_up)
    await asyncio.gather(
        *(database.write(lambda tx, one=one: one.within(tx).order("o1")) for one in (bife, zrno))
    )

    def given(tx):
        e = tables.ledger_entries.c
        rows = tx.execute(sa.select(e.guest_id, e.points).where(e.kind == "referral"))
        return sorted(tuple(row) for row in rows)

    assert await database.read(given) == sorted([(ana, 100), (vuk, 100)])
    assert await database.read(ledger.prove) == []


@pytest.mark.anyio
async def test_many_friends_pay_at_once(database):
    def open_up(tx):
        shop = Shop(tx)
        ana = shop.guest()
        friends = [friend_of(shop, ana, f"Friend {number}") for number in range(16)]
        return shop, ana, [(friend, shop.visit(friend).public_id) for friend in friends]

    shop, ana, came = await database.write(open_up)
    await asyncio.gather(
        *(
            database.write(lambda tx, f=friend, v=visit: shop.within(tx).order(f"o{f}", visit=v))
            for friend, visit in came
        )
    )
    assert await database.read(ledger.balance, ana, shop.cafe.programme_id) == 1600
    assert (await database.read(invitations.of_guest, ana, NOW)).brought == 1600
    assert await database.read(ledger.prove) == []
