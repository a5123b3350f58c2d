"""What an invitation gives, set in the portal."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from core.storage import tables
from tests.support.portal import Browser, said
from tests.support.running import Running
from tests.support.shop import NOW

ROOM = "/portal/programme"
ONE = f"{ROOM}/2/invitations"


def kept(malva: Running) -> tuple[int, int]:
    p = tables.programmes.c
    asked = sa.select(p.inviter_points, p.friend_points).where(p.id == 2)
    return malva.database.read_now(lambda tx: tuple(tx.execute(asked).one()))


def test_an_owner_changes_what_an_invitation_gives(
    malva: Running, browsers: dict[str, Browser]
) -> None:
    browser = browsers["owner"]
    assert kept(malva) == (100, 100)
    answer = browser.send(ONE, {"inviter_points": "250", "friend_points": "0"})
    assert answer.status_code == 303
    assert kept(malva) == (250, 0)
    assert 'name="inviter_points" value="250"' in browser.get(ROOM).text
    assert (
        "What an invitation gives was changed: 250 points and 0 points"
        in browser.get("/portal/log").text
    )
    browser.send(ONE, {"inviter_points": "100", "friend_points": "100"})


@pytest.mark.parametrize("wrong", ["", "-1", "1.5", "1000001", "a lot"])
def test_what_is_no_number_of_points_changes_nothing(
    malva: Running, browsers: dict[str, Browser], wrong: str
) -> None:
    answer = browsers["owner"].send(ONE, {"inviter_points": "7", "friend_points": wrong})
    assert answer.status_code == 422
    assert said(answer, "bad")
    assert 'name="inviter_points" value="7"' in answer.text, "as it was written"
    assert kept(malva) == (100, 100)


def test_the_preview_says_what_it_would_have_given_lately(
    malva: Running, browsers: dict[str, Browser]
) -> None:
    def friends(tx) -> None:
        guest = {"language": "en", "secret": b"", "created_at": NOW, "name": "Ana"}
        ids = [
            tx.scalar(
                sa.insert(tables.guests)
                .values(public_id=f"G{number}", **guest)
                .returning(tables.guests.c.id)
            )
            for number in range(4)
        ]
        come = {"inviter_id": ids[0], "created_at": NOW, "programme_id": 2}
        for friend in ids[1:3]:
            row = {**come, "friend_id": friend, "rewarded_at": malva.clock()}
            tx.execute(sa.insert(tables.referrals).values(row))
        tx.execute(sa.insert(tables.referrals).values(friend_id=ids[3], **come))

    malva.database.write_now(friends)
    points = {"inviter_points": "20", "friend_points": "30"}
    piece = browsers["owner"].send(f"{ONE}/preview", points).text
    assert "20 points" in piece
    assert "2 invited friends paid a first order in the last 30 days: 100 points in all." in piece
    page = browsers["owner"].send(ONE, {**points, "preview": "1"}).text
    assert 'name="inviter_points" value="20"' in page
    assert kept(malva) == (100, 100)


def test_only_owners_do(malva: Running, browsers: dict[str, Browser]) -> None:
    answer = browsers["manager"].send(ONE, {"inviter_points": "1", "friend_points": "1"})
    assert answer.status_code == 403
    assert kept(malva) == (100, 100)
