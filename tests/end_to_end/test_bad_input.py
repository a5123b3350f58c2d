"""What nobody should send: refused or kept, never a 500, and nothing else suffers."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

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
from tests.simulators.octopos import OctoposSimulator
from tests.simulators.telegram import TelegramSimulator
from tests.simulators.telegram_chats import Guest
from tests.support.running import Running, run

TELEGRAM, OCTOPOS = "/channels/telegram/webhook", "/pos/octopos/bife/webhook"
SIGNED = {
    TELEGRAM: {"X-Telegram-Bot-Api-Secret-Token": WEBHOOK_SECRET},
    OCTOPOS: {"Authorization": f"Bearer {WEBHOOK_TOKEN}"},
}
FORGED: dict[str, list[dict[str, str]]] = {
    TELEGRAM: [{}, {"X-Telegram-Bot-Api-Secret-Token": "wrong"}, SIGNED[OCTOPOS]],
    OCTOPOS: [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer"}, SIGNED[TELEGRAM]],
}
MIB = 1024 * 1024
DEEP = b"[" * 100_000
BROKEN = [b"{", b"\xff\xfe", b"\0", b"nonsense", DEEP, b'{"a": NaN}', b'"\\ud800"', b"<xml/>"]
SHAPES: list[Any] = [
    None,
    True,
    0,
    -1.5,
    "",
    "\0",
    [],
    [[]],
    {},
    {"": None},
    {"update_id": None},
    {"order_number": None},
    {"order_number": {"order_number": "1"}},
    {"order_number": "x" * 10_000},
    {"order_number": "../../secret\0"},
    {"order_number": 10**70},
    {"data": {"data": [None, 7, {"order_number": True}]}},
    [{"order_number": "\ud800"}],
    {"update_id": 1, "message": None},
    {"update_id": 2, "message": {"text": 5}},
    {"update_id": 10**30, "message": {"message_id": 1, "date": 0, "chat": {}, "from": {}}},
]


@dataclass(frozen=True)
class House:
    malva: Running
    telegram: TelegramSimulator
    octopos: OctoposSimulator
    till: Till
    http: httpx2.Client

    def count(self, *named: sa.Table) -> int:
        queries = [sa.select(sa.func.count()).select_from(table) for table in named]
        return sum(self.malva.database.read_now(lambda tx: [tx.scalar(q) for q in queries]))


@pytest.fixture
def house(database_url: str, caplog: pytest.LogCaptureFixture) -> Iterator[House]:
    """At the end nothing has gone wrong inside: no error in the log, no traceback."""
    with ExitStack() as stack:
        telegram = stack.enter_context(TelegramSimulator())
        octopos = stack.enter_context(OctoposSimulator())
        malva = stack.enter_context(run(database_url, plugins(telegram, octopos, mode="webhook")))
        telegram.wait_for_calls("setWebhook")
        till = stack.enter_context(Till(malva.url, malva.add_till(station=str(STATION))))
        http = stack.enter_context(httpx2.Client(base_url=malva.url, timeout=20))
        yield House(malva, telegram, octopos, till, http)
    faults = [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR or r.exc_info]
    assert faults == []


# -- webhooks --------------------------------------------------------------------------------------


def test_forged_empty_oversized_and_malformed_webhooks(house: House) -> None:
    for path, signature in SIGNED.items():
        good = {"update_id": 5, "order_number": "100001"}
        for forged in FORGED[path]:
            assert house.http.post(path, json=good, headers=forged).status_code == 401, forged
            assert house.http.post(path, content=b"x" * (MIB + 1), headers=forged).status_code in (
                401,
                413,
            )
        assert house.http.post(path, content=b"").status_code == 200, "the address is proved"
        for large in (b"x" * (MIB + 1), iter([b"x" * MIB, b"x" * MIB])):
            assert house.http.post(path, content=large, headers=signature).status_code == 413
        for body in BROKEN:
            answer = house.http.post(path, content=body, headers=signature)
            assert answer.status_code in (200, 400), (path, body[:20], answer.status_code)
    assert house.http.get(OCTOPOS).status_code == 200
    assert house.http.post("/pos/octopos/nowhere/webhook", json={}).status_code == 404
    assert house.http.post("/channels/nothing/webhook", json={}).status_code == 404
    assert house.http.post("/channels/webchat/webhook", json={"id": "1"}).status_code == 401
    assert house.count(tables.seen_events, tables.tasks, tables.contacts, tables.messages) == 0


def test_documents_of_any_shape(house: House) -> None:
    for path, signature in SIGNED.items():
        for shape in SHAPES:
            answer = house.http.post(path, content=json.dumps(shape), headers=signature)
            assert answer.status_code in (200, 400), (path, shape, answer.text)
    assert house.count(tables.tasks, tables.messages) == 0


def test_one_bad_order_of_a_delivery_spoils_no_other(house: House) -> None:
    guest = registers(house.telegram.guest(phone="381601234567"))
    reward_card = house.octopos.reward_card("+381601234567")
    order = house.octopos.pays(
        reward_card_id=reward_card, lines=[("Tea", 1, "120.00")], deliver=False
    )
    delivery = [{"order_number": None}, 5, {"order_number": "\0"}, order, {"order_number": "404"}]
    answer = house.http.post(OCTOPOS, json={"data": delivery}, headers=SIGNED[OCTOPOS])
    assert answer.status_code == 200
    guest.wait_for(text="+120 points")


def test_very_late_and_repeated_deliveries(house: House) -> None:
    guest = registers(house.telegram.guest(phone="381601234567"))
    house.octopos.deliver_to(house.malva.url + OCTOPOS, token=WEBHOOK_TOKEN)
    house.till.identify(phone="+381601234567")
    house.malva.clock.move(timedelta(minutes=16))
    late = house.octopos.pays(station=STATION, lines=[("Tea", 1, "120.00")])
    eventually(lambda: house.count(tables.orders) == 1)
    house.malva.clock.move(timedelta(days=3))
    for delivery in range(1, 4):
        house.octopos.deliver(late["order_number"])
        house.octopos.wait_for_deliveries(1 + delivery)
    eventually(lambda: house.count(tables.tasks) == 0)
    assert house.count(tables.orders) == 1
    assert house.count(tables.ledger_entries) == 0, "the visit was over: it is nobody's"

    said = guest.write(guest.user, "text", "what?", quiet=True).as_json()
    update = {"update_id": 77, "message": {**said, "date": 1_500_000_000}}
    before = house.count(tables.messages)
    for _ in range(3):
        answer = house.http.post(TELEGRAM, json=update, headers=SIGNED[TELEGRAM])
        assert answer.status_code == 200
    assert guest.wait_for(text="didn't understand")
    assert house.count(tables.messages) == before + 1


# -- names -----------------------------------------------------------------------------------------

NAMES = [
    "😀 Ana 👩‍👩‍👧‍👦",
    "علي بن محمد",
    "\u202eana\u202c",
    "An\0a\x07\x1b[31m",
    "<b onmouseover=alert(1)>Ana</b>",
    "*Ana* _[x](http://evil.example)_ `x` {name} %s {{7*7}}",
    "'; DROP TABLE guest; --",
    "A" * 10_000,
    "Z̸̢a̷̡l̶̨g̷o" * 5,
    "\u200b\u200d",
    "ana\ud800",
]


def test_a_messengers_name_of_any_kind(house: House) -> None:
    """It is offered as it can be kept; where nothing of it can be seen, it is asked for."""
    for name in NAMES:
        chat = house.telegram.guest(first_name=name.encode("utf-8", "replace").decode())
        chat.starts()
        chat.wait_for(button="English")
        chat.presses("English")
        asked = chat.wait_for(text="What is your name?")
        offered = asked.buttons[0]
        chat.presses(offered) if offered != "Back" else chat.says("Ana")
        chat.wait_for(button="Skip")
        chat.presses("Skip")
        card = chat.wait_for(kind="photo").text
        assert_kept(house, code_of(card), offered if offered != "Back" else "Ana")
        assert_harmless(house, re.search(r"/card/\S+", card)[0])


def test_a_typed_name_of_any_kind(house: House) -> None:
    """It is kept, or refused with a kind answer and asked for again."""
    for name in NAMES:
        with Visitor(house.malva.url) as guest:
            guest.starts()
            guest.presses("English")
            before = len(guest.wait_for(text="What is your name?"))
            body = json.dumps({"id": "name", "kind": "text", "text": name})
            json_ = {"Content-Type": "application/json"}
            answer = guest.http.post("/chat/messages", content=body, headers=json_)
            assert answer.status_code == (400 if len(name) > 4000 else 200), answer.text
            refused = answer.status_code == 400 or (
                "Please write a name" in guest.wait_for(after=before)[before]["text"]
            )
            if refused:
                guest.says("Ana")
            guest.presses("Skip")
            card = next(m for m in guest.wait_for(option="No") if m["picture"])
            assert_kept(house, code_of(card["text"]), "Ana" if refused else None)
            assert_harmless(house, "/chat")
            assert_harmless(house, card["links"][0]["url"])


def assert_kept(house: House, code: str, expected: str | None) -> None:
    """As the till hears it."""
    name = house.till.identify(code=code)["guest"]["name"]
    assert 1 <= len(name) <= 64
    assert not set(name) & set("\0\x07\x1b\u202e")
    assert expected is None or name == expected


def assert_harmless(house: House, path: str) -> None:
    page = house.http.get(path)
    assert page.status_code == 200
    assert "<b onmouseover" not in page.text


# -- the till API ----------------------------------------------------------------------------------

GOOD = {"order_id": "o", "total": "1.00", "currency": "RSD"}
ENDPOINTS = ["identify", "orders", "orders/o1/refunds", "orders/o1/claim", "orders/%00/refunds"]
ODD: list[Any] = [
    *SHAPES,
    {"code": "\0"},
    {"code": "1" * 10_000},
    {"code": "١٢٣٤٥٦"},
    {"qr": "MALVA1..123456"},
    {"qr": "MALVA1.\0.123456"},
    {"qr": "MALVA1." + "A" * 100_000 + ".123456"},
    {"phone": "+" + "9" * 500},
    {"phone": "\ud800"},
    {"visit": "\0"},
    {"refund_id": "\0"},
    {"refund_id": "r", "amount": "1e400"},
    {"refund_id": "r", "amount": "-1"},
    {**GOOD, "order_id": ""},
    {**GOOD, "order_id": "\0"},
    {**GOOD, "order_id": "o" * 129},
    {**GOOD, "total": 1.1},
    {**GOOD, "total": "NaN"},
    {**GOOD, "total": "1e18"},
    {**GOOD, "total": "9" * 100},
    {**GOOD, "total": "1.001"},
    {**GOOD, "total": "-1.00"},
    {**GOOD, "currency": "ЯЯЯ"},
    {**GOOD, "paid_at": "yesterday"},
    {**GOOD, "paid_at": "0001-01-01T00:00:00+14:00"},
    {**GOOD, "paid_at": "9999-12-31T23:59:59-14:00"},
    {**GOOD, "visit": "\0"},
    {**GOOD, "redemptions": ["1"]},
    {**GOOD, "items": [{"name": "x", "quantity": "1e999", "price": "1"}]},
    {**GOOD, "items": [{"name": "x", "quantity": 1, "price": "1" * 40}]},
    {**GOOD, "items": [{}] * 501},
]


def test_the_till_api_refuses_what_it_cant_read(house: House) -> None:
    for path in ENDPOINTS:
        for body in [json.dumps(odd).encode() for odd in ODD] + BROKEN:
            answer = house.till.post(path, body, key="k")
            assert 400 <= answer.status_code < 500, (path, body[:80], answer.text)
            assert set(answer.json()["error"]) == {"code", "message"}
        assert house.till.post(path, b"x" * (MIB + 1), key="k").status_code == 413
    for key in ("", "k" * 10_000, "\x7f"):
        assert house.till.post("orders", GOOD, key=key).status_code == 400
    assert house.count(tables.orders, tables.refunds, tables.visits) == 0


def test_names_of_products_are_kept_as_text(house: House) -> None:
    items = [{"name": name, "quantity": "1", "price": "1.00"} for name in NAMES]
    body = json.dumps({**GOOD, "items": items}).encode()
    answer = house.till.post("orders", body, key="k")
    assert answer.status_code in (201, 400), answer.text
    kept = [{**item, "name": item["name"].replace("\0", "")[:200]} for item in items[:-1]]
    assert house.till.order("o2", items=kept).status_code == 201


# -- pages -----------------------------------------------------------------------------------------

PATHS = [
    "/card/{}",
    "/card/{}/code",
    "/card/{}/events",
    "/media/{}",
    "/privacy/data/{}",
    "/privacy?lang={}",
    "/?cafe={}",
    "/chat?cafe={}",
    "/chat?start={}&lang={}",
    "/chat/static/{}",
    "/chat/events?lang={}",
    "/static/{}",
    "/api/v1/{}",
    "/pos/octopos/{}/webhook",
    "/{}",
]
PIECES = ["x", "%00", "..%2f..%2fetc%2fpasswd", "%ff%fe", "<script>", "a" * 8000, "%F0%9F%98%80"]


def test_pages_answer_whatever_is_asked(house: House) -> None:
    headers = {"Cookie": b"malva_chat=\xff.forged; malva_chat=%00", "Last-Event-ID": b"9" * 30}
    for path in PATHS:
        for piece in PIECES:
            address = path.replace("{}", piece)
            for method in ("GET", "POST", "HEAD", "PUT"):
                answer = house.http.request(method, address, headers=headers)
                assert answer.status_code < 500, (method, address[:60], answer.text[:200])
                assert "<script>alert" not in answer.text


def test_the_till_api_s_own_address_holds_nothing(house: House) -> None:
    for method in ("GET", "POST", "PUT"):
        for address in ("/api/v1", "/api/v1/", "/api/v1/nothing"):
            answer = house.http.request(method, address)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_the_chat_refuses_what_it_cant_read(house: House) -> None:
    json_ = {"Content-Type": "application/json"}
    for body in [*BROKEN, *(json.dumps(shape).encode() for shape in SHAPES)]:
        answer = house.http.post("/chat/messages", content=body, headers=json_)
        assert answer.status_code == 400, (body[:40], answer.text)
    large = house.http.post("/chat/messages", content=b"x" * (MIB + 1), headers=json_)
    assert large.status_code == 413
    assert house.count(tables.contacts) == 0


# -- words -----------------------------------------------------------------------------------------


def registers(guest: Guest) -> Guest:
    """A guest with a card, on Telegram, whose phone Telegram proves."""
    guest.starts()
    for button in ("English", guest.user["first_name"], "📱 Share my number"):
        guest.wait_for(button=button)
        guest.presses(button)
    guest.wait_for(kind="photo")
    return guest


def code_of(card: str) -> str:
    return card.split(": ")[1][:7]
