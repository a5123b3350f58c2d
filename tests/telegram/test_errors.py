"""What goes wrong on Telegram: what an error means, and what is told of it."""

from __future__ import annotations

import logging

import pytest
from pydantic import ValidationError

from channels.telegram import Settings, Telegram
from core.contract import Delivery, Outbound, SendError
from tests.telegram.around import bot, running, until

pytestmark = pytest.mark.anyio


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
        await until(lambda: telegram.updates.polls)
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
