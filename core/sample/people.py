"""Who comes: guests who joined all through the year, and who invited them."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from core.keys import Keys
from core.sample.shop import DAYS, Place
from core.services.guests import named
from core.storage.tables import guests, memberships, referrals
from core.storage.tx import Tx

GUESTS = 2_847
INVITED = 0.09
"""The share of guests who came by a friend."""
INVITATION_POINTS = 100
"""As a new programme has it."""

FIRST_NAMES = {
    "sr": ("Ana", "Marko", "Jelena", "Nikola", "Milica", "Stefan", "Jovana", "Luka", "Ivana"),
    "ru": ("Анна", "Иван", "Мария", "Дмитрий", "Елена", "Алексей", "Ольга", "Сергей"),
    "en": ("Emma", "Jack", "Olivia", "Noah", "Sophie", "Liam", "Grace", "Oscar"),
}
INITIALS = {"sr": "ABDĐJKLMNPRSTV", "ru": "АБВГДЕКЛМНПС", "en": "ABCDEFGHJKLM"}
LANGUAGES = ("sr", "ru", "en")
SHARES = (6, 3, 1)


@dataclass
class Guest:
    id: int
    cafe: Place
    joined: datetime
    weight: float
    inviter: Guest | None = None
    first: tuple[int, datetime] | None = None
    """The order that the invitation was rewarded for, and when."""
    orders: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    carry: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    balance: dict[int, int] = field(default_factory=lambda: defaultdict(int))


def join(
    tx: Tx, keys: Keys, chance: random.Random, places: list[Place], now: datetime
) -> list[Guest]:
    """Guests who joined all through the year, more of them lately; some come often, most rarely."""
    found = []
    rows = []
    for number in range(1, GUESTS + 1):
        language = chance.choices(LANGUAGES, SHARES)[0]
        joined = now - timedelta(days=DAYS * chance.random() ** 1.3, minutes=chance.randrange(600))
        cafe = chance.choices(places, (3, 2))[0]
        found.append(Guest(number, cafe, joined, chance.paretovariate(1.2)))
        rows.append(
            {
                "id": number,
                "public_id": _public_id(number),
                **named(_name(chance, language)),
                "language": language,
                "phone": f"+38160{number:07d}",
                "phone_proven": True,
                "offers": chance.random() < 0.6,
                "home_cafe_id": cafe.id,
                "secret": keys.encrypt(hashlib.sha256(f"demo {number}".encode()).digest()[:20]),
                "created_at": joined,
            }
        )
    tx.execute(sa.insert(guests), rows)
    tx.execute(
        sa.insert(memberships),
        [{"guest_id": g.id, "cafe_id": g.cafe.id, "since": g.joined} for g in found],
    )
    if not tx.is_sqlite:  # ids were given by us, so the sequence has to follow
        tx.execute(sa.text("SELECT setval('guest_id_seq', (SELECT max(id) FROM guest))"))
    return found


def invite(chance: random.Random, regulars: list[Guest]) -> None:
    """Some have come by a friend of the same cafe, who was there before."""
    earlier: dict[int, list[Guest]] = defaultdict(list)
    for guest in sorted(regulars, key=lambda guest: guest.joined):
        friends = earlier[guest.cafe.id]
        if friends and chance.random() < INVITED:
            guest.inviter = chance.choice(friends)
        friends.append(guest)


def keep_referrals(tx: Tx, regulars: list[Guest]) -> None:
    tx.execute(
        sa.insert(referrals),
        [_referral(guest, guest.inviter) for guest in regulars if guest.inviter is not None],
    )
    waiting = sa.select(referrals.c.friend_id).where(referrals.c.rewarded_at.is_(None))
    tx.execute(sa.update(guests).where(guests.c.id.in_(waiting)).values(invited=True))


def _referral(friend: Guest, inviter: Guest) -> dict[str, Any]:
    first, points = friend.first, INVITATION_POINTS if friend.first else 0
    return {
        "inviter_id": inviter.id,
        "friend_id": friend.id,
        "created_at": friend.joined,
        "programme_id": friend.cafe.programme if first else None,
        "order_row": first[0] if first else None,
        "inviter_points": points,
        "friend_points": points,
        "rewarded_at": first[1] if first else None,
    }


def _name(chance: random.Random, language: str) -> str:
    return f"{chance.choice(FIRST_NAMES[language])} {chance.choice(INITIALS[language])}."


def _public_id(number: int) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    digest = hashlib.sha256(f"guest {number}".encode()).digest()
    return "".join(alphabet[byte % 32] for byte in digest[:16])
