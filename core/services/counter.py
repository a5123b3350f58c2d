"""What a till does with redemptions: sees what was picked, starts one itself, confirms, cancels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from core.domain import codes, redeeming
from core.domain.money import to_major
from core.domain.redeeming import OPEN, Kind, Status
from core.domain.visits import VISIT
from core.i18n import Words, best_language, words
from core.phrases import name_in
from core.services import (
    coupons,
    identify,
    ledger,
    lockout,
    redemption_rows,
    redemptions,
    rewards,
    spending,
    visits,
)
from core.services.errors import (
    AlreadyConfirmed,
    AwaitingGuest,
    Conflict,
    Insufficient,
    Refusal,
    UnknownCode,
    UnknownReward,
    UnknownVisit,
    WrongKind,
)
from core.services.identify import Named
from core.services.messages import ANSWER
from core.services.redemption_rows import Item, Row
from core.services.tills import Till
from core.services.visits import Proof
from core.storage.tables import guests
from core.storage.tables import redemptions as rows
from core.storage.tables import visits as visit_rows
from core.storage.tx import Tx

_r = rows.c


@dataclass(frozen=True, slots=True)
class Given:
    """A reward of a redemption. `value`: of a percentage (`"12.5"`), or an amount in major units of
    the cafe's currency (`"150.00"`); null for a product."""

    id: str
    name: str
    cost: int
    kind: Kind
    value: str | None


