"""The WhatsApp adapter beside a simulated Twilio: what comes in, how it looks, what fails how."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from pydantic import ValidationError

from channels.whatsapp import Settings, WhatsApp
from core.contract import (
    Chose,
    Delivery,
    Inbound,
    Left,
    Link,
    Option,
    Outbound,
    Picture,
    Receipt,
    Refused,
    Request,
    Said,
    Sender,
    SendError,
    Started,
    Unreadable,
    Unsupported,
)
from core.testkit.gateway import ImpatientWire, OneGateway
from tests.simulators.twilio import TwilioSimulator
from tests.simulators.twilio_guests import Guest

pytestmark = pytest.mark.anyio

HOOK = "https://malva.example/channels/whatsapp/webhook"
SID = "SM" + "0" * 32


@pytest.fixture
def twilio() -> Iterator[TwilioSimulator]:
    with TwilioSimulator() as simulator:
        yield simulator


@pytest.fixture
async def gateway() -> AsyncIterator[OneGateway]:
    wire = ImpatientWire()
    yield OneGateway("whatsapp", wire)
    await wire.close()


@pytest.fixture
def ana(twilio: TwilioSimulator) -> Guest:
    guest = twilio.guest()
    guest.heard_at = twilio.clock()
    return guest


def sender(twilio: TwilioSimulator, gateway: OneGateway, **more) -> WhatsApp:
    given = {
        "account_sid": twilio.account_sid,
        "auth_token": twilio.auth_token,
        "from": twilio.sender,
        "api_base": twilio.url,
        "content_base": twilio.url,
    }
    return WhatsApp(Settings.model_validate({**given, **more}), gateway)


@pytest.fixture
def channel(twilio: TwilioSimulator, gateway: OneGateway) -> WhatsApp:
    return sender(twilio, gateway)


def to(guest: Guest, message: Outbound, **more) -> Delivery:
    return Delivery(1, guest.address, message, **more)


def options(*labels: str) -> tuple[tuple[Option, ...], ...]:
    return tuple((Option(f"v:{label}", label),) for label in labels)


# -- what comes in ---------------------------------------------------------------------------------


def form(**fields: str) -> dict[str, str]:
    """A text as Twilio sends it (https://www.twilio.com/docs/messaging/guides/webhook-request)."""
    common = {
        "MessageSid": SID,
        "SmsStatus": "received",
        "From": "whatsapp:+381601234567",
        "To": "whatsapp:+381600000000",
        "WaId": "381601234567",
        "ExternalUserId": "whatsapp:RS.4566546130240823",
        "ProfileName": "Ana",
        "NumMedia": "0",
        "Body": "",
        "AddedUnannounced": "x",
    }
    return {**common, **fields}


def signed(channel: WhatsApp, fields: dict[str, str], url: str = HOOK, **headers: str) -> Request:
    signature = TwilioSimulator().signature(url, fields)
    body = urlencode(fields).encode()
    return Request("POST", HOOK, {"x-twilio-signature": signature, **headers}, {}, body)


def understood(channel: WhatsApp, **fields: str):
    request = signed(channel, form(**fields))
    channel.verify(request)
    (event,) = channel.parse(request)
    return event


CONTENTS = {
    "a text": ({"Body": "Dobar dan ☕ & ё"}, Said("Dobar dan ☕ & ё")),
    "a forwarded text": ({"Body": "hi", "Forwarded": "true"}, Said("hi")),
    "from an ad": ({"Body": "hi", "ReferralSourceId": "1", "ReferralBody": "x"}, Said("hi")),
    "a button": ({"ButtonPayload": "card", "ButtonText": "My card", "Body": "x"}, Chose("card")),
    "a list's item": (
        {"ListId": "cafe:bife", "ListTitle": "BIFE", "Body": "x"},
        Chose("cafe:bife"),
    ),
    "a button without a payload": ({"ButtonText": "Yes"}, Said("Yes")),
    "a place": ({"Latitude": "44.8", "Longitude": "20.4"}, Unsupported("location")),
    "a picture": (
        {"NumMedia": "1", "MediaContentType0": "image/jpeg", "Body": "look"},
        Unsupported("image/jpeg"),
    ),
    "something new": ({"MessageType": "poll"}, Unsupported("poll")),
    "nothing at all": ({}, Unsupported("nothing")),
    "STOP that Twilio handles": ({"Body": "STOP", "OptOutType": "STOP"}, Left()),
    "stop that it doesn't": ({"Body": "stop"}, Said("stop")),
    "START": ({"Body": "START", "OptOutType": "START"}, Started(None)),
}


@pytest.mark.parametrize("what", CONTENTS)
async def test_what_a_guest_did(channel, what):
    fields, content = CONTENTS[what]
    ana = Sender("whatsapp:+381601234567", name="Ana", phone="+381601234567")
    assert understood(channel, **fields) == Inbound(event_id=SID, sender=ana, content=content)


async def test_a_sender_without_a_number_is_who_twilio_says(channel):
    event = understood(channel, Body="hi", From="whatsapp:US.13491208655302741918", WaId="")
    assert event.sender == Sender("whatsapp:US.13491208655302741918", name="Ana", phone=None)


async def test_an_sms_to_the_same_number_is_not_for_us(channel):
    assert channel.parse(signed(channel, form(From="+381601234567", Body="hi"))) == []


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        ("start cafe_bife", "cafe_bife"),
        ("Start cafe_bife!", "cafe_bife"),
        ("cafe_bife", "cafe_bife"),
        ("Zdravo! start cafe_bife hvala", "cafe_bife"),
        ("«start cafe_novi-sad»", "cafe_novi-sad"),
        ("start link_K7QM4XPD", "link_K7QM4XPD"),
        ("start xyz", "xyz"),
        ("start", None),
    ],
)
async def test_a_join_links_text_however_it_was_edited(channel, text, payload):
    assert understood(channel, Body=text).content == Started(payload)


