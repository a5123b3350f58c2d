"""Guests brought from elsewhere: read from CSV, kept until their owner proves the phone number."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from typing import Any, TypeVar

import sqlalchemy as sa

from core.contract import CafeInfo
from core.domain import names, phones
from core.i18n import LANGUAGES
from core.services import cafes as cafe_service
from core.services import eventlog, ledger, referrals, rewards
from core.services import guests as guest_service
from core.services.errors import NotPossible
from core.services.notices import notify
from core.storage.tables import cafes, guests, imported_guests, programmes
from core.storage.tx import Tx

_HEADERS = {
    "phone": {"phone", "phone_number", "mobile", "telefon"},
    "name": {"name", "guest", "full_name", "ime"},
    "language": {"language", "lang", "jezik"},
    "balance": {"balance", "opening_balance", "points", "opening_points", "poeni"},
    "cafe": {"cafe", "cafe_slug", "kafic"},
}
"""What each column may be called; case, and spaces for underscores, make no difference."""

_HOME_REGION = "RS"
"""Whose numbers may be written without their country: most of our cafes' guests are there."""

MOST_POINTS = 10**9
"""More than anybody collects: a larger balance is a phone number in the wrong column."""

_PHONE = re.compile(r"[+0-9 ()/.\-\u00a0]{6,40}")


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the file as it is written; absent columns are empty."""

    line: int
    phone: str
    name: str = ""
    language: str = ""
    balance: str = ""
    cafe: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did. `added` wait or were `claimed` at once by a guest who had proven the
    number before; `known` were there already; `different` of those had other data, which was left
    as it is."""

    added: int
    known: int
    different: int
    claimed: int


class BadRows(NotPossible):
    """Nothing was imported. `problems`: (line, what is wrong with it)."""

    def __init__(self, problems: Sequence[tuple[int, str]]) -> None:
        rows = "row is" if len(problems) == 1 else "rows are"
        super().__init__(f"nothing was imported: {len(problems)} {rows} wrong")
        self.problems = problems


@dataclass(frozen=True, slots=True)
class _Guest:
    phone: str
    cafe_id: int
    name: str
    language: str
    points: int


def read_csv(text: str) -> list[Row]:
    """The rows of a CSV file with a header; commas, semicolons or tabs between the columns.

    NotPossible for a file that is none, without a phone column, or with a column of no meaning.
    """
    text = text.removeprefix("\ufeff")
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = _columns(next(reader, []))
        return list(_rows(reader, columns))
    except csv.Error as error:
        raise NotPossible(f"line {reader.line_num} is no CSV: {error}") from None


def import_rows(tx: Tx, rows: Sequence[Row], now: datetime) -> Imported:
    """Keeps every row that is new; the same file again changes nothing.

    BadRows, and nothing is written, where any row is wrong.
    """
    wanted = _checked(tx, rows)
    known = _known(tx, wanted)
    fresh = [guest for guest in wanted if (guest.phone, guest.cafe_id) not in known]
    different = sum(known.get((guest.phone, guest.cafe_id), guest) != guest for guest in wanted)
    for batch in _batches(fresh):
        tx.execute(
            sa.insert(imported_guests),
            [
                {
                    "phone": guest.phone,
                    "cafe_id": guest.cafe_id,
                    "name": guest.name,
                    "language": guest.language,
                    "points": guest.points,
                    "created_at": now,
                }
                for guest in batch
            ],
        )
    claimed = _claim_proven(tx, {guest.phone for guest in fresh}, now)
    if fresh:
        eventlog.log(tx, "guests_imported", now, added=len(fresh), claimed=claimed)
    return Imported(len(fresh), len(wanted) - len(fresh), different, claimed)