@dataclass(frozen=True, slots=True)
class Picked:
    """What a till is told of an open redemption. `points` are what it takes once it is confirmed,
    `balance` is before that; `visit` is what the till's orders may name."""

    id: str
    status: Status
    visit: str
    guest: Named
    rewards: tuple[Given, ...]
    points: int
    balance: int
    unit: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Confirmed:
    """`points` are below zero: what was taken; `balance` after it."""

    id: str
    status: Literal["confirmed"]
    guest: Named
    rewards: list[Given]
    points: int
    balance: int
    unit: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A redemption that was cancelled: `points` are free again, out of a `balance` that has not
    moved."""

    id: str
    status: Literal["cancelled"]
    points: int
    balance: int


def scan(
    tx: Tx,
    *,
    till: Till,
    proof: Literal["qr", "code"],
    text: str,
    now: datetime,
    language: str | None = None,
) -> Picked | Refusal:
    """What the guest has picked, by its QR or the code typed from it; it opens the till's visit.
    Nothing is taken yet. `language` an IETF tag for the rewards' names.

    A refusal is returned, not raised: a wrong code counts towards the till's lock.
    """
    refusal = lockout.refusal(tx, till, now)
    if refusal is not None:
        return refusal
    if proof == "qr" and codes.scanned(text):
        return WrongKind("This is a card, and no reward that was picked: identify the guest by it.")
    row_id = _found(tx, proof, text)
    if row_id is None:
        lockout.count_wrong_code(tx, till, now)
        return UnknownCode("Nobody has picked this. Ask the guest to show it again.")
    row, _ = redemption_rows.locked(tx, row_id)
    if row.programme_id != till.cafe.programme_id:
        return redemption_rows.unknown()
    over = _confirmed_before(row) or row.over(now)
    if over is not None:
        return over
    visit = _visit(tx, till, row, proof, now)
    row = row._replace(cafe_id=till.cafe.id, till_id=till.id, visit_id=visit.id)
    tx.execute(
        sa.update(rows)
        .where(_r.id == row.id)
        .values(cafe_id=row.cafe_id, till_id=row.till_id, visit_id=row.visit_id)
    )
    redemption_rows.ring(tx, row)
    return _picked(tx, till, row, visit.public_id, language)


def start(
    tx: Tx,
    *,
    till: Till,
    visit: str,
    reward_ids: Sequence[str],
    now: datetime,
    language: str | None = None,
    staff_id: int | None = None,
) -> Picked:
    """A redemption that the till starts for the guest of its visit: held at once where their card
    was scanned, otherwise they are asked in their messenger first.

    UnknownVisit, UnknownReward, NotAvailable, Insufficient.
    """
    found = visits.named(tx, till.cafe.id, visit)
    if found is None or not found.opened_at <= now < found.opened_at + VISIT:
        raise UnknownVisit("This visit is over, or not of this cafe: identify the guest again.")
    guest = ledger.holder(tx, found.guest_id)
    if guest.erased:
        raise UnknownVisit("This guest is no more.")
    row = redemptions.hold(
        tx,
        guest_id=guest.id,
        programme_id=till.cafe.programme_id,
        reward_ids=[_reward_id(text) for text in reward_ids],
        status="held" if found.proof == "qr" else "awaiting_guest",
        now=now,
        cafe_id=till.cafe.id,
        till_id=till.id,
        visit_id=found.id,
    )
    if row.status == "awaiting_guest":
        redemption_rows.log(tx, "redeem_asked", row, now, staff_id=staff_id)
        redemption_rows.tell(
            tx, row, "redemption_question", now, lane=ANSWER, expires_at=row.expires_at
        )
    else:
        redemption_rows.log(tx, "redeem_held", row, now, staff_id=staff_id)
    redemption_rows.ring(tx, row)
    return _picked(tx, till, row, visit, language)


def confirm(
    tx: Tx,
    *,
    till: Till,
    public_id: str,
    key: str,
    now: datetime,
    staff_id: int | None = None,
    language: str | None = None,
) -> dict[str, Any]:
    """Takes the points: the rewards are the guest's. A `Confirmed` as JSON; the same `key` at the
    same till gets the same answer. What becomes of a discount at the till: `coupons.state`.

    UnknownRedemption, AlreadyConfirmed, AwaitingGuest, Expired, Cancelled, Insufficient, Conflict.
    """
    row, account = _locked(tx, till, public_id)
    if row.response is not None and (row.till_id, row.idempotency_key) == (till.id, key):
        return row.response
    refusal = _confirmed_before(row) or row.over(now)
    if refusal is not None:
        raise refusal
    if row.status == "awaiting_guest":
        raise AwaitingGuest("The guest has been asked in their messenger and has not said yes.")
    if spending.spendable(tx, account, now) < row.points:
        raise Insufficient("The guest has too few points by now.")
    row = row._replace(cafe_id=till.cafe.id, till_id=till.id)
    balance = account.balance - row.points
    answer = asdict(_confirmed(tx, till, row, balance, language))
    _keep(tx, row, answer, key, staff_id, now)
    _take(tx, row, account, now)
    coupons.want(tx, row, till.cafe.slug, now)
    redemption_rows.log(tx, "redeem_confirmed", row, now, staff_id=staff_id, cafe=till.cafe.slug)
    redemption_rows.tell(tx, row, "redemption_confirmed", now, points=-row.points)
    redemption_rows.ring(tx, row)
    return answer


def cancel(
    tx: Tx, *, till: Till, public_id: str, now: datetime, staff_id: int | None = None
) -> Ended:
    """The till takes it back before it was confirmed, and the guest is told. Once more changes
    nothing. UnknownRedemption, AlreadyConfirmed, Expired."""
    row, account = _locked(tx, till, public_id)
    refusal = _confirmed_before(row) or (None if row.status == "cancelled" else row.over(now))
    if refusal is not None:
        raise refusal
    if row.status in OPEN:
        row = row._replace(cafe_id=till.cafe.id, till_id=till.id)
        redemption_rows.close(tx, row, "cancelled", now, by="till", staff_id=staff_id)
        redemption_rows.tell(tx, row, "redemption_cancelled", now)
    return Ended(row.public_id, "cancelled", row.points, account.balance)


# -- confirming ------------------------------------------------------------------------------------


def _confirmed_before(row: Row) -> Refusal | None:
    if row.status in ("confirmed", "returned"):
        return AlreadyConfirmed("This was confirmed before: the points are taken.")
    return None


def _keep(
    tx: Tx, row: Row, answer: dict[str, Any], key: str, staff_id: int | None, now: datetime
) -> None:
    try:
        with tx.alone():
            redemption_rows.move(
                tx,
                row,
                "confirmed",
                token=None,
                cafe_id=row.cafe_id,
                till_id=row.till_id,
                staff_id=staff_id,
                idempotency_key=key,
                confirmed_at=now,
                response=answer,
            )
    except IntegrityError:
        raise Conflict("this idempotency key was another redemption's") from None


def _take(tx: Tx, row: Row, account: ledger.Account, now: datetime) -> None:
    ledger.post(
        tx,
        account,
        cafe_id=row.cafe_id,
        kind="redeem",
        reference=f"redeem:{row.id}",
        points=-row.points,
        because=[
            {"rule": "reward", "points": -item.cost, "names": item.names}
            for item in redemption_rows.items(tx, row.id)
        ],
        now=now,
    )
    rewards.move_stock(tx, row.id, -1)


# -- finding ---------------------------------------------------------------------------------------


def _found(tx: Tx, proof: Proof, text: str) -> int | None:
    token = redeeming.scanned(text) if proof == "qr" else None
    code = redeeming.typed(text) if proof == "code" else None
    if token is not None:
        which = _r.token_hash == redemption_rows.hash_of(token)
    elif code is not None:
        which = _r.code == code
    else:
        return None
    found = tx.scalar(sa.select(_r.id).where(which))
    return None if found is None else int(found)


def _locked(tx: Tx, till: Till, public_id: str) -> tuple[Row, ledger.Account]:
    """A redemption of the programme that the till's cafe is in."""
    of_programme = _r.programme_id == till.cafe.programme_id
    return redemption_rows.locked(tx, redemption_rows.row_of(tx, public_id, of_programme))


