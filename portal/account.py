"""`/portal/account`: one's own password, second factor, sessions, language, and the messengers to
which alarms go."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from core.domain import linkcodes
from core.domain.roles import Member
from core.i18n import LANGUAGES
from core.services import (
    permission,
    second_factor,
    sessions,
    sign_in,
    staff,
    staff_contacts,
)
from core.services.errors import Missing, Rejected
from portal import said
from portal.forms import row_id
from portal.hashing import hashed, matches
from portal.join import data_url, ways
from portal.office import Call, Office, to

PATH = "/portal/account"
FACTOR = f"{PATH}/second-factor"
MESSENGERS = f"{PATH}/messengers"


class AccountRoom:
    def __init__(self, office: Office) -> None:
        self._office = office

    def routes(self) -> list[BaseRoute]:
        office = self._office
        return [
            office.get(PATH, self.show, "portal"),
            office.post(f"{PATH}/password", self.password, "portal"),
            office.post(f"{PATH}/language", self.language, "portal"),
            office.post(f"{PATH}/sessions/revoke", self.revoke, "portal"),
            office.post(f"{PATH}/sessions/revoke-others", self.revoke_others, "portal"),
            office.post(MESSENGERS, self.connect, "alarms"),
            office.post(f"{MESSENGERS}/off", self.disconnect, "alarms"),
            office.get(FACTOR, self.set_up, "portal"),
            office.post(FACTOR, self.switch_on, "portal"),
            office.post(f"{FACTOR}/off", self.switch_off, "portal"),
        ]

    async def show(self, call: Call) -> Response:
        return await self._page(call)

    async def password(self, call: Call) -> Response:
        new = call.form.exact("new")
        try:
            if new != call.form.exact("again"):
                raise Rejected("password_twice", "the two differ")
            new_hash = await hashed(new)
            await self._prove(call)
        except Rejected as error:
            return await self._page(call, error, "password")
        now = self._office.gateway.now()
        await self._office.write(call, staff.change_own_password, new_hash, call.session.id, now)
        return to(PATH, "password")

    async def language(self, call: Call) -> Response:
        chosen = call.form.field("language")
        if chosen in LANGUAGES:
            await self._office.write(call, staff.choose_language, chosen)
        return to(PATH, "saved")

    # -- sessions --------------------------------------------------------------------------------

    async def revoke(self, call: Call) -> Response:
        session_id = row_id(call.form.field("id"))
        if session_id is None:
            raise Missing("no such session")
        await self._office.write(call, sessions.revoke, session_id, self._office.gateway.now())
        return to(PATH, "session")

    async def revoke_others(self, call: Call) -> Response:
        now = self._office.gateway.now()
        await self._office.write(call, sessions.revoke_others, call.session.id, now)
        return to(PATH, "sessions")

    # -- messengers that alarms go to ------------------------------------------------------------

    async def connect(self, call: Call) -> Response:
        code = await self._office.write(call, staff_contacts.offer, self._office.gateway.now())
        links = await ways(self._office.frame, f"{linkcodes.DEEP_LINK}{code}")
        shown = linkcodes.shown(code)
        return self._office.page(call, "alarm_messenger.html", code=shown, ways=links)

    async def disconnect(self, call: Call) -> Response:
        contact_id = row_id(call.form.field("id"))
        if contact_id is None:
            raise Missing("no such messenger")
        now = self._office.gateway.now()
        await self._office.write(call, staff_contacts.disconnect, contact_id, now)
        return to(PATH, "alarms_off")

    # -- the second factor -----------------------------------------------------------------------

    async def set_up(self, call: Call) -> Response:
        if await self._office.read(call, second_factor.is_on):
            return to(PATH)
        return await self._set_up(call, second_factor.new_secret())

    async def switch_on(self, call: Call) -> Response:
        """The secret comes back as it was given out, sealed for this very session."""
        secret = self._unsealed(call)
        if secret is None:
            return to(FACTOR)
        desk, now = self._office.desk, self._office.gateway.now()
        code = call.form.field("code")
        try:
            await self._prove(call)
            codes = await self._office.write(
                call, second_factor.switch_on, secret, code, desk.keys, now
            )
        except Rejected as error:
            return await self._set_up(call, secret, error)
        return self._office.page(call, "recovery_codes.html", codes=codes)

    async def switch_off(self, call: Call) -> Response:
        try:
            await self._prove(call)
        except Rejected as error:
            return await self._page(call, error, "factor")
        await self._office.write(call, second_factor.switch_off, self._office.gateway.now())
        return to(PATH, "second_off")

    async def _set_up(self, call: Call, secret: str, error: Rejected | None = None) -> Response:
        business = self._office.desk.business.name
        link = second_factor.address(secret, call.by.login, business)
        return self._office.page(
            call,
            "second_factor_set_up.html",
            status=422 if error else 200,
            mistake=said.rejected(error.code, call.w) if error else "",
            qr=await data_url(self._office.gateway, link),
            secret=" ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
            sealed=self._office.desk.keys.encrypt(f"{call.session.id}:{secret}".encode()).decode(),
        )

    def _unsealed(self, call: Call) -> str | None:
        try:
            plain = self._office.desk.keys.decrypt(call.form.exact("sealed").encode()).decode()
        except ValueError:
            return None
        session_id, _, secret = plain.partition(":")
        return secret if session_id == str(call.session.id) else None

    # --------------------------------------------------------------------------------------------

    async def _prove(self, call: Call) -> None:
        """That it is still them who sit there. Rejected for a wrong password, which counts."""
        check = await self._office.read(call, sign_in.own)
        right = await matches(check, call.form.exact("password"))
        now = self._office.gateway.now()
        if not await self._office.write(call, _attempt, right, now):
            raise Rejected("password_wrong", "not the password")

    async def _page(self, call: Call, error: Rejected | None = None, part: str = "") -> Response:
        """`part` of the page is where the mistake was made."""
        now = self._office.gateway.now()
        places = await self._office.read(call, permission.places)
        values: dict[str, Any] = {
            "mistakes": {part: said.rejected(error.code, call.w)} if error else {},
            "factor": await self._office.read(call, second_factor.is_on),
            "codes_left": await self._office.read(call, second_factor.codes_left),
            "sessions": await self._office.read(call, sessions.own, now),
            "messengers": await self._messengers(call),
            "this": call.session.id,
            "zone": places[0].timezone if places else "UTC",
        }
        return self._office.page(call, "account.html", status=422 if error else 200, **values)

    async def _messengers(self, call: Call) -> list[tuple[str, staff_contacts.Connected]] | None:
        """With the title of each; None where they get no alarms."""
        if not call.by.may("alarms"):
            return None
        found = await self._office.read(call, staff_contacts.own)
        return [(self._title(one.channel), one) for one in found]

    def _title(self, channel: str) -> str:
        running = self._office.desk.channels.get(channel)
        return (running.capabilities.title if running else "") or channel


def _attempt(tx: Any, by: Member, right: bool, now: Any) -> bool:
    return sign_in.attempt(tx, by.id, right, now)
