"""The guest's card: leasing its code, the messages that show it, the live card's link.

A code is leased when it is shown and not before. The lease is what makes six digits name one guest
or nobody: `leases` has its code as its key, and an unexpired row gives way to nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from core import phrases
from core.contract import Link, MalvaError, Option, Outbound
from core.domain import codes
from core.i18n import Words, words
from core.keys import Keys
from core.services import ledger, messages, spending
from core.services.guests import find
from core.storage.tables import accounts, cafes, contacts, guests, leases, programmes
from core.storage.tables import messages as outbox
from core.storage.tx import Tx

REFRESH, MENU = "card", "menu"
"""The values of the options below a card that stays as it is: a new one (the menu's own `My card`),
and the menu, for a messenger whose one keyboard they take."""

RENEWALS = 4
RENEW_EVERY = timedelta(seconds=codes.STEP_SECONDS)
RENEWAL_EXPIRES = timedelta(seconds=25)
"""A renewal that is this late is left out: the next one is nearly there."""

TRIES = 64
"""Codes of the series that are tried. With half of all million codes on open cards at once, one
card in 2**64 would find none."""


class NoFreeCode(MalvaError):
    """Every code that was tried is on somebody's open card."""


@dataclass(frozen=True, slots=True)
class Card:
    """A code that the guest holds. It counts until `expires_at`, the end of the step after its own;
    `step_ends_at` is when a card that stays open turns over. `qr` is the text of the QR."""

    code: str
    qr: str
    expires_at: datetime
    step_ends_at: datetime


# -- codes -----------------------------------------------------------------------------------------


def lease_code(tx: Tx, guest_id: int, keys: Keys, now: datetime) -> Card:
    """The guest's code of this step, leased to them: the one that they hold unused already, or else
    the first of the step's series that no open card holds and that has not been used."""
    owner = tx.execute(
        sa.select(guests.c.public_id, guests.c.secret)
        .where(guests.c.id == guest_id)
        .with_for_update(key_share=True)  # two showings at once share one lease
    ).one()
    step = codes.step_at(now)
    code = _held(tx, guest_id, step) or _lease(tx, guest_id, keys.decrypt(owner.secret), step, now)
    return Card(
        code=code,
        qr=codes.qr_text(owner.public_id, code),
        expires_at=codes.step_start(step + 2),
        step_ends_at=codes.step_start(step + 1),
    )


def _held(tx: Tx, guest_id: int, step: int) -> str | None:
    held: str | None = tx.scalar(
        sa.select(leases.c.code).where(
            leases.c.guest_id == guest_id, leases.c.step == step, leases.c.used_at.is_(None)
        )
    )
    return held


def _lease(tx: Tx, guest_id: int, secret: bytes, step: int, now: datetime) -> str:
    for number in range(TRIES):
        code = codes.code(secret, step, number)
        if _take(tx, code, guest_id, step, number, now):
            return code
    raise NoFreeCode(f"no free code among {TRIES} of the series")


def _take(tx: Tx, code: str, guest_id: int, step: int, number: int, now: datetime) -> bool:
    """Whether the code is the guest's now: it was nobody's, or only an expired lease had it."""
    insert = sqlite.insert if tx.is_sqlite else postgresql.insert
    lease = {
        "guest_id": guest_id,
        "step": step,
        "number": number,
        "expires_at": codes.step_start(step + 2),
        "used_at": None,
        "visit_id": None,
    }
    taken = tx.execute(
        insert(leases)
        .values(code=code, **lease)
        .on_conflict_do_update(
            index_elements=[leases.c.code], set_=lease, where=leases.c.expires_at <= now
        )
        .returning(leases.c.code)
    )
    return taken.first() is not None


# -- messages --------------------------------------------------------------------------------------


def show_card(
    tx: Tx, *, contact_id: int, guest_id: int, channel: str, edits: bool, now: datetime
) -> int:
    """Queues the card: with `edits` it renews itself in place every 30 s for two minutes and then
    offers Refresh; without, it offers Refresh at once. The renewals of older cards are called off.
    Returns the row id of the card's message."""
    tx.execute(
        sa.update(outbox)
        .where(
            outbox.c.contact_id == contact_id,
            outbox.c.status == "queued",
            outbox.c.kind.in_(["card_renewal", "card_end"]),
        )
        .values(status="cancelled")
    )
    body = {"guest_id": guest_id, "refresh": not edits}
    to: dict[str, Any] = {"contact_id": contact_id, "channel": channel}
    card = messages.put(tx, **to, lane=messages.ANSWER, kind="card", body=body, now=now)
    if edits:
        _queue_renewals(tx, to, body, card, now)
    return card


def _queue_renewals(
    tx: Tx, to: Mapping[str, Any], body: Mapping[str, Any], card: int, now: datetime
) -> None:
    common: dict[str, Any] = {
        **to,
        "lane": messages.RENEWAL,
        "body": body,
        "replaces": card,
        "now": now,
    }
    for turn in range(1, RENEWALS + 1):
        due = now + turn * RENEW_EVERY
        messages.put(
            tx, **common, kind="card_renewal", due_at=due, expires_at=due + RENEWAL_EXPIRES
        )
    messages.put(tx, **common, kind="card_end", due_at=now + (RENEWALS + 1) * RENEW_EVERY)


def render_card(
    tx: Tx, kind: str, body: Mapping[str, Any], *, keys: Keys, public_url: str, now: datetime
) -> tuple[Outbound, str | None]:
    """A row that `show_card` queued, as it is to be shown at `now`: the message, and the text of
    its QR (None at the end of a card, which holds no code)."""
    guest_id = ledger.holder(tx, body["guest_id"]).id
    guest = _face(tx, guest_id)
    w = words(guest.language)
    live = Link(w.text("Live card"), f"{public_url}/card/{link_token(guest, keys)}", app=True)
    refresh = Option(REFRESH, w.text("Refresh"))
    if kind == "card_end":
        text = w.text("This code is no longer good. Refresh shows a new one.")
        return Outbound(
            text=text, kind=kind, language=w.language, options=((refresh,),), links=(live,)
        ), None
    card = lease_code(tx, guest_id, keys, now)
    held = spending.held(tx, guest_id, guest.programme_id, now)
    message = Outbound(
        text=_card_text(w, guest, held, card, now),
        kind=kind,
        language=w.language,
        options=((refresh, Option(MENU, w.text("Menu"))),) if body["refresh"] else (),
        links=(live,),
    )
    return message, card.qr


def _card_text(w: Words, guest: sa.Row[Any], held: int, card: Card, now: datetime) -> str:
    lines = [
        w.text("Your card: {code}", code=codes.shown(card.code)),
        w.count(
            "Show it at the till: it is good for {count} second.",
            "Show it at the till: it is good for {count} seconds.",
            int((card.expires_at - now).total_seconds()),
        ),
    ]
    if guest.unit is not None:
        lines.append(phrases.balance(guest.balance or 0, held, guest.unit, w))
    return "\n".join(lines)


def _face(tx: Tx, guest_id: int) -> sa.Row[Any]:
    """What a card shows of its guest; the balance is that of the home cafe."""
    account = sa.and_(
        accounts.c.guest_id == guests.c.id, accounts.c.programme_id == cafes.c.programme_id
    )
    return tx.execute(
        sa.select(
            guests.c.public_id,
            guests.c.language,
            guests.c.card_version,
            programmes.c.id.label("programme_id"),
            programmes.c.unit,
            accounts.c.balance,
        )
        .select_from(guests)
        .outerjoin(cafes, cafes.c.id == guests.c.home_cafe_id)
        .outerjoin(programmes, programmes.c.id == cafes.c.programme_id)
        .outerjoin(accounts, account)
        .where(guests.c.id == guest_id)
    ).one()


# -- the live card ---------------------------------------------------------------------------------


def link_token(guest: Any, keys: Keys) -> str:
    """The token of `/card/<token>`; `guest` is a row with `public_id` and `card_version`."""
    return keys.sign("card", f"{guest.public_id}.{guest.card_version}")


def token_at(tx: Tx, channel: str, address: str, keys: Keys) -> str | None:
    """The token of the guest who is at this address of a channel; None: nobody with a card is."""
    guest = tx.execute(
        sa.select(guests.c.public_id, guests.c.card_version)
        .join(contacts, contacts.c.guest_id == guests.c.id)
        .where(
            contacts.c.channel == channel,
            contacts.c.address == address,
            guests.c.erased_at.is_(None),
        )
    ).first()
    return None if guest is None else link_token(guest, keys)


def guest_of_token(tx: Tx, token: str, keys: Keys) -> int | None:
    """The row id of whose card a link opens; None where it is not ours, revoked, or they are
    erased. Where two guests were merged it is the one that they became."""
    signed = keys.unsign("card", token)
    if signed is None:
        return None
    public_id, _, version = signed.rpartition(".")
    current = tx.scalar(sa.select(guests.c.card_version).where(guests.c.public_id == public_id))
    return find(tx, public_id) if current == int(version) else None


def live_card(tx: Tx, token: str, keys: Keys, now: datetime) -> Card | None:
    """The code that the live page shows now; None as `guest_of_token`. It leases the code, so it is
    for the page's own POST: a GET, which link previews send too, leases nothing."""
    guest_id = guest_of_token(tx, token, keys)
    return None if guest_id is None else lease_code(tx, guest_id, keys, now)


def revoke_links(tx: Tx, guest_id: int) -> None:
    """Every link to the guest's live card given out before stops working."""
    tx.execute(
        sa.update(guests)
        .where(guests.c.id == guest_id)
        .values(card_version=guests.c.card_version + 1)
    )