def _visit(tx: Tx, till: Till, row: Row, proof: Proof, now: datetime) -> visits.VisitRow:
    """The till's visit, where it is this guest's already and no order has claimed it, else a new
    one: orders that name either find the redemption."""
    v = visit_rows.c
    current = tx.scalar(
        sa.select(v.public_id)
        .where(v.till_id == till.id, v.guest_id == row.guest_id, v.ends_at > now, ~v.taken)
        .order_by(v.opened_at.desc(), v.id.desc())
        .limit(1)
    )
    found = visits.named(tx, till.cafe.id, current) if current else None
    return found or identify.open_visit(tx, till, ledger.holder(tx, row.guest_id), proof, now)


def _reward_id(text: str) -> int:
    """Ids of rewards are numbers as text."""
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise UnknownReward("There is no such reward here.")
    return int(text)


# -- telling the till ------------------------------------------------------------------------------


def _picked(tx: Tx, till: Till, row: Row, visit: str, language: str | None) -> Picked:
    guest, given = _who_and_what(tx, till, row, language)
    return Picked(
        id=row.public_id,
        status=row.status,
        visit=visit,
        guest=guest,
        rewards=given,
        points=row.points,
        balance=ledger.balance(tx, row.guest_id, row.programme_id),
        unit=till.cafe.unit,
        expires_at=row.expires_at,
    )


def _confirmed(tx: Tx, till: Till, row: Row, balance: int, language: str | None) -> Confirmed:
    guest, given = _who_and_what(tx, till, row, language)
    return Confirmed(
        row.public_id, "confirmed", guest, list(given), -row.points, balance, till.cafe.unit
    )


def _who_and_what(
    tx: Tx, till: Till, row: Row, language: str | None
) -> tuple[Named, tuple[Given, ...]]:
    guest = tx.execute(
        sa.select(guests.c.public_id, guests.c.name, guests.c.language).where(
            guests.c.id == row.guest_id
        )
    ).one()
    w = words(best_language(language) if language else guest.language)
    given = tuple(_given(item, till.cafe.currency, w) for item in redemption_rows.items(tx, row.id))
    return Named(guest.public_id, guest.name, guest.language), given


def _given(item: Item, currency: str, w: Words) -> Given:
    value = None
    if item.value is not None:
        value = (
            to_major(item.value, currency)
            if item.kind == "amount"
            else f"{Decimal(item.value).scaleb(-2).normalize():f}"
        )
    return Given(str(item.reward_id), name_in(item.names, w), item.cost, item.kind, value)