@pytest.mark.parametrize("text", ["restart cafe", "starting", "ana_marija", "a" * 500 + " cafe_x"])
async def test_what_is_no_join_link_stays_a_text(channel, text):
    assert understood(channel, Body=text).content == Said(text)


@pytest.mark.parametrize("payload", ["cafe_bife", "link_K7QM4XPD", "a-b_C9"])
async def test_the_join_link_brings_its_payload(channel, payload):
    url = urlsplit(channel.join_link(payload))
    assert (url.netloc, url.path) == ("wa.me", "/381600000000")
    (text,) = parse_qs(url.query)["text"]
    assert understood(channel, Body=text).content == Started(payload)


STATUSES = {
    "sent": ("sent", {}),
    "delivered": ("delivered", {}),
    "read": ("read", {}),
    "failed": ("failed", {}),
    "undelivered": ("failed", {}),
}


@pytest.mark.parametrize("status", STATUSES)
async def test_what_became_of_a_message(channel, status):
    event = understood(channel, SmsStatus=status, MessageStatus=status)
    expected, more = STATUSES[status]
    assert event == Receipt(event_id=f"{SID}:{status}", provider_id=SID, status=expected, **more)


CODES = {
    63012: {"retryable": True},
    63017: {"retryable": True},
    63018: {"retryable": True},
    63016: {"window_closed": True},
    21610: {"contact_gone": True},
    63003: {"contact_gone": True},
    63024: {"contact_gone": True},
    63032: {},
    63041: {},
    63049: {},
    12345: {},
}


@pytest.mark.parametrize("code", CODES)
async def test_why_a_message_failed_afterwards(channel, code):
    event = understood(channel, MessageStatus="undelivered", ErrorCode=str(code))
    assert event == Receipt(
        event_id=f"{SID}:undelivered",
        provider_id=SID,
        status="failed",
        error=f"Twilio: {code}",
        **CODES[code],
    )


@pytest.mark.parametrize("status", ["accepted", "queued", "sending", "scheduled", "of_2027"])
async def test_what_comes_before_a_message_is_sent_tells_nothing(channel, status):
    assert channel.parse(signed(channel, form(MessageStatus=status))) == []


# -- the signature ---------------------------------------------------------------------------------


async def test_the_signature_is_over_the_configured_address_and_the_form(channel):
    channel.verify(signed(channel, form(Body="čaj & коfe=1+1")))
    with_query = replace(signed(channel, form(), HOOK + "?a=b"), url=HOOK + "?a=b")
    channel.verify(with_query)


