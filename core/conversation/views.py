"""What the engine may know of a chat: of its guest, the cafes, the messengers, the rewards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from core.contract import Capabilities


@dataclass(frozen=True, slots=True)
class CafeView:
    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Messenger:
    """A channel that is connected to us; `linked`: the guest has a chat there. `title` as the
    messenger writes its own name."""

    name: str
    title: str
    linked: bool = False


@dataclass(frozen=True, slots=True)
class GuestView:
    """`birthday` as kept: YYYY-MM-DD, or --MM-DD without the year; `told_on`: the channel chosen
    for notifications."""

    name: str
    language: str
    phone: str | None = None
    phone_proven: bool = False
    email: str | None = None
    birthday: str | None = None
    home: CafeView | None = None
    offers: bool = False
    told_on: str | None = None


@dataclass(frozen=True, slots=True)
class RewardView:
    """A reward as the guest can have it. `missing` points: 0 is within reach; `out`: why it can't
    be had now at any rate (its `stock` is out, or their `limit` is reached)."""

    id: int
    name: str
    text: str
    cost: int
    missing: int
    out: Literal["stock", "limit"] | None = None


@dataclass(frozen=True, slots=True)
class Picked:
    """Rewards that a guest has picked, for whose code a till waits until `until` (`14:35`)."""

    id: str
    names: str
    until: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """A programme's rewards, the cheapest first. `available` points can be picked from: the balance
    without what is `held` for what was picked, in the chat or at a till. `others`: the other
    programmes with rewards, by id and name."""

    programme_id: int
    programme: str
    unit: str
    balance: int
    available: int
    rewards: Sequence[RewardView]
    picked: Sequence[Picked] = ()
    held: int = 0
    others: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True, slots=True)
class TillAsks:
    """A till started a redemption and waits for the guest's yes; `last`: nothing was heard in this
    chat since."""

    id: str
    last: bool


@dataclass(frozen=True, slots=True)
class Invited:
    """What an invitation says: `cafe` (a slug) is the inviter's own, `points` of `unit` the
    friend's; `own`: it is this guest's."""

    cafe: str | None
    points: int
    unit: str
    own: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """One chat as it is now.

    name, language  the messenger's own, cleaned and nearest of ours
    phone           proven by the messenger, E.164
    guest           None: a stranger
    cafes           asked for only where one is chosen or named
    messengers      those that are connected to us, likewise
    shelf           the rewards of a programme (its id), or of the guest's own; None: there are none
    picked          what the guest picked last and no till has confirmed, by its id
    till_asks       what a till waits for
    invitation      what a code says; None: it is nobody's
    region          whose phone numbers may be typed without their country (ISO 3166)
    """

    business: str
    privacy_url: str
    capabilities: Capabilities
    cafes: Callable[[], Sequence[CafeView]]
    messengers: Callable[[], Sequence[Messenger]] = tuple
    shelf: Callable[[str | None], Shelf | None] = lambda programme: None
    picked: Callable[[], str | None] = lambda: None
    till_asks: Callable[[], TillAsks | None] = lambda: None
    invitation: Callable[[str], Invited | None] = lambda code: None
    name: str | None = None
    language: str = "en"
    phone: str | None = None
    guest: GuestView | None = None
    region: str = "RS"
