"""What guests do on Telegram, by polling and by the webhook."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest

from core.contract import (
    Chose,
    Delivery,
    Left,
    Option,
    Outbound,
    Refused,
    Returned,
    Said,
    SharedPhone,
    Started,
    Unreadable,
    Unsupported,
)
from core.testkit.gateway import OneGateway, webhook
from tests.telegram.around import bot, running, until

pytestmark = pytest.mark.anyio


def contents(gateway: OneGateway) -> list:
    return [event.content for event in gateway.received]


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
        await until(lambda: len(gateway.received) == 13)
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
        await until(lambda: gateway.received)
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
        await until(lambda: group.status == "left" and not telegram.updates.pending)
        ana.says("still there?")
        await until(lambda: gateway.received)
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
        await until(lambda: not telegram.updates.pending)
        ana.says("later")
        await until(lambda: len(gateway.received) == 3)
    assert contents(gateway) == [Said("before"), Said("after"), Said("later")]


async def test_half_an_emoji_is_read_without_it(telegram, gateway, channel, ana):
    async with running(channel):
        ana.says("hi \ud83d there")
        await until(lambda: gateway.received)
    assert contents(gateway) == [Said("hi ? there")]


async def test_an_update_is_confirmed_only_once_it_is_taken(
    telegram, gateway, channel, ana, monkeypatch
):
    monkeypatch.setattr("channels.telegram.AGAIN", 0.01)
    gateway.refuse = [OSError("the database is away"), RuntimeError("or worse")]
    async with running(channel):
        ana.says("hello")
        await until(lambda: gateway.received)
        await until(lambda: not telegram.updates.pending)
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
        await until(lambda: gateway.received)
    assert contents(gateway) == [Said("hello")]


async def test_a_webhook_of_before_is_taken_away_and_nothing_with_it(
    telegram, gateway, channel, ana, monkeypatch
):
    monkeypatch.setattr("channels.telegram.AGAIN", 0.01)
    telegram.updates.webhook = {"url": "http://127.0.0.1:9/", "max_connections": 1}
    ana.says("while nobody listened")
    async with running(channel):
        await until(lambda: gateway.received)
        telegram.updates.webhook = {"url": "http://127.0.0.1:9/", "max_connections": 1}
        telegram.touch()
        ana.says("another one took it")
        await until(lambda: len(gateway.received) == 2)


async def test_who_loses_the_hold_stops_polling_and_begins_again_with_it(
    telegram, gateway, channel, ana
):
    async with running(channel):
        ana.says("one")
        await until(lambda: gateway.received)
        gateway.held = False
        ana.says("two")  # ends the poll that is under way
        await until(lambda: len(gateway.received) == 2)
        polls = telegram.updates.polls
        ana.says("three")
        await asyncio.sleep(0.1)
        assert telegram.updates.polls == polls
        gateway.held = True
        await until(lambda: len(gateway.received) >= 3)
    assert contents(gateway)[-1] == Said("three")
    assert gateway.holds == 2


# -- the webhook -----------------------------------------------------------------------------------


async def test_the_webhook_is_registered_with_its_secret(telegram, gateway):
    channel = bot(telegram, gateway, mode="webhook", webhook_secret="s3cret-s3cret")
    telegram.fail("setMyCommands", 500)  # which is no reason to wait with the webhook
    async with running(channel):
        await until(lambda: telegram.updates.webhook)
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
        await until(lambda: telegram.updates.webhook)
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
        await until(lambda: len(telegram.commands) == 3)
    told = {language: commands for (_, language), commands in telegram.commands.items()}
    assert [command["command"] for command in told[""]] == ["start", "help", "stop"]
    assert told[""][0]["description"] == "Open the menu"
    assert told["sr"][0]["description"] == "Otvori meni"
    assert told["ru"][0]["description"] == "Открыть меню"


async def test_the_link_that_opens_a_chat_names_the_bot(telegram, channel):
    assert channel.join_link("cafe_bife") is None, "not known yet"
    async with running(channel):
        await until(lambda: channel.join_link("x"))
    assert channel.join_link("cafe_bife") == "https://t.me/malva_test_bot?start=cafe_bife"
