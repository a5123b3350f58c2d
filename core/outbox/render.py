"""A row put into words: replies as they were said, notices and cards as they are right now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from core.contract import Outbound, Picture
from core.keys import Keys
from core.pictures import qr_png
from core.services import alarms, picking
from core.services.cards import render_card
from core.services.messages import from_json
from core.services.notices import WAITED, render_notice, render_waited
from core.storage.tx import Tx

CARDS = frozenset({"card", "card_renewal", "card_end"})


def render(
    tx: Tx,
    kind: str,
    body: Mapping[str, Any],
    language: str,
    *,
    keys: Keys,
    public_url: str,
    now: datetime,
) -> tuple[Outbound, str | None]:
    """The message, and the text of a QR that is still to be drawn for it (with its address)."""
    if kind == "reply":
        return from_json(body), None
    if kind == WAITED:
        return render_waited(body["notices"], language), None
    if kind == alarms.KIND:
        return alarms.render(body, language, f"{public_url}/portal"), None
    if kind in CARDS:
        message, qr = render_card(tx, kind, body, keys=keys, public_url=public_url, now=now)
    elif kind == picking.KIND:
        message, qr = picking.render(tx, body, keys=keys, now=now)
    else:
        return render_notice(kind, body, language), None
    if qr is None:
        return message, None
    alt = message.text.partition("\n")[0]
    picture = Picture(png=b"", alt=alt, url=media_address(qr, keys, public_url))
    return replace(message, picture=picture), qr


async def drawn(message: Outbound, qr: str | None) -> Outbound:
    """`message` with the bytes of its picture."""
    if qr is None or message.picture is None:
        return message
    return replace(message, picture=replace(message.picture, png=await qr_png(qr)))


def media_address(qr: str, keys: Keys, public_url: str) -> str:
    """Where a provider fetches the picture of a QR: signed, good for as long as what it shows. It
    ends as a picture's name does, since Viber takes no other."""
    return f"{public_url}/media/{keys.sign_for_a_while('media', qr)}.png"
