"""Signing in over HTTP: sessions, failures, the second factor."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pyotp

from tests.support.portal import PASSWORD, Browser, hire, said
from tests.support.running import Running


def test_a_session_that_was_brought_along_is_not_taken_over(stranger: Browser) -> None:
    stranger.http.cookies.set("malva_staff", "chosen-by-somebody-else", path="/portal")
    answer = stranger.sign_in("olga")
    cookie = answer.headers["set-cookie"]
    assert "chosen-by-somebody-else" not in cookie
    assert re.match(r"malva_staff=[\w-]{43}; ", cookie)
    assert {"HttpOnly", "SameSite=lax", "Path=/portal"} <= set(cookie.split(",")[0].split("; "))


def test_signing_in_again_gives_another_session(malva: Running, stranger: Browser) -> None:
    stranger.sign_in("olga")
    first = stranger.cookie
    stranger.sign_in("olga")
    assert stranger.cookie != first


def test_signing_out_ends_the_session_on_the_server(malva: Running, stranger: Browser) -> None:
    stranger.sign_in("olga")
    token = stranger.cookie
    assert stranger.send("/portal/sign-out").headers["location"].endswith("done=signed_out")
    with Browser(malva.url) as thief:
        thief.http.cookies.set("malva_staff", token, path="/portal")
        assert thief.get("/portal").status_code == 303


def test_a_session_is_ended_from_elsewhere(malva: Running, stranger: Browser) -> None:
    hire(malva, "vera", "owner")
    stranger.sign_in("vera")
    with Browser(malva.url) as other:
        other.sign_in("vera")
        page = stranger.get("/portal/account").text
        assert page.count("a browser") == 2
        other_id = re.search(r'name="id" value="(\d+)"', page).group(1)
        done = stranger.send("/portal/account/sessions/revoke", {"id": other_id})
        assert done.status_code == 303
        assert other.get("/portal").status_code == 303
        assert stranger.get("/portal").status_code == 200
        other.sign_in("vera")
        stranger.send("/portal/account/sessions/revoke-others")
        assert other.get("/portal").status_code == 303


def test_after_signing_in_the_page_that_was_asked_for_opens_and_no_other_site(
    stranger: Browser,
) -> None:
    where = stranger.get("/portal/tills").headers["location"]
    assert where == "/portal/sign-in?next=/portal/tills"
    assert stranger.sign_in("olga", next_="/portal/tills").headers["location"] == "/portal/tills"
    for elsewhere in ("//evil.example", "https://evil.example", "/portal//evil", "/card/x", "\\"):
        assert stranger.sign_in("olga", next_=elsewhere).headers["location"] == "/portal"


def test_pages_are_nobody_s_to_keep(browsers: dict[str, Browser]) -> None:
    for path in ("/portal", "/portal/sign-in", "/portal/account", "/portal/nothing-there/x"):
        answer = browsers["owner"].get(path)
        if answer.status_code == 200:
            assert answer.headers["cache-control"] == "no-store", path
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


# -- signing in ------------------------------------------------------------------------------------


def test_every_failure_sounds_alike(malva: Running, stranger: Browser) -> None:
    hire(malva, "lena", "manager", "bife")
    told = {said(stranger.sign_in(login, "wrong"), "bad") for login in ("lena", "nobody", "")}
    for _ in range(5):
        stranger.sign_in("lena", "wrong")
    told.add(said(stranger.sign_in("lena"), "bad"))
    assert len(told) == 1
    malva.clock.move(timedelta(minutes=2))
    assert stranger.sign_in("lena").status_code == 303


def test_one_address_tries_twenty_times_a_minute(malva: Running, stranger: Browser) -> None:
    malva.clock.move(timedelta(minutes=2))
    answers = [stranger.sign_in(f"guess{n}", "x" * 2000).status_code for n in range(21)]
    assert answers == [401] * 20 + [429]
    malva.clock.move(timedelta(minutes=2))
    assert stranger.sign_in("olga").status_code == 303


def test_a_second_factor_from_its_set_up_to_its_end(malva: Running, stranger: Browser) -> None:
    hire(malva, "tea", "owner")
    stranger.sign_in("tea")
    page = stranger.get("/portal/account/second-factor").text
    sealed = unescape(re.search(r'name="sealed" value="([^"]*)"', page).group(1))
    secret = re.search(r'class="secret">([A-Z2-7 ]+)<', page).group(1).replace(" ", "")
    app = pyotp.TOTP(secret)
    fields = {"sealed": sealed, "code": app.at(malva.clock()), "password": "not mine"}
    wrong = stranger.send("/portal/account/second-factor", fields)
    assert (wrong.status_code, secret[:4] in wrong.text) == (422, True)
    codes = stranger.send("/portal/account/second-factor", {**fields, "password": PASSWORD})
    recovery = re.findall(r"<code>([\w-]+)</code>", codes.text)
    assert len(recovery) == 10
    with Browser(malva.url) as other:
        halfway = other.sign_in("tea")
        assert (halfway.status_code, other.cookie) == (200, None)
        assert other.second(halfway, "123456").status_code == 401
        assert other.second(halfway, recovery[0]).status_code == 303
        assert other.get("/portal").status_code == 200
    with Browser(malva.url) as thief:
        thief.get("/portal/sign-in")
        assert thief.second(halfway, recovery[1]).status_code == 403, "another browser's"
    assert stranger.send("/portal/account/second-factor/off", {"password": "x"}).status_code == 422
    assert (
        stranger.send("/portal/account/second-factor/off", {"password": PASSWORD})
        .headers["location"]
        .endswith("done=second_off")
    )


def test_a_password_is_changed_by_whoever_knows_it(malva: Running, stranger: Browser) -> None:
    hire(malva, "pera", "owner")
    stranger.sign_in("pera")
    new = {"new": "a longer horse", "again": "a longer horse"}
    for wrong in ({"password": "x"}, {"again": "other"}, {"new": "short", "again": "short"}):
        sent = {"password": PASSWORD, **new, **wrong}
        assert stranger.send("/portal/account/password", sent).status_code == 422
    done = stranger.send("/portal/account/password", {"password": PASSWORD, **new})
    assert done.status_code == 303
    assert stranger.get("/portal").status_code == 200
    with Browser(malva.url) as other:
        assert other.sign_in("pera").status_code == 401
        assert other.sign_in("pera", "a longer horse").status_code == 303


def test_the_portal_speaks_the_language_that_somebody_chose(
    malva: Running, stranger: Browser
) -> None:
    hire(malva, "rada", "owner")
    stranger.sign_in("rada")
    stranger.send("/portal/account/language", {"language": "ru"})
    assert '<html lang="ru">' in stranger.get("/portal").text
    stranger.send("/portal/account/language", {"language": "xx"})
    assert '<html lang="ru">' in stranger.get("/portal").text
