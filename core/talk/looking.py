"""What the engine may know of a chat: read when it is asked for, and once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from core.conversation.views import (
    CafeView,
    GuestView,
    Invited,
    Messenger,
    Picked,
    RewardView,
    Shelf,
    TillAsks,
    View,
)
from core.i18n import Words, best_language, words
from core.phrases import counted, name_in
from core.services import (
    asking,
    cafes,
    connecting,
    guests,
    invitations,
    redemptions,
    rewards,
    spending,
)
from core.services.guests import Collecting
from core.services.redemptions import Redemption
from core.services.rewards import Offered
from core.talk.turn import Turn


class Looking:
    """Of one turn, until something in it changes what was seen."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._shelves: dict[str | None, Shelf | None] = {}

    def view(self) -> View:
        contact, house = self._turn.contact, self._turn.house
        return View(
            business=house.business,
            privacy_url=house.privacy_url or f"{house.public_url}/privacy",
            capabilities=self._turn.capabilities,
            cafes=lambda: self._cafes,
            messengers=self._messengers,
            shelf=self._shelf,
            picked=lambda: next((one.id for one in self._picked if one.qr), None),
            till_asks=self._till_asks,
            invitation=self._invitation,
            name=contact.name,
            language=best_language(contact.language),
            phone=contact.phone,
            guest=None if contact.guest_id is None else self._guest,
            region=house.region,
        )

    @cached_property
    def _cafes(self) -> Sequence[CafeView]:
        return [CafeView(cafe.slug, cafe.name) for cafe in cafes.everyone(self._turn.tx)]

    def _messengers(self) -> Sequence[Messenger]:
        turn = self._turn
        known = turn.contact.guest_id is not None
        mine = set(connecting.channels_of(turn.tx, turn.guest_id)) if known else set()
        return [
            Messenger(name, turn.title_of(name, channel.capabilities), name in mine)
            for name, channel in turn.house.channels.items()
        ]

    @cached_property
    def _guest(self) -> GuestView:
        known = guests.profile(self._turn.tx, self._turn.guest_id)
        return GuestView(
            name=known.name,
            language=known.language,
            phone=known.phone,
            phone_proven=known.phone_proven,
            email=known.email,
            birthday=known.birthday,
            home=CafeView(*known.home) if known.home else None,
            offers=known.offers,
            told_on=known.told_on,
        )

    def _invitation(self, code: str) -> Invited | None:
        turn = self._turn
        promise = invitations.look_up(turn.tx, code)
        if promise is None:
            return None
        terms, own = promise.terms, promise.inviter_id == turn.contact.guest_id
        return Invited(
            promise.cafe, terms.friend_points if terms else 0, terms.unit if terms else "", own
        )

    # -- rewards ----------------------------------------------------------------------------------

    @cached_property
    def _offered(self) -> dict[Collecting, list[Offered]]:
        """What each of the guest's programmes has, the home cafe's first, then the fullest."""
        turn = self._turn
        home = guests.home_programme(turn.tx, turn.guest_id)
        found = sorted(
            guests.collecting(turn.tx, turn.guest_id),
            key=lambda one: (one.programme_id != home, -one.balance),
        )
        offered = {
            one: rewards.offers(turn.tx, turn.guest_id, one.programme_id, turn.now) for one in found
        }
        return {one: some for one, some in offered.items() if some}

    @cached_property
    def _picked(self) -> Sequence[Redemption]:
        turn = self._turn
        return redemptions.open_of(turn.tx, turn.guest_id, turn.house.keys, turn.now)

    def _shelf(self, programme: str | None) -> Shelf | None:
        if programme not in self._shelves:
            known = {str(one.programme_id): one for one in self._offered}
            of = known.get(programme or "") or next(iter(self._offered), None)
            self._shelves[programme] = None if of is None else self._read_shelf(of)
        return self._shelves[programme]

    def _read_shelf(self, of: Collecting) -> Shelf:
        turn, w = self._turn, words(self._guest.language)
        held = [one for one in self._picked if one.programme_id == of.programme_id]
        return Shelf(
            programme_id=of.programme_id,
            programme=of.programme,
            unit=of.unit,
            balance=of.balance,
            available=spending.available(turn.tx, turn.guest_id, of.programme_id, turn.now),
            rewards=[_reward(one, w) for one in self._offered[of]],
            picked=[
                Picked(one.id, counted([item.names for item in one.items], w), until)
                for one in held
                if one.qr
                for until in [w.time(one.expires_at, of.timezone or "UTC")]
            ],
            held=sum(one.points for one in held),
            others=[(one.programme_id, one.programme) for one in self._offered if one is not of],
        )

    def _till_asks(self) -> TillAsks | None:
        turn = self._turn
        found = asking.waiting(turn.tx, turn.guest_id, turn.now)
        if found is None:
            return None
        heard_at = turn.contact.heard_at
        return TillAsks(found.id, last=heard_at is None or heard_at < found.asked_at)


def _reward(offered: Offered, w: Words) -> RewardView:
    return RewardView(
        id=offered.id,
        name=name_in(offered.names, w),
        text=name_in(offered.texts, w),
        cost=offered.cost,
        missing=offered.missing,
        out=offered.why_out,
    )
