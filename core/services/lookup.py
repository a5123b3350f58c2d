"""A guest looked up at a till, by what they say: the end of a phone number, an e-mail, a name.

Only guests of this very cafe are found, and finding opens nothing: the cashier asks whether it is
them, and `choose`s the one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import sqlalchemy as sa

from core.domain.names import clean_line
from core.domain.spelling import spellings
from core.services import guests as guest_service
from core.services import identify, ledger, limits, till_sessions
from core.services.errors import Missing, Rejected
from core.services.till_sessions import TillSession
from core.storage.tables import guests, memberships
from core.storage.tx import Tx

MOST = 8
LEAST_DIGITS = 4
LEAST_LETTERS = 2
LONGEST = 100

How = Literal["phone", "email", "name"]

_g = guests.c
_AROUND_DIGITS = str.maketrans("", "", " +-/().\u00a0")


class Match(NamedTuple):
    """A guest whom it could be, by their public id; `hint` is as much of their phone number, or
    else of their e-mail, as tells them from a namesake. "" where they gave neither."""

    id: str
    name: str
    hint: str


class Found(NamedTuple):
    """`more`: there are others that fit, so more has to be typed."""

    how: How
    matches: Sequence[Match]
    more: bool


def find(tx: Tx, by: TillSession, text: str, now: datetime) -> Found:
    """Guests of the till's cafe whom `text` fits: four digits or more that their phone number ends
    with, the beginning of an e-mail, or of words of their name, in any script and order.

    Rejected (`look_up_short`, `look_up_long`), LimitReached. The log keeps who looked, never for
    what.
    """
    how, fits = _meant(text)
    limits.look_up(tx, by, now)
    rows = tx.execute(
        sa.select(_g.public_id, _g.name, _g.phone, _g.email)
        .join_from(guests, memberships, memberships.c.guest_id == _g.id)
        .where(memberships.c.cafe_id == by.till.cafe.id, fits)
        .where(_g.erased_at.is_(None), _g.merged_into.is_(None))
        .order_by(_g.name, _g.id)
        .limit(MOST + 1)
    ).all()
    matches = [Match(row.public_id, row.name, masked(row.phone, row.email)) for row in rows[:MOST]]
    till_sessions.log(tx, by, "looked_up", now, how=how, found=len(matches))
    return Found(how, matches, more=len(rows) > MOST)


def choose(tx: Tx, by: TillSession, guest: str, now: datetime) -> str:
    """The guest of that public id says that it is them: the till's visit is theirs from now on, and
    this is its public id. Nothing proves it, so they are asked before points are spent. Missing."""
    till, found = by.till, guest_service.find(tx, guest)
    if found is None or not _is_of(tx, found, till.cafe.id):
        raise Missing("this cafe has no such guest")
    visit = identify.open_visit(tx, till, ledger.holder(tx, found), "phone", now)
    till_sessions.log(tx, by, "guest_chosen", now, guest_id=found)
    return visit.public_id


def masked(phone: str | None, email: str | None) -> str:
    """`•••• 4567`, or `a•••@example.com`."""
    if phone:
        return f"•••• {phone[-4:]}"
    if email:
        name, _, host = email.rpartition("@")
        return f"{name[:1]}•••@{host}"
    return ""


def _meant(text: str) -> tuple[How, sa.ColumnElement[bool]]:
    line = clean_line(text, LONGEST)
    if line is None:
        code = "look_up_long" if len(text) > LONGEST else "look_up_short"
        raise Rejected(code, "a name, an e-mail or the last digits of a phone number is wanted")
    digits = line.translate(_AROUND_DIGITS)
    if digits.isascii() and digits.isdigit():
        if len(digits) < LEAST_DIGITS:
            raise Rejected("look_up_short", f"at least {LEAST_DIGITS} digits are wanted")
        return "phone", _g.phone.endswith(_subscriber(digits))
    if len(line) < LEAST_LETTERS:
        raise Rejected("look_up_short", f"at least {LEAST_LETTERS} letters are wanted")
    if "@" in line:
        return "email", _g.email.istartswith(line, autoescape=True)
    return "name", _has_words(line)


def _subscriber(digits: str) -> str:
    """A number written whole, without the zeros that stand for its country."""
    whole = digits.lstrip("0")
    return whole if len(whole) > LEAST_DIGITS else digits


def _has_words(line: str) -> sa.ColumnElement[bool]:
    """Each word that was typed begins a word of the name, in whichever spelling of either."""
    words = spellings(line)
    if not words:
        raise Rejected("look_up_short", "letters are wanted")
    return sa.and_(*(sa.or_(*(_begins(way) for way in word)) for word in words))


def _begins(spelling: str) -> sa.ColumnElement[bool]:
    return _g.name_key.contains(f" {spelling}", autoescape=True)


def _is_of(tx: Tx, guest_id: int, cafe_id: int) -> bool:
    m = memberships.c
    found = tx.scalar(sa.select(m.since).where(m.guest_id == guest_id, m.cafe_id == cafe_id))
    return found is not None
