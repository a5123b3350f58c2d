"""Conversations as scripts (tests/dialogs/*.toml), played on whatever has the methods of `Chat`.

    [[dialog]]
    name = "A card in five taps"
    cafes = ["bife", "zrno"]           # default: bife alone
    known = true                       # Ana has registered in this chat already
    points = 1200                      # with so many points at the first cafe
    rewards = [{ names = { en = "Any cake" }, cost = 2500, stock = 3 }]    # beside Free coffee
    without_first = true               # and without Free coffee
    needs = ["asks_phone"]             # only where the channel can; `without` is the opposite
    most_options = 2                   # only where so few fit on a message
    messenger = { name = "Ana" }       # what it tells of the guest; its language is the one played
    guests = [{ name = "Ana", phone = "+381601234567", points = 850 }]    # known before, proven
    guests = [{ name = "Mila", phone = "+381607654321", invitation = "AAAABBBBCCCCDDDD" }]   # code
    imported = [{ phone = "+381601234567", points = 340 }]
    owner = { name = "Olga", code = "K7QM4XPD" }      # with a code from the portal, for alarms
    steps = [
      { start = "cafe_bife", replies = ["Which language do you prefer?"] },
      { press = "@language", replies = ["What is your name?"] },
    ]

A step is one thing that the guest does: `start` (its payload), `say`, `press` (an option's label),
`share` (the guest's own number), `share_other` (somebody else's), `send` (a sticker), `leave`,
`come_back`; `old` presses an option of long ago, by its value. `replies` are all the messages that
follow: `@card`, `@code` (of what was picked), or what a text has in it (several things: a list), or
`{ text = "Welcome back, {name}!", name = "Ana", options = [...], links = [...] }`; a number for a
placeholder is points.

Texts are given in English and played in each language; one that differs by more than its words is
`{ en = "menu", sr = "meni", ru = "меню" }`. `@language` is the language's own name.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest
import sqlalchemy as sa

from core.contract import Capabilities
from core.i18n import LANGUAGES, Words, words
from core.keys import Keys
from core.services import cafes, guests, ledger
from core.services.messages import ANSWER, NOTIFICATION
from core.storage import tables
from core.storage.database import Database
from core.storage.tables import messages
from core.storage.tx import Tx

SCRIPTS = Path(__file__).parent.parent / "dialogs"
ACTIONS = ("start", "say", "press", "old", "share", "share_other", "send", "leave", "come_back")
CODE = re.compile(r"\b[A-Z2-9]{4}-[A-Z2-9]{4}\b")
"""What is typed at a till instead of a redemption's QR."""
OWN_NAMES = {"en": "English", "sr": "Srpski", "ru": "Русский"}


@dataclass(frozen=True)
class Heard:
    """A message as the guest sees it. `card`: it is the card, with a picture and digits, or the
    picture and the code of what was picked."""

    text: str
    options: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    asks_phone: bool = False
    card: bool = False


class HasText(Protocol):
    @property
    def text(self) -> str: ...


M = TypeVar("M", bound=HasText)


class Chat(Protocol):
    """One guest's chat on one channel."""

    capabilities: Capabilities
    database: Database
    speaks_first: str | None
    """The language in which somebody new is spoken to where the messenger doesn't tell theirs."""

    async def start(self, payload: str) -> None: ...
    async def say(self, text: str) -> None: ...
    async def press(self, label: str) -> None:
        """The option with this label, of the newest message that has one."""

    async def old(self, value: str) -> None:
        """An option with this value, of a message of long ago."""

    async def share(self, phone: str, own: bool) -> None: ...
    async def send(self, what: str) -> None: ...
    async def leave(self) -> None: ...
    async def come_back(self) -> None: ...
    async def heard(self) -> Sequence[Heard]:
        """What came since it was last asked, in order; renewals of a card are none."""


