"""`/portal/bonuses`: the rules for points on top, and what each would give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from core.domain.bonuses import KINDS
from core.i18n import LANGUAGES, words
from core.phrases import bonus_name, name_in
from core.services import bonus_rules, forecast, products, schemes
from core.services.bonus_rules import BonusRule, Draft
from core.services.errors import Rejected
from core.services.programmes import sku_of
from core.services.schemes import Scheme
from portal import bonus_form
from portal.entries import EntriesRoom, Line
from portal.office import Call


class BonusesRoom(EntriesRoom[BonusRule, Draft]):
    many, one, preview_page = "bonuses", "bonus", "bonus_preview.html"
    service = bonus_rules

    async def everyone(self, call: Call) -> Sequence[BonusRule]:
        return await self._office.read(call, bonus_rules.everyone, self._office.gateway.now())

    async def found(self, call: Call) -> BonusRule:
        return await self._office.read(call, bonus_rules.one, call.id(), self._office.gateway.now())

    def line(self, entry: BonusRule, scheme: Scheme, call: Call) -> Line:
        return Line(
            bonus_name(entry.kind, entry.names, call.w),
            bonus_form.in_short(entry, scheme, call.w),
            bonus_form.gives(entry, scheme.unit, call.w),
            over=entry.over,
        )

    def fields(
        self, call: Call, scheme: Scheme, entry: BonusRule | None, *, sent: bool
    ) -> Mapping[str, Any]:
        if sent:
            return bonus_form.sent(call.form)
        return bonus_form.of(entry, _asked(call), scheme.currency)

    async def draft(self, call: Call, scheme: Scheme) -> Draft:
        return bonus_form.draft(call.form, scheme.currency)

    async def would(
        self, call: Call, scheme: Scheme, fields: Mapping[str, Any]
    ) -> dict[str, str] | None:
        """What a typical order would be given, and what the last 30 days' would have been."""
        if not scheme.whole:
            return None
        now = self._office.gateway.now()
        try:
            draft = bonus_form.draft(bonus_form.as_form(fields), scheme.currency)
            month = await self._office.read(call, forecast.forecast, scheme.id, draft, now)
        except Rejected:
            return None
        typical = await self._office.read(call, schemes.typical_total, scheme, now)
        return bonus_form.meaning(draft, scheme, typical, month, call.w)

    async def more(self, call: Call, scheme: Scheme, entry: BonusRule | None) -> dict[str, Any]:
        """Its title in each language, and the products that a multiplier can be for."""
        found = await self._office.read(call, products.everyone)
        known = [
            (sku_of(one.id, one.sku), name_in(one.names, call.w))
            for one in found
            if one.programme_id == scheme.id
        ]
        kind = entry.kind if entry else _asked(call)
        titles = {language: bonus_name(kind, {}, words(language)) for language in LANGUAGES}
        return {"kind": kind, "titles": titles, "products": known}

    # -- first of all its kind -------------------------------------------------------------------

    async def blank(self, call: Call) -> Response:
        if _asked(call) not in KINDS:
            return await self._kinds(call, call.request.query_params.get("programme", ""))
        return await super().blank(call)

    async def add(self, call: Call) -> Response:
        if _asked(call) not in KINDS:
            return await self._kinds(call, call.form.field("programme"), status=422)
        return await super().add(call)

    async def _kinds(self, call: Call, programme: str, status: int = 200) -> Response:
        scheme = await self._scheme(call, programme)
        kinds = [
            (kind, bonus_name(kind, {}, call.w), call.w.text(bonus_form.ABOUT[kind]))
            for kind in KINDS
        ]
        return self._office.page(
            call, "bonus_kinds.html", status=status, here=self._path, scheme=scheme, kinds=kinds
        )


def _asked(call: Call) -> str:
    """Of which kind the new one is to be."""
    return call.form.field("kind") or call.request.query_params.get("kind", "")
