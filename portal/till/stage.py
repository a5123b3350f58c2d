"""What is below the cashier's field: nobody yet, whom it could be, or a visit.

For the page's script it is a piece that takes the place of the one before; without the script it
is a page.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from starlette.responses import Response

from core.phrases import counted, discount, name_in, why_out
from core.services import attending, purchases, unclaimed
from core.services.attending import Attended
from core.services.errors import Missing, UnknownVisit
from core.services.lookup import Found
from core.services.purchases import Preview, Sold
from core.services.till_sessions import TillSession
from core.services.unclaimed import Unclaimed
from portal.rooms import to
from portal.till import refusals
from portal.till.door import HOME, Call, TillOffice

VISITS = f"{HOME}/visits"
VISIT = f"{VISITS}/{{visit}}"
KEY_BYTES = 12
_KEY = re.compile(r"[A-Za-z0-9_-]{16}", re.ASCII)


class Note(NamedTuple):
    """What is said above the stage of what was just done, or couldn't be."""

    kind: Literal["good", "bad"]
    text: str


class Entered(NamedTuple):
    """A purchase that isn't counted yet, as its form has it. `key`: under which it is counted."""

    key: str
    quantities: Mapping[int, str]
    amount: str
    preview: Preview | None = None


def key(text: str) -> str:
    """An id of ours, or a key under which something counts once. Missing for what can't be one."""
    if not _KEY.fullmatch(text):
        raise Missing("no such id")
    return text


def new_key() -> str:
    return secrets.token_urlsafe(KEY_BYTES)


class Stage:
    def __init__(self, office: TillOffice) -> None:
        self._office = office

    async def nobody(self, call: Call, note: Note | None = None) -> Response:
        orders = await self._office.read(call, unclaimed.recent, self.now())
        return self._show(call, "nobody.html", HOME, note, orders=orders)

    async def matches(self, call: Call, found: Found) -> Response:
        return self._show(call, "matches.html", HOME, None, found=found)

    async def visit(
        self,
        call: Call,
        public_id: str,
        note: Note | None = None,
        entered: Entered | None = None,
    ) -> Response:
        """Where there is no such visit here, nobody."""
        try:
            found, menu, orders = await self._office.read(call, _visit, public_id, self.now())
        except UnknownVisit as error:
            return await self.nobody(call, Note("bad", refusals.why(error, call.w)))
        return self._show(
            call,
            "visit.html",
            f"{VISITS}/{found.visit}",
            note,
            visit=found,
            menu=menu,
            orders=orders,
            entered=entered or Entered(new_key(), {}, ""),
        )

    async def after(self, call: Call, public_id: str, note: Note | None) -> Response:
        """The visit once something was done in it."""
        if call.swaps or (note is not None and note.kind == "bad"):
            return await self.visit(call, public_id, note)
        return to(f"{VISITS}/{public_id}")

    async def beside(self, call: Call, public_id: str, note: Note | None) -> Response:
        """The visit once something was done in it, but for the purchase that is being entered."""
        if not call.swaps:
            return await self.after(call, public_id, note)
        answer = await self._live(call, public_id, "visit_done.html", note)
        answer.headers.setdefault("HX-Reswap", "none")
        return answer

    async def live(self, call: Call, public_id: str) -> Response:
        """The parts of a visit that change by themselves."""
        return await self._live(call, public_id, "visit_live.html", None)

    async def _live(self, call: Call, public_id: str, template: str, note: Note | None) -> Response:
        """Pieces that find their own places; all of the visit once it is over."""
        try:
            found, _, orders = await self._office.read(call, _visit, public_id, self.now())
        except UnknownVisit:
            found = None
        if found is not None and not found.over:
            return self.piece(call, template, visit=found, orders=orders, note=note)
        return await self.instead(call, public_id, note)

    async def instead(self, call: Call, public_id: str, note: Note | None) -> Response:
        """All of the visit, where a piece of it was asked for."""
        answer = await self.visit(call, public_id, note)
        answer.headers["HX-Retarget"] = "#stage"
        answer.headers["HX-Reswap"] = "innerHTML"
        return answer

    def refuse(self, call: Call, text: str) -> Response:
        """Says why not, and leaves what is on the stage as it is."""
        answer = self.piece(call, "note.html", note=Note("bad", text), swap=False)
        answer.headers["HX-Retarget"] = "#note"
        answer.headers["HX-Reswap"] = "outerHTML"
        return answer

    def piece(self, call: Call, template: str, **values: Any) -> Response:
        return self._office.piece(call, template, **self._shared(call), **values)

    def now(self) -> datetime:
        return self._office.gateway.now()

    def _show(
        self, call: Call, template: str, where: str, note: Note | None, **values: Any
    ) -> Response:
        values |= {"stage": f"till/{template}", "note": note}
        if not call.swaps:
            return self._office.page(call, "counter.html", **self._shared(call), **values)
        answer = self.piece(call, "stage.html", **values)
        answer.headers["HX-Push-Url"] = where
        return answer

    def _shared(self, call: Call) -> dict[str, Any]:
        """What every piece may say things with."""
        now = self.now()
        return {
            "cafe": call.session.till.cafe,
            "visits": VISITS,
            "name_in": name_in,
            "counted": counted,
            "discount": discount,
            "why_out": why_out,
            "new_key": new_key,
            "seconds_to": lambda at: max(0, round((at - now).total_seconds())),
        }


def _visit(
    tx: Any, by: TillSession, public_id: str, now: datetime
) -> tuple[Attended, list[Sold], list[Unclaimed]]:
    found = attending.visit(tx, by, public_id, now)
    if found.over:
        return found, [], []
    return found, list(purchases.menu(tx, by)), list(unclaimed.recent(tx, by, now))
