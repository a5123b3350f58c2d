"""The simulated till system, asked over HTTP as an adapter would."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.simulators.octopos import OctoposSimulator

pytestmark = pytest.mark.anyio


class Client:
    """An integrator: status and JSON of each call."""

    def __init__(self, base: str, http: aiohttp.ClientSession) -> None:
        self.base = f"{base}/api/v2"
        self.http = http
        self.token = ""

    async def call(self, verb: str, path: str, **sent: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        url = self.base + path
        async with self.http.request(verb, url, headers=headers, **sent) as answer:
            return answer.status, await answer.json()

    async def get(self, path: str, **query: Any) -> tuple[int, Any]:
        return await self.call("GET", path, params=query)

    async def post(self, path: str, **sent: Any) -> tuple[int, Any]:
        return await self.call("POST", path, json=sent)

    async def log_in(self, octopos: OctoposSimulator) -> Any:
        credentials = {"email": octopos.email, "password": octopos.password}
        status, answer = await self.post("/authenticate", **credentials)
        assert status == 200
        self.token = answer["token"]
        return answer


@pytest.fixture
def octopos() -> Iterator[OctoposSimulator]:
    with OctoposSimulator() as simulator:
        yield simulator


@pytest.fixture
async def client(octopos: OctoposSimulator) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as http:
        client = Client(octopos.url, http)
        await client.log_in(octopos)
        yield client


Received = list[tuple[dict[str, str], bytes]]


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[Received, str]]:
    received: Received = []

    async def handle(request: web.Request) -> web.Response:
        received.append((dict(request.headers), await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield received, f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    await runner.cleanup()


async def test_a_token_is_needed_and_runs_out(octopos: OctoposSimulator, client: Client) -> None:
    locations = (await client.log_in(octopos))["locations"]
    assert locations[0]["id"] == 2
    assert locations[0]["pos_station"] == [{"id": 11, "name": "Till 1"}]
    order = octopos.pays()
    assert (await client.get(f"/orders/{order['order_number']}"))[0] == 200
    octopos.expire_tokens()
    status, answer = await client.get(f"/orders/{order['order_number']}")
    assert (status, answer["error"]["code"]) == (401, 401)
    status, answer = await client.post("/authenticate", email="x", password="y")
    assert (status, answer["error"]["code"]) == (400, 400)


async def test_an_order_adds_up_and_says_its_opening_only(
    octopos: OctoposSimulator, client: Client
) -> None:
    tart = {"name": "Tart", "quantity": "1.5", "price": "333.33", "discount": "10", "tax": "66.1"}
    made = octopos.pays(station=11, lines=[("Espresso", 2, "180.00"), tart], tips="50")
    status, order = await client.get(f"/orders/{made['order_number']}")
    assert (status, order) == (200, made)
    total = sum(
        Decimal(line["quantity"]) * Decimal(line["sale_price"])
        - Decimal(line["total_discount"])
        + Decimal(line["line_item_total_tax_collected"])
        for line in order["all_lines"]
    )
    assert Decimal(order["total_paid"]) == total.quantize(Decimal("0.01"))
    assert order["payment"][0]["tips_amount"] == "50.00"
    opened = datetime.fromisoformat(order["created_at"])
    assert opened.tzinfo is None
    assert octopos.now().replace(tzinfo=None) - opened >= timedelta(minutes=7)


@pytest.mark.parametrize(("shape", "start"), [("bare", b"{"), ("data", b'{"data"'), ("list", b"[")])
async def test_a_registered_webhook_gets_orders_in_each_shape(
    octopos: OctoposSimulator,
    client: Client,
    receiver: tuple[Received, str],
    shape: str,
    start: bytes,
) -> None:
    received, url = receiver
    hook = {"name": "malva", "type": "ORD", "url": url, "location_id": 2, "auth_type": "token"}
    status, answer = await client.post("/webhooks", **hook)
    assert (status, answer["error"]["message"]) == (400, ["token_value is required"])
    assert (await client.post("/webhooks", **hook, token_value="t0ken"))[0] == 200
    order = octopos.pays(shape=shape)
    octopos.pays(location_id=3)  # another location's hooks would get this one
    await asyncio.to_thread(octopos.wait_for_deliveries, 1)
    headers, body = received[0]
    assert headers["Authorization"] == "Bearer t0ken"
    assert body.startswith(start)
    assert order["order_number"].encode() in body
    assert len(received) == 1


async def test_deliveries_come_twice_late_wrong_or_as_garbage(
    octopos: OctoposSimulator, receiver: tuple[Received, str]
) -> None:
    received, url = receiver
    octopos.deliver_to(url, auth_type="api", api_key="X-Till", api_value="v4lue")
    order = octopos.pays(copies=2, delay=0.05)
    assert received == []
    await asyncio.to_thread(octopos.wait_for_deliveries, 2)
    octopos.deliver(order["order_number"], headers={"X-Till": "wrong"})
    await asyncio.to_thread(octopos.wait_for_deliveries, 3)
    octopos.deliver_raw(b"\xff{not json")
    await asyncio.to_thread(octopos.wait_for_deliveries, 4)
    assert [headers.get("X-Till") for headers, _ in received] == [*["v4lue"] * 2, "wrong", "v4lue"]
    assert received[0] == received[1]
    assert received[3][1] == b"\xff{not json"


async def test_orders_are_open_hidden_wrong_or_found_by_filter(
    octopos: OctoposSimulator, client: Client
) -> None:
    octopos.pays(location_id=3)
    still_open = octopos.pays(paid=False)["order_number"]
    hidden = octopos.pays(hidden_reads=1)["order_number"]
    wrong = octopos.pays(total_paid="1.00")["order_number"]
    assert (await client.get(f"/orders/{still_open}"))[1]["payment"] == []
    recently = (octopos.now() - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%S")
    search = {"location_id": 2, "last_updated_after": recently}
    found = (await client.post("/get_orders_by_filter", **search))[1]
    assert [order["order_number"] for order in found] == [still_open, wrong]
    assert (await client.get(f"/orders/{hidden}"))[0] == 404
    assert (await client.get(f"/orders/{hidden}"))[0] == 200
    octopos.settle(still_open)
    assert (await client.get(f"/orders/{still_open}"))[1]["paid"] is True
    status, answer = await client.post("/get_orders_by_filter", last_updated_after="soon")
    assert (status, answer["error"]["message"]) == (400, ["location_id is required"])


async def test_refunds_are_found_by_order_and_name_an_id_of_their_own(
    octopos: OctoposSimulator, client: Client
) -> None:
    number = octopos.pays(lines=[("Cake", 1, "400.00")])["order_number"]
    octopos.refunds(number, "150.00")
    octopos.refunds(number)
    status, rows = await client.get("/refunds", order_number=number)
    assert (status, [row["refund_amount"] for row in rows]) == (200, ["150.00", "250.00"])
    assert {row["order_id"] for row in rows} == {octopos.about[number]["order_id"]}
    assert (await client.post("/get_refunds_by_filter", location_id=2))[1] == rows
    assert (await client.post("/get_refunds_by_filter", location_id=3))[1] == []
    assert (await client.get("/refunds", order_number="nothing"))[0] == 404


async def test_reward_cards_and_coupons(octopos: OctoposSimulator, client: Client) -> None:
    status, answer = await client.post("/reward_cards", name="Ana")
    assert (status, answer["error"]["message"]) == (400, ["phone is required"])
    card = (await client.post("/reward_cards", phone="+381601234567"))[1]
    order = octopos.pays(reward_card_id=card["id"])
    found = await client.get(f"/reward_cards/{order['reward_card_id']}")
    assert found == (200, card)
    assert (await client.get("/reward_cards/99999"))[0] == 404
    coupon = (await client.post("/coupons", location_id=2, amount="200.00"))[1]
    order = octopos.pays(lines=[("Cake", 1, "450.00")], coupon_code=coupon["coupon_code"])
    assert (order["total_paid"], order["discount"]) == ("250.00", "200.00")
    assert order["generic_coupon_id"] == coupon["id"]
    assert (await client.post("/coupons", location_id=2, amount="1", percentage="5"))[0] == 400


async def test_faults_come_as_told(octopos: OctoposSimulator, client: Client) -> None:
    path = f"/orders/{octopos.pays()['order_number']}"
    octopos.fail("GET /orders/*", 503)
    assert await client.get(path) == (503, {"error": {"message": "Error", "code": 503}})
    octopos.fail("GET *", 429, retry_after=1)
    assert (await client.get(path))[0] == 429
    octopos.fail("*", 502, html=True)
    with pytest.raises(aiohttp.ContentTypeError):
        await client.get(path)
    octopos.hang("GET *")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.get(path), 0.2)
    octopos.slow("GET *", 0.1)
    assert (await client.get(path))[0] == 200
    octopos.stop()
    with pytest.raises(aiohttp.ClientError):
        await client.get(path)
    octopos.start()  # at the same address, with its memory
    assert (await client.get(path))[0] == 200
    assert octopos.calls[-1].name == "GET /orders/{order_number}"
    assert [call.status for call in octopos.calls[1:]] == [503, 429, 502, None, 200, 200]
