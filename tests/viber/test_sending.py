"""How a message looks on Viber."""

from __future__ import annotations

import json

import pytest

from channels.viber import Viber
from core.contract import Delivery, Link, Option, Outbound, Picture
from core.pictures import draw
from tests.simulators import viber_rules as rules
from tests.simulators.viber_guests import Guest, Message

pytestmark = pytest.mark.anyio

MENU = (
    (Option("card", "☕ My card"), Option("points", "🏆 Points")),
    (Option("settings", "⚙️ Settings"),),
)
NOTICE = Link("Privacy notice", "https://malva.example/privacy")


async def shown(channel: Viber, guest: Guest, **message) -> Message:
    sent = await channel.send(Delivery(1, guest.id, Outbound(**message)))
    assert sent.provider_id == guest.last.token
    return guest.last


async def test_it_comes_from_the_business(viber, channel, ana):
    await shown(channel, ana, text="Hi")
    (call,) = viber.calls_of("send_message")
    assert call.params["sender"] == {"name": "BIFE"}
    assert call.token == viber.token
    assert viber.token not in call.body.decode()


async def test_options_are_buttons_in_their_rows(channel, ana):
    message = await shown(channel, ana, text="How can I help?", options=MENU, menu=True)
    assert message.rows == [["☕ My card", "🏆 Points"], ["⚙️ Settings"]]
    assert [button["ActionBody"] for button in message.buttons("reply")] == [
        "malva:card",
        "malva:points",
        "malva:settings",
    ]
    assert all(button["Silent"] for button in message.buttons("reply"))


async def test_a_keyboard_stays_until_another_comes(channel, ana):
    await shown(channel, ana, text="How can I help?", options=MENU, menu=True)
    await shown(channel, ana, text="+85 points")
    assert ana.presses("🏆 Points")


@pytest.mark.parametrize(
    ("sizes", "laid_out"),
    [
        ((1,), [1]),
        ((2, 1), [2, 1]),
        ((3, 1), [3, 1]),
        ((4, 1), [2, 2, 1]),
        ((5,), [2, 2, 1]),
        ((1,) * 12, [1] * 12),
        ((1,) * 20, [2] * 10),
    ],
)
async def test_rows_fill_the_width_and_fit_on_a_phone(channel, ana, sizes, laid_out):
    rows = tuple(
        tuple(Option(f"{n}:{m}", f"Option {n} {m}") for m in range(size))
        for n, size in enumerate(sizes)
    )
    message = await shown(channel, ana, text="Which?", options=rows)
    assert [len(row) for row in message.rows] == laid_out
    assert message.labels == [option.label for row in rows for option in row]
    assert all(sum(b["Columns"] for b in row) == 6 for row in rules.rows(message.keyboard))


async def test_a_phone_is_asked_for_with_one_tap(channel, ana):
    options = ((Option("phone:skip", "Skip"), Option("back", "Back")),)
    message = await shown(channel, ana, text="Phone?", ask_phone="📱 Share", options=options)
    assert message.rows == [["📱 Share"], ["Skip", "Back"]]
    assert message.labelled("share-phone") == ["📱 Share"]


async def test_an_address_of_ours_is_a_button_beside_options(channel, ana):
    options = ((Option("language:en", "English"),),)
    elsewhere = Link("Telegram", "https://t.me/bife_bot?start=link_ABC")
    message = await shown(channel, ana, text="Hi", options=options, links=(NOTICE, elsewhere))
    assert message.rows == [["English"], ["Privacy notice"]]
    assert message.labelled("open-url") == ["Privacy notice"]
    assert message.text == "Hi\n\nTelegram: https://t.me/bife_bot?start=link_ABC"


@pytest.mark.parametrize("more", [{}, {"options": MENU, "menu": True}])
async def test_a_link_takes_no_keyboard_away(channel, ana, more):
    message = await shown(channel, ana, text="Hi", links=(NOTICE,), **more)
    assert message.text == "Hi\n\nPrivacy notice: https://malva.example/privacy"
    assert message.labelled("open-url") == []


