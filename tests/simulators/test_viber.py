"""The simulated Viber, asked and read by Viber's own library."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiohttp import web
from viberbot.api.api_request_sender import ApiRequestSender
from viberbot.api.bot_configuration import BotConfiguration
from viberbot.api.message_sender import MessageSender
from viberbot.api.messages import ContactMessage, PictureMessage, TextMessage
from viberbot.api.viber_requests import (
    ViberConversationStartedRequest,
    ViberDeliveredRequest,
    ViberFailedRequest,
    ViberMessageRequest,
    ViberSeenRequest,
    ViberSubscribedRequest,
    ViberUnsubscribedRequest,
    create_request,
)

from tests.simulators import viber_rules as rules
from tests.simulators.viber import ViberSimulator
from tests.simulators.viber_guests import Guest

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 100


@pytest.fixture
def viber() -> Iterator[ViberSimulator]:
    with ViberSimulator() as simulator:
        simulator.picture = PNG
        yield simulator


@pytest.fixture
def ana(viber: ViberSimulator) -> Guest:
    return viber.guest("Ana", language="sr", phone="+381601234567", subscribed=True)


class Bot:
    """Viber's own library, whose calls block, and a webhook that keeps what it is told."""

    def __init__(self, viber: ViberSimulator) -> None:
        self.viber = viber
        known = BotConfiguration(viber.token, "BIFE", None)
        log = logging.getLogger("viberbot")
        self.api = ApiRequestSender(log, viber.url, known, "test")
        self.sender = MessageSender(log, self.api, known)
        self.told: list[Any] = []
        self.answers: list[web.Response] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        assert request.headers["X-Viber-Content-Signature"] == self.viber.signature(body)
        self.told.append(create_request(json.loads(body)))
        return self.answers.pop(0) if self.answers else web.Response()

    async def sends(self, guest: Guest, **message: Any) -> str:
        shown = TextMessage(**{"text": "hi", **message})
        token = await asyncio.to_thread(self.sender.send_message, guest.id, "BIFE", None, shown)
        return str(token)

    async def asks(self, method: str, **document: Any) -> dict[str, Any]:
        asked = {"auth_token": self.viber.token, "sender": {"name": "BIFE"}, **document}
        return await asyncio.to_thread(self.api.post_request, method, json.dumps(asked))


