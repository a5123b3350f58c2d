"""`/portal/rewards`: what points buy, and whom it would be within reach of."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from core.phrases import name_in
from core.services import catalogue, schemes
from core.services.catalogue import Draft, Keep, Reward
from core.services.errors import Missing, Rejected
from core.services.photos import Photo
from core.services.schemes import Scheme
from portal import photos, reward_form, said
from portal.forms import row_id
from portal.office import Call, Office, to
from portal.pictures import address

PATH = "/portal/rewards"
ONE = f"{PATH}/{{id}}"


class RewardsRoom:
    def __init__(self, office: Office) -> None:
        self._office = office

    def routes(self) -> list[BaseRoute]:
        office = self._office
        return [
            office.get(PATH, self.show, "rewards"),
            office.get(f"{PATH}/new", self.blank, "rewards"),
            office.post(f"{PATH}/new", self.add, "rewards", with_file=True),
            office.post(f"{PATH}/preview", self.preview, "rewards", with_file=True),
            office.get(ONE, self.one, "rewards"),
            office.post(ONE, self.change, "rewards", with_file=True),
            office.post(f"{ONE}/off", self.switch_off, "rewards"),
            office.post(f"{ONE}/on", self.switch_on, "rewards"),
        ]

    async def show(self, call: Call) -> Response:
        now = self._office.gateway.now()
        known = await self._office.read(call, schemes.everyone)
        found = await self._office.read(call, catalogue.everyone, now)
        shelves = [
            (
                scheme,
                [
                    (reward, reward_form.in_short(reward, scheme, call.w))
                    for reward in found
                    if reward.programme_id == scheme.id
                ],
            )
            for scheme in known
        ]
        return self._office.page(
            call, "rewards.html", shelves=shelves, name_in=name_in, address=address
        )

    async def blank(self, call: Call) -> Response:
        scheme = await self._scheme(call, call.request.query_params.get("programme", ""))
        return await self._form(call, scheme)

    async def add(self, call: Call) -> Response:
        scheme = await self._scheme(call, call.form.field("programme"))
        now = self._office.gateway.now()
        try:
            draft = await self._draft(call, scheme)
            if call.form.field("preview"):
                return await self._form(call, scheme, sent=True)
            await self._office.write(call, catalogue.add, scheme.id, draft, now)
        except Rejected as error:
            return await self._form(call, scheme, error=error)
        return to(PATH, "reward_added")

    async def one(self, call: Call) -> Response:
        reward, scheme = await self._found(call)
        return await self._form(call, scheme, reward)

    async def change(self, call: Call) -> Response:
        reward, scheme = await self._found(call)
        now = self._office.gateway.now()
        try:
            draft = await self._draft(call, scheme)
            if call.form.field("preview"):
                return await self._form(call, scheme, reward, sent=True)
            await self._office.write(call, catalogue.change, reward.id, draft, now)
        except Rejected as error:
            return await self._form(call, scheme, reward, error=error)
        return to(PATH, "saved")

    async def switch_off(self, call: Call) -> Response:
        now = self._office.gateway.now()
        await self._office.write(call, catalogue.switch, call.id(), False, now)
        return to(PATH, "reward_off")

    async def switch_on(self, call: Call) -> Response:
        now = self._office.gateway.now()
        await self._office.write(call, catalogue.switch, call.id(), True, now)
        return to(PATH, "reward_on")

    async def preview(self, call: Call) -> Response:
        """A piece of the page: what the cost in the form now would mean."""
        scheme = await self._scheme(call, call.form.field("programme"))
        would = await self._would(call, scheme, call.form.field("cost"))
        return self._office.piece(call, "reach.html", would=would)

    async def _scheme(self, call: Call, named: str) -> Scheme:
        programme_id = row_id(named)
        if programme_id is None:
            raise Missing("there is no such programme")
        return await self._office.read(call, schemes.one, programme_id)

    async def _found(self, call: Call) -> tuple[Reward, Scheme]:
        now = self._office.gateway.now()
        reward = await self._office.read(call, catalogue.one, call.id(), now)
        return reward, await self._office.read(call, schemes.one, reward.programme_id)

    async def _draft(self, call: Call, scheme: Scheme) -> Draft:
        """As the form says. A new picture takes the place of one that was to be taken away."""
        photo: Photo | Keep | None
        photo = None if call.form.field("no_picture") else "keep"
        brought = call.form.file("picture")
        if brought is not None:
            photo = await photos.drawn(brought)
        return reward_form.draft(call.form, scheme.currency, photo)

    async def _form(
        self,
        call: Call,
        scheme: Scheme,
        reward: Reward | None = None,
        error: Rejected | None = None,
        sent: bool = False,
    ) -> Response:
        sent = sent or error is not None
        fields = reward_form.sent(call.form) if sent else reward_form.of(reward, scheme.currency)
        return self._office.page(
            call,
            "reward.html",
            status=422 if error else 200,
            mistake=said.rejected(error.code, call.w) if error else "",
            brought=call.form.file("picture") is not None,
            scheme=scheme,
            reward=reward,
            picture=address(reward.picture_id) if reward and reward.picture_id else None,
            fields=fields,
            would=await self._would(call, scheme, fields["cost"]),
        )

    async def _would(self, call: Call, scheme: Scheme, cost: str) -> dict[str, str] | None:
        """Who could have it today, and after how many visits; None where there is no sense in the
        cost yet, or it isn't theirs to change."""
        if not scheme.whole or not cost.isascii() or not cost.isdigit() or len(cost) > 7:
            return None
        if int(cost) == 0:
            return None
        now = self._office.gateway.now()
        within = await self._office.read(call, catalogue.within_reach, scheme.id, int(cost))
        typical = await self._office.read(call, schemes.typical_total, scheme, now)
        return reward_form.meaning(within, scheme, int(cost), typical, call.w)
