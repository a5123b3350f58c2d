"""Limits, alarms and the owner's messenger on the pages: the portal's and the cashier's."""

from __future__ import annotations

import re
from html import unescape

import pytest
import sqlalchemy as sa

from core.i18n import LANGUAGES, words
from core.services import staff
from core.storage import tables
from portal.till.refusals import REJECTED
from tests.portal.around import session_of
from tests.support.holder import Holder
from tests.support.portal import Browser, said
from tests.support.running import Running
from tests.support.till import TillBrowser, hidden

CICA = 3


@pytest.fixture
def alarm(malva: Running) -> int:
    """About Cica, who feeds Ana's card."""
    ana = Holder(malva, name="Ana <b>").row
    values = {"staff_id": CICA, "guest_id": ana, "programme_id": 1, "times": 14, "points": 2400}
    query = sa.insert(tables.alarms).values(**values, raised_at=malva.clock())
    return malva.database.write_now(lambda tx: tx.scalar(query.returning(tables.alarms.c.id)))


# -- the alarm -------------------------------------------------------------------------------------


def test_an_owner_finds_the_alarm_on_the_overview_and_puts_it_away(
    alarm: int, browsers: dict[str, Browser]
) -> None:
    owner = browsers["owner"]
    page = owner.get("/portal").text
    assert "Cica gives one card far more than the others" in page
    assert "<b>Ana &lt;b&gt;</b>: 2,400 points with 14 purchases within 30 days." in page
    assert f'href="/portal/employees/{CICA}"' in page
    done = owner.send(f"/portal/alarms/{alarm}/seen")
    assert said(owner.get(done.headers["location"]), "good").startswith("Put away.")
    assert "Ana" not in owner.get("/portal").text
    assert "Put the alarm about cica away" in owner.get("/portal/log").text
    assert owner.send(f"/portal/alarms/{alarm}/seen").status_code == 404


def test_nobody_below_an_owner_is_told(alarm: int, browsers: dict[str, Browser]) -> None:
    manager = browsers["manager"]
    assert "far more" not in manager.get("/portal").text + manager.get("/portal/log").text
    assert "Alarms to my messenger" not in manager.get("/portal/account").text


# -- the owner's messenger -------------------------------------------------------------------------


def test_an_owner_connects_a_messenger_and_disconnects_it(
    malva: Running, browsers: dict[str, Browser]
) -> None:
    owner = browsers["owner"]
    page = owner.send("/portal/account/messengers").text
    code = re.search(r'<code class="secret">([A-Z2-9]{4}-[A-Z2-9]{4})</code>', page)[1]
    assert f"link_{code.replace('-', '')}" in unescape(page)
    assert "data:image/png" in page
    assert code not in owner.get("/portal/account").text
    chat = {"channel": "webchat", "address": "o", "created_at": malva.clock()}
    query = sa.insert(tables.contacts).values(**chat).returning(tables.contacts.c.id)
    contact = malva.database.write_now(lambda tx: tx.scalar(query))
    row = {"staff_id": 1, "contact_id": contact, "created_at": malva.clock()}
    malva.database.write_now(lambda tx: tx.execute(sa.insert(tables.staff_contacts).values(**row)))
    assert "Chat in the browser" in owner.get("/portal/account").text
    done = owner.send("/portal/account/messengers/off", {"id": str(contact)})
    assert said(owner.get(done.headers["location"]), "good").startswith("No more alarms")
    for nothing in (str(contact), "", "x"):
        again = owner.send("/portal/account/messengers/off", {"id": nothing})
        assert again.status_code == 404


# -- limits ----------------------------------------------------------------------------------------


def limits(malva: Running) -> staff.Limits:
    olga = session_of(malva, "olga").member
    return malva.database.read_now(staff.one, olga, CICA).limits


@pytest.mark.parametrize("role", ["owner", "manager"])
def test_limits_are_set_and_taken_away(
    malva: Running, browsers: dict[str, Browser], role: str
) -> None:
    where = f"/portal/employees/{CICA}/limits"
    sent = {"points_a_day": "500", "lookups_an_hour": ""}
    done = browsers[role].send(where, sent)
    assert said(browsers[role].get(done.headers["location"]), "good") == (
        "The limits count from now on."
    )
    assert limits(malva) == (500, None)
    assert "Limits of cica at the till: points a day 500, look-ups an hour –" in (
        browsers[role].get("/portal/log").text
    )
    browsers[role].send(where)
    assert limits(malva) == (None, None)


@pytest.mark.parametrize("wrong", ["-1", "1.5", "many", "9999999999"])
def test_what_is_no_number_is_said_and_stays_to_be_mended(
    malva: Running, browsers: dict[str, Browser], wrong: str
) -> None:
    sent = {"points_a_day": "500", "lookups_an_hour": wrong}
    answer = browsers["owner"].send(f"/portal/employees/{CICA}/limits", sent)
    assert (answer.status_code, said(answer, "bad")) == (422, "A whole number, please.")
    assert f'value="{wrong}"' in answer.text
    assert limits(malva) == (None, None)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_cashier_s_page_says_in_words_that_a_limit_is_reached(
    malva: Running, browsers: dict[str, Browser], language: str
) -> None:
    sent = {"points_a_day": "0", "lookups_an_hour": "0"}
    browsers["owner"].send(f"/portal/employees/{CICA}/limits", sent)
    w = words(language)
    with TillBrowser(malva.url, language) as cica:
        cica.seat(malva, "cica", 1)
        looked = cica.send("/till/scan", {"text": "Ana"})
        assert said(looked, "bad") == w.text(REJECTED["limit_look_ups"], limit="0")
        visit = cica.send("/till/scan", {"text": Holder(malva).card().qr}).headers["location"]
        fields = {"key": hidden("key", cica.get(visit)), "amount": "450", "seen": "45000"}
        refused = cica.send(f"{visit}/purchases", fields)
        assert said(refused, "bad") == w.text(REJECTED["limit_points"], limit="0", left="0")
        order = {"source": "api", "order": unclaimed(malva)}
        refused = cica.send(f"{visit}/orders", order)
        assert said(refused, "bad") == w.text(REJECTED["limit_points"], limit="0", left="0")
    browsers["owner"].send(f"/portal/employees/{CICA}/limits")


def unclaimed(malva: Running) -> str:
    """An order of the cafe's that has no guest, by its id."""
    token = malva.add_till("bife", f"Till at {malva.clock()}")
    with Browser(malva.url) as till:
        key = f"O {malva.clock()}"
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
        order = {"order_id": key, "total": "300.00", "currency": "RSD"}
        counted = till.http.post("/api/v1/orders", headers=headers, json=order)
        assert counted.status_code == 201, counted.text
    return key