def claim(
    tx: Tx, guest_id: int, phone: str, now: datetime, *, tell: bool = False
) -> list[tuple[str, int, str]]:
    """Gives a guest what was imported under `phone` (E.164), which a messenger has proven theirs.

    Returns (cafe's name, points, their unit) of each. Whoever comes first gets it, once; they are
    nobody new, so an invitation that they came by ends. `tell`: nobody is talking to them just now,
    so a notice says so.
    """
    won = tx.execute(
        sa.update(imported_guests)
        .where(imported_guests.c.phone == phone, imported_guests.c.claimed_at.is_(None))
        .values(claimed_by=guest_id, claimed_at=now)
        .returning(
            imported_guests.c.id,
            imported_guests.c.cafe_id,
            imported_guests.c.points,
        )
    ).all()
    if won:
        referrals.drop(tx, guest_id)
    return [_credit(tx, guest_id, row, now, tell) for row in sorted(won, key=lambda row: row.id)]


def _credit(
    tx: Tx, guest_id: int, won: sa.Row[Any], now: datetime, tell: bool
) -> tuple[str, int, str]:
    cafe = tx.execute(
        sa.select(cafes.c.name, cafes.c.programme_id, programmes.c.unit)
        .join(programmes, programmes.c.id == cafes.c.programme_id)
        .where(cafes.c.id == won.cafe_id)
    ).one()
    balance = ledger.add_entry(
        tx,
        guest_id=guest_id,
        programme_id=cafe.programme_id,
        cafe_id=won.cafe_id,
        kind="opening",
        reference=f"opening:{won.id}",
        points=won.points,
        because=[{"rule": "opening", "points": won.points}],
        now=now,
    )
    guest_service.join(tx, guest_id, won.cafe_id, now)
    eventlog.log(
        tx, "import_claimed", now, cafe_id=won.cafe_id, guest_id=guest_id, points=won.points
    )
    if tell and won.points:
        _tell(tx, guest_id, cafe, won.points, balance, now)
    return cafe.name, won.points, cafe.unit


def _tell(
    tx: Tx, guest_id: int, cafe: sa.Row[Any], points: int, balance: int, now: datetime
) -> None:
    facts: dict[str, Any] = {
        "cafe": cafe.name,
        "points": points,
        "unit": cafe.unit,
        "balance": balance,
    }
    facts |= rewards.outlook(tx, cafe.programme_id, balance - points, balance, now)
    notify(tx, guest_id, "joined_balance", facts, now)


# -- reading ---------------------------------------------------------------------------------------


def _columns(header: Sequence[str]) -> list[str]:
    """Our names of the file's columns, in its order."""
    found = []
    for text in header:
        spelt = re.sub(r"[\s-]+", "_", text.strip().lower())
        ours = next((name for name, spellings in _HEADERS.items() if spelt in spellings), None)
        if ours is None:
            raise NotPossible(f'column "{text.strip()[:40]}" is none of {", ".join(_HEADERS)}')
        if ours in found:
            raise NotPossible(f"there are two columns for {ours}")
        found.append(ours)
    if "phone" not in found:
        raise NotPossible("the first line must name the columns, a phone column among them")
    return found


def _rows(reader: Iterable[Sequence[str]], columns: Sequence[str]) -> Iterator[Row]:
    line = 1
    for cells in reader:
        begins, line = line + 1, reader.line_num  # type: ignore[attr-defined]
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(columns):
            raise BadRows([(begins, f"{len(cells)} columns instead of {len(columns)}")])
        yield Row(begins, **{name: cell.strip() for name, cell in zip(columns, cells, strict=True)})


# -- checking --------------------------------------------------------------------------------------


def _checked(tx: Tx, rows: Sequence[Row]) -> list[_Guest]:
    known_cafes = _Cafes(tx)
    good: dict[tuple[str, int], tuple[int, _Guest]] = {}
    problems = []
    for row in rows:
        try:
            guest = _guest(row, known_cafes)
            earlier, _ = good.setdefault((guest.phone, guest.cafe_id), (row.line, guest))
            if earlier != row.line:
                raise ValueError(f"the same phone and cafe as in line {earlier}")
        except ValueError as error:
            problems.append((row.line, str(error)))
    if problems:
        raise BadRows(problems)
    return [guest for _, guest in good.values()]


