"""A whole Malva beside Octopos: what goes wrong with a coupon leaves one that counts, or none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx2
import pytest
import sqlalchemy as sa

from core.services import coupons, guests, ledger, redemptions
from core.storage import tables
from tests.end_to_end.around import eventually
from tests.simulators.octopos import OctoposSimulator
from tests.support.running import Running, run

COUPONS = "POST /coupons"


def plugins(octopos: OctoposSimulator) -> str:
    return f"""
[pos.octopos]
module = "pos.octopos"
api_base = "{octopos.url}"
email = "{octopos.email}"
password = "{octopos.password}"
webhook_token = "the-webhook-token"
poll_seconds = 3600
[pos.octopos.cafes.bife]
location_id = 2
"""


class Counter:
    """A cafe's till, and a guest who has picked 150 dinars off."""

    def __init__(self, malva: Running, octopos: OctoposSimulator) -> None:
        self.malva, self.octopos = malva, octopos
        self.token = malva.add_till(name=f"Bar {time.monotonic_ns()}")

    def picked(self) -> str:
        """A guest's redemption, by its id."""

        def pick(tx) -> str:
            keys, now = self.malva.keys, self.malva.clock()
            cafe = tx.execute(sa.select(tables.cafes.c.id, tables.cafes.c.programme_id)).one()
            guest = guests.add(tx, name="Ana", language="en", cafe_id=cafe.id, keys=keys, now=now)
            account = {"guest_id": guest, "programme_id": cafe.programme_id}
            entry = {"kind": "opening", "reference": "opening:1", "points": 100, "because": []}
            ledger.add_entry(tx, **account, cafe_id=cafe.id, **entry, now=now)
            reward = {"names": {"en": "150 off"}, "cost": 100, "kind": "amount", "value": 150_00}
            query = sa.insert(tables.rewards).values(programme_id=cafe.programme_id, **reward)
            ids = [tx.scalar(query.returning(tables.rewards.c.id))]
            return redemptions.pick(tx, **account, reward_ids=ids, keys=keys, now=now).id

        return self.malva.database.write_now(pick)

    def confirm(self, redemption: str) -> int:
        return httpx2.post(
            f"{self.malva.url}/api/v1/redemptions/{redemption}/confirm",
            headers={"Authorization": f"Bearer {self.token}", "Idempotency-Key": redemption},
        ).status_code

    def confirmed(self) -> str:
        redemption = self.picked()
        assert self.confirm(redemption) == 200
        return redemption

    def state(self, redemption: str) -> coupons.State:
        now = self.malva.clock()
        found = self.malva.database.read_now(lambda tx: coupons.state(tx, redemption, now))
        assert found is not None
        return found

    def decided(self, redemption: str) -> coupons.State:
        """As soon as the cashier is told, which takes three seconds at most."""
        eventually(lambda: self.state(redemption).status != "asking", 4)
        return self.state(redemption)

    def log(self) -> list[tuple[str, str | None]]:
        e = tables.event_log.c
        query = sa.select(e.kind, e.data).where(e.kind.startswith("coupon_")).order_by(e.id)
        rows = self.malva.database.read_now(lambda tx: tx.execute(query).all())
        return [(row.kind, row.data.get("why")) for row in rows]

    def made(self) -> list[str]:
        """Coupons that Octopos has, by their codes."""
        return list(self.octopos.coupons)


@pytest.fixture
def octopos() -> Iterator[OctoposSimulator]:
    with OctoposSimulator() as simulator:
        yield simulator


@contextmanager
def open_shop(url: str, octopos: OctoposSimulator, *cafes: str) -> Iterator[Counter]:
    with run(url, plugins(octopos), cafes=cafes) as malva:
        yield Counter(malva, octopos)


@pytest.fixture
def counter(sqlite_url: str, octopos: OctoposSimulator) -> Iterator[Counter]:
    with open_shop(sqlite_url, octopos, "bife") as counter:
        yield counter


def test_the_cashier_gets_a_code_that_the_till_takes_once(database_url, octopos):
    with open_shop(database_url, octopos, "bife") as counter:
        redemption = counter.confirmed()
        found = counter.decided(redemption)
        assert (found.status, [found.code]) == ("ready", counter.made())
        coupon = octopos.coupons[found.code]
        assert coupon["location_id"] == 2
        assert redemption in coupon["name"]
        order = octopos.pays(lines=[("Torta", 1, "400.00")], coupon_code=found.code)
        assert order["total_paid"] == "250.00"
        assert counter.log() == [("coupon_given", None)]


def test_confirmed_at_once_from_everywhere_it_is_one_coupon(counter):
    redemption = counter.picked()
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(counter.confirm, [redemption] * 16)) == {200}
    assert [counter.decided(redemption).code] == counter.made()
    assert len(counter.octopos.calls_of(COUPONS)) == 1


def test_a_token_that_has_run_out_is_renewed_in_time(counter, octopos):
    counter.decided(counter.confirmed())
    octopos.expire_tokens()
    found = counter.decided(counter.confirmed())
    assert found.status == "ready"
    assert len(counter.made()) == 2


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_what_octopos_refuses_is_taken_off_by_hand(counter, octopos, status):
    octopos.fail(COUPONS, status, times=None)
    redemption = counter.confirmed()
    assert counter.decided(redemption).status == "by_hand"
    eventually(lambda: counter.log() == [("coupon_missing", "failed")])
    assert counter.made() == []


def test_nobody_there_is_by_hand(counter, octopos):
    octopos.stop()
    assert counter.decided(counter.confirmed()).status == "by_hand"
    eventually(lambda: counter.log() == [("coupon_missing", "failed")])


def test_a_lost_answer_is_not_asked_for_again(counter, octopos):
    """The coupon that was made of it has a code that nobody was told."""
    octopos.drop_answer(COUPONS)
    redemption = counter.confirmed()
    assert counter.decided(redemption).status == "by_hand"
    assert len(counter.made()) == 1
    assert len(octopos.calls_of(COUPONS)) == 1


def test_after_three_seconds_the_cashier_does_without_whatever_comes(counter, octopos):
    octopos.slow(COUPONS, 2.8)
    began = time.monotonic()
    redemption = counter.confirmed()
    assert counter.decided(redemption).status == "by_hand"
    assert time.monotonic() - began < 3.2
    assert counter.log() == [("coupon_missing", "late")]
    eventually(lambda: counter.log() == [("coupon_missing", "late"), ("coupon_late", None)])
    assert counter.state(redemption).code is None
    assert len(counter.made()) == 1


def test_a_restart_in_the_middle_asks_no_second_time(sqlite_url, octopos):
    octopos.hang(COUPONS)
    with open_shop(sqlite_url, octopos, "bife") as counter:
        redemption = counter.confirmed()
        octopos.wait_for_calls(COUPONS)
    with open_shop(sqlite_url, octopos) as counter:
        assert counter.decided(redemption).status == "by_hand"
        eventually(lambda: len(counter.log()) == 1)
        assert counter.made() == []
        assert len(octopos.calls_of(COUPONS)) == 1
