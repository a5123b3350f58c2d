"""How long points are good, set in the portal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from core.services import ledger, lots
from core.storage import tables
from core.storage.tx import Tx
from tests.support.holder import Holder
from tests.support.portal import Browser, said
from tests.support.running import Running

ROOM = "/portal/programme"
ONE = f"{ROOM}/1/expiry"


@pytest.fixture(scope="module")
def ana(malva: Running) -> Holder:
    return Holder(malva, points=700, name="Ana")


@pytest.fixture(autouse=True)
def for_ever(malva: Running) -> Iterator[None]:
    yield
    malva.database.write_now(lots.set_expiry, 1, None, malva.clock())


def kept(malva: Running) -> int | None:
    p = tables.programmes.c
    return malva.database.read_now(
        lambda tx: tx.scalar(sa.select(p.expiry_months).where(p.id == 1))
    )


def dated(tx: Tx, ana: Holder) -> int:
    return sum(points for _, points in lots.left(tx, ana.row, 1))


def test_points_stay_for_ever_until_an_owner_says_for_how_long(
    malva: Running, browsers: dict[str, Browser], ana: Holder
) -> None:
    browser = browsers["owner"]
    assert kept(malva) is None
    assert "Points stay for ever." in browser.get(ROOM).text
    assert browser.send(ONE, {"months": "12"}).status_code == 303
    assert kept(malva) == 12
    assert malva.database.read_now(dated, ana) == 700, "what she has goes with the rest"
    page = browser.get(ROOM).text
    assert 'name="months" value="12"' in page
    assert "What guests have already keeps its days." in page
    browser.send(ONE, {"months": ""})
    assert kept(malva) is None
    assert malva.database.read_now(dated, ana) == 0
    assert malva.database.read_now(ledger.balance, ana.row, 1) == 700
    log = browser.get("/portal/log").text
    assert "How long points are good was changed: 12 months" in log
    assert "How long points are good was changed: for ever" in log


def test_the_preview_says_until_when_and_of_how_many(
    malva: Running, browsers: dict[str, Browser], ana: Holder
) -> None:
    browser = browsers["owner"]
    piece = browser.send(f"{ONE}/preview", {"months": "6"}).text
    assert "What is earned today is good until " in piece
    assert "So is what guests have already: 700 points." in piece
    page = browser.send(ONE, {"months": "6", "preview": "1"}).text
    assert 'name="months" value="6"' in page
    assert kept(malva) is None


@pytest.mark.parametrize("wrong", ["0", "-1", "1.5", "121", "a year", "９"])
def test_what_is_no_number_of_months_changes_nothing(
    malva: Running, browsers: dict[str, Browser], wrong: str
) -> None:
    browser = browsers["owner"]
    answer = browser.send(ONE, {"months": wrong})
    assert answer.status_code == 422
    assert said(answer, "bad")
    assert f'name="months" value="{wrong}"' in answer.text, "as it was written"
    assert "good until" not in browser.send(f"{ONE}/preview", {"months": wrong}).text
    assert kept(malva) is None


def test_only_owners_do(malva: Running, browsers: dict[str, Browser]) -> None:
    for path in (ONE, f"{ONE}/preview"):
        assert browsers["manager"].send(path, {"months": "1"}).status_code == 403
    assert kept(malva) is None
