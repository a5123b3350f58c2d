"""One thing that a guest did, from the chat it came from to the replies in the outbox.

The engine says what is to be done and said; here it is done, in the inbound's own transaction, and
what came of it goes back to the engine as an event, until nothing is left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from core.contract import (
    Capabilities,
    Channel,
    Chose,
    Content,
    GuestJoined,
    Inbound,
    Left,
    Outbound,
    Returned,
    Said,
    Sender,
    SharedPhone,
    Unsupported,
)
from core.conversation import engine
from core.conversation.types import (
    Account,
    Balance,
    CafeView,
    Change,
    Entry,
    Erase,
    Erased,
    Event,
    Export,
    Exported,
    FindGuest,
    GuestView,
    Intention,
    Join,
    Joined,
    Linked,
    LinkOffered,
    LinkRefused,
    LoadPoints,
    Messenger,
    NextReward,
    NotKnown,
    OfferLink,
    Outcome,
    PhoneProven,
    PointsLoaded,
    ProvePhone,
    Recognised,
    Register,
    Registered,
    ShowCard,
    State,
    UseLink,
    View,
)
from core.domain import linkcodes
from core.domain.phones import told_phone
from core.i18n import best_language, words
from core.keys import Keys
from core.phrases import name_in
from core.services import (
    cafes,
    cards,
    connecting,
    contacts,
    guests,
    importing,
    ledger,
    linking,
    messages,
    privacy,
    rewards,
    window,
)
from core.storage.tables import contacts as contact_rows
from core.storage.tx import Tx

MOST_STEPS = 8
"""No event leads to more: it would be a loop."""

LONGEST_KEPT = 4000
"""Characters of the guest's own words that a channel which stores keeps."""


@dataclass(frozen=True, slots=True)
class House:
    """Whose conversation it is. `privacy_url`: instead of the built-in notice; `region` (ISO 3166):
    whose phone numbers guests may type without their country; `channels`: the running ones."""

    business: str
    public_url: str
    keys: Keys
    privacy_url: str = ""
    region: str = "RS"
    channels: Mapping[str, Channel] = field(default_factory=dict)


def talk(
    tx: Tx, channel: str, capabilities: Capabilities, event: Inbound, house: House, now: datetime
) -> list[int]:
    """Works on one inbound, which is new (the inbox sees to that).

    Returns the outbox's row ids of what leaves at once, in order; the first reply among them is
    what may ride in the provider's response (`reply_inline`).
    """
    sender, content = event.sender, event.content
    if isinstance(content, Left):
        contacts.leave(tx, channel, sender.address, now)
        return []
    if isinstance(content, Returned):
        contacts.come_back(tx, channel, sender.address)
        return []
    turn = _Turn(tx, channel, capabilities, sender, house, now)
    return turn.take(_with_known_phone(content))


def _with_known_phone(content: Content) -> Content:
    """A shared number as we write it; one that can't be a number is nothing that we can use."""
    if not isinstance(content, SharedPhone):
        return content
    phone = told_phone(content.phone)
    return SharedPhone(phone, content.own) if phone else Unsupported("phone")


