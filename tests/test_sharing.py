"""Cafes that share a programme: who joins, who leaves, and where the points are afterwards."""

import asyncio

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.domain.roles import Member
from core.i18n import words
from core.phrases import entry_text
from core.services import (
    cafes,
    guests,
    importing,
    invitations,
    ledger,
    linking,
    lots,
    redemptions,
    referrals,
    returns,
    schemes,
    sharing,
)
from core.services.errors import Forbidden, Missing, Rejected
from core.services.tills import Till
from core.storage import tables
from core.storage.database import Database
from core.storage.tx import Tx
from tests.support.counter import Counter
from tests.support.shop import KEYS, NOW


class Chain:
    """Two cafes, `bife` and `zrno`, each with a programme of its own, and their owner."""

    def __init__(self, tx: Tx) -> None:
        self.tx = tx
        self.bife, self.zrno = Counter(tx), Counter(tx, "zrno")
        staff = {"login": "olga", "name": "Olga", "role": "owner", "password_hash": ""}
        query = sa.insert(tables.staff).values(**staff, created_at=NOW).returning(tables.staff.c.id)
        self.olga = Member(tx.scalar(query), "olga", "Olga", "owner", frozenset())
        self.old, self.new = self.bife.cafe.programme_id, self.zrno.cafe.programme_id

    def join(self, slug: str = "bife", programme: int | None = None) -> None:
        """`bife` goes to the programme of `zrno` unless told otherwise."""
        sharing.join(self.tx, self.olga, programme or self.new, slug, NOW)
        self.look_again()

    def leave(self, slug: str = "bife", programme: int | None = None) -> None:
        sharing.leave(self.tx, self.olga, programme or self.new, slug, NOW)
        self.look_again()

    def look_again(self) -> None:
        """A request reads its cafe anew."""
        for shop in (self.bife, self.zrno):
            shop.cafe = cafes.row(self.tx, shop.cafe.id)
            shop.till = Till(shop.bar, "Bar", shop.cafe)

    def balances(self, guest: int) -> tuple[int, int]:
        """In the programme that `bife` began with, and in that of `zrno`."""
        old, new = (ledger.balance(self.tx, guest, one) for one in (self.old, self.new))
        return old, new

    def last(self, guest: int) -> str:
        """Why the balance of the shared programme moved last, as the guest reads it."""
        entry = ledger.last_entries(self.tx, guest, self.new)[0]
        return entry_text(entry.kind, entry.because, words("en"))

    def prove(self) -> None:
        assert ledger.prove(self.tx) == []
        assert lots.prove(self.tx) == []


@pytest.fixture
def chain(tx):
    """In the end the books prove."""
    chain = Chain(tx)
    yield chain
    chain.prove()


# -- the last cafe of a programme takes everything along -------------------------------------------


def test_the_points_come_along_by_an_entry_that_says_so(chain):
    ana = chain.bife.collector(300)
    chain.zrno.give(ana, 50)
    plan = sharing.joining(chain.tx, chain.olga, chain.new, "bife")
    assert (plan.along, plan.guests, plan.points) == (True, 1, 300)
    chain.join()
    assert chain.balances(ana) == (0, 350)
    assert chain.last(ana) == "Came along from “BIFE”"
    assert [one.programme for one in guests.collecting(chain.tx, ana)] == ["ZRNO"]
    assert chain.bife.notices(ana) == []


def test_so_does_what_is_owed_and_what_was_too_little_for_a_point(chain):
    ana, bob = chain.bife.collector(-70), chain.bife.guest("Bob")
    chain.zrno.give(ana, 50)
    chain.bife.order("o1", 60, visit=chain.bife.visit(bob).public_id)
    chain.join()
    assert chain.balances(ana) == (0, -20)
    chain.zrno.order("o2", 40, visit=chain.zrno.visit(bob).public_id)
    assert chain.balances(bob) == (0, 1), "60 and 40 para at two cafes are a dinar"


def test_orders_at_either_cafe_count_in_one_balance_from_then_on(chain):
    ana = chain.bife.guest()
    chain.join()
    chain.bife.order("o1", 100_00, visit=chain.bife.visit(ana).public_id)
    chain.zrno.order("o2", 30_00, visit=chain.zrno.visit(ana).public_id)
    assert chain.balances(ana) == (0, 130)
    cake = chain.zrno.pick(ana)
    assert chain.bife.scan(cake).status == "held", "a reward of the one is taken by the other"


