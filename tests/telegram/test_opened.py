"""Who opened a page inside Telegram: only Telegram's own word counts, and only for an hour."""

from __future__ import annotations

import json
import time
from urllib.parse import parse_qsl, urlencode

import pytest

from core.testkit.gateway import OneGateway
from malva import OpensPages
from tests.simulators.telegram import TelegramSimulator
from tests.telegram.around import bot, running

pytestmark = pytest.mark.anyio

HOUR = 3600


def ago(seconds: int) -> int:
    return int(time.time()) - seconds


async def test_telegram_tells_who_looks(channel, ana):
    assert isinstance(channel, OpensPages)
    viewer = channel.viewer(ana.web_app_data(query_id="AAF", start_param="x"))
    assert (viewer.address, viewer.language) == (str(ana.user["id"]), "sr")


@pytest.mark.parametrize("age", [0, HOUR - 60, -30])
async def test_its_word_is_good_for_an_hour(channel, ana, age):
    assert channel.viewer(ana.web_app_data(ago(age)))


@pytest.mark.parametrize("age", [HOUR + 60, 30 * 24 * HOUR, 50 * 365 * 24 * HOUR, -120, -(10**9)])
async def test_older_or_of_the_future_it_is_nobody_s(channel, ana, age):
    assert channel.viewer(ana.web_app_data(ago(age))) is None


@pytest.mark.parametrize("when", [" ", "soon", "9" * 400, "1e9", "-1"])
async def test_a_time_that_is_none_is_refused(channel, ana, when):
    assert channel.viewer(signed(ana, auth_date=when)) is None


@pytest.mark.parametrize("user", ["", "{}", "[]", "null", '{"id": "x"}', '{"id": null}', "{" * 99])
async def test_signed_but_of_nobody_is_refused(channel, ana, user):
    assert channel.viewer(signed(ana, user=user)) is None


async def test_whatever_was_changed_is_refused(channel, ana, telegram):
    data = ana.web_app_data()
    mila = telegram.guest(first_name="Mila")
    fields = dict(parse_qsl(data))
    forged = {**fields, "user": json.dumps({"id": mila.user["id"], "first_name": "Mila"})}
    for changed in (forged, {**fields, "extra": "1"}, {**fields, "auth_date": str(ago(1))}):
        assert channel.viewer(urlencode(changed)) is None
    assert channel.viewer(f"{data}&user={forged['user']}") is None
    assert channel.viewer(data.replace("hash=", "hash=0")) is None


async def test_another_bot_s_word_is_not_ours(channel, ana, gateway):
    with TelegramSimulator() as elsewhere:
        elsewhere.token = "654321:another-bot-s-token-of-telegram"
        theirs = elsewhere.guest(id=ana.user["id"], first_name="Ana").web_app_data()
    assert channel.viewer(theirs) is None


@pytest.mark.parametrize(
    "data",
    ["", "hash", "hash=", "user=1", "hash=é&a=b", "%ff=%00&hash=1", "a=\ud800&hash=1", "&" * 99],
)
async def test_what_is_no_init_data_is_refused(channel, data):
    assert channel.viewer(data) is None


def signed(ana, **fields) -> str:
    return ana.web_app_data(**fields)


# -- the button beside the input line --------------------------------------------------------------


async def test_the_card_is_offered_beside_the_input_line(channel, telegram):
    async with running(channel):
        await telegram.wait_until_async(lambda: telegram.menu_buttons)
    button = telegram.menu_buttons[0]
    assert button["web_app"] == {"url": "https://malva.example/card"}
    assert button["text"] == "☕ BIFE"


@pytest.mark.parametrize("url", ["http://malva.example", "https://localhost:8000"])
async def test_not_where_telegram_would_not_open_it(telegram, gateway, url):
    elsewhere = OneGateway("telegram", gateway.http, url)
    async with running(bot(telegram, elsewhere)):
        await telegram.wait_until_async(lambda: telegram.calls_of("getUpdates"))
        await telegram.wait_until_async(lambda: len(telegram.calls_of("setMyCommands")) == 3)
    assert telegram.menu_buttons == {}