class _Turn:
    """One event's way through the engine and the services."""

    def __init__(
        self,
        tx: Tx,
        channel: str,
        capabilities: Capabilities,
        sender: Sender,
        house: House,
        now: datetime,
    ) -> None:
        self.tx, self.channel, self.capabilities, self.now = tx, channel, capabilities, now
        self.house, self.sender = house, sender
        self.contact = contacts.hear(tx, channel, sender, now)
        self.queued: list[int] = []
        self._guest: GuestView | None = None
        self._cafes: Sequence[CafeView] | None = None

    def take(self, content: Content) -> list[int]:
        state = State.from_json(self.contact.state)
        view = self.view()
        if self.capabilities.stores:
            self.keep_words(content, state, view)
        events: list[Event] = [content]
        for _ in range(MOST_STEPS):
            step = engine.step(state, events.pop(0), view, self.now)
            events += self.carry_out(step.intentions)
            for reply in step.replies:
                self.say(reply)
            state = step.state
            if not events:
                break
            view = self.view()
        contacts.save(self.tx, self.contact, state.to_json(), self.now)
        if self.capabilities.window is not None:
            window.release(self.tx, self.contact.id, self.channel, self.now)
        return self.queued

    def carry_out(self, intentions: Sequence[Intention]) -> list[Event]:
        outcomes: list[Event] = []
        for intention in intentions:
            outcome = _CARRY_OUT[type(intention)](self, intention)
            if not isinstance(intention, ShowCard | LoadPoints):
                self._guest = None  # it may have changed
            if outcome is not None:
                outcomes.append(outcome)
        return outcomes

    @property
    def guest_id(self) -> int:
        assert self.contact.guest_id is not None, "the engine knows who is a guest"
        return self.contact.guest_id

    def view(self) -> View:
        contact, house = self.contact, self.house
        return View(
            business=house.business,
            privacy_url=house.privacy_url or f"{house.public_url}/privacy",
            capabilities=self.capabilities,
            cafes=self.cafes,
            messengers=self.messengers,
            name=contact.name,
            language=best_language(contact.language),
            phone=contact.phone,
            guest=None if contact.guest_id is None else self.guest(),
            region=house.region,
        )

    def cafes(self) -> Sequence[CafeView]:
        if self._cafes is None:
            self._cafes = [CafeView(cafe.slug, cafe.name) for cafe in cafes.everyone(self.tx)]
        return self._cafes

    def messengers(self) -> Sequence[Messenger]:
        mine = set() if self.contact.guest_id is None else self.linked()
        return [
            Messenger(name, self.title_of(name, channel.capabilities), name in mine)
            for name, channel in self.house.channels.items()
        ]

    def title_of(self, name: str, capabilities: Capabilities) -> str:
        """A messenger's own name; that of a chat of ours is a word of the guest's language."""
        language = self.contact.language if self.contact.guest_id is None else self.guest().language
        return words(best_language(language)).text(capabilities.title or name)

    def linked(self) -> set[str]:
        return set(connecting.channels_of(self.tx, self.guest_id))

    def guest(self) -> GuestView:
        if self._guest is None:
            self._guest = self.read_guest()
        return self._guest

    def read_guest(self) -> GuestView:
        known = guests.profile(self.tx, self.guest_id)
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

    def say(self, reply: Outbound) -> None:
        row = messages.put(
            self.tx,
            contact_id=self.contact.id,
            channel=self.channel,
            lane=messages.ANSWER,
            kind="reply",
            body=messages.to_json(reply),
            now=self.now,
        )
        self.queued.append(row)

    def keep_words(self, content: Content, state: State, view: View) -> None:
        """What the guest wrote or pressed, for the history that the channel shows."""
        text = None
        if isinstance(content, Said):
            text = content.text[:LONGEST_KEPT].encode(errors="replace").decode()
        elif isinstance(content, Chose):
            text = engine.label(state, view, content.value)
        if text:
            messages.said(self.tx, self.contact.id, self.channel, text, self.now)

    # -- intentions ---------------------------------------------------------------------------

    def find_guest(self, intention: FindGuest) -> Outcome:
        self.contact.phone = intention.phone
        known = linking.holder(self.tx, intention.phone)
        if known is None:
            return NotKnown(intention.phone)
        return self.recognise(known, intention.phone)

    def register(self, wanted: Register) -> Outcome:
        proven = wanted.phone is not None and wanted.phone == self.contact.phone
        if proven and wanted.phone:
            known = linking.holder(self.tx, wanted.phone)
            if known is not None:  # by another messenger, since it was asked
                return self.recognise(known, wanted.phone)
        guest_id = guests.add(
            self.tx,
            name=wanted.name,
            language=wanted.language,
            cafe_id=cafes.find(self.tx, wanted.cafe) if wanted.cafe else None,
            keys=self.house.keys,
            now=self.now,
            phone=wanted.phone,
            phone_proven=proven,
        )
        self.become(guest_id)
        public_id = guests.profile(self.tx, guest_id).public_id
        self.tx.tell(GuestJoined(guest_id=public_id, cafe=wanted.cafe or "", channel=self.channel))
        return Registered(self.claim(wanted.phone) if proven and wanted.phone else ())

    def recognise(self, guest_id: int, phone: str) -> Recognised:
        self.become(guest_id)
        found = self.balances()
        name = guests.profile(self.tx, guest_id).name
        return Recognised(name, found, self.claim(phone))

    def become(self, guest_id: int) -> None:
        contacts.give(self.tx, self.contact.id, guest_id)
        self.contact.guest_id = guest_id

    def claim(self, phone: str) -> tuple[Balance, ...]:
        """What was imported under the number, which the messenger proves."""
        claimed = importing.claim(self.tx, self.guest_id, phone, self.now)
        return tuple(Balance(*one) for one in claimed)

    def balances(self) -> tuple[Balance, ...]:
        return tuple(
            Balance(one.programme, one.balance, one.unit)
            for one in guests.collecting(self.tx, self.guest_id)
        )

    def show_card(self, intention: ShowCard) -> None:
        row = cards.show_card(
            self.tx,
            contact_id=self.contact.id,
            guest_id=self.guest_id,
            channel=self.channel,
            edits=self.capabilities.edits,
            now=self.now,
        )
        self.queued.append(row)

    def load_points(self, intention: LoadPoints) -> PointsLoaded:
        collecting = guests.collecting(self.tx, self.guest_id)
        most = 5 if len(collecting) == 1 else 3
        return PointsLoaded(tuple(self.account(one, most) for one in collecting))

    def account(self, one: guests.Collecting, most: int) -> Account:
        offered = rewards.active(self.tx, one.programme_id, self.now)
        following = rewards.next_reward(offered, one.balance)
        zone = ZoneInfo(one.timezone or "UTC")
        return Account(
            balance=Balance(one.programme, one.balance, one.unit),
            reward=NextReward(self.in_words(following.names), following.cost)
            if following
            else None,
            entries=tuple(
                Entry(entry.at.astimezone(zone).date(), entry.points, entry.kind, entry.because)
                for entry in ledger.last_entries(self.tx, self.guest_id, one.programme_id, most)
            ),
        )

    def in_words(self, names: Any) -> str:
        return name_in(names, words(self.guest().language))

    def join(self, wanted: Join) -> Joined:
        cafe_id = cafes.get(self.tx, wanted.cafe)
        new = guests.join(self.tx, self.guest_id, cafe_id, self.now)
        if self.guest().home is None:
            guests.move_home(self.tx, self.guest_id, cafe_id, self.now)
        name = next(cafe.name for cafe in self.cafes() if cafe.slug == wanted.cafe)
        return Joined(name, new)

    def prove_phone(self, intention: ProvePhone) -> PhoneProven:
        """Who was first to prove it stays; this chat's guest becomes them."""
        phone = intention.phone
        self.contact.phone = phone
        known = linking.holder(self.tx, phone)
        merged = None
        if known is None:
            linking.prove(self.tx, self.guest_id, phone)
        elif known != self.guest_id:
            linking.merge(self.tx, keep=known, other=self.guest_id, now=self.now)
            self.contact.guest_id = known
            merged = self.balances()
        return PhoneProven(phone, merged, self.claim(phone))

    def change(self, change: Change) -> None:
        if change.setting == "cafe":
            cafe_id = cafes.get(self.tx, str(change.value))
            guests.move_home(self.tx, self.guest_id, cafe_id, self.now)
        else:
            guests.change(self.tx, self.guest_id, change.setting, change.value)

    def offer_link(self, intention: OfferLink) -> LinkOffered:
        code = connecting.offer(self.tx, self.guest_id, self.contact.id, self.now)
        others = {n: c for n, c in self.house.channels.items() if n != self.channel}
        links = [
            (self.title_of(name, channel.capabilities), link)
            for name, channel in others.items()
            if (link := channel.join_link(f"{linkcodes.DEEP_LINK}{code}"))
        ]
        return LinkOffered(code, tuple(links))

    def use_link(self, intention: UseLink) -> Linked | LinkRefused:
        """The one who gave the code out stays; who was here before becomes them."""
        offer = connecting.use(self.tx, intention.code, self.channel, self.now)
        if offer is None:
            return LinkRefused()
        keep, other = offer.guest_id, self.contact.guest_id
        merged = other is not None and other != keep
        if merged and other is not None:
            linking.merge(self.tx, keep=keep, other=other, now=self.now)
        self.become(keep)
        self.tell_of_link(offer)
        return Linked(guests.profile(self.tx, keep).name, self.balances(), merged)

    def tell_of_link(self, offer: connecting.Offer) -> None:
        """Where the code was given out, whoever has that phone sees that it was used."""
        if offer.contact_id == self.contact.id:
            return
        channel = self.tx.scalar(
            sa.select(contact_rows.c.channel).where(contact_rows.c.id == offer.contact_id)
        )
        w = words(self.guest().language)
        here = self.title_of(self.channel, self.capabilities)
        text = w.text("{messenger} is connected to your card now.", messenger=here)
        messages.put(
            self.tx,
            contact_id=offer.contact_id,
            channel=channel,
            lane=messages.NOTIFICATION,
            kind="reply",
            body=messages.to_json(Outbound(text=text, language=w.language)),
            now=self.now,
        )

    def export(self, intention: Export) -> Exported:
        public_id = guests.profile(self.tx, self.guest_id).public_id
        signed = self.house.keys.sign_for_a_while("export", public_id)
        return Exported(f"{self.house.public_url}/privacy/data/{signed}")

    def erase(self, intention: Erase) -> Erased:
        """The goodbye goes to the chat of a stranger, of whom nothing but the address is known."""
        language = self.guest().language
        privacy.erase(self.tx, self.guest_id, self.now)
        self.queued.clear()
        self.contact = contacts.hear(self.tx, self.channel, Sender(self.sender.address), self.now)
        return Erased(language)


_CARRY_OUT: dict[type[Intention], Callable[[_Turn, Any], Outcome | None]] = {
    FindGuest: _Turn.find_guest,
    Register: _Turn.register,
    ShowCard: _Turn.show_card,
    LoadPoints: _Turn.load_points,
    Join: _Turn.join,
    ProvePhone: _Turn.prove_phone,
    Change: _Turn.change,
    OfferLink: _Turn.offer_link,
    UseLink: _Turn.use_link,
    Export: _Turn.export,
    Erase: _Turn.erase,
}
