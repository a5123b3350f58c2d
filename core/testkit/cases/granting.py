"""Till systems with coupons: a confirmed reward becomes one of them, whatever goes wrong."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from core.contract import Coupon, Discount, FetchError
from core.testkit.cases.register import pos
from core.testkit.cases.tilling import faulty, refused
from core.testkit.pos import PosTrial
from core.testkit.trial import Alone

AMOUNTS = ("0.10", "19.99", "1234.50")
PERCENTAGES = ("12.5", "100")


@pos("coupons")
def an_amount_off_becomes_a_coupon(trial: PosTrial) -> None:
    for amount in AMOUNTS:
        _granted(trial, _discount(amount=Decimal(amount)))


@pos("coupons")
def a_percentage_off_becomes_a_coupon(trial: PosTrial) -> None:
    for percentage in PERCENTAGES:
        _granted(trial, _discount(percentage=Decimal(percentage)))


def _granted(trial: PosTrial, discount: Discount) -> None:
    """One coupon of just that, under the redemption's id, so that people find it there."""
    before = set(trial.vendor.coupons())
    with trial.alone() as alone:
        coupon = _attempt(trial, alone, discount)
    assert isinstance(coupon, Coupon), repr(coupon)
    made = trial.vendor.coupons()
    assert set(made) - before == {coupon.code}
    told = made[coupon.code]
    assert (told.amount, told.percentage) == (discount.amount, discount.percentage)
    assert told.redemption_id == discount.redemption_id


@pos(instead_of="coupons")
def it_gives_no_coupon_and_says_so(trial: PosTrial) -> None:
    with trial.alone() as alone:
        assert _attempt(trial, alone, _discount(amount=Decimal("150.00"))) is None


def fault(name: str, cause: Callable[[PosTrial], object]) -> None:
    """Registers: a coupon is asked for, and this goes wrong. There is one, or a FetchError; never
    two, since a call that is repeated may have been carried out."""

    def ask(trial: PosTrial) -> None:
        with trial.alone() as alone:
            _attempt(trial, alone, _discount(amount=Decimal("10.00")))  # signs in, where one has to
            before = set(trial.vendor.coupons())
            cause(trial)
            found = _attempt(trial, alone, _discount(amount=Decimal("150.00")))
        made = set(trial.vendor.coupons()) - before
        assert len(made) <= 1, "a second coupon was made"
        if not isinstance(found, FetchError):
            assert {found.code} == made

    ask.__name__ = f"a coupon: {name}"
    pos("coupons")(ask)


fault("too many questions make no second one", refused("too_many"))
fault("the vendor's own fault makes no second one", refused("down"))
fault("what is refused for good makes none", refused("final"))
fault("wrong credentials make none", refused("unauthorized"))
fault("credentials that ran out make one", lambda trial: trial.refuses("unauthorized"))
fault("a time-out makes no second one", faulty("hang"))
fault("a broken connection makes no second one", faulty("reset"))
fault("a lost answer makes no second one", faulty("drop_answer"))
fault("a proxy's page makes no second one", faulty("fail", status=502, html=True))
fault("nobody there makes none", lambda trial: trial.provider.stop())


def _discount(**off: Decimal) -> Discount:
    return Discount(redemption_id=secrets.token_urlsafe(12), name="Free coffee", **off)


def _attempt(trial: PosTrial, alone: Alone, discount: Discount) -> Any:
    """What became of it; a failure tells no secret."""
    try:
        return alone.run(alone.adapter.grant(trial.cafe, discount))
    except FetchError as error:
        told = f"{error!r} {error.__cause__!r}"
        assert not [secret for secret in trial.vendor.secrets if secret in told], told
        return error
