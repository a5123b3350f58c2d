"""Somebody at the cashier's page, over HTTP: binds a browser to a till, chooses a PIN, signs in."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from html import unescape
from typing import Any, Self

import httpx2
import sqlalchemy as sa

from core.services import devices, pins, sessions
from core.storage.tables import staff
from core.storage.tx import Tx
from portal.till.door import COOKIE, DEVICE_COOKIE
from tests.support.portal import PASSWORD, csrf_in
from tests.support.running import Running

PIN = "4071"


class TillBrowser:
    """A phone or tablet with cookies of its own."""

    def __init__(self, url: str, language: str = "en") -> None:
        headers = {"Accept-Language": language, "User-Agent": "a tablet"}
        self.http = httpx2.Client(base_url=url, headers=headers, timeout=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def get(self, path: str = "/till", **more: Any) -> httpx2.Response:
        return self.http.get(path, **more)

    def send(self, path: str, fields: dict[str, Any] | None = None) -> httpx2.Response:
        """A form of somebody signed in, with what proves that it came from our page."""
        return self.http.post(path, data={"csrf": csrf_in(self.get().text), **(fields or {})})

    # -- from a strange browser to somebody who works in it --------------------------------------

    def seat(self, malva: Running, login: str, till: int) -> None:
        """Bound to the till, with `login` at work in it; without the way there, which takes some
        hashing of passwords."""
        device, session = malva.database.write_now(_seat, login, till, malva.clock())
        self.http.cookies.set(DEVICE_COOKIE, device, path="/till")
        self.http.cookies.set(COOKIE, session, path="/till")

    def bind(self, login: str, till: int, name: str = "Tablet") -> httpx2.Response:
        """The last answer: a redirect where it went well."""
        proven = self.prove(login)
        return self.go_on(proven, "/till/device", till=str(till), name=name)

    def first_time(self, login: str, pin: str = PIN) -> httpx2.Response:
        return self.go_on(self.prove(login), "/till/pin", pin=pin, again=pin)

    def sign_in(self, login: str, pin: str = PIN, **more: str) -> httpx2.Response:
        fields = {"csrf": csrf_in(self.get("/till/sign-in").text), "login": login, "pin": pin}
        return self.http.post("/till/sign-in", data={**fields, **more})

    def sign_out(self) -> httpx2.Response:
        return self.send("/till/sign-out")

    # -- step by step ----------------------------------------------------------------------------

    def prove(self, login: str, password: str = PASSWORD) -> httpx2.Response:
        csrf = csrf_in(self.get("/till/password").text)
        fields = {"csrf": csrf, "login": login, "password": password}
        return self.http.post("/till/password", data=fields)

    def second(self, halfway: httpx2.Response, code: str) -> httpx2.Response:
        fields = {"halfway": hidden("halfway", halfway), "code": code}
        return self.http.post("/till/second-factor", data=fields)

    def go_on(self, proven: httpx2.Response, path: str, **fields: str) -> httpx2.Response:
        """From a page that proving oneself led to; that very page where it didn't."""
        if 'name="proven"' not in proven.text:
            return proven
        return self.http.post(path, data={"proven": hidden("proven", proven), **fields})


@cache
def _pin_hash() -> str:
    return pins.hash_pin(PIN)


def _seat(tx: Tx, login: str, till: int, now: datetime) -> tuple[str, str]:
    """The cookies of the device and of the session."""
    by = sessions.member(tx, tx.scalar(sa.select(staff.c.id).where(staff.c.role == "owner")))
    assert by is not None
    device = devices.bind(tx, by, till, "Tablet", now)
    who = tx.scalar(sa.select(staff.c.id).where(staff.c.login == login))
    return device, pins.choose(tx, who, _pin_hash(), device, "a tablet", now)


def hidden(name: str, page: httpx2.Response) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert found, page.text
    return unescape(found.group(1))
