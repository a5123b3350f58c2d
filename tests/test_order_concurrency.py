"""What many tills do at once: an order has one effect, no points are lost, no refund is stuck."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from core.services import ledger
from core.services.errors import Conflict, TooMuch
from core.storage.database import Database
from tests.support.shop import Shop

pytestmark = pytest.mark.anyio


class World:
    """A shop in a database of its own, where each call is a transaction."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.shop = database.write_now(Shop)
        self.ana = database.write_now(self._with(Shop.guest))
        self.visit = database.write_now(self._with(Shop.visit), self.ana).public_id

    def _with(self, what: Callable[..., Any]) -> Callable[..., Any]:
        return lambda tx, *args, **named: what(self.shop.within(tx), *args, **named)

    async def order(self, *args: Any, **named: Any) -> Any:
        return await self.database.write(self._with(Shop.order), *args, **named)

    async def refund(self, *args: Any, **named: Any) -> Any:
        return await self.database.write(self._with(Shop.refund), *args, **named)

    async def balance(self) -> int:
        assert await self.database.read(ledger.prove) == []
        return await self.database.read(self._with(Shop.balance), self.ana)

    async def told(self) -> list[Any]:
        return await self.database.read(self._with(Shop.notices), self.ana)


@pytest.fixture
def world(database_url):
    database = Database(database_url)
    yield World(database)
    database.close()


async def test_fifty_identical_requests_have_one_effect_and_one_answer(world):
    found = await asyncio.gather(*(world.order("1", 85_00, visit=world.visit) for _ in range(50)))
    assert sum(not counted.duplicate for counted in found) == 1
    assert {counted.response["balance"] for counted in found} == {85}
    assert await world.balance() == 85
    assert len(await world.told()) == 1


async def test_fifty_orders_in_one_visit_give_it_one(world):
    found = await asyncio.gather(*(world.order(f"{n}", 10_00, minute=1) for n in range(50)))
    assert sorted(counted.response["points"] for counted in found) == [0] * 49 + [10]
    assert await world.balance() == 10


async def test_one_key_on_fifty_orders_counts_one(world):
    found = await asyncio.gather(
        *(world.order(f"{n}", 10_00, visit=world.visit, key="k") for n in range(50)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Conflict) for one in found) == 49
    assert await world.balance() == 10


async def test_400_orders_of_one_guest_at_once_lose_nothing(world):
    await asyncio.gather(*(world.order(f"{n}", 2_50, visit=world.visit) for n in range(400)))
    assert await world.balance() == 1000


async def test_fifty_identical_refunds_take_once_and_never_more_than_was_given(world):
    await world.order("1", 100_00, visit=world.visit)
    same = await asyncio.gather(*(world.refund("1", "r", 30_00) for _ in range(50)))
    assert sum(not refunded.duplicate for refunded in same) == 1
    others = await asyncio.gather(
        *(world.refund("1", f"r{n}", 30_00) for n in range(10)), return_exceptions=True
    )
    assert sum(isinstance(one, TooMuch) for one in others) == 8
    assert await world.balance() == 10


async def test_a_refund_that_comes_with_its_order_counts_whichever_is_first(world):
    both = [
        asyncio.gather(
            world.refund(f"{n}", f"r{n}", 5_00), world.order(f"{n}", 10_00, visit=world.visit)
        )
        for n in range(40)
    ]
    await asyncio.gather(*both)
    assert await world.balance() == 200
