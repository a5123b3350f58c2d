"""The sample chain of the demo: two cafes, a few thousand guests, a year of orders.

The same for everybody who starts it on the same day: all chance comes from one seed.
"""

from __future__ import annotations

import random
from datetime import datetime

from core.keys import Keys
from core.sample import people
from core.sample.shop import CAFES, open_cafe
from core.sample.year import Books, year
from core.storage.tx import Tx


def build(tx: Tx, keys: Keys, now: datetime) -> None:
    """Writes the chain into an empty, migrated database: one second or two."""
    chance = random.Random(1907)
    places = [open_cafe(tx, slug, name, now) for slug, name in CAFES.items()]
    regulars = people.join(tx, keys, chance, places, now)
    people.invite(random.Random(2011), regulars)
    books = Books()
    for sold in year(chance, regulars, now):
        books.count(sold)
    books.write(tx)
    people.keep_referrals(tx, regulars)
