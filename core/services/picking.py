"""What a guest picks in a chat or on the live card, and the message that shows its code.

The message is put into words at hand-over, as a card is: what is over by then shows no code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.contract import Option, Outbound
from core.i18n import Words, words
from core.keys import Keys
from core.phrases import counted
from core.services import guests, ledger, lots, messages, programmes, redemptions
from core.services.cards import MENU
from core.services.errors import UnknownReward
from core.services.redemptions import Redemption
from core.storage.tables import rewards
from core.storage.tx import Tx

KIND = "redemption"


def pick(
    tx: Tx, *, guest_id: int, reward_ids: Sequence[int], keys: Keys, now: datetime
) -> Redemption:
    """Holds these rewards of one programme for the guest; where the very same are held for a till
    already, as after a second tap, it is those. UnknownReward, NotAvailable, Insufficient."""
    programme_id = tx.scalar(sa.select(rewards.c.programme_id).where(rewards.c.id.in_(reward_ids)))
    if programme_id is None:
        raise UnknownReward("There is no such reward.")
    ledger.lock(tx, guest_id, programme_id)
    for held in redemptions.open_of(tx, guest_id, keys, now):
        same = Counter(item.reward_id for item in held.items) == Counter(reward_ids)
        if same and held.qr:
            return held
    return redemptions.pick(
        tx,
        guest_id=guest_id,
        programme_id=programme_id,
        reward_ids=reward_ids,
        keys=keys,
        now=now,
    )


def show(
    tx: Tx,
    held: Redemption,
    *,
    contact_id: int,
    guest_id: int,
    channel: str,
    edits: bool,
    now: datetime,
) -> int:
    """Queues the message with its QR and code. Without `edits` the messenger's one keyboard may be
    taken by its options, so that they lead to the menu, too. Returns the row id."""
    return messages.put(
        tx,
        contact_id=contact_id,
        channel=channel,
        lane=messages.ANSWER,
        kind=KIND,
        body={"guest_id": guest_id, "redemption": held.id, "menu": not edits},
        now=now,
    )


def render(
    tx: Tx, body: Mapping[str, Any], *, keys: Keys, now: datetime
) -> tuple[Outbound, str | None]:
    """A row that `show` queued, as it is to be shown at `now`: the message, and the text of its QR
    (None where it is over)."""
    guest_id = ledger.holder(tx, body["guest_id"]).id
    held = redemptions.of_guest(tx, guest_id, body["redemption"], keys)
    w = words(guests.profile(tx, guest_id).language)
    menu = Option(MENU, w.text("Menu"))
    if held.qr is None or held.expires_at <= now:
        text = w.text("This code is no longer good: {rewards}", rewards=_names(held, w))
        return Outbound(text=text, kind=KIND, language=w.language, options=((menu,),)), None
    cancel = Option(f"redeem:cancel:{held.id}", w.text("Cancel"))
    message = Outbound(
        text=_text(tx, held, w),
        kind=KIND,
        language=w.language,
        options=((cancel, menu),) if body["menu"] else ((cancel,),),
    )
    return message, held.qr


def _text(tx: Tx, held: Redemption, w: Words) -> str:
    until = w.time(held.expires_at, lots.zone(tx, held.programme_id))
    points = w.points(held.points, programmes.unit(tx, held.programme_id))
    return "\n".join(
        [
            f"⭐ {_names(held, w)}",
            w.text("Code: {code}", code=held.code),
            w.text(
                "Show the QR at the till, or tell them the code. It is good until {time}.",
                time=until,
            ),
            w.text("{points} are held for it, and taken when the till confirms.", points=points),
        ]
    )


def _names(held: Redemption, w: Words) -> str:
    return counted([item.names for item in held.items], w)