async def test_a_request_that_is_not_twilios_is_refused(channel):
    good = signed(channel, form(Body="hi"))
    forged = [
        replace(good, headers={}),
        replace(good, headers={"x-twilio-signature": ""}),
        replace(good, headers={"x-twilio-signature": "ž"}),
        replace(good, body=good.body.replace(b"Body=hi", b"Body=ho")),
        replace(good, body=good.body + b"&Body=ho"),
        replace(good, body=b"\xff\xfe"),
        replace(good, body=b"&".join(b"a=%d" % n for n in range(5000))),
        replace(good, url="https://elsewhere.example/channels/whatsapp/webhook"),
    ]
    for request in forged:
        with pytest.raises(Refused):
            channel.verify(request)


async def test_a_form_without_a_sid_is_unreadable(channel):
    with pytest.raises(Unreadable):
        channel.parse(signed(channel, {"From": "whatsapp:+381601234567"}))


# -- how it looks ----------------------------------------------------------------------------------


async def test_up_to_three_options_are_buttons(channel, ana):
    sent = await channel.send(to(ana, Outbound(text="Which?", options=options("Yes", "No"))))
    assert (ana.last.sid, ana.last.kind) == (sent.provider_id, "quick-reply")
    assert (ana.last.text, ana.last.buttons) == ("Which?", [("Yes", "v:Yes"), ("No", "v:No")])


async def test_up_to_ten_are_a_list(channel, ana):
    labels = [f"Option {n}" for n in range(10)]
    await channel.send(to(ana, Outbound(text="Which?", language="sr", options=options(*labels))))
    assert (ana.last.kind, ana.last.labels) == ("list-picker", labels)
    (content,) = ana.twilio.contents.known.values()
    assert content["types"]["twilio/list-picker"]["button"] == "Izaberi"


async def test_a_label_that_is_too_long_makes_a_list_then_numbers(channel, ana):
    await channel.send(to(ana, Outbound(text="Which?", options=options("x" * 21, "No"))))
    assert ana.last.kind == "list-picker"
    await channel.send(to(ana, Outbound(text="Which?", options=options("x" * 25, "No"))))
    assert (ana.last.kind, ana.last.text) == ("text", f"Which?\n\n1. {'x' * 25}\n2. No")


async def test_twilio_is_told_a_wording_once(twilio, gateway, channel, ana):
    asked = Outbound(text="Which?", options=options("Yes", "No"))
    for text in ("Which?", "And now?", "And now? " * 30):
        await channel.send(to(ana, replace(asked, text=text)))
    await sender(twilio, gateway).send(to(ana, asked))  # after a restart
    assert len(twilio.contents.known) == 1
    await channel.send(to(ana, replace(asked, language="sr")))
    await channel.send(to(ana, replace(asked, options=options("Yes", "No", "Back"))))
    assert len(twilio.contents.known) == 3
    assert [message.labels for message in ana.messages[:4]] == [["Yes", "No"]] * 4


async def test_a_guests_name_is_no_wording(twilio, channel, ana):
    for name in ("Ana", "Мила", "Jovan"):
        named = (Option("name:offered", name, personal=True), Option("back", "Back"))
        await channel.send(to(ana, Outbound(text="Your name?", options=(named,))))
        assert ana.last.buttons == [(name, "name:offered"), ("Back", "back")]
    (content,) = twilio.contents.known.values()
    assert "Ana" not in json.dumps(content, ensure_ascii=False)


async def test_where_the_content_api_refuses_options_are_numbered(twilio, gateway, channel, ana):
    twilio.contents.refuses = True
    asked = Outbound(text="Which?", options=options("Yes", "No"))
    for _ in range(3):
        await channel.send(to(ana, asked))
        assert (ana.last.kind, ana.last.text) == ("text", "Which?\n\n1. Yes\n2. No")
    assert len(twilio.calls_of("content")) == 1, "it is left alone for a while"
    twilio.contents.refuses = False
    gateway.ahead += timedelta(minutes=2)
    await channel.send(to(ana, asked))
    assert ana.last.kind == "quick-reply"


