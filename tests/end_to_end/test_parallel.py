"""The same at the same moment, many times over, and on two nodes: one effect."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
import psycopg
import pytest
import sqlalchemy as sa

from core.services import ledger
from core.storage import tables
from tests.end_to_end.around import (
    STATION,
    WEBHOOK_SECRET,
    WEBHOOK_TOKEN,
    Till,
    Visitor,
    eventually,
    plugins,
)
from tests.end_to_end.guests import regulars, settle
from tests.simulators.octopos import OctoposSimulator
from tests.simulators.telegram import TelegramSimulator
from tests.simulators.telegram_chats import Guest
from tests.support.running import SECRET_KEY, Running, run

TIMES = 50


@dataclass(frozen=True)
class Cafe:
    """A running Malva with one guest on Telegram and one till."""

    malva: Running
    telegram: TelegramSimulator
    octopos: OctoposSimulator
    guest: Guest
    till: Till

    def balance(self) -> int:
        def read(tx: Any) -> int:
            assert ledger.prove(tx) == []
            return ledger.balance(tx, 1, 1)

        return self.malva.database.read_now(read)

    def count(self, table: sa.Table) -> int:
        query = sa.select(sa.func.count()).select_from(table)
        return self.malva.database.read_now(lambda tx: tx.scalar(query))


@pytest.fixture
def cafe(database_url: str) -> Iterator[Cafe]:
    with ExitStack() as stack:
        telegram = stack.enter_context(TelegramSimulator())
        octopos = stack.enter_context(OctoposSimulator())
        toml = plugins(telegram, octopos, mode="webhook")
        malva = stack.enter_context(run(database_url, toml, cafes=()))
        (guest,) = regulars(telegram, 1)
        token = settle(malva.database, SECRET_KEY, [guest], station=str(STATION))
        till = stack.enter_context(Till(malva.url, token))
        yield Cafe(malva, telegram, octopos, guest, till)


def at_once(work: Callable[[], httpx2.Response], times: int = TIMES) -> list[httpx2.Response]:
    with ThreadPoolExecutor(times) as pool:
        return [one.result() for one in [pool.submit(work) for _ in range(times)]]


def test_an_order_counts_once(cafe: Cafe) -> None:
    visit = cafe.till.identify(phone=str(cafe.guest.phone))["visit"]
    answers = at_once(lambda: cafe.till.order("o1", "450.00", visit=visit))
    assert Counter(a.status_code for a in answers) == {201: 1, 200: TIMES - 1}
    bodies = [{**a.json(), "duplicate": None} for a in answers]
    assert all(body == bodies[0] for body in bodies)
    assert cafe.balance() == 450
    cafe.guest.wait_for(text="+450 points")
    assert cafe.count(tables.messages) == 1


def test_a_refund_counts_once(cafe: Cafe) -> None:
    visit = cafe.till.identify(phone=str(cafe.guest.phone))["visit"]
    cafe.till.order("o1", "450.00", visit=visit)
    answers = at_once(lambda: cafe.till.refund("o1", amount="50.00"))
    assert Counter(a.status_code for a in answers) == {201: 1, 200: TIMES - 1}
    assert cafe.balance() == 400


def test_an_order_and_its_refund_cross(cafe: Cafe) -> None:
    visit = cafe.till.identify(phone=str(cafe.guest.phone))["visit"]
    with ThreadPoolExecutor(2) as pool:
        for n in range(10):
            sent = [
                pool.submit(cafe.till.refund, f"o{n}", f"r{n}"),
                pool.submit(cafe.till.order, f"o{n}", "450.00", visit=visit),
            ]
            assert {one.result().status_code for one in sent} <= {201, 202}
    assert cafe.balance() == 0


def test_a_code_identifies_once(cafe: Cafe) -> None:
    cafe.guest.says("☕ My card")
    code = cafe.guest.wait_for(kind="photo").text.split(": ")[1][:7]
    same = at_once(lambda: cafe.till.post("identify", {"code": code}), 20)
    assert {a.status_code for a in same} == {200}
    assert len({a.json()["visit"] for a in same}) == 1, "one till asking again: the same visit"

    cafe.guest.says("☕ My card")
    card = cafe.guest.wait_for(kind="photo", fresh=True)
    code = card.text.split(": ")[1][:7]
    tills = [cafe.malva.add_till(name=f"Till {n}") for n in range(8)]

    def identify(token: str) -> int:
        with Till(cafe.malva.url, token) as till:
            return till.post("identify", {"code": code}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert Counter(pool.map(identify, tills)) == {200: 1, 409: 7}


def test_a_message_is_answered_once(cafe: Cafe) -> None:
    message = {
        "message_id": 77,
        "date": 1_790_000_000,
        "chat": cafe.guest.as_json(),
        "from": cafe.guest.user,
        "text": "🏆 Points",
    }
    body = {"update_id": 9_000_001, "message": message}
    headers = {"X-Telegram-Bot-Api-Secret-Token": WEBHOOK_SECRET}
    with httpx2.Client(base_url=cafe.malva.url, headers=headers) as vendor:
        answers = at_once(lambda: vendor.post("/channels/telegram/webhook", json=body))
    assert {a.status_code for a in answers} == {200}
    cafe.guest.wait_for(text="Balance: 0 points")
    assert cafe.count(tables.messages) == 1


def test_octopos_tells_of_an_order_many_times(cafe: Cafe) -> None:
    cafe.octopos.deliver_to(f"{cafe.malva.url}/pos/octopos/bife/webhook", token=WEBHOOK_TOKEN)
    cafe.till.identify(phone=str(cafe.guest.phone))
    cafe.octopos.pays(station=STATION, lines=[("Cappuccino", 1, "450.00")], copies=TIMES)
    cafe.guest.wait_for(text="+450 points")
    deliveries = cafe.octopos.wait_for_deliveries(TIMES, timeout=10)
    assert {delivery.status for delivery in deliveries} == {200}
    eventually(lambda: cafe.count(tables.tasks) == 0)
    assert cafe.count(tables.orders) == 1
    assert cafe.balance() == 450


# -- two nodes -------------------------------------------------------------------------------------


@pytest.fixture
def telegram() -> Iterator[TelegramSimulator]:
    with TelegramSimulator() as simulator:
        yield simulator


def test_two_nodes_are_one_malva(postgres_url: str, telegram: TelegramSimulator) -> None:
    with ExitStack() as nodes:
        one = nodes.enter_context(run(postgres_url, plugins(telegram), cafes=()))
        two = nodes.enter_context(run(postgres_url, plugins(telegram), cafes=()))
        guests = regulars(telegram, 5)
        token = settle(one.database, SECRET_KEY, guests)
        with Till(one.url, token) as here, Till(two.url, token) as there:
            order_at_both(here, there, guests)
        for n, guest in enumerate(guests):
            guest.wait_for(text=f"+{100 + n} points")
            guest.says("🏆 Points")
            guest.wait_for(text=f"Balance: {100 + n} points", fresh=True)
        eventually(lambda: one.database.read_now(all_sent))
        assert [len(guest.messages) for guest in guests] == [2] * len(guests)
        assert {call.status for call in telegram.calls_of("getUpdates")} <= {200, None}, "one polls"


def order_at_both(here: Till, there: Till, guests: list[Guest]) -> None:
    """Every guest's order goes to both nodes at the same moment, twice."""
    with ThreadPoolExecutor(4) as pool:
        for n, guest in enumerate(guests):
            visit = here.identify(phone=str(guest.phone))["visit"]
            sent = [
                pool.submit(till.order, f"o{n}", f"{100 + n}.00", visit=visit)
                for till in (here, there, here, there)
            ]
            codes = Counter(one.result().status_code for one in sent)
            assert codes == {201: 1, 200: 3}