@pytest.mark.parametrize(
    "text", ["<b>Ana</b> & co", "</font>", "&lt;", "שלום", "👨‍👩‍👧‍👦", "\"'", "a\0b"]
)
async def test_markup_is_shown_as_it_is_written(channel, ana, text):
    message = await shown(channel, ana, text=text, options=((Option("name:offered", text),),))
    assert (message.text, message.labels) == (text, [text])


async def test_a_text_that_is_too_long_comes_in_parts_with_the_keyboard_last(channel, ana):
    text = "\n".join(f"line {n} " + "word " * 15 for n in range(200))
    message = Outbound(text=text, options=MENU)
    sent = await channel.send(Delivery(1, ana.id, message))
    assert sent.provider_id == ana.messages[0].token
    assert [bool(part.keyboard) for part in ana.messages] == [False, False, True]
    assert " ".join(part.text for part in ana.messages).split() == text.split()


@pytest.mark.parametrize("character", ["☕", "👩‍👩‍👧‍👦", "\x01"])
async def test_a_request_stays_below_30_kb(viber, channel, ana, character):
    options = tuple((Option(f"cafe:{n}", "Ž" * 60),) for n in range(20))
    text = character * (7000 // len(character))
    await channel.send(Delivery(1, ana.id, Outbound(text=text, options=options)))
    assert "".join(part.text for part in ana.messages) == text
    assert all(len(call.body) < rules.REQUEST for call in viber.calls_of("send_message"))


# -- the card --------------------------------------------------------------------------------------


@pytest.fixture
def picture(viber) -> Picture:
    viber.picture = draw("MALVA1.x.123456")
    return Picture(draw("MALVA1.x.123456"), "Your card", f"{viber.url}/media/signed.png")


async def test_a_card_is_one_message_with_its_options_and_the_live_card(channel, ana, picture):
    live = Link("Live card", "https://malva.example/card/x", app=True)
    options = ((Option("card", "Refresh"), Option("menu", "Menu")),)
    await channel.send(
        Delivery(1, ana.id, Outbound(text="1 2", picture=picture, options=options, links=(live,)))
    )
    (message,) = ana.everything
    assert (message.kind, message.text, message.media) == ("picture", "1 2", picture.url)
    assert message.rows == [["Refresh", "Menu"], ["Live card"]]


async def test_a_picture_with_too_much_to_say_is_followed_by_the_rest(channel, ana, picture):
    text = "The card. " + "word " * 200
    sent = await channel.send(
        Delivery(1, ana.id, Outbound(text=text, picture=picture, options=MENU))
    )
    first, rest = ana.everything
    assert sent.provider_id == first.token
    assert (first.kind, rest.kind) == ("picture", "text")
    assert len(first.text) <= 512
    assert (first.labels, len(rest.labels)) == ([], 3)
    assert f"{first.text} {rest.text}".split() == text.split()


# -- in the response -------------------------------------------------------------------------------


async def test_a_welcome_is_a_message_to_nobody_in_particular(channel):
    options = ((Option("language:en", "English"),),)
    message = Outbound(text="Hi", options=options, links=(NOTICE,), ask_phone="Share")
    body, content_type = channel.render_inline(message)
    document = json.loads(body)
    assert content_type == "application/json"
    rules.check_message(document)
    assert (document["type"], document["text"]) == (
        "text",
        "Hi\n\nPrivacy notice: https://malva.example/privacy",
    )
    assert document["sender"] == {"name": "BIFE"}
    assert "receiver" not in document
    assert [button["Text"] for button in document["keyboard"]["Buttons"]] == ["English"]


async def test_a_welcome_is_one_message_however_much_there_is_to_say(channel):
    body, _ = channel.render_inline(Outbound(text="word " * 3000, options=MENU))
    document = json.loads(body)
    rules.check_message(document)
    assert len(document["keyboard"]["Buttons"]) == 3
