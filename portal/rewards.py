"""`/portal/rewards`: what points buy, and whom it would be within reach of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.phrases import name_in
from core.services import catalogue, schemes
from core.services.catalogue import Draft, Keep, Reward
from core.services.photos import Photo
from core.services.schemes import Scheme
from portal import photos, reward_form
from portal.entries import EntriesRoom, Line
from portal.office import Call
from portal.pictures import address


class RewardsRoom(EntriesRoom[Reward, Draft]):
    many, one, preview_page = "rewards", "reward", "reach.html"
    with_file = True
    service = catalogue

    async def everyone(self, call: Call) -> Sequence[Reward]:
        return await self._office.read(call, catalogue.everyone, self._office.gateway.now())

    async def found(self, call: Call) -> Reward:
        return await self._office.read(call, catalogue.one, call.id(), self._office.gateway.now())

    def line(self, entry: Reward, scheme: Scheme, call: Call) -> Line:
        return Line(
            name_in(entry.names, call.w),
            reward_form.in_short(entry, scheme, call.w),
            call.w.points(entry.cost, scheme.unit),
            over=entry.over,
            picture=address(entry.picture_id) if entry.picture_id else "",
        )

    def fields(
        self, call: Call, scheme: Scheme, entry: Reward | None, *, sent: bool
    ) -> Mapping[str, str]:
        return reward_form.sent(call.form) if sent else reward_form.of(entry, scheme.currency)

    async def draft(self, call: Call, scheme: Scheme) -> Draft:
        """A new picture takes the place of one that was to be taken away."""
        photo: Photo | Keep | None
        photo = None if call.form.field("no_picture") else "keep"
        brought = call.form.file("picture")
        if brought is not None:
            photo = await photos.drawn(brought)
        return reward_form.draft(call.form, scheme.currency, photo)

    async def would(
        self, call: Call, scheme: Scheme, fields: Mapping[str, Any]
    ) -> dict[str, str] | None:
        """Who could have it today, and after how many visits; None, too, where it isn't theirs to
        change."""
        cost = fields["cost"]
        if not scheme.whole or not cost.isascii() or not cost.isdigit() or len(cost) > 7:
            return None
        if int(cost) == 0:
            return None
        now = self._office.gateway.now()
        within = await self._office.read(call, catalogue.within_reach, scheme.id, int(cost))
        typical = await self._office.read(call, schemes.typical_total, scheme, now)
        return reward_form.meaning(within, scheme, int(cost), typical, call.w)

    async def more(self, call: Call, scheme: Scheme, entry: Reward | None) -> dict[str, Any]:
        return {
            "brought": call.form.file("picture") is not None,
            "picture": address(entry.picture_id) if entry and entry.picture_id else None,
        }