def test_points_keep_the_days_that_they_had(chain):
    for programme in (chain.old, chain.new):
        lots.set_expiry(chain.tx, programme, 12, NOW)
    ana, bob = chain.bife.guest(), chain.bife.guest("Bob")
    for guest in (ana, bob):
        chain.bife.give(guest, 100)
    chain.bife.give(ana, 40, minute=60 * 24 * 30)
    before = lots.left(chain.tx, ana, chain.old)
    chain.join()
    assert lots.left(chain.tx, ana, chain.new) == before
    assert lots.left(chain.tx, ana, chain.old) == []
    assert lots.left(chain.tx, bob, chain.new) == before[:1], "nobody gets another's days"


@pytest.mark.parametrize(("old", "new", "lots_left"), [(12, None, 0), (None, 12, 1)])
def test_from_one_where_they_expire_to_one_where_they_don_t(chain, old, new, lots_left):
    lots.set_expiry(chain.tx, chain.old, old, NOW)
    lots.set_expiry(chain.tx, chain.new, new, NOW)
    ana = chain.bife.collector(100)
    chain.join()
    assert chain.balances(ana) == (0, 100)
    assert len(lots.left(chain.tx, ana, chain.new)) == lots_left


# -- what is about points from before --------------------------------------------------------------


def test_the_refund_of_an_order_from_before_takes_the_points_where_they_are_now(chain):
    ana = chain.bife.guest()
    chain.bife.order("o1", 100_50, visit=chain.bife.visit(ana).public_id)
    chain.join()
    refunded = chain.bife.refund("o1", amount_minor=40_20)
    assert refunded.response["points"] == -40
    assert refunded.response["balance"] == 60
    assert chain.balances(ana) == (0, 60)
    assert chain.bife.refund("o1", "r2").response["balance"] == 0


def test_an_order_that_was_on_its_way_gives_where_the_points_went(chain):
    ana = chain.bife.collector(10)
    visit = chain.bife.visit(ana).public_id
    before = chain.bife.cafe
    chain.join()
    chain.bife.cafe = before  # as it was read before the cafe joined
    counted = chain.bife.order("o1", 100_00, visit=visit)
    assert counted.response["balance"] == 110
    assert chain.balances(ana) == (0, 110)
    bob = chain.bife.guest("Bob")
    chain.bife.order("o2", 5_00, visit=chain.bife.visit(bob, 5).public_id, minute=5)
    assert chain.balances(bob) == (0, 5), "though he had no account before"


def test_a_reward_from_before_comes_back_where_the_points_are_now(chain):
    ana = chain.bife.collector(150)
    picked = chain.bife.pick(ana)
    chain.bife.scan(picked)
    chain.bife.confirm(picked.id)
    chain.join()
    assert chain.balances(ana) == (0, 50)
    assert returns.undo(chain.tx, till=chain.bife.till, public_id=picked.id, now=NOW) == 150
    assert chain.balances(ana) == (0, 150)
    told = dict(chain.bife.notices(ana))["redemption_returned"]
    assert told["balance"] == 150


def test_the_points_of_an_invitation_are_taken_back_where_they_are_now(chain):
    ana, bob = chain.bife.guest(), chain.bife.guest("Bob")
    code = invitations.of_guest(chain.tx, ana, NOW).code
    assert referrals.add(chain.tx, code, bob, NOW)
    chain.bife.order("o1", 10_00, visit=chain.bife.visit(bob).public_id)
    chain.join()
    assert (chain.balances(ana), chain.balances(bob)) == ((0, 100), (0, 110))
    assert chain.bife.refund("o1").response["balance"] == 0
    assert (chain.balances(ana), chain.balances(bob)) == ((0, 0), (0, 0))


def test_two_cards_that_become_one_later_bring_all_together(chain):
    ana, anna = chain.bife.collector(100), chain.bife.collector(30, "Anna")
    chain.zrno.give(anna, 5)
    chain.join()
    linking.merge(chain.tx, ana, anna, NOW)
    assert chain.balances(ana) == (0, 135)
    assert chain.balances(anna) == (0, 0)


def test_who_was_imported_and_waits_gets_the_points_in_the_cafe_s_programme_of_then(chain):
    row = importing.Row(2, "+381601234567", "Ana", "en", "80", "bife")
    importing.import_rows(chain.tx, [row], NOW)
    chain.join()
    ana = chain.bife.guest()
    importing.claim(chain.tx, ana, "+381601234567", NOW)
    assert chain.balances(ana) == (0, 80)


def test_guests_who_came_along_are_not_welcomed_as_new(chain):
    rule = {"kind": "welcome", "names": {}, "params": {"points": 500}, "created_at": NOW}
    rule |= {"programme_id": chain.new, "per_guest": 1}
    chain.tx.execute(sa.insert(tables.bonus_rules).values(**rule))
    ana = chain.bife.guest()
    chain.bife.order("o1", 10_00, visit=chain.bife.visit(ana).public_id)
    chain.join()
    chain.bife.order("o2", 10_00, visit=chain.bife.visit(ana, 5).public_id, minute=5)
    assert chain.balances(ana) == (0, 20)


