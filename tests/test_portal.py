"""The portal over HTTP: who is let in where, what forms prove, and what becomes of bad input."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape

import pyotp
import pytest
import sqlalchemy as sa

import portal
from core.domain.roles import ACTIONS, may
from core.i18n import LANGUAGES
from core.services import products, sessions, tills
from core.services.products import Draft
from core.storage import tables
from portal.log import HAPPENED
from portal.office import Room
from tests.end_to_end.around import plugins
from tests.support.portal import PASSWORD, Browser, csrf_in, hire, said
from tests.support.running import Running, run
from tests.test_pages import Looked
from tests.test_repository import ROOT

WHO = {"owner": "olga", "manager": "mira", "cashier": "cica"}
ROWS = {"employees": 5}
"""What of the cafe `bife` an address of a room names: everywhere else it has the first row."""
FOREIGN = {"employees": 4}
"""The same of `zrno`: everywhere else it has the second row."""


@pytest.fixture(scope="module")
def malva(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    url = f"sqlite:///{tmp_path_factory.mktemp('portal')}/malva.db"
    with run(url, plugins(), cafes=("bife", "zrno")) as running:
        hire(running, "olga", "owner")
        hire(running, "mira", "manager", "bife")
        hire(running, "cica", "cashier", "bife")
        hire(running, "zika", "cashier", "zrno")
        hire(running, "dara", "cashier", "bife")
        for slug in ("bife", "zrno"):
            running.add_till(slug, f"Bar of {slug}")
        olga = session_of(running, "olga").member
        for programme in (1, 2):
            draft = Draft({"en": f"Cake {programme}"}, "cake", 6, 42000)
            running.database.write_now(products.add, olga, programme, draft, running.clock())
        yield running


def session_of(malva: Running, login: str) -> sessions.Session:
    with Browser(malva.url) as browser:
        browser.sign_in(login)
        found = malva.database.read_now(sessions.of_token, browser.cookie, malva.clock())
        assert found is not None
        return found


@pytest.fixture(scope="module")
def browsers(malva: Running) -> Iterator[dict[str, Browser]]:
    """One for each role, signed in."""
    found = {role: Browser(malva.url) for role in WHO}
    for role, browser in found.items():
        assert browser.sign_in(WHO[role]).status_code == 303
    yield found
    for browser in found.values():
        browser.http.close()


@pytest.fixture
def stranger(malva: Running) -> Iterator[Browser]:
    malva.clock.move(timedelta(minutes=2))  # what others tried from this address is forgotten
    with Browser(malva.url) as browser:
        yield browser


def rooms() -> list[tuple[str, str, str | None]]:
    """Method, path and action of every address of the portal that takes a session."""
    office = portal.Office.__new__(portal.Office)
    office.frame = office.gateway = office.desk = _Anything()
    found = [route for room in portal.ROOMS for route in room(office).routes()]
    return [
        ("POST" if "POST" in route.methods else "GET", route.path, route.action)
        for route in found
        if isinstance(route, Room)
    ]


class _Anything:
    def __getattr__(self, name: str) -> _Anything:
        return self


ADDRESSES = rooms()


def path_to(path: str, rows: dict[str, int], other: int = 1) -> str:
    """The address with a row in it: that of its room, or `other`."""
    room = path.removeprefix("/portal/").split("/")[0]
    return path.replace("{id}", str(rows.get(room, other)))


# -- who is let in ---------------------------------------------------------------------------------


def test_every_address_has_an_action_but_signing_out() -> None:
    assert {path for _, path, action in ADDRESSES if action is None} == {"/portal/sign-out"}
    assert {action for _, _, action in ADDRESSES} == {None, *ACTIONS}


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


def written(malva: Running) -> list[tuple]:
    """All that a form of the portal could have changed."""
    looked = (tables.staff, tables.tills, tables.products, tables.programmes, tables.rewards)

    def read(tx) -> list[tuple]:
        return [
            tuple(row) for table in looked for row in tx.execute(sa.select(table).order_by("id"))
        ]

    return malva.database.read_now(read)


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
    }  # fmt: skip
    answer = browsers["manager"].http.request(
        method, path_to(path, FOREIGN, 2), data=sent if method == "POST" else None
    )
    assert answer.status_code == 404
    assert written(malva) == before


def test_a_manager_s_pages_name_no_other_cafe(browsers: dict[str, Browser]) -> None:
    for path in ("", "/products", "/employees", "/employees/new", "/tills", "/log", "/account"):
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


# -- sessions --------------------------------------------------------------------------------------


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


# -- the rooms -------------------------------------------------------------------------------------


def test_a_till_s_token_is_shown_once_and_works(
    malva: Running, browsers: dict[str, Browser]
) -> None:
    owner = browsers["owner"]
    page = owner.send("/portal/tills", {"cafe": "bife", "name": "Terrace"}).text
    token = re.search(r"mt_[\w-]+", page).group()
    assert "mt_" not in owner.get("/portal/tills").text
    till = malva.database.read_now(tills.by_token, token)
    renewed = owner.send(f"/portal/tills/{till.id}/token").text
    assert malva.database.read_now(tills.by_token, token) is None
    token = re.search(r"mt_[\w-]+", renewed).group()
    assert malva.database.read_now(tills.by_token, token).id == till.id
    owner.send(f"/portal/tills/{till.id}/revoke")
    assert malva.database.read_now(tills.by_token, token) is None
    assert owner.send(f"/portal/tills/{till.id}/token").status_code == 404


def test_the_programme_says_what_a_typical_order_would_give_before_it_is_saved(
    malva: Running, browsers: dict[str, Browser]
) -> None:
    owner = browsers["owner"]
    wanted = {"name": "Club", "unit": "stamps", "earn_minor": "0,50", "earn_points": "2"}
    before = written(malva)
    piece = owner.send("/portal/programme/2/preview", wanted).text
    assert "5 RSD" in piece.replace("\u00a0", " ") or "stamps" in piece
    assert "<html" not in piece
    whole = owner.send("/portal/programme/2", {**wanted, "preview": "1"})
    assert (whole.status_code, "stamps</b>" in whole.text) == (200, True)
    assert written(malva) == before
    assert owner.send("/portal/programme/2", wanted).status_code == 303
    p = tables.programmes.c
    row = malva.database.read_now(
        lambda tx: tx.execute(
            sa.select(p.name, p.unit, p.earn_minor, p.earn_points).where(p.id == 2)
        ).one()
    )
    assert tuple(row) == ("Club", "stamps", 50, 2)


def test_a_product_comes_changes_and_goes(malva: Running, browsers: dict[str, Browser]) -> None:
    owner = browsers["owner"]
    pie = {"programme": "1", "name_en": "Pie", "name_sr": "Pita", "sku": "pie", "points": "40"}
    assert owner.send("/portal/products/new", pie).status_code == 303
    taken = owner.send("/portal/products/new", pie)
    assert (taken.status_code, "article number already" in said(taken, "bad")) == (422, True)
    assert 'value="Pita"' in taken.text, "what was written is still there"
    c = tables.products.c
    id_ = malva.database.read_now(lambda tx: tx.scalar(sa.select(c.id).where(c.sku == "pie")))
    owner.send(f"/portal/products/{id_}", {**pie, "points": "50", "price": "3,20"})
    assert "50 points" in owner.get("/portal/products").text
    assert "100 points" in owner.send("/portal/products/preview", {**pie, "points": "50"}).text
    owner.send(f"/portal/products/{id_}/off")
    active = sa.select(c.active).where(c.id == id_)
    assert malva.database.read_now(lambda tx: tx.scalar(active)) is False


def test_an_employee_comes_changes_and_goes(malva: Running, browsers: dict[str, Browser]) -> None:
    owner = browsers["owner"]
    fields = {"login": "nina", "name": "Nina", "role": "manager", "cafe": ["bife", "zrno"]}
    short = owner.send("/portal/employees/new", {**fields, "password": "short"})
    assert (short.status_code, 'value="nina"' in short.text) == (422, True)
    assert "short" not in re.sub(r"<input[^>]*>", "", short.text).replace("shorter", "")
    owner.send("/portal/employees/new", {**fields, "password": PASSWORD})
    c = tables.staff.c
    id_ = malva.database.read_now(lambda tx: tx.scalar(sa.select(c.id).where(c.login == "nina")))
    with Browser(malva.url) as nina:
        nina.sign_in("nina")
        assert "ZRNO" in nina.get("/portal/tills").text
        owner.send(f"/portal/employees/{id_}", {"name": "N.", "role": "manager", "cafe": "bife"})
        assert "ZRNO" not in nina.get("/portal/tills").text
        owner.send(f"/portal/employees/{id_}/password", {"password": "another pass 1"})
        assert nina.get("/portal").status_code == 303
        assert nina.sign_in("nina", "another pass 1").status_code == 303
        owner.send(f"/portal/employees/{id_}/off")
        assert nina.get("/portal").status_code == 303
        assert nina.sign_in("nina", "another pass 1").status_code == 401


def test_the_log_goes_back_page_by_page(malva: Running, browsers: dict[str, Browser]) -> None:
    def fill(tx) -> None:
        values = {"at": malva.clock(), "kind": "till_locked", "cafe_id": 2, "data": {}}
        for number in range(120):
            data = {"wrong_codes": 1000 + number}
            tx.execute(sa.insert(tables.event_log).values(**{**values, "data": data}))

    malva.database.write_now(fill)
    owner, seen = browsers["owner"], []
    where: str | None = "/portal/log?cafe=zrno"
    while where:
        page = owner.get(where).text
        seen += re.findall(r"minute: (\d+) wrong", page)
        found = re.search(r'<a class="button quiet" href="(/portal/log[^"]*)"', page)
        where = unescape(found.group(1)) if found else None
    assert seen == [str(1000 + number) for number in reversed(range(120))]
    piece = owner.get("/portal/log", headers={"HX-Request": "true"}).text
    assert "<html" not in piece


def test_every_kind_of_entry_has_its_sentence() -> None:
    """What the services log is what people read: a kind without words is shown as it is."""
    kinds = set()
    for path in (ROOT / "core").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("eventlog.log", "_log"):
                kinds |= {
                    argument.value
                    for argument in node.args[1:2]
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
                }
    assert "staff_off" in kinds
    assert kinds - set(HAPPENED) == set()


# -- what comes from outside -----------------------------------------------------------------------

NASTY = ["", "0", "-1", "99999999999999999999999", "\x00", "é" * 3000, "<script>x</script>", "1e9"]
FIELDS = (
    "name", "name_en", "sku", "points", "price", "unit", "earn_minor", "earn_points", "cafe",
    "station", "role", "login", "id", "sealed", "code", "programme", "language",
)  # fmt: skip
TAKING = [
    (method, path)
    for method, path, _ in ADDRESSES
    if not path.endswith(("/sign-out", "/revoke-others", "/off", "/token", "{id}/revoke"))
]
"""Addresses that look at what is sent."""


@pytest.mark.parametrize(("method", "path"), TAKING)
def test_bad_input_never_breaks_a_page(
    malva: Running, browsers: dict[str, Browser], method: str, path: str
) -> None:
    owner = browsers["owner"]
    csrf = malva.database.read_now(sessions.of_token, owner.cookie, malva.clock()).csrf
    for nasty in NASTY:
        sent = {"csrf": csrf, **dict.fromkeys(FIELDS, nasty), "password": "x"}
        asked = dict.fromkeys(("cafe", "before", "programme", "done", "lang"), nasty[:500])
        answer = owner.http.request(
            method, path_to(path, ROWS), params=asked, data=sent if method == "POST" else None
        )
        assert answer.status_code < 500, nasty
        assert "<script>x" not in answer.text


@pytest.mark.parametrize("row", ["0", "-1", str(2**63), "9" * 30, "x", "%00", "²"])
@pytest.mark.parametrize(
    ("method", "path"), [(method, path) for method, path, _ in ADDRESSES if "{id}" in path]
)
def test_a_row_that_there_is_not_is_not_there(
    malva: Running, browsers: dict[str, Browser], method: str, path: str, row: str
) -> None:
    owner = browsers["owner"]
    csrf = malva.database.read_now(sessions.of_token, owner.cookie, malva.clock()).csrf
    sent = {"csrf": csrf, "password": PASSWORD} if method == "POST" else None
    answer = owner.http.request(method, path.replace("{id}", row), data=sent)
    assert answer.status_code == 404


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a" * 100_000, b"&" * 500, b"%", b"csrf=%00%ff"])
def test_what_is_no_form_is_refused(browsers: dict[str, Browser], body: bytes) -> None:
    for path in ("/portal/sign-in", "/portal/second-factor", "/portal/tills"):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = browsers["owner"].http.post(path, content=body, headers=headers)
        assert answer.status_code == 403


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_rooms_hold_no_script_or_style_and_load_nothing_from_elsewhere(
    malva: Running, language: str
) -> None:
    login = f"look-{language}"
    hire(malva, login, "owner")
    malva.clock.move(timedelta(minutes=2))
    with Browser(malva.url, language) as browser:
        signs = [browser.get("/portal/sign-in").text]
        browser.sign_in(login)
        paths = [path for method, path, _ in ADDRESSES if method == "GET"]
        for page in signs + [browser.get(path_to(path, ROWS)).text for path in paths]:
            looked = Looked(page)
            assert looked.inline == []
            assert [url for url in looked.loads if not url.startswith(("/", "data:image"))] == []


# -- what came from npm ----------------------------------------------------------------------------


def test_what_came_from_npm_is_what_the_manifest_says() -> None:
    folder = ROOT / "portal" / "static" / "vendor"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert {path.name for path in folder.iterdir()} == {*manifest, "manifest.json"}
    for name, facts in manifest.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == facts["sha256"], name


def test_it_is_served(malva: Running, stranger: Browser) -> None:
    page = stranger
    page.sign_in("olga")
    where = re.search(r'src="(/static/vendor/htmx[^"]*)"', page.get("/portal").text).group(1)
    served = page.get(where)
    assert served.status_code == 200
    assert "javascript" in served.headers["content-type"]
