"""What a form proves while nobody is signed in: that this browser was given it, and who has passed
the step before. And how often one address may try."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from portal.forms import Form, row_id
from portal.frame import Frame
from portal.rooms import PRIVATE

COOKIE = "malva_sign_in"
"""Ties a sign-in form to the browser that it was given to, while there is no session yet."""
FORM_AGE = timedelta(hours=12)


class Proof:
    """Of the forms under `path` (`/portal`, `/till`), each with cookies of its own."""

    def __init__(self, frame: Frame, path: str) -> None:
        self._frame, self._keys, self._path = frame, frame.desk.keys, path
        self._tries = Tries()

    def form(
        self, request: Request, template: str, *, status: int = 200, **values: Any
    ) -> Response:
        """A page with a form, whose `csrf` ties it to this browser."""
        nonce = request.cookies.get(COOKIE) or secrets.token_urlsafe(24)
        csrf = self._keys.sign_for_a_while(f"{self._name}:sign-in", nonce)
        answer = self._frame.page(
            request, template, status=status, headers=PRIVATE, csrf=csrf, **values
        )
        answer.set_cookie(COOKIE, nonce, **self.cookie())
        return answer

    def is_ours(self, request: Request, form: Form) -> bool:
        """Whether this browser was given the form: else another site could sign it in as somebody
        of its own."""
        nonce = request.cookies.get(COOKIE)
        signed = self._keys.unsign(f"{self._name}:sign-in", form.exact("csrf"), FORM_AGE)
        return bool(nonce) and signed == nonce

    def passed(self, request: Request, step: str, staff_id: int) -> str:
        """For a form's hidden field: this browser has just passed `step`, as them."""
        nonce = request.cookies.get(COOKIE, "")
        return self._keys.sign_for_a_while(f"{self._name}:{step}", f"{staff_id}:{nonce}")

    def who_passed(self, request: Request, step: str, text: str, age: timedelta) -> int | None:
        signed = self._keys.unsign(f"{self._name}:{step}", text, age) or ""
        who, _, nonce = signed.partition(":")
        return row_id(who) if nonce and nonce == request.cookies.get(COOKIE) else None

    def takes(self, request: Request) -> bool:
        """Whether the address that asks may try once more."""
        address = request.client.host if request.client else ""
        return self._tries.takes(address, self._frame.gateway.now())

    def over(self, answer: Response) -> None:
        """They are in: what the forms before have proved is worth nothing from now on."""
        answer.delete_cookie(COOKIE, path=self._path)

    def cookie(self) -> dict[str, Any]:
        secure = self._frame.secure
        return {"path": self._path, "httponly": True, "samesite": "lax", "secure": secure}

    @property
    def _name(self) -> str:
        return self._path.removeprefix("/")


class Tries:
    """How often one address may try: passwords are guessed by machines. The login's own lock
    (services/sign_in.py) holds wherever they come from."""

    MOST = 20
    WITHIN = timedelta(minutes=1)
    ADDRESSES = 10_000

    def __init__(self) -> None:
        self._tries: OrderedDict[str, list[datetime]] = OrderedDict()

    def takes(self, address: str, now: datetime) -> bool:
        recent = [at for at in self._tries.pop(address, []) if at > now - self.WITHIN]
        allowed = len(recent) < self.MOST
        self._tries[address] = [*recent, now] if allowed else recent
        if len(self._tries) > self.ADDRESSES:
            self._tries.popitem(last=False)
        return allowed


def agent(request: Request) -> str:
    return request.headers.get("user-agent", "")
