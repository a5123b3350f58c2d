"""A whole Malva beside Octopos: whose an order is, and that none is lost or counted twice."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta

import httpx2
import pytest
import sqlalchemy as sa

from core.services import guests
from core.storage import tables
from tests.end_to_end.around import eventually
from tests.simulators.octopos import OctoposSimulator
from tests.support.running import Running, run

TOKEN = "the-webhook-token"
ANA = "+381601234567"
MILA = "+381607654321"


def plugins(octopos: OctoposSimulator, poll_seconds: int = 3600) -> str:
    return f"""
[pos.octopos]
module = "pos.octopos"
api_base = "{octopos.url}"
email = "{octopos.email}"
password = "{octopos.password}"
webhook_token = "{TOKEN}"
poll_seconds = {poll_seconds}
[pos.octopos.cafes.bife]
location_id = 2
[pos.octopos.cafes.zrno]
location_id = 3
"""


class Town:
    """A Malva with two cafes of one chain, each with a till that Octopos knows."""

    def __init__(self, malva: Running, octopos: OctoposSimulator) -> None:
        self.malva, self.octopos = malva, octopos
        self.till = malva.add_till("bife", station="11")
        malva.add_till("zrno", station="21")
        self.hook = f"{malva.url}/pos/octopos/bife/webhook"
        octopos.deliver_to(self.hook, token=TOKEN, location_id=2)
        octopos.deliver_to(f"{malva.url}/pos/octopos/zrno/webhook", token=TOKEN, location_id=3)

    def guest(self, name: str, phone: str) -> int:
        def add(tx):
            cafe = tx.scalar(sa.select(tables.cafes.c.id).where(tables.cafes.c.slug == "bife"))
            known = {"name": name, "language": "en", "phone": phone, "phone_proven": True}
            more = {"cafe_id": cafe, "keys": self.malva.keys, "now": self.malva.clock()}
            return guests.add(tx, **known, **more)

        return self.malva.database.write_now(add)

    def identify(self, phone: str) -> None:
        answer = httpx2.post(
            f"{self.malva.url}/api/v1/identify",
            json={"phone": phone},
            headers={"Authorization": f"Bearer {self.till}"},
        )
        assert answer.status_code == 200, answer.text

    def counted(self) -> dict[str, tuple[str, int | None, int]]:
        """Every order: its cafe, whose it is, what it gave."""
        o, c = tables.orders.c, tables.cafes.c
        query = sa.select(o.order_id, c.slug, o.guest_id, o.points).join_from(
            tables.orders, tables.cafes
        )
        rows = self.malva.database.read_now(lambda tx: tx.execute(query).all())
        return {row.order_id: (row.slug, row.guest_id, row.points) for row in rows}

    def is_counted(self, order: dict) -> tuple[str, int | None, int]:
        """Waits for it, with a clock that leaps over the pauses between two tries."""
        number = order["order_number"]
        for _ in range(20):
            with contextlib.suppress(AssertionError):
                eventually(lambda: number in self.counted(), 0.5)
                return self.counted()[number]
            self.malva.clock.move(timedelta(seconds=5))
        raise AssertionError(f"order {number} was not counted")

    def balance(self, guest: int) -> int:
        """Over all programmes."""
        e = tables.ledger_entries.c
        query = sa.select(sa.func.coalesce(sa.func.sum(e.points), 0)).where(e.guest_id == guest)
        return self.malva.database.read_now(lambda tx: tx.scalar(query))

    def rows(self) -> list[sa.Row]:
        o = tables.orders.c
        query = sa.select(o.order_id)
        return self.malva.database.read_now(lambda tx: tx.execute(query).all())

    def waiting(self) -> list[sa.Row]:
        """Questions that are still to be asked."""
        query = sa.select(tables.tasks.c.ref)
        return self.malva.database.read_now(lambda tx: tx.execute(query).all())


@pytest.fixture
def octopos() -> Iterator[OctoposSimulator]:
    with OctoposSimulator() as simulator:
        yield simulator


@pytest.fixture
def town(sqlite_url: str, octopos: OctoposSimulator) -> Iterator[Town]:
    with run(sqlite_url, plugins(octopos), cafes=("bife", "zrno")) as malva:
        yield Town(malva, octopos)


def sent(octopos: OctoposSimulator, count: int = 1) -> list[int | None]:
    """The answers to the webhooks so far."""
    return [delivery.status for delivery in octopos.wait_for_deliveries(count)]


@pytest.mark.parametrize("shape", ["bare", "data", "list"])
def test_an_order_goes_to_the_open_visit_of_its_station(town, octopos, shape):
    ana = town.guest("Ana", ANA)
    town.identify(ANA)
    order = octopos.pays(lines=[("Kafa", 2, "180.00")], shape=shape)
    assert town.is_counted(order) == ("bife", ana, 360)
    assert sent(octopos) == [200]
    assert town.balance(ana) == 360


def test_a_reward_card_says_whose_an_order_is_before_any_visit_does(town, octopos):
    ana, _ = town.guest("Ana", ANA), town.guest("Mila", MILA)
    town.identify(MILA)
    order = octopos.pays(reward_card_id=octopos.reward_card("060 1234567"))
    assert town.is_counted(order) == ("bife", ana, 250)


def test_an_order_without_a_visit_is_nobodys(town, octopos):
    assert town.is_counted(octopos.pays()) == ("bife", None, 0)


def test_each_location_is_a_cafe_and_its_orders_are_counted_there_only(town, octopos):
    ana = town.guest("Ana", ANA)
    town.identify(ANA)
    here, there = octopos.pays(), octopos.pays(location_id=3)
    assert town.is_counted(here) == ("bife", ana, 250)
    assert town.is_counted(there) == ("zrno", None, 0)
    octopos.deliver_to(town.hook, token=TOKEN)  # whatever happens in the chain comes here, too
    wrong = octopos.pays(location_id=3)
    assert town.is_counted(wrong) == ("zrno", None, 0)
    eventually(lambda: not town.waiting())
    assert town.counted()[wrong["order_number"]][0] == "zrno"
    assert len(town.rows()) == 3


def test_what_comes_twice_counts_once(town, octopos):
    ana = town.guest("Ana", ANA)
    town.identify(ANA)
    order = octopos.pays(copies=10)
    assert sent(octopos, 10) == [200] * 10
    octopos.deliver(order["order_number"], copies=5)
    assert sent(octopos, 15) == [200] * 15
    eventually(lambda: not town.waiting())
    assert town.is_counted(order) == ("bife", ana, 250)
    assert town.balance(ana) == 250
    assert len(town.rows()) == 1


def test_what_is_not_ours_or_empty_or_no_json_leaves_nothing(town, octopos):
    order = octopos.pays(deliver=False)
    octopos.deliver(order["order_number"], headers={"Authorization": "Bearer wrong"})
    octopos.deliver(order["order_number"], headers={})
    octopos.deliver_raw(b"\xff{", location_id=2)
    assert sorted(sent(octopos, 3)) == [400, 401, 401]
    for method in ("GET", "POST"):
        assert httpx2.request(method, town.hook).status_code == 200
    unknown = town.hook.replace("bife", "nowhere")
    assert httpx2.post(unknown, json={}).status_code == 404
    assert town.waiting() == []
    assert town.counted() == {}


FAULTS = {
    "500": lambda octopos: octopos.fail("*", 500, times=3),
    "a proxy's page": lambda octopos: octopos.fail("*", 502, html=True, times=3),
    "429": lambda octopos: octopos.fail("GET *", 429, retry_after=1),
    "404 for a while": lambda octopos: octopos.fail("GET *", 404, times=3),
    "a run-out token": lambda octopos: octopos.expire_tokens(),
    "a reset": lambda octopos: octopos.reset("*", times=2),
    "no answer": lambda octopos: octopos.drop_answer("*", times=2),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_till_system_that_fails_delays_points_and_loses_none(town, octopos, fault):
    """And the guest is the one who was at the till when the webhook came."""
    ana, _ = town.guest("Ana", ANA), town.guest("Mila", MILA)
    town.identify(ANA)
    FAULTS[fault](octopos)
    order = octopos.pays()
    assert sent(octopos) == [200]
    town.identify(MILA)
    assert town.is_counted(order) == ("bife", ana, 250)


def test_a_till_system_that_is_away_for_an_hour_loses_no_order(town, octopos):
    ana = town.guest("Ana", ANA)
    town.identify(ANA)
    octopos.fail("*", 503, times=None)
    order = octopos.pays()
    assert sent(octopos) == [200]
    octopos.wait_for_calls("POST /authenticate", 1)
    octopos.stop()
    town.malva.clock.move(timedelta(hours=1))
    octopos.start()
    octopos.heal()
    town.malva.clock.move(timedelta(hours=1))
    assert town.is_counted(order) == ("bife", ana, 250)


def test_missed_orders_and_refunds_are_found_by_polling(database_url, octopos):
    with run(database_url, plugins(octopos, poll_seconds=1), cafes=("bife", "zrno")) as malva:
        town = Town(malva, octopos)
        ana = town.guest("Ana", ANA)
        card = octopos.reward_card(ANA)
        missed = octopos.pays(reward_card_id=card, deliver=False)
        eventually(lambda: town.balance(ana) == 250)
        octopos.refunds(missed["order_number"], "100.00")
        eventually(lambda: town.balance(ana) == 150)
        before = octopos.pays(deliver=False, paid=False, reward_card_id=card)["order_number"]
    octopos.settle(before, deliver=False)  # nobody is there to see it
    octopos.refunds(missed["order_number"])
    with run(database_url, plugins(octopos, poll_seconds=1), cafes=()) as malva:
        town.malva = malva
        eventually(lambda: town.balance(ana) == 250)
        assert len(town.rows()) == 2


def test_an_order_that_a_poll_finds_first_still_goes_to_its_webhooks_visit(database_url, octopos):
    with run(database_url, plugins(octopos, poll_seconds=1), cafes=("bife", "zrno")) as malva:
        town = Town(malva, octopos)
        ana = town.guest("Ana", ANA)
        town.identify(ANA)
        octopos.fail("GET /orders/*", 500, times=None)
        order = octopos.pays()
        assert town.is_counted(order) == ("bife", None, 0)
        octopos.heal()
        malva.clock.move(timedelta(seconds=60))
        eventually(lambda: town.counted()[order["order_number"]][1] == ana)
        assert town.balance(ana) == 250
