"""The Octopos adapter beside a simulated till system: deliveries, questions, polls."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from core.contract import (
    Discount,
    Fetch,
    FetchError,
    OrderPaid,
    OrderRefunded,
    Refused,
    Unreadable,
)
from core.testkit.gateway import ImpatientWire, OneGateway, webhook
from pos.octopos import Octopos, Settings
from tests.simulators.octopos import OctoposSimulator

pytestmark = pytest.mark.anyio

TOKEN = "the-webhook-token"
ANA = "+381601234567"


@pytest.fixture
def octopos() -> Iterator[OctoposSimulator]:
    with OctoposSimulator() as simulator:
        yield simulator


@pytest.fixture
async def gateway() -> AsyncIterator[OneGateway]:
    wire = ImpatientWire()
    yield OneGateway("octopos", wire)
    await wire.close()


def settings(octopos: OctoposSimulator, **more) -> Settings:
    given = {
        "api_base": octopos.url,
        "email": octopos.email,
        "password": octopos.password,
        "webhook_token": TOKEN,
        "cafes": {"bife": {"location_id": 2}, "zrno": {"location_id": 3}},
    }
    return Settings(**{**given, **more})


@pytest.fixture
async def till(octopos: OctoposSimulator, gateway: OneGateway) -> Octopos:
    return Octopos(settings(octopos), gateway)


class Polls:
    """Polls one after the other, each with the cursor of the one before."""

    def __init__(self, till: Octopos, gateway: OneGateway, cafe: str = "bife") -> None:
        self.till, self.gateway, self.cafe = till, gateway, cafe
        self.cursor: str | None = None

    async def once(self, later: timedelta = timedelta(seconds=30)) -> list:
        self.gateway.ahead += later
        found = await self.till.poll(self.cafe, self.cursor)
        self.cursor = found.cursor
        return [event.order_id if isinstance(event, OrderPaid) else event for event in found.events]


@pytest.fixture
def polls(till: Octopos, gateway: OneGateway) -> Polls:
    return Polls(till, gateway)


@pytest.mark.parametrize(
    ("auth", "headers"),
    [
        ({}, {"authorization": f"Bearer {TOKEN}"}),
        ({}, {"authorization": f"bearer {TOKEN}"}),
        ({}, {"authorization": TOKEN}),
        ({"auth_type": "api", "api_value": "v4lue"}, {"api_key": "v4lue"}),
        ({"auth_type": "api", "api_key": "X-Till", "api_value": "v"}, {"x-till": "v"}),
    ],
)
async def test_a_delivery_brings_the_secret_as_it_was_agreed(octopos, gateway, auth, headers):
    till = Octopos(settings(octopos, **auth), gateway)
    till.verify(_asked(b"{}", headers), "bife")
    (name, value), *_ = headers.items()
    for wrong in ({}, {name: ""}, {name: "Bearer "}, {name: value + "x"}, {name: "šta?"}):
        with pytest.raises(Refused) as refused:
            till.verify(_asked(b"{}", wrong), "bife")
        assert TOKEN not in str(refused.value)


def _asked(body, headers):
    asked = webhook(body)
    return type(asked)(asked.method, asked.url, headers, {}, body)


@pytest.mark.parametrize(
    ("document", "numbers"),
    [
        ({"order_number": "17", "total_paid": "1.00"}, ["17"]),
        ({"order_number": 17}, ["17"]),
        ({"data": {"order_number": "17"}}, ["17"]),
        ([{"order_number": "17"}, {"order_number": "18"}, {"order_number": "17"}], ["17", "18"]),
        ({"data": [{"order_number": "A-17/3"}]}, ["A-17/3"]),
        ([None, 7, {"order_number": None}, {"order_number": "../authenticate"}, {"id": 3}], []),
        ([{"order_number": "1"}, {"order_number": {}}, "x", {"order_number": "2"}], ["1", "2"]),
        ({"product_id": 7}, []),
        ("text", []),
        (json.loads("[" * 200 + "]" * 200), []),
    ],
)
async def test_of_a_delivery_only_its_order_numbers_are_believed(till, document, numbers):
    events = till.parse(webhook(json.dumps(document).encode()), "bife")
    assert events == [Fetch(number) for number in numbers]


@pytest.mark.parametrize("body", [b"\xff{not json", b"[" * 100_000, b"<html>"])
async def test_a_delivery_that_is_no_json_can_not_be_read(till, body):
    with pytest.raises(Unreadable):
        till.parse(webhook(body), "bife")


async def test_an_order_is_read_with_its_lines_and_the_phone_of_its_card(octopos, till):
    cake = {"name": "Torta", "quantity": "1.5", "price": "333.33", "discount": "10", "tax": "20.5"}
    card = octopos.reward_card("060 123 45 67")
    made = octopos.pays(station=11, lines=[("Kafa", 2, "180.00"), cake], reward_card_id=card)
    (order,) = await till.fetch("bife", made["order_number"])
    assert order.order_id == made["order_number"]
    assert order.total == Decimal(made["total_paid"])
    assert [(line.name, line.quantity, line.price) for line in order.lines] == [
        ("Kafa", 2, Decimal("180.00")),
        ("Torta", Decimal("1.5"), Decimal("333.33")),
    ]
    assert (order.phone, order.station, order.live) == (ANA, "11", True)
    assert order.paid_at is None, "the till tells when an order was opened, never when it was paid"


@pytest.mark.parametrize(
    ("written", "phone"),
    [("+381 60 1234567", ANA), ("00381601234567", ANA), ("0601234567", ANA), ("none", None)],
)
async def test_a_reward_cards_phone_is_read_as_it_may_be_written(octopos, till, written, phone):
    made = octopos.pays(reward_card_id=octopos.reward_card(written))
    (order,) = await till.fetch("bife", made["order_number"])
    assert order.phone == phone


async def test_an_order_without_a_readable_card_counts_by_its_visit(octopos, till):
    made = octopos.pays(reward_card_id=99999)
    (order,) = await till.fetch("bife", made["order_number"])
    assert order.phone is None


async def test_a_total_is_trusted_whatever_the_lines_say(octopos, till, caplog):
    made = octopos.pays(lines=[("Kafa", 2, "180.00")], total_paid="333.00")
    octopos.orders[made["order_number"]]["all_lines"].append({"quantity": "many"})
    (order,) = await till.fetch("bife", made["order_number"])
    assert (order.total, len(order.lines)) == (Decimal("333.00"), 1)
    assert made["order_number"] in caplog.text


async def test_what_is_not_paid_or_another_locations_is_not_counted_here(octopos, till):
    still_open = octopos.pays(paid=False)["order_number"]
    elsewhere = octopos.pays(location_id=3)["order_number"]
    assert await till.fetch("bife", still_open) == []
    assert await till.fetch("bife", elsewhere) == []
    assert len(await till.fetch("zrno", elsewhere)) == 1
    octopos.settle(still_open, deliver=False)
    assert len(await till.fetch("bife", still_open)) == 1


async def test_a_station_that_is_new_is_looked_up_again(octopos, till):
    await till.check()
    octopos.location(3, "BIFE Dorćol", {21: "Till 1", 22: "Till 2"})
    made = octopos.pays(location_id=3, station=22)
    assert await till.fetch("bife", made["order_number"]) == []


@pytest.mark.parametrize("base", ["{}", "{}/", "{}/api/v2", "{}/api/v2/"])
async def test_the_address_may_be_given_with_the_version_or_without(octopos, gateway, base):
    till = Octopos(settings(octopos, api_base=base.format(octopos.url)), gateway)
    assert len(await till.fetch("bife", octopos.pays()["order_number"])) == 1


async def test_a_token_is_kept_and_renewed_when_it_has_run_out(octopos, till):
    numbers = [octopos.pays()["order_number"] for _ in range(3)]
    await till.fetch("bife", numbers[0])
    await till.fetch("bife", numbers[1])
    assert len(octopos.calls_of("POST /authenticate")) == 1
    octopos.expire_tokens()
    assert len(await till.fetch("bife", numbers[2])) == 1
    assert len(octopos.calls_of("POST /authenticate")) == 2


FAULTS = {
    "500": lambda octopos, name: octopos.fail(name, 500),
    "a proxy's page": lambda octopos, name: octopos.fail(name, 502, html=True),
    "a page that says 200": lambda octopos, name: octopos.fail(name, 200, html=True),
    "429": lambda octopos, name: octopos.fail(name, 429),
    "404 for a while": lambda octopos, name: octopos.fail(name, 404),
    "400": lambda octopos, name: octopos.fail(name, 400),
    "401 twice": lambda octopos, name: octopos.fail(name, 401, times=2),
    "nothing in it": lambda octopos, name: octopos.fail(name, 200, body="[]"),
    "another shape": lambda octopos, name: octopos.fail(name, 200, body='{"error": "busy"}'),
    "a hang": lambda octopos, name: octopos.hang(name),
    "a reset": lambda octopos, name: octopos.reset(name, times=None),
    "no answer": lambda octopos, name: octopos.drop_answer(name, times=None),
}


@pytest.mark.parametrize("name", ["GET /orders/*", "POST /authenticate"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_whatever_goes_wrong_is_worth_asking_again(octopos, till, fault, name):
    number = octopos.pays()["order_number"]
    FAULTS[fault](octopos, name)
    with pytest.raises(FetchError) as failed:
        await till.fetch("bife", number)
    assert failed.value.retryable
    assert octopos.password not in str(failed.value)
    octopos.heal()
    assert len(await till.fetch("bife", number)) == 1


async def test_a_pause_that_is_asked_for_is_passed_on(octopos, till):
    number = octopos.pays()["order_number"]
    octopos.fail("GET /orders/*", 429, retry_after=7)
    with pytest.raises(FetchError) as busy:
        await till.fetch("bife", number)
    assert busy.value.retry_after == 7


async def test_a_wrong_password_is_worth_asking_again_and_is_found_by_check(octopos, till):
    octopos.password = "changed at the till"
    with pytest.raises(FetchError) as refused:
        await till.fetch("bife", "1")
    assert refused.value.retryable
    assert [(one.id, one.level) for one in await till.check()] == [("MALVA-E301", "error")]


async def test_check_tells_a_location_that_is_not_there(octopos, gateway, till):
    assert [one.level for one in await till.check()] == ["ok"]
    wrong = Octopos(settings(octopos, cafes={"bife": {"location_id": 9}}), gateway)
    (found,) = await wrong.check()
    assert (found.id, found.hint) == ("MALVA-E302", "its locations are 2, 3")


# -- polling ---------------------------------------------------------------------------------------


async def test_a_missed_order_is_told_once_and_not_as_live(octopos, till, polls):
    number = octopos.pays()["order_number"]
    octopos.pays(paid=False)
    octopos.pays(location_id=3)
    assert await polls.once() == [], "it has only just appeared: its webhook may be on its way"
    assert await polls.once(timedelta(milliseconds=5)) == []
    assert await polls.once() == [number]
    assert await polls.once() == []
    found = await till.poll("bife", None)
    assert all(not event.live for event in found.events)


async def test_an_order_is_found_when_it_is_paid_however_long_it_was_open(octopos, polls):
    number = octopos.pays(paid=False, opened=timedelta(hours=3))["order_number"]
    octopos.pays()
    await polls.once()
    await polls.once()
    octopos.settle(number, deliver=False)
    await polls.once()
    assert await polls.once() == [number]


async def test_what_happened_while_nobody_polled_is_found(octopos, polls):
    octopos.pays()
    await polls.once()
    await polls.once()
    missed = [octopos.pays()["order_number"] for _ in range(30)]
    await polls.once(timedelta(hours=5))
    assert await polls.once() == missed


async def test_a_clock_that_is_wrong_hides_nothing(octopos, polls):
    octopos.orders[octopos.pays()["order_number"]]["created_at"] = "9999-12-31 23:59:59"
    octopos.orders[octopos.pays()["order_number"]]["created_at"] = "yesterday"
    await polls.once()
    await polls.once()
    number = octopos.pays()["order_number"]
    await polls.once()
    assert await polls.once() == [number]


async def test_a_refund_is_its_order_s_that_lists_it(octopos, polls):
    """A refund names its order by a number that no order shows; here it is another order's name."""
    other = octopos.pays(order_number="900001")["order_number"]
    number = octopos.pays(lines=[("Torta", 1, "400.00")], order_id=900_001)["order_number"]
    await polls.once()
    assert await polls.once() == [other, number]
    first = octopos.refunds(number, "150.00", tip="20.00")
    expected = OrderRefunded(order_id=number, refund_id=str(first["id"]), amount=Decimal("150.00"))
    assert await polls.once() == [expected]
    assert await polls.once() == []
    second = octopos.refunds(number)
    (left,) = await polls.once()
    assert (left.refund_id, left.amount) == (str(second["id"]), Decimal("250.00"))


