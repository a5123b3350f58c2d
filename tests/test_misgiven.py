"""An order that was given to the wrong guest at a till: for two minutes it can be taken back."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from core.contract import OrderTakenBack
from core.domain.roles import Member
from core.services import (
    attending,
    bonus_rules,
    cafes,
    invitations,
    ledger,
    limits,
    linking,
    lots,
    misgiven,
    referrals,
    sharing,
    staff,
    unclaimed,
)
from core.services.bonus_rules import Draft
from core.services.errors import (
    AlreadyClaimed,
    LimitReached,
    NotPossible,
    Rejected,
    TooLate,
    UnknownOrder,
    UnknownVisit,
)
from core.services.notices import render_notice
from core.services.staff import Limits
from core.services.tills import Till
from core.storage import tables
from core.storage.tx import Tx
from tests.support.counter import Counter
from tests.support.shop import MINUTE, NOW

EARLIER = -60
"""Minutes; no visit was open then."""


class Bar(Counter):
    """Cica serves; an order for 300.50 has no guest, a dinar is a point."""

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx)
        self.cica = self.seat()
        self.order("o1", 300_50, minute=EARLIER)

    def owns(self) -> Member:
        login = {"login": "olga", "name": "Olga", "role": "owner", "password_hash": ""}
        s = tables.staff
        row = self.tx.scalar(sa.insert(s).values(**login, created_at=NOW).returning(s.c.id))
        return Member(row, "olga", "Olga", "owner", frozenset())

    def gives(self, visit, order_id="o1", minute=0.0):
        now = NOW + minute * MINUTE
        return unclaimed.give(self.tx, self.cica, "api", order_id, visit, now).response

    def takes_back(self, visit, order_id="o1", minute=1.0):
        now = NOW + minute * MINUTE
        misgiven.take_back(self.tx, self.cica, "api", order_id, visit, now)

    def bought(self, visit, minute=0.0):
        return attending.visit(self.tx, self.cica, visit, NOW + minute * MINUTE).bought

    def row(self):
        o = tables.orders.c
        found = (o.guest_id, o.visit_id, o.programme_id, o.points, o.carry_minor, o.earned_minor)
        query = sa.select(*found, o.because, o.staff_id).where(o.order_id == "o1")
        return tuple(self.tx.execute(query).one())

    def account(self, guest):
        found = ledger.look(self.tx, guest, self.cafe.programme_id)
        return found.balance, found.carry_minor

    def deeds(self):
        e = tables.event_log.c
        query = sa.select(e.kind, e.guest_id, e.data).where(e.kind.startswith("order_"))
        return [tuple(row) for row in self.tx.execute(query.order_by(e.id))]


@pytest.fixture
def bar(tx):
    """In the end, whatever happened, the books are right."""
    bar = Bar(tx)
    yield bar
    assert ledger.prove(bar.tx) == []
    assert lots.prove(bar.tx) == []


@pytest.fixture
def ana(bar):
    return bar.guest()


@pytest.fixture
def visit(bar, ana):
    return bar.visit(ana).public_id


# -- as if it had never been theirs ----------------------------------------------------------------


def test_the_order_is_nobodys_again_and_the_guest_has_what_they_had(bar, ana, visit):
    before = bar.row()
    bar.gives(visit)
    assert bar.account(ana) == (300, 50)
    bar.takes_back(visit, minute=2)
    assert bar.row() == before
    assert bar.account(ana) == (0, 0)
    assert [one.order_id for one in unclaimed.recent(bar.tx, bar.cica, NOW)] == ["o1"]


def test_it_goes_to_whose_it_is(bar, ana, visit):
    bora = bar.guest("Bora")
    bar.gives(visit)
    bar.takes_back(visit)
    bar.gives(bar.visit(bora, minute=1).public_id, minute=1)
    assert (bar.account(ana), bar.account(bora)) == ((0, 0), (300, 50))


def test_or_to_the_same_guest_after_all_however_often(bar, ana, visit):
    for _ in range(3):
        assert bar.gives(visit)["balance"] == 300
        bar.takes_back(visit)
    bar.gives(visit)
    assert bar.account(ana) == (300, 50)


def test_or_is_claimed_by_the_till_system(bar, ana, visit):
    bar.gives(visit)
    bar.takes_back(visit)
    assert bar.claim("o1", bar.visit(bar.guest("Bora")).public_id).response["points"] == 300


def test_once_more_changes_nothing(bar, ana, visit):
    bar.gives(visit)
    for minute in (1, 1, 60):
        bar.takes_back(visit, minute=minute)
    assert bar.account(ana) == (0, 0)
    assert [kind for kind, *_ in bar.deeds()] == ["order_given", "order_taken_back"]
    assert [event.undone for event in bar.tx.events if isinstance(event, OrderTakenBack)] == [True]


def test_what_an_order_brought_forward_is_carried_again(bar, ana, visit):
    bar.order("before", 10_60, visit=visit)
    bar.gives(visit)
    assert bar.account(ana) == (311, 10), "0.60 and 0.50 made a point"
    bar.takes_back(visit)
    assert bar.account(ana) == (10, 60)


def test_who_has_spent_the_points_is_below_zero(bar, ana, visit):
    bar.gives(visit)
    bar.give(ana, -300)
    bar.takes_back(visit)
    assert bar.account(ana)[0] == -300


def test_points_that_expire_go_as_they_came(bar, ana, visit):
    programme = bar.cafe.programme_id
    lots.set_expiry(bar.tx, programme, 1, NOW - timedelta(days=20))
    bar.give(ana, 500, minute=-20 * 24 * 60)
    before = lots.left(bar.tx, ana, programme)
    bar.gives(visit)
    bar.takes_back(visit)
    assert lots.left(bar.tx, ana, programme) == before


def test_a_guest_who_became_another_meanwhile_gives_it_back_there(bar, ana, visit):
    same = bar.guest("Ana P.")
    bar.gives(visit)
    linking.merge(bar.tx, same, ana, NOW)
    bar.takes_back(visit)
    assert (bar.account(same), bar.owner("o1")) == ((0, 0), None)


def test_nor_is_it_lost_when_the_cafe_joins_another_programme_meanwhile(bar, ana, visit):
    other = Counter(bar.tx, "zrno").cafe.programme_id
    bar.gives(visit)
    sharing.join(bar.tx, bar.owns(), other, "bife", NOW)
    bar.takes_back(visit)
    found = ledger.look(bar.tx, ana, other)
    assert (found.balance, found.carry_minor) == (0, 0)


def test_bonuses_and_their_limits_are_given_back(bar, ana, visit):
    draft = Draft("welcome", {"en": "Hello"}, {"points": 50}, per_guest=1, budget=50)
    bonus_rules.add(bar.tx, bar.owns(), bar.cafe.programme_id, draft, NOW)
    bar.till = Till(bar.bar, "Bar", cafes.row(bar.tx, bar.cafe.id))
    bar.cica = bar.seat("cica of today")
    assert bar.gives(visit)["points"] == 350
    bar.takes_back(visit)
    assert bar.account(ana) == (0, 0)
    assert bar.gives(visit)["points"] == 350


# -- what else hangs on it -------------------------------------------------------------------------


def test_what_an_invitation_gave_is_taken_back_and_given_to_the_right_order(bar, ana):
    vuk = bar.guest("Vuk")
    code = invitations.of_guest(bar.tx, ana, NOW).code
    assert referrals.add(bar.tx, code, vuk, NOW)
    visit = bar.visit(vuk).public_id
    for _ in range(2):
        bar.gives(visit)
        assert (bar.balance(vuk), bar.balance(ana)) == (400, 100)
        bar.takes_back(visit)
        assert (bar.balance(vuk), bar.balance(ana)) == (0, 0)
    bar.gives(visit)
    bar.refund("o1", minute=1)
    assert (bar.balance(vuk), bar.balance(ana)) == (0, 0)


def test_the_guest_is_told_why(bar, ana, visit):
    bar.gives(visit)
    bar.takes_back(visit)
    (_, _), (kind, facts) = bar.notices(ana)
    assert (kind, facts["points"], facts["balance"]) == ("points_taken_back", -300, 0)
    told = render_notice(kind, facts, "en")
    assert "An order was put on your card by mistake" in told.text
    assert "refunded" not in told.text


def test_the_log_says_who_had_it(bar, ana, visit):
    bar.gives(visit)
    bar.takes_back(visit)
    assert bar.deeds()[-1] == ("order_taken_back", ana, {"order": "o1", "points": -300})


def test_what_was_taken_back_is_free_to_be_given_again(bar, ana, visit):
    bar.tx.execute(
        sa.insert(tables.staff_cafes).values(staff_id=bar.cica.member.id, cafe_id=bar.cafe.id)
    )
    staff.limit(bar.tx, bar.owns(), bar.cica.member.id, Limits(300, None), NOW)
    bar.order("o2", 1_00, minute=EARLIER)
    bar.gives(visit)
    with pytest.raises(LimitReached):
        limits.manual_points(bar.tx, bar.cica, 1, NOW)
    bar.takes_back(visit)
    assert bar.gives(visit, "o2")["points"] == 1


# -- not undone ------------------------------------------------------------------------------------


def test_after_two_minutes_it_stays(bar, ana, visit):
    bar.gives(visit)
    with pytest.raises(TooLate):
        bar.takes_back(visit, minute=2.1)
    assert bar.balance(ana) == 300


def test_nor_once_some_of_it_was_refunded(bar, ana, visit):
    bar.gives(visit)
    bar.refund("o1", amount_minor=100_50, minute=1)
    assert [one.undo_until for one in bar.bought(visit)] == [None]
    with pytest.raises(Rejected) as refused:
        bar.takes_back(visit)
    assert (refused.value.code, bar.balance(ana)) == ("order_refunded", 200)


def test_but_what_was_refunded_before_it_was_given_is_no_matter(bar, ana, visit):
    bar.refund("o1", amount_minor=100_50, minute=EARLIER + 1)
    bar.gives(visit)
    assert bar.balance(ana) == 200
    bar.takes_back(visit)
    assert bar.account(ana) == (0, 0)


def test_nothing_that_came_to_its_guest_in_another_way(bar, visit):
    bar.order("hers", visit=visit)
    bar.claim("o1", visit)
    for order_id in ("hers", "o1", "never"):
        with pytest.raises(UnknownOrder):
            bar.takes_back(visit, order_id)
    assert [one.undo_until for one in bar.bought(visit)] == [None, None]


def test_not_from_a_screen_that_does_not_show_it(bar, ana, visit):
    other = bar.visit(bar.guest("Bora")).public_id
    bar.gives(other)
    with pytest.raises(AlreadyClaimed):
        bar.takes_back(visit)
    for elsewhere in ("no such visit", Counter(bar.tx, "zrno").visit(ana).public_id):
        with pytest.raises(UnknownVisit):
            bar.takes_back(elsewhere)


def test_the_screen_knows_until_when(bar, visit):
    bar.gives(visit, minute=1)
    (order,) = bar.bought(visit, minute=1)
    assert (order.given, order.undo_until) == (True, NOW + 3 * MINUTE)


# -- at once ---------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_undone_refunded_and_claimed_at_once_it_is_counted_for_one_or_nobody(database):
    bar = await database.write(Bar)

    async def do(work, *args, **named):
        try:
            return await database.write(lambda tx: work(bar.within(tx), *args, **named))
        except NotPossible:
            return None

    ana, bora = await do(Bar.guest), await do(Bar.guest, "Bora")
    hers, his = [(await do(Bar.visit, who)).public_id for who in (ana, bora)]
    for n in range(4):
        await do(Bar.order, f"n{n}", 100_00, minute=EARLIER)
        await do(Bar.gives, hers, f"n{n}")
        await asyncio.gather(
            *(do(Bar.takes_back, hers, f"n{n}") for _ in range(4)),
            *(do(Bar.claim, f"n{n}", his) for _ in range(2)),
            do(Bar.refund, f"n{n}", f"r{n}", 40_00),
            do(Bar.gives, hers, f"n{n}"),
        )
    orders = tables.orders.c

    def check(tx):
        assert ledger.prove(tx) == []
        left = {100_00: 100, 60_00: 60}
        for who in (ana, bora):
            theirs = sa.select(orders.total_minor - orders.refunded_minor)
            kept = tx.execute(theirs.where(orders.guest_id == who)).scalars()
            assert bar.within(tx).balance(who) == sum(left[minor] for minor in kept)

    await database.read(check)