@dataclass(frozen=True)
class Dialog:
    name: str
    steps: Sequence[Mapping[str, Any]]
    cafes: Sequence[str] = ("bife",)
    needs: Sequence[str] = ()
    without: Sequence[str] = ()
    most_options: int | None = None
    known: bool = False
    points: int = 0
    rewards: Sequence[Mapping[str, Any]] = ()
    without_first: bool = False
    languages: Sequence[str] = LANGUAGES
    messenger: Mapping[str, str] = field(default_factory=dict)
    guests: Sequence[Mapping[str, Any]] = ()
    imported: Sequence[Mapping[str, Any]] = ()
    owner: Mapping[str, str] | None = None

    def fits(self, capabilities: Capabilities) -> bool:
        """Whether it can be played on such a channel."""
        few_enough = self.most_options is None or capabilities.options <= self.most_options
        return (
            few_enough
            and all(getattr(capabilities, name) for name in self.needs)
            and not any(getattr(capabilities, name) for name in self.without)
        )


def dialogs() -> list[Dialog]:
    """Every script there is."""
    return [
        Dialog(**{**table, "name": f"{path.stem}: {table['name']}"})
        for path in sorted(SCRIPTS.glob("*.toml"))
        for table in tomllib.loads(path.read_text())["dialog"]
    ]


def scripts(fits: Callable[[Dialog], bool]) -> list[Any]:
    """Parameters `dialog` and `language`: each script that fits, in each of its languages."""
    return [
        pytest.param(dialog, language, id=f"{dialog.name} [{language}]")
        for dialog in dialogs()
        if fits(dialog)
        for language in dialog.languages
    ]


def five_taps() -> Dialog:
    """A whole registration, the phone shared."""
    (found,) = [one for one in dialogs() if one.name.endswith("five taps, the phone shared")]
    return found


def all_is_said(database: Database) -> bool:
    """Whether nothing is on its way to anybody who waits for it."""
    on_the_way = sa.select(sa.func.count()).where(
        messages.c.status.in_(["queued", "sending"]),
        messages.c.lane.in_([ANSWER, NOTIFICATION]),
    )
    return database.read_now(lambda tx: tx.scalar(on_the_way)) == 0


def without_repeats(new: Sequence[M], buttons: Callable[[M], object]) -> list[M]:
    """A message whose sending got no answer is sent again: the guest may see it twice."""

    def shown(message: M) -> object:
        """A card that is sent again has another code, and says otherwise how long it is good."""
        return re.sub(r"\d", "", message.text.partition("\n")[0]), buttons(message)

    return [m for n, m in enumerate(new) if n == 0 or shown(m) != shown(new[n - 1])]


def prepare(tx: Tx, dialog: Dialog, language: str, keys: Keys, now: datetime) -> None:
    """The cafes, guests and imports that the dialog starts from."""
    ids = {}
    for slug in dialog.cafes:
        ids[slug] = cafes.add(tx, slug, slug.upper(), "RSD", "Europe/Belgrade", now)
    first = ids[dialog.cafes[0]]
    _put_on_offer(tx, dialog, first)
    for known in dialog.guests:
        guest_id = guests.add(
            tx,
            name=known["name"],
            language=language,
            cafe_id=first,
            keys=keys,
            now=now,
            phone=known["phone"],
            phone_proven=known.get("proven", True),
        )
        _give(tx, guest_id, first, known.get("points", 0), now)
        if code := known.get("invitation"):
            row = {"code": code, "guest_id": guest_id, "created_at": now}
            tx.execute(sa.insert(tables.invitations).values(**row))
    for waiting in dialog.imported:
        row = {"cafe_id": first, "name": "", "language": language, "created_at": now, **waiting}
        tx.execute(sa.insert(tables.imported_guests).values(**row))
    if dialog.owner:
        _offer_alarms(tx, **dialog.owner, now=now)


def _offer_alarms(tx: Tx, name: str, code: str, now: datetime) -> None:
    who = {"login": name.lower(), "name": name, "role": "owner", "password_hash": ""}
    query = sa.insert(tables.staff).values(**who, created_at=now).returning(tables.staff.c.id)
    row = {"code_hash": hashlib.sha256(code.encode()).digest(), "purpose": "link"}
    row |= {"staff_id": tx.scalar(query), "expires_at": now + timedelta(minutes=10)}
    tx.execute(sa.insert(tables.staff_codes).values(**row))


def _put_on_offer(tx: Tx, dialog: Dialog, cafe_id: int) -> None:
    programme = cafes.row(tx, cafe_id).programme_id
    if dialog.without_first:
        tx.execute(sa.update(tables.rewards).values(active=False))
    for reward in dialog.rewards:
        tx.execute(sa.insert(tables.rewards).values(programme_id=programme, **reward))


