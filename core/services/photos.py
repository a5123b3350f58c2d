"""Pictures that the business brings, such as a reward's.

A picture's id is made of what is in it, so that one address always means the same picture: it can
be kept for ever by whoever has seen it, and the same picture brought twice is one. Nobody can
count through the ids either.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from core.storage.tables import pictures, rewards
from core.storage.tx import Tx


class Photo(NamedTuple):
    """`type` is its media type. Whoever makes one has drawn it anew: what was brought is never
    what is served."""

    type: str
    content: bytes


def keep(tx: Tx, photo: Photo, now: datetime) -> int:
    """Its id."""
    picture_id = id_of(photo)
    if shown(tx, picture_id) is None:
        tx.execute(
            sa.insert(pictures).values(
                id=picture_id, type=photo.type, content=photo.content, created_at=now
            )
        )
    return picture_id


def shown(tx: Tx, picture_id: int) -> Photo | None:
    row = tx.execute(
        sa.select(pictures.c.type, pictures.c.content).where(pictures.c.id == picture_id)
    ).first()
    return None if row is None else Photo(row.type, bytes(row.content))


def drop_unused(tx: Tx, picture_id: int) -> None:
    """Where no reward shows it any more."""
    used = sa.select(rewards.c.id).where(rewards.c.picture_id == picture_id).exists()
    tx.execute(sa.delete(pictures).where(pictures.c.id == picture_id, ~used))


def id_of(photo: Photo) -> int:
    """63 bits of its SHA-256: a row id, above zero."""
    return int.from_bytes(hashlib.sha256(photo.content).digest()[:8]) >> 1