@pytest.fixture
async def bot(viber: ViberSimulator) -> AsyncIterator[Bot]:
    bot = Bot(viber)
    app = web.Application()
    app.router.add_post("/hook", bot.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    bot.url = "http://{}:{}/hook".format(*runner.addresses[0])
    await asyncio.to_thread(bot.api.set_webhook, bot.url)
    yield bot
    await runner.cleanup()


async def answered(viber: ViberSimulator, token: str) -> None:
    await asyncio.to_thread(viber.wait_answered, token)


# -- the webhook -----------------------------------------------------------------------------------


async def test_set_webhook_proves_the_address_before_it_answers(viber, bot) -> None:
    assert [request.event_type for request in bot.told] == ["webhook"]
    info = await asyncio.to_thread(bot.api.get_account_info)
    assert (info["uri"], info["webhook"]) == ("bifecoffee", bot.url)
    assert set(info["event_types"]) == viber.known_events()


async def test_an_address_that_does_not_answer_200_is_none(viber, bot) -> None:
    bot.answers = [web.Response(status=500)]
    for url in (bot.url, "http://127.0.0.1:9/hook"):
        with pytest.raises(Exception, match="failed with status: 1"):
            await asyncio.to_thread(bot.api.set_webhook, url)
    assert viber.webhook == bot.url, "the one of before stays"
    viber.https_only = True
    assert (await bot.asks("set_webhook", url=bot.url))["status"] == 1


async def test_without_a_webhook_nothing_is_sent(viber, bot, ana) -> None:
    await asyncio.to_thread(bot.api.set_webhook, "")
    with pytest.raises(Exception, match="failed with status: 10"):
        await bot.sends(ana)


async def test_it_knows_its_bot_and_no_other(viber, bot) -> None:
    assert (await bot.asks("get_account_info", auth_token="another"))["status"] == 2
    nobody = await bot.asks("get_account_info", auth_token="")
    assert (nobody["status"], nobody["status_message"]) == (2, "missing_auth_token")
    assert (await bot.asks("get_weather"))["status"] == 3


# -- events ----------------------------------------------------------------------------------------


async def test_every_event_is_one_that_vibers_library_reads(viber, bot, ana) -> None:
    viber.tells_names = True
    acts = [
        lambda: ana.opens("cafe_bife"),
        lambda: ana.says("hi"),
        lambda: ana.shares_contact("+381609999999", "Mila"),
        ana.sends_sticker,
        ana.sends_picture,
        ana.sends_location,
        ana.unsubscribes,
        ana.subscribes,
    ]
    for act in acts:
        await answered(viber, act())
    token = await bot.sends(ana)
    await viber.wait_until_async(lambda: len(bot.told) == len(acts) + 2)
    await answered(viber, ana.reads(ana.last))
    await viber.wait_until_async(lambda: len(bot.told) == len(acts) + 3)
    assert [type(request) for request in bot.told[1:]] == [
        ViberConversationStartedRequest,
        *[ViberMessageRequest] * 5,
        ViberUnsubscribedRequest,
        ViberSubscribedRequest,
        ViberDeliveredRequest,
        ViberSeenRequest,
    ]
    opened, said, contact = bot.told[1:4]
    assert (opened.context, opened.user.id, opened.subscribed) == ("cafe_bife", ana.id, True)
    assert (said.message.text, said.sender.name, said.sender.language) == ("hi", "Ana", "sr")
    assert isinstance(contact.message, ContactMessage)
    assert contact.message.contact.phone_number == "381609999999"
    assert {str(request.message_token) for request in bot.told[-2:]} == {token}
    assert len(token) == 19


async def test_names_are_told_to_who_asked_for_them(viber, bot, ana) -> None:
    await answered(viber, ana.says("hi"))
    await bot.asks("set_webhook", url=bot.url, send_name=True)
    await answered(viber, ana.says("hi"))
    told = [request.sender.name for request in bot.told if isinstance(request, ViberMessageRequest)]
    assert told == [None, "Ana"]


async def test_what_nobody_asked_for_is_not_told(viber, bot, ana) -> None:
    await bot.asks("set_webhook", url=bot.url, event_types=[])
    ana.opens()
    await bot.sends(ana)
    await answered(viber, ana.says("hi"))
    assert [request.event_type for request in bot.told[2:]] == ["message"]


async def test_an_event_without_a_200_comes_again(viber, bot, ana) -> None:
    bot.answers = [web.Response(status=500), web.Response(status=404)]
    await answered(viber, ana.says("hi"))
    assert len(bot.told) == 4
    assert len({request.message_token for request in bot.told[1:]}) == 1


async def test_events_come_twice_and_in_another_order(viber, bot, ana) -> None:
    viber.copies = 2
    with viber.out_of_order():
        first, second = ana.says("1"), ana.says("2")
    await answered(viber, first)
    await answered(viber, second)
    assert sorted(request.message.text for request in bot.told[1:]) == ["1", "1", "2", "2"]
    assert bot.told[1].message.text == "2"


async def test_receipts_can_come_before_the_answer(viber, bot, ana) -> None:
    viber.early = True
    token = await bot.sends(ana)
    assert [str(request.message_token) for request in bot.told[1:]] == [token]


# -- who can be written to -------------------------------------------------------------------------


async def test_a_welcome_rides_in_the_response_and_subscribes_nobody(viber, bot) -> None:
    eva = viber.guest("Eva")
    welcome = {"type": "text", "text": "Welcome!", "sender": {"name": "BIFE"}}
    bot.answers = [web.json_response(welcome), web.json_response({"type": "text"})]
    for _ in range(2):
        await answered(viber, eva.opens())
    assert [(message.text, message.welcome) for message in eva.messages] == [("Welcome!", True)]
    with pytest.raises(Exception, match="failed with status: 6"):
        await bot.sends(eva)
    await answered(viber, eva.says("hi"))
    await bot.sends(eva)
    eva.registered = False
    with pytest.raises(Exception, match="failed with status: 5"):
        await bot.sends(eva)


async def test_a_hundred_messages_without_an_answer_are_the_most(viber, bot, ana) -> None:
    ana.unanswered = [time.monotonic()] * rules.UNANSWERED
    with pytest.raises(Exception, match="failed with status: 12"):
        await bot.sends(ana)
    await answered(viber, ana.says("hi"))
    await bot.sends(ana)


# -- messages --------------------------------------------------------------------------------------


def keyboard(**button: Any) -> dict[str, Any]:
    return {"Type": "keyboard", "Buttons": [{"ActionBody": "x", "Text": "One", **button}]}


REFUSED = {
    "no text": (4, {"type": "text"}),
    "too long a text": (3, {"type": "text", "text": "x" * 7001}),
    "no picture": (4, {"type": "picture", "text": ""}),
    "too long a caption": (3, {"type": "picture", "text": "x" * 513, "media": "http://x/y.png"}),
    "a picture's address without a name": (
        3,
        {"type": "picture", "text": "", "media": "http://x/y"},
    ),
    "nobody it is from": (4, {"type": "text", "text": "x", "sender": {}}),
    "too long a name": (3, {"type": "text", "text": "x", "sender": {"name": "x" * 29}}),
    "more than 30 KB": (3, {"type": "text", "text": "x", "tracking_data": "x" * 30_000}),
    "another kind": (3, {"type": "poll"}),
    "no keyboard's type": (3, {"type": "text", "text": "x", "keyboard": {"Buttons": [{}]}}),
    "seven columns": (3, {"type": "text", "text": "x", "keyboard": keyboard(Columns=7)}),
    "no action's body": (4, {"type": "text", "text": "x", "keyboard": keyboard(ActionBody="")}),
    "no such action": (3, {"type": "text", "text": "x", "keyboard": keyboard(ActionType="wink")}),
    "no address": (3, {"type": "text", "text": "x", "keyboard": keyboard(ActionType="open-url")}),
    "a button of later": (
        14,
        {"type": "text", "text": "x", "keyboard": keyboard(ActionType="share-phone")},
    ),
    "a newer app": (13, {"type": "text", "text": "x", "min_api_version": 99}),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_viber_does_not_take(viber, bot, ana, what: str) -> None:
    status, message = REFUSED[what]
    answer = await bot.asks("send_message", receiver=ana.id, **message)
    assert answer["status"] == status
    assert ana.everything == []


async def test_what_the_app_can_not_show_has_failed(viber, bot, ana) -> None:
    high = {"Type": "keyboard", "Buttons": [{"ActionBody": "x", "Text": "x"}] * 13}
    await bot.sends(ana, keyboard=high)
    picture = PictureMessage(media="http://127.0.0.1:9/x.png", text="")
    await asyncio.to_thread(bot.sender.send_message, ana.id, "BIFE", None, picture)
    await viber.wait_until_async(lambda: len(bot.told) == 3)
    assert all(isinstance(request, ViberFailedRequest) for request in bot.told[1:])
    assert ana.messages == []


async def test_a_picture_is_fetched(viber, bot, ana) -> None:
    picture = PictureMessage(media=f"{viber.url}/signed/x.png", text="look")
    await asyncio.to_thread(bot.sender.send_message, ana.id, "BIFE", None, picture)
    assert (ana.last.kind, ana.last.text, ana.last.picture) == ("picture", "look", PNG)


async def test_what_the_guest_sees_and_presses(viber, bot, ana) -> None:
    buttons = [
        {"Columns": 3, "Text": "&lt;b&gt;One&lt;/b&gt;", "ActionBody": "1", "Silent": True},
        {"Columns": 3, "Text": "<b>Two</b>", "ActionBody": "2"},
        {"Text": "Site", "ActionType": "open-url", "ActionBody": "https://bife.example/"},
        {"Text": "Number", "ActionType": "share-phone", "ActionBody": "asked"},
    ]
    shown = {"Type": "keyboard", "Buttons": buttons}
    viber.event_types = set()
    await bot.sends(ana, keyboard=shown, min_api_version=3)
    await bot.sends(ana, text="no keyboard of its own")
    assert ana.messages[0].rows == [["<b>One</b>", "Two"], ["Site"], ["Number"]]
    for label in ("<b>One</b>", "Site", "Number"):
        await answered(viber, ana.presses(label))
    one, site, number = bot.told[1:]
    assert (one.message.text, one.silent) == ("1", True)
    assert site.message.text == "https://bife.example/"
    assert number.message.contact.phone_number == "381601234567"
    ana.desktop = True
    await answered(viber, ana.presses("Number"))
    assert bot.told[-1].message.text == "asked"
    with pytest.raises(AssertionError, match="sees no button"):
        ana.presses("Three")