def _give(tx: Tx, guest_id: int, cafe_id: int, points: int, now: datetime) -> None:
    ledger.add_entry(
        tx,
        guest_id=guest_id,
        programme_id=cafes.row(tx, cafe_id).programme_id,
        cafe_id=cafe_id,
        kind="opening",
        reference="opening:0",
        points=points,
        because=[],
        now=now,
    )


def _give_ana(tx: Tx, points: int) -> None:
    ana = tx.execute(sa.select(tables.guests)).one()
    _give(tx, ana.id, ana.home_cafe_id, points, ana.created_at)


async def play(dialog: Dialog, language: str, chat: Chat) -> None:
    """Raises AssertionError where the conversation leaves its script, with all that was said."""
    w = words(language)
    record: list[str] = []
    spoken = words(chat.speaks_first or language) if not dialog.guests else w
    if dialog.known:
        await _register(dialog, chat, w)
        spoken = w
    for step in dialog.steps:
        action = next(name for name in ACTIONS if name in step)
        given = translated(step[action], w)
        record.append(f"> {action} {given}")
        await _do(chat, action, given)
        heard = await chat.heard()
        record += [f"< {message}" for message in heard]
        expected = step.get("replies", [])
        so_far = "\n".join(record)
        assert len(heard) == len(expected), f"{len(expected)} messages were expected\n{so_far}"
        spoken = w if step.get("press") == "@language" else spoken
        for message, wanted in zip(heard, expected, strict=True):
            _compare(message, wanted, spoken, so_far)


async def _register(dialog: Dialog, chat: Chat, w: Words) -> None:
    await chat.start("")
    await chat.press(OWN_NAMES[w.language])
    await chat.say("Ana")
    if not chat.capabilities.proves_phone:
        await chat.press(w.text("Skip"))
    if len(dialog.cafes) > 1:
        await chat.press(dialog.cafes[0].upper())
    await chat.press(w.text("No"))
    assert any(message.card for message in await chat.heard())
    if dialog.points:
        await chat.database.write(_give_ana, dialog.points)


async def _do(chat: Chat, action: str, given: str) -> None:
    match action:
        case "share":
            await chat.share(given, own=True)
        case "share_other":
            await chat.share(given, own=False)
        case "leave" | "come_back":
            await getattr(chat, action)()
        case _:
            await getattr(chat, action)(given)


def translated(text: Any, w: Words) -> str:
    """What a script says, in the language that is played."""
    if isinstance(text, Mapping):
        return str(text[w.language])
    if text == "@language":
        return OWN_NAMES[w.language]
    return w.text(text) if text else ""


def _compare(message: Heard, wanted: Any, w: Words, so_far: str) -> None:
    if wanted == "@card":
        assert message.card, f"not the card: {message}\n{so_far}"
        return
    if wanted == "@code":
        assert message.card, f"no picture: {message}\n{so_far}"
        assert CODE.search(message.text), f"no code: {message}\n{so_far}"
        return
    table = wanted if isinstance(wanted, Mapping) and "text" in wanted else {"text": wanted}
    assert not message.card, f"the card instead of {wanted}\n{so_far}"
    for text in table["text"] if isinstance(table["text"], list) else [table["text"]]:
        pattern = _pattern(translated(text, w), table, w)
        assert re.search(pattern, message.text, re.DOTALL), f"not {pattern!r}: {message}\n{so_far}"
    for what, shown in (("options", _options(message)), ("links", message.links)):
        if what in table:
            labels = tuple(translated(label, w) for label in table[what])
            assert shown == labels, f"{what}: not {labels}: {message}\n{so_far}"


def _options(message: Heard) -> tuple[str, ...]:
    """The labels that are offered; where they are too many for the channel, the numbered list."""
    return message.options or tuple(re.findall(r"^\d+\. (.+)$", message.text, re.MULTILINE))


def _pattern(text: str, values: Mapping[str, Any], w: Words) -> str:
    """A regular expression of a text: placeholders are what is given for them, or anything."""

    def value_of(match: re.Match[str]) -> str:
        value = values.get(match[1])
        if value is None:
            return ".+"
        return re.escape(w.points(value, "points") if isinstance(value, int) else str(value))

    return re.sub(r"\\\{(\w+)\\\}", value_of, re.escape(text))
