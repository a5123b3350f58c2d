"""Somebody at the portal, over HTTP: signs in, looks at pages, sends forms as a browser would."""

from __future__ import annotations

import re
from html import unescape
from typing import Any, Self

import httpx2

from core.services import staff
from core.testkit.running import Running

PASSWORD = "correct horse 7"


def hire(malva: Running, login: str, role: str, *cafes: str, password: str = PASSWORD) -> int:
    """A member of staff; returns the row id."""
    hashed = _hash_of(password)
    return malva.database.write_now(
        staff.add, login, login.title(), role, cafes, hashed, malva.clock()
    )


_hashes: dict[str, str] = {}


def _hash_of(password: str) -> str:
    if password not in _hashes:
        _hashes[password] = staff.hash_password(password)
    return _hashes[password]


def csrf_in(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]*)"', page)
    assert found, page
    return unescape(found.group(1))


def said(page: httpx2.Response, kind: str) -> str:
    """The note on the page, good or bad; "" where there is none."""
    found = re.search(rf'<p class="note {kind}"[^>]*>(.*?)</p>', page.text)
    return unescape(found.group(1)) if found else ""


class Browser:
    """A browser with cookies of its own."""

    def __init__(self, url: str, language: str = "en") -> None:
        headers = {"Accept-Language": language, "User-Agent": "a browser"}
        self.http = httpx2.Client(base_url=url, headers=headers, timeout=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    @property
    def cookie(self) -> str | None:
        return self.http.cookies.get("malva_staff")

    def get(self, path: str, **more: Any) -> httpx2.Response:
        return self.http.get(path, **more)

    def send(self, path: str, fields: dict[str, Any] | None = None) -> httpx2.Response:
        """A form, with what proves that it came from our page."""
        csrf = csrf_in(self.http.get("/portal/account").text)
        return self.http.post(path, data={"csrf": csrf, **(fields or {})})

    def sign_in(self, login: str, password: str = PASSWORD, next_: str = "") -> httpx2.Response:
        csrf = csrf_in(self.http.get("/portal/sign-in").text)
        fields = {"csrf": csrf, "login": login, "password": password, "next": next_}
        return self.http.post("/portal/sign-in", data=fields)

    def second(self, halfway: httpx2.Response, code: str) -> httpx2.Response:
        found = re.search(r'name="halfway" value="([^"]*)"', halfway.text)
        assert found, halfway.text
        fields = {"halfway": unescape(found.group(1)), "code": code, "next": ""}
        return self.http.post("/portal/second-factor", data=fields)
