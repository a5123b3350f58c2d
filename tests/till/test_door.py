"""Who is let in at `/till`: a browser that is bound to a till, and somebody of its cafe by PIN."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pyotp
import pytest
import sqlalchemy as sa

import portal.till
from core.services import second_factor, sessions, staff, tills
from core.storage import tables
from portal.till.door import COOKIE, DEVICE_COOKIE, TillOffice
from tests.portal.around import addresses, session_of
from tests.support.portal import PASSWORD, Browser, csrf_in, hire, said
from tests.support.running import Running
from tests.support.till import PIN, TillBrowser, hidden
from tests.till.conftest import BAR, TERRACE, ZRNO

Another = Callable[..., TillBrowser]
ADDRESSES = addresses(TillOffice, portal.till.ROOMS)


def rows(malva: Running, table: sa.Table) -> list[sa.Row]:
    return malva.database.read_now(lambda tx: tx.execute(sa.select(table).order_by("id")).all())


# -- binding a browser -----------------------------------------------------------------------------


def test_from_a_strange_browser_to_somebody_at_work(browser: Another) -> None:
    tablet = browser()
    assert tablet.get().headers["location"] == "/till/sign-in"
    assert tablet.get("/till/sign-in").headers["location"] == "/till/password"
    bound = tablet.bind("mira", BAR, "Tablet at the bar")
    assert bound.headers["location"] == "/till/sign-in?done=device_bound"
    assert "Bar" in tablet.get(bound.headers["location"]).text
    assert tablet.first_time("cica").headers["location"] == "/till"
    page = tablet.get()
    assert page.status_code == 200
    assert "Cica" in page.text


@pytest.mark.parametrize(
    ("login", "till", "status"),
    [
        ("olga", ZRNO, 303),
        ("mira", TERRACE, 303),
        ("mira", ZRNO, 422),
        ("mira", 999, 422),
        ("cica", BAR, 403),
    ],
)
def test_a_browser_is_bound_by_an_owner_and_by_a_manager_of_that_cafe(
    malva: Running, browser: Another, login: str, till: int, status: int
) -> None:
    before = rows(malva, tables.devices)
    assert browser().bind(login, till).status_code == status
    assert len(rows(malva, tables.devices)) - len(before) == (status == 303)


def test_a_manager_is_shown_the_tills_of_their_cafes_alone(browser: Another) -> None:
    assert "Counter" in browser().prove("olga").text
    assert "Counter" not in browser().prove("mira").text


def test_a_manager_with_a_second_factor_gives_it_here_too(malva: Running, browser: Another) -> None:
    hire(malva, "vera", "manager", "bife")
    secret, vera = second_factor.new_secret(), session_of(malva, "vera").member
    app = pyotp.TOTP(secret)
    code, now = app.at(malva.clock()), malva.clock()
    malva.database.write_now(second_factor.switch_on, vera, secret, code, malva.keys, now)
    malva.clock.move(timedelta(minutes=2))
    tablet = browser()
    halfway = tablet.prove("vera")
    assert 'name="proven"' not in halfway.text
    assert tablet.second(halfway, "000000").status_code == 401
    proven = tablet.second(halfway, app.at(malva.clock()))
    assert tablet.go_on(proven, "/till/device", till=str(BAR), name="Phone").status_code == 303


def test_one_address_tries_twenty_times_a_minute(malva: Running, browser: Another) -> None:
    hire(malva, "tara", "manager", "bife")
    now, tara = malva.clock(), session_of(malva, "tara").member
    secret = second_factor.new_secret()
    code = pyotp.TOTP(secret).at(now)
    malva.database.write_now(second_factor.switch_on, tara, secret, code, malva.keys, now)
    tablet = browser()
    halfway = tablet.prove("tara")
    answers = [tablet.second(halfway, "000000").status_code for _ in range(20)]
    assert answers == [401] * 19 + [429]


def test_what_was_proven_counts_in_its_own_browser_and_for_ten_minutes(
    malva: Running, browser: Another
) -> None:
    tablet, thief = browser(), browser()
    proven = tablet.prove("mira")
    thief.get("/till/password")
    assert thief.go_on(proven, "/till/device", till=str(BAR), name="Mine").status_code == 403
    assert thief.http.cookies.get(DEVICE_COOKIE) is None
    assert tablet.bind("mira", BAR).status_code == 303
    again = tablet.go_on(proven, "/till/pin", pin=PIN, again=PIN)
    assert again.status_code == 403, "it was used up"


@pytest.mark.parametrize("name", ["", " ", "x" * 65])
def test_a_device_has_a_name(browser: Another, name: str) -> None:
    answer = browser().bind("mira", BAR, name)
    assert (answer.status_code, said(answer, "bad")) == (422, "A name has 1 to 64 characters.")


# -- the PIN ---------------------------------------------------------------------------------------


def test_after_the_first_time_a_name_is_tapped_and_the_pin_typed(
    malva: Running, browser: Another
) -> None:
    tablet = browser()
    tablet.seat(malva, "cica", BAR)
    tablet.sign_out()
    page = tablet.get("/till/sign-in").text
    assert re.search(r'name="who" value="cica" checked', page)
    assert "mira" not in page.lower(), "who else works here is not shown"
    assert tablet.sign_in("", who="cica").headers["location"] == "/till"
    tablet.sign_out()
    assert tablet.sign_in("Cica ").headers["location"] == "/till"


def test_a_pin_that_can_t_be_taken_is_chosen_again(browser: Another) -> None:
    tablet = browser()
    tablet.bind("mira", BAR)
    answer = tablet.prove("cica")
    for pin, again, why in (
        ("40a1", "40a1", "A PIN has 4 to 8 digits."),
        ("1234", "1234", "That PIN is too easy to guess. Choose one without a pattern."),
        ("4071", "4072", "The two PINs are not the same."),
    ):
        answer = tablet.go_on(answer, "/till/pin", pin=pin, again=again)
        assert (answer.status_code, said(answer, "bad")) == (422, why)
    assert tablet.go_on(answer, "/till/pin", pin=PIN, again=PIN).status_code == 303


def test_somebody_of_another_cafe_is_not_let_in(malva: Running, browser: Another) -> None:
    theirs, ours = browser(), browser()
    theirs.seat(malva, "zika", ZRNO)
    ours.bind("mira", BAR)
    assert ours.prove("zika").status_code == 403
    right = ours.sign_in("zika")
    wrong = ours.sign_in("zika", "9999")
    assert right.status_code == wrong.status_code == 401
    assert said(right, "bad") == said(wrong, "bad")


def test_an_owner_works_at_every_till(malva: Running, browser: Another) -> None:
    for till in (BAR, ZRNO):
        browser().seat(malva, "olga", till)


def test_a_new_pin_is_chosen_by_password_and_ends_the_sessions_of_the_old(
    malva: Running, browser: Another
) -> None:
    first, second = browser(), browser()
    first.seat(malva, "cica", BAR)
    second.bind("mira", TERRACE)
    assert second.first_time("cica", "8213").status_code == 303
    assert first.get().status_code == 303
    assert first.sign_in("cica", PIN).status_code == 401
    assert first.sign_in("cica", "8213").status_code == 303


def test_every_failure_sounds_alike_and_counts_to_the_login_s_lock(
    malva: Running, browser: Another
) -> None:
    hire(malva, "lena", "cashier", "bife")
    hire(malva, "nova", "cashier", "bife")
    tablet = browser()
    tablet.seat(malva, "lena", BAR)
    tablet.sign_out()
    told = {said(tablet.sign_in(login, "9998"), "bad") for login in ("nova", "nobody", "lena", "")}
    for _ in range(4):
        tablet.sign_in("lena", "9998")
    told.add(said(tablet.sign_in("lena"), "bad"))
    assert len(told) == 1
    with Browser(malva.url) as portal:
        assert portal.sign_in("lena").status_code == 401, "the lock is the login's"
    malva.clock.move(timedelta(minutes=2))
    assert tablet.sign_in("lena").status_code == 303


def test_a_pin_opens_nothing_on_the_portal(malva: Running, browser: Another) -> None:
    tablet = browser()
    tablet.seat(malva, "mira", BAR)
    with Browser(malva.url) as portal:
        assert portal.sign_in("mira", PIN).status_code == 401
        for name in (COOKIE, "malva_staff"):
            token = tablet.http.cookies.get(COOKIE)
            portal.http.cookies.set(name, token, path="/portal")
        assert portal.get("/portal").headers["location"] == "/portal/sign-in"


def test_a_session_of_the_portal_opens_no_till(malva: Running, browser: Another) -> None:
    tablet = browser()
    tablet.bind("mira", BAR)
    with Browser(malva.url) as portal:
        portal.sign_in("mira")
        tablet.http.cookies.set(COOKIE, portal.cookie, path="/till")
    assert tablet.get().headers["location"] == "/till/sign-in"


# -- how it ends -----------------------------------------------------------------------------------


@pytest.fixture
def at_work(malva: Running, browser: Another) -> TillBrowser:
    """Somebody new at a till of their own."""
    number = len(rows(malva, tables.staff))
    hire(malva, f"ana{number}", "cashier", "bife")
    token_of = malva.add_till("bife", f"Till {number}")
    assert token_of
    tablet = browser()
    tablet.seat(malva, f"ana{number}", len(rows(malva, tables.tills)))
    assert tablet.get().status_code == 200
    return tablet


def out(tablet: TillBrowser) -> bool:
    return tablet.get().headers.get("location") == "/till/sign-in"


def test_it_ends_with_the_device(malva: Running, at_work: TillBrowser) -> None:
    device = rows(malva, tables.devices)[-1]
    with Browser(malva.url) as portal:
        portal.sign_in("mira")
        done = portal.send(f"/portal/tills/devices/{device.id}/revoke")
        assert done.headers["location"] == "/portal/tills?done=device_revoked"
    assert out(at_work)
    assert at_work.get("/till/sign-in").headers["location"] == "/till/password"


def test_it_ends_with_the_till(malva: Running, at_work: TillBrowser) -> None:
    olga, till = session_of(malva, "olga").member, len(rows(malva, tables.tills))
    malva.database.write_now(tills.revoke, olga, till, malva.clock())
    assert out(at_work)
    assert at_work.get("/till/sign-in").headers["location"] == "/till/password"


def test_it_ends_with_whoever_is_switched_off_or_works_elsewhere(
    malva: Running, at_work: TillBrowser
) -> None:
    olga, them = session_of(malva, "olga").member, rows(malva, tables.staff)[-1]
    now = malva.clock()
    malva.database.write_now(
        staff.change, olga, them.id, name="Ana", role="cashier", slugs=["zrno"], now=now
    )
    assert out(at_work)
    assert "Ana" not in at_work.get("/till/sign-in").text
    malva.database.write_now(
        staff.change, olga, them.id, name="Ana", role="cashier", slugs=["bife"], now=now
    )
    assert at_work.get().status_code == 200
    malva.database.write_now(staff.switch_off, olga, them.id, now)
    assert out(at_work)
    assert at_work.sign_in(them.login).status_code == 401


def test_it_ends_with_a_pin_that_is_cleared(malva: Running, at_work: TillBrowser) -> None:
    them = rows(malva, tables.staff)[-1]
    with Browser(malva.url) as portal:
        portal.sign_in("mira")
        assert "Clear the PIN" in portal.get(f"/portal/employees/{them.id}").text
        done = portal.send(f"/portal/employees/{them.id}/pin")
        assert done.headers["location"] == "/portal/employees?done=pin_cleared"
        assert "Clear the PIN" not in portal.get(f"/portal/employees/{them.id}").text
    assert out(at_work)
    assert at_work.sign_in(them.login).status_code == 401
    assert at_work.first_time(them.login).status_code == 303


def test_it_ends_after_twelve_hours_without_a_click(malva: Running, at_work: TillBrowser) -> None:
    malva.clock.move(timedelta(hours=11))
    assert at_work.get().status_code == 200
    malva.clock.move(timedelta(hours=11))
    assert at_work.get().status_code == 200
    malva.clock.move(sessions.IDLE + timedelta(seconds=1))
    assert out(at_work)


def test_whoever_signs_in_takes_the_place_of_the_one_before(at_work: TillBrowser) -> None:
    before = at_work.http.cookies.get(COOKIE)
    at_work.first_time("cica")
    assert "Cica" in at_work.get().text
    at_work.http.cookies.delete(COOKIE)
    at_work.http.cookies.set(COOKIE, before, path="/till")
    assert out(at_work)


def test_signing_out_ends_it_on_the_server(at_work: TillBrowser) -> None:
    token = at_work.http.cookies.get(COOKIE)
    assert at_work.sign_out().headers["location"] == "/till/sign-in?done=signed_out"
    at_work.http.cookies.set(COOKIE, token, path="/till")
    assert out(at_work)


# -- what a cookie and a form prove ----------------------------------------------------------------


def test_every_address_of_the_till_asks_for_both_cookies_and_each_form_for_its_proof(
    browser: Another, at_work: TillBrowser
) -> None:
    strange = browser()
    assert {action for _, _, action in ADDRESSES} == {None, "till"}
    for method, path, _ in ADDRESSES:
        address = re.sub(r"\{[^}]*\}", "1", path)
        answer = strange.http.request(method, address)
        assert answer.headers.get("location") == "/till/sign-in", path
        if method == "POST":
            assert at_work.http.post(address, data={"csrf": "x"}).status_code == 403, path


def test_a_session_cookie_without_the_device_s_opens_nothing(
    malva: Running, browser: Another, at_work: TillBrowser
) -> None:
    token = at_work.http.cookies.get(COOKIE)
    strange, another = browser(), browser()
    another.bind("mira", BAR)
    for thief in (strange, another):
        thief.http.cookies.set(COOKIE, token, path="/till")
        assert out(thief)
        sent = thief.http.post("/till/language", data={"csrf": "x", "language": "ru"})
        assert sent.headers["location"] == "/till/sign-in"
    assert at_work.get().status_code == 200


def test_its_cookies_are_the_server_s_alone(at_work: TillBrowser) -> None:
    at_work.sign_out()
    answer = at_work.sign_in("cica", "nothing")
    assert answer.status_code == 401
    at_work.first_time("cica")
    cookies = at_work.sign_in("cica").headers.get_list("set-cookie")
    kept = [one for one in cookies if one.startswith(("malva_till=", "malva_till_staff="))]
    assert len(kept) == 2
    for one in kept:
        assert {"HttpOnly", "SameSite=lax", "Path=/till"} <= set(one.split("; "))


def test_a_form_that_is_not_of_this_session_changes_nothing(
    malva: Running, browser: Another, at_work: TillBrowser
) -> None:
    other = browser()
    other.seat(malva, "cica", BAR)
    for csrf in (None, "", "x", "é", csrf_in(other.get().text)):
        sent = {"language": "ru", **({} if csrf is None else {"csrf": csrf})}
        assert at_work.http.post("/till/language", data=sent).status_code == 403
        assert at_work.http.post("/till/sign-out", data=sent).status_code == 403
    assert '<html lang="en">' in at_work.get().text


def test_a_sign_in_form_belongs_to_the_browser_that_it_was_given_to(
    browser: Another, at_work: TillBrowser
) -> None:
    at_work.sign_out()
    other = browser()
    other.bind("mira", BAR)
    theirs = csrf_in(other.get("/till/sign-in").text)
    fields = {"csrf": theirs, "login": "cica", "pin": PIN}
    assert at_work.http.post("/till/sign-in", data=fields).status_code == 403
    for_password = {"csrf": theirs, "login": "cica", "password": PASSWORD}
    assert at_work.http.post("/till/password", data=for_password).status_code == 403


def test_whoever_works_there_chooses_their_language(at_work: TillBrowser) -> None:
    at_work.send("/till/language", {"language": "ru"})
    assert '<html lang="ru">' in at_work.get().text
    at_work.send("/till/language", {"language": "xx"})
    assert '<html lang="ru">' in at_work.get().text


def test_whatever_is_sent_never_breaks_a_page(malva: Running, at_work: TillBrowser) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    bodies = [b"", b"\xff\x00=%zz", b"till=9" + b"9" * 30 + b"&pin=%00", b"login=" + b"x" * 70000]
    proven = at_work.prove("mira")
    fields = {"proven": hidden("proven", proven), "till": "9" * 30, "pin": "\0", "name": "\0"}
    for path in ("sign-in", "password", "second-factor", "device", "pin"):
        for body in bodies:
            answer = at_work.http.post(f"/till/{path}", content=body, headers=headers)
            assert answer.status_code == 403, (path, body[:9])
        malva.clock.move(timedelta(minutes=2))
        assert at_work.http.post(f"/till/{path}", data=fields).status_code in (403, 422)


def test_who_did_what_is_in_the_log(malva: Running, at_work: TillBrowser) -> None:
    with Browser(malva.url) as portal:
        portal.sign_in("mira")
        page = unescape(portal.get("/portal/log").text)
        for sentence in ("A browser was bound to the till: Tablet", "Chose a PIN for the till"):
            assert sentence in page
        devices = portal.get("/portal/tills").text
        assert devices.count("/revoke") > devices.count("/devices/") > 0
        assert "zrno" not in devices.lower()