async def test_content_that_somebody_deleted_is_made_anew(twilio, channel, ana):
    asked = Outbound(text="Which?", options=options("Yes", "No"))
    await channel.send(to(ana, asked))
    twilio.contents.known.clear()
    await channel.send(to(ana, asked))
    assert ana.last.text == "Which?\n\n1. Yes\n2. No"
    await channel.send(to(ana, asked))
    assert ana.last.kind == "quick-reply"


async def test_links_are_written_out_and_long_texts_come_in_parts(channel, ana):
    link = Link("Live card", "https://malva.example/card/x")
    await channel.send(to(ana, Outbound(text="Here.", links=(link,))))
    assert ana.last.text == "Here.\n\nLive card: https://malva.example/card/x"
    words = " ".join(["kafa"] * 700)
    await channel.send(to(ana, Outbound(text=words, options=options("Yes"))))
    *parts, last = ana.messages[1:]
    assert " ".join(message.text for message in [*parts, last]) == words
    assert [message.kind for message in parts] == ["text"] * len(parts)
    assert last.labels == ["Yes"]


async def test_a_picture_goes_by_its_address_and_its_buttons_below(channel, ana, twilio):
    picture = Picture(png=b"", alt="Your card: 123 456", url=f"{twilio.url}/none")
    card = Outbound(
        text="Your card: 123 456",
        picture=picture,
        links=(Link("Live card", "https://malva.example/card/x"),),
        options=options("Refresh"),
    )
    await channel.send(to(ana, card))
    shown, below = twilio.sent
    assert (shown.kind, shown.text, shown.media_url) == ("media", card.text, picture.url)
    assert below.text == "Live card: https://malva.example/card/x"
    assert below.labels == ["Refresh"]


async def test_every_message_asks_for_its_callbacks(channel, ana, twilio):
    await channel.send(to(ana, Outbound(text="hi")))
    assert ana.last.callback == HOOK


# -- outside the window ----------------------------------------------------------------------------

EARNED = Outbound(
    text="☕ BIFE: +85 points",
    kind="points_earned",
    variables={"cafe": "BIFE", "points": "+85 points", "because": "a\n b", "reward": ""},
)


@pytest.fixture
def template(twilio: TwilioSimulator) -> str:
    return twilio.contents.template("At {{1}} you got {{points}} ({{because}}).")


@pytest.mark.parametrize("late_window", [True, False])
async def test_outside_the_window_the_template_of_kind_and_language(
    twilio, gateway, ana, template, late_window
):
    twilio.late_window = late_window
    ana.heard_at = None
    channel = sender(twilio, gateway, templates={"points_earned": {"en": template}})
    await channel.send(to(ana, EARNED, window_open=False))
    assert ana.last.kind == "template"
    assert ana.last.text == "At BIFE you got +85 points (a b)."
    for other in (replace(EARNED, language="sr"), replace(EARNED, kind="reply")):
        with pytest.raises(SendError) as failed:
            await channel.send(to(ana, other, window_open=False))
        assert failed.value.window_closed
    assert len(twilio.calls_of("messages")) == 1


async def test_the_providers_clock_wins(twilio, gateway, ana, template):
    twilio.late_window = False
    ana.heard_at = None
    channel = sender(twilio, gateway, templates={"points_earned": {"en": template}})
    await channel.send(to(ana, EARNED, window_open=True))
    assert ana.last.kind == "template"
    with pytest.raises(SendError) as failed:
        await channel.send(to(ana, Outbound(text="hi"), window_open=True))
    assert failed.value.window_closed


# -- what fails ------------------------------------------------------------------------------------

RETRY = {"retryable": True}
AFTER_A_PAUSE = {"retryable": True, "channel_wide": True}
UNCERTAIN = {"retryable": True, "uncertain": True}


def twilio_says(code: int, status: int = 400):
    body = json.dumps({"code": code, "message": "to whatsapp:+381601234567", "status": status})
    return lambda t: t.fail("messages", status, body=body)


