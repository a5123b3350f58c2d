"""`/portal/programme`: what is earned for money, and what a typical order would give."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from core.domain.earning import Rates, Sale, award
from core.domain.money import exponent
from core.services import schemes
from core.services.errors import Rejected
from core.services.schemes import Scheme
from portal import said
from portal.forms import written
from portal.office import Call, Office, to

PATH = "/portal/programme"
ONE = f"{PATH}/{{id}}"


class ProgrammeRoom:
    def __init__(self, office: Office) -> None:
        self._office = office

    def routes(self) -> list[BaseRoute]:
        office = self._office
        return [
            office.get(PATH, self.show, "programme"),
            office.post(ONE, self.change, "programme"),
            office.post(f"{ONE}/preview", self.preview, "programme"),
        ]

    async def show(self, call: Call) -> Response:
        return await self._page(call)

    async def change(self, call: Call) -> Response:
        scheme = await self._office.read(call, schemes.one, call.id())
        try:
            wanted = self._wanted(call, scheme)
            if call.form.field("preview"):  # without script the preview is a page of its own
                return await self._page(call, sent=scheme)
            await self._office.write(
                call,
                schemes.change,
                scheme.id,
                name=call.form.field("name"),
                now=self._office.gateway.now(),
                **wanted,
            )
        except Rejected as error:
            return await self._page(call, error, sent=scheme)
        return to(PATH, "saved")

    async def preview(self, call: Call) -> Response:
        """A piece of the page: what is in the form now would give so much."""
        scheme = await self._office.read(call, schemes.one, call.id())
        would = await self._would(call, scheme, sent=True)
        return self._office.piece(call, "preview.html", would=would)

    async def _page(
        self, call: Call, error: Rejected | None = None, sent: Scheme | None = None
    ) -> Response:
        """`sent`: whose form came in, and is shown as it was written."""
        known = await self._office.read(call, schemes.everyone)
        shown = []
        for scheme in known:
            mine = sent is not None and scheme.id == sent.id
            mistake = said.rejected(error.code, call.w) if error and mine else ""
            would = await self._would(call, scheme, sent=mine)
            shown.append((scheme, self._fields(call, scheme, sent=mine), would, mistake))
        return self._office.page(
            call, "programme.html", status=422 if error else 200, programmes=shown
        )

    def _fields(self, call: Call, scheme: Scheme, *, sent: bool) -> dict[str, str]:
        if sent:
            return {
                name: call.form.field(name)
                for name in ("name", "unit", "earn_minor", "earn_points")
            }
        return {
            "name": scheme.name,
            "unit": scheme.unit,
            "earn_minor": written(scheme.earn_minor, scheme.currency, exponent(scheme.currency)),
            "earn_points": str(scheme.earn_points),
        }

    def _wanted(self, call: Call, scheme: Scheme) -> dict[str, Any]:
        return {
            "unit": call.form.field("unit"),
            "earn_minor": call.form.money("earn_minor", scheme.currency),
            "earn_points": call.form.whole("earn_points"),
        }

    async def _would(self, call: Call, scheme: Scheme, *, sent: bool) -> dict[str, str] | None:
        """What a typical order would give, in words; None where the form makes no sense yet."""
        rates, unit = Rates(scheme.earn_minor, scheme.earn_points), scheme.unit
        if sent:
            try:
                wanted = self._wanted(call, scheme)
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
