"""Inviting from the live card: what a guest sends on, asked for by POST."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from core.services import invitations
from core.storage import tables
from tests.end_to_end.around import Visitor, plugins
from tests.support.running import Running, run


@pytest.fixture(scope="module")
def malva(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    url = f"sqlite:///{tmp_path_factory.mktemp('invite')}/malva.db"
    with run(url, plugins()) as running:
        yield running


@pytest.fixture
def card(malva: Running) -> Iterator[tuple[Visitor, str]]:
    """A guest of the web chat, and the path of their live card."""
    with Visitor(malva.url) as visitor:
        visitor.starts()
        visitor.presses("English")
        visitor.says("Ana")
        visitor.presses("Skip")
        heard = visitor.wait_for("May we send you offers")
        (link,) = {
            one["url"] for message in heard for one in message["links"] if "/card/" in one["url"]
        }
        yield visitor, link.removeprefix(malva.url)


def codes(malva: Running) -> int:
    asked = sa.select(sa.func.count()).select_from(tables.invitations)
    return malva.database.read_now(lambda tx: tx.scalar(asked))


def test_it_has_the_links_what_both_get_and_what_came_of_it(malva: Running, card) -> None:
    visitor, path = card
    answer = visitor.http.post(f"{path}/invitation")
    assert answer.headers["cache-control"] == "no-store"
    said = answer.json()
    greeting, link = said["letter"].splitlines()
    assert greeting == "I invite you for a coffee: with your first order you get 100 points."
    assert link.startswith(f"Chat in the browser: {malva.url}/chat?start=inv_")
    assert said["promise"] == [
        "For a friend's first paid order you get 100 points.",
        "With that order your friend gets 100 points.",
    ]
    assert said["came"] == []
    with Visitor(malva.url) as friend:
        friend.starts(link.partition("start=")[2])
        friend.wait_for("A friend invites you: with your first order you get 100 points.")
        friend.presses("English")
        friend.says("Vuk")
        friend.presses("Skip")
        friend.wait_for("May we send you offers")
    again = visitor.http.post(f"{path}/invitation").json()
    assert again["letter"] == said["letter"], "the link stays the same"
    assert again["came"] == ["1 friend has come by your links."]


def test_opening_the_card_makes_no_code(malva: Running, card) -> None:
    visitor, path = card
    before = codes(malva)
    assert "Invite a friend" in visitor.http.get(path).text
    assert codes(malva) == before


def test_nobody_else_gets_it(malva: Running, card) -> None:
    visitor, path = card
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}
    assert visitor.http.post(f"{path}/invitation", headers=foreign).status_code == 403
    assert visitor.http.post("/card/of-nobody/invitation").status_code == 404
    assert malva.database.read_now(invitations.look_up, "A" * 16) is None
