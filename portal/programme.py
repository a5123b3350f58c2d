"""`/portal/programme`: what is earned for money and by invitations, how long it is good, and what
these would give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from core.domain.earning import Rates, Sale, award
from core.domain.money import exponent
from core.services import schemes, sharing
from core.services.errors import Rejected
from core.services.schemes import Scheme
from portal import said
from portal.forms import written
from portal.office import Call, Office, to

PATH = "/portal/programme"
ONE = f"{PATH}/{{id}}"
INVITATIONS = f"{ONE}/invitations"
EXPIRY = f"{ONE}/expiry"

Texts = dict[str, str]


class ProgrammeRoom:
    def __init__(self, office: Office) -> None:
        self._office = office

    def routes(self) -> list[BaseRoute]:
        office = self._office
        return [
            office.get(PATH, self.show, "programme"),
            office.post(ONE, self.change, "programme"),
            office.post(f"{ONE}/preview", self.preview, "programme"),
            office.post(INVITATIONS, self.change_invitations, "programme"),
            office.post(f"{INVITATIONS}/preview", self.preview_invitations, "programme"),
            office.post(EXPIRY, self.change_expiry, "programme"),
            office.post(f"{EXPIRY}/preview", self.preview_expiry, "programme"),
        ]

    async def show(self, call: Call) -> Response:
        return await self._page(call)

    async def change(self, call: Call) -> Response:
        return await self._save(call, _wanted, schemes.change)

    async def change_invitations(self, call: Call) -> Response:
        return await self._save(call, _wanted_points, schemes.change_invitations)

    async def change_expiry(self, call: Call) -> Response:
        return await self._save(call, _wanted_expiry, schemes.change_expiry)

    async def _save(
        self,
        call: Call,
        wanted: Callable[[Call, Scheme], dict[str, Any]],
        change: Callable[..., None],
    ) -> Response:
        """One of a programme's forms came in."""
        scheme = await self._office.read(call, schemes.one, call.id())
        try:
            values = wanted(call, scheme)
            if call.form.field("preview"):  # without script the preview is a page of its own
                return await self._page(call, sent=scheme)
            now = self._office.gateway.now()
            await self._office.write(call, change, scheme.id, now=now, **values)
        except Rejected as error:
            return await self._page(call, error, sent=scheme)
        return to(PATH, "saved")

    async def preview(self, call: Call) -> Response:
        """A piece of the page: what is in the form now would give so much."""
        scheme = await self._office.read(call, schemes.one, call.id())
        would = await self._would(call, scheme, sent=True)
        return self._office.piece(call, "preview.html", would=would)

    async def preview_invitations(self, call: Call) -> Response:
        scheme = await self._office.read(call, schemes.one, call.id())
        would = await self._invitations_would(call, scheme, sent=True)
        return self._office.piece(call, "invitations_preview.html", invitations=would)

    async def preview_expiry(self, call: Call) -> Response:
        scheme = await self._office.read(call, schemes.one, call.id())
        would = await self._expiry_would(call, scheme, sent=True)
        return self._office.piece(call, "expiry_preview.html", expiry=would)

    async def _page(
        self, call: Call, error: Rejected | None = None, sent: Scheme | None = None
    ) -> Response:
        """`sent`: of which programme a form came in, and is shown as it was written."""
        known = await self._office.read(call, schemes.everyone)
        mistake = said.rejected(error.code, call.w) if error else ""
        shown = [
            {
                **await self._shown(
                    call, scheme, mistake, sent is not None and scheme.id == sent.id
                ),
                "may_join": sharing.candidates(known, scheme),
            }
            for scheme in known
        ]
        return self._office.page(
            call, "programme.html", status=422 if error else 200, programmes=shown
        )

    async def _shown(self, call: Call, scheme: Scheme, mistake: str, sent: bool) -> dict[str, Any]:
        """One programme's forms; one of them may have been `sent`."""
        earning = sent and _is_sent(call, "earn_minor")
        inviting = sent and _is_sent(call, "inviter_points")
        expiring = sent and _is_sent(call, "months")
        fields = _fields(scheme)
        if sent:
            fields |= {name: call.form.field(name) for name in fields if _is_sent(call, name)}
        return {
            "scheme": scheme,
            "fields": fields,
            "would": await self._would(call, scheme, sent=earning),
            "invitations": await self._invitations_would(call, scheme, sent=inviting),
            "expiry": await self._expiry_would(call, scheme, sent=expiring),
            "mistake": mistake if earning else "",
            "invitations_mistake": mistake if inviting else "",
            "expiry_mistake": mistake if expiring else "",
        }

    async def _would(self, call: Call, scheme: Scheme, *, sent: bool) -> Texts | None:
        """What a typical order would give, in words; None where the form makes no sense yet."""
        rates, unit = Rates(scheme.earn_minor, scheme.earn_points), scheme.unit
        if sent:
            try:
                wanted = _wanted(call, scheme)
            except Rejected:
                return None
            rates, unit = Rates(wanted["earn_minor"], wanted["earn_points"]), wanted["unit"]
        if rates.earn_minor <= 0:
            return None
        now = self._office.gateway.now()
        total = await self._office.read(call, schemes.typical_total, scheme, now)
        given = award(Sale(rates, total, total), currency=scheme.currency, carry_minor=0)
        total_text = call.w.money(total, scheme.currency)
        return {"order": total_text, "gives": call.w.points(given.points, unit)}

    async def _invitations_would(self, call: Call, scheme: Scheme, *, sent: bool) -> Texts | None:
        """What a friend who comes would give, and would have in the last 30 days, in words."""
        inviter, friend, w = scheme.inviter_points, scheme.friend_points, call.w
        if sent:
            try:
                wanted = _wanted_points(call, scheme)
            except Rejected:
                return None
            inviter, friend = wanted["inviter_points"], wanted["friend_points"]
        now = self._office.gateway.now()
        friends = await self._office.read(call, schemes.friends_lately, scheme, now)
        came = w.count(
            "{count} invited friend paid a first order in the last 30 days: {points} in all.",
            "{count} invited friends paid a first order in the last 30 days: {points} in all.",
            friends,
            points=w.points(friends * (inviter + friend), scheme.unit),
        )
        return {
            "inviter": w.points(inviter, scheme.unit),
            "friend": w.points(friend, scheme.unit),
            "lately": came if friends else "",
        }

    async def _expiry_would(self, call: Call, scheme: Scheme, *, sent: bool) -> list[str] | None:
        """How long points would be good, in sentences; None where the form makes no sense yet."""
        months, w = scheme.expiry_months, call.w
        try:
            if sent:
                months = _wanted_expiry(call, scheme)["months"]
            if months is None:
                return [w.text("Points stay for ever.")]
            now = self._office.gateway.now()
            would = await self._office.read(call, schemes.expiry_of, scheme, months, now)
        except Rejected:
            return None
        said_first = w.text("What is earned today is good until {day}.", day=w.date(would.last_day))
        if scheme.expiry_months is not None:
            return [said_first, w.text("What guests have already keeps its days.")]
        held = w.points(would.held, scheme.unit)
        return [said_first, w.text("So is what guests have already: {points}.", points=held)]


def _fields(scheme: Scheme) -> Texts:
    """What the forms say before anybody has written in them."""
    return {
        "name": scheme.name,
        "unit": scheme.unit,
        "earn_minor": written(scheme.earn_minor, exponent(scheme.currency)),
        "earn_points": str(scheme.earn_points),
        "inviter_points": str(scheme.inviter_points),
        "friend_points": str(scheme.friend_points),
        "months": "" if scheme.expiry_months is None else str(scheme.expiry_months),
    }


def _is_sent(call: Call, field: str) -> bool:
    return bool(call.form.all(field))


def _wanted(call: Call, scheme: Scheme) -> dict[str, Any]:
    return {
        "name": call.form.field("name"),
        "unit": call.form.field("unit"),
        "earn_minor": call.form.money("earn_minor", scheme.currency),
        "earn_points": call.form.whole("earn_points"),
    }


def _wanted_points(call: Call, _: Scheme) -> dict[str, int]:
    return {name: call.form.whole(name) for name in ("inviter_points", "friend_points")}


def _wanted_expiry(call: Call, _: Scheme) -> dict[str, int | None]:
    return {"months": call.form.whole("months") if call.form.field("months") else None}
