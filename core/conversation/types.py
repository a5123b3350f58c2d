"""What the engine is given and what it gives back.

`step(state, event, view, now) -> Step`. An event is what the guest did (`core.contract.Content`)
or the outcome of an intention, which `core/talk` carried out with the services.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from core.contract import Content, Outbound
from core.phrases import Reason

# -- where a conversation stands -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class State:
    """`asked` is the question or list that is open; of rewards, `programme` is whose they are and
    `basket` what is in it (ids with commas between them). The rest are the answers of a guest to
    be: None is unanswered; an empty `phone` was skipped. `invitation`: the code they came by."""

    asked: str | None = None
    programme: str | None = None
    basket: str | None = None
    language: str | None = None
    name: str | None = None
    phone: str | None = None
    cafe: str | None = None
    invitation: str | None = None

    def to_json(self) -> dict[str, str] | None:
        """A small document, or None where nothing is under way."""
        kept = {name: getattr(self, name) for name in _STATE}
        return {name: value for name, value in kept.items() if value is not None} or None

    @classmethod
    def from_json(cls, document: Mapping[str, Any] | None) -> State:
        """What is unknown in it (another version wrote it) is left out."""
        if not document:
            return NOTHING
        return cls(**{n: v for n, v in document.items() if n in _STATE and isinstance(v, str)})


_STATE = frozenset(field.name for field in fields(State))
NOTHING = State()


# -- intentions ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FindGuest:
    """Is the phone that the messenger proves somebody's? → Recognised or NotKnown."""

    phone: str


@dataclass(frozen=True, slots=True)
class Register:
    """→ Registered, or Recognised where the proven phone has become somebody's meanwhile.
    `invitation`: the code they came by."""

    name: str
    language: str
    phone: str | None
    cafe: str | None
    invitation: str | None = None


@dataclass(frozen=True, slots=True)
class ShowCard:
    """The card itself is the answer."""


@dataclass(frozen=True, slots=True)
class LoadPoints:
    """→ PointsLoaded"""


@dataclass(frozen=True, slots=True)
class LoadInvitation:
    """→ InvitationLoaded"""


@dataclass(frozen=True, slots=True)
class Join:
    """Becomes a guest of one more cafe → Joined."""

    cafe: str


@dataclass(frozen=True, slots=True)
class ProvePhone:
    """A guest's number was proven by the messenger → PhoneProven."""

    phone: str


@dataclass(frozen=True, slots=True)
class Change:
    """A setting gets a new value: text, yes or no, or None to remove it.

    setting   its question's name: language, name, phone, email, birthday, cafe (a slug), offers,
              told_on (a channel)
    """

    setting: str
    value: str | bool | None


@dataclass(frozen=True, slots=True)
class OfferLink:
    """A code that connects another messenger → LinkOffered."""


@dataclass(frozen=True, slots=True)
class UseLink:
    """The code was written here → Linked, AlarmsConnected or LinkRefused."""

    code: str


@dataclass(frozen=True, slots=True)
class Export:
    """→ Exported"""


@dataclass(frozen=True, slots=True)
class Erase:
    """→ Erased"""


@dataclass(frozen=True, slots=True)
class Pick:
    """Rewards of one programme, by their ids, are to be held; their code is the answer, else →
    NotPicked."""

    rewards: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ShowPicked:
    """The code of what was picked before is the answer; where it is over → PickOver."""

    id: str


@dataclass(frozen=True, slots=True)
class CancelPicked:
    """→ PickOver"""

    id: str


@dataclass(frozen=True, slots=True)
class AnswerTill:
    """The guest's yes or no to what a till has started → TillAnswered, or PickOver."""

    id: str
    yes: bool


Intention = (
    FindGuest
    | Register
    | ShowCard
    | LoadPoints
    | LoadInvitation
    | Join
    | ProvePhone
    | Change
    | OfferLink
    | UseLink
    | Export
    | Erase
    | Pick
    | ShowPicked
    | CancelPicked
    | AnswerTill
)


