"""The simulated Twilio, asked by Twilio's own client and validator."""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import parse_qsl

import httpx2
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from tests.simulators.twilio import TwilioSimulator
from tests.simulators.twilio_guests import Guest

QUICK = "twilio/quick-reply"


class Here(TwilioHttpClient):
    """Twilio's own client, with another host."""

    def __init__(self, url: str) -> None:
        super().__init__(timeout=5)
        self.there = url

    def request(self, method, url, *rest, **more):
        path = url.split("twilio.com", 1)[1]
        return super().request(method, self.there + path, *rest, **more)


@pytest.fixture
def twilio() -> Iterator[TwilioSimulator]:
    with TwilioSimulator() as simulator:
        simulator.webhook(f"{simulator.url}/nowhere", "https://malva.example/hook")
        yield simulator


@pytest.fixture
def client(twilio: TwilioSimulator) -> Client:
    return Client(twilio.account_sid, twilio.auth_token, http_client=Here(twilio.url))


@pytest.fixture
def ana(twilio: TwilioSimulator) -> Guest:
    guest = twilio.guest()
    guest.heard_at = twilio.clock()
    return guest


def send(client: Client, guest: Guest, **more):
    return client.messages.create(to=guest.address, from_=TwilioSimulator.sender, **more)


def content(client: Client, kind: str, shown: dict) -> str:
    """As JSON of one's own: the library wants an object of its own for each button."""
    url = client.http_client.there + "/v1/Content"
    document = {"friendly_name": "asked", "language": "en", "types": {kind: shown}}
    answer = httpx2.post(url, json=document, auth=(client.username, client.password))
    assert answer.status_code == 201, answer.text
    return answer.json()["sid"]


def buttons(*labels: str) -> dict:
    actions = [{"type": "QUICK_REPLY", "title": label, "id": label.lower()} for label in labels]
    return {"body": "{{1}}", "actions": actions}


def test_a_text_reaches_the_guest(client, ana):
    message = send(client, ana, body="Dobar dan")
    assert (message.sid, message.status) == (ana.last.sid, "queued")
    assert ana.last.text == "Dobar dan"


def test_another_token_is_refused(twilio, ana):
    stranger = Client(twilio.account_sid, "another", http_client=Here(twilio.url))
    with pytest.raises(TwilioRestException) as refused:
        send(stranger, ana, body="hi")
    assert (refused.value.status, refused.value.code) == (401, 20003)


REFUSED = {
    21617: {"body": "x" * 1601},
    21619: {},
    21655: {"content_sid": "HX" + "0" * 32},
    21656: {"content_sid": "HX" + "0" * 32, "content_variables": "{"},
    21609: {"body": "hi", "status_callback": "nowhere"},
}


@pytest.mark.parametrize("code", REFUSED)
def test_what_twilio_does_not_take(client, ana, code):
    with pytest.raises(TwilioRestException) as refused:
        send(client, ana, **REFUSED[code])
    assert (refused.value.status, refused.value.code) == (400, code)
    assert ana.messages == []


def test_buttons_are_content_and_answer_with_their_id(twilio, client, ana):
    sid = content(client, QUICK, buttons("Yes", "No"))
    send(client, ana, content_sid=sid, content_variables='{"1": "Which?"}')
    assert (ana.last.kind, ana.last.text, ana.last.labels) == (
        "quick-reply",
        "Which?",
        ["Yes", "No"],
    )
    ana.presses("No")
    (delivery,) = twilio.wait_for_deliveries()
    form = dict(parse_qsl(delivery.body.decode()))
    assert (form["ButtonPayload"], form["ButtonText"]) == ("no", "No")
    assert form["OriginalRepliedMessageSid"] == ana.last.sid


@pytest.mark.parametrize(
    "labels", [("x" * 21, "No"), ("One", "one"), (), tuple(f"Option {n}" for n in range(11))]
)
def test_content_that_whatsapp_could_not_show_is_not_made(client, labels):
    with pytest.raises(AssertionError, match="20001"):
        content(client, QUICK, buttons(*labels))


def test_four_buttons_need_an_approval(client, ana):
    sid = content(client, QUICK, buttons("A", "B", "C", "D"))
    with pytest.raises(TwilioRestException):
        send(client, ana, content_sid=sid, content_variables='{"1": "Which?"}')


def test_content_is_listed_fetched_and_deleted(twilio, client):
    sid = content(client, "twilio/text", {"body": "hi"})
    assert client.content.v1.contents(sid).fetch().language == "en"
    assert client.content.v1.contents(sid).approval_fetch().fetch().whatsapp["status"]
    assert client.content.v1.contents(sid).delete()
    assert twilio.contents.known == {}


def test_a_day_after_the_last_word_only_templates_arrive(twilio, client, ana):
    template = twilio.contents.template("Hello")
    ana.heard_at -= timedelta(hours=24)
    send(client, ana, body="hi")
    assert ana.messages == []
    assert ana.everything[0].error == 63016
    send(client, ana, content_sid=template, content_variables='{"1": "x"}')
    assert ana.last.kind == "template"


def test_after_stop_nothing_is_taken(client, ana):
    ana.sends_stop_silently()
    with pytest.raises(TwilioRestException) as refused:
        send(client, ana, body="hi")
    assert refused.value.code == 21610


def test_webhooks_are_signed_over_the_address_that_was_configured(twilio, ana):
    ana.says("čaj & kafa")
    (delivery,) = twilio.wait_for_deliveries()
    form = dict(parse_qsl(delivery.body.decode(), keep_blank_values=True))
    assert form["Body"] == "čaj & kafa"
    validator = RequestValidator(twilio.auth_token)
    signature = delivery.headers["X-Twilio-Signature"]
    assert validator.validate("https://malva.example/hook", form, signature)
    assert not validator.validate(delivery.url, form, signature)


def test_callbacks_tell_the_story_that_was_asked_for(twilio, client, ana):
    twilio.story = ("delivered", "sent")
    send(client, ana, body="hi", status_callback="https://malva.example/hook")
    told = [dict(parse_qsl(d.body.decode())) for d in twilio.wait_for_deliveries(2)]
    assert [form["MessageStatus"] for form in told] == ["delivered", "sent"]
    assert {form["MessageSid"] for form in told} == {ana.last.sid}


def test_who_has_no_number_is_written_to_by_their_id(twilio, client):
    mila = twilio.guest(None, name="Mila", user_id="US.13491208655302741918")
    mila.heard_at = twilio.clock()
    send(client, mila, body="hi")
    assert mila.last.text == "hi"
    mila.says("hello")
    form = dict(parse_qsl(twilio.wait_for_deliveries()[0].body.decode()))
    assert form["From"] == "whatsapp:US.13491208655302741918"
    assert "WaId" not in form
