"""What comes in from Viber: whose it is, what it means, and how the webhook is set."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from channels.viber.render import PRESSED, SHARED
from core.contract import (
    Chose,
    Delivery,
    Left,
    Outbound,
    Receipt,
    Refused,
    Returned,
    Said,
    SharedPhone,
    Started,
    Unreadable,
    Unsupported,
)
from core.testkit.gateway import webhook
from tests.simulators.viber_guests import Message
from tests.viber.around import bot, running, signed, told, until

pytestmark = pytest.mark.anyio


async def test_what_guests_do_is_understood(viber, channel, ana):
    def acts() -> None:
        ana.opens()
        ana.opens("cafe_bife")
        ana.says("Ćao 👋")
        ana.says("12")
        ana.writes("text", text=f"{PRESSED}language:sr", silent=True)
        ana.shares_contact("+381609999999", "Mila")
        ana.sends_sticker()
        ana.sends_picture("look")
        ana.sends_location()
        ana.writes("something new", it={"is": 1})
        ana.unsubscribes()
        ana.subscribes()

    found = told(viber, channel, acts)
    assert [event.content for event in found] == [
        Started(None),
        Started("cafe_bife"),
        Said("Ćao 👋"),
        Said("12"),
        Chose("language:sr"),
        SharedPhone("+381609999999", own=False),
        Unsupported("sticker"),
        Unsupported("picture"),
        Unsupported("location"),
        Unsupported("something new"),
        Left(),
        Returned(),
    ]
    first = found[0]
    assert (first.sender.address, first.sender.name) == (ana.id, "Ana M.")
    assert (first.sender.language, first.sender.phone) == ("sr", None)
    assert first.sent_at is not None
    assert abs((datetime.now(UTC) - first.sent_at).total_seconds()) < 60
    assert len({event.event_id for event in found}) == len(found)


async def test_who_is_not_subscribed_is_answered_in_the_response(viber, channel):
    stranger = viber.guest("Eva")
    (opened,) = told(viber, channel, stranger.opens)
    assert opened.reply_inline
    (said,) = told(viber, channel, lambda: stranger.says("hi"))
    assert not said.reply_inline
    (opened,) = told(viber, channel, stranger.opens)
    assert not opened.reply_inline, "subscribed by now: everything is sent, in its order"


async def test_what_became_of_messages_is_understood(viber, channel, ana):
    message = Message("5741311803571721087", "text", "hi", failed="message validation failed")

    def acts() -> None:
        viber.event_types = {"delivered", "seen", "failed"}
        for event in ("delivered", "seen", "failed"):
            viber.tell(ana, message, event)

    token = message.token
    assert told(viber, channel, acts) == [
        Receipt(event_id=f"delivered:{token}:{ana.id}", provider_id=token, status="delivered"),
        Receipt(event_id=f"seen:{token}:{ana.id}", provider_id=token, status="read"),
        Receipt(
            event_id=f"failed:{token}:{ana.id}",
            provider_id=token,
            status="failed",
            error="Viber: message validation failed",
        ),
    ]


@pytest.mark.parametrize("event", ["webhook", "client_status", "action", "payment", "new"])
async def test_what_is_not_for_us_is_nothing(viber, channel, event):
    assert told(viber, channel, lambda: viber.deliver(event, user={"id": "x"}, code=0)) == []


# -- a number that is the guest's own --------------------------------------------------------------


async def shared(viber, channel, ana, **contact):
    (event,) = told(viber, channel, lambda: ana.shares_contact(**contact))
    return event.content


async def asked(viber, channel, guest) -> str:
    """The words on the button that asks this guest for their number."""
    message = Outbound(text="Your phone?", ask_phone="📱 Share my number")
    await channel.send(Delivery(1, guest.id, message))
    (button,) = guest.last.buttons("share-phone")
    return str(button["ActionBody"])


async def test_a_number_that_answers_the_button_is_their_own(viber, channel, ana):
    await asked(viber, channel, ana)
    (event,) = told(viber, channel, lambda: ana.presses("📱 Share my number"))
    assert event.content == SharedPhone("+381601234567", own=True)


async def test_a_contact_of_the_address_book_is_not(viber, channel, ana):
    await asked(viber, channel, ana)
    contact = {"phone": "+381601234567", "name": ana.name}
    assert await shared(viber, channel, ana, **contact) == SharedPhone("+381601234567", own=False)


async def test_a_contact_that_somebody_else_shared_and_sent_on_is_not(viber, channel, ana):
    mila = viber.guest("Mila", phone="+381607654321", subscribed=True)
    words = await asked(viber, channel, mila)
    forwarded = await shared(viber, channel, ana, phone="+381607654321", text=words)
    assert forwarded == SharedPhone("+381607654321", own=False)


@pytest.mark.parametrize("text", [SHARED, f"{SHARED}x", f"{SHARED}.", "📱 Share my number"])
async def test_a_contact_with_words_that_we_did_not_sign_is_not(viber, channel, ana, text):
    await asked(viber, channel, ana)
    assert await shared(viber, channel, ana, phone="1", text=text) == SharedPhone("+1", own=False)


async def test_a_computer_has_no_number_to_share(viber, channel, ana):
    ana.desktop = True
    await asked(viber, channel, ana)
    (event,) = told(viber, channel, lambda: ana.presses("📱 Share my number"))
    assert event.content == Unsupported("share-phone without a number")


async def test_an_opened_link_of_ours_is_nobodys_word(viber, channel, ana):
    assert told(viber, channel, lambda: ana.says("https://malva.example/card/x")) == []
    for words in ("https://malva.example/card/x is mine", "https://elsewhere.example/"):
        (event,) = told(viber, channel, lambda words=words: ana.says(words))
        assert event.content == Said(words)


# -- what is not Viber's, or makes no sense --------------------------------------------------------


@pytest.mark.parametrize("given", [None, "", "0" * 64, "ключ", "x" * 10_000])
async def test_a_webhook_that_viber_did_not_sign_is_refused(channel, given):
    header = {} if given is None else {"x_viber_content_signature": given}
    with pytest.raises(Refused):
        channel.verify(webhook(b'{"event": "webhook"}', **header))


async def test_the_signature_is_of_the_raw_body_and_of_this_bot(viber, channel):
    body = '{"event":  "webhook", "x": "ć"}'.encode()
    channel.verify(signed(viber, body))
    for other in (
        webhook(body + b" ", x_viber_content_signature=viber.signature(body)),
        webhook(body, x_viber_content_signature=viber.signature(body, token="another")),
    ):
        with pytest.raises(Refused):
            channel.verify(other)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[1]", b"null", b"[" * 100_000, b"NaN"])
async def test_what_is_no_event_is_not_asked_for_again(channel, body):
    with pytest.raises(Unreadable) as unreadable:
        channel.parse(webhook(body))
    assert unreadable.value.tolerate


WHO = {"id": "jc9HsWTZ2Yf2NkRZ8KcNug=="}
BROKEN = [
    {"event": "message"},
    {"event": "message", "sender": WHO},
    {"event": "message", "sender": WHO, "message": "hi", "message_token": 1},
    {"event": "message", "sender": {"id": 5}, "message": {}, "message_token": 1},
    {"event": "message", "sender": {"id": "a b\n"}, "message": {}, "message_token": 1},
    {"event": "message", "sender": WHO, "message": {"type": "text", "text": "x"}},
    {"event": "conversation_started", "user": [], "message_token": 1},
    {"event": "subscribed", "message_token": 1},
    {"event": "unsubscribed", "user_id": None, "message_token": 1},
    {"event": "delivered", "user_id": WHO["id"], "message_token": 1.5},
    {"event": "seen", "user_id": WHO["id"], "message_token": True},
    {"event": "failed", "user_id": WHO["id"], "message_token": "x"},
]


@pytest.mark.parametrize("broken", BROKEN)
async def test_an_event_that_makes_no_sense_is_not_asked_for_again(channel, broken):
    with pytest.raises(Unreadable) as unreadable:
        channel.parse(webhook(json.dumps(broken).encode()))
    assert unreadable.value.tolerate


ODD = [
    ({"type": "text"}, Unsupported("text")),
    ({"type": "text", "text": "  "}, Unsupported("text")),
    ({"type": "text", "text": 5}, Unsupported("text")),
    ({"type": 5, "text": "x"}, Unsupported("nothing")),
    ({"type": "contact"}, Unsupported("contact")),
    ({"type": "contact", "contact": {"name": "x"}}, Unsupported("contact")),
    ({"type": "text", "text": "half \ud83d of one"}, Said("half ? of one")),
]


@pytest.mark.parametrize(("message", "content"), ODD)
async def test_an_odd_message_is_taken_as_far_as_it_goes(channel, message, content):
    document = {"event": "message", "sender": WHO, "message_token": 7, "message": message}
    document |= {"timestamp": 10**30, "silent": "?", "sender": {**WHO, "name": 5, "language": []}}
    (event,) = channel.parse(webhook(json.dumps(document).encode()))
    assert event.content == content
    assert (event.sender.name, event.sender.language, event.sent_at) == (None, None, None)


# -- the webhook -----------------------------------------------------------------------------------


async def test_the_link_that_opens_a_chat_names_the_bot(viber, channel):
    assert channel.join_link("cafe_bife") is None, "not known yet"
    async with running(channel):
        await until(lambda: channel.join_link("x"))
    assert channel.join_link("cafe_bife") == "viber://pa?chatURI=bifecoffee&context=cafe_bife"
    assert channel.join_link("a b&c") == "viber://pa?chatURI=bifecoffee&context=a%20b%26c"


async def test_a_webhook_that_is_refused_is_set_again_until_it_is_taken(
    viber, gateway, caplog, monkeypatch
):
    monkeypatch.setattr("channels.viber.SOON", 0.05)
    gateway.public_url = "http://127.0.0.1:9"
    viber.https_only = True
    async with running(bot(viber, gateway)):
        await until(lambda: len(viber.calls_of("set_webhook")) > 2)
    asked = viber.calls_of("set_webhook")[0].params
    assert asked["url"] == "http://127.0.0.1:9/channels/viber/webhook"
    assert set(asked["event_types"]) == viber.known_events() - {"message"}
    assert asked["send_name"]
    assert "https only" in caplog.text
    assert "Viber: status 1" in caplog.text
