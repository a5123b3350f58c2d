"""The Telegram adapter beside a simulated Bot API: what comes in, how it looks, what fails how."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import pytest
from aiogram import Bot  # imported whole, whatever test comes first: others use more of it
from pydantic import ValidationError

from channels.telegram import Settings, Telegram
from core.contract import (
    Chose,
    Delivery,
    Left,
    Link,
    Option,
    Outbound,
    Picture,
    Refused,
    Returned,
    Said,
    SendError,
    SharedPhone,
    Started,
    Unreadable,
    Unsupported,
)
from core.pictures import draw
from tests.simulators.telegram import TelegramSimulator
from tests.simulators.telegram_chats import Guest
from tests.support.gateway import ImpatientWire, OneGateway, webhook

pytestmark = pytest.mark.anyio

assert Bot


@pytest.fixture
def telegram() -> Iterator[TelegramSimulator]:
    with TelegramSimulator() as simulator:
        yield simulator


@pytest.fixture
async def gateway() -> AsyncIterator[OneGateway]:
    wire = ImpatientWire()
    yield OneGateway("telegram", wire)
    await wire.close()


def bot(telegram: TelegramSimulator, gateway: OneGateway, **more) -> Telegram:
    return Telegram(Settings(token=telegram.token, api_base=telegram.url, **more), gateway)


@pytest.fixture
async def channel(telegram: TelegramSimulator, gateway: OneGateway) -> Telegram:
    return bot(telegram, gateway)


@pytest.fixture
def ana(telegram: TelegramSimulator) -> Guest:
    """Has written to the bot before."""
    guest = telegram.guest(first_name="Ana", last_name="M.", language_code="sr")
    guest.write(guest.user, "text", "/start", quiet=True)
    return guest


@asynccontextmanager
async def running(channel: Telegram):
    work = asyncio.create_task(channel.run())
    try:
        yield
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


async def until(telegram: TelegramSimulator, happened, timeout: float = 5.0):
    """Looks again and again: what is waited for may happen without a word to the simulator."""
    async with asyncio.timeout(timeout):
        while not happened():
            await asyncio.sleep(0.01)


def contents(gateway: OneGateway) -> list:
    return [event.content for event in gateway.received]


# -- what comes in ---------------------------------------------------------------------------------


async def test_what_guests_do_is_understood(telegram, gateway, channel, ana):
    async with running(channel):
        ana.starts()
        ana.starts("cafe_bife")
        ana.says("/start@malva_test_bot cafe_zrno")
        ana.says("/help")
        ana.says("Ćao 👋")
        ana.shares_contact("+381601234567")
        ana.shares_contact("381609999999", own=False, user_id=42)
        ana.shares_contact("+381608888888", own=False)
        ana.sends_sticker()
        ana.sends_voice()
        ana.sends_photo("look")
        ana.edits("/help me", ana.everything[4])
        ana.blocks()
        ana.unblocks()
        await until(telegram, lambda: len(gateway.received) == 13)
    assert contents(gateway) == [
        Started(None),
        Started("cafe_bife"),
        Started("cafe_zrno"),
        Said("/help"),
        Said("Ćao 👋"),
        SharedPhone("+381601234567", own=True),
        SharedPhone("+381609999999", own=False),
        SharedPhone("+381608888888", own=False),
        Unsupported("sticker"),
        Unsupported("voice"),
        Unsupported("photo"),
        Left(),
        Returned(),
    ]
    first = gateway.received[0]
    assert (first.sender.address, first.sender.name) == (str(ana.id), "Ana M.")
    assert (first.sender.language, first.sender.phone) == ("sr", None)
    assert first.sent_at is not None
    assert abs((datetime.now(UTC) - first.sent_at).total_seconds()) < 60
    assert len({event.event_id for event in gateway.received}) == 13


async def test_a_pressed_button_is_known_by_its_value_and_answered(telegram, gateway, channel, ana):
    yes = Outbound(text="Offers?", options=((Option("offers:yes", "Yes"),),))
    await channel.send(Delivery(1, str(ana.id), yes))
    async with running(channel):
        press = ana.presses("Yes")
        await until(telegram, lambda: gateway.received)
        (event,) = gateway.received
        assert event.content == Chose("offers:yes")
        await channel.acknowledge(event)
        assert press.answer is not None
        await channel.acknowledge(event)  # too late: that is no failure


async def test_what_is_not_for_us_is_passed_over(telegram, gateway, channel, ana):
    group = telegram.group()
    async with running(channel):
        telegram.push(
            {
                "message": {
                    **ana.write(ana.user, "text", quiet=True).as_json(),
                    "pinned_message": ana.everything[0].as_json(),
                }
            }
        )
        telegram.push({"message_reaction": {}})
        telegram.push({"edited_message": ana.everything[0].as_json()})
        telegram.push({"something_new": {"of": 2027}})
        group.adds_bot(ana)
        group.says(ana, "/start everybody")
        await until(telegram, lambda: group.status == "left" and not telegram.updates.pending)
        ana.says("still there?")
        await until(telegram, lambda: gateway.received)
    assert contents(gateway) == [Said("still there?")]
    assert group.messages == [], "a group is left without a word"


BROKEN = [
    {"message": "no message"},
    {"message": {"message_id": "x", "date": 0, "chat": {}}},
    {"message": {"message_id": 1, "date": 10**30, "chat": {"id": 1, "type": "private"}}},
    {"callback_query": {"id": 1, "from": None}},
    {"my_chat_member": {"chat": {"id": 1}}},
    {"message": {"text": "\ud83d half an emoji"}},
    {},
]


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_malformed_update_spoils_no_other(telegram, gateway, channel, ana, broken):
    telegram.updates.held = []  # all come in one batch
    ana.says("before")
    kind = {"message": {}} if not broken else {}
    telegram.push({**broken, **kind})
    ana.says("after")
    telegram.updates.pending, telegram.updates.held = telegram.updates.held, None
    async with running(channel):
        await until(telegram, lambda: not telegram.updates.pending)
        ana.says("later")
        await until(telegram, lambda: len(gateway.received) == 3)
    assert contents(gateway) == [Said("before"), Said("after"), Said("later")]


async def test_half_an_emoji_is_read_without_it(telegram, gateway, channel, ana):
    async with running(channel):
        ana.says("hi \ud83d there")
        await until(telegram, lambda: gateway.received)
    assert contents(gateway) == [Said("hi ? there")]


async def test_an_update_is_confirmed_only_once_it_is_taken(
    telegram, gateway, channel, ana, monkeypatch
):
    monkeypatch.setattr("channels.telegram.AGAIN", 0.01)
    gateway.refuse = [OSError("the database is away"), RuntimeError("or worse")]
    async with running(channel):
        ana.says("hello")
        await until(telegram, lambda: gateway.received)
        await until(telegram, lambda: not telegram.updates.pending)
    assert contents(gateway) == [Said("hello")]


async def test_polling_gets_over_whatever_goes_wrong(telegram, gateway, channel, ana, monkeypatch):
    monkeypatch.setattr("channels.telegram.AGAIN", 0.01)
    telegram.fail("getUpdates", 500)
    telegram.fail("getUpdates", 502, html=True)
    telegram.fail("getUpdates", 200, body='{"ok": true, "result": [7, null, {"x": 1}]}')
    telegram.fail("getUpdates", 200, body='{"ok": true}')
    telegram.fail("getUpdates", 500, body='{"ok": false}')
    telegram.reset("getUpdates")
    telegram.drop_answer("getUpdates")
    telegram.hang("getUpdates")
    async with running(channel):
        ana.says("hello")
        await until(telegram, lambda: gateway.received)
    assert contents(gateway) == [Said("hello")]


async def test_a_webhook_of_before_is_taken_away_and_nothing_with_it(
    telegram, gateway, channel, ana, monkeypatch
):
    monkeypatch.setattr("channels.telegram.AGAIN", 0.01)
    telegram.updates.webhook = {"url": "http://127.0.0.1:9/", "max_connections": 1}
    ana.says("while nobody listened")
    async with running(channel):
        await until(telegram, lambda: gateway.received)
        telegram.updates.webhook = {"url": "http://127.0.0.1:9/", "max_connections": 1}
        telegram.touch()
        ana.says("another one took it")
        await until(telegram, lambda: len(gateway.received) == 2)


async def test_who_loses_the_hold_stops_polling_and_begins_again_with_it(
    telegram, gateway, channel, ana
):
    async with running(channel):
        ana.says("one")
        await until(telegram, lambda: gateway.received)
        gateway.held = False
        ana.says("two")  # ends the poll that is under way
        await until(telegram, lambda: len(gateway.received) == 2)
        polls = telegram.updates.polls
        ana.says("three")
        await asyncio.sleep(0.1)
        assert telegram.updates.polls == polls
        gateway.held = True
        await until(telegram, lambda: len(gateway.received) >= 3)
    assert contents(gateway)[-1] == Said("three")
    assert gateway.holds == 2


# -- the webhook -----------------------------------------------------------------------------------


async def test_the_webhook_is_registered_with_its_secret(telegram, gateway):
    channel = bot(telegram, gateway, mode="webhook", webhook_secret="s3cret-s3cret")
    telegram.fail("setMyCommands", 500)  # which is no reason to wait with the webhook
    async with running(channel):
        await until(telegram, lambda: telegram.updates.webhook)
    assert telegram.updates.webhook == {
        "url": "https://malva.example/channels/telegram/webhook",
        "secret_token": "s3cret-s3cret",
        "max_connections": 40,
    }
    assert telegram.updates.allowed == {"message", "callback_query", "my_chat_member"}
    channel.verify(webhook(b"{}", x_telegram_bot_api_secret_token="s3cret-s3cret"))


async def test_every_node_makes_the_same_secret(telegram, gateway):
    here, there = (bot(telegram, gateway, mode="webhook") for _ in range(2))
    async with running(here):
        await until(telegram, lambda: telegram.updates.webhook)
    secret = telegram.updates.webhook["secret_token"]
    assert telegram.token not in secret
    there.verify(webhook(b"{}", x_telegram_bot_api_secret_token=secret))


@pytest.mark.parametrize("given", [{}, {"x_telegram_bot_api_secret_token": "s3cre\u0442"}])
async def test_a_webhook_without_the_secret_is_refused(telegram, gateway, given):
    channel = bot(telegram, gateway, mode="webhook", webhook_secret="s3cret")
    with pytest.raises(Refused):
        channel.verify(webhook(b"{}", **given))


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[1]", b"null", b"[" * 100_000])
async def test_what_is_no_update_is_not_asked_for_again(channel, body):
    with pytest.raises(Unreadable) as unreadable:
        channel.parse(webhook(body))
    assert unreadable.value.tolerate


@pytest.mark.parametrize("broken", BROKEN[:-2])
async def test_an_update_that_makes_no_sense_is_nothing(channel, broken):
    assert channel.parse(webhook(json.dumps({"update_id": 1, **broken}).encode())) == []


async def test_the_commands_are_told_in_three_languages(telegram, channel):
    async with running(channel):
        await until(telegram, lambda: len(telegram.commands) == 3)
    told = {language: commands for (_, language), commands in telegram.commands.items()}
    assert [command["command"] for command in told[""]] == ["start", "help", "stop"]
    assert told[""][0]["description"] == "Open the menu"
    assert told["sr"][0]["description"] == "Otvori meni"
    assert told["ru"][0]["description"] == "Открыть меню"


async def test_the_link_that_opens_a_chat_names_the_bot(telegram, channel):
    assert channel.join_link("cafe_bife") is None, "not known yet"
    async with running(channel):
        await until(telegram, lambda: channel.join_link("x"))
    assert channel.join_link("cafe_bife") == "https://t.me/malva_test_bot?start=cafe_bife"


# -- how it looks ----------------------------------------------------------------------------------


async def shown(channel: Telegram, guest: Guest, **message):
    sent = await channel.send(Delivery(1, str(guest.id), Outbound(**message)))
    assert sent.provider_id == str(guest.last.id)
    return guest.last


async def test_options_are_buttons_below_their_message(channel, ana):
    rows = ((Option("a", "One"), Option("b", "Two")), (Option("c", "Three"),))
    message = await shown(channel, ana, text="Which?", options=rows)
    assert message.rows == [["One", "Two"], ["Three"]]
    assert "inline_keyboard" in message.markup


async def test_the_menu_stays_below_the_input_line(channel, ana):
    rows = ((Option("card", "☕ My card"), Option("points", "🏆 Points")),)
    message = await shown(channel, ana, text="How can I help?", options=rows, menu=True)
    assert message.markup["is_persistent"]
    assert message.markup["resize_keyboard"]
    assert ana.keyboard is message.markup


async def test_a_phone_is_asked_for_with_one_tap(telegram, channel, ana):
    message = await shown(
        channel, ana, text="Phone?", ask_phone="📱 Share", options=((Option("s", "Skip"),),)
    )
    assert message.rows == [["📱 Share"], ["Skip"]]
    assert message.markup["keyboard"][0][0]["request_contact"]
    assert message.markup["one_time_keyboard"]


async def test_links_are_buttons_where_telegram_takes_them(channel, ana):
    links = (
        Link("Notice", "https://malva.example/privacy"),
        Link("Live card", "https://malva.example/card/x", app=True),
        Link("Plain", "http://malva.example/x"),
        Link("Here", "https://localhost/x"),
    )
    message = await shown(channel, ana, text="Look:", links=links)
    assert message.links == {link.label: link.url for link in links[:2]}
    assert message.markup["inline_keyboard"][1][0]["web_app"]
    assert message.text == ("Look:\n\nPlain: http://malva.example/x\n\nHere: https://localhost/x")


async def test_links_beside_a_menu_are_written_out(channel, ana):
    message = await shown(
        channel,
        ana,
        text="Thanks",
        menu=True,
        options=((Option("card", "Card"),),),
        links=(Link("Notice", "https://malva.example/privacy"),),
    )
    assert message.text == "Thanks\n\nNotice: https://malva.example/privacy"


@pytest.mark.parametrize(
    "text", ["<b>Ana</b> & *Mila* _x_ [y](z) `k`", "</", "שלום Ana", "👨‍👩‍👧‍👦", "a\0b", "&lt;"]
)
async def test_markup_is_shown_as_it_is_written(channel, ana, text):
    message = await shown(channel, ana, text=text)
    assert (message.text, message.entities) == (text, [])


async def test_a_text_that_is_too_long_comes_in_parts_with_the_buttons_last(channel, ana):
    text = "\n".join(f"line {n} " + "word " * 15 for n in range(120))
    message = Outbound(text=text, options=((Option("a", "One"),),))
    sent = await channel.send(Delivery(1, str(ana.id), message))
    first, second, third = ana.messages
    assert sent.provider_id == str(first.id)
    assert [part.buttons for part in (first, second, third)] == [[], [], ["One"]]
    said = " ".join(part.text for part in ana.messages)
    assert said.split() == text.split()


async def test_a_picture_with_too_much_to_say_is_followed_by_the_rest(channel, ana):
    text = "The card. " + "word " * 500
    message = Outbound(
        text=text, picture=Picture(draw("x"), "a code"), options=((Option("a", "One"),),)
    )
    sent = await channel.send(Delivery(1, str(ana.id), message))
    photo, rest = ana.messages
    assert (photo.kind, rest.kind) == ("photo", "text")
    assert sent.provider_id == str(photo.id)
    assert len(photo.text) <= 1024
    assert (photo.buttons, rest.buttons) == ([], ["One"])
    assert f"{photo.text} {rest.text}".split() == text.split()


async def test_what_fails_after_its_first_part_was_taken_is_uncertain(telegram, channel, ana):
    telegram.fail("sendMessage", 500, when=lambda call: "reply_markup" in call.params)
    message = Outbound(text="word " * 1000, options=((Option("a", "One"),),))
    with pytest.raises(SendError) as failed:
        await channel.send(Delivery(1, str(ana.id), message))
    assert failed.value.retryable
    assert failed.value.uncertain


# -- the card, in place ----------------------------------------------------------------------------


def card(digits: str, **more) -> Outbound:
    picture = Picture(draw(f"MALVA1.abc.{digits}"), f"Your card: {digits}")
    return Outbound(text=f"Your card: {digits}", kind="card", picture=picture, **more)


async def test_a_card_is_renewed_in_place_and_then_offers_a_new_one(channel, ana):
    live = Link("Live card", "https://malva.example/card/x", app=True)
    sent = await channel.send(Delivery(1, str(ana.id), card("123 456", links=(live,))))
    first = ana.last.photo
    renewal = Delivery(2, str(ana.id), card("654 321", links=(live,)), replaces=sent.provider_id)
    assert await channel.send(renewal) == sent
    assert (ana.last.text, ana.last.edits) == ("Your card: 654 321", 1)
    assert ana.last.photo != first
    assert ana.last.buttons == ["Live card"]
    end = Outbound(text="No longer good.", options=((Option("card", "Refresh"),),), links=(live,))
    assert await channel.send(Delivery(3, str(ana.id), end, replaces=sent.provider_id)) == sent
    assert (ana.last.text, ana.last.buttons) == ("No longer good.", ["Refresh", "Live card"])
    assert len(ana.messages) == 1


async def test_a_message_that_looks_so_already_is_sent(channel, ana):
    sent = await channel.send(Delivery(1, str(ana.id), card("123 456")))
    end = Outbound(text="No longer good.")
    for _ in range(2):
        assert await channel.send(Delivery(2, str(ana.id), end, replaces=sent.provider_id)) == sent


async def test_a_card_that_the_guest_has_deleted_is_left_alone(channel, ana):
    sent = await channel.send(Delivery(1, str(ana.id), card("123 456")))
    ana.last.deleted = True
    renewal = Delivery(2, str(ana.id), card("654 321"), replaces=sent.provider_id)
    with pytest.raises(SendError) as failed:
        await channel.send(renewal)
    assert not failed.value.retryable
    assert not failed.value.contact_gone


# -- what fails how --------------------------------------------------------------------------------

RETRY = {"retryable": True}
AFTER_A_PAUSE = {"retryable": True, "channel_wide": True}
UNCERTAIN = {"retryable": True, "uncertain": True}
GONE = {"contact_gone": True}
FAULTS = {
    "429 with its seconds": (
        lambda t: t.fail(SEND, 429, retry_after=7),
        {**AFTER_A_PAUSE, "retry_after": 7},
    ),
    "429 without": (lambda t: t.fail(SEND, 429), {**AFTER_A_PAUSE, "retry_after": 5}),
    "blocked": (lambda t: t.fail(SEND, 403), GONE),
    "deactivated": (
        lambda t: t.fail(SEND, 403, description="Forbidden: user is deactivated"),
        GONE,
    ),
    "no such chat": (lambda t: t.fail(SEND, 400, description="Bad Request: chat not found"), GONE),
    "another 400": (lambda t: t.fail(SEND, 400, description="Bad Request: what?"), {}),
    "too large": (lambda t: t.fail(SEND, 413, description="Request Entity Too Large"), {}),
    "401": (lambda t: t.fail(SEND, 401), {**AFTER_A_PAUSE, "retry_after": 60}),
    "404": (lambda t: t.fail(SEND, 404), {**AFTER_A_PAUSE, "retry_after": 60}),
    "500": (lambda t: t.fail(SEND, 500), RETRY),
    "an error without words": (lambda t: t.fail(SEND, 503, body='{"ok": false}'), RETRY),
    "a proxy's page": (lambda t: t.fail(SEND, 502, html=True), RETRY),
    "a page that says 200": (lambda t: t.fail(SEND, 200, html=True), RETRY),
    "no JSON we know": (lambda t: t.fail(SEND, 200, body="[]"), RETRY),
    "time-out": (lambda t: t.hang(SEND), UNCERTAIN),
    "reset": (lambda t: t.reset(SEND), UNCERTAIN),
    "no answer": (lambda t: t.drop_answer(SEND), UNCERTAIN),
    "nobody there": (lambda t: t.stop(), RETRY),
}
SEND = "sendMessage"


def said_of(error: SendError) -> dict:
    names = ("retryable", "retry_after", "channel_wide", "contact_gone", "uncertain")
    return {name: getattr(error, name) for name in names if getattr(error, name)}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_an_error_means(telegram, channel, ana, caplog, fault):
    caplog.set_level(logging.DEBUG)
    cause, meaning = FAULTS[fault]
    cause(telegram)
    with pytest.raises(SendError) as failed:
        await channel.send(Delivery(1, str(ana.id), Outbound(text="hi")))
    assert said_of(failed.value) == meaning
    assert telegram.token not in caplog.text
    assert telegram.token not in repr(failed.value)
    assert failed.value.__cause__ is None


async def test_an_address_that_is_none_fails_alone(channel):
    with pytest.raises(SendError) as failed:
        await channel.send(Delivery(1, "not a chat", Outbound(text="hi")))
    assert said_of(failed.value) == {}


async def test_nothing_tells_the_token(telegram, gateway, caplog, monkeypatch):
    """Whatever fails, from the start on."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("channels.telegram.AGAIN", 0.01)
    channel = bot(telegram, gateway, mode="polling")
    telegram.fail("*", 500)
    telegram.reset("*")
    async with running(channel):
        await until(telegram, lambda: telegram.updates.polls)
    telegram.stop()
    await channel.check()
    assert "telegram" in caplog.text
    assert telegram.token not in caplog.text
    assert telegram.token.split(":")[1] not in repr(channel._settings)


