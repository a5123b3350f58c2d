"""Cafes that share a programme, in the portal: what it would mean, and then the deed."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape

import pytest
import sqlalchemy as sa

from core.services import cafes, cards, ledger, redemptions
from core.storage import tables
from tests.end_to_end.around import plugins
from tests.support.holder import Holder
from tests.support.portal import Browser, hire, said
from tests.support.running import Running, run

ROOM = "/portal/programme"
JOIN, LEAVE = f"{ROOM}/2/join", f"{ROOM}/2/leave"


@pytest.fixture
def malva(sqlite_url: str) -> Iterator[Running]:
    """`bife` with programme 1, `zrno` with programme 2."""
    with run(sqlite_url, plugins(), cafes=("bife", "zrno")) as malva:
        hire(malva, "olga", "owner")
        hire(malva, "mira", "manager", "bife", "zrno")
        yield malva


@pytest.fixture
def olga(malva: Running) -> Iterator[Browser]:
    with Browser(malva.url) as browser:
        browser.sign_in("olga")
        yield browser


def shown(browser: Browser, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200
    return unescape(answer.text)


def programme_of(malva: Running, slug: str) -> int:
    return malva.database.read_now(lambda tx: cafes.row(tx, cafes.get(tx, slug)).programme_id)


def test_an_owner_lets_a_cafe_join_and_reads_first_what_it_means(
    malva: Running, olga: Browser
) -> None:
    ana = Holder(malva, points=700, name="Ana")
    assert '<option value="bife">' in shown(olga, ROOM)
    page = shown(olga, f"{JOIN}?cafe=bife")
    assert "1 guest comes along, with 700 points." in page
    assert "ends: its rewards, products and bonuses are switched off" in page
    assert programme_of(malva, "bife") == 1, "so far it was only looked at"
    done = olga.send(JOIN, {"cafe": "bife"})
    assert done.headers["location"] == f"{ROOM}?done=cafe_joined"
    assert programme_of(malva, "bife") == 2
    assert ana.balance == 0
    assert malva.database.read_now(ledger.balance, ana.row, 2) == 700
    assert malva.database.read_now(ledger.prove) == []
    assert "points that came along: 700" in shown(olga, "/portal/log")


def test_and_lets_it_leave_again_without_the_points(malva: Running, olga: Browser) -> None:
    ana = Holder(malva, points=700, name="Ana")
    olga.send(JOIN, {"cafe": "bife"})
    page = shown(olga, f"{LEAVE}?cafe=bife")
    assert "1 guest has 700 points" in page
    assert olga.send(LEAVE, {"cafe": "bife"}).status_code == 303
    assert programme_of(malva, "bife") == 3
    assert malva.database.read_now(ledger.balance, ana.row, 2) == 700
    room = shown(olga, ROOM)
    assert "and has a programme of its own" in shown(olga, "/portal/log")
    assert f"{ROOM}/3/join" in room


def test_the_guest_s_page_says_where_the_points_come_from(malva: Running, olga: Browser) -> None:
    ana = Holder(malva, points=700, name="Ana")
    olga.send(JOIN, {"cafe": "bife"})
    query = sa.select(tables.guests).where(tables.guests.c.id == ana.row)
    guest = malva.database.read_now(lambda tx: tx.execute(query).one())
    with Browser(malva.url) as visitor:
        page = shown(visitor, f"/card/{cards.link_token(guest, malva.keys)}")
    assert "Came along from “BIFE”" in page


def test_while_something_is_picked_it_waits_and_says_so(malva: Running, olga: Browser) -> None:
    ana = Holder(malva)
    picked = ana.pick()
    answer = olga.send(JOIN, {"cafe": "bife"})
    assert answer.status_code == 422
    assert "Try again in ten minutes" in said(answer, "bad")
    assert "Let it join" in answer.text, "the same page, to try again"
    malva.database.write_now(redemptions.cancel_by_guest, ana.row, picked.id, malva.clock())
    assert olga.send(JOIN, {"cafe": "bife"}).status_code == 303


@pytest.mark.parametrize("cafe", ["zrno", "nowhere", "", "bife' OR 1=1", "\0"])
def test_a_cafe_that_can_t_join_is_not_found(malva: Running, olga: Browser, cafe: str) -> None:
    assert olga.send(JOIN, {"cafe": cafe}).status_code == 404
    assert olga.get(JOIN, params={"cafe": cafe}).status_code == 404
    assert olga.send(LEAVE, {"cafe": cafe}).status_code == 404
    assert programme_of(malva, "bife") == 1


def test_managers_don_t(malva: Running) -> None:
    with Browser(malva.url) as mira:
        mira.sign_in("mira")
        for path in (JOIN, LEAVE):
            assert mira.get(f"{path}?cafe=bife").status_code == 403
            assert mira.send(path, {"cafe": "bife"}).status_code == 403
    assert programme_of(malva, "bife") == 1
