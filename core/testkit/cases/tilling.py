"""Till systems: what was paid and given back, exactly and once, whoever has to be asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from core.contract import FetchError, OrderPaid
from core.testkit.cases.register import pos
from core.testkit.pos import PosTrial
from core.testkit.trial import Alone

TOTALS = ("0.01", "0.10", "19.99", "250.00", "1234.50", "16777217.01")
"""The last one is more than a 32-bit float can tell."""
POLLS = 3
"""After so many polls at most an order is told that no webhook told."""


@pos()
def it_says_which_cafes_it_is_set_up_for(trial: PosTrial) -> None:
    with trial.alone() as alone:
        assert list(alone.adapter.cafes()) == [trial.cafe]


@pos("webhook")
def an_order_counts_to_the_last_cent(trial: PosTrial) -> None:
    for total in TOTALS:
        order_id = trial.order_id()
        assert trial.tell(trial.vendor.paid(order_id, total)) == 200
        assert trial.counted(order_id).total_minor == int(Decimal(total) * 100)


@pos("webhook")
def money_is_decimal_and_never_was_a_float(trial: PosTrial) -> None:
    with trial.alone() as alone:
        for total in TOTALS:
            (event,) = trial.told(alone, trial.vendor.paid(trial.order_id(), total))
            assert isinstance(event, OrderPaid)
            assert event.total == Decimal(total)
            amounts = [
                event.total,
                *(x for line in event.lines for x in (line.price, line.quantity)),
            ]
            assert {type(amount) for amount in amounts} == {Decimal}


@pos("webhook", "refunds")
def a_refund_counts_once(trial: PosTrial) -> None:
    order_id = trial.order_id()
    assert trial.tell(trial.vendor.paid(order_id, "100.00")) == 200
    trial.counted(order_id)
    refund = trial.vendor.refunded(order_id, trial.order_id(), "30.10")
    for _ in range(3):
        assert trial.tell(refund) == 200
    assert trial.counted(order_id).refunded_minor == 3010


@pos("webhook", "refunds")
def a_refund_that_comes_before_its_order_waits_for_it(trial: PosTrial) -> None:
    order_id = trial.order_id()
    order = trial.vendor.paid(order_id, "100.00")
    assert trial.tell(trial.vendor.refunded(order_id, trial.order_id(), "30.00")) == 200
    assert trial.tell(order) == 200
    assert trial.counted(order_id).refunded_minor == 3000


# -- asking ----------------------------------------------------------------------------------------


def fault(name: str, cause: Callable[[PosTrial], object], retryable: bool | None) -> None:
    """Registers: asking fails so, by fetch and by poll. `retryable` None: either, and a fetch may
    find that there is nothing to count."""

    def ask_fetch(trial: PosTrial) -> None:
        order_id = trial.order_id()
        trial.vendor.paid(order_id, "250.00")
        _fails(trial, cause, retryable, lambda adapter, _: adapter.fetch(trial.cafe, order_id))

    def ask_poll(trial: PosTrial) -> None:
        _fails(trial, cause, retryable, lambda adapter, since: adapter.poll(trial.cafe, since))

    ask_fetch.__name__, ask_poll.__name__ = f"a fetch: {name}", f"a poll: {name}"
    pos("fetch")(ask_fetch)
    if retryable is not None:
        pos("poll")(ask_poll)


def _fails(
    trial: PosTrial,
    cause: Callable[[PosTrial], object],
    retryable: bool | None,
    ask: Callable[[Any, str | None], Any],
) -> None:
    with trial.alone() as alone:
        since = None if "poll" in trial.vendor.lacks else trial.polls(alone, None, 1)[1]
        cause(trial)
        found = _attempt(alone, ask(alone.adapter, since))
    if isinstance(found, FetchError):
        assert retryable in (None, found.retryable), repr(found)
        told = f"{found!r} {found.__cause__!r}"
        assert not [s for s in trial.vendor.secrets if s in told], told
    else:
        assert retryable is None, f"it found {found}"
        assert not found


def _attempt(alone: Alone, asked: Any) -> Any:
    try:
        return alone.run(asked)
    except FetchError as error:
        return error


def refused(meaning: str) -> Callable[[PosTrial], object]:
    return lambda trial: trial.refuses(meaning, times=None)


def faulty(kind: str, **more: Any) -> Callable[[PosTrial], object]:
    return lambda trial: getattr(trial.provider, kind)(trial.vendor.calls, times=None, **more)


fault("too many questions are asked again", refused("too_many"), True)
fault("the vendor's own fault is asked again", refused("down"), True)
fault("what will never be answered is given up, or nothing", refused("final"), None)
fault("wrong credentials are asked again, once they are mended", refused("unauthorized"), True)
fault("a time-out is asked again", faulty("hang"), True)
fault("a broken connection is asked again", faulty("reset"), True)
fault("a proxy's page is asked again", faulty("fail", status=502, html=True), True)
fault("a page that says 200 is asked again", faulty("fail", status=200, html=True), True)
fault("nobody there is asked again", lambda trial: trial.provider.stop(), True)


@pos("webhook", "fetch")
def an_order_that_can_not_be_fetched_now_counts_later(trial: PosTrial) -> None:
    order_id = trial.order_id()
    event = trial.vendor.paid(order_id, "250.00")
    trial.refuses("down")
    assert trial.tell(event) == 200
    assert trial.counted(order_id).total_minor == 25000


@pos("poll")
def a_poll_finds_what_no_webhook_told(trial: PosTrial) -> None:
    order_id = trial.order_id()
    with trial.alone() as alone:
        _, cursor = trial.polls(alone, None, 1)
        trial.vendor.paid(order_id, "250.00")
        found, _ = trial.polls(alone, cursor, POLLS)
    orders = [e for e in found if isinstance(e, OrderPaid) and e.order_id == order_id]
    assert {order.total for order in orders} == {Decimal("250.00")}
    assert not any(order.live for order in orders), "no open visit may claim what was found late"


@pos("poll")
def a_poll_remembers_by_its_cursor_alone(trial: PosTrial) -> None:
    """What a poll found and nobody kept is found again."""
    order_id = trial.order_id()
    with trial.alone() as alone:
        _, cursor = trial.polls(alone, None, 1)
    trial.vendor.paid(order_id, "250.00")
    for _ in range(2):
        with trial.alone() as another:
            another.gateway.ahead = timedelta(minutes=1)
            found, _ = trial.polls(another, cursor, POLLS)
        assert order_id in [event.order_id for event in found]


@pos(instead_of="poll")
def it_is_not_polled(trial: PosTrial) -> None:
    with trial.alone() as alone:
        assert alone.adapter.poll_every is None