def all_sent(tx: Any) -> bool:
    return set(tx.execute(sa.select(tables.messages.c.status)).scalars()) == {"sent"}


def test_a_node_that_ends_hands_over(postgres_url: str, telegram: TelegramSimulator) -> None:
    with ExitStack() as second:
        with run(postgres_url, plugins(telegram), cafes=()) as first:
            (guest,) = regulars(telegram, 1)
            settle(first.database, SECRET_KEY, [guest])
            second.enter_context(run(postgres_url, plugins(telegram), cafes=()))
            guest.says("🏆 Points")
            guest.wait_for(text="Balance: 0 points")
        guest.says("🏆 Points")
        guest.wait_for(text="Balance: 0 points", count=2, timeout=10)


def test_web_chat_hears_what_happens_on_another_node(postgres_url: str) -> None:
    """The till speaks to one node, the guest's event stream is open at the other."""
    with ExitStack() as stack:
        one = stack.enter_context(run(postgres_url, plugins()))
        two = stack.enter_context(run(postgres_url, plugins(), cafes=()))
        till = stack.enter_context(Till(two.url, one.add_till()))
        guest = stack.enter_context(Visitor(one.url))
        guest.starts()
        guest.presses("English")
        guest.wait_for(text="What is your name?")
        guest.says("Ana")
        guest.presses("Skip")
        heard = guest.wait_for(option="No")
        code = next(m for m in heard if m["picture"])["text"].split(": ")[1][:7]
        visit = till.identify(code=code)["visit"]
        assert till.order("o1", visit=visit).status_code == 201
        guest.wait_for(text="+450 points", timeout=3)


# -- the database goes away ------------------------------------------------------------------------


def test_a_database_that_breaks_off_costs_nothing(
    postgres_url: str, telegram: TelegramSimulator
) -> None:
    """Every connection is cut, again and again, while orders come in; tills try again."""
    with ExitStack() as stack:
        malva = stack.enter_context(run(postgres_url, plugins(telegram), cafes=()))
        guests = regulars(telegram, 5)
        token = settle(malva.database, SECRET_KEY, guests)
        till = stack.enter_context(Till(malva.url, token))
        visits = [till.identify(phone=str(guest.phone))["visit"] for guest in guests]
        pool = stack.enter_context(ThreadPoolExecutor(8))
        orders = [pool.submit(insist, till, n, visits[n % 5]) for n in range(60)]
        for _ in range(4):
            time.sleep(0.15)
            cut_connections(postgres_url)
        for order in orders:
            order.result()
        for n in range(60):
            guests[n % 5].wait_for(text=f"+{100 + n} points", timeout=20)
        guests[0].says("🏆 Points")
        guests[0].wait_for(text="Balance: ", fresh=True, timeout=20)
        assert malva.database.read_now(ledger.prove) == []
        total = sa.select(sa.func.sum(tables.ledger_entries.c.points))
        points = malva.database.read_now(lambda tx: tx.scalar(total))
    assert points == sum(100 + n for n in range(60))


def insist(till: Till, number: int, visit: str) -> None:
    while (answer := till.order(f"o{number}", f"{100 + number}.00", visit=visit)).is_error:
        assert answer.json()["error"]["code"] == "unavailable", answer.text
        time.sleep(0.1)


def cut_connections(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