# -- outcomes --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Balance:
    programme: str
    points: int
    unit: str


@dataclass(frozen=True, slots=True)
class Recognised:
    """This chat is a known guest's: `balances` is what was found, `imported` what waited."""

    name: str
    balances: tuple[Balance, ...] = ()
    imported: tuple[Balance, ...] = ()


@dataclass(frozen=True, slots=True)
class NotKnown:
    """The proven phone is nobody's."""

    phone: str


@dataclass(frozen=True, slots=True)
class Registered:
    """`imported`: what had waited for this phone, now on the card."""

    imported: tuple[Balance, ...] = ()


@dataclass(frozen=True, slots=True)
class Joined:
    """`new`: wasn't a guest there before."""

    cafe: str
    new: bool


@dataclass(frozen=True, slots=True)
class PhoneProven:
    """`merged`: what another guest with this phone had, who is this one now."""

    phone: str
    merged: tuple[Balance, ...] | None = None
    imported: tuple[Balance, ...] = ()


@dataclass(frozen=True, slots=True)
class NextReward:
    """`name` in the guest's language."""

    name: str
    cost: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement of points, with its reasons; `day` in the cafe's own time."""

    day: date
    points: int
    kind: str
    because: Sequence[Reason]


@dataclass(frozen=True, slots=True)
class Account:
    """A balance with its last entries, newest first; `reward` None: nothing left to save for.
    `held`: points of it that wait for a till with what was picked."""

    balance: Balance
    reward: NextReward | None
    entries: tuple[Entry, ...]
    held: int = 0


@dataclass(frozen=True, slots=True)
class PointsLoaded:
    accounts: tuple[Account, ...]


@dataclass(frozen=True, slots=True)
class InvitationLoaded:
    """`links`: title and address of each messenger. The points (of `unit`) are what a friend's
    first paid order gives to either side; `friends` have come so far and `brought` points."""

    links: tuple[tuple[str, str], ...]
    inviter_points: int
    friend_points: int
    unit: str
    friends: int = 0
    brought: int = 0


@dataclass(frozen=True, slots=True)
class LinkOffered:
    """`links`: title and address of each other messenger, where the address brings the code."""

    code: str
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Linked:
    """This chat is `name`'s from now on; `merged`: it was another guest's, who is them now."""

    name: str
    balances: tuple[Balance, ...] = ()
    merged: bool = False


@dataclass(frozen=True, slots=True)
class AlarmsConnected:
    """The code was from the portal: alarms for the owner of that name come here from now on.
    `language`: the one they chose there."""

    name: str
    language: str | None = None


@dataclass(frozen=True, slots=True)
class LinkRefused:
    """The code is nobody's, or no longer."""


@dataclass(frozen=True, slots=True)
class Exported:
    url: str


@dataclass(frozen=True, slots=True)
class Erased:
    """`language`: what the guest spoke."""

    language: str


@dataclass(frozen=True, slots=True)
class NotPicked:
    """Nothing is held: it costs too much now, or can't be had any more."""

    too_dear: bool


@dataclass(frozen=True, slots=True)
class PickOver:
    """What became of something picked: confirmed, returned, cancelled or expired; None: it is not
    this guest's. `points` in words."""

    status: str | None
    points: str = ""


@dataclass(frozen=True, slots=True)
class TillAnswered:
    yes: bool


Outcome = (
    Recognised
    | NotKnown
    | Registered
    | Joined
    | PhoneProven
    | PointsLoaded
    | InvitationLoaded
    | LinkOffered
    | Linked
    | AlarmsConnected
    | LinkRefused
    | Exported
    | Erased
    | NotPicked
    | PickOver
    | TillAnswered
)
Event = Content | Outcome


@dataclass(frozen=True, slots=True)
class Step:
    """What comes of an event. Intentions are carried out first, then the replies leave, then the
    intentions' outcomes come back as events. `state` is where the conversation stands."""

    state: State
    replies: tuple[Outbound, ...] = ()
    intentions: tuple[Intention, ...] = ()