def test_what_was_offered_in_it_is_switched_off_and_kept(chain):
    chain.bife.product("cap", 7)
    chain.join()
    for table in (tables.rewards, tables.products):
        of = table.c.programme_id == chain.old
        rows = chain.tx.execute(sa.select(table.c.active).where(of)).scalars().all()
        assert set(rows) == {False}
    ana = chain.bife.collector(500)
    chain.bife.order("o1", 10_00, visit=chain.bife.visit(ana).public_id)
    assert set(chain.zrno.offers(ana)) == {"Cake", "Coffee"}


def test_who_joins_the_joined_takes_along_what_came_before(chain):
    third = Counter(chain.tx, "treci")
    ana = chain.bife.guest()
    chain.bife.order("o1", 100_00, visit=chain.bife.visit(ana).public_id)
    chain.join()
    for slug in ("bife", "zrno"):
        chain.join(slug, third.cafe.programme_id)
    assert chain.balances(ana) == (0, 0)
    assert ledger.balance(chain.tx, ana, third.cafe.programme_id) == 100
    assert chain.bife.refund("o1").response["balance"] == 0


# -- where other cafes stay ------------------------------------------------------------------------


def test_where_other_cafes_stay_the_points_stay_too(chain):
    ana = chain.bife.collector(300)
    chain.join()
    plan = sharing.leaving(chain.tx, chain.olga, chain.new, "bife")
    assert not plan.along
    assert [place.slug for place in plan.staying] == ["zrno"]
    chain.leave()
    assert chain.balances(ana) == (0, 300)
    own = chain.bife.cafe.programme_id
    assert own not in (chain.old, chain.new)
    assert ledger.balance(chain.tx, ana, own) == 0


def test_who_leaves_is_ready_to_serve_as_a_cafe_that_was_just_added(chain):
    chain.join()
    chain.leave()
    scheme = schemes.one(chain.tx, chain.olga, chain.bife.cafe.programme_id)
    assert (scheme.name, scheme.earn_minor, scheme.earn_points) == ("BIFE", 100, 1)
    assert (scheme.inviter_points, scheme.friend_points) == (100, 100)
    of = tables.rewards.c.programme_id == scheme.id
    names = chain.tx.execute(sa.select(tables.rewards.c.names).where(of)).scalars().all()
    assert names == [cafes.FIRST_REWARD]


def test_a_refund_takes_back_where_the_order_gave_though_its_cafe_has_left(chain):
    chain.join()
    ana = chain.bife.guest()
    chain.bife.order("o1", 100_00, visit=chain.bife.visit(ana).public_id)
    chain.leave()
    assert chain.bife.refund("o1").response["balance"] == 0
    assert chain.balances(ana) == (0, 0)


# -- what can't be ---------------------------------------------------------------------------------


def test_nothing_moves_while_something_is_picked(chain):
    ana = chain.bife.collector(100)
    picked = chain.bife.pick(ana)
    with pytest.raises(Rejected) as refused:
        chain.join()
    assert refused.value.code == "picked"
    assert chain.balances(ana) == (100, 0)
    redemptions.cancel_by_guest(chain.tx, ana, picked.id, NOW)
    chain.join()
    assert chain.balances(ana) == (0, 100)


def test_where_others_stay_only_what_its_own_tills_have_in_hand_is_waited_for(chain):
    chain.join()
    ana = chain.zrno.collector(200)
    elsewhere, here = chain.zrno.pick(ana), chain.zrno.pick(ana)
    chain.zrno.scan(elsewhere)
    chain.bife.scan(here)
    with pytest.raises(Rejected):
        chain.leave()
    redemptions.cancel_by_guest(chain.tx, ana, here.id, NOW)
    chain.leave()
    assert chain.zrno.confirm(elsewhere.id)["balance"] == 100


@pytest.mark.parametrize("other", [{"currency": "EUR"}, {"unit": "stamps"}])
def test_dinars_and_euros_points_and_stamps_don_t_mix(chain, other):
    mine = tables.programmes.c.id == chain.new
    chain.tx.execute(sa.update(tables.programmes).where(mine).values(**other))
    known = schemes.everyone(chain.tx, chain.olga)
    assert sharing.candidates(known, known[1]) == []
    with pytest.raises(Rejected) as refused:
        chain.join()
    assert refused.value.code == "not_alike"


