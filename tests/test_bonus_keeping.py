"""The owner's side of the bonus rules: made, changed, switched off, and what one would have given,
on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from core.domain.roles import Member
from core.services import bonus_rules, cafes
from core.services.bonus_rules import Draft
from core.services.errors import Forbidden, Missing, Rejected
from core.services.forecast import Forecast, forecast
from core.storage import tables
from core.storage.tx import Tx
from tests.support.shop import NOW, Shop, item

DAY = timedelta(days=1)
TODAY = NOW.date()
HELLO = Draft("welcome", {"en": "Hello"}, {"points": 50})
HOURS = {"factor": 200, "weekdays": [6, 5], "from": 13 * 60, "to": 14 * 60}
SOUND: dict[str, dict[str, Any]] = {
    "welcome": {"points": 50},
    "first_of_day": {"points": 5},
    "nth_visit": {"points": 30, "every": 5},
    "birthday": {"points": 100, "days": 3},
    "spend_over": {"points": 40, "over_minor": 1000_00},
    "happy_hours": {**HOURS, "weekdays": [5, 6]},
    "product_multiplier": {"factor": 150, "skus": ["cap", "tea"]},
}


class Owned(Shop):
    """With its owner at hand."""

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx)
        self.owner = self.hired("owner")
        self.programme = self.cafe.programme_id

    def hired(self, role: str, *cafes: int) -> Member:
        s = tables.staff
        values = {"login": role, "name": role, "role": role, "password_hash": "", "created_at": NOW}
        id_ = self.tx.scalar(sa.insert(s).values(values).returning(s.c.id))
        return Member(id_, role, role, role, frozenset(cafes))

    def add(self, draft: Draft = HELLO, by: Member | None = None) -> int:
        return bonus_rules.add(self.tx, by or self.owner, self.programme, draft, NOW)

    def change(self, rule_id: int, draft: Draft, days: int = 0) -> None:
        bonus_rules.change(self.tx, self.owner, rule_id, draft, NOW + days * DAY)

    def one(self, rule_id: int, days: int = 0) -> bonus_rules.BonusRule:
        return bonus_rules.one(self.tx, self.owner, rule_id, NOW + days * DAY)

    def gives(self, kind: str, days: int = 0, **params: Any) -> Forecast:
        bounds = {name: params.pop(name) for name in ("per_guest", "budget") if name in params}
        draft = Draft(kind, {}, params or SOUND[kind], **bounds)
        return forecast(self.tx, self.owner, self.programme, draft, NOW + days * DAY)

    def logged(self) -> list[tuple[str, str]]:
        e = tables.event_log.c
        rows = self.tx.execute(
            sa.select(e.kind, e.data, e.staff_id).where(e.kind.startswith("bonus_")).order_by(e.id)
        ).all()
        assert all(row.staff_id == self.owner.id for row in rows)
        return [(row.kind, row.data["bonus"]) for row in rows]


@pytest.fixture
def shop(tx: Tx) -> Owned:
    return Owned(tx)


def test_a_rule_is_made_changed_and_switched_off(shop: Owned) -> None:
    rule = shop.add()
    found = shop.one(rule)
    assert (found.kind, found.names, found.params) == ("welcome", {"en": "Hello"}, {"points": 50})
    assert (found.active, found.spent, found.budget) == (True, 0, None)
    assert cafes.row(shop.tx, shop.cafe.id).bonuses
    shop.change(rule, replace(HELLO, names={}, params={"points": 70}, budget=1000))
    found = shop.one(rule)
    assert (found.names, found.params, found.budget) == ({}, {"points": 70}, 1000)
    bonus_rules.switch(shop.tx, shop.owner, rule, False, NOW)
    assert not shop.one(rule).active
    assert not cafes.row(shop.tx, shop.cafe.id).bonuses
    bonus_rules.switch(shop.tx, shop.owner, rule, True, NOW)
    assert shop.one(rule).active
    kinds = ["bonus_added", "bonus_changed", "bonus_off", "bonus_on"]
    assert shop.logged() == [(kind, "welcome") for kind in kinds]


@pytest.mark.parametrize("kind", SOUND)
def test_each_kind_keeps_its_params_and_nothing_else(shop: Owned, kind: str) -> None:
    rule = shop.add(Draft(kind, {}, {**SOUND[kind], "other": 1}))
    assert shop.one(rule).params == SOUND[kind]


def test_a_rule_keeps_its_kind(shop: Owned) -> None:
    rule = shop.add()
    with pytest.raises(Rejected) as refused:
        shop.change(rule, Draft("first_of_day", {}, {"points": 50}))
    assert refused.value.code == "bonus_kind"


def test_its_days_are_the_cafe_s_own_both_included(shop: Owned) -> None:
    rule = shop.add(replace(HELLO, first_day=date(2027, 7, 1), last_day=date(2027, 11, 30)))
    r = tables.bonus_rules.c
    row = shop.tx.execute(sa.select(r.starts_at, r.ends_at).where(r.id == rule)).one()
    assert row.starts_at.isoformat() == "2027-06-30T22:00:00+00:00"
    assert row.ends_at.isoformat() == "2027-11-30T23:00:00+00:00"
    found = shop.one(rule)
    assert (found.first_day, found.last_day, found.coming) == (
        date(2027, 7, 1),
        date(2027, 11, 30),
        True,
    )


def test_products_are_known_by_name(shop: Owned) -> None:
    shop.product("cap", 20)
    rule = shop.add(Draft("product_multiplier", {}, SOUND["product_multiplier"]))
    assert shop.one(rule).products == {"cap": {"en": "Cap"}}


# -- what it would have given ----------------------------------------------------------------------


def buy(shop: Owned, guest: int, total: int, days: float, **more: Any) -> None:
    minute = days * 24 * 60
    visit = shop.visit(guest, minute).public_id
    count = shop.tx.scalar(sa.select(sa.func.count()).select_from(tables.orders))
    shop.order(f"{count}", total, minute=minute, visit=visit, **more)


def test_what_a_rule_would_have_given_in_the_last_30_days(shop: Owned) -> None:
    """NOW is a Sunday, 13:00 in Belgrade."""
    shop.product("cap", 20)
    ana, ivan, g = shop.guest("Ana"), shop.guest("Ivan"), tables.guests
    shop.tx.execute(sa.update(g).where(g.c.id == ana).values(birthday="--11-24"))
    buy(shop, ivan, 500_00, -40)
    for days in (0, 0.01, 1, 2):
        buy(shop, ana, 100_00, days, lines=(item("cap", "2", 10_00), item("tea", "1", 80_00)))
    buy(shop, ivan, 1000_00, 2)
    shop.order("nobody's", 1000_00, minute=3 * 24 * 60, source="pos")
    found = {kind: shop.gives(kind, days=4) for kind in SOUND}
    assert found == {
        "welcome": Forecast(50, 1),
        "first_of_day": Forecast(4 * 5, 4),
        "nth_visit": Forecast(0, 0),
        "birthday": Forecast(100, 1),
        "spend_over": Forecast(40, 1),
        "happy_hours": Forecast(2 * 120, 2),
        "product_multiplier": Forecast(4 * 60, 4),
    }
    assert shop.gives("nth_visit", days=4, points=30, every=2) == Forecast(3 * 30, 3)
    often = {"points": 5, "per_guest": 2}
    assert shop.gives("first_of_day", days=4, **often) == Forecast(3 * 5, 3)
    assert shop.gives("first_of_day", days=4, points=5, budget=12) == Forecast(12, 4)
    assert shop.gives("welcome", days=60) == Forecast(0, 0)


def test_of_many_orders_the_latest_stand_for_the_rest(shop: Owned, monkeypatch) -> None:
    monkeypatch.setattr("core.services.forecast.MOST", 4)
    ana = shop.guest()
    for n in range(12):
        buy(shop, ana, 100_00 if n < 6 else 2000_00, n)
    assert shop.gives("spend_over", days=13) == Forecast(12 * 40, 12)


# -- who may, and what can't be meant --------------------------------------------------------------


def test_a_manager_has_the_rules_of_their_cafes_alone(shop: Owned) -> None:
    rule, theirs = shop.add(), shop.hired("manager", shop.cafe.id)
    bonus_rules.switch(shop.tx, theirs, rule, False, NOW)
    stranger = replace(theirs, cafes=frozenset({shop.cafe.id + 1000}))
    assert bonus_rules.everyone(shop.tx, stranger, NOW) == []
    for deed in (
        lambda: bonus_rules.one(shop.tx, stranger, rule, NOW),
        lambda: bonus_rules.change(shop.tx, stranger, rule, HELLO, NOW),
        lambda: bonus_rules.switch(shop.tx, stranger, rule, True, NOW),
        lambda: forecast(shop.tx, stranger, shop.programme, HELLO, NOW),
        lambda: shop.add(by=stranger),
    ):
        with pytest.raises(Missing):
            deed()
    with pytest.raises(Forbidden):
        bonus_rules.everyone(shop.tx, replace(theirs, role="cashier"), NOW)


@pytest.mark.parametrize(
    ("kind", "wrong", "code"),
    [
        ("miracle", {}, "bonus_kind"),
        ("welcome", {"points": 0}, "bonus_points"),
        ("welcome", {"points": 1_000_001}, "bonus_points"),
        ("nth_visit", {"every": 1}, "every"),
        ("nth_visit", {"every": 1001}, "every"),
        ("birthday", {"days": 31}, "birthday_days"),
        ("spend_over", {"over_minor": 0}, "over"),
        ("happy_hours", {"factor": 100}, "factor"),
        ("happy_hours", {"factor": 100_01}, "factor"),
        ("happy_hours", {"weekdays": []}, "weekdays"),
        ("happy_hours", {"weekdays": [7]}, "weekdays"),
        ("happy_hours", {"to": 24 * 60}, "time"),
        ("product_multiplier", {"skus": []}, "skus"),
        ("product_multiplier", {"skus": [str(n) for n in range(201)]}, "skus"),
        ("product_multiplier", {"skus": ["x" * 101]}, "sku"),
    ],
)
def test_params_that_can_not_be_meant_are_rejected(
    shop: Owned, kind: str, wrong: dict[str, Any], code: str
) -> None:
    draft = Draft(kind, {}, {**SOUND.get(kind, {}), **wrong})
    for deed in (
        lambda: shop.add(draft),
        lambda: forecast(shop.tx, shop.owner, shop.programme, draft, NOW),
    ):
        with pytest.raises(Rejected) as refused:
            deed()
        assert refused.value.code == code


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"names": {"en": "x" * 65}}, "name"),
        ({"per_guest": 0}, "limit"),
        ({"per_guest": 1001}, "limit"),
        ({"budget": 0}, "budget"),
        ({"budget": 10**9 + 1}, "budget"),
        ({"first_day": date.min}, "day"),
        ({"first_day": TODAY + 2 * DAY, "last_day": TODAY + DAY}, "window"),
        ({"last_day": TODAY - DAY}, "window_past"),
    ],
)
def test_bounds_that_can_not_be_meant_are_rejected(
    shop: Owned, wrong: dict[str, Any], code: str
) -> None:
    rule = shop.add()
    for deed in (lambda draft: shop.add(draft), lambda draft: shop.change(rule, draft)):
        with pytest.raises(Rejected) as refused:
            deed(replace(HELLO, **wrong))
        assert refused.value.code == code
    assert shop.logged() == [("bonus_added", "welcome")]
