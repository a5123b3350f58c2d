"""The owner's side of the rewards: made, changed, switched off, and whom they are within reach of,
on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from core.domain.roles import Member
from core.services import catalogue, photos
from core.services.catalogue import Draft
from core.services.errors import Forbidden, Missing, Rejected
from core.services.photos import Photo
from core.storage import tables
from core.storage.tx import Tx
from tests.support.counter import Counter
from tests.support.shop import NOW

TODAY = NOW.date()
DAY = timedelta(days=1)
PIE = Draft({"en": "Pie", "sr": "Pita"}, {"en": "Warm, of course."}, "product", None, 60)
PHOTO = Photo("image/jpeg", b"a picture")


class Owned(Counter):
    """With its owner at hand."""

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx)
        self.owner = self._hired("owner")
        self.programme = self.cafe.programme_id

    def _hired(self, role: str, *cafes: int) -> Member:
        s = tables.staff
        values = {"login": role, "name": role, "role": role, "password_hash": "", "created_at": NOW}
        id_ = self.tx.scalar(sa.insert(s).values(values).returning(s.c.id))
        return Member(id_, role, role, role, frozenset(cafes))

    def manager(self, *cafes: int) -> Member:
        return self._hired("manager", *cafes)

    def add(self, draft: Draft = PIE, by: Member | None = None) -> int:
        return catalogue.add(self.tx, by or self.owner, self.programme, draft, NOW)

    def change(self, reward_id: int, draft: Draft, days: int = 0) -> None:
        catalogue.change(self.tx, self.owner, reward_id, draft, NOW + days * DAY)

    def one(self, reward_id: int, days: int = 0) -> catalogue.Reward:
        return catalogue.one(self.tx, self.owner, reward_id, NOW + days * DAY)

    def logged(self) -> list[tuple[str, int]]:
        e = tables.event_log.c
        rows = self.tx.execute(
            sa.select(e.kind, e.data, e.staff_id).where(e.kind.startswith("reward_")).order_by(e.id)
        ).all()
        assert all(row.staff_id == self.owner.id for row in rows)
        return [(row.kind, row.data["cost"]) for row in rows]


@pytest.fixture
def shop(tx: Tx) -> Owned:
    return Owned(tx)


def test_a_reward_is_made_and_guests_can_pick_it(shop: Owned) -> None:
    pie = shop.add()
    found = shop.one(pie)
    assert (found.names, found.texts) == ({"en": "Pie", "sr": "Pita"}, {"en": "Warm, of course."})
    assert (found.cost, found.active, found.stock) == (60, True, None)
    assert shop.offers(shop.collector(100))["Pie"].missing == 0
    assert shop.logged() == [("reward_added", 60)]


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [("product", 5, None), ("percentage", 1250, 1250), ("amount", 30000, 30000)],
)
def test_what_a_reward_gives(shop: Owned, kind: str, value: int, kept: int | None) -> None:
    found = shop.one(shop.add(replace(PIE, kind=kind, value=value)))
    assert (found.kind, found.value) == (kind, kept)


def test_who_was_within_reach_keeps_the_old_cost_for_30_days(shop: Owned) -> None:
    pie, ana, late = shop.add(), shop.collector(60), shop.collector(59)
    shop.change(pie, replace(PIE, cost=80))
    assert shop.offers(ana)["Pie"].cost == 60
    assert shop.offers(late)["Pie"].cost == 80
    assert shop.offers(ana, minute=30 * 24 * 60)["Pie"].cost == 80
    assert shop.logged() == [("reward_added", 60), ("reward_changed", 80)]


def test_one_that_is_switched_off_is_offered_to_nobody_until_it_is_on_again(shop: Owned) -> None:
    pie, ana = shop.add(), shop.collector(100)
    catalogue.switch(shop.tx, shop.owner, pie, False, NOW)
    assert "Pie" not in shop.offers(ana)
    catalogue.switch(shop.tx, shop.owner, pie, True, NOW)
    assert "Pie" in shop.offers(ana)
    assert [kind for kind, _ in shop.logged()] == ["reward_added", "reward_off", "reward_on"]


def test_a_stock_that_was_not_touched_is_what_redemptions_left_of_it(shop: Owned) -> None:
    pie, ana = shop.add(replace(PIE, stock=3)), shop.collector(1000)
    picked = shop.pick(ana, pie)
    shop.scan(picked)
    shop.confirm(picked.id)
    shop.change(pie, replace(PIE, stock="keep"))
    assert shop.one(pie).stock == 2
    shop.change(pie, replace(PIE, stock=10))
    assert shop.one(pie).stock == 10
    shop.change(pie, replace(PIE, stock=None))
    assert shop.one(pie).stock is None


# -- its window ------------------------------------------------------------------------------------


def test_its_days_are_the_cafes_own_both_included(shop: Owned) -> None:
    """Belgrade is an hour ahead of UTC in winter, two in summer."""
    pie = shop.add(replace(PIE, first_day=date(2027, 7, 1), last_day=date(2027, 11, 30)))
    r = tables.rewards.c
    row = shop.tx.execute(sa.select(r.starts_at, r.ends_at).where(r.id == pie)).one()
    assert row.starts_at.isoformat() == "2027-06-30T22:00:00+00:00"
    assert row.ends_at.isoformat() == "2027-11-30T23:00:00+00:00"
    found = shop.one(pie)
    assert (found.first_day, found.last_day) == (date(2027, 7, 1), date(2027, 11, 30))
    assert (found.coming, found.over) == (True, False)


def test_today_can_be_its_last_day_and_yesterday_only_where_it_was(shop: Owned) -> None:
    draft = replace(PIE, last_day=TODAY)
    pie = shop.add(draft)
    with pytest.raises(Rejected) as refused:
        shop.add(replace(PIE, last_day=TODAY - DAY))
    assert refused.value.code == "window_past"
    assert shop.one(pie, days=2).over
    shop.change(pie, replace(draft, cost=70), days=2)
    with pytest.raises(Rejected):
        shop.change(pie, replace(draft, last_day=TODAY + DAY), days=2)


# -- its picture -----------------------------------------------------------------------------------


def test_a_picture_is_kept_once_and_goes_with_the_last_that_shows_it(shop: Owned) -> None:
    one, other = (shop.add(replace(PIE, photo=PHOTO)) for _ in range(2))
    picture = shop.one(one).picture_id
    assert picture == shop.one(other).picture_id == photos.id_of(PHOTO)
    assert photos.shown(shop.tx, picture) == PHOTO
    shop.change(one, replace(PIE, photo="keep"))
    assert shop.one(one).picture_id == picture
    shop.change(one, replace(PIE, photo=Photo("image/jpeg", b"another")))
    assert photos.shown(shop.tx, picture) == PHOTO
    shop.change(other, replace(PIE, photo=None))
    assert photos.shown(shop.tx, picture) is None
    assert shop.one(other).picture_id is None


# -- whom it is within reach of --------------------------------------------------------------------


def test_within_reach_are_those_who_have_enough(shop: Owned) -> None:
    for points in (10, 60, 61):
        shop.collector(points)
    gone = shop.collector(500)
    erased = sa.update(tables.guests).where(tables.guests.c.id == gone).values(erased_at=NOW)
    shop.tx.execute(erased)
    assert catalogue.within_reach(shop.tx, shop.owner, shop.programme, 60) == 2


# -- who may, and what can't be meant --------------------------------------------------------------


def test_a_manager_has_the_rewards_of_their_cafes_alone(shop: Owned) -> None:
    pie, theirs = shop.add(), shop.manager(shop.cafe.id)
    catalogue.switch(shop.tx, theirs, pie, False, NOW)
    stranger = replace(theirs, cafes=frozenset({shop.cafe.id + 1000}))
    assert catalogue.everyone(shop.tx, stranger, NOW) == []
    for deed in (
        lambda: catalogue.one(shop.tx, stranger, pie, NOW),
        lambda: catalogue.change(shop.tx, stranger, pie, PIE, NOW),
        lambda: catalogue.switch(shop.tx, stranger, pie, True, NOW),
        lambda: catalogue.within_reach(shop.tx, stranger, shop.programme, 1),
        lambda: shop.add(by=stranger),
    ):
        with pytest.raises(Missing):
            deed()
    with pytest.raises(Forbidden):
        catalogue.everyone(shop.tx, replace(theirs, role="cashier"), NOW)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"names": {}}, "name"),
        ({"names": {"en": "x" * 65}}, "name"),
        ({"names": {"en": "Pie", "ru": "\u200b"}}, "name"),
        ({"texts": {"en": "x" * 301}}, "text"),
        ({"kind": "miracle"}, "reward_kind"),
        ({"kind": "percentage"}, "percent"),
        ({"kind": "percentage", "value": 0}, "percent"),
        ({"kind": "percentage", "value": 100_01}, "percent"),
        ({"kind": "amount", "value": 0}, "discount"),
        ({"kind": "amount", "value": -5}, "discount"),
        ({"cost": 0}, "cost"),
        ({"cost": -1}, "cost"),
        ({"cost": 1_000_001}, "cost"),
        ({"per_guest": 0}, "bound"),
        ({"stock": -1}, "bound"),
        ({"stock": 10**9}, "bound"),
        ({"first_day": date.min}, "day"),
        ({"last_day": date.max}, "day"),
        ({"first_day": TODAY + 2 * DAY, "last_day": TODAY + DAY}, "window"),
    ],
)
def test_what_can_not_be_meant_is_rejected(shop: Owned, wrong: dict, code: str) -> None:
    pie = shop.add()
    for deed in (lambda draft: shop.add(draft), lambda draft: shop.change(pie, draft)):
        with pytest.raises(Rejected) as refused:
            deed(replace(PIE, **wrong))
        assert refused.value.code == code
    assert shop.logged() == [("reward_added", 60)]