def test_there_is_nowhere_to_go_but_to_another_programme_that_is_used(chain):
    with pytest.raises(Missing):
        chain.join("bife", chain.old)
    with pytest.raises(Missing):
        chain.leave("bife", chain.old)
    chain.join()
    with pytest.raises(Missing):
        chain.join("zrno", chain.old)
    for slug in ("nowhere", ""):
        with pytest.raises(Missing):
            chain.join(slug)


def test_it_is_for_owners(chain):
    both = frozenset({chain.bife.cafe.id, chain.zrno.cafe.id})
    mira = Member(chain.olga.id, "mira", "Mira", "manager", both)
    for do in (sharing.join, sharing.leave):
        with pytest.raises((Forbidden, Missing)):
            do(chain.tx, mira, chain.new, "bife", NOW)
    assert cafes.row(chain.tx, chain.bife.cafe.id).programme_id == chain.old


# -- in any order, and all at once -----------------------------------------------------------------

SLUGS = ("bife", "zrno", "treci")
MOVES = st.one_of(
    st.tuples(st.just("give"), st.sampled_from(SLUGS), st.integers(0, 1), st.integers(-80, 200)),
    st.tuples(st.just("join"), st.sampled_from(SLUGS), st.sampled_from(SLUGS)),
    st.tuples(st.just("leave"), st.sampled_from(SLUGS)),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(moves=st.lists(MOVES, min_size=1, max_size=12), expiring=st.sets(st.sampled_from(SLUGS)))
def test_whoever_joins_and_leaves_no_point_is_lost_or_doubled(sqlite_database, moves, expiring):
    with sqlite_database.writer_engine.connect() as connection, connection.begin() as all_of_it:
        chain = Chain(Tx(connection))
        shops = {"bife": chain.bife, "zrno": chain.zrno, "treci": Counter(chain.tx, "treci")}
        for slug in expiring:
            lots.set_expiry(chain.tx, shops[slug].cafe.programme_id, 6, NOW)
        people, given_to = [chain.bife.guest("Ana"), chain.bife.guest("Bob")], [0, 0]
        for move, slug, *more in moves:
            for shop in shops.values():
                shop.cafe = cafes.row(chain.tx, shop.cafe.id)
            if move == "give":
                who, points = more
                if points:
                    shops[slug].give(people[who], points)
                given_to[who] += points
                continue
            try:
                if move == "join":
                    chain.join(slug, shops[more[0]].cafe.programme_id)
                else:
                    chain.leave(slug, shops[slug].cafe.programme_id)
            except Missing:
                continue
        chain.prove()
        for guest, points in zip(people, given_to, strict=True):
            assert sum(one.balance for one in guests.collecting(chain.tx, guest)) == points
        all_of_it.rollback()


@pytest.fixture(scope="module")
def sqlite_database(_sqlite_template, tmp_path_factory):
    path = tmp_path_factory.mktemp("sharing") / "malva.db"
    path.write_bytes(_sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.mark.anyio
async def test_what_comes_in_while_a_cafe_joins_is_counted_once_where_it_looks_then(database_url):
    """Each request reads its cafe in its own transaction, before or after."""
    database = Database(database_url)
    chain = database.write_now(Chain)
    people = [database.write_now(lambda tx: chain.bife.within(tx).guest()) for _ in range(8)]
    visits = [
        database.write_now(lambda tx, one=one: chain.bife.within(tx).visit(one)).public_id
        for one in people
    ]

    def order(tx: Tx, n: int) -> None:
        shop = chain.bife.within(tx)
        shop.cafe = cafes.row(tx, shop.cafe.id)
        shop.order(f"o{n}", 10_00, visit=visits[n % 8])

    def pick(tx: Tx, guest: int) -> None:
        programme = guests.home_programme(tx, guest)
        chosen = chain.bife.coffee if programme == chain.old else chain.zrno.coffee
        held = redemptions.pick(
            tx, guest_id=guest, programme_id=programme, reward_ids=[chosen], keys=KEYS, now=NOW
        )
        redemptions.cancel_by_guest(tx, guest, held.id, NOW)

    def join(tx: Tx) -> None:
        sharing.join(tx, chain.olga, chain.new, "bife", NOW)

    jobs = [database.write(order, n) for n in range(160)]
    jobs[80:80] = [database.write(join)]
    jobs += [database.write(pick, guest) for guest in people]
    found = await asyncio.gather(*jobs, return_exceptions=True)
    assert [one for one in found[:161] if one is not None] == []

    def after(tx: Tx) -> list[tuple[int, int]]:
        assert ledger.prove(tx) == []
        both = (chain.old, chain.new)
        return [tuple(ledger.balance(tx, guest, one) for one in both) for guest in people]

    assert await database.read(after) == [(0, 200)] * 8
    database.close()