def _guest(row: Row, known_cafes: _Cafes) -> _Guest:
    """ValueError says what is wrong, without repeating the phone number."""
    name = names.clean_name(row.name) if row.name else ""
    if name is None:
        raise ValueError("the name is too long or has nothing to read")
    return _Guest(
        phone=_phone(row.phone),
        cafe_id=known_cafes.id_of(row.cafe),
        name=name,
        language=_language(row.language),
        points=_points(row.balance),
    )


def _phone(text: str) -> str:
    if not text:
        raise ValueError("the phone is missing")
    international = text.startswith(("+", "00"))
    phone = None
    if _PHONE.fullmatch(text):
        phone = phones.told_phone(text) if international else phones.typed_phone(text, _HOME_REGION)
    if phone is None:
        raise ValueError("the phone is no number: write it with its country, such as +381…")
    return phone


def _language(text: str) -> str:
    language = text.lower().replace("_", "-").partition("-")[0] or LANGUAGES[0]
    if language not in LANGUAGES:
        raise ValueError(f'language "{text[:20]}" is none of {", ".join(LANGUAGES)}')
    return language


def _points(text: str) -> int:
    if not re.fullmatch(r"[0-9]{0,12}", text, re.ASCII):
        raise ValueError(f'balance "{text[:20]}" is no whole number, such as 1200')
    points = int(text or 0)
    if points > MOST_POINTS:
        raise ValueError(f"balance {points} is more than {MOST_POINTS}")
    return points


class _Cafes:
    """Cafes by slug or name."""

    def __init__(self, tx: Tx) -> None:
        self._all: Sequence[CafeInfo] = cafe_service.everyone(tx)
        self._ids: dict[str, int] = {}
        for cafe in self._all:
            self._ids[cafe.name.casefold()] = cafe_service.get(tx, cafe.slug)
        for cafe in self._all:
            self._ids[cafe.slug] = cafe_service.get(tx, cafe.slug)

    def id_of(self, text: str) -> int:
        if not text and len(self._all) == 1:
            return self._ids[self._all[0].slug]
        found = self._ids.get(text.casefold())
        if found is None:
            known = ", ".join(cafe.slug for cafe in self._all) or "none yet"
            what = f'there is no cafe "{text[:40]}"' if text else "the cafe is missing"
            raise ValueError(f"{what} (there are: {known})")
        return found


# -- what is there already -------------------------------------------------------------------------


def _known(tx: Tx, wanted: Sequence[_Guest]) -> dict[tuple[str, int], _Guest]:
    i = imported_guests.c
    found = {}
    for batch in _batches(wanted):
        for row in tx.execute(
            sa.select(i.phone, i.cafe_id, i.name, i.language, i.points).where(
                i.phone.in_([guest.phone for guest in batch])
            )
        ):
            guest = _Guest(row.phone, row.cafe_id, row.name, row.language, row.points)
            found[guest.phone, guest.cafe_id] = guest
    return found


def _claim_proven(tx: Tx, fresh: set[str], now: datetime) -> int:
    """Those whose owner has proven the number already need not wait; how many there were."""
    claimed = 0
    for batch in _batches(sorted(fresh)):
        owners = tx.execute(
            sa.select(guests.c.id, guests.c.phone).where(
                guests.c.phone.in_(batch),
                guests.c.phone_proven,
                guests.c.erased_at.is_(None),
                guests.c.merged_into.is_(None),
            )
        ).all()
        for owner in owners:
            claimed += len(claim(tx, owner.id, owner.phone, now, tell=True))
    return claimed


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """By the 500: a statement takes a limited number of parameters."""
    return (items[start : start + 500] for start in range(0, len(items), 500))
