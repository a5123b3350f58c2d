"""What goes wrong on Viber: what an error means, and what is told of it."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
from pydantic import ValidationError

from channels.viber import Settings, Viber
from core.contract import Delivery, Option, Outbound, SendError
from tests.viber.around import bot, running, until

pytestmark = pytest.mark.anyio

SEND = "send_message"
RETRY = {"retryable": True}
AFTER_A_PAUSE = {"retryable": True, "channel_wide": True}
UNCERTAIN = {"retryable": True, "uncertain": True}
GONE = {"contact_gone": True}
MENDED = {**AFTER_A_PAUSE, "retry_after": 60}
STATUSES = {
    2: MENDED,
    3: {},
    4: {},
    5: GONE,
    6: GONE,
    7: MENDED,
    9: MENDED,
    10: MENDED,
    11: {},
    12: RETRY,
    13: {},
    14: {},
    15: MENDED,
    21: {},
    23: RETRY,
    24: RETRY,
    99: RETRY,
}
FAULTS = {
    "429 with its seconds": (
        lambda v: v.fail(SEND, 429, body="", retry_after=7),
        {**AFTER_A_PAUSE, "retry_after": 7},
    ),
    "429 without": (lambda v: v.fail(SEND, 429, body=""), {**AFTER_A_PAUSE, "retry_after": 5}),
    "400": (lambda v: v.fail(SEND, 400, body=""), {}),
    "401": (lambda v: v.fail(SEND, 401, body=""), MENDED),
    "404": (lambda v: v.fail(SEND, 404, html=True), MENDED),
    "413": (lambda v: v.fail(SEND, 413, html=True), {}),
    "500": (lambda v: v.fail(SEND, 500), RETRY),
    "a proxy's page": (lambda v: v.fail(SEND, 502, html=True), RETRY),
    "a page that says 200": (lambda v: v.fail(SEND, 200, html=True), UNCERTAIN),
    "no JSON we know": (lambda v: v.fail(SEND, 200, body="[]"), UNCERTAIN),
    "a status that is none": (lambda v: v.fail(SEND, 200, body='{"status": "ok"}'), UNCERTAIN),
    "time-out": (lambda v: v.hang(SEND), UNCERTAIN),
    "reset": (lambda v: v.reset(SEND), UNCERTAIN),
    "no answer": (lambda v: v.drop_answer(SEND), UNCERTAIN),
    "nobody there": (lambda v: v.stop(), RETRY),
}


def said_of(error: SendError) -> dict:
    names = ("retryable", "retry_after", "channel_wide", "contact_gone", "uncertain")
    return {name: getattr(error, name) for name in names if getattr(error, name)}


async def failed(channel: Viber, guest) -> SendError:
    with pytest.raises(SendError) as failed:
        await channel.send(Delivery(1, guest.id, Outbound(text="hi")))
    return failed.value


@pytest.mark.parametrize("status", STATUSES)
async def test_what_a_status_means(viber, channel, ana, status):
    viber.refuse(status)
    assert said_of(await failed(channel, ana)) == STATUSES[status]


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_an_error_means(viber, channel, ana, caplog, fault):
    caplog.set_level(logging.DEBUG)
    cause, meaning = FAULTS[fault]
    cause(viber)
    error = await failed(channel, ana)
    assert said_of(error) == meaning
    assert error.__cause__ is None
    for told in (caplog.text, repr(error), str(error)):
        assert viber.token not in told
        assert ana.id not in told


async def test_nothing_reaches_who_is_not_subscribed(viber, channel):
    assert said_of(await failed(channel, viber.guest("Eva"))) == GONE


async def test_a_hundred_in_an_hour_without_an_answer_are_the_most(viber, channel, ana):
    for number in range(100):
        await channel.send(Delivery(number, ana.id, Outbound(text="hi")))
    assert said_of(await failed(channel, ana)) == RETRY
    viber.held = []
    ana.says("stop it")
    await channel.send(Delivery(101, ana.id, Outbound(text="sorry")))


async def test_what_fails_after_its_first_part_was_taken_is_uncertain(viber, channel, ana):
    viber.fail(SEND, 500, when=lambda call: "keyboard" in call.params)
    message = Outbound(text="word " * 2000, options=((Option("a", "One"),),))
    with pytest.raises(SendError) as failed:
        await channel.send(Delivery(1, ana.id, message))
    assert said_of(failed.value) == UNCERTAIN


async def test_nothing_tells_the_token(viber, gateway, caplog, monkeypatch):
    """Whatever fails, from the start on."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("channels.viber.SOON", 0.01)
    channel = bot(viber, gateway)
    viber.fail("*", 500, times=3)
    viber.reset("*", times=3)
    async with running(channel):
        await until(lambda: len(viber.calls) > 6)
    viber.stop()
    await channel.check()
    assert "viber" in caplog.text
    assert viber.token not in caplog.text
    assert viber.token not in repr(channel._settings)


# -- settings and check ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": ""},
        {"token": "with a space"},
        {"token": "line\nbreak"},
        {"sender_name": ""},
        {"sender_name": "x" * 29},
        {"api_bas": "x"},
    ],
)
def test_settings_that_can_not_be_are_refused(viber, wrong):
    with pytest.raises(ValidationError):
        Settings(**{"token": viber.token, "sender_name": "BIFE", **wrong})


async def test_check_asks_whether_the_token_works(viber, gateway, channel):
    (found,) = await channel.check()
    assert (found.id, found.level) == ("MALVA-I241", "ok")
    assert "bifecoffee" in found.message
    (found,) = await bot(viber, gateway, token="another").check()
    assert (found.id, found.level) == ("MALVA-E241", "error")
    for fault in (lambda: viber.fail("*", 502, html=True), lambda: viber.hang("*")):
        fault()
        (found,) = await channel.check()
        assert (found.id, found.level) == ("MALVA-E242", "error")


async def test_check_tells_that_viber_delivers_to_https_only(viber, gateway):
    gateway.public_url = "http://127.0.0.1:8000"
    found = await bot(viber, gateway).check()
    assert [one.id for one in found] == ["MALVA-I241", "MALVA-W243"]


LAZY = """
import sys
import channels, core.app, core.plugins
assert not [name for name in sys.modules if name.split(".")[0] in ("viberbot", "requests")]
"""


def test_vibers_library_is_imported_where_viber_is_enabled_and_nowhere_else():
    subprocess.run([sys.executable, "-c", LAZY], check=True, timeout=60)