FAULTS = {
    "429 with its seconds": (
        lambda t: t.fail("messages", 429, retry_after=7),
        {**AFTER_A_PAUSE, "retry_after": 7},
    ),
    "20429": (twilio_says(20429, 429), {**AFTER_A_PAUSE, "retry_after": 5}),
    "63018": (twilio_says(63018), {**AFTER_A_PAUSE, "retry_after": 5}),
    "63012": (twilio_says(63012), RETRY),
    "63017": (twilio_says(63017), RETRY),
    "63016": (twilio_says(63016), {"window_closed": True}),
    "21610": (twilio_says(21610), {"contact_gone": True}),
    "63003": (twilio_says(63003), {"contact_gone": True}),
    "63024": (twilio_says(63024), {"contact_gone": True}),
    **{str(code): (twilio_says(code), {}) for code in (63032, 63041, 63049, 21655, 21656, 21211)},
    "our token": (twilio_says(20003, 401), {**AFTER_A_PAUSE, "retry_after": 60}),
    "our account": (twilio_says(20404, 404), {**AFTER_A_PAUSE, "retry_after": 60}),
    "500": (lambda t: t.fail("messages", 500), RETRY),
    "a proxy's page": (lambda t: t.fail("messages", 502, html=True), RETRY),
    "a page that says 200": (lambda t: t.fail("messages", 200, html=True), UNCERTAIN),
    "no JSON we know": (lambda t: t.fail("messages", 201, body="[]"), UNCERTAIN),
    "an error without words": (lambda t: t.fail("messages", 400, body="{}"), {}),
    "a code that is no number": (lambda t: t.fail("messages", 400, body='{"code": "x"}'), {}),
    "time-out": (lambda t: t.hang("messages"), UNCERTAIN),
    "reset": (lambda t: t.reset("messages"), UNCERTAIN),
    "no answer": (lambda t: t.drop_answer("messages"), UNCERTAIN),
    "nobody there": (lambda t: t.stop(), RETRY),
}


def said_of(error: SendError) -> dict:
    names = (
        "retryable",
        "retry_after",
        "channel_wide",
        "contact_gone",
        "window_closed",
        "uncertain",
    )
    return {name: getattr(error, name) for name in names if getattr(error, name)}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_an_error_means(twilio, channel, ana, caplog, fault):
    caplog.set_level(logging.DEBUG)
    cause, meaning = FAULTS[fault]
    cause(twilio)
    with pytest.raises(SendError) as failed:
        await channel.send(to(ana, Outbound(text="hi")))
    assert said_of(failed.value) == meaning
    for secret in (twilio.auth_token, "+381601234567"):
        assert secret not in caplog.text + repr(failed.value)
    assert failed.value.__cause__ is None


async def test_a_message_that_broke_off_halfway_is_uncertain(twilio, channel, ana):
    twilio.fail("messages", 500, when=lambda call: "ContentSid" in call.params)
    with pytest.raises(SendError) as failed:
        await channel.send(to(ana, Outbound(text="kafa " * 300, options=options("Yes"))))
    assert said_of(failed.value) == UNCERTAIN


# -- settings and check ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"account_sid": "SK0123456789"},
        {"from": "+381600000000"},
        {"from": "whatsapp:381600000000"},
        {"templates": {"points_earned": {"en": "MG123"}}},
        {"templates": {"points_earned": "HX123"}},
        {"sender": "whatsapp:+381600000000"},
    ],
)
async def test_settings_that_can_not_be_are_refused(twilio, gateway, wrong):
    with pytest.raises(ValidationError):
        sender(twilio, gateway, **wrong)


async def test_check_asks_for_the_account_and_its_templates(twilio, gateway, channel):
    assert [found.id for found in await channel.check()] == ["MALVA-I221"]
    approved = twilio.contents.template("ok")
    pending = twilio.contents.template("later", status="pending")
    templates = {"points_earned": {"en": approved, "sr": pending, "ru": "HXgone"}}
    found = await sender(twilio, gateway, templates=templates).check()
    assert [one.id for one in found] == ["MALVA-I221", "MALVA-W224", "MALVA-W224"]
    assert "points_earned.sr is pending" in found[1].message
    (found,) = await sender(twilio, gateway, auth_token="another").check()
    assert (found.id, found.level) == ("MALVA-E221", "error")
    for trouble in (lambda: twilio.fail("account", 502, html=True), twilio.stop):
        trouble()
        (found,) = await channel.check()
        assert (found.id, found.level) == ("MALVA-E222", "error")
