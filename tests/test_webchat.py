"""Web chat as a protocol: who may write, what is kept, and how it comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice

import httpx2
import pytest
import sqlalchemy as sa
from pydantic import ValidationError
from starlette.responses import Response

from channels import webchat
from channels.webchat.visitors import Paces, Visitors
from core.storage.tables import contacts, messages
from tests.end_to_end.around import Visitor, plugins
from tests.support.running import Running, run


@pytest.fixture(scope="module")
def malva(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with run(f"sqlite:///{tmp_path_factory.mktemp('webchat')}/malva.db", plugins()) as running:
        yield running


@pytest.fixture
def visitor(malva: Running) -> Iterator[Visitor]:
    with Visitor(malva.url) as somebody:
        yield somebody


def joined(visitor: Visitor, name: str = "Ana") -> None:
    """A guest with a card, asked about offers."""
    visitor.starts()
    visitor.presses("English")
    visitor.wait_for("What is your name?")
    visitor.says(name)
    visitor.presses("Skip")
    visitor.wait_for("May we send you offers")


def conversation(visitor: Visitor, **headers: str) -> tuple[str, list[dict]]:
    """The first event of `/chat/events`: its id, and the messages in it."""
    with visitor.http.stream("GET", "/chat/events", headers=headers) as stream:
        id_, name, data = islice((line for line in stream.iter_lines() if line), 3)
    document = json.loads(data.removeprefix("data: "))
    return id_.removeprefix("id: "), document if name == "event: history" else [document]


def count(malva: Running, table: sa.Table) -> int:
    return malva.database.read_now(
        lambda tx: tx.scalar(sa.select(sa.func.count()).select_from(table))
    )


# -- who somebody is -------------------------------------------------------------------------------


def test_a_look_makes_nobody_known(malva: Running, visitor: Visitor) -> None:
    before = count(malva, contacts)
    page = visitor.http.get("/chat?cafe=bife")
    assert page.status_code == 200
    assert "set-cookie" not in page.headers
    assert visitor.http.get("/chat/events").status_code == 204
    assert count(malva, contacts) == before


def test_the_first_message_makes_a_visitor_known_by_a_signed_cookie(visitor: Visitor) -> None:
    cookie = visitor.send("start").headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/chat"} <= set(cookie.split("; "))
    assert "Welcome to BIFE" in visitor.wait_for("Welcome")[0]["text"]
    assert "set-cookie" in visitor.http.get("/chat").headers  # kept for another 400 days


def test_a_cookie_that_we_did_not_sign_is_a_stranger_s(malva: Running, visitor: Visitor) -> None:
    visitor.starts()
    forged = {"Cookie": "malva_chat=InNvbWVib2R5Ig.forged"}
    assert httpx2.get(f"{malva.url}/chat/events", headers=forged).status_code == 204


def test_two_visitors_have_conversations_of_their_own(malva: Running, visitor: Visitor) -> None:
    joined(visitor, "Ana")
    with Visitor(malva.url, "sr") as other:
        other.starts()
        assert len(other.wait_for("Zdravo")) == 1


class Https:
    """As much of a gateway as a cookie needs."""

    public_url = "https://malva.example"

    def sign(self, purpose: str, value: str) -> str:
        return f"signed-{value}"


@pytest.mark.parametrize(
    ("embedded", "said"),
    [
        (False, {"Secure", "SameSite=Lax"}),
        (True, {"Secure", "SameSite=None", "Partitioned"}),
    ],
)
def test_over_https_the_cookie_is_secure_and_goes_into_frames_only_where_that_is_wanted(
    embedded: bool, said: set[str]
) -> None:
    response = Response()
    Visitors(Https(), embedded=embedded).remember(response, "address")
    parts = set(response.headers["set-cookie"].split("; "))
    assert said == parts & {"Secure", "SameSite=Lax", "SameSite=None", "Partitioned"}


# -- what is written -------------------------------------------------------------------------------


def test_a_message_that_is_sent_twice_is_heard_once(malva: Running, visitor: Visitor) -> None:
    visitor.starts()
    for _ in range(3):
        assert visitor.send("text", id="m1", text="hello there").json() == {"id": "m1"}
    visitor.wait_for("I didn't understand that")
    said = [m["text"] for m in conversation(visitor)[1] if m["mine"]]
    assert said == ["hello there"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_another_site_s_page_writes_nothing(
    malva: Running, visitor: Visitor, headers: dict[str, str], status: int
) -> None:
    before = count(malva, contacts)
    headers = {"Content-Type": "application/json", **headers}
    body = b'{"id": "1", "kind": "start"}'
    answer = visitor.http.post("/chat/messages", content=body, headers=headers)
    assert answer.status_code == status
    assert "set-cookie" not in answer.headers
    assert count(malva, contacts) == before


def test_its_own_page_writes_under_whichever_name_the_server_is_reached(visitor: Visitor) -> None:
    headers = {"Host": "localhost:8000", "Origin": "http://localhost:8000"}
    body = {"id": "1", "kind": "start"}
    assert visitor.http.post("/chat/messages", json=body, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"kind": "start"}',
        b'{"id": 7, "kind": "start"}',
        b'{"id": "with space", "kind": "start"}',
        b'{"id": "1", "kind": "sing"}',
        b'{"id": "1", "kind": "text"}',
        b'{"id": "1", "kind": "text", "text": "   "}',
        b'{"id": "1", "kind": "text", "text": 7}',
        b'{"id": "1", "kind": "text", "text": "' + b"a" * 4001 + b'"}',
        b'{"id": "1", "kind": "option", "value": "' + b"a" * 65 + b'"}',
        b'{"id": "1", "kind": "start", "payload": ["cafe_bife"]}',
    ],
)
def test_what_can_t_be_read_is_refused_in_words(visitor: Visitor, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = visitor.http.post("/chat/messages", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "unreadable"
    assert "set-cookie" not in answer.headers


def test_more_than_a_mebibyte_is_too_much(visitor: Visitor) -> None:
    headers = {"Content-Type": "application/json"}
    body = b'{"id": "1", "kind": "text", "text": "' + b"a" * 2**20 + b'"}'
    answer = visitor.http.post("/chat/messages", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("עברית ☕ עם 🎉", "עברית ☕ עם 🎉"),
        ("nul\0l", "null"),
        ("half \ud83d of a pair", "half ? of a pair"),
    ],
)
def test_words_come_back_as_they_were_written(visitor: Visitor, sent: str, shown: str) -> None:
    visitor.starts()
    body = json.dumps({"id": "1", "kind": "text", "text": sent})
    headers = {"Content-Type": "application/json"}
    assert visitor.http.post("/chat/messages", content=body, headers=headers).status_code == 200
    visitor.wait_for("I didn't understand that")
    assert [m["text"] for m in conversation(visitor)[1] if m["mine"]] == [shown]


def test_whoever_writes_too_fast_is_asked_to_wait(sqlite_url: str) -> None:
    slow = plugins().replace("messages_per_second = 1000", "messages_per_second = 0.1")
    with run(sqlite_url, slow) as malva, Visitor(malva.url) as visitor:
        assert visitor.send("start").status_code == 200
        answer = visitor.send("start")
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_fast")
        assert 1 <= int(answer.headers["retry-after"]) <= 10
        assert count(malva, contacts) == 1


def test_a_pace_allows_a_burst_and_forgets_whom_it_has_not_seen_for_long() -> None:
    paces = Paces(per_second=2)
    assert [paces.wait("ana") > 0 for _ in range(13)] == [False] * 12 + [True]
    assert paces.wait("marko") == 0


# -- what is shown ---------------------------------------------------------------------------------


def test_the_history_comes_first_with_the_guest_s_own_words(visitor: Visitor) -> None:
    joined(visitor)
    _, messages_ = conversation(visitor)
    assert [m["text"] for m in messages_ if m["mine"]] == ["English", "Ana", "Skip"]
    card = next(m for m in messages_ if m["kind"] == "card")
    assert card["picture"]["url"].startswith("/media/")
    assert card["links"][0]["url"].startswith("/card/")
    picture = visitor.http.get(card["picture"]["url"])
    assert picture.headers["content-type"] == "image/png"


def test_whoever_comes_back_gets_what_they_missed(visitor: Visitor) -> None:
    visitor.starts()
    visitor.wait_for("Which language")
    last, _ = conversation(visitor)
    visitor.says("English")
    visitor.wait_for("What is your name?")
    _, missed = conversation(visitor, **{"Last-Event-ID": last})
    assert (missed[0]["mine"], missed[0]["text"]) == (True, "English")


@pytest.mark.parametrize("seen", ["", "nonsense", "-5", "9" * 400, "٣"])
def test_a_last_event_id_that_is_none_begins_at_the_beginning(visitor: Visitor, seen: str) -> None:
    visitor.starts()
    visitor.wait_for("Which language")
    headers = {b"Last-Event-ID": seen.encode()}
    with visitor.http.stream("GET", "/chat/events", headers=headers) as stream:
        lines = islice((line for line in stream.iter_lines() if line), 2)
        assert list(lines)[1] == "event: history"


def test_a_card_that_was_renewed_stands_once_in_the_history(
    malva: Running, visitor: Visitor
) -> None:
    joined(visitor)
    _, before = conversation(visitor)
    place = next(n for n, m in enumerate(before) if m["kind"] == "card")

    def renew(tx) -> None:
        cards = sa.select(messages.c.id).where(messages.c.kind == "card")
        first = tx.scalar(cards.order_by(messages.c.id.desc()).limit(1))
        renewals = (messages.c.kind == "card_renewal") & (messages.c.replaces == first)
        rows = tx.execute(sa.select(messages.c.id).where(renewals)).scalars().all()
        for n, row in enumerate(rows):
            position = len(before) + n + 1
            values = {"status": "sent", "position": position, "sent_at": malva.clock()}
            body = {"text": f"renewal {n}", "kind": "card_renewal", "language": "en"}
            tx.execute(sa.update(messages).where(messages.c.id == row).values(**values, body=body))

    malva.database.write_now(renew)
    _, after = conversation(visitor)
    assert len(after) == len(before)
    assert after[place]["text"] == "renewal 3"


def test_after_erasing_the_conversation_begins_anew_for_whoever_looks_on(visitor: Visitor) -> None:
    joined(visitor)
    visitor.says("menu")
    visitor.wait_for("How can I help?")
    last, _ = conversation(visitor)
    headers = {"Last-Event-ID": last}
    with visitor.http.stream("GET", "/chat/events", headers=headers) as stream:
        for label in ("⚙️ Settings", "My data", "Erase", "Yes, erase everything"):
            visitor.presses(label)
        for line in stream.iter_lines():
            if line == "event: history":
                break
    visitor.wait_for("Everything is erased.")  # it is sent after the erasure, like any answer
    _, left = conversation(visitor)
    assert [m["mine"] for m in left] == [False]


# -- the page and its frame ------------------------------------------------------------------------


def test_other_sites_show_the_chat_in_a_frame_only_if_they_are_named(sqlite_url: str) -> None:
    named = plugins().replace(
        'module = "channels.webchat"',
        'module = "channels.webchat"\nembed_on = ["https://bife.example"]',
    )
    with run(sqlite_url, named) as malva:
        policy = httpx2.get(f"{malva.url}/chat").headers["content-security-policy"]
    assert policy.endswith("frame-ancestors 'self' https://bife.example")


@pytest.mark.parametrize(
    "origin",
    ["http://bife.example", "https://bife.example/", "https://*", "'self'", "bife.example"],
)
def test_a_site_is_named_by_its_https_origin(origin: str) -> None:
    with pytest.raises(ValidationError):
        webchat.Settings(embed_on=(origin,))


def test_a_cafe_s_own_site_opens_the_chat_by_one_script(visitor: Visitor) -> None:
    script = visitor.http.get("/chat/embed.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert script.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "Your loyalty card" in script.text


def test_there_is_no_webhook(visitor: Visitor) -> None:
    assert visitor.http.post("/channels/webchat/webhook", content=b"{}").status_code == 401