async def test_a_refund_of_an_order_that_is_not_updated_by_it_is_found_too(octopos, polls):
    number = octopos.pays()["order_number"]
    octopos.pays()
    await polls.once()
    await polls.once()
    refund = octopos.refunds(number)
    octopos.about[number]["updated"] -= timedelta(hours=30)
    (found,) = await polls.once()
    assert (found.order_id, found.refund_id) == (number, str(refund["id"]))


async def test_a_refund_whose_order_is_not_visible_yet_waits_for_it(octopos, polls):
    number = octopos.pays()["order_number"]
    octopos.hide(number, reads=1)
    octopos.pays()
    octopos.refunds(number)
    first, second = await polls.once(), await polls.once()
    assert first == []
    assert all(isinstance(event, str) for event in second)
    octopos.hide(number, reads=0)
    seen = [event for _ in range(4) for event in await polls.once()]
    assert [event.order_id for event in seen if not isinstance(event, str)] == [number]


async def test_a_tip_that_is_given_back_takes_no_points(octopos, polls):
    number = octopos.pays()["order_number"]
    octopos.refunds(number, "0.00", tip="50.00")
    await polls.once()
    assert await polls.once() == [number]


async def test_one_order_that_can_not_be_had_holds_up_no_other(octopos, polls):
    unreadable = octopos.pays(total_paid="much")["order_number"]
    without_card = octopos.pays(reward_card_id=octopos.reward_card(ANA))["order_number"]
    good = octopos.pays()["order_number"]
    octopos.fail("GET /reward_cards/*", 500, times=2)
    await polls.once()
    assert await polls.once() == [good]
    assert await polls.once() == []
    assert await polls.once() == [without_card]
    octopos.orders[unreadable]["total_paid"] = "100.00"
    assert await polls.once() == [unreadable]


@pytest.mark.parametrize("cursor", ["", "2026-11-22 12:00:00", "{}", "[1]", '{"since": 3}'])
async def test_a_cursor_that_can_not_be_read_begins_anew(octopos, till, cursor):
    octopos.pays()
    assert json.loads((await till.poll("bife", cursor)).cursor)["seen"]


async def test_a_poll_that_fails_is_worth_repeating(octopos, till):
    octopos.fail("POST /get_refunds_by_filter", 500)
    with pytest.raises(FetchError) as failed:
        await till.poll("bife", None)
    assert failed.value.retryable


async def test_a_confirmed_reward_becomes_a_coupon(octopos, till):
    coupon = await till.grant(
        "bife", Discount(redemption_id="r1", name="Free coffee", amount=Decimal("180.00"))
    )
    order = octopos.pays(lines=[("Kafa", 1, "180.00")], coupon_code=coupon.code)
    assert order["total_paid"] == "0.00"
    half = await till.grant(
        "bife", Discount(redemption_id="r2", name="Half", percentage=Decimal("50"))
    )
    assert (
        octopos.pays(lines=[("Torta", 1, "400.00")], coupon_code=half.code)["total_paid"]
        == "200.00"
    )
