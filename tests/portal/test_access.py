"""Who is let in where, and what a form has to prove."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from core.domain.roles import ACTIONS, may
from core.services import sessions
from core.storage import tables
from tests.end_to_end.around import plugins
from tests.portal.around import ADDRESSES, FOREIGN, ROWS, WHO, path_to, written
from tests.support.portal import PASSWORD, Browser, csrf_in, hire
from tests.support.running import Running, run


def test_every_address_has_an_action_but_signing_out() -> None:
    assert {path for _, path, action in ADDRESSES if action is None} == {"/portal/sign-out"}
    assert {action for _, _, action in ADDRESSES} == {None, *ACTIONS} - {"till"}


@pytest.mark.parametrize(("method", "path", "action"), ADDRESSES)
def test_nobody_is_let_in_who_is_not_signed_in(
    stranger: Browser, method: str, path: str, action: str | None
) -> None:
    answer = stranger.http.request(method, path_to(path, ROWS), data={})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/portal/sign-in")
    stranger.http.cookies.set("malva_staff", "x" * 43, path="/portal")
    assert stranger.http.request(method, path_to(path, ROWS), data={}).status_code == 303


@pytest.mark.parametrize("role", WHO)
@pytest.mark.parametrize(("method", "path", "action"), ADDRESSES)
def test_a_role_is_let_in_where_it_may_and_nowhere_else(
    malva: Running,
    browsers: dict[str, Browser],
    role: str,
    method: str,
    path: str,
    action: str | None,
) -> None:
    if path == "/portal/sign-out":
        return
    browser = browsers[role]
    token = malva.database.read_now(sessions.of_token, browser.cookie, malva.clock())
    before = written(malva)
    answer = browser.http.request(
        method, path_to(path, ROWS), data={"csrf": token.csrf} if method == "POST" else None
    )
    assert answer.status_code < 500
    if may(role, action):
        assert answer.status_code != 403, path
    else:
        assert answer.status_code == 403, path
        assert written(malva) == before


ELSEWHERE = [one for one in ADDRESSES if "{id}" in one[1] and may("manager", one[2] or "portal")]


@pytest.mark.parametrize(("method", "path", "action"), ELSEWHERE)
def test_a_manager_finds_nothing_of_another_cafe(
    malva: Running, browsers: dict[str, Browser], method: str, path: str, action: str
) -> None:
    session = malva.database.read_now(sessions.of_token, browsers["manager"].cookie, malva.clock())
    before = written(malva)
    sent = {
        "csrf": session.csrf, "name": "Mine", "role": "cashier", "cafe": "bife",
        "password": "a password 1", "name_en": "Mine", "points": "1",
        "kind": "product", "cost": "1",
    }  # fmt: skip
    answer = browsers["manager"].http.request(
        method, path_to(path, FOREIGN, 2), data=sent if method == "POST" else None
    )
    assert answer.status_code == 404
    assert written(malva) == before


def test_a_manager_s_pages_name_no_other_cafe(browsers: dict[str, Browser]) -> None:
    for path in (
        "",
        "/products",
        "/rewards",
        "/bonuses",
        "/employees",
        "/employees/new",
        "/tills",
        "/log",
        "/account",
    ):
        page = browsers["manager"].get(f"/portal{path}").text
        assert "zrno" not in page.lower(), path
        assert "zika" not in page.lower(), path
    assert browsers["manager"].get("/portal/log?cafe=zrno").status_code == 404
    assert browsers["owner"].get("/portal/log?cafe=zrno").status_code == 200


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/portal/tills", {"cafe": "zrno", "name": "Mine"}),
        ("/portal/products/new", {"programme": "2", "name_en": "Mine", "points": "1"}),
        ("/portal/bonuses/new", {"programme": "2", "kind": "welcome", "points": "1"}),
        (
            "/portal/rewards/new",
            {"programme": "2", "name_en": "Mine", "kind": "product", "cost": "1"},
        ),
        (
            "/portal/employees/new",
            {"login": "x1", "role": "cashier", "cafe": "zrno", "password": PASSWORD},
        ),
        (
            "/portal/employees/new",
            {"login": "x2", "role": "manager", "cafe": "bife", "password": PASSWORD},
        ),
        ("/portal/employees/new", {"login": "x3", "role": "owner", "password": PASSWORD}),
    ],
)
def test_a_manager_makes_nothing_elsewhere_and_nobody_above(
    malva: Running, browsers: dict[str, Browser], path: str, fields: dict[str, str]
) -> None:
    before = written(malva)
    assert browsers["manager"].send(path, fields).status_code in (403, 404)
    assert written(malva) == before


def test_a_programme_that_is_shared_with_another_s_cafe_is_not_a_manager_s_to_change(
    sqlite_url: str,
) -> None:
    with run(sqlite_url, plugins(), cafes=("bife", "zrno")) as malva:
        share = sa.update(tables.cafes).values(programme_id=1)
        malva.database.write_now(lambda tx: tx.execute(share) and None)
        hire(malva, "mira", "manager", "bife")
        with Browser(malva.url) as browser:
            browser.sign_in("mira")
            fields = {"programme": "1", "name_en": "Cake", "points": "6"}
            assert browser.send("/portal/products/new", fields).status_code == 403
            assert "aren&#39;t yours" in browser.get("/portal/products").text


def test_a_cashier_is_told_kindly_and_can_leave(malva: Running, stranger: Browser) -> None:
    stranger.sign_in("cica")
    page = stranger.get("/portal")
    assert page.status_code == 403
    assert "Hello, Cica!" in page.text
    csrf = csrf_in(page.text)
    assert stranger.http.post("/portal/sign-out", data={"csrf": csrf}).status_code == 303
    assert stranger.get("/portal").status_code == 303


# -- what a form proves ----------------------------------------------------------------------------


@pytest.mark.parametrize("csrf", [None, "", "x", "é", "x" * 5000, "of another"])
@pytest.mark.parametrize("path", [path for method, path, action in ADDRESSES if method == "POST"])
def test_a_form_that_is_not_of_this_session_changes_nothing(
    malva: Running, browsers: dict[str, Browser], path: str, csrf: str | None
) -> None:
    if csrf == "of another":
        session = malva.database.read_now(
            sessions.of_token, browsers["manager"].cookie, malva.clock()
        )
        csrf = session.csrf
    before = written(malva)
    sent = {"name": "Other", "password": PASSWORD, **({} if csrf is None else {"csrf": csrf})}
    answer = browsers["owner"].http.post(path_to(path, ROWS), data=sent)
    assert answer.status_code == 403
    assert written(malva) == before


def test_a_sign_in_form_belongs_to_the_browser_that_it_was_given_to(
    malva: Running, stranger: Browser
) -> None:
    with Browser(malva.url) as other:
        theirs = csrf_in(other.get("/portal/sign-in").text)
    fields = {"csrf": theirs, "login": "olga", "password": PASSWORD}
    assert stranger.http.post("/portal/sign-in", data=fields).status_code == 403
    stranger.get("/portal/sign-in")
    assert stranger.http.post("/portal/sign-in", data=fields).status_code == 403
    assert stranger.cookie is None
