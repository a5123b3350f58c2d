"""What comes from outside never breaks a page; what comes from elsewhere is what it was."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta

import pytest

from core.i18n import LANGUAGES
from core.services import sessions
from tests.portal.around import ADDRESSES, ROWS, path_to
from tests.support.portal import PASSWORD, Browser, hire
from tests.support.running import Running
from tests.test_pages import Looked
from tests.test_repository import ROOT

NASTY = ["", "0", "-1", "99999999999999999999999", "\x00", "é" * 3000, "<script>x</script>", "1e9"]
FIELDS = (
    "name", "name_en", "sku", "points", "price", "unit", "earn_minor", "earn_points", "cafe",
    "station", "role", "login", "id", "sealed", "code", "programme", "language", "text_en", "kind",
    "percent", "amount", "cost", "per_guest", "stock", "first_day", "last_day", "picture",
    "factor", "days", "every", "over", "from", "to", "weekday", "skus", "budget",
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
