"""How messages look on Telegram, and the card that is renewed in place."""

from __future__ import annotations

import pytest

from channels.telegram import Telegram
from core.contract import Delivery, Link, Option, Outbound, Picture, SendError
from core.pictures import draw
from tests.simulators.telegram_chats import Guest

pytestmark = pytest.mark.anyio


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