# -- settings and check ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": "123"},
        {"token": "123456:short"},
        {"token": "abc:AAF-SimulatedTokenThatOpensNothing0"},
        {"webhook_secret": "with a space"},
        {"webhook_secret": "x" * 257},
        {"mode": "both"},
        {"tokn": "x"},
    ],
)
def test_settings_that_can_not_be_are_refused(telegram, wrong):
    with pytest.raises(ValidationError):
        Settings(**{"token": telegram.token, **wrong})


async def test_check_asks_whether_the_token_works(telegram, gateway, channel):
    (found,) = await channel.check()
    assert (found.id, found.level) == ("MALVA-I201", "ok")
    assert "@malva_test_bot" in found.message
    stranger = Settings(token="123456:" + "A" * 35, api_base=telegram.url)
    (found,) = await Telegram(stranger, gateway).check()
    assert (found.id, found.level) == ("MALVA-E201", "error")
    telegram.fail("getMe", 502, html=True)
    (found,) = await channel.check()
    assert (found.id, found.level) == ("MALVA-E202", "error")


async def test_check_tells_that_a_webhook_needs_https(telegram, gateway):
    gateway.public_url = "http://127.0.0.1:8000"
    found = await bot(telegram, gateway, mode="webhook").check()
    assert [one.id for one in found] == ["MALVA-I201", "MALVA-W203"]


# -- aiogram, lean ---------------------------------------------------------------------------------

LEAN = """
from pydantic import BaseModel
from channels.telegram.lean import Bot, methods, types

def is_built(model):
    return model.__pydantic_complete__

def models_of(module):
    found = [getattr(module, name) for name in module.__all__]
    return [m for m in found if isinstance(m, type) and issubclass(m, BaseModel)]

models = models_of(types) + models_of(methods)
assert len(models) > 500
assert sum(map(is_built, models_of(types))) < 10, "they are left until they are used"
types.Chat(id=1, type="private")
assert is_built(types.Chat)
class Ours(BaseModel):
    name: str
    def_: "Later | None" = None
class Later(BaseModel):
    x: int
assert Ours.model_rebuild(), "other models are built as ever"
for model in models:
    model.model_rebuild()
assert all(map(is_built, models)), "and whatever is used builds itself"
"""


def test_aiogram_is_imported_lean():
    subprocess.run([sys.executable, "-c", LEAN], check=True, timeout=60)
